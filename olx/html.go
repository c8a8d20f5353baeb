package olx

import (
	"bytes"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/xmltree"
)

// htmlBody reads the body of an html element that has it inside: the text before the first child as characters, from
// there on the source, so that an inline body and a body file of the same bytes give the same data (olx.md §1.6, law 28).
// An element with a filename has its body in that file; its data stays nil.
func (d decoder) htmlBody(b *courseware.Block, n *xmltree.Node) {
	_, outside := n.Attr("filename")
	var data []byte
	text := true
	for _, c := range n.Children {
		switch {
		case isAside(c):
			b.Nodes = append(b.Nodes, []byte(c.Opaque()))
		case c.Kind == xmltree.Text && !text:
			data = append(data, c.Outer()...)
		case c.Kind == xmltree.CData && !text:
			data = xmltree.AppendText(data, c.Text())
		case c.Kind == xmltree.Text || c.Kind == xmltree.CData:
			data = append(data, c.Text()...)
		default:
			text = false
			data = append(data, c.Outer()...)
		}
	}
	switch {
	case outside && !xmltree.Blank(string(data)):
		d.note.warn(n.File(), n.Line(), "PossibleHTMLPointer", "remove the filename or the body",
			"the element has both a filename and a body; the file counts")
	case outside:
	case text:
		b.Data = courseware.Bytes(unfence(n, data))
	default:
		b.Data = courseware.Bytes(nonNil(data))
	}
}

// unfence takes away the line ends that the self-contained form puts around a body in CDATA (olx.md §1.19).
func unfence(n *xmltree.Node, data []byte) []byte {
	fenced := len(n.Children) > 0 && len(data) >= 2 && data[0] == '\n' && data[len(data)-1] == '\n'
	for _, c := range n.Children {
		fenced = fenced && (c.Kind == xmltree.CData || isAside(c))
	}
	if fenced {
		data = data[1 : len(data)-1]
	}
	return nonNil(data)
}

// fence returns a body as it stands inside an element of its own: in CDATA where that holds every byte of it, else as
// escaped text.
func fence(data []byte) string {
	s := string(data)
	switch {
	case s == "":
		return ""
	case strings.Contains(s, "\r") || !xmltree.IsLegal(s):
		return xmltree.EscapeText(s)
	}
	return "<![CDATA[\n" + strings.ReplaceAll(s, "]]>", "]]]]><![CDATA[>") + "\n]]>"
}

func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return bytes.Clone(data)
}
