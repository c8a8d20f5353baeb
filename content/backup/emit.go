package backup

import (
	"strconv"
	"time"
)

// emitter writes TOML as Python's writer does (backup-format.md §4): tables in order, one blank line between them, basic
// strings, times in UTC. The buffer is used again.
type emitter struct{ b []byte }

func (e *emitter) reset() { e.b = e.b[:0] }

// table begins a table; head is its heading with brackets.
func (e *emitter) table(head string) {
	if len(e.b) > 0 {
		e.b = append(e.b, '\n')
	}
	e.b = append(append(e.b, head...), '\n')
}

// comment writes a comment that stands by itself, like a table.
func (e *emitter) comment(text string) {
	e.b = append(append(append(e.b, "\n# "...), text...), '\n')
}

func (e *emitter) line(text string) { e.b = append(append(e.b, text...), '\n') }

func (e *emitter) key(name string) { e.b = append(append(e.b, name...), " = "...) }

func (e *emitter) str(name, v string) {
	e.key(name)
	e.b = append(appendString(e.b, v), '\n')
}

func (e *emitter) integer(name string, v int) {
	e.key(name)
	e.b = append(strconv.AppendInt(e.b, int64(v), 10), '\n')
}

func (e *emitter) boolean(name string, v bool) {
	e.key(name)
	e.b = append(strconv.AppendBool(e.b, v), '\n')
}

func (e *emitter) time(name string, v time.Time) {
	e.key(name)
	e.b = append(appendTime(e.b, v), '\n')
}

// inline writes an array of strings on one line.
func (e *emitter) inline(name string, list []string) {
	e.key(name)
	e.b = append(e.b, '[')
	for i, s := range list {
		if i > 0 {
			e.b = append(e.b, ", "...)
		}
		e.b = appendString(e.b, s)
	}
	e.b = append(e.b, "]\n"...)
}

// integers writes an array of integers on one line.
func (e *emitter) integers(name string, list []int) {
	e.key(name)
	e.b = append(e.b, '[')
	for i, n := range list {
		if i > 0 {
			e.b = append(e.b, ", "...)
		}
		e.b = strconv.AppendInt(e.b, int64(n), 10)
	}
	e.b = append(e.b, "]\n"...)
}

// lines writes an array of strings, each on a line of its own.
func (e *emitter) lines(name string, list []string) {
	if len(list) == 0 {
		e.inline(name, nil)
		return
	}
	e.key(name)
	e.b = append(e.b, "[\n"...)
	for _, s := range list {
		e.b = append(e.b, "    "...)
		e.b = append(appendString(e.b, s), ",\n"...)
	}
	e.b = append(e.b, "]\n"...)
}

// appendString writes a basic string: everything raw but quotes, backslashes and control characters of ASCII.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			if c < ' ' || c == 0x7f {
				b = append(b, `\u00`...)
				b = append(b, hex[c>>4], hex[c&15])
				continue
			}
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// appendTime writes an offset datetime in UTC, with six digits of a second or none.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.AppendFormat(b, "2006-01-02T15:04:05Z")
	}
	return t.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
}

// bareKey returns a key as TOML has it: bare where that is allowed, else quoted.
func bareKey(s string) string {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return string(appendString(nil, s))
		}
	}
	if s == "" {
		return `""`
	}
	return s
}
