package course

import (
	"context"
	"maps"
	"slices"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Restore makes the drafts of the course, or of some blocks with their trees, what they were at a moment. It is an
// ordinary change of drafts: old versions become current again, nothing is published and nothing is lost.
// A block comes back under the parent it had then; it is Refused where that parent is not in the draft.
func (c *Course) Restore(ctx context.Context, tx *db.Tx, files media.Files, m Moment, blocks []courseware.BlockID, a Author) (*Report, error) {
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return nil, err
	}
	then, err := c.snapshot(ctx, tx, m.state())
	if err != nil {
		return nil, err
	}
	meta := a.meta(publishing.KindRestore)
	meta.Source = m.Name()
	return c.rework(ctx, tx, files, meta,
		c.whole, []*tree{then}, func(now *tree) (*tree, error) {
			if len(blocks) == 0 {
				return then, nil
			}
			want := now.clone()
			for _, id := range blocks {
				if err := c.bringBack(want, then, blockRef(id)); err != nil {
					return nil, err
				}
			}
			return want, nil
		})
}

// rework changes the drafts of a course to what edit makes of them, in one change log, and counts the difference.
// read gives as much of the drafts as edit needs. Nodes that are as in one of others get that version again.
func (c *Course) rework(ctx context.Context, tx *db.Tx, files media.Files, meta publishing.Meta,
	read func(context.Context, db.Querier) (*tree, error), others []*tree, edit func(now *tree) (*tree, error)) (*Report, error) {
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return nil, err
	}
	now, err := read(ctx, tx)
	if err != nil {
		return nil, err
	}
	want, err := edit(now)
	if err != nil {
		return nil, err
	}
	w := newWriter(tx, files, c)
	report := count(now, want, nil, false)
	report.Course = c.Key.String()
	log, err := publishing.Change(ctx, tx, c.Package.ID, meta, func(cs *publishing.ChangeSet) error {
		return w.apply(ctx, cs, want, now, nil, others...)
	})
	if err == nil && log != nil {
		report.ChangeLog = &log.ID
	}
	return report, err
}

// bringBack puts a block and its tree into want as they were then.
func (c *Course) bringBack(want, then *tree, ref string) error {
	if then.nodes[ref] == nil {
		return fault.Errorf(fault.NotFound, c.refKey(ref), "the block was not in the course at that moment")
	}
	back := then.below(ref)
	returning := make(map[string]bool, len(back))
	for _, r := range back {
		returning[r] = true
	}
	// What stands below any of these now and did not then goes: its place does.
	for _, r := range back {
		for _, below := range want.below(r) {
			if !returning[below] {
				delete(want.nodes, below)
			}
		}
	}
	parent, under := then.parents()[ref]
	if under && want.nodes[parent] == nil {
		return fault.Errorf(fault.Refused, c.refKey(ref), "its parent of then, %s, is not in the draft", c.refKey(parent)).
			WithNext("restore " + c.refKey(parent) + " instead")
	}
	if under && slices.Contains(want.nodes[parent].children, ref) {
		delete(returning, ref) // it keeps the place it has
	}
	want.prune(returning)
	for _, r := range back {
		want.put(then.nodes[r].copy())
	}
	if under && returning[ref] {
		p := want.nodes[parent].copy()
		p.children = slices.Insert(p.children, placeLike(p, then.nodes[parent], ref), ref)
		want.put(p)
	}
	return nil
}

// prune takes out of all lists of children what is not in the tree any more, and what gone names.
func (t *tree) prune(gone map[string]bool) {
	out := func(r string) bool { return gone[r] || !t.has(r) }
	for ref, n := range t.nodes {
		if slices.ContainsFunc(n.children, out) {
			n = n.copy()
			n.children = slices.DeleteFunc(n.children, out)
			t.nodes[ref] = n
		}
	}
}

// placeLike returns where among p's children ref goes so that it stands as in p's stored list, else as it stood then:
// behind the nearest sibling that was before it.
func placeLike(p, then *node, ref string) int {
	order := then.children
	if slices.Contains(p.stored, ref) {
		order = p.stored
	}
	for i := slices.Index(order, ref) - 1; i >= 0; i-- {
		if at := slices.Index(p.children, order[i]); at >= 0 {
			return at + 1
		}
	}
	return 0
}

func (t *tree) clone() *tree {
	return &tree{nodes: maps.Clone(t.nodes), beyond: t.beyond, root: t.root, order: slices.Clone(t.order)}
}

// put adds a node or takes the place of the one with its ref.
func (t *tree) put(n *node) {
	if t.nodes[n.ref] == nil && !slices.Contains(t.order, n.ref) {
		t.order = append(t.order, n.ref)
	}
	t.nodes[n.ref] = n
}

func (n *node) copy() *node {
	c := *n
	c.children, c.stored, c.files = slices.Clone(n.children), slices.Clone(n.stored), slices.Clone(n.files)
	return &c
}
