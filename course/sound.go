package course

import (
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/fault"
)

// sound refuses to change a part of a branch when that would tear a move apart: a block that moved would afterwards
// stand under both parents, or under none. from is the branch as it is, to where the changed entities take their
// versions from, and verb what the person asked for.
func (s *selection) sound(from, to *tree, changed []publishing.EntityID, pointers []publishing.Pointers, verb string) error {
	changes := make(map[publishing.EntityID]bool, len(changed))
	for _, e := range changed {
		changes[e] = true
	}
	after := newTree(from.root, len(pointers))
	for _, p := range pointers {
		n := from.nodes[p.Ref]
		if changes[p.Entity] {
			n = to.nodes[p.Ref]
		}
		if n != nil {
			after.add(n)
		}
	}
	before, then := from.listings(), after.listings()
	meant := to.parents()
	for n := range after.live() {
		id, isBlock := refBlock(n.ref)
		if !isBlock || detachedTypes[id.Type] || n.ref == after.root {
			continue
		}
		up, was := then[n.ref], before[n.ref]
		switch {
		case len(up) == 1 || from.nodes[n.ref] != nil && len(up) == len(was):
			// as it shall be, or no worse than another program left it
		case len(up) > 1:
			return s.torn(n.ref, up[0], up[1], verb)
		case len(was) > 0:
			return s.torn(n.ref, was[0], meant[n.ref], verb)
		default:
			return fault.Errorf(fault.Refused, s.course.refKey(n.ref), "its parent %s would not list it", s.course.parentKey(meant[n.ref])).
				WithNext(verb + " " + s.course.parentKey(meant[n.ref]) + " too")
		}
	}
	return nil
}

func (s *selection) torn(ref, one, other, verb string) error {
	e := fault.Errorf(fault.Refused, s.course.refKey(ref), "it moved between %s and %s, and only one of them would follow",
		s.course.parentKey(one), s.course.parentKey(other))
	return e.WithNext(verb + " both in one go, or what they stand under")
}

// listings returns for every child the live parents that list it, each stored list read by what lives in t.
func (t *tree) listings() map[string][]string {
	up := make(map[string][]string, len(t.nodes))
	for n := range t.live() {
		for _, child := range n.stored {
			if t.has(child) {
				up[child] = append(up[child], n.ref)
			}
		}
	}
	return up
}
