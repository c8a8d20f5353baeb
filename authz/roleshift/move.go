package roleshift

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/slug"
	"github.com/openlectern/lectern/user"
)

// Move moves roles. The number of its statements depends on the number of rows only by batches (M-35). Where a row ought to
// move and cannot, and the ask is not to keep going, the error is a *[Refusal] and the transaction must not be committed;
// the moves tell of each row all the same. run is the id that the audit and the details name, 0 for none.
func Move(ctx context.Context, tx *db.Tx, ask Ask, run int64) (*Moves, error) {
	if err := ask.check(); err != nil {
		return nil, err
	}
	if err := authz.Hold(ctx, tx); err != nil {
		return nil, err
	}
	m := newMover(tx, ask, run)
	move := m.forward
	if ask.Direction == Rollback {
		move = m.back
	}
	if err := move(ctx, tx); err != nil {
		return m.out, err
	}
	if m.out.Count(Error) > 0 && !ask.KeepGoing {
		return m.out, newRefusal(m.out)
	}
	if err := m.dropRedundant(ctx, tx); err != nil {
		return m.out, err
	}
	return m.out, m.close(ctx, tx)
}

func newMover(q db.Querier, ask Ask, run int64) *mover {
	m := &mover{ask: ask, run: run, paged: ask.Only != nil, fold: q.Engine().MySQLFamily(), excluded: map[string]bool{}, out: &Moves{Direction: ask.Direction}}
	for _, c := range ask.Excluded {
		m.excluded[m.folded(c)] = true
	}
	return m
}

// mover is one move.
type mover struct {
	ask      Ask
	run      int64
	paged    bool // it has some of the rows of its scope only
	fold     bool // the database takes texts that differ by letter case for one
	excluded map[string]bool
	standing []standing // details of moves the other way
	spent    []int64    // of those the ones that this move undoes
	out      *Moves
}

func (m *mover) folded(s string) string {
	if m.fold {
		return slug.Fold(s)
	}
	return s
}

func (m *mover) isExcluded(course string) bool { return course != "" && m.excluded[m.folded(course)] }

// ours reports whether something of an organization, as it is written there, is of the one that is asked for: the flag's
// override counts for it.
func (m *mover) ours(org string) bool {
	return m.ask.Org == "" || m.folded(org) == m.folded(m.ask.Org)
}

func (m *mover) wanted(id int64) bool { return m.ask.Only == nil || m.ask.Only[id] }

func (m *mover) options() authz.Options {
	return authz.Options{Actor: m.ask.Actor, Reason: m.ask.Reason, Run: m.run, KeepGoing: true}
}

// changed notes a change of the policy.
func (m *mover) changed(c authz.Change) {
	if !c.IsZero() {
		m.out.Changes = append(m.out.Changes, c)
	}
}

// assign makes the assignments of the records at those places, and notes what became of them: done where it was made,
// present where it was there.
func (m *mover) assign(ctx context.Context, tx *db.Tx, records []*Record, done, present Outcome) error {
	grants := make([]authz.Grant, len(records))
	for i, r := range records {
		grants[i] = r.grant
	}
	if len(grants) == 0 {
		return nil
	}
	w, err := authz.Assign(ctx, tx, grants, m.options())
	if err != nil {
		return err
	}
	m.changed(w.Change)
	for i, res := range w.Results {
		r := records[i]
		switch {
		case res.Outcome == authz.Added:
			r.Outcome = done
		case res.Outcome == authz.Present:
			r.Outcome = present
		case res.Err.Reason == authz.UserNotFound:
			r.Outcome, r.Reason = Left, UserMissing
		default:
			r.Outcome, r.Reason, r.Text = Error, reasonOf(res.Err.Reason), res.Err.Err.Error()
		}
	}
	return nil
}

// reasonOf names what is wrong with an assignment by the table of authz-migration.md §13.
func reasonOf(r authz.Reason) string {
	if r == authz.InvalidName {
		return string(authz.InvalidScope)
	}
	return string(r)
}

// unassign takes back the assignments of records.
func (m *mover) unassign(ctx context.Context, tx *db.Tx, records []*Record) error {
	grants := make([]authz.Grant, len(records))
	for i, r := range records {
		grants[i] = r.grant
	}
	if len(grants) == 0 {
		return nil
	}
	o := m.options()
	o.KeepGoing = false
	w, err := authz.Unassign(ctx, tx, grants, o)
	if err != nil {
		return err
	}
	m.changed(w.Change)
	return nil
}

// namesOf returns the names of people by their ids.
func namesOf(ctx context.Context, q db.Querier, rows []legacy.Row) (map[user.ID]string, error) {
	ids := make([]user.ID, len(rows))
	for i, r := range rows {
		ids[i] = r.User
	}
	slices.Sort(ids)
	return user.Names(ctx, q, slices.Compact(ids))
}

// idsOf returns the ids of people who have assignments, by their names.
func idsOf(ctx context.Context, q db.Querier, held []authz.Held) (map[string]user.ID, error) {
	names := make([]string, len(held))
	for i, h := range held {
		names[i] = h.User
	}
	slices.Sort(names)
	return user.IDs(ctx, q, slices.Compact(names))
}

// inOrganizations returns the records of roles in whole organizations that came to their new side.
func inOrganizations(records []Record) (wide []Record) {
	for _, r := range records {
		if r.legacy.Course == "" && (r.Outcome == Moved || r.Outcome == Merged) {
			wide = append(wide, r)
		}
	}
	return wide
}

// pointers returns the records of those that pass.
func pointers(records []Record, pass func(*Record) bool) (list []*Record) {
	for i := range records {
		if pass(&records[i]) {
			list = append(list, &records[i])
		}
	}
	return list
}
