package course

import (
	"context"
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
	refs, err := childRefs(ctx, q, nodes, children)
	if err != nil {
		return nil, err
	}
	for version, list := range children {
		n := byVersion[version]
		n.container = true
		for _, child := range list {
			n.stored = append(n.stored, refs[child.Entity])
			if nodes[child.Entity] != nil {
				n.children = append(n.children, refs[child.Entity])
			}
		}
	}
	for _, n := range nodes {
		sortFiles(n.files)
	}
	return arrange(blockRef(c.RootID()), nodes), nil
}

// childRefs returns the refs of all children, those that are not live included.
func childRefs(ctx context.Context, q db.Querier, live map[publishing.EntityID]*node,
	children map[publishing.VersionID][]containers.Child) (map[publishing.EntityID]string, error) {
	refs := make(map[publishing.EntityID]string, len(live))
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
		return refs, nil
	}
	slices.Sort(gone)
	entities, err := publishing.EntitiesByID(ctx, q, gone)
	for id, e := range entities {
		refs[id] = e.Ref
	}
	return refs, err
}

// arrange puts nodes in order: the tree from its root in document order, then everything without a parent by ref.
func arrange(root string, nodes map[publishing.EntityID]*node) *tree {
	t := newTree(root, len(nodes))
	for _, n := range nodes {
		t.nodes[n.ref] = n
	}
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
