package components

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// maxCode is the most characters of a code.
const maxCode = 255

// CheckCode reports a component or container code outside the grammar as fault.Invalid: 1 to 255 characters, each a
// letter, a number, "_", "." or "-". Nothing is normalised and letter case counts (content-model.md §3). What names the
// thing in the error. Engines may refuse more than this, see [RefusedCode].
func CheckCode(what, code string) error {
	bad := func(why string) error { return fault.Errorf(fault.Invalid, what+" "+quote(code), "%s", why) }
	switch {
	case code == "":
		return bad("a code cannot be empty")
	case !utf8.ValidString(code):
		return bad("a code must be UTF-8")
	case len(code) > maxCode && utf8.RuneCountInString(code) > maxCode:
		return bad("a code has at most 255 characters")
	}
	for i := range len(code) {
		if c := code[i]; c >= utf8.RuneSelf {
			return checkRunes(bad, code)
		} else if !codeByte(c) {
			return bad("a code holds only letters, numbers, “_”, “.” and “-”")
		}
	}
	return nil
}

func checkRunes(bad func(string) error, code string) error {
	for _, r := range code {
		if r < utf8.RuneSelf && codeByte(byte(r)) || r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsNumber(r)) {
			continue
		}
		if unicode.IsMark(r) {
			return bad("a code holds no combining marks: compose the letters (NFC)")
		}
		return bad("a code holds only letters, numbers, “_”, “.” and “-”")
	}
	return nil
}

// codeByte reports whether an ASCII character may be in a code.
func codeByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// RefusedCode turns the refusal of a CHECK by the engine into fault.Invalid naming a code it may be about: what Go
// accepts, some engines do not (content-schema.md §2.1). It returns err as it is when no code explains it.
func RefusedCode(err error, e db.Engine, what string, codes []string) error {
	for _, odd := range []func(rune) bool{
		func(r rune) bool { return unicode.IsNumber(r) && !unicode.IsDigit(r) }, // "²": PostgreSQL, MySQL
		func(r rune) bool { return r >= utf8.RuneSelf },                         // "é": MariaDB under Django, PostgreSQL under C
	} {
		for _, c := range codes {
			if strings.ContainsFunc(c, odd) {
				return &fault.Error{Kind: fault.Invalid, Thing: what + " " + quote(c), Err: err,
					Text: "the " + string(e) + " database refuses a character of this code",
					Next: "use ASCII letters, digits, “_”, “.” and “-”"}
			}
		}
	}
	return err
}

// quote shortens s for a message and puts it in quotation marks.
func quote(s string) string {
	const most = 100
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return `"` + s + `"`
}
