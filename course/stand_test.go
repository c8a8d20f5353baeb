package course

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// nested has units in units, so that blocks can move up and down.
const nested = `
	course/course T
		chapter/c1 C1
			sequential/s1 S1
				vertical/a A
					problem/p1 one
					library_content/l1 L
						problem/p2 two
				vertical/b B
					problem/p3 three
			sequential/s2 S2
				vertical/c C
`

// stands fails unless both branches are trees: every block in one list, and reached from the root. The outline of the
// drafts must have each block of either branch once.
func (s *site) stands() {
	s.t.Helper()
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		both := map[string]bool{}
		for branch, at := range map[string]publishing.Moment{"draft": publishing.Draft(), "published": publishing.Published()} {
			t, err := c.snapshot(s.ctx, tx, at)
			if err != nil {
				return err
			}
			lists := t.listings()
			reached := t.below(t.root)
			for ref := range t.nodes {
				both[ref] = true
				if ref != t.root && len(lists[ref]) != 1 {
					s.t.Errorf("%s: %s stands under %v", branch, ref, lists[ref])
				}
				if !slices.Contains(reached, ref) {
					s.t.Errorf("%s: %s is not reached from the root", branch, ref)
				}
			}
		}
		m, err := c.Resolve(s.ctx, tx, "draft")
		if err != nil {
			return err
		}
		o, err := c.Show(s.ctx, tx, m, -1)
		if err != nil {
			return err
		}
		seen := map[string]int{}
		var walk func(*Outline)
		walk = func(o *Outline) {
			seen[blockRef(courseware.BlockID{Type: o.Type, Name: o.ID})]++
			for _, child := range o.Children {
				walk(child)
			}
		}
		walk(o.Outline)
		for ref := range both {
			if seen[ref] != 1 {
				s.t.Errorf("the outline shows %s %d times", ref, seen[ref])
			}
		}
		return nil
	}))
}

// TestStaysATree does random things to some of the blocks of a course: moves are published, discarded and restored in
// part or refused, but no block is ever in two places or in none.
func TestStaysATree(t *testing.T) {
	t.Parallel()
	for range 4 {
		s := onSQLite(t)
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		_, err := s.bring(Import{}, nested)
		s.must(err)
		for range 40 {
			all := slices.Sorted(maps.Keys(s.titles()))
			if len(all) == 0 {
				s.must(s.restore("p1"))
				continue
			}
			some := make([]string, 1+r.IntN(2))
			for i := range some {
				some[i] = all[r.IntN(len(all))]
			}
			moment := s.history()[r.IntN(len(s.history()))]
			op := r.IntN(8)
			switch op {
			case 0, 1, 2:
				err = s.move(all[r.IntN(len(all))], -1, some...)
			case 3:
				err = s.remove(some...)
			case 4:
				_, err = s.publish(some...)
			case 5:
				_, err = s.discard(some...)
			case 6, 7:
				err = s.restore(moment, some...)
			}
			switch {
			case err == nil, fault.Is(err, fault.Refused), fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid), fault.Is(err, fault.Usage):
			default:
				t.Fatalf("seed %d: %v", seed, err)
			}
			if s.stands(); t.Failed() {
				t.Fatalf("seed %d: after step %d on %v at %s: %v", seed, op, some, moment, err)
			}
		}
	}
}

// titles returns the blocks that are live in draft or published, without the root.
func (s *site) titles() map[string]bool {
	s.t.Helper()
	out := map[string]bool{}
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		pointers, err := publishing.AllPointers(s.ctx, tx, c.Package.ID)
		for _, p := range pointers {
			if id, ok := refBlock(p.Ref); ok && id != c.RootID() && (p.Draft.Live() || p.Published.Live()) {
				out[id.String()] = true
			}
		}
		return err
	}))
	return out
}

func (s *site) history() []string {
	s.t.Helper()
	var out []string
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		entries, err := c.History(s.ctx, tx, HistoryFilter{})
		for _, e := range entries {
			out = append(out, e.Moment)
		}
		return err
	}))
	return out
}

func TestMoveNamesABlockOnce(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, nested)
	s.must(err)
	if err := s.move("vertical/c", -1, "problem/p1", "problem/p1"); !fault.Is(err, fault.Usage) {
		t.Errorf("moving a block twice: %v, want a usage error", err)
	}
}

// A block that moved is published, or discarded, with both of its parents or not at all, in whatever order they are named.
func TestPublishOfMoves(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, nested)
	s.must(err)
	s.must(s.move("vertical/c", -1, "problem/p1"))
	for _, do := range []func(...string) (*Written, error){s.publish, s.discard} {
		for _, alone := range []string{"problem/p1", "vertical/a", "vertical/c"} {
			if _, err := do(alone); !fault.Is(err, fault.Refused) {
				t.Errorf("%s alone: %v, want it refused", alone, err)
			}
		}
	}
	if _, err := s.publish("problem/p1", "vertical/a", "vertical/c"); err != nil {
		t.Errorf("the block and both parents: %v", err)
	}
	s.stands()
}

// The deletion of a block is not discarded where its parent is deleted too: nothing would list it.
func TestDiscardNeedsTheParent(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, nested)
	s.must(err)
	s.must(s.remove("vertical/a"))
	if _, err := s.discard("library_content/l1"); !fault.Is(err, fault.Refused) {
		t.Errorf("discard below a deleted block: %v, want it refused", err)
	}
	_, err = s.discard("vertical/a")
	s.must(err)
	s.wants("draft", nested)
}
