package course

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// model is the obvious course: what build reads, as lists. It knows nothing of versions, logs or entities.
type model struct {
	kids map[string][]string // parent → children in order
	text map[string]string   // live block → content
}

func newModel() *model {
	return &model{kids: map[string][]string{}, text: map[string]string{"course/course": "T"}}
}

func (m *model) clone() *model {
	c := &model{kids: map[string][]string{}, text: maps.Clone(m.text)}
	for k, v := range m.kids {
		c.kids[k] = slices.Clone(v)
	}
	return c
}

func (m *model) below(block string) []string {
	out := []string{block}
	for _, child := range m.kids[block] {
		out = append(out, m.below(child)...)
	}
	return out
}

func (m *model) parent(block string) string {
	for p, kids := range m.kids {
		if slices.Contains(kids, block) {
			return p
		}
	}
	return ""
}

func (m *model) drop(block string) {
	gone := m.below(block)
	p := m.parent(block)
	m.kids[p] = slices.DeleteFunc(m.kids[p], func(s string) bool { return s == block })
	for _, b := range gone {
		delete(m.text, b)
		delete(m.kids, b)
	}
}

func (m *model) String() string {
	var out strings.Builder
	var walk func(block string, depth int)
	walk = func(block string, depth int) {
		fmt.Fprintf(&out, "%s%s %s\n", strings.Repeat("\t", depth), block, m.text[block])
		for _, child := range m.kids[block] {
			walk(child, depth+1)
		}
	}
	walk("course/course", 1)
	return "\n" + out.String()
}

func (m *model) pick(r *rand.Rand, kind string) string {
	var list []string
	for b := range m.text {
		if strings.HasPrefix(b, kind) {
			list = append(list, b)
		}
	}
	slices.Sort(list)
	if len(list) == 0 {
		return ""
	}
	return list[r.IntN(len(list))]
}

// TestModel does random operations on a course and on the model, and in the end reads the course at every moment there
// was: each must be what the model was then.
func TestModel(t *testing.T) {
	t.Parallel()
	const steps = 40
	onEveryEngine(t, func(t *testing.T, s *site) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		draft := newModel()
		for i := range 3 {
			unit := fmt.Sprintf("vertical/u%d", i)
			draft.kids["course/course"] = append(draft.kids["course/course"], unit)
			draft.text[unit] = fmt.Sprintf("Unit %d", i)
		}
		_, err := s.bring(Import{}, draft.String())
		s.must(err)
		published := draft.clone()
		then := map[string]string{s.moment("draft"): draft.String(), s.moment("published"): published.String()}
		moments := map[string]*model{s.moment("draft"): draft.clone()}
		next := 0
		for range steps {
			op := r.IntN(9)
			switch unit, leaf := draft.pick(r, "vertical/"), draft.pick(r, "problem/"); {
			case op <= 1 && unit != "": // create
				next++
				block, at := fmt.Sprintf("problem/p%d", next), r.IntN(len(draft.kids[unit])+1)
				s.must(s.create(block, "new", unit, at))
				draft.kids[unit] = slices.Insert(draft.kids[unit], at, block)
				draft.text[block] = "new"
			case op <= 3 && leaf != "": // edit
				text := fmt.Sprintf("edit %d", r.IntN(3))
				s.must(s.edit(leaf, text, nil))
				draft.text[leaf] = text
			case op == 4 && leaf != "" && unit != "": // move
				from := draft.parent(leaf)
				draft.kids[from] = slices.DeleteFunc(draft.kids[from], func(b string) bool { return b == leaf })
				at := r.IntN(len(draft.kids[unit]) + 1)
				s.must(s.move(unit, at, leaf))
				draft.kids[unit] = slices.Insert(draft.kids[unit], at, leaf)
			case op == 5 && leaf != "": // delete
				gone := leaf
				if r.IntN(4) == 0 && unit != "" {
					gone = unit
				}
				s.must(s.remove(gone))
				draft.drop(gone)
			case op == 6:
				_, err := s.publish()
				s.must(err)
				published = draft.clone()
			case op == 7:
				_, err := s.discard()
				s.must(err)
				draft = published.clone()
			case op == 8:
				to := slices.Sorted(maps.Keys(moments))[r.IntN(len(moments))]
				s.must(s.restore(to))
				draft = moments[to].clone()
			}
			if got := s.at("draft"); got != draft.String() {
				t.Fatalf("seed %d: draft is%swant%s", seed, got, draft)
			}
			if got := s.at("published"); got != published.String() {
				t.Fatalf("seed %d: published is%swant%s", seed, got, published)
			}
			then[s.moment("draft")], then[s.moment("published")] = draft.String(), published.String()
			moments[s.moment("draft")] = draft.clone()
		}
		for moment, want := range then {
			if got := s.at(moment); got != want {
				t.Errorf("seed %d: %s is%swant%s", seed, moment, got, want)
			}
		}
	})
}
