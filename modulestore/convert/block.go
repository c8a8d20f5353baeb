package convert

import (
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// own is what a block says itself: fields of both scopes with their links and references as they are now.
type own struct {
	content, settings courseware.Fields
}

// take takes a content field out.
func (o *own) take(name string) (v courseware.Value, ok bool) {
	if v, ok = o.content.Lookup(name); ok {
		o.content = o.content.Without(name)
	}
	return v, ok
}

// convert makes a block without its children.
func (c *converter) convert(b *modulestore.Block, copied courseware.Fields) (*made, error) {
	id := c.ids.of[b.ID].id
	m := &made{copied: copied}
	c.ids.asked, c.texts.linked = nil, false
	o := own{c.texts.fields(b, b.Content), slices.Concat(c.texts.fields(b, b.Settings), c.texts.fields(b, copied))}
	for _, f := range copied {
		c.notes.set(b.ID, f.Name, setCopied)
	}
	c.scopes(b, &o)
	spec := fields.Lookup(id.Type)
	out := &courseware.Block{ID: id}
	switch {
	case spec == nil:
		out = c.unknown(b, id, &o)
	case spec.Class == fields.Detached:
		out = c.page(b, out, &o)
	case spec.Class == fields.Pure || spec.Class == fields.Assessment:
		out = c.pure(b, out, spec, &o)
	default:
		out = c.legacy(b, out, spec, &o)
	}
	if id.Type == "course" && id == c.ids.of[c.src.Draft.Root].id {
		m.grading = c.root(b, out, &o)
	}
	if !out.Opaque && spec != nil && spec.Class != fields.Detached {
		c.fields(b, out, spec, &o)
		c.finishBlock(b, out)
	}
	c.asides(b, out)
	out = c.settle(b, out)
	data, err := out.Data.Read()
	if err == nil && data != nil {
		out.Data, err = c.spool.Keep(data)
	}
	m.block, m.asked, m.linked = out, c.ids.asked, c.texts.linked
	return m, err
}

// scopes lets of a field that stands in both scopes the one of its declared scope count (OM-12).
func (c *converter) scopes(b *modulestore.Block, o *own) {
	spec := fields.Lookup(b.ID.Type)
	for _, f := range o.content {
		other, both := o.settings.Lookup(f.Name)
		if !both {
			continue
		}
		isContent := f.Name == "data"
		if spec != nil {
			declared, known := spec.Field(f.Name)
			isContent = known && declared.Content || !known
		}
		if isContent {
			o.settings = o.settings.Without(f.Name)
			f.Value = other
		} else {
			o.content = o.content.Without(f.Name)
		}
		c.notes.twoScopes(b.ID, f)
	}
}

// fields sets what is left of a block's fields.
func (c *converter) fields(b *modulestore.Block, out *courseware.Block, spec *fields.Block, o *own) {
	for _, f := range slices.Concat(o.content, o.settings) {
		known, ok := spec.Field(f.Name)
		switch {
		case f.Name == "xml_attributes" && spec.Class != fields.Pure && spec.Class != fields.Assessment:
			c.leftovers(b, out, spec, f.Value)
		case ok:
			if !fields.Readable(known.Type, f.Value) {
				c.notes.unreadable(b.ID, f)
			}
			v := fields.Normal(known.Type, f.Value)
			if spec.Class == fields.Assessment && f.Name != "group_access" {
				v = courseware.Text(assessed(f.Value))
			}
			set(out, f.Name, v)
		case wiring(f.Name):
			c.notes.wired()
		default:
			c.extra(b, out, spec, f)
		}
	}
}

// set sets a field of a block that is being made.
func set(b *courseware.Block, name string, v courseware.Value) {
	for i := range b.Fields {
		if b.Fields[i].Name == name {
			b.Fields[i].Value = v
			return
		}
	}
	b.Fields = append(b.Fields, courseware.Field{Name: name, Value: v})
}

// attribute sets an attribute that no field claims.
func attribute(b *courseware.Block, name, value string) {
	for i := range b.Extra {
		if b.Extra[i].Name == name {
			b.Extra[i].Value = value
			return
		}
	}
	b.Extra = append(b.Extra, courseware.Attr{Name: name, Value: value})
}

// wiring reports whether a setting says only how an importer found the block (OM-15, olx.md §1.9).
func wiring(name string) bool {
	switch name {
	case "slug", "parent_url", "parent_sequential_url", "index_in_children_list", "xblock-family":
		return true
	}
	return fields.Stripped(name)
}

// leftovers sets what an importer left of attributes that it did not know (OM-15). One that is a field now is one, as it
// would be after an import.
func (c *converter) leftovers(b *modulestore.Block, out *courseware.Block, spec *fields.Block, v courseware.Value) {
	bag := fields.Parse(v)
	for i, name := range bag.Keys {
		text := attrText(bag.Items[i])
		f, known := spec.Field(name)
		_, own := b.Settings.Lookup(name)
		switch {
		case wiring(name):
		case known && !f.Element:
			if !own {
				v, _ := fields.ReadLegacy(f.Type, text)
				set(out, name, v)
			}
		case !isAttr(name):
			c.notes.drop(b.ID, name, fields.Value(bag.Items[i]))
		default:
			attribute(out, name, text)
		}
	}
}

// extra keeps a field that no block type knows (OM-12).
func (c *converter) extra(b *modulestore.Block, out *courseware.Block, spec *fields.Block, f courseware.Field) {
	if !isAttr(f.Name) {
		c.notes.drop(b.ID, f.Name, f.Value)
		return
	}
	c.notes.unknown(b.ID, f.Name)
	if spec.Class == fields.Pure || spec.Class == fields.Assessment {
		v := f.Value
		switch {
		case spec.Class == fields.Assessment:
			v = courseware.Text(assessed(v))
		case !v.IsNull():
			v = courseware.Text(attrText(fields.Parse(v)))
		}
		set(out, f.Name, v)
		return
	}
	attribute(out, f.Name, attrText(fields.Parse(f.Value)))
}

// isAttr reports whether an attribute may have the name.
func isAttr(name string) bool {
	return xmltree.IsName(name) && !slices.Contains([]byte(name), ':') && name != "xmlns"
}

// attrText is a JSON value as the text of an attribute.
func attrText(v pyjson.Value) string {
	if v.Kind == pyjson.String {
		return fields.Clean(v.Text)
	}
	return v.Line()
}

// settle returns a block in the form in which a store gives it back, so that a second conversion finds nothing to change.
// One that would not come back is kept as an opaque element instead, with its settings as attributes and its body as
// text.
func (c *converter) settle(b *modulestore.Block, out *courseware.Block) *courseware.Block {
	files, err := olx.EncodeBlock(out)
	if err == nil {
		var back *courseware.Block
		if back, err = olx.DecodeBlock(out.ID, files, out.Children); err == nil {
			back.Form = out.Form
			return back
		}
	}
	c.notes.broken(b.ID, err)
	data, _ := out.Data.Read() // in memory until it is put into the spool
	e := xmltree.NewElem(out.ID.Type)
	for _, a := range out.Extra {
		e.Set(a.Name, a.Value)
	}
	for _, f := range out.Fields {
		e.Set(f.Name, attrText(fields.Parse(f.Value)))
	}
	e.Inner = xmltree.EscapeText(string(data))
	return &courseware.Block{ID: out.ID, Opaque: true, Form: courseware.FormFile, Data: courseware.Bytes(e.File())}
}
