package olx

import (
	"cmp"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// childBody reads the body of a legacy container: child blocks, and the elements that a course and a conditional have
// besides (olx.md §1.7).
func (d decoder) childBody(b *courseware.Block, n *xmltree.Node, spec *fields.Block) (children []*xmltree.Node) {
	var show, books []pyjson.Value
	var asides [][]byte
	for _, c := range n.Children {
		switch {
		case c.Kind == xmltree.Text || c.Kind == xmltree.CData:
			d.strayText(n, c)
		case c.Kind != xmltree.Element, isMeta(c):
		case isAside(c):
			asides = append(asides, []byte(c.Opaque()))
		case spec.Tag == "conditional" && c.Name.String() == "show":
			sources, _ := c.Attr("sources")
			for _, key := range splitKeys(sources) {
				show = append(show, pyjson.Str(key))
			}
		case spec.Tag == "course" && c.Name.String() == "wiki":
			d.wiki(b, c)
		case spec.Tag == "course" && c.Name.String() == "textbook":
			if book, plain := textbook(c); plain {
				books = append(books, book)
			} else {
				b.Nodes = append(b.Nodes, []byte(c.Opaque()))
			}
		default:
			children = append(children, c)
		}
	}
	if show != nil {
		setField(b, "show_tag_list", fields.Value(pyjson.Value{Kind: pyjson.Array, Items: show}))
	}
	if books != nil {
		setField(b, "textbooks", fields.Value(pyjson.Value{Kind: pyjson.Array, Items: books}))
	}
	b.Nodes = append(b.Nodes, asides...)
	return children
}

func (d decoder) strayText(parent, c *xmltree.Node) {
	if !xmltree.Blank(c.Text()) {
		d.note.warn(c.File(), c.Line(), ruleText, "put the text into an html block",
			"text inside <%s>, which holds blocks only, is left out", parent.Name)
	}
}

func (d decoder) wiki(b *courseware.Block, n *xmltree.Node) {
	slug, ok := n.Attr("slug")
	if _, have := b.Fields.Lookup("wiki_slug"); !ok || have {
		d.note.warn(n.File(), n.Line(), ruleElement, "keep one wiki element with a slug", "a wiki element that says nothing is left out")
		return
	}
	setField(b, "wiki_slug", courseware.Text(slug))
}

// textbook reads an image textbook as a pair of title and address; plain is false for one that has more to it.
func textbook(n *xmltree.Node) (pair pyjson.Value, plain bool) {
	title, hasTitle := n.Attr("title")
	url, hasURL := n.Attr("book_url")
	pair = pyjson.Value{Kind: pyjson.Array, Items: []pyjson.Value{pyjson.Str(title), pyjson.Str(url)}}
	return pair, hasTitle && hasURL && len(n.Attrs) == 2 && n.Empty() && !n.HasComments()
}

// elementValue returns the value of a field that a legacy block has as child elements, cut to what these can say; ""
// where that is nothing.
func elementValue(name string, v courseware.Value) courseware.Value {
	p := fields.Parse(v)
	list := pyjson.Value{Kind: pyjson.Array}
	switch name {
	case "wiki_slug":
		if p.Kind != pyjson.String {
			return ""
		}
		return v
	case "show_tag_list":
		for _, item := range p.Items {
			for _, key := range splitKeys(item.Text) {
				list.Items = append(list.Items, pyjson.Str(fields.Clean(key)))
			}
		}
	case "textbooks":
		for _, book := range p.Items {
			pair := pyjson.Value{Kind: pyjson.Array, Items: []pyjson.Value{pyjson.Str(""), pyjson.Str("")}}
			for i := range min(len(book.Items), len(pair.Items)) {
				pair.Items[i] = pyjson.Str(attrText(book.Items[i]))
			}
			list.Items = append(list.Items, pair)
		}
	default:
		return v
	}
	if list.Items == nil {
		return ""
	}
	return fields.Value(list)
}

// rawBody keeps what is between the tags byte for byte. Asides go behind it; meta elements have been read.
func (d decoder) rawBody(b *courseware.Block, n *xmltree.Node) {
	var data strings.Builder
	last := len(n.Children)
	for last > 0 && tail(n.Children[last-1]) {
		last--
	}
	for i, c := range n.Children {
		switch {
		case isAside(c) && i >= last:
			node := c.Opaque()
			for _, blank := range n.Children[i+1:] {
				if blank.Kind == xmltree.Element {
					break
				}
				node += blank.Outer()
			}
			b.Nodes = append(b.Nodes, []byte(node))
		case isAside(c):
			b.Nodes = append(b.Nodes, []byte(c.Opaque()))
		case isMeta(c):
		case i > last && tail(c): // blank text between and behind the asides, kept with them
		default:
			data.WriteString(c.Outer())
		}
	}
	if data.Len() > 0 {
		b.Data = courseware.Bytes([]byte(data.String()))
	}
}

// tail reports whether a node may stand among the asides at the end of a body.
func tail(n *xmltree.Node) bool {
	return isAside(n) || n.Kind == xmltree.Text && xmltree.Blank(n.Inner())
}

// pureBody reads the body of a pure XBlock: fields that are elements, then child blocks or raw content.
func (d decoder) pureBody(b *courseware.Block, n *xmltree.Node, spec *fields.Block) (children []*xmltree.Node) {
	var data strings.Builder
	var asides [][]byte
	for _, c := range n.Children {
		switch {
		case isAside(c):
			asides = append(asides, []byte(c.Opaque()))
		case c.Kind == xmltree.Element && c.Name.Space == optionSpace:
			d.option(b, c, spec)
		case !spec.Container():
			data.WriteString(c.Outer())
		case c.Kind == xmltree.Element:
			children = append(children, c)
		case c.Kind == xmltree.Text || c.Kind == xmltree.CData:
			d.strayText(n, c)
		}
	}
	if s := data.String(); !xmltree.Blank(s) {
		b.Data = courseware.Bytes([]byte(s))
	}
	b.Nodes = append(b.Nodes, asides...)
	// Fields that are elements are written, and so are read, behind those that are attributes.
	slices.SortStableFunc(b.Fields, func(x, y courseware.Field) int {
		return cmp.Compare(elementRank(x, spec), elementRank(y, spec))
	})
	return children
}

// elementRank is 1 for a field that a pure XBlock has as a child element, 0 for an attribute.
func elementRank(bf courseware.Field, spec *fields.Block) int {
	f, _ := spec.Field(bf.Name)
	if _, ok := fields.WritePure(f.Type, bf.Value); spec.Class == fields.Pure && (f.Element || !ok) {
		return 1
	}
	return 0
}

// option reads a field of a pure XBlock that is a child element (olx.md §1.8.2). One that is neither null nor of the kind
// that is always an element is kept as it is.
func (d decoder) option(b *courseware.Block, n *xmltree.Node, spec *fields.Block) {
	name := n.Name.Local
	f, known := spec.Field(name)
	none, _ := n.Attr("none")
	switch {
	case spec.Class == fields.Assessment: // has no such fields
		b.Nodes = append(b.Nodes, []byte(n.Opaque()))
	case none == "true" && (known || len(b.Fields) < maxUnknown):
		setField(b, name, courseware.Null)
	case known && !n.HasElements():
		v, _ := fields.ReadPure(f.Type, n.Text())
		setField(b, name, v)
	default:
		b.Nodes = append(b.Nodes, []byte(n.Opaque()))
	}
}

// splitKeys splits a list of keys as conditionals write it (olx.md §2.4).
func splitKeys(s string) []string {
	var keys []string
	for key := range strings.SplitSeq(s, ";") {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
