package migrator

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/slug"
)

// suffixes is how many further ids are tried for one that is taken (I4).
const suffixes = 1000

// codes are the ids that a library has: of components one set a type, of containers one for all types, under "" (I3).
type codes map[string]map[string]bool

func (c codes) add(kind, code string) {
	if c[kind] == nil {
		c[kind] = map[string]bool{}
	}
	c[kind][code] = true
}

// take returns base, or where it is taken base with the first suffix that is free, and takes it (I4).
func (c codes) take(kind, base string) (string, error) {
	code := base
	for i := 1; c[kind][code]; i++ {
		if i > suffixes {
			return "", fault.Errorf(fault.Conflict, base, "the library has this id, and %d with a number behind it", suffixes).
				WithNext("give the blocks of the source titles that differ")
		}
		code = base + "_" + strconv.Itoa(i)
	}
	c.add(kind, code)
	return code, nil
}

// base returns the id that a block of the source gets if it is free: its own or a slug of its title, in characters that a
// code can have (I2, I8a, I9).
func (o Options) base(kind, id, title string) string {
	if o.KeepSlugs {
		if o.legal(id) {
			return trim(id)
		}
	} else if s := o.slug(title); s != "" {
		return s
	}
	if o.legal(id) {
		return trim(id)
	}
	if s := o.slug(id); s != "" {
		return s
	}
	return kind // of which nothing can be said but what it is
}

func (o Options) legal(id string) bool {
	return slug.Legal(id) && (!o.ASCII || strings.IndexFunc(id, func(r rune) bool { return r >= 0x80 }) < 0)
}

// longest is how long an id may be so that the longest suffix fits behind it.
const longest = slug.Max - len("_1000")

func trim(s string) string {
	if rs := []rune(s); len(rs) > longest {
		return string(rs[:longest])
	}
	return s
}

// slug makes a name lower case, with one "-" for each run of blanks and dashes and without anything else that is no letter,
// digit or "_", as web frameworks do. It may be empty.
func (o Options) slug(name string) string {
	if name = norm.NFKC.String(strings.ToLower(norm.NFKC.String(name))); o.ASCII {
		name = norm.NFKD.String(name)
	}
	var b strings.Builder
	gap := false
	for _, r := range name {
		switch {
		case unicode.IsSpace(r) || r == '-':
			gap = true
		case o.ASCII && r >= 0x80:
		case r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nd, r):
			if gap && b.Len() > 0 {
				b.WriteByte('-')
			}
			gap = false
			b.WriteRune(r)
		}
	}
	return trim(strings.Trim(b.String(), "-_"))
}
