package roleshift

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
)

// errRefused undoes the transaction of a turn at which rows cannot move.
var errRefused = errors.New("roles cannot move")

// errElsewhere undoes the transaction of a turn that would leave the flag on the side of the sources.
var errElsewhere = errors.New("the flag does not come to the targets' side")

// maxLooks is how often what changes while it is caught up with is caught up with before the turn, which does it for good.
const maxLooks = 3

// turn catches up with what has changed since it was copied, in batches, and then turns the flag in one short transaction:
// what changed since is caught up in it.
func (w *Worker) turn(ctx context.Context) error {
	if n, err := w.cannotMove(ctx, w.d); err != nil {
		return err
	} else if n > 0 && !w.ask.KeepGoing {
		return w.giveUp(ctx)
	}
	var seen seen
	for range maxLooks {
		again, s, err := w.look(ctx)
		if seen = s; err != nil {
			return err
		}
		if !again {
			break
		}
	}
	err := w.flip(ctx, seen)
	switch {
	case errors.Is(err, errElsewhere):
		w.cause = fault.Errorf(fault.Conflict, w.ask.String(), "the flag was changed meanwhile, and does not come to what roles were moved for").WithNext("look, and try again: lectern flag get " + flags.Authoring)
	case !errors.Is(err, errRefused):
		return err
	}
	return w.giveUp(ctx)
}

func (w *Worker) giveUp(ctx context.Context) error {
	return w.step(ctx, func(*db.Tx, *stepping) error { return nil }, func(p *pace) { p.step, p.after, p.done = stepUndo, 0, 0 })
}

// seen is the state of the scope that a look has brought the targets to.
type seen struct {
	rows     string   // fingerprint of the legacy rows
	wait     []source // for the turn
	excluded string
	whole    bool // it is that state, as far as the look could tell
}

// look catches up in batches, each in a transaction of its own. again says that others have changed roles meanwhile, or that
// targets were made of which the look does not know whether they were all.
func (w *Worker) look(ctx context.Context) (again bool, s seen, err error) {
	w.touched = false
	if err := w.step(ctx, func(*db.Tx, *stepping) error { return nil }, func(*pace) {}); err != nil { // learns of the others
		return false, s, err
	}
	// Legacy rows have no version: whether the targets of a rollback are there has to be looked at.
	verify := w.pace.dirty || w.ask.Direction == Rollback
	w.touched = false
	if s.rows, err = legacy.Fingerprint(ctx, w.d, w.ask.selection()); err != nil {
		return false, s, err
	}
	ask, early, err := w.now(ctx, w.d)
	if err != nil {
		return false, s, err
	}
	s.excluded = strings.Join(ask.Excluded, "\x00")
	c, err := w.catchUp(ctx, w.d, ask, early, false)
	if err != nil {
		return false, s, err
	}
	for {
		d, ok, err := c.next(ctx, w.d)
		if err != nil {
			return false, s, err
		}
		if !ok {
			break
		}
		s.wait = append(s.wait, d.wait...)
		if len(d.undo)+len(d.redo) == 0 && !verify {
			continue
		}
		again = again || w.ask.Direction == Rollback && len(d.undo)+len(d.redo) > 0
		err = w.step(ctx, func(tx *db.Tx, st *stepping) error {
			_, err := w.settle(ctx, tx, st, ask, d, verify)
			return err
		}, func(*pace) {})
		if err != nil {
			return false, s, err
		}
	}
	rows, err := legacy.Fingerprint(ctx, w.d, w.ask.selection())
	s.whole = err == nil && !w.touched && rows == s.rows
	return again || !s.whole, s, err
}

// flip turns the flag, in the one transaction from which on the targets count.
func (w *Worker) flip(ctx context.Context, s seen) error {
	var turned Run
	var ask Ask
	err := w.step(ctx, func(tx *db.Tx, st *stepping) error {
		rows, err := legacy.Fingerprint(ctx, tx, w.ask.selection())
		if err != nil {
			return err
		}
		state, err := w.set(ctx, tx)
		if err != nil {
			return err
		}
		if ask, _, err = w.nowAt(state, tx.Engine().MySQLFamily()); err != nil {
			return err
		}
		if !ask.Keep && ask.Effective(state) != (ask.Direction == Forward) {
			return errElsewhere
		}
		var records []Record
		if s.whole && !st.touched && rows == s.rows && strings.Join(ask.Excluded, "\x00") == s.excluded {
			records, err = w.settle(ctx, tx, st, ask, difference{redo: s.wait}, false)
		} else {
			records, err = w.whole(ctx, tx, st, ask)
		}
		if err != nil {
			return err
		}
		if err := w.derive(ctx, tx, st, ask, records); err != nil {
			return err
		}
		n, err := w.cannotMove(ctx, tx)
		if err == nil && n > 0 && !ask.KeepGoing {
			err = w.refusal(ctx, tx, n)
		}
		if err != nil {
			return err
		}
		// What is excluded at the turn is what counts for what follows.
		turned = w.run
		text, err := json.Marshal(ask)
		turned.ask = string(text)
		return errors.Join(err, turned.keepAsk(ctx, tx))
	}, func(p *pace) { p.step, p.after, p.done = stepClean, 0, 0 })
	if err == nil {
		w.run, w.ask = turned, ask
	}
	return err
}

// set turns the flag, where that was asked for, and returns what is said of it then.
func (w *Worker) set(ctx context.Context, tx *db.Tx) (*flags.State, error) {
	if t := w.ask.Turn; t != nil {
		scope, err := w.ask.Scope()
		if err != nil {
			return nil, err
		}
		if _, err := flags.Set(ctx, tx, flags.Authoring, scope, t.change()); err != nil {
			return nil, err
		}
	}
	return flags.Load(ctx, tx, flags.Authoring)
}

// whole catches up with everything in the transaction of the turn, in bounded memory.
func (w *Worker) whole(ctx context.Context, tx *db.Tx, st *stepping, ask Ask) (placed []Record, err error) {
	c, err := w.catchUp(ctx, tx, ask, nil, true)
	if err != nil {
		return nil, err
	}
	for {
		d, ok, err := c.next(ctx, tx)
		if err != nil || !ok {
			return placed, err
		}
		list, err := w.settle(ctx, tx, st, ask, d, true)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			if r.legacy.Course == "" {
				placed = append(placed, r)
			}
		}
	}
}

// derive makes for single courses what people have in the organization, where that is on the other side (M-25). placed are
// records of which those of an organization's run were just made.
func (w *Worker) derive(ctx context.Context, tx *db.Tx, st *stepping, ask Ask, placed []Record) error {
	list, err := w.derived(ctx, tx, st, ask, placed, true)
	if err != nil {
		return err
	}
	return saveDetails(ctx, tx, w.run.ID, list, !ask.Keep)
}

// derived is derive without its records being kept; those of a course's run are derived where last is true.
func (w *Worker) derived(ctx context.Context, tx *db.Tx, st *stepping, ask Ask, placed []Record, last bool) ([]Record, error) {
	m := newMover(tx, ask, w.run.ID)
	m.paged = true
	var wide []Record
	var err error
	switch {
	case !ask.Derive, !last, ask.Org != "" && ask.Keep:
		return nil, nil
	case ask.Org != "":
		wide = inOrganizations(placed)
	default:
		if wide, err = m.wideOf(ctx, tx); err != nil {
			return nil, err
		}
	}
	switch {
	case ask.Org != "" && ask.Direction == Forward:
		err = m.deriveRowsIn(ctx, tx, wide, ask.Excluded)
	case ask.Org != "":
		err = m.deriveGrants(ctx, tx, wide, ask.Excluded)
	case ask.Direction == Forward:
		err = m.deriveGrants(ctx, tx, wide, ask.Courses)
	default:
		err = m.deriveRowsIn(ctx, tx, wide, ask.Courses)
	}
	st.took(m)
	if err != nil || ask.Org == "" {
		return m.out.Records, err
	}
	d := newMover(tx, ask, w.run.ID)
	d.paged, d.out.Records = true, wide
	if err := d.dropRedundant(ctx, tx); err != nil {
		return nil, err
	}
	st.took(d)
	_, err = db.ExecIn(ctx, tx, "UPDATE "+detailTable+" SET standing = ? WHERE id IN (?...)", d.spent, []any{false})
	return append(m.out.Records, d.out.Records[len(wide):]...), err
}

// wideOf returns the roles in the organization of a course.
func (m *mover) wideOf(ctx context.Context, tx *db.Tx) ([]Record, error) {
	org := m.ask.ofOrg()
	var list []source
	if m.ask.Direction == Forward {
		rows, err := legacy.Select(ctx, tx, legacy.Selection{Wide: []string{org}})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			list = append(list, source{row: r})
		}
	} else {
		held, err := authz.CourseGrants(ctx, tx, "", []string{all(org)})
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			list = append(list, source{held: h})
		}
	}
	return m.place(ctx, tx, list)
}
