package pyjson

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest (olx.md §5.3).
const MaxDepth = 64

// Error says where a text is not JSON. It quotes nothing of the text, which may hold secrets.
type Error struct {
	Line int    // from 1
	Text string // the reason, lower case, no full stop
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

// Parse reads one JSON value. Like Python's reader it also takes NaN, Infinity and -Infinity. Of an object's members
// with one key the last wins, at the place of the first; twice names such keys, once each.
func Parse(src string) (v Value, twice []string, err error) {
	if !utf8.ValidString(src) {
		return Value{}, nil, &Error{1, "not UTF-8"}
	}
	p := parser{src: strings.TrimPrefix(src, "\ufeff")}
	p.space()
	if v, err = p.value(0); err != nil {
		return Value{}, nil, err
	}
	p.space()
	if p.pos < len(p.src) {
		return Value{}, nil, p.fail("text behind the value")
	}
	return v, p.twice, nil
}

type parser struct {
	src   string
	pos   int
	twice []string
	known map[string]bool // what is in twice
}

func (p *parser) fail(text string) error {
	return &Error{1 + strings.Count(p.src[:min(p.pos, len(p.src))], "\n"), text}
}

func (p *parser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\n\r", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

// take skips s if it comes next.
func (p *parser) take(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

func (p *parser) value(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, p.fail(fmt.Sprintf("nested more than %d deep", MaxDepth))
	}
	switch {
	case p.pos >= len(p.src):
		return Value{}, p.fail("the text ends where a value is expected")
	case p.src[p.pos] == '"':
		s, err := p.text()
		return Str(s), err
	case p.take("{"):
		return p.object(depth)
	case p.take("["):
		return p.array(depth)
	case p.take("null"):
		return Value{}, nil
	case p.take("true"):
		return Boolean(true), nil
	case p.take("false"):
		return Boolean(false), nil
	}
	for _, s := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if p.take(s) {
			return Num(s), nil
		}
	}
	return p.number()
}

func (p *parser) object(depth int) (Value, error) {
	v := Value{Kind: Object}
	at := map[string]int{}
	p.space()
	if p.take("}") {
		return v, nil
	}
	for {
		p.space()
		if p.pos >= len(p.src) || p.src[p.pos] != '"' {
			return v, p.fail("a key in double quotes is expected")
		}
		key, err := p.text()
		if err != nil {
			return v, err
		}
		p.space()
		if !p.take(":") {
			return v, p.fail("a colon behind the key is expected")
		}
		p.space()
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		if i, again := at[key]; again {
			p.repeat(key)
			v.Items[i] = item
		} else {
			at[key] = len(v.Keys)
			v.Keys, v.Items = append(v.Keys, key), append(v.Items, item)
		}
		p.space()
		switch {
		case p.take("}"):
			return v, nil
		case !p.take(","):
			return v, p.fail("a comma or } is expected")
		}
	}
}

func (p *parser) repeat(key string) {
	if p.known == nil {
		p.known = map[string]bool{}
	}
	if !p.known[key] {
		p.known[key] = true
		p.twice = append(p.twice, key)
	}
}

func (p *parser) array(depth int) (Value, error) {
	v := Value{Kind: Array}
	p.space()
	if p.take("]") {
		return v, nil
	}
	for {
		p.space()
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.Items = append(v.Items, item)
		p.space()
		switch {
		case p.take("]"):
			return v, nil
		case !p.take(","):
			return v, p.fail("a comma or ] is expected")
		}
	}
}

// number reads a number by the grammar of JSON and keeps its spelling.
func (p *parser) number() (Value, error) {
	start := p.pos
	digits := func() bool {
		from := p.pos
		for p.pos < len(p.src) && '0' <= p.src[p.pos] && p.src[p.pos] <= '9' {
			p.pos++
		}
		return p.pos > from
	}
	p.take("-")
	if !p.take("0") && !digits() {
		return Value{}, p.fail("a value is expected")
	}
	if p.take(".") && !digits() {
		return Value{}, p.fail("a digit behind the decimal point is expected")
	}
	if p.take("e") || p.take("E") {
		if !p.take("-") {
			p.take("+")
		}
		if !digits() {
			return Value{}, p.fail("a digit of the exponent is expected")
		}
	}
	return Num(p.src[start:p.pos]), nil
}

// text reads a string, the opening quote being next.
func (p *parser) text() (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.src) && p.src[p.pos] != '"' && p.src[p.pos] != '\\' && p.src[p.pos] >= ' ' {
		p.pos++
	}
	if p.take(`"`) {
		return p.src[start : p.pos-1], nil
	}
	out := []byte(p.src[start:p.pos])
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == '"':
			return string(out), nil
		case c < ' ':
			p.pos--
			return "", p.fail("a control character in a string")
		case c != '\\':
			out = append(out, c)
		default:
			var err error
			if out, err = p.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", p.fail("a string does not end")
}

func (p *parser) escape(out []byte) ([]byte, error) {
	if p.pos >= len(p.src) {
		return nil, p.fail("a string does not end")
	}
	c := p.src[p.pos]
	p.pos++
	switch c {
	case '"', '\\', '/':
		return append(out, c), nil
	case 'b':
		return append(out, '\b'), nil
	case 'f':
		return append(out, '\f'), nil
	case 'n':
		return append(out, '\n'), nil
	case 'r':
		return append(out, '\r'), nil
	case 't':
		return append(out, '\t'), nil
	case 'u':
		r, ok := p.hex()
		if !ok {
			return nil, p.fail(`four hexadecimal digits behind \u are expected`)
		}
		if utf16.IsSurrogate(r) && p.take(`\u`) {
			low, ok := p.hex()
			if !ok {
				return nil, p.fail(`four hexadecimal digits behind \u are expected`)
			}
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(out, pair), nil
			}
			p.pos -= len(`\uXXXX`) // not its other half: it is read by itself
		}
		return appendUnit(out, r), nil
	}
	p.pos--
	return nil, p.fail("an unknown escape in a string")
}

func (p *parser) hex() (r rune, ok bool) {
	if p.pos+4 > len(p.src) {
		return 0, false
	}
	for _, c := range []byte(p.src[p.pos : p.pos+4]) {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	p.pos += 4
	return r, true
}

// appendUnit appends a character, or half of a surrogate pair in the three bytes that it would have.
func appendUnit(out []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(out, byte(0xE0|r>>12), byte(0x80|r>>6&0x3F), byte(0x80|r&0x3F))
	}
	return utf8.AppendRune(out, r)
}
