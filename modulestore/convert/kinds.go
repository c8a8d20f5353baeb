package convert

import (
	"bytes"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// page makes a detached block: its data is a file, each other field one too (olx.md §1.14).
func (c *converter) page(b *modulestore.Block, out *courseware.Block, o *own) *courseware.Block {
	if v, ok := o.take("data"); ok {
		if text, isText := v.Text(); isText {
			out.Data = courseware.Bytes([]byte(text))
		} else if !v.IsNull() {
			out.Data = courseware.Bytes([]byte(v))
		}
	}
	for _, f := range slices.Concat(o.content, o.settings) {
		switch {
		case wiring(f.Name): // xml_attributes too: a page has no attributes
			c.notes.wired()
		case strings.ContainsAny(f.Name, "./\\") || f.Name == "" || f.Name == "metadata":
			c.notes.drop(b.ID, f.Name, f.Value)
		default:
			set(out, f.Name, f.Value)
		}
	}
	return out
}

// legacy makes a block whose element says everything (class L). What is not a setting becomes its body.
func (c *converter) legacy(b *modulestore.Block, out *courseware.Block, spec *fields.Block, o *own) *courseware.Block {
	out.Container = spec.Container()
	data, has := o.take("data")
	text, isText := data.Text()
	switch {
	case spec.Body == fields.HTML:
		if has && !isText && !data.IsNull() {
			text = string(data)
		}
		out.Data = courseware.Bytes([]byte(text))
		return out
	case spec.Body == fields.Children:
		if has { // of a type that holds blocks since
			o.content = append(o.content, courseware.Field{Name: "data", Value: data})
		}
		if out.ID.Type == "conditional" {
			c.conditional(out, o)
		}
		return out
	case spec.Tag == "poll_question":
		if _, asked := o.content.Lookup("question"); asked || !has {
			out.Data = courseware.Bytes(poll(o))
			return out
		}
	}
	if !has || data.IsNull() || isText && xmltree.Blank(text) {
		return c.aliased(b, out)
	}
	if !isText {
		text = string(data)
	}
	made, err := raw(out.ID, spec, text, c)
	if err != nil {
		c.notes.broken(b.ID, err)
		out.Data = courseware.Bytes([]byte(xmltree.EscapeText(fields.Clean(text))))
		return out
	}
	return c.aliased(b, made)
}

// aliased gives a block of a type that is another name of customtag the name of its template (olx.md §6.4).
func (c *converter) aliased(b *modulestore.Block, out *courseware.Block) *courseware.Block {
	if impl, ok := fields.Alias(b.ID.Type); ok {
		attribute(out, "impl", impl)
	}
	return out
}

// raw makes a block of the element that its field data is.
func raw(id courseware.BlockID, spec *fields.Block, text string, c *converter) (*courseware.Block, error) {
	doc, err := xmltree.Parse(id.String(), []byte(fields.Clean(text)), xmltree.Limits{})
	if err != nil {
		return nil, err
	}
	e := doc.Root.Start()
	e.Inner = doc.Root.Inner()
	if e.Name != id.Type {
		c.notes.retagged()
		e.Name = id.Type
	}
	if spec.Class == fields.Legacy || spec.Class == fields.Inline {
		// Settings are not taken from here; what looks like one says nothing.
		kept := e.Attrs[:0]
		for _, a := range e.Attrs {
			if f, known := spec.Field(a.Name); (!known || f.Element || spec.Body == fields.Video) && !wiring(a.Name) {
				kept = append(kept, a)
			} else {
				c.notes.inert()
			}
		}
		e.Attrs = kept
	}
	b, err := olx.DecodeBlock(id, []olx.File{{Path: olx.BlockFile, Data: e.File()}}, nil)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// poll returns the body of a poll_question: the question, then the answers (olx.md §1.7).
func poll(o *own) []byte {
	var body []byte
	if v, ok := o.take("question"); ok {
		text := fields.Clean(attrText(fields.Parse(v)))
		if _, err := xmltree.Parse("question", []byte("<q>"+text+"</q>"), xmltree.Limits{}); err != nil {
			text = xmltree.EscapeText(text)
		}
		body = append(body, text...)
	}
	v, _ := o.take("answers")
	for _, answer := range fields.Parse(v).Items {
		e := xmltree.NewElem("answer")
		for i, name := range answer.Keys {
			if name != "text" && isAttr(name) {
				e.Set(name, attrText(answer.Items[i]))
			}
		}
		text, _ := answer.Lookup("text")
		e.Inner = xmltree.EscapeText(attrText(text))
		body = e.Append(body, 0)
	}
	return body
}

// The defaults of a conditional, which an element without the attributes does not mean (olx.md §6.3).
const (
	defaultCondition = "correct"
	defaultOutcome   = "True"
	defaultMessage   = "You must complete {link} before you can access this unit."
)

// conditional makes attributes of the condition, as the real exporter does.
func (c *converter) conditional(out *courseware.Block, o *own) {
	if v, ok := o.settings.Lookup("xml_attributes"); ok {
		bag := fields.Parse(v)
		for i, name := range bag.Keys {
			if !wiring(name) && isAttr(name) {
				attribute(out, name, attrText(bag.Items[i]))
			}
		}
		o.settings = o.settings.Without("xml_attributes")
	}
	text := func(name, or string) string {
		v, ok := o.take(name)
		if !ok {
			return or
		}
		if v.IsNull() {
			return ""
		}
		return attrText(fields.Parse(v))
	}
	if v, ok := o.take("sources_list"); ok {
		var list []string
		for _, item := range fields.Parse(v).Items {
			list = append(list, attrText(item))
		}
		attribute(out, "sources", strings.Join(list, ";"))
	}
	_, hasCondition := o.content.Lookup("conditional_attr")
	condition, outcome := text("conditional_attr", defaultCondition), text("conditional_value", defaultOutcome)
	if !hasCondition {
		for _, name := range [...]string{"poll_answer", "submitted", "attempted", "correct", "voted"} {
			for _, a := range out.Extra {
				if a.Name == name {
					condition = "" // the element has it from its import
				}
			}
		}
	}
	if isAttr(condition) {
		attribute(out, condition, outcome)
	}
	attribute(out, "message", text("conditional_message", defaultMessage))
}

// pure makes a block whose fields are attributes (class P). Where the program that knew the type was missing, the old site
// kept the whole element as the field data.
func (c *converter) pure(b *modulestore.Block, out *courseware.Block, spec *fields.Block, o *own) *courseware.Block {
	out.Container = spec.Container()
	v, ok := o.content.Lookup("data")
	text, isText := v.Text()
	if !ok || !isText || !strings.HasPrefix(strings.TrimSpace(text), "<") {
		if spec.Class == fields.Assessment {
			assess(out, o)
		}
		return out
	}
	made, err := raw(out.ID, spec, text, c)
	if err != nil {
		return out
	}
	o.content = o.content.Without("data")
	return made
}

// unknown keeps a block of a type that is not known here as an element.
func (c *converter) unknown(b *modulestore.Block, id courseware.BlockID, o *own) *courseware.Block {
	v, _ := o.content.Lookup("data")
	text, isText := v.Text()
	if isText && strings.HasPrefix(strings.TrimSpace(text), "<") {
		doc, err := xmltree.Parse(id.String(), []byte(fields.Clean(text)), xmltree.Limits{})
		if err == nil && (doc.Root.Name.String() == id.Type || len(o.content) == 1) {
			o.content = o.content.Without("data")
			return c.opaqueFile(b, id, doc.Root, o)
		}
	}
	return c.opaqueInline(b, id, o)
}

// opaqueFile keeps the element that the field data is, in a file of its own, where the real exporter puts it.
func (c *converter) opaqueFile(b *modulestore.Block, id courseware.BlockID, root *xmltree.Node, o *own) *courseware.Block {
	e := root.Start()
	e.Name, e.Inner = id.Type, root.Inner()
	kept := e.Attrs[:0]
	for _, a := range e.Attrs {
		if _, known := fields.Common(a.Name); !known && !wiring(a.Name) {
			kept = append(kept, a)
		}
	}
	e.Attrs = kept
	for _, f := range slices.Concat(o.settings, o.content) {
		known, isCommon := fields.Common(f.Name)
		switch {
		case f.Name == "xml_attributes":
			bag := fields.Parse(f.Value)
			for i, name := range bag.Keys {
				if !wiring(name) && isAttr(name) {
					e.Set(name, attrText(bag.Items[i]))
				}
			}
		case isCommon:
			e.Set(f.Name, fields.WriteLegacy(known.Type, f.Value))
		case wiring(f.Name):
			c.notes.wired()
		case !isAttr(f.Name):
			c.notes.drop(b.ID, f.Name, f.Value)
		default:
			c.notes.unknown(b.ID, f.Name)
			e.Set(f.Name, attrText(fields.Parse(f.Value)))
		}
	}
	return &courseware.Block{ID: id, Opaque: true, Form: courseware.FormFile, Data: courseware.Bytes(e.File())}
}

const optionSpace = "http://code.edx.org/xblock/option"

// opaqueInline writes the fields as a pure XBlock has them, which is what the real program for the type would export: texts
// as they are, all else as JSON (olx.md §1.8.2).
func (c *converter) opaqueInline(b *modulestore.Block, id courseware.BlockID, o *own) *courseware.Block {
	e := xmltree.NewElem(id.Type).Set("url_name", id.Name).Set("xblock-family", "xblock.v1")
	all := slices.Concat(o.content, o.settings)
	slices.SortFunc(all, func(x, y courseware.Field) int { return strings.Compare(x.Name, y.Name) })
	for _, f := range all {
		if !isAttr(f.Name) || wiring(f.Name) {
			if f.Name != "xml_attributes" {
				c.notes.drop(b.ID, f.Name, f.Value)
			}
			continue
		}
		pureAttr(e, f)
	}
	return &courseware.Block{ID: id, Opaque: true, Form: courseware.FormInline, Data: courseware.Bytes(e.Append(nil, 0))}
}

// pureAttr writes a field of an element in dialect P.
func pureAttr(e *xmltree.Elem, f courseware.Field) {
	p := fields.Parse(f.Value)
	if known, ok := fields.Common(f.Name); ok {
		if text, ok := fields.WritePure(known.Type, f.Value); ok {
			e.Set(f.Name, text)
			return
		}
		p = pyjson.Value{}
	}
	switch p.Kind {
	case pyjson.Null:
		e.Add(xmltree.NewElem("option:"+f.Name).Set("xmlns:option", optionSpace).Set("none", "true"))
	case pyjson.String:
		e.Set(f.Name, fields.Clean(p.Text))
	default:
		e.Set(f.Name, p.Indented(2))
	}
}

// asides adds what annexes keep with a block (olx.md §1.17).
func (c *converter) asides(b *modulestore.Block, out *courseware.Block) {
	spec := fields.Lookup(out.ID.Type)
	for _, a := range b.Asides {
		if !isAttr(a.Type) || spec != nil && spec.Class == fields.Detached {
			c.notes.drop(b.ID, "aside "+a.Type, jsonOf(a.Fields))
			continue
		}
		e := xmltree.NewElem(a.Type).Set("xblock-family", "xblock_asides.v1")
		for _, f := range c.texts.fields(b, a.Fields) {
			if isAttr(f.Name) {
				pureAttr(e, f)
			} else {
				c.notes.drop(b.ID, "aside "+a.Type+"."+f.Name, f.Value)
			}
		}
		node := e.Append(nil, 0)
		if out.Opaque {
			out.Data = courseware.Bytes(inside(out, node))
			continue
		}
		out.Nodes = append(out.Nodes, node)
	}
}

// inside returns the element of an opaque block with another node at its end.
func inside(b *courseware.Block, node []byte) []byte {
	data, _ := b.Data.Read() // in memory until it is put into the spool
	data = bytes.TrimRight(data, "\n")
	var end []byte
	if b.Form == courseware.FormFile {
		end = []byte("\n")
	}
	doc, err := xmltree.Parse(b.ID.String(), data, xmltree.Limits{})
	if err != nil {
		return append(data, end...)
	}
	e := doc.Root.Start()
	e.Inner = doc.Root.Inner() + string(node)
	return append(e.Append(nil, 0), end...)
}

// jsonOf returns fields as one JSON object.
func jsonOf(f courseware.Fields) courseware.Value {
	v := pyjson.Value{Kind: pyjson.Object}
	for _, f := range f {
		v = v.With(f.Name, fields.Parse(f.Value))
	}
	return fields.Value(v)
}
