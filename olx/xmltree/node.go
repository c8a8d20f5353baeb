package xmltree

import (
	"iter"
	"strings"
)

// Kind says what a node is.
type Kind uint8

// The kinds of node.
const (
	Element Kind = iota + 1
	Text         // character data between tags, references not yet resolved in the source
	CData        // a CDATA section; equivalent to Text on reading (olx.md §1.8.3)
	Comment
	Instruction // a processing instruction; at the start of a document also its XML declaration
)

// Name is a qualified name. The zero Name belongs to nodes without one.
type Name struct {
	Space  string // the namespace that the prefix stands for, "" for none
	Prefix string // as written, "" for none
	Local  string
}

// String returns the name as written, with its prefix.
func (n Name) String() string {
	if n.Prefix == "" {
		return n.Local
	}
	return n.Prefix + ":" + n.Local
}

// Attr is one attribute, or one namespace declaration.
type Attr struct {
	Name  Name
	Value string // decoded and normalised: a literal TAB, LF or CR is a space, &#10; a newline (olx.md §1.8.3)

	start, end int32 // from the name to the closing quote
}

// Document is a file that was read. It and its nodes are not changed after Parse, so they may be shared between
// goroutines.
type Document struct {
	File  string  // the name given to Parse
	Src   string  // the source without its byte order mark; spans are offsets into it
	Root  *Node   // the one root element
	Nodes []*Node // everything at the top: declaration, comments, instructions, blank text, the root
}

// Position returns the line and the column, in characters, of an offset into Src; both count from 1.
func (d *Document) Position(offset int) (line, column int) { return position(d.Src, offset) }

func position(src string, offset int) (line, column int) {
	offset = min(max(offset, 0), len(src))
	before := src[:offset]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + len([]rune(before[strings.LastIndexByte(before, '\n')+1:]))
}

// Node is an element or something between tags. Nodes are made by Parse only; to write something of one's own, make an
// [Elem].
type Node struct {
	Kind     Kind
	Name     Name    // of an element; of an instruction, the target as Local
	Attrs    []Attr  // in source order, without namespace declarations
	Spaces   []Attr  // namespace declarations in source order, names xmlns and xmlns:prefix
	Children []*Node // everything between the tags, in source order and without gaps

	doc                              *Document
	start, end, innerStart, innerEnd int32
	line                             int32
}

// Document returns the document that the node belongs to.
func (n *Node) Document() *Document { return n.doc }

// File returns the name of the file that the node belongs to.
func (n *Node) File() string { return n.doc.File }

// Line returns the line, from 1, on which the node starts.
func (n *Node) Line() int { return int(n.line) }

// Span returns the place of the node in Document.Src.
func (n *Node) Span() (start, end int) { return int(n.start), int(n.end) }

// InnerSpan returns the place of what is between the tags of an element, or inside the delimiters of another node.
// For an empty-element tag it is empty and lies behind the tag.
func (n *Node) InnerSpan() (start, end int) { return int(n.innerStart), int(n.innerEnd) }

// Outer returns the bytes of the whole node as they stand in the source.
func (n *Node) Outer() string { return n.doc.Src[n.start:n.end] }

// Inner returns the bytes between the tags of an element as they stand in the source; of a comment, an instruction or
// a CDATA section the bytes between its delimiters; of text the text as written.
func (n *Node) Inner() string { return n.doc.Src[n.innerStart:n.innerEnd] }

// Attr returns the value of the attribute of that name in no namespace, and whether there is one.
func (n *Node) Attr(local string) (string, bool) { return n.AttrIn("", local) }

// AttrIn returns the value of the attribute of that namespace and local name, and whether there is one.
func (n *Node) AttrIn(space, local string) (string, bool) {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name.Local == local && a.Name.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// AttrLine returns the line, from 1, on which the attribute of that name in no namespace starts; the node's own line if
// it has no such attribute.
func (n *Node) AttrLine(local string) int {
	for i := range n.Attrs {
		if a := &n.Attrs[i]; a.Name.Local == local && a.Name.Space == "" {
			return int(n.line) + strings.Count(n.doc.Src[n.start:a.start], "\n")
		}
	}
	return int(n.line)
}

// Elements iterates over the child elements in order.
func (n *Node) Elements() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for _, c := range n.Children {
			if c.Kind == Element && !yield(c) {
				return
			}
		}
	}
}

// HasElements reports whether any child is an element.
func (n *Node) HasElements() bool {
	for range n.Elements() {
		return true
	}
	return false
}

// HasComments reports whether any child is a comment or an instruction.
func (n *Node) HasComments() bool {
	for _, c := range n.Children {
		if c.Kind == Comment || c.Kind == Instruction {
			return true
		}
	}
	return false
}

// HasText reports whether any child is text, or a CDATA section, that is not blank.
func (n *Node) HasText() bool {
	for _, c := range n.Children {
		if (c.Kind == Text || c.Kind == CData) && !Blank(c.Text()) {
			return true
		}
	}
	return false
}

// Empty reports whether an element holds neither an element nor non-blank text. Comments and instructions do not count;
// ask HasComments for them.
func (n *Node) Empty() bool { return !n.HasElements() && !n.HasText() }

// Text returns decoded text: of Text and CData their characters with line ends as LF, of an element those of its direct
// Text and CData children joined, of a comment or an instruction its inner text.
func (n *Node) Text() string {
	switch n.Kind {
	case Text:
		return decode(n.Inner(), false)
	case Element:
		if len(n.Children) == 1 && n.Children[0].Kind != Element {
			if c := n.Children[0]; c.Kind == Text || c.Kind == CData {
				return c.Text()
			}
			return ""
		}
		var b strings.Builder
		for _, c := range n.Children {
			if c.Kind == Text || c.Kind == CData {
				b.WriteString(c.Text())
			}
		}
		return b.String()
	}
	return lineEnds(n.Inner())
}

// DeepText returns the decoded text of an element and of all elements below it, in document order.
func (n *Node) DeepText() string {
	var b strings.Builder
	var walk func(n *Node)
	walk = func(n *Node) {
		for _, c := range n.Children {
			switch c.Kind {
			case Element:
				walk(c)
			case Text, CData:
				b.WriteString(c.Text())
			}
		}
	}
	if n.Kind != Element {
		return n.Text()
	}
	walk(n)
	return b.String()
}

// Blank reports whether s holds nothing but XML white space: space, TAB, LF, CR.
func Blank(s string) bool { return strings.Trim(s, " \t\n\r") == "" }
