package olx

import (
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// ParseBlock reads one block from self-contained OLX (olx.md §1.19), as PrintBlock writes it and as clipboards and REST
// clients send it: settings as attributes, the body inside. The file name is for messages. The name in the block's id is
// empty where the element has no url_name. Child blocks are refused, because a block is edited without them; an element
// of an unknown type becomes an opaque block. Errors are of kind fault.Invalid.
func ParseBlock(src []byte, file string) (*courseware.Block, error) {
	doc, err := xmltree.Parse(file, src, xmltree.Limits{})
	if err != nil {
		return nil, err
	}
	n := doc.Root
	id := courseware.BlockID{Type: n.Name.String()}
	id.Name, _ = n.Attr("url_name")
	if id.Name != "" && !validName(id.Name) {
		return nil, invalid(file, n.AttrLine("url_name"), "the url_name %q cannot be the id of a block", id.Name).
			WithNext("use letters, digits and _ - ~ . : only")
	}
	if impl, ok := fields.Alias(id.Type); ok {
		n, id.Type = aliased(n, impl), "customtag"
	}
	spec := fields.Lookup(id.Type)
	if spec == nil {
		if !validName(id.Type) || strings.Contains(id.Type, ":") {
			return nil, invalid(file, n.Line(), "the element %s cannot be the type of a block", id.Type)
		}
		return &courseware.Block{ID: id, Opaque: true, Form: courseware.FormInline, Data: courseware.Bytes([]byte(n.Opaque()))}, nil
	}
	if name, ok := n.Attr("filename"); ok && spec.Class == fields.Legacy {
		return nil, invalid(file, n.AttrLine("filename"), "a block by itself has its content inside, not in the file %q", name).
			WithNext("remove the filename attribute and put the content between the tags")
	}
	if p := check(n, spec); p != nil {
		return nil, invalid(file, p.line, "%s", p.text).WithNext(p.remedy)
	}
	var b *courseware.Block
	var children []*xmltree.Node
	if d := (decoder{note: ignore, whole: true}); spec.Class == fields.Detached {
		b, children = d.detached(n, spec), nil
	} else {
		b, children = d.element(n, spec)
	}
	if len(children) > 0 {
		return nil, invalid(file, children[0].Line(), "<%s> is a child block", children[0].Name).
			WithNext("edit the block without its children; create, move or delete those by themselves")
	}
	b.ID = id
	return b, nil
}

func invalid(file string, line int, format string, args ...any) *fault.Error {
	return fault.Errorf(fault.Invalid, place(file, line), format, args...)
}

// PrintBlock returns one block as self-contained OLX, without its child blocks: a canonical element with a final LF, an
// html body in CDATA. An opaque block is its element as it stands. ParseBlock reads it back.
// It fails only where a body that is not in memory cannot be read.
func PrintBlock(b *courseware.Block) ([]byte, error) {
	data, err := b.Data.Read()
	if err != nil {
		return nil, err
	}
	spec := fields.Lookup(b.ID.Type)
	if b.Opaque || spec == nil {
		return withLineEnd(nonNil(data)), nil
	}
	var e *xmltree.Elem
	switch {
	case spec.Class == fields.Detached:
		e = xmltree.NewElem(b.ID.Type)
		for _, f := range b.Fields {
			text := fields.Parse(f.Value).Line()
			if isText(spec, f.Name) {
				text = fields.WriteLegacy(fields.String, f.Value)
			}
			e.Set(f.Name, text)
		}
		if e.Inner = fence(data); e.Inner == "" && data != nil && len(b.Fields) > 0 {
			e.Inner = "<![CDATA[]]>" // an empty file, which is not the same as none
		}
	default:
		own, err := printer{whole: true}.element(b, spec)
		if err != nil {
			return nil, err
		}
		e = own.join(nil)
		if spec.Body == fields.HTML {
			inner := []byte(fence(data))
			for _, aside := range e.Children {
				inner = aside.Append(inner, 0)
			}
			e.Inner, e.Children = string(inner), nil
		}
	}
	if b.ID.Name != "" {
		e.Attrs = slices.Insert(e.Attrs, 0, xmltree.ElemAttr{Name: "url_name", Value: b.ID.Name})
	}
	return e.File(), nil
}

func withLineEnd(data []byte) []byte {
	if len(data) == 0 || data[len(data)-1] == '\n' {
		return data
	}
	return append(data, '\n')
}

// isText reports whether a type has a field of that name that holds text.
func isText(spec *fields.Block, name string) bool {
	f, ok := spec.Field(name)
	return ok && f.Type == fields.String
}

// detached reads a detached block from an element, a form that only PrintBlock writes: texts as they are, all other fields
// as JSON in attributes.
func (d decoder) detached(n *xmltree.Node, spec *fields.Block) *courseware.Block {
	b := &courseware.Block{}
	for _, a := range n.Attrs {
		if name := a.Name.String(); !notSetting(name) {
			if isText(spec, name) {
				v, _ := fields.ReadLegacy(fields.String, a.Value)
				setField(b, name, v)
				continue
			}
			v, _, err := pyjson.Parse(a.Value)
			if err != nil {
				v = pyjson.Str(a.Value)
			}
			setField(b, name, fields.Value(v.Sorted()))
		}
	}
	sortFields(b, spec)
	d.htmlBody(b, n)
	if len(n.Children) == 0 && len(b.Fields) > 0 {
		b.Data = courseware.Body{} // the fields are all there is
	}
	return b
}
