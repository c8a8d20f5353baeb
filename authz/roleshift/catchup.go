package roleshift

import (
	"context"
	"math"
	"slices"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
)

// difference is what of some sources is not as it was when it was copied.
type difference struct {
	undo []kept   // whose source is gone, is another by now, or is to be left
	redo []source // that were not copied, or were when they were others
	stay []kept   // that were copied, and are as they were
	wait []source // for the turn
}

// catchUp compares the sources of a run with the records of its copies, batch by batch. Both come in the order of the sources'
// ids, so it holds one batch of each.
type catchUp struct {
	w     *Worker
	ask   Ask
	early map[string]bool
	all   bool // nothing waits for the turn: this is it
	limit int

	after    int64          // source up to which the table was read
	more     bool           // it goes on behind it
	sources  []source       // read and not compared yet
	record   int64          // record up to which the records were read
	read     bool           // all of them were
	records  []kept         // read and not compared yet
	appended map[int64]kept // by source: those that were made after the copy, in no order
}

func (w *Worker) catchUp(ctx context.Context, q db.Querier, ask Ask, early map[string]bool, all bool) (*catchUp, error) {
	c := &catchUp{w: w, ask: ask, early: early, all: all, limit: w.o.Rows, more: true, appended: map[int64]kept{}}
	for last := w.pace.copied; ; {
		list, err := details(ctx, q, w.run.ID, last, c.limit)
		if err != nil {
			return nil, err
		}
		for _, k := range list {
			c.appended[k.Row], last = k, k.id
		}
		if len(list) < c.limit {
			return c, nil
		}
	}
}

// next returns what differs among the next sources; ok is false behind the last.
func (c *catchUp) next(ctx context.Context, q db.Querier) (d difference, ok bool, err error) {
	if len(c.sources) == 0 && c.more {
		if c.sources, c.after, c.more, err = sources(ctx, q, c.ask, c.after, c.limit); err != nil {
			return d, false, err
		}
	}
	if len(c.records) == 0 && !c.read {
		if c.records, err = details(ctx, q, c.w.run.ID, c.record, c.limit); err != nil {
			return d, false, err
		}
		c.read = len(c.records) < c.limit
		for i, k := range c.records {
			if c.record = k.id; k.id > c.w.pace.copied { // appended
				c.records, c.read = c.records[:i], true
				break
			}
		}
	}
	// Both are known up to here.
	bound := int64(math.MaxInt64)
	if c.more {
		bound = c.after
	}
	if !c.read {
		bound = min(bound, c.records[len(c.records)-1].Row)
	}
	was := map[int64]kept{}
	for len(c.records) > 0 && c.records[0].Row <= bound {
		was[c.records[0].Row] = c.records[0]
		c.records = c.records[1:]
	}
	n := 0
	for n < len(c.sources) && c.sources[n].id() <= bound {
		n++
	}
	list := c.sources[:n]
	c.sources = c.sources[n:]
	for row, k := range c.appended {
		if row <= bound {
			was[row] = k
			delete(c.appended, row)
		}
	}
	if n == 0 && len(was) == 0 && bound == math.MaxInt64 {
		return d, false, nil
	}
	return d, true, c.compare(ctx, q, list, was, &d)
}

// compare says what becomes of sources, and of records without one.
func (c *catchUp) compare(ctx context.Context, q db.Querier, list []source, was map[int64]kept, d *difference) error {
	want, err := c.wanted(ctx, q, list)
	if err != nil {
		return err
	}
	fold := q.Engine().MySQLFamily()
	for _, s := range list {
		rec, ours := want[s.id()]
		k, copied := was[s.id()]
		delete(was, s.id())
		switch {
		case copied && ours && rec.like(k.Record):
			d.stay = append(d.stay, k)
			continue
		case copied:
			d.undo = append(d.undo, k)
		}
		switch {
		case !ours:
		case !c.all && s.waits(c.ask, c.early, fold):
			d.wait = append(d.wait, s)
		default:
			d.redo = append(d.redo, s)
		}
	}
	for _, k := range was {
		d.undo = append(d.undo, k)
	}
	slices.SortFunc(d.undo, func(a, b kept) int { return int(a.id - b.id) })
	return nil
}

// wanted says, without a look at the targets, what is to become of sources now.
func (c *catchUp) wanted(ctx context.Context, q db.Querier, list []source) (map[int64]Record, error) {
	m := newMover(q, c.ask, c.w.run.ID)
	want := make(map[int64]Record, len(list))
	if c.ask.Direction == Forward {
		rows := make([]legacy.Row, len(list))
		for i, s := range list {
			rows[i] = s.row
		}
		names, err := namesOf(ctx, q, rows)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			if rec, ok := m.fromLegacy(r, names[r.User]); ok && (r.Course != "" || c.ask.Org != "") {
				want[r.ID] = rec
			}
		}
		return want, nil
	}
	held := make([]authz.Held, len(list))
	for i, s := range list {
		held[i] = s.held
	}
	ids, err := idsOf(ctx, q, held)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if rec, ok := m.fromGrant(s.held, ids[s.held.User]); ok {
			want[s.held.ID] = rec
		}
	}
	return want, nil
}

// like reports whether a record of a source, of which the outcome is open where it is to move, was copied as it is now.
func (r Record) like(was Record) bool {
	left := was.Outcome == Left && was.Reason != UserMissing
	same := r.User == was.User && r.UserID == was.UserID && r.Role == was.Role && (r.Outcome == Left && r.Reason != UserMissing) == left && (!left || r.Reason == was.Reason)
	if r.side == authzSide {
		return same && r.legacy.Org == was.legacy.Org && r.legacy.Course == was.legacy.Course
	}
	return same && r.Scope == was.Scope
}

// settle brings the targets of some sources to what a difference says. With look it also sees to it that those that were
// copied are still there.
func (w *Worker) settle(ctx context.Context, tx *db.Tx, s *stepping, ask Ask, d difference, look bool) (placed []Record, err error) {
	if len(d.undo) > 0 {
		partners, err := w.unmake(ctx, tx, s, ask, d.undo)
		if err != nil {
			return nil, err
		}
		if err := w.again(ctx, tx, s, ask, partners); err != nil {
			return nil, err
		}
	}
	if len(d.redo) > 0 {
		m := newMover(tx, ask, w.run.ID)
		m.paged = true
		_, err := m.place(ctx, tx, d.redo)
		if err != nil {
			return nil, err
		}
		s.took(m)
		if err := m.save(ctx, tx); err != nil {
			return nil, err
		}
		placed = m.out.Records
	}
	if look {
		err = w.again(ctx, tx, s, ask, d.stay)
	}
	return placed, err
}

// unmake takes back what was made of sources, with its records. It returns other records whose target that was too: they were
// merged into it, and their sources are still there.
func (w *Worker) unmake(ctx context.Context, tx *db.Tx, s *stepping, ask Ask, undo []kept) (partners []kept, err error) {
	if err := w.takeAway(ctx, tx, s, ask, undo); err != nil {
		return nil, err
	}
	gone := make([]int64, len(undo))
	isGone, lost := map[int64]bool{}, map[authz.Grant]bool{}
	met := map[string]bool{}
	var scopes []string
	for i, k := range undo {
		gone[i], isGone[k.id] = k.id, true
		if k.Outcome == Moved {
			lost[k.grant] = true
			if !met[k.Scope] {
				met[k.Scope] = true
				scopes = append(scopes, k.Scope)
			}
		}
	}
	if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+detailTable+" WHERE id IN (?...)", gone, nil); err != nil {
		return nil, err
	}
	err = db.QueryIn(ctx, tx, detailColumns+" WHERE scope IN (?...) AND side = ? AND run_id = ? AND outcome = ?", scopes,
		[]any{string(undo[0].side), w.run.ID, string(Merged)}, func(r *db.Row) error {
			k, err := scanDetail(r)
			if err == nil && lost[k.grant] && !isGone[k.id] {
				partners = append(partners, k)
			}
			return err
		})
	return partners, err
}

// again makes targets of records that are not there any more, and notes where that changes what became of them.
func (w *Worker) again(ctx context.Context, tx *db.Tx, s *stepping, ask Ask, list []kept) error {
	m := newMover(tx, ask, w.run.ID)
	m.paged = true
	var at []int
	for i, k := range list {
		if k.Outcome == Moved || k.Outcome == Merged {
			rec := k.Record
			rec.Outcome, rec.Reason = "", ""
			m.out.Records, at = append(m.out.Records, rec), append(at, i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	if ask.Direction == Forward {
		if err := m.assign(ctx, tx, pointers(m.out.Records, func(*Record) bool { return true }), Moved, Merged); err != nil {
			return err
		}
	} else {
		for i := range m.out.Records {
			// What it is without what earlier moves have kept, which is loaded again.
			r := &m.out.Records[i]
			if len(r.legacy.Course) > 0 {
				r.legacy.Org = orgOf(r.legacy.Course)
			}
		}
		if err := m.load(ctx, tx, authzSide, m.out.Records); err != nil {
			return err
		}
		if err := m.giveBack(ctx, tx); err != nil {
			return err
		}
	}
	s.took(m)
	var changed []int
	for j, r := range m.out.Records {
		if was := list[at[j]].Outcome; r.Outcome != was && r.Outcome != Merged {
			changed = append(changed, j)
		}
	}
	return tx.UpdateRows(ctx, detailTable, "id", []string{"outcome", "reason", "note"}, len(changed), func(i int, v []any) {
		r := m.out.Records[changed[i]]
		note := r.Note
		if r.Text != "" {
			note = r.Text
		}
		v[0], v[1], v[2], v[3] = list[at[changed[i]]].id, string(r.Outcome), r.Reason, note
	})
}

func orgOf(key string) string {
	org, _ := course(key)
	return org
}

// takeAway deletes the targets that were made of sources.
func (w *Worker) takeAway(ctx context.Context, tx *db.Tx, s *stepping, ask Ask, list []kept) error {
	m := newMover(tx, ask, w.run.ID)
	m.paged = true
	for _, k := range list {
		if k.Outcome == Moved {
			m.out.Records = append(m.out.Records, k.Record)
		}
	}
	if len(m.out.Records) == 0 {
		return nil
	}
	if ask.Direction == Forward {
		err := m.unassign(ctx, tx, pointers(m.out.Records, func(*Record) bool { return true }))
		s.took(m)
		return err
	}
	return m.removeMade(ctx, tx)
}

// removeMade deletes the legacy rows that were made of assignments.
func (m *mover) removeMade(ctx context.Context, tx *db.Tx) error {
	if err := m.load(ctx, tx, authzSide, m.out.Records); err != nil {
		return err
	}
	wanted := map[assignment]bool{}
	var made []legacy.Row
	for _, r := range m.out.Records {
		wanted[r.assignment()] = true
		made = append(made, r.legacy)
	}
	for _, s := range m.standing {
		if s.outcome != Derived && wanted[s.assignment()] {
			made = append(made, s.row)
		}
	}
	return m.deleteRows(ctx, tx, made, pointers(m.out.Records, func(*Record) bool { return true }))
}
