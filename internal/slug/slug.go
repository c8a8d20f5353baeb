// Package slug makes codes: names in the narrow alphabet that code columns take, for things whose own names are wider
// (design.md §4, "A course in the store").
package slug

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Max is how many characters a code may have.
const Max = 255

// Rune reports whether a code may hold the character: a letter, a decimal digit, "_", "." or "-".
func Rune(r rune) bool {
	return r == '_' || r == '.' || r == '-' || unicode.IsLetter(r) || unicode.Is(unicode.Nd, r)
}

// Legal reports whether a name can be a code as it is.
func Legal(s string) bool {
	n := 0
	for _, r := range s {
		if n++; n > Max || !Rune(r) {
			return false
		}
	}
	return n > 0
}

// Make returns name in the alphabet of codes, cut so that it has at most limit characters, with eight hex digits of the
// SHA-256 of salt behind it.
func Make(name, salt string, limit int) string {
	sum := sha256.Sum256([]byte(salt))
	rs := []rune(name)
	if n := limit - 9; len(rs) > n {
		rs = rs[:n]
	}
	for i, r := range rs {
		if !Rune(r) {
			rs[i] = '_'
		}
	}
	return string(rs) + "-" + hex.EncodeToString(sum[:4])
}

// Fold maps names that differ only by case or accents to one string.
func Fold(s string) string {
	if isASCII(s) { // most are
		return strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
	return norm.NFKC.String(cases.Fold().String(s))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// Taken are codes that are in use, folded: those that differ only by case or accents count as one. It is not safe for
// concurrent use.
type Taken map[string]bool

// Add returns name where it is legal and free, else a slug of it that is free, and takes what it returns.
func (t Taken) Add(name string) string {
	code := name
	if !Legal(name) || t[Fold(name)] {
		code = Make(name, name, Max)
		for salt := name; t[Fold(code)]; {
			salt += "'"
			code = Make(name, salt, Max)
		}
	}
	t[Fold(code)] = true
	return code
}
