package conformance

import (
	"maps"
	"slices"
)

// model is the content store as content-model.md defines it, kept in maps and computed anew each time: slow and plain
// to read. Entities are named by their ref, versions by their number, 0 standing for none.
type model struct {
	entities map[string]*thing
	refs     []string // in the order of creation
}

// thing is an entity.
type thing struct {
	versions         map[int][]string // dependencies by number
	draft, published pointer
}

// pointer is a branch of an entity; the zero pointer means that there is no row.
type pointer struct {
	row bool
	num int
}

// side tells the branches apart.
type side func(*thing) *pointer

func onDraft(t *thing) *pointer     { return &t.draft }
func onPublished(t *thing) *pointer { return &t.published }

// move is a record of a log.
type move struct {
	Old, New int
	Direct   bool
}

// entry is what an operation wrote to a log.
type entry struct {
	moves map[string]move
	order []string // of direct moves
	edges [][2]string
}

func newModel() *model { return &model{entities: map[string]*thing{}} }

func (m *model) clone() *model {
	c := &model{entities: map[string]*thing{}, refs: slices.Clone(m.refs)}
	for ref, t := range m.entities {
		x := *t
		x.versions = maps.Clone(t.versions)
		c.entities[ref] = &x
	}
	return c
}

func (m *model) create(ref string) bool {
	if m.entities[ref] != nil {
		return false
	}
	m.entities[ref] = &thing{versions: map[int][]string{}}
	m.refs = append(m.refs, ref)
	return true
}

func (t *thing) latest() int {
	n := 0
	for v := range t.versions {
		n = max(n, v)
	}
	return n
}

// deps returns the dependencies of the version that a branch points to.
func (m *model) deps(ref string, s side) []string {
	return m.entities[ref].versions[s(m.entities[ref]).num]
}

// heads returns the live pointers of a branch.
func (m *model) heads(s side) map[string]int {
	live := map[string]int{}
	for ref, t := range m.entities {
		if n := s(t).num; n != 0 {
			live[ref] = n
		}
	}
	return live
}

// cyclic reports whether an entity depends on itself on a branch.
func (m *model) cyclic(s side) bool {
	const open, done = 1, 2
	mark := map[string]int{}
	var visit func(ref string) bool
	visit = func(ref string) bool {
		if mark[ref] != 0 {
			return mark[ref] == open
		}
		mark[ref] = open
		if slices.ContainsFunc(m.deps(ref, s), visit) {
			return true
		}
		mark[ref] = done
		return false
	}
	return slices.ContainsFunc(m.refs, visit)
}

// log completes direct moves, already done, with everything above them.
func (m *model) log(direct map[string]move, order []string, s side) entry {
	e := entry{moves: maps.Clone(direct), order: order, edges: [][2]string{}}
	for grown := true; grown; {
		grown = false
		for _, parent := range m.refs {
			for _, child := range m.deps(parent, s) {
				if _, hit := e.moves[child]; !hit {
					continue
				}
				if edge := [2]string{child, parent}; !slices.Contains(e.edges, edge) {
					e.edges = append(e.edges, edge)
					grown = true
				}
				if _, known := e.moves[parent]; !known {
					n := s(m.entities[parent]).num
					e.moves[parent] = move{Old: n, New: n}
				}
			}
		}
	}
	return e
}

// changing is a change set on the model.
type changing struct {
	m     *model
	first map[string]int // drafts at first touch
	order []string       // of first touch; a move that was undone goes to the end when it is done again
}

func (m *model) change() *changing { return &changing{m: m, first: map[string]int{}} }

func (c *changing) set(ref string, num int) {
	t := c.m.entities[ref]
	was := t.draft.num
	t.draft.row = true
	if was == num {
		return
	}
	if _, touched := c.first[ref]; !touched {
		c.first[ref] = was
		c.order = append(c.order, ref)
	} else if was == c.first[ref] {
		c.order = append(slices.DeleteFunc(c.order, func(r string) bool { return r == ref }), ref)
	}
	t.draft.num = num
}

func (c *changing) version(ref string, num int, deps []string) (int, bool) {
	t := c.m.entities[ref]
	if num == 0 {
		num = t.latest() + 1
	}
	if _, taken := t.versions[num]; taken {
		return 0, false
	}
	slices.Sort(deps)
	t.versions[num] = slices.Compact(deps)
	c.set(ref, num)
	return num, true
}

func (c *changing) reset(only []string) {
	for _, ref := range c.m.refs {
		t := c.m.entities[ref]
		if (only == nil || slices.Contains(only, ref)) && t.draft.num != t.published.num {
			c.set(ref, t.published.num)
		}
	}
}

// end returns the log, without moves if none is left.
func (c *changing) end() entry {
	direct, order := map[string]move{}, []string{}
	for _, ref := range c.order {
		if x := (move{Old: c.first[ref], New: c.m.entities[ref].draft.num, Direct: true}); x.Old != x.New {
			direct[ref] = x
			order = append(order, ref)
		}
	}
	return c.m.log(direct, order, onDraft)
}

// closure returns what publishing the given entities takes along.
func (m *model) closure(given []string) []string {
	var along []string
	seen := map[string]bool{}
	var visit func(ref string)
	visit = func(ref string) {
		for _, d := range m.deps(ref, onDraft) {
			if t := m.entities[d]; !seen[d] {
				seen[d] = true
				if t.draft.num != t.published.num && !slices.Contains(given, d) {
					along = append(along, d)
				}
				visit(d)
			}
		}
	}
	for _, ref := range given {
		visit(ref)
	}
	slices.Sort(along)
	return along
}

// shallow reports whether the given entities can be published without dependencies.
func (m *model) shallow(given []string) bool {
	for _, ref := range given {
		for _, d := range m.deps(ref, onDraft) {
			if t := m.entities[d]; t.draft.row && !t.published.row {
				return false
			}
		}
	}
	return true
}

func (m *model) publish(given, along []string) entry {
	direct := map[string]move{}
	for i, ref := range append(slices.Clone(given), along...) {
		t := m.entities[ref]
		direct[ref] = move{Old: t.published.num, New: t.draft.num, Direct: i < len(given)}
	}
	for ref := range direct {
		t := m.entities[ref]
		t.published = pointer{row: true, num: t.draft.num}
	}
	return m.log(direct, given, onPublished)
}

// unpublished returns the entities whose draft differs from what is published.
func (m *model) unpublished() []string {
	list := []string{}
	for _, ref := range m.refs {
		if t := m.entities[ref]; t.draft.num != t.published.num {
			list = append(list, ref)
		}
	}
	return list
}

// contains reports whether an entity or anything below it differs between the branches.
func (m *model) contains(ref string) bool {
	t := m.entities[ref]
	if t.draft.num != t.published.num {
		return true
	}
	return slices.ContainsFunc(m.deps(ref, onDraft), m.contains)
}
