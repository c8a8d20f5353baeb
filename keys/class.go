package keys

import (
	"unicode"
	"unicode/utf8"
)

// class is a set of characters (keys.md §2.1): one bit per named set, tested against the table of ASCII characters,
// and wide for sets that hold the letters and numbers of all other scripts too.
type class uint16

const (
	bitWord class = 1 << iota
	bitID
	bitBID
	bitOld
	bitASCII
	bitSlug
	bitPath
	bitHex
	wide
)

const (
	classWord  = bitWord | wide // W: letters, numbers, underscore
	classID    = bitID | wide   // ID: W - ~ . :
	classBID   = bitBID | wide  // BID: ID %
	classOld   = bitOld | wide  // OLD: W . % -
	classASCII = bitASCII       // A: ASCII letters and digits, _ - .
	classSlug  = bitSlug | wide // S: W - .
	classPath  = bitPath | wide // P: S /
	classHex   = bitHex         // HEX: 0-9 a-f
)

// classes holds the sets of each ASCII character; the upper half is empty.
var classes = func() (t [256]class) {
	for c := range utf8.RuneSelf {
		digit := '0' <= c && c <= '9'
		if digit || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' {
			t[c] = bitWord | bitID | bitBID | bitOld | bitASCII | bitSlug | bitPath
		}
		if digit || 'a' <= c && c <= 'f' {
			t[c] |= bitHex
		}
	}
	t['-'] = bitID | bitBID | bitOld | bitASCII | bitSlug | bitPath
	t['.'] = t['-']
	t['~'] = bitID | bitBID
	t[':'] = bitID | bitBID
	t['%'] = bitBID | bitOld
	t['/'] = bitPath
	return t
}()

// scan returns the end of the longest run of characters of m that starts at s[i].
func scan(s string, i int, m class) int {
	for i < len(s) {
		c := s[i]
		if classes[c]&m != 0 {
			i++
			continue
		}
		if c < utf8.RuneSelf || m&wide == 0 {
			return i
		}
		// Broken UTF-8 decodes to U+FFFD, which is no letter, so it ends the run too.
		r, n := utf8.DecodeRuneInString(s[i:])
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			return i
		}
		i += n
	}
	return i
}

// atEnd is the separator that until takes for a field that ends the text.
const atEnd = -1

// until returns the end of a field of one or more characters of m that starts at s[i] and is followed by sep, or 0
// when there is no such field.
func until(s string, i int, m class, sep int) uint16 {
	j := scan(s, i, m)
	switch {
	case j == i:
		return 0
	case j == len(s):
		if sep != atEnd {
			return 0
		}
	case int(s[j]) != sep:
		return 0
	}
	return uint16(j)
}

// all reports whether s is one or more characters of m.
func all(s string, m class) bool { return s != "" && scan(s, 0, m) == len(s) }

// digitNo are the 128 numbers of category No that Python's isdigit counts as digits (keys.md §2.3).
var digitNo = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x00b2, Hi: 0x00b3, Stride: 1}, {Lo: 0x00b9, Hi: 0x00b9, Stride: 1}, {Lo: 0x1369, Hi: 0x1371, Stride: 1},
		{Lo: 0x19da, Hi: 0x19da, Stride: 1}, {Lo: 0x2070, Hi: 0x2070, Stride: 1}, {Lo: 0x2074, Hi: 0x2079, Stride: 1},
		{Lo: 0x2080, Hi: 0x2089, Stride: 1}, {Lo: 0x2460, Hi: 0x2468, Stride: 1}, {Lo: 0x2474, Hi: 0x247c, Stride: 1},
		{Lo: 0x2488, Hi: 0x2490, Stride: 1}, {Lo: 0x24ea, Hi: 0x24ea, Stride: 1}, {Lo: 0x24f5, Hi: 0x24fd, Stride: 1},
		{Lo: 0x24ff, Hi: 0x24ff, Stride: 1}, {Lo: 0x2776, Hi: 0x277e, Stride: 1}, {Lo: 0x2780, Hi: 0x2788, Stride: 1},
		{Lo: 0x278a, Hi: 0x2792, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x10a40, Hi: 0x10a43, Stride: 1}, {Lo: 0x10e60, Hi: 0x10e68, Stride: 1},
		{Lo: 0x11052, Hi: 0x1105a, Stride: 1}, {Lo: 0x1f100, Hi: 0x1f10a, Stride: 1},
	},
	LatinOffset: 2,
}

// allDigits reports whether every character of s counts as a digit of any script.
func allDigits(s string) bool {
	for _, r := range s {
		if !unicode.IsDigit(r) && !unicode.Is(digitNo, r) {
			return false
		}
	}
	return true
}
