package links

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// style is how a text writes the characters of an address that have a meaning somewhere: what replaces a link is written like it.
type style uint8

const (
	plain     style = iota
	backslash       // \/ of JSON and scripts
	unicode16       // \u002f of JSON
	decimal         // &#47; of HTML and XML
	hex             // &#x2F; of the same
	percent         // %2F of addresses within addresses
)

// unit reads one character at s[i], which may be escaped; n is how many bytes it takes, 0 at the end.
func unit(s string, i int) (r rune, n int, st style) {
	if i >= len(s) {
		return utf8.RuneError, 0, plain
	}
	switch s[i] {
	case '\\':
		if strings.HasPrefix(s[i+1:], "/") {
			return '/', 2, backslash
		}
		if len(s) >= i+6 && s[i+1] == 'u' {
			if v, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				return rune(v), 6, unicode16
			}
		}
	case '%':
		if r, n := percentRune(s[i:]); n > 0 {
			return r, n, percent
		}
	case '&':
		if r, n, st := entity(s[i:]); n > 0 {
			return r, n, st
		}
	}
	r, n = utf8.DecodeRuneInString(s[i:])
	return r, n, plain
}

// percentRune reads a character whose bytes are written as %XX.
func percentRune(s string) (rune, int) {
	var buf [utf8.UTFMax]byte
	for n := range buf {
		if len(s) < 3*n+3 || s[3*n] != '%' {
			return 0, 0
		}
		v, err := strconv.ParseUint(s[3*n+1:3*n+3], 16, 8)
		if err != nil {
			return 0, 0
		}
		buf[n] = byte(v)
		if utf8.FullRune(buf[:n+1]) {
			r, size := utf8.DecodeRune(buf[:n+1])
			if r == utf8.RuneError || size != n+1 {
				return 0, 0
			}
			return r, 3*n + 3
		}
	}
	return 0, 0
}

// entity reads a numeric character reference, or one of the five names that XML has.
func entity(s string) (rune, int, style) {
	end := strings.IndexByte(s[:min(len(s), 10)], ';')
	if end < 2 {
		return 0, 0, plain
	}
	switch s[1:end] {
	case "amp":
		return '&', end + 1, decimal
	case "quot":
		return '"', end + 1, decimal
	case "apos":
		return '\'', end + 1, decimal
	case "lt":
		return '<', end + 1, decimal
	case "gt":
		return '>', end + 1, decimal
	}
	digits, ok := strings.CutPrefix(s[1:end], "#")
	if !ok || digits == "" {
		return 0, 0, plain
	}
	base, st := 10, decimal
	if digits[0] == 'x' || digits[0] == 'X' {
		digits, base, st = digits[1:], 16, hex
	}
	v, err := strconv.ParseUint(digits, base, 21)
	if err != nil || v > unicode.MaxRune {
		return 0, 0, plain
	}
	return rune(v), end + 1, st
}

// char returns how many bytes the character c takes at s[i], 0 where it is not there.
func char(s string, i int, c rune) (int, style) {
	if r, n, st := unit(s, i); n > 0 && r == c {
		return n, st
	}
	return 0, plain
}

// slashes are all spellings of a slash, those that end in another one first.
var slashes = [...]struct {
	text string
	st   style
}{
	{`\/`, backslash}, {"/", plain}, {"%2F", percent}, {"%2f", percent}, {"&#47;", decimal}, {"&#x2F;", hex}, {"&#x2f;", hex},
	{`\u002f`, unicode16}, {`\u002F`, unicode16},
}

// slashBefore returns how many bytes a slash takes that ends at s[end], 0 where none is.
func slashBefore(s string, end int) int {
	for _, v := range slashes {
		if strings.HasSuffix(s[:end], v.text) {
			return len(v.text)
		}
	}
	return 0
}

// literal returns how many bytes the text want takes at s[i], as it is or escaped; 0 where it is not there.
func literal(s string, i int, want string) int {
	if strings.HasPrefix(s[i:], want) {
		return len(want)
	}
	at := i
	for _, c := range want {
		r, n, _ := unit(s, at)
		if n == 0 || r != c {
			return 0
		}
		at += n
	}
	return at - i
}

// write spells a text in a style.
func write(text string, st style) string {
	var slash string
	switch st {
	case backslash:
		slash = `\/`
	case unicode16:
		slash = `\u002f`
	case decimal:
		slash = "&#47;"
	case hex:
		slash = "&#x2F;"
	case percent:
		return percentAll(text)
	default:
		return text
	}
	return strings.ReplaceAll(text, "/", slash)
}

// percentAll writes every byte as %XX that an address takes for something else.
func percentAll(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= utf8.RuneSelf || strings.IndexByte("/:+@%", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescape reads every escape of a text.
func unescape(s string) string {
	if !strings.ContainsAny(s, `%&\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n, st := unit(s, i)
		if st == plain {
			b.WriteString(s[i : i+n])
		} else {
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// lastUnit reads the character that ends at s[end], 0 where the text begins there. A line break written as \n counts as one.
func lastUnit(s string, end int) rune {
	if end == 0 {
		return 0
	}
	from := max(0, end-12)
	tail := s[from:end]
	switch {
	case strings.HasSuffix(tail, `\n`), strings.HasSuffix(tail, `\r`), strings.HasSuffix(tail, `\t`):
		return '\n'
	case tail[len(tail)-1] == ';':
		if at := strings.LastIndexByte(tail, '&'); at >= 0 {
			if r, n, _ := entity(tail[at:]); n == len(tail)-at {
				return r
			}
		}
	}
	for _, back := range [...]int{3, 6} { // %22, and \u0022
		if at := len(tail) - back; at >= 0 {
			if r, n, st := unit(tail, at); n == back && st != plain {
				return r
			}
		}
	}
	r, _ := utf8.DecodeLastRuneInString(tail)
	return r
}

// isWord reports whether a character is one of W (keys.md §2.1).
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

// isOld reports whether a character is legal in names of old courses.
func isOld(r rune) bool { return isWord(r) || r == '.' || r == '%' || r == '-' }

// isName reports whether a character is legal in names of blocks of old courses.
func isName(r rune) bool { return isOld(r) || r == '~' || r == ':' }

// isID reports whether a character is legal in names of today's keys.
func isID(r rune) bool { return isName(r) && r != '%' }

// word is a part of a link: as it stands, where it ends, and what it says.
type word struct {
	raw, text string
	end       int
}

// wordMax is how many bytes a part of a link is looked at for: keys are shorter, and a scan stays linear.
const wordMax = 1024

// take reads the longest word at s[i] of characters that in accepts. Escapes are read where their style is that of the link.
func take(s string, i int, st style, in func(rune) bool) word {
	at, escaped := i, false
	for at < len(s) && at < i+wordMax {
		c := s[at]
		if c == '%' && st != percent && in('%') {
			at++
			continue
		}
		r, n, how := unit(s, at)
		if how == backslash || how == percent && st != percent || !in(r) {
			break
		}
		escaped = escaped || how != plain
		at += n
	}
	w := word{raw: s[i:at], end: at}
	if w.text = w.raw; escaped {
		w.text = unescape(w.raw)
	}
	return w
}
