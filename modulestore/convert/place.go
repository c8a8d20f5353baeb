package convert

import (
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx/fields"
)

// places says where each block of a view stands: every block at one place, below one parent or below none. Old ids.
type places struct {
	branch   *modulestore.Branch
	parent   map[courseware.BlockID]courseware.BlockID
	children map[courseware.BlockID][]courseware.BlockID
	// orphans are the blocks without a parent, pages and the root left out, ordered.
	orphans []courseware.BlockID
	// pages are the detached blocks, ordered.
	pages []courseware.BlockID
	// order is the root, then the orphans, each followed by what is below it, then the pages.
	order []courseware.BlockID
	left  modulestore.Tally // children that are not where they were listed
}

// Rules of children that have no counter in the readers, or another one.
const (
	unpublished modulestore.Rule = "OM-20" // listed by what is published, and only in the drafts
	secondPlace modulestore.Rule = "A5"
)

// place puts every block of a branch at one place. A block that several list stands below its parent by L-7, once, so
// that it inherits what it did; where that would cut it off, as in a cycle, below the first that lists it on the way from
// the root. Children that the branch lacks are left out, and so are pages, which are nobody's children. elsewhere, which
// may be nil, is the other view: what that one has is told apart from what is nowhere.
func place(branch, elsewhere *modulestore.Branch) *places {
	parent := make(map[courseware.BlockID]courseware.BlockID, branch.Len())
	p := &places{branch: branch, parent: parent, children: make(map[courseware.BlockID][]courseware.BlockID, branch.Len())}
	placed := make(map[courseware.BlockID]bool, branch.Len())
	for b := range branch.Blocks() {
		if isPage(b.ID.Type) {
			p.pages = append(p.pages, b.ID)
			placed[b.ID] = true
		}
	}
	// grow takes a block and everything below it whose parent by L-7 that is.
	grow := func(id courseware.BlockID) {
		stack := []courseware.BlockID{id}
		placed[id] = true
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, child := range branch.Block(at).Children {
				up, ok := branch.Parent(child)
				if placed[child] || branch.Block(child) == nil || ok && up != at {
					continue
				}
				placed[child], parent[child] = true, at
				stack = append(stack, child)
			}
		}
	}
	// sweep takes what can be reached from a block in any way, at the first place on the way.
	sweep := func(id courseware.BlockID) {
		grow(id)
		seen := map[courseware.BlockID]bool{id: true}
		for stack := []courseware.BlockID{id}; len(stack) > 0; {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			list := branch.Block(at).Children
			for _, child := range slices.Backward(list) {
				if branch.Block(child) == nil || seen[child] || isPage(child.Type) {
					continue
				}
				if !placed[child] {
					parent[child] = at
					grow(child)
				}
				seen[child] = true
				stack = append(stack, child)
			}
		}
	}
	sweep(branch.Root)
	for _, id := range branch.Orphans() {
		if !placed[id] {
			p.orphans = append(p.orphans, id)
			sweep(id)
		}
	}
	for b := range branch.Blocks() { // what only lists of its own descendants hold
		if !placed[b.ID] {
			p.orphans = append(p.orphans, b.ID)
			sweep(b.ID)
		}
	}
	slices.SortFunc(p.orphans, courseware.BlockID.Compare)
	for b := range branch.Blocks() {
		p.list(b, elsewhere)
	}
	p.line()
	return p
}

// list keeps of a block's children those that stand below it, and counts the others.
func (p *places) list(b *modulestore.Block, elsewhere *modulestore.Branch) {
	var kept []courseware.BlockID
	for i, id := range b.Children {
		where := b.ID.String() + ": " + id.String()
		up, hasParent := p.parent[id]
		switch {
		case p.branch.Block(id) == nil && elsewhere != nil && elsewhere.Block(id) != nil:
			p.left.Add(unpublished, where)
		case p.branch.Block(id) == nil:
			p.left.Add(modulestore.DanglingChild, where)
		case isPage(id.Type):
			p.left.Add(modulestore.DetachedChild, where)
		case slices.Contains(b.Children[:i], id):
			p.left.Add(modulestore.ChildTwice, where)
		case !hasParent: // the root, or what a cycle begins with
			p.left.Add(modulestore.Cycle, where)
		case up != b.ID:
			p.left.Add(secondPlace, where)
		default:
			kept = append(kept, id)
		}
	}
	if kept != nil {
		p.children[b.ID] = kept
	}
}

// torn reports whether a block, or one above it, stands elsewhere than below its parent by L-7, which leads round there.
func (p *places) torn(id courseware.BlockID) bool {
	for {
		up, ok := p.branch.Parent(id)
		if !ok || id == p.branch.Root {
			return false
		}
		if at, placed := p.parent[id]; !placed || at != up {
			return true
		}
		id = up
	}
}

// line puts the blocks into their order.
func (p *places) line() {
	p.order = make([]courseware.BlockID, 0, p.branch.Len())
	down := func(id courseware.BlockID) {
		stack := []courseware.BlockID{id}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			p.order = append(p.order, at)
			for _, child := range slices.Backward(p.children[at]) {
				stack = append(stack, child)
			}
		}
	}
	down(p.branch.Root)
	for _, id := range p.orphans {
		down(id)
	}
	p.order = append(p.order, p.pages...)
}

// isPage reports whether blocks of a type are files beside the tree.
func isPage(blockType string) bool {
	spec := fields.Lookup(blockType)
	return spec != nil && spec.Class == fields.Detached
}
