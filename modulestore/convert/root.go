package convert

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// root takes the grading policy out of a course's fields, and says what the old site knew of the course without a word of
// it (modulestore.md §5.5).
func (c *converter) root(b *modulestore.Block, out *courseware.Block, o *own) []byte {
	policy, ok := o.take("grading_policy")
	if !ok {
		if policy, ok = o.settings.Lookup("grading_policy"); ok {
			o.settings = o.settings.Without("grading_policy")
		}
	}
	grading := fields.Parse(policy)
	if cutoffs, ok := grading.Lookup("GRADE_CUTOFFS"); ok && len(cutoffs.Items) == 0 {
		// Nobody could pass; the old site failed over it.
		kept := pyjson.Value{Kind: pyjson.Object}
		for i, key := range grading.Keys {
			if key != "GRADE_CUTOFFS" {
				kept = kept.With(key, grading.Items[i])
			}
		}
		grading = kept
		c.notes.set(b.ID, "grading_policy.GRADE_CUTOFFS", setDefault)
	}
	c.wiki(b, o)
	c.topics(b, o)
	c.tabs(b, o)
	if policy == "" {
		return olx.GradingPolicy(nil)
	}
	return olx.GradingPolicy([]byte(fields.Value(grading)))
}

// code and run are the names that the source course has in its key.
func (s *Source) code() string {
	if s.isOld() {
		return s.Old.Course
	}
	return s.Key.Code()
}

// wiki says which wiki the course has: by default the one of its number, which another course may have too.
func (c *converter) wiki(b *modulestore.Block, o *own) {
	slug, ok := o.content.Text("wiki_slug")
	if v, set := o.settings.Lookup("wiki_slug"); set && !ok { // from before it was content
		slug, ok = v.Text()
		o.settings = o.settings.Without("wiki_slug")
	}
	if !ok {
		slug = c.src.code()
		c.notes.set(b.ID, "wiki_slug", setDefault)
	}
	if c.o.RemapWiki {
		org, run := c.src.Old.Org, c.src.Run
		if !c.src.isOld() {
			org = c.src.Key.Org()
			run, _ = c.src.Key.Run()
		}
		if slug == c.src.code() || slug == org+"."+c.src.code()+"."+run {
			now, _ := c.key.Run()
			slug = c.key.Org() + "." + c.key.Code() + "." + now
			c.notes.set(b.ID, "wiki_slug", setMoved)
		}
	}
	o.content = o.content.With("wiki_slug", courseware.Text(slug))
}

// topics says under which id the threads of the course are, which by default follows from its key (modulestore.md §5.5).
func (c *converter) topics(b *modulestore.Block, o *own) {
	v, ok := o.settings.Lookup("discussion_topics")
	if ok && len(fields.Parse(v).Keys) > 0 {
		return
	}
	id := b.ID.Name
	if u, err := keys.ParseUsage(c.ids.old(b.ID)); err == nil && c.src.isOld() {
		id = u.HTMLID()
	}
	topic := pyjson.Value{Kind: pyjson.Object}.With("id", pyjson.Str(id))
	all := pyjson.Value{Kind: pyjson.Object}.With("General", topic)
	o.settings = o.settings.With("discussion_topics", fields.Value(all))
	c.notes.set(b.ID, "discussion_topics", setDefault)
}

// tabs lets tabs name pages as they are called now. An empty list stands for the usual tabs, as no list does.
func (c *converter) tabs(b *modulestore.Block, o *own) {
	v, ok := o.settings.Lookup("tabs")
	if !ok {
		return
	}
	tabs := fields.Parse(v)
	if tabs.Kind == pyjson.Array && len(tabs.Items) == 0 || tabs.Kind == pyjson.Null {
		o.settings = o.settings.Without("tabs")
		c.notes.set(b.ID, "tabs", setDefault)
		return
	}
	items, changed := slices.Clone(tabs.Items), false
	for i, tab := range items {
		slug, ok := tab.Lookup("url_slug")
		if kind, _ := tab.Lookup("type"); !ok || kind.Text != courseware.TypeStaticTab {
			continue
		}
		id := courseware.BlockID{Type: courseware.TypeStaticTab, Name: slug.Text}
		now, has := c.ids.now(id)
		switch {
		case !has:
			c.notes.tab(slug.Text)
		case now.Name != slug.Text:
			items[i], changed = tab.With("url_slug", pyjson.Str(now.Name)), true
		}
	}
	if changed {
		tabs.Items = items
		o.settings = o.settings.With("tabs", fields.Value(tabs))
	}
}

// finishBlock says what the old site worked out when it loaded a block, and puts fields into their order.
func (c *converter) finishBlock(b *modulestore.Block, out *courseware.Block) {
	switch out.ID.Type {
	case "video":
		if track, _ := out.Fields.Text("track"); track != "" {
			if _, said := out.Fields.Lookup("download_track"); !said {
				set(out, "download_track", "true")
				c.notes.set(b.ID, "download_track", setDefault)
			}
		}
	case "discussion":
		if v, ok := out.Fields.Lookup("discussion_id"); (!ok || v.IsNull()) && (c.src.isOld() || c.src.Key != c.key) {
			set(out, "discussion_id", courseware.Text(uniqueID(c.ids.old(b.ID), "discussion_id")))
			c.notes.set(b.ID, "discussion_id", setUnique)
		}
	}
	spec := fields.Lookup(out.ID.Type)
	rank := make(map[string]int, len(spec.Fields))
	if spec.Class == fields.Legacy || spec.Class == fields.Inline {
		for i, name := range spec.Leading {
			rank[name] = i - len(spec.Leading)
		}
	} else {
		for i, f := range spec.Fields {
			rank[f.Name] = i - len(spec.Fields)
		}
	}
	slices.SortFunc(out.Fields, func(x, y courseware.Field) int {
		if d := rank[x.Name] - rank[y.Name]; d != 0 {
			return d
		}
		return strings.Compare(x.Name, y.Name)
	})
}

// uniqueID is the default of a field that has another one in every block: the SHA-1 of the block's key, the field's name and
// nobody, for a learner, with slashes between them (CV-1).
func uniqueID(key, field string) string {
	sum := sha1.Sum([]byte(spelled(key) + "/" + spelled(field) + "/NONE.NONE"))
	return hex.EncodeToString(sum[:])
}

// spelled writes letters and digits as they are, usual punctuation as pairs of ._- and all else by its number.
func spelled(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			b.WriteRune(r)
			continue
		}
		if i := strings.IndexRune(`./\,_ +:-`, r); i >= 0 {
			b.WriteByte("._-"[i/3])
			b.WriteByte("._-"[i%3])
			continue
		}
		fmt.Fprintf(&b, "_%d_", r)
	}
	return b.String()
}

// pagesInBoth gives each view the pages that only the other has: pages have no drafts (CV-2).
func (c *converter) pagesInBoth(draft, published *courseware.Course) {
	for _, pair := range [...][2]*courseware.Course{{draft, published}, {published, draft}} {
		for id, b := range pair[0].Blocks {
			if isPage(id.Type) && pair[1].Blocks[id] == nil {
				pair[1].Blocks[id] = b
				c.notes.onePage()
			}
		}
	}
}
