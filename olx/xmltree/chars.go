package xmltree

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// legal reports whether r is a Char of XML 1.0.
func legal(r rune) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r <= 0xD7FF:
		return true
	case r < 0xE000:
		return false
	case r <= 0xFFFD:
		return true
	}
	return r >= 0x10000 && r <= utf8.MaxRune
}

// illegalAt returns the offset of the first character of s that XML forbids, or -1. s is valid UTF-8.
func illegalAt(s string) int {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < 0x20 && c != '\n' && c != '\t' && c != '\r' {
			return i
		}
		// U+FFFE and U+FFFF are all that valid UTF-8 can hold besides control characters.
		if c == 0xEF && strings.HasPrefix(s[i+1:], "\xBF") && s[i+2] >= 0xBE {
			return i
		}
	}
	return -1
}

// nameStart has the ranges of NameStartChar of XML 1.0, fifth edition, from U+0080 up and without the colon, which
// separates the prefix.
var nameStart = [][2]rune{
	{0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D}, {0x2070, 0x218F},
	{0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
}

func isNameStart(r rune) bool {
	if r < 0x80 {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
	}
	for _, x := range nameStart {
		if r <= x[1] {
			return r >= x[0]
		}
	}
	return false
}

func isNameChar(r rune) bool {
	if r < 0x80 {
		return isNameStart(r) || '0' <= r && r <= '9' || r == '-' || r == '.'
	}
	return isNameStart(r) || r == 0xB7 || 0x300 <= r && r <= 0x36F || 0x203F <= r && r <= 0x2040
}

// ncName returns the length of the name without colon at the start of s, 0 if there is none.
func ncName(s string) int {
	for i, r := range s {
		if i == 0 && !isNameStart(r) || !isNameChar(r) {
			return i
		}
	}
	return len(s)
}

// IsName reports whether s can be the name of an element or an attribute as written: a local part, perhaps with a
// prefix.
func IsName(s string) bool {
	n := ncName(s)
	if n > 0 && n < len(s) && s[n] == ':' {
		s, n = s[n+1:], ncName(s[n+1:])
	}
	return n > 0 && n == len(s) && utf8.ValidString(s)
}

// IsLegal reports whether every character of s may stand in an XML document. Those that may not are NUL and other
// control characters except TAB, LF and CR, surrogates, U+FFFE, U+FFFF and bytes that are not UTF-8.
func IsLegal(s string) bool { return utf8.ValidString(s) && illegalAt(s) < 0 }

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// reference reads the reference at the start of s, which starts with &. It returns the character and the length of the
// reference, 0 if it is none that this package accepts.
func reference(s string) (r rune, n int) {
	const longest = 64 // leading zeros are legal, endless ones are not worth a scan
	end := strings.IndexByte(s[:min(len(s), longest)], ';')
	if end < 0 {
		return 0, 0
	}
	switch name := s[1:end]; name {
	case "lt":
		return '<', end + 1
	case "gt":
		return '>', end + 1
	case "amp":
		return '&', end + 1
	case "quot":
		return '"', end + 1
	case "apos":
		return '\'', end + 1
	default:
		digits, isNumber := strings.CutPrefix(name, "#")
		base := 10
		if hex, isHex := strings.CutPrefix(digits, "x"); isHex {
			digits, base = hex, 16
		}
		v, err := strconv.ParseUint(digits, base, 32)
		if !isNumber || err != nil || v > utf8.MaxRune || !legal(rune(v)) {
			return 0, 0
		}
		return rune(v), end + 1
	}
}

// decode resolves the references of s, all of which are known to be good, and turns line ends into LF or, in an
// attribute value, every white-space character into a space.
func decode(s string, value bool) string {
	special := "&\r"
	if value {
		special = "&\r\n\t"
	}
	i := strings.IndexAny(s, special)
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i >= 0 {
		b.WriteString(s[:i])
		used := 1
		switch s[i] {
		case '&':
			r, n := reference(s[i:])
			b.WriteRune(r)
			used = n
		case '\r':
			if strings.HasPrefix(s[i+1:], "\n") {
				used = 2 // one line end, so one character
			}
			fallthrough
		default:
			if value {
				b.WriteByte(' ')
			} else {
				b.WriteByte('\n')
			}
		}
		s = s[i+used:]
		i = strings.IndexAny(s, special)
	}
	b.WriteString(s)
	return b.String()
}

// lineEnds turns CR LF and CR into LF.
func lineEnds(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}
