package oldmongo

import (
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

	in               *group
	root             courseware.BlockID
	draft, published view
}

// view is the document of each block of a group in one view, by number; nil where there is none.
type view []*node

func (v view) len() (n int) {
	for _, at := range v {
		if at != nil {
			n++
		}
	}
	return n
}

// shapes makes the courses of a group.
func (g *group) shapes() []*Shape {
	draft, published := g.views()
	nodes := read(draft, published)
	g.links(draft, published, nodes)
	var roots []int32
	for i, n := range published {
		if n != nil && g.names[i].name == "course" {
			roots = append(roots, int32(i))
		}
	}
	g.sort(roots)
	switch len(roots) {
	case 0:
		g.tally.Add(modulestore.NoRoot, g.of.Org+"/"+g.of.Course)
		return []*Shape{g.shape(courseware.BlockID{}, draft, published, nodes)}
	case 1:
		return []*Shape{g.shape(g.names[roots[0]].id, draft, published, nodes)}
	}
	g.tally.Add(modulestore.TwoRoots, g.names[roots[1]].id.String())
	var all []*Shape
	for _, root := range roots {
		// What only another root leads to is that one's; what no root leads to belongs to all (OM-4).
		others := make([]bool, len(g.names))
		for _, other := range roots {
			if other != root {
				draft.reach(other, others)
				published.reach(other, others)
			}
		}
		own := make([]bool, len(g.names))
		draft.reach(root, own)
		published.reach(root, own)
		mine := func(v view) view {
			part := make(view, len(v))
			for i, n := range v {
				if own[i] || !others[i] {
					part[i] = n
				}
			}
			return part
		}
		d, p := mine(draft), mine(published)
		all = append(all, g.shape(g.names[root].id, d, p, read(d, p)))
	}
	return all
}

// sort orders blocks by their ids.
func (g *group) sort(blocks []int32) {
	slices.SortFunc(blocks, func(a, b int32) int { return g.names[a].id.Compare(g.names[b].id) })
}

func (g *group) shape(root courseware.BlockID, draft, published view, nodes []*node) *Shape {
	s := &Shape{Of: g.of, Run: root.Name, Blocks: draft.len(), Root: g.roots[root.Name].values, in: g, root: root, draft: draft, published: published}
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
	var found findings
	for _, n := range nodes {
		if id := s.in.names[n.block].id; s.draft[n.block] == n && prefix+len(id.Type)+len(id.Name) > maxKey {
			found = append(found, finding{modulestore.LongKey, n, -1})
		}
	}
	s.in.tell(found, &s.Problems)
}

// finding is something that is wrong with a document, and maybe one of its children.
type finding struct {
	rule  modulestore.Rule
	at    *node
	child int32 // -1 for none
}

type findings []finding

// tell counts findings in the order of ids, so that the same blocks are always the first ones named.
func (g *group) tell(found findings, into *modulestore.Tally) {
	slices.SortStableFunc(found, func(a, b finding) int { return g.compare(a.at, b.at) })
	for _, f := range found {
		text := g.where(f.at)
		if f.child >= 0 {
			text += ": " + g.names[f.child].id.String()
		}
		into.Add(f.rule, text)
	}
}

// views chooses the document that counts for each block (OM-6, OM-18, OM-19).
func (g *group) views() (draft, published view) {
	published, draft = make(view, len(g.names)), make(view, len(g.names))
	for i := range g.nodes {
		n := &g.nodes[i]
		if is := &g.names[n.block]; n.draft && is.direct {
			rule := modulestore.DraftOfDirect
			if is.name == "course" {
				rule = modulestore.RootDraft
			}
			g.tally.Add(rule, g.where(n))
			continue
		}
		in := published
		if n.draft {
			in = draft
		}
		if old := in[n.block]; old != nil {
			if old.ordered == n.ordered {
				g.tally.Add(modulestore.DuplicateBlock, g.where(n))
			}
			if old.ordered || !n.ordered {
				continue
			}
		}
		in[n.block] = n
	}
	for i, n := range published {
		if draft[i] == nil {
			draft[i] = n
		}
	}
	return draft, published
}

// links counts what is wrong with the lists of children together.
func (g *group) links(draft, published view, nodes []*node) {
	several := append(draft.several(), published.several()...)
	g.sort(several)
	for _, block := range slices.Compact(several) {
		g.tally.Add(modulestore.ManyParents, g.names[block].id.String())
	}
	var found findings
	for _, n := range nodes {
		for _, block := range n.children {
			if draft[block] == nil {
				found = append(found, finding{modulestore.DanglingChild, n, block})
			}
		}
	}
	g.tell(found, &g.tally)
	cycles := append(g.cycles(draft), g.cycles(published)...)
	g.sort(cycles)
	for _, block := range slices.Compact(cycles) {
		g.tally.Add(modulestore.Cycle, g.names[block].id.String())
	}
	g.parents(draft, published, nodes)
}

// read returns the documents that count in one view or the other.
func read(draft, published view) []*node {
	nodes := make([]*node, 0, len(draft))
	for i, n := range draft {
		if n != nil {
			nodes = append(nodes, n)
		}
		if p := published[i]; p != nil && p != n {
			nodes = append(nodes, p)
		}
	}
	return nodes
}

// parents counts blocks that have no parent at all (OM-28), and those that have some, but none in a view that the block is in
// (A8): published ones below drafts only, and never published ones that only published documents list which could have drafts
// and have none.
func (g *group) parents(draft, published view, nodes []*node) {
	const byDraft, byPublished, byDirect = 1, 2, 4
	by := make([]uint8, len(g.names))
	for _, n := range nodes {
		how := uint8(byPublished)
		switch {
		case n.draft:
			how = byDraft
		case g.names[n.block].direct:
			how = byPublished | byDirect
		}
		for _, block := range n.children {
			by[block] |= how
		}
	}
	var found findings
	for i, n := range draft {
		if n == nil {
			continue
		}
		how, is := by[i], &g.names[i]
		isPublished := !n.draft || published[i] != nil
		switch {
		case how == 0 && is.name != "course" && !is.detached:
			found = append(found, finding{modulestore.Unlisted, n, -1})
		case isPublished && how == byDraft, !isPublished && how == byPublished:
			found = append(found, finding{modulestore.ParentElsewhere, n, -1})
		}
	}
	g.tell(found, &g.tally)
}

// several returns the blocks that more than one block of the view lists.
func (v view) several() (blocks []int32) {
	parents := make([]int32, len(v)) // from 1
	for parent, n := range v {
		if n == nil {
			continue
		}
		for _, block := range n.children {
			if first := parents[block]; first != 0 && first != int32(parent)+1 {
				blocks = append(blocks, block)
			}
			parents[block] = int32(parent) + 1
		}
	}
	return blocks
}

// reach notes a block and everything below it.
func (v view) reach(block int32, into []bool) {
	stack := []int32{block}
	for len(stack) > 0 {
		block := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n := v[block]; n != nil && !into[block] {
			into[block] = true
			stack = append(stack, n.children...)
		}
	}
}

// cycles returns the blocks whose lists lead back to a block above them.
func (g *group) cycles(v view) (blocks []int32) {
	const open, done = 1, 2
	type step struct {
		block int32
		next  int
	}
	var containers []int32
	for i, n := range v {
		if n != nil && len(n.children) > 0 {
			containers = append(containers, int32(i))
		}
	}
	g.sort(containers) // in a circle it is the first one that counts
	state := make([]uint8, len(v))
	var stack []step
	for _, start := range containers {
		if state[start] != 0 {
			continue
		}
		state[start] = open
		stack = append(stack[:0], step{start, 0})
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			children := v[top.block].children
			if top.next == len(children) {
				state[top.block] = done
				stack = stack[:len(stack)-1]
				continue
			}
			child := children[top.next]
			top.next++
			if below := v[child]; below == nil || len(below.children) == 0 {
				continue
			}
			switch state[child] {
			case done:
			case open:
				blocks = append(blocks, top.block)
			default:
				state[child] = open
				stack = append(stack, step{child, 0})
			}
		}
	}
	return blocks
}
