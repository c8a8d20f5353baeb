package course

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Outline is one block of an outline with what stands below it.
type Outline struct {
	Key          string     `json:"key"`
	Type         string     `json:"type"`
	ID           string     `json:"id"`
	Title        string     `json:"title"`
	State        BlockState `json:"state"`
	ChangedBelow bool       `json:"changed_below"`
	Children     []*Outline `json:"children"`
}

// Overview is a course at a moment: its outline, its pages and the number of its static files.
type Overview struct {
	*Outline
	At     string     `json:"at"`
	Pages  []*Outline `json:"pages"`
	Assets int        `json:"assets"`
}

// Show reads the outline at a moment, down to depth levels below the root; negative means all. Where the drafts of now
// are shown, blocks whose deletion is not published yet are shown too.
func (c *Course) Show(ctx context.Context, q db.Querier, m Moment, depth int) (*Overview, error) {
	t, err := c.snapshot(ctx, q, m.state())
	if err != nil {
		return nil, err
	}
	published, err := c.publishedAt(ctx, q, m)
	if err != nil {
		return nil, err
	}
	o := outliner{course: c, now: t, published: published}
	if m.now && !m.Published {
		o.showDeleted()
	}
	view := &Overview{At: m.Name(), Pages: []*Outline{}}
	if view.Outline = o.outline(t.root, depth); view.Outline == nil {
		return nil, c.gone()
	}
	placed := map[string]bool{}
	for _, ref := range t.below(t.root) {
		placed[ref] = true
	}
	pages := o.loose(t, placed)
	for _, ref := range pages {
		view.Pages = append(view.Pages, o.outline(ref, 0))
	}
	for ref := range t.nodes {
		if _, ok := refAsset(ref); ok {
			view.Assets++
		}
	}
	return view, nil
}

// publishedAt reads what was published when the moment was.
func (c *Course) publishedAt(ctx context.Context, q db.Querier, m Moment) (*tree, error) {
	if m.now || m.Log == 0 {
		return c.snapshot(ctx, q, publishing.Published())
	}
	if m.Published {
		return c.snapshot(ctx, q, m.state())
	}
	log, err := publishing.LogByID(ctx, q, false, m.Log)
	if err != nil {
		return nil, err
	}
	return c.snapshot(ctx, q, publishing.PublishedAt(log.At))
}

// outliner turns nodes into outlines.
type outliner struct {
	course         *Course
	now, published *tree
	deleted        bool                // show what is deleted and not published as such
	under          map[string]string   // then: the parent that a block is shown under
	appended       map[string][]string // and the deleted blocks that no list of the drafts has, by their published parent
}

// showDeleted finds the one place of every block whose deletion is not published yet: under the parent that it is
// published under where the drafts of that still list it, else where they do, for it may have moved before it was deleted.
func (o *outliner) showDeleted() {
	o.deleted, o.under, o.appended = true, o.now.parents(), map[string][]string{}
	listing := map[string][]string{}
	for n := range o.now.live() {
		for _, child := range n.stored {
			listing[child] = append(listing[child], n.ref)
		}
	}
	was := o.published.parents()
	for _, ref := range o.published.below(o.published.root) {
		if o.now.nodes[ref] != nil {
			continue
		}
		up := was[ref]
		switch lists := listing[ref]; {
		case o.now.nodes[up] == nil || slices.Contains(lists, up):
			o.under[ref] = up
		case len(lists) > 0:
			o.under[ref] = lists[0]
		default:
			o.under[ref] = up
			o.appended[up] = append(o.appended[up], ref)
		}
	}
}

func (o *outliner) outline(ref string, depth int) *Outline {
	n, state := o.now.nodes[ref], StateDeleted
	if n == nil {
		if n = o.published.nodes[ref]; n == nil || !o.deleted {
			return nil
		}
	} else {
		state = stateOf(n, o.published)
	}
	id, _ := refBlock(ref)
	out := &Outline{Key: o.course.refKey(ref), Type: id.Type, ID: id.Name, Title: n.title, State: state, Children: []*Outline{}}
	for _, child := range o.children(n) {
		below := o.outline(child, depth-1)
		if below == nil {
			continue
		}
		out.ChangedBelow = out.ChangedBelow || below.ChangedBelow || below.State != StatePublished
		if depth != 0 {
			out.Children = append(out.Children, below)
		}
	}
	return out
}

// children returns the children of n to show, deleted ones in the places they had.
func (o *outliner) children(n *node) []string {
	if !o.deleted {
		return n.children
	}
	list := slices.DeleteFunc(slices.Clone(n.stored), func(child string) bool { return o.under[child] != n.ref })
	return append(list, o.appended[n.ref]...)
}

// loose returns the detached blocks: those that no parent lists.
func (o *outliner) loose(t *tree, placed map[string]bool) []string {
	var refs []string
	add := func(from *tree) {
		for n := range from.live() {
			if id, ok := refBlock(n.ref); ok && detachedTypes[id.Type] && !placed[n.ref] {
				placed[n.ref] = true
				refs = append(refs, n.ref)
			}
		}
	}
	add(t)
	if o.deleted {
		add(o.published)
	}
	return refs
}
