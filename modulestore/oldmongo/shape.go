package oldmongo

import (
	"maps"
	"slices"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
)

// Shape is a course without the fields of its blocks.
type Shape struct {
	Of  modulestore.OldCourse
	Run string // "" where there is no course root
	// Blocks are the blocks of the draft view, Drafts the draft documents that are read.
	Blocks, Drafts int
	Bytes          int64 // of all documents
	LastEdit       time.Time
	Problems       modulestore.Tally
	// Root are the fields of the root that the census was asked to keep; none without a root.
	Root courseware.Fields

	root             courseware.BlockID
	draft, published view
}

// view is the document of each block in one view.
type view map[courseware.BlockID]*node

// shapes makes the courses of a group.
func (g *group) shapes() []*Shape {
	draft, published := g.views()
	nodes := read(draft, published)
	g.links(draft, published, nodes)
	var roots []courseware.BlockID
	for id := range published {
		if id.Type == "course" {
			roots = append(roots, id)
		}
	}
	slices.SortFunc(roots, courseware.BlockID.Compare)
	switch len(roots) {
	case 0:
		g.tally.Add(modulestore.NoRoot, g.of.Org+"/"+g.of.Course)
		return []*Shape{g.shape(courseware.BlockID{}, draft, published, nodes)}
	case 1:
		return []*Shape{g.shape(roots[0], draft, published, nodes)}
	}
	g.tally.Add(modulestore.TwoRoots, roots[1].String())
	var all []*Shape
	for _, root := range roots {
		// What only another root leads to is that one's; what no root leads to belongs to all (OM-4).
		others := map[courseware.BlockID]bool{}
		for _, other := range roots {
			if other != root {
				draft.reach(other, others)
				published.reach(other, others)
			}
		}
		own := map[courseware.BlockID]bool{}
		draft.reach(root, own)
		published.reach(root, own)
		mine := func(v view) view {
			part := make(view, len(v))
			for id, n := range v {
				if own[id] || !others[id] {
					part[id] = n
				}
			}
			return part
		}
		d, p := mine(draft), mine(published)
		all = append(all, g.shape(root, d, p, read(d, p)))
	}
	return all
}

func (g *group) shape(root courseware.BlockID, draft, published view, nodes []*node) *Shape {
	s := &Shape{Of: g.of, Run: root.Name, Blocks: len(draft), Root: g.roots[root.Name].values, root: root, draft: draft, published: published}
	s.Problems.Merge(g.tally)
	s.keys(nodes)
	for _, n := range nodes {
		s.Bytes += int64(n.size)
		if n.draft {
			s.Drafts++
		}
		if n.edited.After(s.LastEdit) {
			s.LastEdit = n.edited
		}
	}
	return s
}

// Key returns the key of the course, ORG/COURSE/RUN; without a root the run is empty.
func (s *Shape) Key() string { return s.Of.Org + "/" + s.Of.Course + "/" + s.Run }

// maxKey is how long keys may be in the columns that hold them (CV-5).
const maxKey = 255

// keys counts what stands in the way of keys of today (CV-3, CV-5).
func (s *Shape) keys(nodes []*node) {
	prefix := len("block-v1:" + s.Of.Org + "+" + s.Of.Course + "+" + s.Run + "+type@" + "+block@")
	if _, err := keys.NewCourse(s.Of.Org, s.Of.Course, s.Run); err != nil && s.Run != "" {
		s.Problems.Add(modulestore.BadKey, s.Key())
	}
	for _, n := range nodes {
		if s.draft[n.id] == n && prefix+len(n.id.Type)+len(n.id.Name) > maxKey {
			s.Problems.Add(modulestore.LongKey, n.where())
		}
	}
}

// views chooses the document that counts for each block (OM-6, OM-18, OM-19).
func (g *group) views() (draft, published view) {
	published = make(view, len(g.nodes))
	drafts := view{}
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.draft && modulestore.IsDirectOnly(n.id.Type) {
			rule := modulestore.DraftOfDirect
			if n.id.Type == "course" {
				rule = modulestore.RootDraft
			}
			g.tally.Add(rule, n.where())
			continue
		}
		in := published
		if n.draft {
			in = drafts
		}
		if old := in[n.id]; old != nil {
			if old.ordered == n.ordered {
				g.tally.Add(modulestore.DuplicateBlock, n.where())
			}
			if old.ordered || !n.ordered {
				continue
			}
		}
		in[n.id] = n
	}
	draft = maps.Clone(published)
	for id, n := range drafts {
		draft[id] = n
	}
	return draft, published
}

// links counts what is wrong with the lists of children together. Nodes come in the order of ids, so that the same blocks are
// always the first ones named.
func (g *group) links(draft, published view, nodes []*node) {
	var several []courseware.BlockID
	for _, v := range []view{draft, published} {
		several = append(several, v.several()...)
	}
	slices.SortFunc(several, courseware.BlockID.Compare)
	for _, id := range slices.Compact(several) {
		g.tally.Add(modulestore.ManyParents, id.String())
	}
	for _, n := range nodes {
		for _, id := range n.children {
			if draft[id] == nil {
				g.tally.Add(modulestore.DanglingChild, n.where()+": "+id.String())
			}
		}
	}
	cycles := draft.cycles()
	for _, id := range published.cycles() {
		if !slices.Contains(cycles, id) {
			cycles = append(cycles, id)
		}
	}
	for _, id := range cycles {
		g.tally.Add(modulestore.Cycle, id.String())
	}
	g.parents(draft, published, nodes)
}

func compareNodes(a, b *node) int {
	if c := a.id.Compare(b.id); c != 0 || a.draft == b.draft {
		return c
	}
	if a.draft {
		return 1
	}
	return -1
}

// read returns the documents that count in one view or the other, ordered by id, a draft behind its published twin.
func read(draft, published view) []*node {
	nodes := make([]*node, 0, len(draft))
	for id, n := range draft {
		nodes = append(nodes, n)
		if p := published[id]; p != nil && p != n {
			nodes = append(nodes, p)
		}
	}
	slices.SortFunc(nodes, compareNodes)
	return nodes
}

// parents counts blocks that have no parent at all (OM-28), and those that have some, but none in a view that the block is in
// (A8): published ones below drafts only, and never published ones that only published documents list which could have drafts
// and have none.
func (g *group) parents(draft, published view, nodes []*node) {
	const byDraft, byPublished, byDirect = 1, 2, 4
	by := make(map[courseware.BlockID]uint8, len(draft))
	for _, n := range nodes {
		how := uint8(byPublished)
		switch {
		case n.draft:
			how = byDraft
		case modulestore.IsDirectOnly(n.id.Type):
			how = byPublished | byDirect
		}
		for _, id := range n.children {
			by[id] |= how
		}
	}
	for _, n := range nodes {
		if draft[n.id] != n {
			continue
		}
		how := by[n.id]
		isPublished := !n.draft || published[n.id] != nil
		switch {
		case how == 0 && n.id.Type != "course" && !modulestore.IsDetached(n.id.Type):
			g.tally.Add(modulestore.Unlisted, n.where())
		case isPublished && how == byDraft, !isPublished && how == byPublished:
			g.tally.Add(modulestore.ParentElsewhere, n.where())
		}
	}
}

// several returns the blocks that more than one block of the view lists.
func (v view) several() (ids []courseware.BlockID) {
	parents := make(map[courseware.BlockID]courseware.BlockID, len(v))
	for parent, n := range v {
		for _, id := range n.children {
			if first, has := parents[id]; has && first != parent {
				ids = append(ids, id)
			}
			parents[id] = parent
		}
	}
	return ids
}

// reach notes a block and everything below it.
func (v view) reach(id courseware.BlockID, into map[courseware.BlockID]bool) {
	stack := []courseware.BlockID{id}
	for len(stack) > 0 {
		id := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n := v[id]; n != nil && !into[id] {
			into[id] = true
			stack = append(stack, n.children...)
		}
	}
}

// cycles returns the blocks whose lists lead back to a block above them, in the order of ids.
func (v view) cycles() (ids []courseware.BlockID) {
	const open, done = 1, 2
	type step struct {
		id   courseware.BlockID
		next int
	}
	containers := make([]courseware.BlockID, 0, len(v))
	for id, n := range v {
		if len(n.children) > 0 {
			containers = append(containers, id)
		}
	}
	slices.SortFunc(containers, courseware.BlockID.Compare)
	state := make(map[courseware.BlockID]int, len(containers))
	for _, start := range containers {
		if state[start] != 0 {
			continue
		}
		state[start] = open
		stack := []step{{start, 0}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			children := v[top.id].children
			if top.next == len(children) {
				state[top.id] = done
				stack = stack[:len(stack)-1]
				continue
			}
			child := children[top.next]
			top.next++
			if below := v[child]; below == nil || len(below.children) == 0 {
				continue
			}
			switch {
			case state[child] == done:
			case state[child] == open:
				ids = append(ids, top.id)
			default:
				state[child] = open
				stack = append(stack, step{child, 0})
			}
		}
	}
	slices.SortFunc(ids, courseware.BlockID.Compare)
	return slices.Compact(ids)
}
