package outbox

import "strings"

// clean makes what a stranger answered fit to be stored by every engine: UTF-8, no NUL, not long.
func clean(s string) string {
	if len(s) > maxError {
		s = s[:maxError]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
}
