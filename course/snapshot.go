package course

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// snapshot reads the course as it was at a moment, in a number of statements bounded by its size over the batch size.
func (c *Course) snapshot(ctx context.Context, q db.Querier, at publishing.Moment) (*tree, error) {
	heads, err := publishing.Heads(ctx, q, c.Package.ID, at)
	if err != nil {
		return nil, err
	}
	return c.assemble(ctx, q, heads, at)
}

// branches reads the drafts and what is published. Where no pointer differs, both are the same tree.
func (c *Course) branches(ctx context.Context, q db.Querier) (drafts, published *tree, err error) {
	now, err := publishing.Heads(ctx, q, c.Package.ID, publishing.Draft())
	if err != nil {
		return nil, nil, err
	}
	live, err := publishing.Heads(ctx, q, c.Package.ID, publishing.Published())
	if err != nil {
		return nil, nil, err
	}
	if drafts, err = c.assemble(ctx, q, now, publishing.Draft()); err != nil {
		return nil, nil, err
	}
	if slices.EqualFunc(now, live, func(a, b publishing.Head) bool { return a.Version == b.Version }) {
		return drafts, drafts, nil
	}
	published, err = c.assemble(ctx, q, live, publishing.Published())
	return drafts, published, err
}

// whole reads the drafts as they are.
func (c *Course) whole(ctx context.Context, q db.Querier) (*tree, error) {
	return c.snapshot(ctx, q, publishing.Draft())
}

// part reads some nodes only, whatever the size of the course; refs that do not live at the moment are left out.
func (c *Course) part(ctx context.Context, q db.Querier, at publishing.Moment, refs ...string) (*tree, error) {
	entities, err := publishing.EntitiesByRef(ctx, q, c.Package.ID, refs)
	if err != nil {
		return nil, err
	}
	ids := make([]publishing.EntityID, 0, len(entities))
	for _, e := range entities {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	heads, err := publishing.HeadsOf(ctx, q, ids, at)
	if err != nil {
		return nil, err
	}
	return c.assemble(ctx, q, heads, at)
}

// parent returns the ref of the block that lists ref among its live children on a branch of now; "" when none does.
func (c *Course) parent(ctx context.Context, q db.Querier, ref string, published bool) (string, error) {
	e, err := publishing.EntityByRef(ctx, q, c.Package.ID, ref)
	if err != nil {
		return "", err
	}
	up, err := containers.With(ctx, q, e.ID, true, published)
	if err != nil || len(up) == 0 {
		return "", err
	}
	p, err := publishing.EntityByID(ctx, q, up[0].ID)
	return p.Ref, err
}

// assemble makes a tree of heads.
func (c *Course) assemble(ctx context.Context, q db.Querier, heads []publishing.Head, at publishing.Moment) (*tree, error) {
	nodes := make(map[publishing.EntityID]*node, len(heads))
	byVersion := make(map[publishing.VersionID]*node, len(heads))
	versions := make([]publishing.VersionID, len(heads))
	for i, h := range heads {
		n := &node{ref: h.Ref, title: h.Title, entity: h.Entity, version: h.Version, num: h.Num}
		nodes[h.Entity], byVersion[h.Version], versions[i] = n, n, h.Version
	}
	add := func(version publishing.VersionID, f file) {
		n := byVersion[version]
		n.files = append(n.files, f)
	}
	ofComponents, err := components.Files(ctx, q, versions, false)
	if err != nil {
		return nil, err
	}
	for _, f := range ofComponents {
		add(f.Version, stored(f.Path, f.Media))
	}
	ofContainers, err := containers.Files(ctx, q, versions, false)
	if err != nil {
		return nil, err
	}
	for _, f := range ofContainers {
		byVersion[f.Version].container = true
		add(f.Version, stored(f.Path, f.Media))
	}
	children, err := containers.Children(ctx, q, versions)
	if err != nil {
		return nil, err
	}
	refs, beyond, err := childRefs(ctx, q, nodes, children, at)
	if err != nil {
		return nil, err
	}
	for version, list := range children {
		n := byVersion[version]
		n.container = true
		for _, child := range list {
			n.stored = append(n.stored, refs[child.Entity])
			if ref := refs[child.Entity]; nodes[child.Entity] != nil || beyond[ref] {
				n.children = append(n.children, refs[child.Entity])
			}
		}
	}
	for _, n := range nodes {
		sortFiles(n.files)
	}
	byRef := make(map[string]*node, len(nodes))
	for _, n := range nodes {
		byRef[n.ref] = n
	}
	t := arrange(blockRef(c.RootID()), byRef)
	t.beyond = beyond
	return t, nil
}

// childRefs returns the refs of all children, those that are not live included, and which of those that are not in nodes
// live at the moment.
func childRefs(ctx context.Context, q db.Querier, live map[publishing.EntityID]*node, children map[publishing.VersionID][]containers.Child,
	at publishing.Moment) (refs map[publishing.EntityID]string, beyond map[string]bool, err error) {
	refs, beyond = make(map[publishing.EntityID]string, len(live)), map[string]bool{}
	var gone []publishing.EntityID
	for _, list := range children {
		for _, child := range list {
			if n := live[child.Entity]; n != nil {
				refs[child.Entity] = n.ref
			} else if _, seen := refs[child.Entity]; !seen {
				refs[child.Entity] = ""
				gone = append(gone, child.Entity)
			}
		}
	}
	if len(gone) == 0 {
		return refs, beyond, nil
	}
	slices.Sort(gone)
	entities, err := publishing.EntitiesByID(ctx, q, gone)
	if err != nil {
		return nil, nil, err
	}
	for id, e := range entities {
		refs[id] = e.Ref
	}
	heads, err := publishing.HeadsOf(ctx, q, gone, at)
	for _, h := range heads {
		beyond[h.Ref] = true
	}
	return refs, beyond, err
}

// arrange puts nodes in order: the tree from its root in document order, then everything without a parent by ref.
func arrange(root string, nodes map[string]*node) *tree {
	t := &tree{nodes: nodes, root: root}
	t.order = t.below(root)
	placed := make(map[string]bool, len(t.order))
	for _, ref := range t.order {
		placed[ref] = true
	}
	var rest []string
	for ref := range t.nodes {
		if !placed[ref] {
			rest = append(rest, ref)
		}
	}
	slices.SortFunc(rest, strings.Compare)
	t.order = append(t.order, rest...)
	return t
}

// with returns the tree of a whole course after some of its nodes became others, nil for one that is deleted. t stays as it is.
func (t *tree) with(now map[string]*node) *tree {
	nodes := maps.Clone(t.nodes)
	come := false // or gone
	for ref, n := range now {
		come = come || (n == nil) != (t.nodes[ref] == nil)
		if nodes[ref] = n; n == nil {
			delete(nodes, ref)
		}
	}
	moved := come
	list := func(n *node) {
		var children []string
		for _, child := range n.stored {
			if nodes[child] != nil {
				children = append(children, child)
			}
		}
		if !slices.Equal(children, n.children) {
			relisted := *n
			relisted.children = children
			nodes[n.ref] = &relisted
		}
		moved = moved || !slices.Equal(children, t.nodes[n.ref].children)
	}
	if come { // any list may name it
		now = nodes
	}
	for _, n := range now {
		if n != nil {
			list(n)
		}
	}
	if !moved {
		return &tree{nodes: nodes, root: t.root, order: t.order}
	}
	return arrange(t.root, nodes)
}
