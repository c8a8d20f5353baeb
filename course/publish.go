package course

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Why says why an entity is in a log.
type Why string

// The reasons (cli.md, course publish).
const (
	Chosen     Why = "chosen"      // asked for
	BelowIt    Why = "child"       // stands below something asked for
	NamedFile  Why = "file"        // a static file that something asked for names
	SideEffect Why = "side-effect" // something below it changed
)

// Entry is one record of a log, for people.
type Entry struct {
	Key  string `json:"key"`
	From *int   `json:"from"` // version numbers; null = none
	To   *int   `json:"to"`
	Why  Why    `json:"why"`
}

// Written is what a publish or discard did. Log is nil and Entries empty when nothing differed.
type Written struct {
	Log     *int64
	Entries []Entry
}

// Publish publishes the drafts of blocks, each with its tree and the changed static files that they name, or with no
// blocks everything that differs. A block that no published parent would list is Refused, naming what to publish instead.
func (c *Course) Publish(ctx context.Context, tx *db.Tx, files media.Files, blocks []courseware.BlockID, a Author) (*Written, error) {
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return nil, err
	}
	drafts, published, err := c.branches(ctx, tx)
	if err != nil {
		return nil, err
	}
	pointers, err := publishing.AllPointers(ctx, tx, c.Package.ID)
	if err != nil {
		return nil, err
	}
	sel := selection{course: c, drafts: drafts, published: published, why: map[string]Why{}}
	if len(blocks) == 0 {
		for _, p := range pointers {
			sel.why[p.Ref] = Chosen
		}
	}
	for _, id := range blocks {
		if err := sel.choose(id); err != nil {
			return nil, err
		}
	}
	for _, id := range blocks {
		if err := sel.listed(blockRef(id), drafts, published, "publish"); err != nil {
			return nil, err
		}
	}
	if err := sel.files(ctx, tx, files); err != nil {
		return nil, err
	}
	var chosen []publishing.EntityID
	for _, p := range pointers {
		if p.Unpublished() && sel.why[p.Ref] != "" {
			chosen = append(chosen, p.Entity)
		}
	}
	if len(chosen) == 0 {
		return &Written{Entries: []Entry{}}, nil
	}
	along, err := publishing.Closure(ctx, tx, c.Package.ID, chosen)
	if err != nil {
		return nil, err
	}
	if err := sel.sound(published, drafts, append(along, chosen...), pointers, "publish"); err != nil {
		return nil, err
	}
	log, err := publishing.Publish(ctx, tx, c.Package.ID, chosen, true, publishing.PublishMeta{By: a.By, Message: a.Message})
	if err != nil {
		return nil, err
	}
	return c.written(ctx, tx, log.ID, true, sel.why)
}

// selection is what a publish of some blocks takes along.
type selection struct {
	course            *Course
	drafts, published *tree
	why               map[string]Why
}

// choose adds a block and its tree, in the draft and as published, so that deletions below it go too.
func (s *selection) choose(id courseware.BlockID) error {
	ref := blockRef(id)
	inDraft, inPublished := s.drafts.nodes[ref] != nil, s.published.nodes[ref] != nil
	if !inDraft && !inPublished {
		return fault.Errorf(fault.NotFound, s.course.blockKey(id), "no such block in draft or published").
			WithNext("see the blocks with: lectern course show " + s.course.Key.String())
	}
	s.mark(ref)
	return nil
}

// listed refuses a block that its parent would not list where it goes: nobody could reach it there. from is the branch
// that blocks come from, to the one they go to, and verb what the person asked for.
func (s *selection) listed(ref string, from, to *tree, verb string) error {
	up := from.parents()
	instead := ref
	for {
		parent, ok := up[instead]
		if !ok || s.why[parent] != "" {
			break // the root, a detached block, or one whose parent goes along
		}
		if p := to.nodes[parent]; p != nil && slices.Contains(p.stored, instead) {
			break
		}
		instead = parent
	}
	if instead == ref {
		return nil
	}
	branch := "published"
	if verb == "discard" {
		branch = "drafted"
	}
	return fault.Errorf(fault.Refused, s.course.refKey(ref), "its %s parent does not list it", branch).
		WithNext(verb + " " + s.course.refKey(instead) + " instead")
}

// files adds the static files that chosen blocks name and whose drafts differ.
func (s *selection) files(ctx context.Context, q db.Querier, files media.Files) error {
	changed := map[string]string{} // asset key → ref
	for ref, n := range s.drafts.nodes {
		if path, ok := refAsset(ref); ok && s.why[ref] == "" {
			if was := s.published.nodes[ref]; was == nil || was.version != n.version {
				changed[assetKey(path)] = ref
			}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	part := newTree("", len(s.why))
	for _, ref := range s.drafts.order {
		if n := s.drafts.nodes[ref]; s.why[ref] != "" && n != nil {
			part.add(n)
		}
	}
	content, err := s.course.readNodes(ctx, q, files, slices.Collect(part.live()))
	if err != nil {
		return err
	}
	for _, ref := range part.order {
		id, _ := refBlock(ref)
		for _, f := range part.nodes[ref].files {
			for _, key := range staticNames(content[f.media]) {
				if ref, ok := changed[key]; ok {
					s.why[ref] = NamedFile
				}
			}
			if id.Type != "video" && id.Type != "course" {
				continue
			}
			for key, ref := range changed {
				if namesFile(content[f.media], key) {
					s.why[ref] = NamedFile
				}
			}
		}
	}
	return nil
}

// Discard points the drafts of blocks with their trees back at what is published, or of the whole course with no blocks.
func (c *Course) Discard(ctx context.Context, tx *db.Tx, blocks []courseware.BlockID, a Author) (*Written, error) {
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return nil, err
	}
	why := map[string]Why{}
	var only []publishing.EntityID
	if len(blocks) > 0 {
		drafts, published, err := c.branches(ctx, tx)
		if err != nil {
			return nil, err
		}
		sel := selection{course: c, drafts: drafts, published: published, why: why}
		for _, id := range blocks {
			ref := blockRef(id)
			if drafts.nodes[ref] == nil && published.nodes[ref] == nil {
				return nil, fault.Errorf(fault.NotFound, c.blockKey(id), "no such block in draft or published")
			}
			sel.mark(ref)
		}
		for _, id := range blocks {
			if err := sel.listed(blockRef(id), published, drafts, "discard"); err != nil {
				return nil, err
			}
		}
		for ref := range why {
			for _, t := range []*tree{drafts, published} {
				if n := t.nodes[ref]; n != nil {
					only = append(only, n.entity)
					break
				}
			}
		}
		slices.Sort(only)
		pointers, err := publishing.AllPointers(ctx, tx, c.Package.ID)
		if err != nil {
			return nil, err
		}
		if err := sel.sound(drafts, published, only, pointers, "discard"); err != nil {
			return nil, err
		}
	}
	log, err := publishing.Reset(ctx, tx, c.Package.ID, a.meta(publishing.KindDiscard), only)
	if err != nil {
		return nil, err
	}
	if log == nil {
		return &Written{Entries: []Entry{}}, nil
	}
	return c.written(ctx, tx, log.ID, false, why)
}

// mark chooses a block and everything below it in either branch.
func (s *selection) mark(ref string) {
	s.why[ref] = Chosen
	for _, t := range []*tree{s.drafts, s.published} {
		for _, below := range t.below(ref) {
			if s.why[below] == "" {
				s.why[below] = BelowIt
			}
		}
	}
}

// written reads back the records of a log.
func (c *Course) written(ctx context.Context, q db.Querier, log int64, publish bool, why map[string]Why) (*Written, error) {
	records, err := publishing.Records(ctx, q, publish, []int64{log})
	if err != nil {
		return nil, err
	}
	w := &Written{Log: &log, Entries: make([]Entry, 0, len(records))}
	for _, r := range records {
		e := Entry{Key: c.refKey(r.Ref), From: number(r.OldNum, r.Old), To: number(r.NewNum, r.New), Why: why[r.Ref]}
		switch {
		case r.Old == r.New && (r.Direct == nil || !*r.Direct):
			e.Why = SideEffect
		case e.Why == "" && publish && r.Direct != nil && !*r.Direct:
			e.Why = BelowIt
		case e.Why == "":
			e.Why = Chosen
		}
		w.Entries = append(w.Entries, e)
	}
	return w, nil
}

func number(num int, v publishing.VersionID) *int {
	if v == 0 {
		return nil
	}
	return &num
}
