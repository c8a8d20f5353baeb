package prune

import (
	"context"
	"maps"
	"time"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/split"
)

// watch looks at the heads of a database while documents go, and knows what must stay by now (PR-4). Of heads that moved since
// the plan, everything that leads to them stays, back to a head that the plan knew.
type watch struct {
	db       Database
	registry Registry // nil for none
	now      func() time.Time
	since    time.Time      // from when on the registry is asked for changes
	courses  map[string]int // numbers in the plan
	known    map[modulestore.ID]bool
	planned  []Course
	seen     map[place]string // heads of each course when they were last looked at
	moved    map[int]bool
	stays    map[modulestore.ID]bool
	held     map[modulestore.ID]bool // of these, what has been walked to its end
	uses     map[modulestore.ID]bool // definitions of what stays; nil until they are asked for
	unread   map[modulestore.ID]bool // what stays and uses does not have yet
}

// place is a course in one source of the index.
type place struct{ source, course string }

// newWatch watches over a plan. A plan without courses is the reference tool's: everything that heads lead to stays.
func newWatch(db Database, p *Plan, o ApplyOptions) (*watch, error) {
	w := &watch{db: db, registry: o.Registry, now: o.Now, planned: p.Courses, courses: map[string]int{}, known: map[modulestore.ID]bool{}, seen: map[place]string{}, moved: map[int]bool{},
		stays: map[modulestore.ID]bool{}, held: map[modulestore.ID]bool{}, unread: map[modulestore.ID]bool{}}
	for i, c := range p.Courses {
		w.courses[c.Key] = i
		text := ""
		for _, branch := range []string{split.DraftBranch, split.PublishedBranch, split.LibraryBranch} {
			if c.Heads[branch] == "" {
				continue
			}
			id, err := parseID(c.Heads[branch])
			if err != nil {
				return nil, p.invalid("%w", err)
			}
			w.known[id] = true
			text += branch + "=" + id.String() + " "
		}
		w.seen[place{fromMongo, c.Key}], w.seen[place{fromTable, c.Key}] = text, text
	}
	if !p.Made.IsZero() {
		w.since = p.Made.Add(-overlap)
	}
	for _, pin := range p.Pins {
		id, err := parseID(pin)
		if err != nil {
			return nil, p.invalid("%w", err)
		}
		w.stays[id], w.unread[id] = true, true
	}
	return w, nil
}

// look asks every source for the heads, and the registry for what it names since it was asked last.
func (w *watch) look(ctx context.Context) error {
	rows, err := w.db.Indexes(ctx)
	if err != nil {
		return err
	}
	if err := w.lookAt(ctx, index{fromMongo, rows}); err != nil || w.registry == nil {
		return err
	}
	began := w.now()
	if rows, err = w.registry.Index(ctx); err != nil {
		return err
	}
	if rows != nil {
		if err := w.lookAt(ctx, index{fromTable, rows}); err != nil {
			return err
		}
	}
	err = w.registry.History(ctx, w.since, func(x split.Index, _ bool) error {
		for _, h := range x.Heads() {
			w.stay(h.ID)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = w.registry.Named(ctx, w.since, func(r Reference) error {
		w.stay(r.Version)
		return nil
	})
	w.since = began.Add(-overlap)
	return err
}

// lookAt compares what one source says with the plan, and holds the heads that it did not know.
func (w *watch) lookAt(ctx context.Context, s index) error {
	here := map[string]string{}
	for i := range s.rows {
		x := &s.rows[i]
		text := here[x.Name]
		for _, h := range x.Heads() {
			text += h.Branch + "=" + h.ID.String() + " "
		}
		here[x.Name] = text
		if n, planned := w.courses[x.Name]; planned && !(maps.Equal(w.planned[n].Heads, headsOf(*x)) && (s.source != fromMongo || x.LastUpdate.Equal(w.planned[n].Updated))) {
			w.moved[n] = true
		}
		at := place{s.source, x.Name}
		if w.seen[at] == text {
			continue
		}
		for _, h := range x.Heads() {
			if err := w.hold(ctx, h.ID); err != nil {
				return err
			}
		}
		w.seen[at] = text
	}
	for name, n := range w.courses {
		if _, there := here[name]; !there {
			w.moved[n] = true // deleted: its time of grace begins with the next plan
		}
	}
	return nil
}

// stay keeps one structure.
func (w *watch) stay(id modulestore.ID) {
	if !w.stays[id] {
		w.stays[id], w.unread[id] = true, true
	}
}

// hold keeps a head and what leads to it.
func (w *watch) hold(ctx context.Context, id modulestore.ID) error {
	held := map[modulestore.ID]bool{}
	for !id.IsZero() && !held[id] && !w.held[id] && !w.known[id] {
		held[id] = true
		w.stay(id)
		var before modulestore.ID
		err := w.db.Headers(ctx, map[modulestore.ID]bool{id: true}, func(h Header) error {
			before = h.Previous
			return nil
		})
		if err != nil {
			return err
		}
		id = before
	}
	maps.Copy(w.held, held)
	return nil
}

// use makes known which definitions are used by what stays against the plan. left are structures that the plan names and that
// were not deleted.
func (w *watch) use(ctx context.Context, left map[modulestore.ID]bool) error {
	if w.uses == nil {
		w.uses = map[modulestore.ID]bool{}
	}
	for id := range w.unread {
		left[id] = true
	}
	clear(w.unread)
	return w.db.Documents(ctx, modulestore.CollectionStructures, left, func(d bson.Doc) error {
		return contentOf(d, func(id modulestore.ID) error {
			w.uses[id] = true
			return nil
		}, nil)
	})
}

// may says whether a document may go.
func (w *watch) may(collection string, it item) bool {
	if collection == modulestore.CollectionDefinitions {
		return !w.uses[it.id]
	}
	return !w.stays[it.id] && !w.known[it.id] && !w.moved[it.course]
}

// lacks says whether a document that was deleted is needed.
func (w *watch) lacks(collection string, id modulestore.ID) bool {
	if collection == modulestore.CollectionDefinitions {
		return w.uses[id]
	}
	return w.stays[id] || w.known[id]
}
