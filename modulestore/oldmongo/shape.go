package oldmongo

import (
	"cmp"
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

	root             courseware.BlockID
	draft, published view
}

// view is the document of each block in one view.
type view map[courseware.BlockID]*node

// shapes makes the courses of a group.
func (g *group) shapes() []*Shape {
	draft, published := g.views()
	g.links(draft, published)
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
		return []*Shape{g.shape(courseware.BlockID{}, draft, published)}
	case 1:
		return []*Shape{g.shape(roots[0], draft, published)}
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
		all = append(all, g.shape(root, mine(draft), mine(published)))
	}
	return all
}

func (g *group) shape(root courseware.BlockID, draft, published view) *Shape {
	s := &Shape{Of: g.of, Run: root.Name, Blocks: len(draft), root: root, draft: draft, published: published}
	s.Problems.Merge(g.tally)
	s.keys()
	counted := map[*node]bool{}
	for _, v := range []view{draft, published} {
		for _, n := range v {
			if counted[n] {
				continue
			}
			counted[n] = true
			s.Bytes += int64(n.size)
			if n.draft {
				s.Drafts++
			}
			if n.edited.After(s.LastEdit) {
				s.LastEdit = n.edited
			}
		}
	}
	return s
}

// Key returns the key of the course, ORG/COURSE/RUN; without a root the run is empty.
func (s *Shape) Key() string { return s.Of.Org + "/" + s.Of.Course + "/" + s.Run }

// maxKey is how long keys may be in the columns that hold them (CV-5).
const maxKey = 255

// keys counts what stands in the way of keys of today (CV-3, CV-5).
func (s *Shape) keys() {
	prefix := len("block-v1:" + s.Of.Org + "+" + s.Of.Course + "+" + s.Run + "+type@" + "+block@")
	if _, err := keys.NewCourse(s.Of.Org, s.Of.Course, s.Run); err != nil && s.Run != "" {
		s.Problems.Add(modulestore.BadKey, s.Key())
	}
	for _, n := range slices.SortedFunc(maps.Values(s.draft), compareNodes) {
		if prefix+len(n.id.Type)+len(n.id.Name) > maxKey {
			s.Problems.Add(modulestore.LongKey, n.where())
		}
	}
}

// views chooses the document that counts for each block (OM-6, OM-18, OM-19).
func (g *group) views() (draft, published view) {
	draft, published = view{}, view{}
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
	for id, n := range published {
		draft[id] = n
	}
	for id, n := range drafts {
		draft[id] = n
	}
	return draft, published
}

// links counts what is wrong with the lists of children together. Everything is looked at in the order of ids, so that
// the same blocks are always the first ones named.
func (g *group) links(draft, published view) {
	var several []courseware.BlockID
	for _, v := range []view{draft, published} {
		several = append(several, v.several()...)
	}
	slices.SortFunc(several, courseware.BlockID.Compare)
	for _, id := range slices.Compact(several) {
		g.tally.Add(modulestore.ManyParents, id.String())
	}
	for _, n := range slices.SortedFunc(slices.Values(g.read(draft, published)), compareNodes) {
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
	g.elsewhere(draft, published)
}

func compareNodes(a, b *node) int {
	return cmp.Or(a.id.Compare(b.id), cmp.Compare(a.where(), b.where()))
}

// read returns the documents that count in one view or the other.
func (g *group) read(draft, published view) (nodes []*node) {
	for id, n := range draft {
		nodes = append(nodes, n)
		if p := published[id]; p != nil && p != n {
			nodes = append(nodes, p)
		}
	}
	return nodes
}

// elsewhere counts blocks that have parents, but none in a view that the block is in (A8): published ones below drafts only,
// and never published ones that only published documents list which could have drafts and have none.
func (g *group) elsewhere(draft, published view) {
	type lists struct{ draft, published, free bool }
	by := map[courseware.BlockID]lists{}
	for _, n := range g.read(draft, published) {
		for _, id := range n.children {
			l := by[id]
			switch {
			case n.draft:
				l.draft = true
			case modulestore.IsDirectOnly(n.id.Type):
				l.free = true
				l.published = true
			default:
				l.published = true
			}
			by[id] = l
		}
	}
	for _, n := range slices.SortedFunc(slices.Values(g.read(draft, draft)), compareNodes) {
		l := by[n.id]
		isPublished := published[n.id] != nil
		if isPublished && l.draft && !l.published || !isPublished && l.published && !l.draft && !l.free {
			g.tally.Add(modulestore.ParentElsewhere, n.where())
		}
	}
}

// several returns the blocks that more than one block of the view lists.
func (v view) several() (ids []courseware.BlockID) {
	parents := map[courseware.BlockID]courseware.BlockID{}
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
	state := make(map[courseware.BlockID]int, len(v))
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
			switch {
			case v[child] == nil || state[child] == done:
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
