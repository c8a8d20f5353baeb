package convert

import (
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/links"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// texts brings references and links to where they lead now.
type texts struct {
	c *converter
	// links rewrites the links of a text; nil where the course keeps its key, so that all links lead where they did.
	links *links.Rewriter
	names map[string]bool // of files, clean
	// linked says that a text was met, since that was last set, which may name any block.
	linked bool
}

func newTexts(c *converter) *texts {
	t := &texts{c: c, names: fileNames(c.src.Assets)}
	if c.key != c.src.Key {
		t.links = links.New(t.course())
	}
	return t
}

// fileNames returns the names of files, clean.
func fileNames(assets []*courseware.Asset) map[string]bool {
	names := make(map[string]bool, 2*len(assets))
	for _, a := range assets {
		names[cleanName(a.Path)] = true
		if a.EntryKey != "" {
			names[a.EntryKey] = true
		}
	}
	return names
}

// course says what the texts belong to.
func (t *texts) course() links.Course {
	src := t.c.src
	of := links.Course{
		Org: src.Old.Org, Course: src.Old.Course, Run: src.Run, From: src.Key, To: t.c.key, Host: src.Host,
		Blocks: make(map[courseware.BlockID]courseware.BlockID, len(t.c.ids.list)),
	}
	if !src.isOld() {
		of.Org, of.Course = src.Key.Org(), src.Key.Code()
		of.Run, _ = src.Key.Run()
	}
	for _, id := range t.c.ids.list {
		of.Blocks[id] = t.c.ids.of[id].id
	}
	if src.Assets != nil {
		of.HasAsset = t.hasAsset
	}
	return of
}

// hasAsset reports whether the course has a file of that name, which is clean.
func (t *texts) hasAsset(name string) bool { return t.names[name] }

// fields returns fields with their references and links as they are now. The fields given are not changed.
func (t *texts) fields(b *modulestore.Block, list courseware.Fields) courseware.Fields {
	if len(list) == 0 {
		return nil
	}
	out := make(courseware.Fields, 0, len(list))
	for _, f := range list {
		switch {
		case isReference(b.ID.Type, f.Name):
			f.Value = mapStrings(f.Value, func(s string) string { return t.reference(b, f.Name, s) })
		case keptText(f.Name):
		case t.links != nil:
			f.Value = mapStrings(f.Value, func(s string) string { return t.text(b, s) })
		}
		out = append(out, f)
	}
	return out
}

// mapStrings maps every text in a value. A value without a change keeps its spelling.
func mapStrings(v courseware.Value, fn func(string) string) courseware.Value {
	if !strings.ContainsRune(string(v), '"') {
		return v
	}
	p, _, err := pyjson.Parse(string(v))
	if err != nil {
		return v
	}
	if now, changed := p.Strings(fn); changed {
		return fields.Value(now)
	}
	return v
}

func (t *texts) text(b *modulestore.Block, s string) string {
	t.linked = t.linked || links.NamesBlocks(s)
	now, changes := t.links.Text(s)
	t.c.notes.links(b.ID, changes)
	for _, ch := range changes {
		if _, name, ok := strings.Cut(ch.Became, "/static/"); ok && (ch.Row == 1 || ch.Row == 2) {
			if name, _, _ = strings.Cut(name, "?"); !t.names[cleanName(name)] {
				t.c.notes.noFile(name)
			}
		}
	}
	return now
}

// isReference reports whether a field of a type holds keys of blocks (SP-15, olx.md §2.4).
func isReference(blockType, name string) bool {
	switch name {
	case "sources_list", "show_tag_list":
		return blockType == "conditional"
	case "group_id_to_child":
		return blockType == "split_test"
	case "entrance_exam_id":
		return blockType == "course"
	}
	return false
}

// keptText reports whether a field names something outside the course for good: a discussion whose threads know it by that
// id, a block that a copy came from, a provider's name for a tool (modulestore.md §5.5, olx.md §1.17).
func keptText(name string) bool {
	switch name {
	case "discussion_id", "discussion_topics", "wiki_slug", "lti_id", "lti_passports", "source_library_id", "source_library_version",
		"upstream", "top_level_downstream_parent_key", "copied_from_block":
		return true
	}
	return false
}

// reference maps the key of a block. A key of another course stays and is told of; one of a block that is nowhere is
// mapped like the others, and told of.
func (t *texts) reference(b *modulestore.Block, field, s string) string {
	text := strings.TrimSpace(s)
	if text == "" {
		return s
	}
	if parts := strings.Split(text, "/"); len(parts) == 4 && !strings.Contains(text, ":") {
		text = "i4x://" + text // an even older spelling (olx.md §2.4)
	}
	where := b.ID.String() + ", " + field + ": " + s
	u, err := keys.ParseUsage(text)
	if err != nil {
		t.c.notes.reference(refBad, where)
		return s
	}
	id := courseware.BlockID{Type: u.Type(), Name: u.ID()}
	if !t.c.same(u) {
		t.c.notes.reference(refForeign, where)
		return s
	}
	if t.c.src.isOld() && id.Type == "course" {
		id = t.c.src.Draft.Root
	}
	now, ok := t.c.ids.now(id)
	if !ok {
		t.c.notes.reference(refNowhere, where)
		now = courseware.BlockID{Type: kind(id.Type), Name: id.Name}
		if !fits(id.Name) {
			now.Name = tidy(id.Name)
		}
	}
	return t.c.ids.usage(now)
}

// same reports whether a key is of the source course.
func (c *converter) same(u keys.Usage) bool {
	if c.src.isOld() {
		if run, ok := u.Run(); ok && run != c.src.Run {
			return false
		}
		return u.Org() == c.src.Old.Org && u.Code() == c.src.Old.Course
	}
	if u.Deprecated() {
		return u.Org() == c.src.Key.Org() && u.Code() == c.src.Key.Code()
	}
	of, ok := u.Course()
	if !ok {
		return false
	}
	if plain, err := of.WithoutBranch(); err == nil {
		of = plain
	}
	return of == c.src.Key
}
