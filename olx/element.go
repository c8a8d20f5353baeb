package olx

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

const (
	familyAttr  = "xblock-family"
	pureFamily  = "xblock.v1"
	asideFamily = "xblock_asides.v1"
	optionSpace = "http://code.edx.org/xblock/option"
	blockSpace  = "http://code.edx.org/xblock/block"
)

// decoder makes blocks of elements. What is inside child elements that are blocks themselves is left to the caller.
type decoder struct {
	note notes
	// whole: the element stands for the whole block, so settings that archives keep elsewhere may be attributes here.
	whole bool
}

// element reads the own settings and the body of a block of a known type. The id and the children's ids are for the
// caller to set; children are the elements that they come from. The body of an html block that is in another file is left
// nil.
func (d decoder) element(n *xmltree.Node, spec *fields.Block) (b *courseware.Block, children []*xmltree.Node) {
	b = &courseware.Block{ID: courseware.BlockID{Type: spec.Tag}, Container: spec.Container()}
	switch spec.Class {
	case fields.Pure, fields.Assessment:
		d.pureAttrs(b, n, spec)
		children = d.pureBody(b, n, spec)
		d.spaces(b, n)
	default:
		d.legacyAttrs(b, n, spec)
		switch spec.Body {
		case fields.Children:
			children = d.childBody(b, n, spec)
		case fields.HTML:
			d.htmlBody(b, n)
		case fields.Video:
			d.videoBody(b, n)
		default:
			d.rawBody(b, n)
		}
		d.spaces(b, n)
		if m := meta(n); m != nil && spec.Body != fields.HTML {
			d.merge(b, spec, *m, n.File(), n.Line())
		}
		sortFields(b, spec)
	}
	return b, children
}

// sortFields puts the fields of a legacy block into the order they are written in.
func sortFields(b *courseware.Block, spec *fields.Block) {
	rank := map[string]int{}
	for i, name := range spec.Leading {
		if leads(b, spec, name) {
			rank[name] = i - len(spec.Leading)
		}
	}
	slices.SortStableFunc(b.Fields, func(x, y courseware.Field) int {
		return cmp.Or(cmp.Compare(rank[x.Name], rank[y.Name]), strings.Compare(x.Name, y.Name))
	})
}

// leads reports whether a field is written before the others. The captions of a video are so only where the reference
// takes them from the store of videos; else they stand among the other settings (olx.md §3.2). A block tells by the
// order of its fields.
func leads(b *courseware.Block, spec *fields.Block, name string) bool {
	if !slices.Contains(spec.Leading, name) {
		return false
	}
	if spec.Body != fields.Video || name == "license" {
		return true
	}
	for _, f := range b.Fields {
		if f.Name == name {
			return true
		}
		if !slices.Contains(spec.Leading, f.Name) {
			return false
		}
	}
	return false
}

// notSetting reports whether an attribute says where a block is, not what it is.
func notSetting(name string) bool {
	switch name {
	case "url_name", "slug", familyAttr, "x-is-pointer-node", "parent_url", "parent_sequential_url", "index_in_children_list":
		return true
	}
	return false
}

func (d decoder) legacyAttrs(b *courseware.Block, n *xmltree.Node, spec *fields.Block) {
	for _, a := range n.Attrs {
		name := a.Name.String()
		f, known := spec.Field(name)
		switch {
		case notSetting(name):
		case spec.Body == fields.Video && (name == "youtube" || name == "name"):
		case known && !f.Element && (!fields.Stripped(name) || d.whole && f.PolicyOnly):
			d.read(b, n, f, a.Value, fields.ReadLegacy)
		case spec.Body == fields.Video && (name == "from" || name == "to"):
			f, _ := spec.Field(map[string]string{"from": "start_time", "to": "end_time"}[name])
			d.read(b, n, f, a.Value, fields.ReadLegacy)
		case fields.Stripped(name):
		default:
			b.Extra = append(b.Extra, courseware.Attr{Name: name, Value: a.Value})
		}
	}
	if spec.Tag == "conditional" {
		for i := range b.Extra {
			if b.Extra[i].Name == "sources" {
				b.Extra[i].Value = strings.Join(splitKeys(b.Extra[i].Value), ";")
			}
		}
	}
}

func (d decoder) pureAttrs(b *courseware.Block, n *xmltree.Node, spec *fields.Block) {
	for _, a := range n.Attrs {
		name := a.Name.String()
		f, known := spec.Field(name)
		switch {
		case notSetting(name), spec.Tag == "library" && (name == "org" || name == "library"):
		case spec.Class == fields.Assessment && name == "group_access":
			d.read(b, n, f, a.Value, fields.ReadLegacy)
		case spec.Class == fields.Assessment, !known:
			b.Fields = append(b.Fields, courseware.Field{Name: name, Value: courseware.Text(a.Value)})
		default:
			d.read(b, n, f, a.Value, fields.ReadPure)
		}
	}
}

// read sets a field from the text of its attribute.
func (d decoder) read(
	b *courseware.Block, n *xmltree.Node, f fields.Field, text string,
	codec func(fields.Type, string) (courseware.Value, []string),
) {
	v, twice := codec(f.Type, text)
	for _, key := range twice {
		d.note.warn(n.File(), n.AttrLine(f.Name), ruleSetting, "keep one of them",
			"attribute %s holds the key %q more than once; the last one counts", f.Name, key)
	}
	d.check(f, v, n.File(), n.AttrLine(f.Name))
	if !emptyLicense(f, v) {
		setField(b, f.Name, v)
	}
}

// setField sets a field of a block that is being made: unlike With it changes the list in place.
func setField(b *courseware.Block, name string, v courseware.Value) {
	for i := range b.Fields {
		if b.Fields[i].Name == name {
			b.Fields[i].Value = v
			return
		}
	}
	b.Fields = append(b.Fields, courseware.Field{Name: name, Value: v})
}

// emptyLicense reports whether a license says nothing; then it is not written, and so not kept (olx.md §1.16).
func emptyLicense(f fields.Field, v courseware.Value) bool {
	return f.Name == "license" && f.Content && (v.IsNull() || v == `""`)
}

// check warns of a value that its type cannot use.
func (d decoder) check(f fields.Field, v courseware.Value, file string, line int) {
	if fields.Readable(f.Type, v) {
		return
	}
	remedy := "write it as the type of the setting asks"
	switch f.Type {
	case fields.Date:
		remedy = "write it like 2030-01-31T12:00:00Z"
	case fields.Timedelta:
		remedy = "write it like 2 days 3600 seconds"
	case fields.RelativeTime:
		remedy = "write it like 00:01:30"
	}
	d.note.warn(file, line, ruleSetting, remedy, "the value of %s cannot be read and counts as not given; it is kept as it is", f.Name)
}

// merge sets fields from JSON: a policy entry or a meta element. What is no field becomes an extra attribute.
func (d decoder) merge(b *courseware.Block, spec *fields.Block, settings pyjson.Value, file string, line int) {
	for i, name := range settings.Keys {
		item := settings.Items[i]
		f, known := spec.Field(name)
		switch {
		case name == "xml_attributes" && item.Kind == pyjson.Object:
			for j, extra := range item.Keys {
				if !fields.Stripped(extra) && !notSetting(extra) {
					d.unknown(b, spec, file, line, extra, attrText(item.Items[j]))
				}
			}
		case known:
			v := fields.Normal(f.Type, fields.Value(item))
			if f.PolicyOnly {
				v = fields.Value(fields.Parse(v).Sorted())
			}
			if f.Element {
				v = elementValue(name, v)
			}
			if v == "" || emptyLicense(f, v) {
				continue
			}
			d.check(f, v, file, line)
			if old, ok := b.Fields.Lookup(name); ok && pyjson.Equal(fields.Parse(old), fields.Parse(v)) {
				continue // the same but for the order of keys: the attribute's own spelling stays
			}
			setField(b, name, v)
		case fields.Stripped(name), notSetting(name):
		default:
			d.unknown(b, spec, file, line, name, attrText(item))
		}
	}
}

// attrText is a JSON value as the text of an attribute.
func attrText(v pyjson.Value) string {
	if v.Kind == pyjson.String {
		return fields.Clean(v.Text)
	}
	return v.Line()
}

// maxUnknown is how many settings that are no fields JSON may give a block, so that its element can be read again.
const maxUnknown = 1000

// unknown sets what is no field of the type: a field as text for a pure XBlock, else an extra attribute.
func (d decoder) unknown(b *courseware.Block, spec *fields.Block, file string, line int, name, value string) {
	if !xmltree.IsName(name) || strings.Contains(name, ":") {
		return // no attribute of an element by itself could hold it
	}
	for i := range b.Extra {
		if b.Extra[i].Name == name {
			b.Extra[i].Value = value
			return
		}
	}
	switch {
	case len(b.Extra)+len(b.Fields) >= maxUnknown:
		d.note.warn(file, line, ruleSetting, "remove what is no setting", "%s has too many settings; %q is left out", b.ID.Type, name)
	case spec.Class == fields.Pure:
		setField(b, name, courseware.Text(value))
	default:
		b.Extra = append(b.Extra, courseware.Attr{Name: name, Value: value})
	}
}

// spaces keeps the namespace declarations that what is kept of the element relies on.
func (d decoder) spaces(b *courseware.Block, n *xmltree.Node) {
	var kept []courseware.Attr
	for _, a := range n.Start().Attrs {
		prefix, isSpace := strings.CutPrefix(a.Name, "xmlns")
		if !isSpace || prefix != "" && prefix[0] != ':' {
			break // declarations come first
		}
		if prefix != "" && !uses(b, prefix[1:]+":") || prefix == "" && (a.Value == optionSpace || a.Value == blockSpace) {
			continue
		}
		kept = append(kept, courseware.Attr{Name: a.Name, Value: a.Value})
	}
	b.Extra = append(kept, b.Extra...)
}

// uses reports whether something that is kept of an element may rely on a namespace prefix.
func uses(b *courseware.Block, prefix string) bool {
	for _, a := range b.Extra {
		if strings.HasPrefix(a.Name, prefix) {
			return true
		}
	}
	for _, f := range b.Fields {
		if strings.HasPrefix(f.Name, prefix) {
			return true
		}
	}
	if b.ID.Type == "html" {
		return false // its body is not inside the element
	}
	data, _ := b.Data.Read() // in memory: it was decoded just now
	return bytes.Contains(data, []byte(prefix))
}

// isAside reports whether an element is an annex of its parent (olx.md §1.17).
func isAside(n *xmltree.Node) bool {
	family, _ := n.Attr(familyAttr)
	return n.Kind == xmltree.Element && family == asideFamily
}

// meta returns the settings of an obsolete meta child (olx.md §1.9), nil without one.
func meta(n *xmltree.Node) *pyjson.Value {
	for c := range n.Elements() {
		if isMeta(c) {
			v, _, _ := pyjson.Parse(c.Text()) // isMeta has read it
			return &v
		}
	}
	return nil
}

func isMeta(n *xmltree.Node) bool {
	if n.Kind != xmltree.Element || n.Name.String() != "meta" || len(n.Attrs) > 0 || n.HasElements() {
		return false
	}
	v, _, err := pyjson.Parse(n.Text())
	return err == nil && v.Kind == pyjson.Object
}
