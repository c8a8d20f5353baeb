package xmltree

import (
	"strings"
	"unicode/utf8"
)

// AppendAttr appends a space and an attribute as archives have it (olx.md §1.8.3): in double quotes, with &amp; &lt; &gt;
// &quot; and, for LF, TAB and CR, &#10; &#9; &#13;. Apostrophes and everything beyond ASCII stay as they are. Characters
// that XML cannot hold are left out; see [IsLegal].
func AppendAttr(dst []byte, name, value string) []byte {
	dst = append(dst, ' ')
	dst = append(dst, name...)
	dst = append(dst, '=', '"')
	dst = escape(dst, value, true)
	return append(dst, '"')
}

// AppendText appends text as archives have it (olx.md §1.8.3): with &amp; &lt; &gt; and &#13;. Characters that XML cannot
// hold are left out.
func AppendText(dst []byte, text string) []byte { return escape(dst, text, false) }

// EscapeText returns text escaped as by AppendText.
func EscapeText(text string) string { return string(AppendText(nil, text)) }

func escape(dst []byte, s string, value bool) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if legal(r) && (r != utf8.RuneError || n > 1) {
				dst = append(dst, s[i:i+n]...)
			}
			i += n
			continue
		}
		i++
		switch {
		case c == '&':
			dst = append(dst, "&amp;"...)
		case c == '<':
			dst = append(dst, "&lt;"...)
		case c == '>':
			dst = append(dst, "&gt;"...)
		case c == '\r':
			dst = append(dst, "&#13;"...)
		case c == '"' && value:
			dst = append(dst, "&quot;"...)
		case c == '\n' && value:
			dst = append(dst, "&#10;"...)
		case c == '\t' && value:
			dst = append(dst, "&#9;"...)
		case c >= ' ' || c == '\n' || c == '\t':
			dst = append(dst, c)
		}
	}
	return dst
}

// Elem is an element to be written. Its body is one of Children and Inner.
type Elem struct {
	Name     string     // as written, with its prefix
	Attrs    []ElemAttr // in order, namespace declarations included
	Children []*Elem    // each on a line of its own
	Inner    string     // body written byte for byte; not used when there are children

	// Verbatim, if set, is a whole node written byte for byte instead of all else: an element that nobody touched.
	Verbatim string
}

// ElemAttr is an attribute to be written.
type ElemAttr struct {
	Name  string // as written, with its prefix
	Value string // not escaped
}

// NewElem returns an element without attributes and body.
func NewElem(name string) *Elem { return &Elem{Name: name} }

// Set adds an attribute, or gives the one of that name another value, and returns e.
func (e *Elem) Set(name, value string) *Elem {
	for i := range e.Attrs {
		if e.Attrs[i].Name == name {
			e.Attrs[i].Value = value
			return e
		}
	}
	e.Attrs = append(e.Attrs, ElemAttr{name, value})
	return e
}

// Add appends a child and returns e.
func (e *Elem) Add(child *Elem) *Elem {
	e.Children = append(e.Children, child)
	return e
}

// Append appends the element in the canonical form of structural files (olx.md §3.3): two spaces of indent a level, one
// child a line, empty elements as <x/>, no line end behind it. depth is the level that the element itself stands on; its
// own indent is not written.
func (e *Elem) Append(dst []byte, depth int) []byte {
	if e.Verbatim != "" {
		return append(dst, e.Verbatim...)
	}
	dst = append(dst, '<')
	dst = append(dst, e.Name...)
	for _, a := range e.Attrs {
		dst = AppendAttr(dst, a.Name, a.Value)
	}
	switch {
	case len(e.Children) > 0:
		dst = append(dst, '>')
		for _, c := range e.Children {
			dst = newLine(dst, depth+1)
			dst = c.Append(dst, depth+1)
		}
		dst = newLine(dst, depth)
	case e.Inner != "":
		dst = append(dst, '>')
		dst = append(dst, e.Inner...)
	default:
		return append(dst, "/>"...)
	}
	dst = append(dst, "</"...)
	dst = append(dst, e.Name...)
	return append(dst, '>')
}

func newLine(dst []byte, depth int) []byte {
	dst = append(dst, '\n')
	return append(dst, strings.Repeat("  ", depth)...)
}

// File returns the element as the content of a structural file: the canonical form and a final LF.
func (e *Elem) File() []byte { return append(e.Append(nil, 0), '\n') }
