package links

import (
	"strings"
)

// place is where a path stands in a text.
type place uint8

const (
	free  place = iota // by itself
	own                // behind the site's own host name
	other              // behind something else: a host name, or a longer path
)

// placeOf looks at what comes before a path that starts at s[start]. For a path of the own host it returns where the address
// starts: at its two slashes.
func (r *Rewriter) placeOf(s string, start int) (place, int) {
	if n := len(r.host); n > 0 && start > n && strings.EqualFold(s[start-n:start], r.host) {
		at := start - n
		if one := slashBefore(s, at); one > 0 {
			if two := slashBefore(s, at-one); two > 0 {
				return own, at - one - two
			}
		}
	}
	switch c := lastUnit(s, start); {
	case isWord(c), strings.ContainsRune(".-~%@)}/+$", c) && c != 0:
		return other, start
	}
	return free, start
}

// set gives a match its row and its place: what is on the own host falls under row 10, and what is within a longer address stays,
// whole (modulestore.md §5.4 row 10).
func (r *Rewriter) set(s string, m match, where place, from int) match {
	switch where {
	case own:
		m.became = s[from:m.start] + m.became
		m.start, m.row = from, 10
		if m.why == "" {
			m.why = "an address on the site's own host"
		}
	case other:
		m = keep(10, m.start, addressEnd(s, m.end), "within the address of another host, or a longer path")
	}
	return m
}

// addressEnd returns where an address ends that goes on at s[at].
func addressEnd(s string, at int) int {
	for limit := min(len(s), at+wordMax); at < limit; {
		c, n, st := unit(s, at)
		if st == plain && (c == '\\' || isEnd(c)) || st != plain && strings.ContainsRune("\"'<>", c) {
			break // an escaped blank or bracket is part of the address
		}
		at += n
	}
	return at
}

// isEnd reports whether a character ends an address: white space, quotes, brackets.
func isEnd(r rune) bool {
	return r <= ' ' || strings.ContainsRune("\"'<>`()[]{}|\u00a0", r)
}

// ends reports whether a course key that stands before s[at] is over there: that no character of a key follows. A full stop or
// a colon is one where more follows.
func ends(s string, at int) bool {
	c, n, _ := unit(s, at)
	if n == 0 {
		return true
	}
	if c == '.' || c == ':' {
		next, m, _ := unit(s, at+n)
		return m == 0 || !isID(next)
	}
	return !isName(c)
}

// inQuery reports whether what starts at s[start] is the value of a parameter of an address, where + stands for a space.
func inQuery(s string, start int) bool {
	if !strings.HasSuffix(s[:start], "=") {
		return false
	}
	at := start - 1
	for limit := max(0, at-64); at > limit && (isWord(rune(s[at-1])) || s[at-1] == '-'); at-- {
	}
	return at < start-1 && at > 0 && (s[at-1] == '?' || s[at-1] == '&' || strings.HasSuffix(s[:at], "&amp;"))
}

// key spells a key that replaces one at s[start].
func spellKey(s string, start int, key string, st style) string {
	if st == plain && inQuery(s, start) {
		return strings.ReplaceAll(key, "+", "%2B")
	}
	return write(key, st)
}

// AssetName returns the name that the content store keeps a file under, of its path below the folder of static files: slashes
// become _, and so does each character outside letters, numbers and _ . % - (GF-8).
func AssetName(path string) string {
	return strings.Map(func(r rune) rune {
		if isOld(r) {
			return r
		}
		return '_'
	}, path)
}

// legal returns a name with each character replaced by _ that no key of today has (CV-4).
func legal(name string) string {
	return strings.Map(func(r rune) rune {
		if isID(r) {
			return r
		}
		return '_'
	}, name)
}
