package oldcourse

import (
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/fault"
)

// plainText refuses what a text column does not take.
func plainText(thing, s string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fault.Errorf(fault.Usage, thing, "it is not text in UTF-8")
	}
	return nil
}

// clean makes text of what a text column does not take, and reports whether it was none.
func clean(s string) (text string, was bool) {
	text = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	return text, text != s
}

// cut returns the first n characters of a text.
func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
