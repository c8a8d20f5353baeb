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

// printer makes elements of blocks.
type printer struct {
	// whole: the element stands for the whole block, so it also has the settings that archives keep in policy files.
	whole bool
}

// parts is a block's own element, and the children it has before and behind its child blocks.
type parts struct {
	elem        *xmltree.Elem
	first, last []*xmltree.Elem
}

// join returns the element with its child blocks in their place.
func (p parts) join(children []*xmltree.Elem) *xmltree.Elem {
	p.elem.Children = slices.Concat(p.first, children, p.last)
	return p.elem
}

// element returns a block of a known type as its element, without url_name and child blocks, attributes in their
// canonical order (olx.md §3.2). An html body is not in it.
func (p printer) element(b *courseware.Block, spec *fields.Block) (parts, error) {
	out := parts{elem: xmltree.NewElem(b.ID.Type)}
	if spec.Class == fields.Pure || spec.Class == fields.Assessment {
		out.first = p.pureAttrs(out.elem, b, spec)
	} else {
		p.legacyAttrs(out.elem, b, spec)
	}
	switch {
	case spec.Body == fields.Video:
		first, last := videoChildren(b)
		kept, asides := nodes(b)
		out.first, out.last = slices.Concat(first, kept, last), asides
	case spec.Body == fields.Raw && (spec.Class == fields.Legacy || spec.Class == fields.Inline || !b.Data.None()):
		data, err := b.Data.Read()
		if err != nil {
			return out, err
		}
		out.elem.Inner = rawInner(out.first, data, b.Nodes)
		out.first = nil
	default:
		kept, asides := nodes(b)
		out.last = slices.Concat(courseChildren(b), kept, asides)
	}
	return out, nil
}

// rawInner returns raw content with what is kept beside it, without any white space of its own: reading it again takes
// the same parts out of it.
func rawInner(first []*xmltree.Elem, data []byte, beside [][]byte) string {
	var inner []byte
	for _, e := range first {
		inner = e.Append(inner, 0)
	}
	inner = append(inner, data...)
	for _, n := range beside {
		inner = append(inner, n...)
	}
	return string(inner)
}

// nodes returns the child elements that are kept as they are, asides apart.
func nodes(b *courseware.Block) (kept, asides []*xmltree.Elem) {
	for _, n := range b.Nodes {
		e := &xmltree.Elem{Verbatim: strings.Trim(string(n), " \t\r\n")}
		start, _, _ := strings.Cut(e.Verbatim, ">") // written anew, so > and quotes inside values are escaped
		if strings.Contains(start, " "+familyAttr+`="`+asideFamily+`"`) {
			asides = append(asides, e)
		} else {
			kept = append(kept, e)
		}
	}
	return kept, asides
}

// legacyAttrs writes the attributes of class L: those of the body writer, the settings by name, and what is no field
// behind them or, for raw types, before them.
func (p printer) legacyAttrs(e *xmltree.Elem, b *courseware.Block, spec *fields.Block) {
	if spec.Body == fields.Video {
		if s := youtubeText(b); s != "" {
			e.Set("youtube", s)
		}
	}
	sorted := *b
	sorted.Fields = slices.Clone(b.Fields)
	sortFields(&sorted, spec)
	rest := sorted.Fields
	for len(rest) > 0 && leads(b, spec, rest[0].Name) {
		p.legacyAttr(e, spec, rest[0].Name, rest[0].Value)
		rest = rest[1:]
	}
	extra := func() {
		for _, a := range b.Extra {
			e.Set(a.Name, a.Value)
		}
	}
	if spec.ExtraFirst {
		extra()
	}
	for _, f := range rest {
		p.legacyAttr(e, spec, f.Name, f.Value)
	}
	if !spec.ExtraFirst {
		extra()
	}
}

func (p printer) legacyAttr(e *xmltree.Elem, spec *fields.Block, name string, v courseware.Value) {
	f, _ := spec.Field(name)
	if f.Element || f.PolicyOnly && !p.whole {
		return
	}
	if emptyLicense(f, fields.Normal(f.Type, v)) {
		return
	}
	e.Set(name, fields.WriteLegacy(f.Type, v))
}

// pureAttrs writes the attributes of class P in the order of the block's fields, and returns the fields that are child
// elements.
func (p printer) pureAttrs(e *xmltree.Elem, b *courseware.Block, spec *fields.Block) (first []*xmltree.Elem) {
	if spec.Class == fields.Pure {
		e.Set(familyAttr, pureFamily)
	}
	for _, bf := range b.Fields {
		f, _ := spec.Field(bf.Name)
		switch {
		case spec.Class == fields.Assessment && bf.Name == "group_access":
			e.Set(bf.Name, fields.WriteLegacy(f.Type, bf.Value))
		case spec.Class == fields.Assessment:
			e.Set(bf.Name, plainText(bf.Value))
		default:
			text, ok := fields.WritePure(f.Type, bf.Value)
			if elementRank(bf, spec) == 0 {
				e.Set(bf.Name, text)
				continue
			}
			option := xmltree.NewElem("option:"+bf.Name).Set("xmlns:option", optionSpace)
			if ok {
				option.Inner = xmltree.EscapeText(text)
			} else {
				option.Set("none", "true")
			}
			first = append(first, option)
		}
	}
	for _, a := range b.Extra {
		e.Set(a.Name, a.Value)
	}
	return first
}

// plainText is a value as the text of an attribute that is read as text.
func plainText(v courseware.Value) string {
	p := fields.Parse(v)
	if p.Kind == pyjson.Bool { // openassessment writes Python's words
		return map[bool]string{true: "True", false: "False"}[p.IsTrue()]
	}
	return attrText(p)
}

// courseChildren returns the fields of a course and a conditional that are child elements (olx.md §1.7).
func courseChildren(b *courseware.Block) (list []*xmltree.Elem) {
	value := func(name string) pyjson.Value {
		v, _ := b.Fields.Lookup(name)
		return fields.Parse(elementValue(name, cmp.Or(v, courseware.Null)))
	}
	switch b.ID.Type {
	case "conditional":
		var keys []string
		for _, key := range value("show_tag_list").Items {
			keys = append(keys, key.Text)
		}
		if keys != nil {
			list = append(list, xmltree.NewElem("show").Set("sources", strings.Join(keys, ";")))
		}
	case "course":
		for _, pair := range value("textbooks").Items {
			list = append(list, xmltree.NewElem("textbook").Set("title", pair.Items[0].Text).Set("book_url", pair.Items[1].Text))
		}
		if slug, ok := b.Fields.Text("wiki_slug"); ok {
			list = append(list, xmltree.NewElem("wiki").Set("slug", slug))
		}
	}
	return list
}
