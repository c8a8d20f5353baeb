package pyjson

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Line returns v on one line with all characters beyond ASCII escaped: the form of attributes (olx.md §1.8.1).
func (v Value) Line() string { return string(writer{ascii: true, indent: -1}.append(nil, v, 0)) }

// Plain returns v on one line with characters beyond ASCII as they are: the form of a courseware.Value.
func (v Value) Plain() string { return string(writer{indent: -1}.append(nil, v, 0)) }

// Indented returns v with every member on a line of its own, indented by so many spaces a level, keys sorted, and all
// characters beyond ASCII escaped. There is no final LF.
func (v Value) Indented(indent int) string {
	return string(writer{ascii: true, indent: indent}.append(nil, v.Sorted(), 0))
}

// File returns v as the content of a JSON file of an archive (olx.md §3.3).
func (v Value) File() []byte { return []byte(v.Indented(4)) }

type writer struct {
	ascii  bool
	indent int // -1: one line
}

func (w writer) append(dst []byte, v Value, depth int) []byte {
	switch v.Kind {
	case Null:
		return append(dst, "null"...)
	case Bool, Number:
		return append(dst, v.Text...)
	case String:
		return w.text(dst, v.Text)
	}
	open, end := byte('['), byte(']')
	if v.Kind == Object {
		open, end = '{', '}'
	}
	dst = append(dst, open)
	for i := range v.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch {
		case w.indent >= 0:
			dst = w.newLine(dst, depth+1)
		case i > 0:
			dst = append(dst, ' ')
		}
		if v.Kind == Object {
			dst = w.text(dst, v.Keys[i])
			dst = append(dst, ": "...)
		}
		dst = w.append(dst, v.Items[i], depth+1)
	}
	if w.indent >= 0 && len(v.Items) > 0 {
		dst = w.newLine(dst, depth)
	}
	return append(dst, end)
}

func (w writer) newLine(dst []byte, depth int) []byte {
	dst = append(dst, '\n')
	return append(dst, strings.Repeat(" ", w.indent*depth)...)
}

func (w writer) text(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			if unit, ok := surrogate(s[i:]); ok {
				dst, i = fmt.Appendf(dst, `\u%04x`, unit), i+3
				continue
			}
		}
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' && escapes[r] != 0:
			dst = append(dst, '\\', escapes[r])
		case r >= ' ' && r < 0x7F, r == 0x7F && !w.ascii:
			dst = append(dst, byte(r))
		case r >= 0x10000 && w.ascii:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		case r < ' ', w.ascii, r == '\u2028', r == '\u2029', r == utf8.RuneError && n == 1:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return append(dst, '"')
}

// escapes are the short escapes of control characters.
var escapes = [' ']byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// surrogate reads half of a surrogate pair in its three-byte form.
func surrogate(s string) (rune, bool) {
	if len(s) < 3 || s[0] != 0xED || s[1] < 0xA0 || s[1] > 0xBF || s[2]&0xC0 != 0x80 {
		return 0, false
	}
	return rune(s[0]&0x0F)<<12 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), true
}
