package course

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
)

// Past is one state that a course had before it came here.
type Past struct {
	At      time.Time
	By      publishing.UserID // 0 for nobody known here
	Message string
	// Published says that this is what was published then, else it is the drafts.
	Published bool
	State     *courseware.Course // without static files
}

// RunAfter makes history of a course of states that it had elsewhere, oldest first, and then does what Run does, all in the
// same transaction: each state of the drafts becomes a change log at its time, each published one a publish log. A state
// that is not later than what history has already is passed over, and one that differs in nothing leaves no log. Static files
// come with the last state alone. moments is how many logs were written of the past.
//
// A block that says the same in two states that follow each other is encoded once. What was published from drafts that are
// not those of that time is brought about by drafts a microsecond before, which are put back a microsecond after.
func (im Import) RunAfter(ctx context.Context, tx *db.Tx, files media.Files, past iter.Seq2[Past, error]) (report *Report, moments int, err error) {
	if im.drafts == nil {
		if err := im.Prepare(ctx); err != nil {
			return nil, 0, err
		}
	}
	if im.Kind == "" {
		im.Kind = publishing.KindImport
	}
	root := im.published.nodes[im.published.root]
	language, _ := im.State.Published.Blocks[im.State.Published.Root].Fields.Text("language")
	c, _, err := ensure(ctx, tx, im.Key, root.title, language, im.By)
	if err != nil {
		return nil, 0, err
	}
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return nil, 0, err
	}
	h := historian{im: im, writer: newWriter(tx, files, c)}
	if err := h.begin(ctx); err != nil {
		return nil, 0, err
	}
	for p, err := range past {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = h.state(ctx, p)
		}
		if err != nil {
			return nil, 0, err
		}
	}
	report, err = im.Run(ctx, tx, files)
	return report, h.moments, err
}

// historian writes the past of a course. It reads the course once and then follows what it writes, as what is written is
// little and the course may be large.
type historian struct {
	*writer
	im      Import
	last    time.Time // of the last log
	now     *tree     // the drafts as they are in the store
	live    *tree     // what is published there
	before  [2]*tree  // the last wanted drafts and published state, for what need not be encoded again
	keep    map[string]bool
	moments int
}

func (h *historian) begin(ctx context.Context) (err error) {
	logs, err := publishing.Logs(ctx, h.tx, h.course.Package.ID, publishing.LogFilter{Limit: 1})
	if err != nil {
		return err
	}
	if len(logs) > 0 {
		h.last = logs[0].At
	}
	return h.read(ctx)
}

// read reads the course as it is by now.
func (h *historian) read(ctx context.Context) (err error) {
	if h.now, h.live, err = h.course.branches(ctx, h.tx); err != nil {
		return err
	}
	// Static files have no past, so they are kept whatever a state says.
	isFile := func(n *node) bool { _, ok := refAsset(n.ref); return ok }
	h.keep = h.now.refs(isFile)
	for ref := range h.live.refs(isFile) {
		h.keep[ref] = true
	}
	return nil
}

// state makes the store say what a state says, at its time.
func (h *historian) state(ctx context.Context, p Past) error {
	if !p.At.After(h.last) {
		return nil
	}
	branch := 0
	if p.Published {
		branch = 1
	}
	want, err := wantAgain(p.State, h.before[branch], h.before[1-branch])
	if err != nil {
		return fmt.Errorf("%s: %w", p.Message, err)
	}
	h.before[branch] = want
	if !p.Published {
		return h.change(ctx, p, p.At, want)
	}
	return h.publish(ctx, p, want)
}

// change writes a change log.
func (h *historian) change(ctx context.Context, p Past, at time.Time, want *tree) error {
	if equal(want, h.now, h.keep) {
		return nil
	}
	h.drafts = map[string]*node{}
	log, err := publishing.Change(ctx, h.tx, h.course.Package.ID, publishing.Meta{At: at, By: p.By, Kind: publishing.KindImport, Message: p.Message, Source: h.im.Source},
		func(cs *publishing.ChangeSet) error { return h.apply(ctx, cs, want, h.now, h.keep, h.live) })
	if err != nil || log == nil {
		return err
	}
	h.moments, h.last = h.moments+1, at
	h.now = h.now.with(h.drafts)
	return nil
}

// publish writes a publish log.
func (h *historian) publish(ctx context.Context, p Past, want *tree) error {
	if equal(want, h.live, h.keep) {
		return nil
	}
	chosen, refs, ok, err := h.fromDrafts(ctx, want)
	if err != nil {
		return err
	}
	at, drafts, exact := p.At, h.before[0], ok
	if !ok {
		if err := h.change(ctx, p, at, want); err != nil {
			return err
		}
		at = at.Add(time.Microsecond)
		if chosen, refs, exact, err = h.fromDrafts(ctx, want); err != nil {
			return err
		}
	}
	if len(chosen) > 0 {
		_, err = publishing.Publish(ctx, h.tx, h.course.Package.ID, chosen, true,
			publishing.PublishMeta{At: at, By: p.By, Kind: publishing.KindImport, Message: p.Message, Source: h.im.Source})
		if err != nil {
			return err
		}
		h.moments, h.last = h.moments+1, at
		if exact {
			published := make(map[string]*node, len(refs))
			for _, ref := range refs {
				published[ref] = h.now.nodes[ref]
			}
			h.live = h.live.with(published)
		} else if err := h.read(ctx); err != nil {
			return err
		}
	}
	if !ok && drafts != nil {
		return h.change(ctx, p, at.Add(time.Microsecond), drafts)
	}
	return nil
}

// fromDrafts returns what has to be published for want, in order and in any, and whether publishing just that from the drafts
// gives it.
func (h *historian) fromDrafts(ctx context.Context, want *tree) (chosen []publishing.EntityID, refs []string, ok bool, err error) {
	ok = true
	for n := range want.live() {
		if was := h.live.nodes[n.ref]; was != nil && sameIn(want, n, was) {
			continue
		}
		now := h.now.nodes[n.ref]
		if now == nil || !sameIn(want, n, now) {
			ok = false
			continue
		}
		chosen, refs = append(chosen, now.entity), append(refs, n.ref)
	}
	for was := range h.live.live() {
		if want.nodes[was.ref] != nil || h.keep[was.ref] {
			continue
		}
		if h.now.nodes[was.ref] != nil {
			ok = false
			continue
		}
		chosen, refs = append(chosen, was.entity), append(refs, was.ref)
	}
	if !ok || len(chosen) == 0 {
		return chosen, refs, ok, nil
	}
	slices.Sort(chosen)
	along, err := publishing.Closure(ctx, h.tx, h.course.Package.ID, chosen)
	if err != nil {
		return nil, nil, false, err
	}
	for _, e := range along {
		if _, found := slices.BinarySearch(chosen, e); !found {
			return chosen, refs, false, nil // something would be published that was not
		}
	}
	return chosen, refs, true, nil
}

// wantAgain is want, with the nodes of earlier states for blocks that say what they said there.
func wantAgain(c *courseware.Course, before ...*tree) (*tree, error) {
	t := newTree(blockRef(c.Root), len(c.Blocks))
	add := func(b *courseware.Block) error {
		ref := blockRef(b.ID)
		for _, was := range before {
			if was == nil || b.ID == c.Root || was.nodes[ref] == nil || !sameBlock(was.nodes[ref].block, b) {
				continue
			}
			n := was.nodes[ref]
			var children []string
			for _, child := range b.Children {
				if c.Blocks[child] != nil {
					children = append(children, blockRef(child))
				}
			}
			if !slices.Equal(children, n.children) {
				relisted := *n
				n = &relisted
				n.children = children
			}
			t.add(n)
			return nil
		}
		return t.wantBlock(c, b)
	}
	for b := range c.Walk() {
		if err := add(b); err != nil {
			return nil, err
		}
	}
	if len(t.nodes) == len(c.Blocks) {
		return t, nil
	}
	for _, id := range detached(c, t) {
		if err := add(c.Blocks[id]); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// sameBlock reports whether two blocks are stored alike, whatever they list.
func sameBlock(a, b *courseware.Block) bool {
	if a == b {
		return true
	}
	x := *b
	x.Children = a.Children
	return a.Equal(&x)
}
