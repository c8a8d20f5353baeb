package containers

import (
	"context"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Node is an entity as of a moment, with the nodes below it. An entity that several containers list is one node.
type Node struct {
	publishing.Head
	Type     string // type code of a container, "" for anything else
	Children []Edge
}

// Edge leads from a container to a child.
type Edge struct {
	*Node
	Pinned bool
}

// Outline returns every live entity of a package as of a moment, in id order, tied to its children: the whole package in
// a few queries. Children without a version at that moment are left out. A pinned child is a node of its own, with what
// its pinned version lists; it is not in the result itself.
func Outline(ctx context.Context, q db.Querier, pkg publishing.PackageID, m publishing.Moment) ([]*Node, error) {
	heads, err := publishing.Heads(ctx, q, pkg, m)
	if err != nil {
		return nil, err
	}
	list, err := Containers(ctx, q, pkg, true)
	if err != nil {
		return nil, err
	}
	typeOf := make(map[publishing.EntityID]string, len(list))
	for _, c := range list {
		typeOf[c.ID] = c.Type
	}
	o := outline{typeOf: typeOf, current: make(map[publishing.EntityID]*Node, len(heads)), fixed: map[publishing.VersionID]*Node{}}
	nodes := make([]Node, len(heads))
	out := make([]*Node, len(heads))
	var layer []*Node
	for i, h := range heads {
		n := &nodes[i]
		n.Head, n.Type = h, typeOf[h.Entity]
		out[i] = n
		o.current[h.Entity] = n
		if n.Type != "" {
			layer = append(layer, n)
		}
	}
	for len(layer) > 0 { // more than once only where containers are pinned
		if layer, err = o.tie(ctx, q, layer); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// outline is the work of one [Outline].
type outline struct {
	typeOf  map[publishing.EntityID]string
	current map[publishing.EntityID]*Node
	fixed   map[publishing.VersionID]*Node // pinned
}

// tie gives a layer of containers their children and returns the pinned containers that are new among them.
func (o *outline) tie(ctx context.Context, q db.Querier, layer []*Node) ([]*Node, error) {
	ids := make([]publishing.VersionID, len(layer))
	for i, n := range layer {
		ids[i] = n.Version
	}
	rows, err := Children(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	next, err := o.pin(ctx, q, rows)
	if err != nil {
		return nil, err
	}
	for _, n := range layer {
		children := rows[n.Version]
		n.Children = make([]Edge, 0, len(children))
		for _, c := range children {
			to := o.current[c.Entity]
			if c.Pin != 0 {
				to = o.fixed[c.Pin]
			}
			if to != nil {
				n.Children = append(n.Children, Edge{to, c.Pin != 0})
			}
		}
	}
	return next, nil
}

// pin makes nodes for the pinned children of rows that have none yet, and returns the containers among them.
func (o *outline) pin(ctx context.Context, q db.Querier, rows map[publishing.VersionID][]Child) (containers []*Node, err error) {
	var pins []publishing.VersionID
	var entities []publishing.EntityID
	for _, children := range rows {
		for _, c := range children {
			if c.Pin != 0 && o.fixed[c.Pin] == nil {
				pins = append(pins, c.Pin)
				entities = append(entities, c.Entity)
			}
		}
	}
	if len(pins) == 0 {
		return nil, nil
	}
	versions, err := publishing.Versions(ctx, q, distinct(pins))
	if err != nil {
		return nil, err
	}
	found, err := publishing.EntitiesByID(ctx, q, distinct(entities))
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		n := &Node{Head: publishing.Head{Entity: v.Entity, Ref: found[v.Entity].Ref, Version: v.ID, Num: v.Num, Title: v.Title}, Type: o.typeOf[v.Entity]}
		o.fixed[v.ID] = n
		if n.Type != "" {
			containers = append(containers, n)
		}
	}
	return containers, nil
}

// Level returns the live containers of one type as of a moment, in id order and without their children: what stands at one
// level of a package, such as its sections.
func Level(ctx context.Context, q db.Querier, pkg publishing.PackageID, kind string, m publishing.Moment) ([]*Node, error) {
	types, err := typeIDs(ctx, q)
	if err != nil {
		return nil, err
	}
	ids, err := db.All(ctx, q, "SELECT publishable_entity_id FROM openedx_content_container WHERE learning_package_id = ? AND container_type_id = ?",
		[]any{int64(pkg), int64(types[kind])}, db.Value[publishing.EntityID])
	if err != nil {
		return nil, err
	}
	heads, err := publishing.HeadsOf(ctx, q, ids, m)
	if err != nil {
		return nil, err
	}
	out := make([]*Node, len(heads))
	for i, h := range heads {
		out[i] = &Node{Head: h, Type: kind}
	}
	return out, nil
}

// Roots returns the nodes of an outline that no other lists.
func Roots(nodes []*Node) []*Node {
	below := make(map[*Node]bool, len(nodes))
	for _, n := range nodes {
		for _, e := range n.Children {
			below[e.Node] = true
		}
	}
	var out []*Node
	for _, n := range nodes {
		if !below[n] {
			out = append(out, n)
		}
	}
	return out
}
