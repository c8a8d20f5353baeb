package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// laws makes random changes and compares the store with the model after each.
func laws(t *testing.T, open func(t *testing.T) []*db.DB) {
	shared := open(t)
	runs := 4
	if shared[0].Engine() == db.SQLite {
		runs = 15
	}
	users, err := makeUsers(t.Context(), shared[0])
	if err != nil {
		t.Fatal(err)
	}
	for seed := range runs {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			w := &walk{T: t, nodes: newNodes(shared), r: rand.New(rand.NewPCG(uint64(seed), 1)), users: users}
			w.start(t.Context())
			for range 30 {
				if w.next(t.Context()); t.Failed() {
					t.Fatalf("after these operations:\n%s", w.done())
				}
			}
			w.past(t.Context())
		})
	}
}

// walk is one run of random operations on two packages; the second is there to be kept apart.
type walk struct {
	*testing.T
	nodes
	r     *rand.Rand
	users map[string]publishing.UserID
	pkgs  []*home
	trace []string
	clock int
}

// home is a package with its model.
type home struct {
	publishing.Package
	m        *model
	ids      map[string]publishing.EntityID
	refs     map[publishing.EntityID]string
	versions map[string]map[int]publishing.Version // as they were when made
	deps     map[publishing.VersionID][]publishing.EntityID
	drafts   []moment // after each draft log
	publ     []moment // after each publish log
}

// moment is the state after a log.
type moment struct {
	log   publishing.Log
	heads map[string]int
}

// errGivenUp is the caller's error in a change set that is to leave nothing.
var errGivenUp = errors.New("given up")

func (w *walk) start(ctx context.Context) {
	for i := range 2 {
		ref := fmt.Sprintf("%s %d", w.Name(), i)
		err := w.d.Update(ctx, func(tx *db.Tx) error {
			p, err := publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: ref, Title: "Laws"})
			w.pkgs = append(w.pkgs[:i:i], &home{
				Package: p, m: newModel(), ids: map[string]publishing.EntityID{}, refs: map[publishing.EntityID]string{},
				versions: map[string]map[int]publishing.Version{}, deps: map[publishing.VersionID][]publishing.EntityID{},
			})
			return err
		})
		w.must(err)
	}
}

func (w *walk) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%v, after these operations:\n%s", err, w.done())
	}
}

func (w *walk) done() (s string) {
	for i, line := range w.trace {
		s += fmt.Sprintf("%3d %s\n", i+1, line)
	}
	return s
}

func (w *walk) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

// now returns the time of the running operation; every operation has a later one.
func (w *walk) now() time.Time { return minute(w.clock) }

// op is an operation on the store, decided before it runs, and on the models of the package and of the other one. Both
// may be run several times, each time from the same state.
type op struct {
	text  string
	store func(ctx context.Context, tx *db.Tx) error
	model func(m, other *model) outcome
}

// outcome is what the model says of an operation: that it must be refused, or the logs it writes.
type outcome struct {
	refused           bool
	drafts, publishes []entry
	aside             []entry // draft logs of the other package
}

var refusal = outcome{refused: true}

// next runs a random operation.
func (w *walk) next(ctx context.Context) {
	w.clock++
	h, other := w.pkgs[0], w.pkgs[1]
	if w.r.IntN(6) == 0 {
		h, other = other, h
	}
	var o op
	switch n := w.r.IntN(20); {
	case n < 3 || len(h.m.refs) < 3:
		o = w.create(h)
	case n < 12:
		o = w.change(h, other)
	case n < 15:
		o = w.publishAll(h)
	case n < 18:
		o = w.publish(h)
	default:
		o = w.reset(h)
	}
	w.note("%s: %s", h.Ref, o.text)
	m, aside := h.m.clone(), other.m.clone()
	out := o.model(m, aside)
	before := w.picture(ctx, h) + w.picture(ctx, other)
	w.move()
	err := w.d.Update(ctx, func(tx *db.Tx) error { return o.store(ctx, tx) })
	w.move()
	if out.refused != (err != nil) {
		w.Fatalf("%s: error %v, want a refusal: %v; after these operations:\n%s", o.text, err, out.refused, w.done())
	}
	if err != nil {
		w.trace[len(w.trace)-1] += " (refused: " + err.Error() + ")"
		if !errors.Is(err, errGivenUp) && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound) {
			w.Errorf("refused by %v (%s)", err, fault.KindOf(err).Code())
		}
		if got := w.picture(ctx, h) + w.picture(ctx, other); got != before {
			w.Errorf("something is left of a refused operation:\n%s\n%s", before, got)
		}
		return
	}
	h.m, other.m = m, aside
	w.check(ctx, h, out.drafts, out.publishes)
	w.check(ctx, other, out.aside, nil) // packages are apart (laws 18 and 68)
}

// pick returns up to n random entities, maybe some twice.
func (w *walk) pick(h *home, n int) []string {
	var refs []string
	for range w.r.IntN(n + 1) {
		refs = append(refs, h.m.refs[w.r.IntN(len(h.m.refs))])
	}
	return refs
}

func (h *home) entities(refs []string) []publishing.EntityID {
	ids := []publishing.EntityID{}
	for _, ref := range refs {
		ids = append(ids, h.ids[ref])
	}
	return ids
}

// create makes entities; some differ from others by letter case or accents alone (law 5), some exist.
func (w *walk) create(h *home) op {
	var refs []string
	for range 1 + w.r.IntN(4) {
		refs = append(refs, []string{"unit", "Unit", "unít", "unit", "thing"}[w.r.IntN(5)]+fmt.Sprint(w.r.IntN(12)))
	}
	return op{
		text: fmt.Sprintf("create %q", refs),
		store: func(ctx context.Context, tx *db.Tx) error {
			var list []publishing.NewEntity
			for _, ref := range refs {
				list = append(list, publishing.NewEntity{Ref: ref, Created: w.now()})
			}
			ids, err := publishing.CreateEntities(ctx, tx, h.ID, list)
			if err != nil {
				return err
			}
			for i, ref := range refs {
				h.ids[ref], h.refs[ids[i]] = ids[i], ref
			}
			return nil
		},
		model: func(m, _ *model) outcome {
			for _, ref := range refs {
				if !m.create(ref) {
					return refusal
				}
			}
			return outcome{}
		},
	}
}

func (w *walk) publishAll(h *home) op {
	return op{
		text: "publish all",
		store: func(ctx context.Context, tx *db.Tx) error {
			_, err := publishing.PublishAll(ctx, tx, h.ID, publishing.PublishMeta{At: w.now()})
			return err
		},
		model: func(m, _ *model) outcome {
			list := m.unpublished()
			slices.SortFunc(list, func(a, b string) int { return int(h.ids[a] - h.ids[b]) })
			return outcome{publishes: []entry{m.publish(list, nil)}, refused: m.cyclic(onPublished)}
		},
	}
}

func (w *walk) publish(h *home) op {
	given, deep := w.pick(h, 3), w.r.IntN(3) > 0
	slices.Sort(given)
	given = slices.Compact(given)
	w.r.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
	return op{
		text: fmt.Sprintf("publish %q, dependencies: %v", given, deep),
		store: func(ctx context.Context, tx *db.Tx) error {
			_, err := publishing.Publish(ctx, tx, h.ID, h.entities(given), deep, publishing.PublishMeta{At: w.now()})
			return err
		},
		model: func(m, _ *model) outcome {
			for _, ref := range given {
				if !m.entities[ref].draft.row {
					return refusal
				}
			}
			if !deep && !m.shallow(given) {
				return refusal
			}
			var along []string
			if deep {
				along = m.closure(given)
			}
			return outcome{publishes: []entry{m.publish(given, along)}, refused: m.cyclic(onPublished)}
		},
	}
}

func (w *walk) reset(h *home) op {
	var only []string
	if w.r.IntN(2) > 0 {
		only = append([]string{}, w.pick(h, 4)...)
	}
	return op{
		text: fmt.Sprintf("reset %q", only),
		store: func(ctx context.Context, tx *db.Tx) error {
			var ids []publishing.EntityID
			if only != nil {
				ids = h.entities(only)
			}
			_, err := publishing.Reset(ctx, tx, h.ID, publishing.Meta{At: w.now()}, ids)
			return err
		},
		model: func(m, _ *model) outcome {
			c := m.change()
			c.reset(only)
			return outcome{drafts: []entry{c.end()}, refused: m.cyclic(onDraft)}
		},
	}
}
