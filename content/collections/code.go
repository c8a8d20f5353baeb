package collections

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/fault"
)

const (
	maxCode  = 255
	maxTitle = 500
)

// CheckCode reports a collection code outside the grammar as fault.Invalid: 1 to 255 of the characters a-z, A-Z, 0-9,
// "_", "." and "-" (content-model.md §3).
func CheckCode(code string) error {
	thing := fmt.Sprintf("collection code %.100q", code)
	switch {
	case code == "":
		return fault.Errorf(fault.Invalid, thing, "a code cannot be empty")
	case utf8.RuneCountInString(code) > maxCode:
		return fault.Errorf(fault.Invalid, thing, "a code has at most 255 characters")
	}
	for i := range len(code) {
		switch c := code[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '.', c == '-':
		default:
			return fault.Errorf(fault.Invalid, thing, "a code holds only ASCII letters, digits, “_”, “.” and “-”")
		}
	}
	return nil
}

// checkText refuses text that some engine would cut or refuse; limit 0 means none.
func checkText(what, s string, limit int) error {
	switch {
	case !utf8.ValidString(s), strings.IndexByte(s, 0) >= 0:
		return fault.Errorf(fault.Invalid, what, "it is not UTF-8 or holds NUL")
	case limit > 0 && utf8.RuneCountInString(s) > limit:
		return fault.Errorf(fault.Invalid, what, "it has more than %d characters", limit)
	}
	return nil
}
