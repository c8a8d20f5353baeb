package olx

import (
	"bytes"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// Move returns a block with the keys of course from in its reference fields replaced by those of course to (olx.md §2.4):
// for a block that is copied into another course. Keys of other courses, upstream links and texts stay as they are. The
// block itself is not changed; where nothing changes it is returned.
func Move(b *courseware.Block, from, to keys.Course) *courseware.Block {
	if from == to {
		return b
	}
	return mover{from: from, to: to}.references(b)
}

// mover maps what names one course to another. Both may be the same, for links that should name none.
type mover struct {
	from, to keys.Course
	links    *linker // nil: texts stay
}

// block maps references, and links in texts and values.
func (m mover) block(b *courseware.Block) *courseware.Block {
	if b.Opaque {
		return b
	}
	b = m.references(b)
	if m.links == nil {
		return b
	}
	out := *b
	was, _ := b.Data.Read() // in memory: links are mapped while a block is read
	if data := m.links.text(string(was)); data != string(was) {
		out.Data = courseware.Bytes([]byte(data))
	}
	out.Fields = slices.Clone(b.Fields)
	for i, f := range out.Fields {
		if keptKey(f.Name) {
			continue
		}
		if v, changed := fields.Parse(f.Value).Strings(m.links.value); changed {
			out.Fields[i].Value = fields.Value(v)
		}
	}
	if len(out.Fields) == 0 {
		out.Fields = b.Fields
	}
	return &out
}

// keptKey reports whether a field names another block for good (olx.md §1.17).
func keptKey(name string) bool {
	switch name {
	case "upstream", "top_level_downstream_parent_key", "copied_from_block":
		return true
	}
	return false
}

// references maps the keys that a block holds as keys: those of a conditional and of a split_test.
func (m mover) references(b *courseware.Block) *courseware.Block {
	if b.Opaque || b.ID.Type != "conditional" && b.ID.Type != "split_test" && b.ID.Type != "course" {
		return b
	}
	out := *b
	if b.ID.Type == "course" {
		out.Fields = m.wiki(b.Fields)
	}
	changed := !slices.Equal(out.Fields, b.Fields)
	for i, f := range b.Fields {
		switch f.Name {
		case "show_tag_list", "group_id_to_child", "entrance_exam_id":
			if v, different := fields.Parse(f.Value).Strings(m.key); different {
				if !changed {
					out.Fields = slices.Clone(b.Fields)
				}
				out.Fields[i].Value, changed = fields.Value(v), true
			}
		}
	}
	for i, a := range b.Extra {
		if a.Name != "sources" || b.ID.Type != "conditional" {
			continue
		}
		list := splitKeys(a.Value)
		for j := range list {
			list[j] = m.key(list[j])
		}
		if s := strings.Join(list, ";"); s != a.Value {
			out.Extra, changed = slices.Clone(b.Extra), true
			out.Extra[i].Value = s
		}
	}
	if !changed {
		return b
	}
	return &out
}

// wiki gives a course whose wiki has the usual name of the source course that of the target (olx.md §2.4).
func (m mover) wiki(f courseware.Fields) courseware.Fields {
	slug, ok := f.Text("wiki_slug")
	if !ok || m.from == m.to || !m.to.IsCourse() {
		return f
	}
	usual := func(c keys.Course) string {
		run, _ := c.Run()
		return c.Org() + "." + c.Code() + "." + run
	}
	if slug != m.from.Code() && slug != usual(m.from) {
		return f
	}
	return f.With("wiki_slug", courseware.Text(usual(m.to)))
}

// key maps one usage key as text, in the spelling it has: i4x, block-v1, or the slash form org/course/type/id, which
// becomes i4x. What is no key of the source course stays.
func (m mover) key(s string) string {
	text := strings.TrimSpace(s)
	if parts := strings.Split(text, "/"); len(parts) == 4 && !strings.Contains(text, ":") {
		text = "i4x://" + text
	}
	u, err := keys.ParseUsage(text)
	if err != nil || u.Org() != m.from.Org() || u.Code() != m.from.Code() {
		return s
	}
	if run, ok := u.Run(); ok && !u.Deprecated() {
		if own, _ := m.from.Run(); run != own {
			return s
		}
	}
	if u.Deprecated() {
		id := u.ID()
		if run, ok := m.to.Run(); ok && u.Type() == "course" {
			id = run
		}
		return "i4x://" + m.to.Org() + "/" + m.to.Code() + "/" + u.Type() + "/" + id
	}
	moved, err := m.to.Usage(u.Type(), u.ID())
	if err != nil {
		return s
	}
	return moved.String()
}

// entry maps the keys in an entry of assets.json.
func (m mover) entry(entry pyjson.Value) pyjson.Value {
	if m.from == m.to {
		return entry
	}
	if f, ok := entry.Lookup("filename"); ok && f.Kind == pyjson.String {
		if a, err := keys.ParseAsset(f.Text); err == nil && !a.Deprecated() {
			if c, ok := a.Course(); ok && c == m.from {
				if moved, err := a.In(m.to); err == nil {
					entry = entry.With("filename", pyjson.Str(moved.String()))
				}
			}
		}
	}
	son, ok := entry.Lookup("content_son")
	if !ok || son.Kind != pyjson.Object {
		return entry
	}
	run, _ := m.from.Run()
	newRun, _ := m.to.Run()
	for _, part := range [...]struct{ name, from, to string }{
		{"org", m.from.Org(), m.to.Org()}, {"course", m.from.Code(), m.to.Code()}, {"run", run, newRun},
	} {
		if v, ok := son.Lookup(part.name); ok && v.Text == part.from && v.Kind == pyjson.String {
			son = son.With(part.name, pyjson.Str(part.to))
		}
	}
	return entry.With("content_son", son)
}

// pdfTextbooks replaces old asset addresses in the chapters of PDF textbooks by portable ones (olx.md §2.4).
func pdfTextbooks(b *courseware.Block) {
	v, ok := b.Fields.Lookup("pdf_textbooks")
	if !ok || !bytes.Contains([]byte(v), []byte("/c4x/")) {
		return
	}
	moved, changed := fields.Parse(v).Strings(func(s string) string {
		if rest, ok := strings.CutPrefix(s, "/c4x/"); ok {
			if _, name, ok := strings.Cut(rest, "/asset/"); ok {
				return "/static/" + name
			}
		}
		return s
	})
	if changed {
		setField(b, "pdf_textbooks", fields.Value(moved))
	}
}
