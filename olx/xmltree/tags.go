package xmltree

import (
	"strings"
	"unicode/utf8"
)

// qname reads a name with an optional prefix; the namespace is resolved when the whole tag is known.
func (p *parser) qname(what string) (Name, error) {
	start := p.pos
	n := ncName(p.src[p.pos:])
	first := p.src[p.pos : p.pos+n]
	p.pos += n
	if n == 0 {
		return Name{}, p.unexpected(what)
	}
	if !strings.HasPrefix(p.src[p.pos:], ":") {
		return Name{Local: first}, nil
	}
	p.pos++
	n = ncName(p.src[p.pos:])
	local := p.src[p.pos : p.pos+n]
	p.pos += n
	if n == 0 || strings.HasPrefix(p.src[p.pos:], ":") {
		return Name{}, p.invalid(start, "a name with a misplaced colon")
	}
	return Name{Prefix: first, Local: local}, nil
}

func (p *parser) unexpected(wanted string) error {
	if p.pos >= len(p.src) {
		return p.invalid(p.pos, "the file ends inside a tag")
	}
	r, _ := utf8.DecodeRuneInString(p.src[p.pos:])
	return p.invalid(p.pos, "%q where %s is expected", r, wanted)
}

// skipSpace skips white space and reports whether there was any.
func (p *parser) skipSpace() bool {
	start := p.pos
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
	}
	return p.pos > start
}

func (p *parser) startTag() error {
	start := p.pos
	switch {
	case len(p.open) == 0 && p.doc.Root != nil:
		return p.invalid(start, "a second root element")
	case len(p.open) >= p.limits.Depth:
		return p.invalid(start, "elements nested more than %d deep", p.limits.Depth)
	}
	n, err := p.add(Element)
	if err != nil {
		return err
	}
	if len(p.open) == 0 {
		p.doc.Root = n
	}
	p.pos++
	if n.Name, err = p.qname("the name of an element"); err != nil {
		return err
	}
	mark := p.spaces.mark()
	empty, err := p.attributes(n)
	if err != nil {
		return err
	}
	if err := p.resolve(n); err != nil {
		return err
	}
	n.innerStart, n.innerEnd, n.end = int32(p.pos), int32(p.pos), int32(p.pos)
	if empty {
		p.spaces.undo(mark)
	} else {
		p.open = append(p.open, openElement{n, mark})
	}
	return nil
}

// attributes reads up to the end of a start tag and reports whether it is an empty-element tag.
func (p *parser) attributes(n *Node) (empty bool, err error) {
	for {
		space := p.skipSpace()
		rest := p.src[p.pos:]
		switch {
		case strings.HasPrefix(rest, ">"):
			p.pos++
			return false, nil
		case strings.HasPrefix(rest, "/>"):
			p.pos += 2
			return true, nil
		case !space:
			return false, p.unexpected("white space, > or />")
		case len(n.Attrs)+len(n.Spaces) >= p.limits.Attrs:
			return false, p.invalid(p.pos, "more than %d attributes", p.limits.Attrs)
		}
		a, err := p.attribute()
		if err != nil {
			return false, err
		}
		if a.Name.Prefix == "xmlns" || a.Name.Prefix == "" && a.Name.Local == "xmlns" {
			n.Spaces = append(n.Spaces, a)
		} else {
			n.Attrs = append(n.Attrs, a)
		}
	}
}

func (p *parser) attribute() (Attr, error) {
	a := Attr{start: int32(p.pos)}
	var err error
	if a.Name, err = p.qname("the name of an attribute"); err != nil {
		return a, err
	}
	p.skipSpace()
	if !strings.HasPrefix(p.src[p.pos:], "=") {
		return a, p.unexpected("= after an attribute's name")
	}
	p.pos++
	p.skipSpace()
	if p.pos >= len(p.src) || p.src[p.pos] != '"' && p.src[p.pos] != '\'' {
		return a, p.unexpected("a quoted value")
	}
	start := p.pos + 1
	i := strings.IndexByte(p.src[start:], p.src[p.pos])
	if i < 0 {
		return a, p.invalid(p.pos, "the value of attribute %s does not end", a.Name)
	}
	end := start + i
	if j := strings.IndexByte(p.src[start:end], '<'); j >= 0 {
		return a, p.invalid(start+j, "< in the value of attribute %s; write &lt;", a.Name)
	}
	if err := p.references(start, end); err != nil {
		return a, err
	}
	a.Value = decode(p.src[start:end], true)
	if len(a.Value) > p.limits.Value {
		return a, p.invalid(int(a.start), "the value of attribute %s is longer than %d bytes", a.Name, p.limits.Value)
	}
	p.pos = end + 1
	a.end = int32(p.pos)
	return a, nil
}

func (p *parser) endTag() error {
	start := p.pos
	if len(p.open) == 0 {
		return p.invalid(start, "an end tag without its start tag")
	}
	p.pos += 2
	name, err := p.qname("the name of an element")
	if err != nil {
		return err
	}
	p.skipSpace()
	if !strings.HasPrefix(p.src[p.pos:], ">") {
		return p.unexpected("> of an end tag")
	}
	p.pos++
	top := p.open[len(p.open)-1]
	n := top.node
	if name.Prefix != n.Name.Prefix || name.Local != n.Name.Local {
		return p.invalid(start, "</%s> where </%s>, opened on line %d, is expected", name, n.Name, n.line)
	}
	n.innerEnd, n.end = int32(start), int32(p.pos)
	p.spaces.undo(top.mark)
	p.open = p.open[:len(p.open)-1]
	return nil
}
