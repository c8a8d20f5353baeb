package password

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/openlectern/lectern/fault"
)

// Bounds of a password, in characters. The upper one keeps strangers from having megabytes hashed.
const (
	MinLength = 8
	MaxLength = 4096
)

// Normal returns a password as Open edX hashes it: letters that look the same are the same, however a keyboard wrote them
// (Unicode's form NFKC).
func Normal(plain string) string { return norm.NFKC.String(plain) }

// Check refuses what cannot be a new password of a person with such names (user name, e-mail address and the like): one
// that is too short or too long, has digits only, one letter over and over, or is one of the names. The error is
// fault.Invalid.
func Check(plain string, names ...string) error {
	n := utf8.RuneCountInString(plain)
	refuse := func(format string, args ...any) error {
		return fault.Errorf(fault.Invalid, "password", format, args...).WithNext("choose another password")
	}
	switch {
	case !utf8.ValidString(plain) || strings.ContainsRune(plain, 0):
		return refuse("it is not text")
	case n < MinLength:
		return refuse("it is shorter than %d characters", MinLength)
	case n > MaxLength:
		return refuse("it is longer than %d characters", MaxLength)
	case strings.Trim(plain, "0123456789") == "":
		return refuse("it has digits only")
	case strings.Trim(plain, firstLetter(plain)) == "":
		return refuse("it is one letter over and over")
	}
	low := strings.ToLower(plain)
	for _, name := range names {
		name = strings.ToLower(name)
		before, _, _ := strings.Cut(name, "@")
		if name != "" && (low == name || low == before) {
			return refuse("it is the user's name or e-mail address")
		}
	}
	if common[low] {
		return refuse("it is one of the first that anybody tries")
	}
	return nil
}

func firstLetter(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// common are passwords of eight letters and more that lists of leaked ones begin with.
var common = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`password password1 password12 password123 passw0rd p@ssw0rd p@ssword qwertyui qwertyuiop
		qwerty123 qwerty12 1q2w3e4r 1q2w3e4r5t 1qaz2wsx zaq12wsx q1w2e3r4 abcd1234 abc12345 abcdefgh a1b2c3d4 iloveyou
		sunshine princess football baseball superman starwars trustno1 whatever computer internet michelle jennifer
		letmein1 welcome1 welcome123 admin123 admin1234 administrator changeme changeme1 lectern1 openedx1 edxedxedx`) {
		m[w] = true
	}
	return m
}()
