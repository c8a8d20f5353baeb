package prune

import (
	"context"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/split"
)

// watch looks at the heads of a database while documents go, and knows what must stay by now (PR-4). Of heads that moved since
// the plan, everything that leads to them stays, back to a head that the plan knew.
type watch struct {
	db      Database
	courses map[string]int // numbers in the plan
	known   map[modulestore.ID]bool
	planned []map[string]string
	seen    map[string]string // heads of each course when they were last looked at
	moved   map[int]bool
	stays   map[modulestore.ID]bool
	uses    map[modulestore.ID]bool // definitions of what stays; nil until they are asked for
	unread  map[modulestore.ID]bool // what stays and uses does not have yet
}

// newWatch watches over a plan. A plan without courses is the reference tool's: everything that heads lead to stays.
func newWatch(db Database, p *Plan) (*watch, error) {
	w := &watch{db: db, courses: map[string]int{}, known: map[modulestore.ID]bool{}, seen: map[string]string{}, moved: map[int]bool{},
		stays: map[modulestore.ID]bool{}, unread: map[modulestore.ID]bool{}}
	for i, c := range p.Courses {
		w.courses[c.Key] = i
		w.planned = append(w.planned, c.Heads)
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
		w.seen[c.Key] = text
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

// look asks for all heads.
func (w *watch) look(ctx context.Context) error {
	rows, err := w.db.Indexes(ctx)
	if err != nil {
		return err
	}
	here := map[string]string{}
	for i := range rows {
		x := &rows[i]
		text := here[x.Name]
		for _, h := range x.Heads() {
			text += h.Branch + "=" + h.ID.String() + " "
		}
		here[x.Name] = text
		if n, planned := w.courses[x.Name]; planned && !same(w.planned[n], x.Heads()) {
			w.moved[n] = true
		}
		if w.seen[x.Name] == text {
			continue
		}
		for _, h := range x.Heads() {
			if err := w.hold(ctx, h.ID); err != nil {
				return err
			}
		}
		w.seen[x.Name] = text
	}
	for name, n := range w.courses {
		if _, there := here[name]; !there {
			w.moved[n] = true // deleted: its time of grace begins with the next plan
		}
	}
	return nil
}

func same(planned map[string]string, heads []split.Head) bool {
	if len(planned) != len(heads) {
		return false
	}
	for _, h := range heads {
		if planned[h.Branch] != h.ID.String() {
			return false
		}
	}
	return true
}

// hold keeps a head and what leads to it.
func (w *watch) hold(ctx context.Context, id modulestore.ID) error {
	for !id.IsZero() && !w.stays[id] && !w.known[id] {
		w.stays[id], w.unread[id] = true, true
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
