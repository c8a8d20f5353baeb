package xmltree

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Parse reads a document. file names it in errors, which are all of type [*Error]; src is not kept. Memory is a
// multiple of the size of src, with the number of nodes bounded by the limits.
func Parse(file string, src []byte, limits Limits) (*Document, error) {
	limits = limits.withDefaults()
	p := &parser{limits: limits, doc: &Document{File: file}}
	if len(src) > limits.Size {
		return nil, p.fail(0, InvalidXML, "larger than %d bytes", limits.Size)
	}
	p.doc.Src = string(bytes.TrimPrefix(src, []byte("\xEF\xBB\xBF")))
	p.src = p.doc.Src
	if err := p.checkBytes(); err != nil {
		return nil, err
	}
	if err := p.declaration(); err != nil {
		return nil, err
	}
	for p.pos < len(p.src) {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	if len(p.open) > 0 {
		top := p.open[len(p.open)-1].node
		return nil, p.fail(len(p.src), InvalidXML, "the file ends inside <%s>, opened on line %d", top.Name, top.line)
	}
	if p.doc.Root == nil {
		return nil, p.fail(len(p.src), InvalidXML, "there is no element")
	}
	return p.doc, nil
}

type parser struct {
	src    string
	pos    int
	limits Limits
	doc    *Document
	nodes  int
	open   []openElement
	spaces scope
	slab   []Node

	line, counted int // lines that end before offset counted
}

type openElement struct {
	node *Node
	mark int // of the namespace scope, to undo to
}

func (p *parser) fail(offset int, rule, format string, args ...any) error {
	line, column := position(p.doc.Src, offset)
	return &Error{File: p.doc.File, Line: line, Column: column, Rule: rule, Text: fmt.Sprintf(format, args...)}
}

func (p *parser) invalid(offset int, format string, args ...any) error {
	return p.fail(offset, InvalidXML, format, args...)
}

// checkBytes refuses everything that is not UTF-8 or not an XML character, so that the parser need not look again.
func (p *parser) checkBytes() error {
	for _, wide := range []string{"\xFE\xFF", "\xFF\xFE", "<\x00", "\x00<", "\x00\x00"} {
		if strings.HasPrefix(p.src, wide) {
			return p.fail(0, BadEncoding, "encoded as UTF-16 or UTF-32, not as UTF-8")
		}
	}
	if !utf8.ValidString(p.src) {
		at := 0
		for at < len(p.src) {
			r, n := utf8.DecodeRuneInString(p.src[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return p.fail(at, BadEncoding, "byte 0x%02X is not valid UTF-8", p.src[at])
	}
	if at := illegalAt(p.src); at >= 0 {
		r, _ := utf8.DecodeRuneInString(p.src[at:])
		return p.invalid(at, "character %U is not allowed in XML", r)
	}
	return nil
}

// next reads one node, or one end tag.
func (p *parser) next() error {
	rest := p.src[p.pos:]
	switch {
	case rest[0] != '<':
		return p.text()
	case strings.HasPrefix(rest, "</"):
		return p.endTag()
	case strings.HasPrefix(rest, "<!--"):
		return p.comment()
	case strings.HasPrefix(rest, "<![CDATA["):
		if len(p.open) == 0 {
			return p.invalid(p.pos, "a CDATA section outside the root element")
		}
		return p.delimited(CData, "<![CDATA[", "]]>")
	case strings.HasPrefix(rest, "<!DOCTYPE"):
		return p.invalid(p.pos, "a DOCTYPE is not accepted")
	case strings.HasPrefix(rest, "<?"):
		return p.instruction()
	case strings.HasPrefix(rest, "<!"):
		return p.invalid(p.pos, "unknown markup <!")
	}
	return p.startTag()
}

// add makes a node that starts at the present position and hangs it into the open element.
func (p *parser) add(kind Kind) (*Node, error) {
	if p.nodes++; p.nodes > p.limits.Nodes {
		return nil, p.invalid(p.pos, "more than %d nodes", p.limits.Nodes)
	}
	p.line += strings.Count(p.src[p.counted:p.pos], "\n")
	p.counted = p.pos
	if len(p.slab) == 0 {
		p.slab = make([]Node, min(max(p.nodes, 4), 256))
	}
	n := &p.slab[0]
	p.slab = p.slab[1:]
	*n = Node{Kind: kind, doc: p.doc, start: int32(p.pos), line: int32(p.line + 1)}
	if len(p.open) == 0 {
		p.doc.Nodes = append(p.doc.Nodes, n)
	} else {
		top := p.open[len(p.open)-1].node
		top.Children = append(top.Children, n)
	}
	return n, nil
}

func (p *parser) text() error {
	start, end := p.pos, len(p.src)
	if i := strings.IndexByte(p.src[start:], '<'); i >= 0 {
		end = start + i
	}
	s := p.src[start:end]
	if len(p.open) == 0 {
		if !Blank(s) {
			at := start + len(s) - len(strings.TrimLeft(s, " \t\r\n"))
			if p.doc.Root != nil {
				return p.invalid(at, "text after the root element")
			}
			return p.invalid(at, "text before the root element")
		}
	} else if i := strings.Index(s, "]]>"); i >= 0 {
		return p.invalid(start+i, "]]> in text")
	}
	if err := p.references(start, end); err != nil {
		return err
	}
	n, err := p.add(Text)
	if err != nil {
		return err
	}
	n.innerStart, n.innerEnd, n.end = int32(start), int32(end), int32(end)
	p.pos = end
	return nil
}

// references checks every reference in a stretch of the source.
func (p *parser) references(start, end int) error {
	for {
		i := strings.IndexByte(p.src[start:end], '&')
		if i < 0 {
			return nil
		}
		start += i
		_, n := reference(p.src[start:end])
		if n == 0 {
			shown := p.src[start:min(end, start+32)]
			if j := strings.IndexByte(shown, ';'); j > 0 {
				return p.invalid(start, "unknown entity or illegal character %s", shown[:j+1])
			}
			return p.invalid(start, "an ampersand that starts no reference; write &amp;")
		}
		start += n
	}
}

// delimited reads a node that lies between two fixed strings.
func (p *parser) delimited(kind Kind, from, to string) error {
	inner := p.pos + len(from)
	i := strings.Index(p.src[inner:], to)
	if i < 0 {
		return p.invalid(p.pos, "%s without %s", from, to)
	}
	n, err := p.add(kind)
	if err != nil {
		return err
	}
	n.innerStart, n.innerEnd = int32(inner), int32(inner+i)
	p.pos = inner + i + len(to)
	n.end = int32(p.pos)
	return nil
}

func (p *parser) comment() error {
	inner := p.pos + len("<!--")
	i := strings.Index(p.src[inner:], "--")
	if i >= 0 && !strings.HasPrefix(p.src[inner+i:], "-->") {
		return p.invalid(inner+i, "-- inside a comment")
	}
	return p.delimited(Comment, "<!--", "-->")
}

func (p *parser) instruction() error {
	start := p.pos
	rest := p.src[start+2:]
	n := ncName(rest)
	target := rest[:n]
	switch {
	case n == 0:
		return p.invalid(start, "a processing instruction without a name")
	case strings.EqualFold(target, "xml"):
		return p.invalid(start, "an XML declaration that is not at the start of the file")
	case !strings.HasPrefix(rest[n:], "?>") && (n == len(rest) || !isSpace(rest[n])):
		return p.invalid(start+2+n, "unexpected character in the name of a processing instruction")
	}
	if err := p.delimited(Instruction, "<?", "?>"); err != nil {
		return err
	}
	p.last().Name.Local = target
	return nil
}

// last returns the node that was added last.
func (p *parser) last() *Node {
	nodes := p.doc.Nodes
	if len(p.open) > 0 {
		nodes = p.open[len(p.open)-1].node.Children
	}
	return nodes[len(nodes)-1]
}
