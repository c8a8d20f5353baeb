package containers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
)

// model is a slow, obvious store of one unit: every version's rows, and each component's draft.
type model struct {
	versions [][]Child // by number - 1
	live     map[publishing.EntityID]bool
}

// next is what section 11.1 says of a next version.
func (m *model) next(a Action, given []Child) []Child {
	latest := m.versions[len(m.versions)-1]
	switch a {
	case Keep:
		return latest
	case Replace:
		return given
	case Append:
		return slices.Concat(latest, given)
	}
	var out []Child
	for _, row := range latest {
		if !slices.Contains(given, row) {
			out = append(out, row)
		}
	}
	return out
}

// read is what section 11.4 says of a draft read, pinned children negative.
func (m *model) read(rows []Child) []publishing.EntityID {
	out := []publishing.EntityID{}
	for _, c := range rows {
		switch {
		case c.Pin != 0:
			out = append(out, -c.Entity)
		case m.live[c.Entity]:
			out = append(out, c.Entity)
		}
	}
	return out
}

// testLawsAtRandom does random things to a unit and holds every version and read against the model (laws 49-53).
func testLawsAtRandom(t *testing.T, f *fixture) {
	rnd := rand.New(rand.NewPCG(1, uint64(f.pkg.ID)))
	var parts []publishing.EntityID
	pins := map[publishing.EntityID][]publishing.VersionID{}
	m := &model{versions: [][]Child{nil}, live: map[publishing.EntityID]bool{}}
	for i := range 3 {
		id := f.problem(fmt.Sprint("p", i))
		parts, m.live[id] = append(parts, id), true
		pins[id] = []publishing.VersionID{f.head(id)}
	}
	u := f.container(Unit, "u")
	some := func() (out []Child) {
		for range rnd.IntN(4) {
			c := Child{Entity: parts[rnd.IntN(len(parts))]}
			if rnd.IntN(3) == 0 {
				c.Pin = pins[c.Entity][rnd.IntN(len(pins[c.Entity]))]
			}
			out = append(out, c)
		}
		return out
	}
	for step := range 40 {
		part := parts[rnd.IntN(len(parts))]
		switch rnd.IntN(5) {
		case 0:
			pins[part] = append(pins[part], f.edit(part))
			m.live[part] = true
		case 1:
			f.setDraft(part, 0)
			m.live[part] = false
		case 2:
			f.setDraft(part, pins[part][rnd.IntN(len(pins[part]))])
			m.live[part] = true
		default:
			a, given := Action(rnd.IntN(4)), some()
			if a == Keep {
				given = nil
			}
			m.versions = append(m.versions, m.next(a, given))
			f.next(NextVersion{Entity: u, Action: a, Children: given})
		}
		if diff := cmp.Diff(m.read(m.versions[len(m.versions)-1]), f.entries(u, false)); diff != "" {
			t.Fatalf("step %d: read (-want +got):\n%s", step, diff)
		}
	}
	vs, err := publishing.VersionsOf(t.Context(), f, u)
	if err != nil || len(vs) != len(m.versions) {
		t.Fatalf("%d versions, %v, want %d", len(vs), err, len(m.versions))
	}
	for i, v := range vs {
		if diff := cmp.Diff(m.versions[i], f.rows(v.ID), cmp.Transformer("empty", func(c []Child) []Child { return append([]Child{}, c...) })); diff != "" {
			t.Errorf("version %d (-want +got):\n%s", v.Num, diff)
		}
	}
}
