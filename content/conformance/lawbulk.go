package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// part is one thing done in a change set; like an op it is decided before it runs.
type part struct {
	text  string
	store func(ctx context.Context, c *publishing.ChangeSet) error
	model func(c *changing, other *model) (aside []entry, refused bool)
}

// change makes a change set of up to eight parts.
func (w *walk) change(h, other *home) op {
	var parts []part
	var texts []string
	for range 1 + w.r.IntN(8) {
		p := w.part(h, other)
		parts = append(parts, p)
		texts = append(texts, p.text)
	}
	by := w.users[[]string{"", "ada", "bob"}[w.r.IntN(3)]]
	return op{
		text: "change: " + strings.Join(texts, "; "),
		store: func(ctx context.Context, tx *db.Tx) error {
			_, err := publishing.Change(ctx, tx, h.ID, publishing.Meta{At: w.now(), By: by}, func(c *publishing.ChangeSet) error {
				for _, p := range parts {
					if err := p.store(ctx, c); err != nil {
						return err
					}
				}
				return nil
			})
			return err
		},
		model: func(m, o *model) outcome {
			c := m.change()
			var out outcome
			for _, p := range parts {
				aside, refused := p.model(c, o)
				if refused {
					return refusal
				}
				out.aside = append(out.aside, aside...)
			}
			out.drafts = []entry{c.end()}
			out.refused = m.cyclic(onDraft)
			return out
		},
	}
}

func (w *walk) part(h, other *home) part {
	switch n := w.r.IntN(40); {
	case n < 20:
		return w.version(h)
	case n < 33:
		return w.pointers(h)
	case n < 35:
		return part{"flush",
			func(ctx context.Context, c *publishing.ChangeSet) error { return c.Flush(ctx) },
			func(*changing, *model) ([]entry, bool) { return nil, false }}
	case n < 37:
		return part{"reset",
			func(ctx context.Context, c *publishing.ChangeSet) error { return c.Reset(ctx, nil) },
			func(c *changing, _ *model) ([]entry, bool) { c.reset(nil); return nil, false }}
	case n < 39:
		return w.aside(h, other)
	case w.r.IntN(2) == 0:
		return part{"publish inside", // law 69
			func(ctx context.Context, c *publishing.ChangeSet) error {
				_, err := publishing.PublishAll(ctx, c.Tx(), h.ID, publishing.PublishMeta{})
				return err
			},
			func(*changing, *model) ([]entry, bool) { return nil, true }}
	}
	return part{"give up", // law 19
		func(context.Context, *publishing.ChangeSet) error { return errGivenUp },
		func(*changing, *model) ([]entry, bool) { return nil, true }}
}

// version makes versions, sometimes with a number of its own, which may be lower than the draft's or taken (laws 2 and 3),
// and sometimes on an entity of another package (law 68) or on itself.
func (w *walk) version(h *home) part {
	type one struct {
		ref  string
		num  int
		deps []string
	}
	var list []one
	var texts []string
	for range 1 + w.r.IntN(3) {
		x := one{ref: h.m.refs[w.r.IntN(len(h.m.refs))]}
		if w.r.IntN(8) == 0 {
			x.num = 1 + w.r.IntN(12)
		}
		if w.r.IntN(3) > 0 {
			// Mostly upwards, so that trees grow and cycles are tried now and then only.
			at := 0
			for at < len(h.m.refs) && h.m.refs[at] != x.ref {
				at++
			}
			for _, d := range w.pick(h, 4) {
				place := 0
				for h.m.refs[place] != d {
					place++
				}
				if place < at || w.r.IntN(30) == 0 {
					x.deps = append(x.deps, d)
				}
			}
		}
		list = append(list, x)
		texts = append(texts, fmt.Sprintf("%s %d on %q", x.ref, x.num, x.deps))
	}
	return part{
		text: "version " + strings.Join(texts, ", "),
		store: func(ctx context.Context, c *publishing.ChangeSet) error {
			var n []publishing.NewVersion
			for _, x := range list {
				n = append(n, publishing.NewVersion{Entity: h.ids[x.ref], Num: x.num, Title: x.ref, Dependencies: h.entities(x.deps)})
			}
			_, _, err := c.CreateVersions(ctx, n)
			return err
		},
		model: func(c *changing, _ *model) ([]entry, bool) {
			for _, x := range list {
				if _, ok := c.version(x.ref, x.num, append([]string{}, x.deps...)); !ok {
					return nil, true
				}
			}
			return nil, false
		},
	}
}

// pointers moves drafts to versions that exist, to none, and now and then to one of another entity (law 67).
func (w *walk) pointers(h *home) part {
	type one struct {
		ref, of string
		num     int
	}
	var list []one
	var texts []string
	for range 1 + w.r.IntN(3) {
		x := one{ref: h.m.refs[w.r.IntN(len(h.m.refs))]}
		x.of = x.ref
		if w.r.IntN(40) == 0 {
			x.of = h.m.refs[w.r.IntN(len(h.m.refs))]
		}
		if have := h.m.entities[x.of].versions; len(have) > 0 && w.r.IntN(3) > 0 {
			for n := range 12 { // maps have no order, and runs are to be repeatable
				if _, ok := have[n]; ok && (x.num == 0 || w.r.IntN(2) == 0) {
					x.num = n
				}
			}
		}
		list = append(list, x)
		texts = append(texts, fmt.Sprintf("%s at %s %d", x.ref, x.of, x.num))
	}
	return part{
		text: "set " + strings.Join(texts, ", "),
		store: func(ctx context.Context, c *publishing.ChangeSet) error {
			var p []publishing.Pointer
			for _, x := range list {
				p = append(p, publishing.Pointer{Entity: h.ids[x.ref], Version: h.versions[x.of][x.num].ID})
			}
			return c.SetDrafts(ctx, p)
		},
		model: func(c *changing, _ *model) ([]entry, bool) {
			for _, x := range list {
				if x.num != 0 && x.of != x.ref {
					return nil, true
				}
			}
			for _, x := range list {
				c.set(x.ref, x.num)
			}
			return nil, false
		},
	}
}

// aside deletes and restores drafts of the other package in a change set of its own inside this one (law 18), and tries
// to make versions of it here.
func (w *walk) aside(h, other *home) part {
	refs := w.pick(other, min(3, len(other.m.refs)))
	if len(refs) > 0 && w.r.IntN(4) == 0 {
		return part{"foreign " + refs[0],
			func(ctx context.Context, c *publishing.ChangeSet) error {
				_, _, err := c.CreateVersions(ctx, []publishing.NewVersion{{Entity: h.ids[h.m.refs[0]], Dependencies: []publishing.EntityID{other.ids[refs[0]]}}})
				return err
			},
			func(*changing, *model) ([]entry, bool) { return nil, true }}
	}
	return part{
		text: fmt.Sprintf("in %s delete %q", other.Ref, refs),
		store: func(ctx context.Context, c *publishing.ChangeSet) error {
			_, err := publishing.Change(ctx, c.Tx(), other.ID, publishing.Meta{At: w.now()}, func(inner *publishing.ChangeSet) error {
				var p []publishing.Pointer
				for _, ref := range refs {
					p = append(p, publishing.Pointer{Entity: other.ids[ref]})
				}
				return inner.SetDrafts(ctx, p)
			})
			return err
		},
		model: func(_ *changing, o *model) ([]entry, bool) {
			c := o.change()
			for _, ref := range refs {
				c.set(ref, 0)
			}
			return []entry{c.end()}, false
		},
	}
}
