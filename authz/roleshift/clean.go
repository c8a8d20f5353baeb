package roleshift

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// clean deletes the sources of one batch.
func (w *Worker) clean(ctx context.Context) error {
	var list []kept
	return w.step(ctx, func(tx *db.Tx, s *stepping) (err error) {
		if w.ask.Keep {
			list = nil
			return nil
		}
		if err := w.measure(ctx, tx); err != nil {
			return err
		}
		if list, err = details(ctx, tx, w.run.ID, w.pace.after, w.o.Rows); err != nil {
			return err
		}
		m := newMover(tx, w.ask, w.run.ID)
		var rows []legacy.Row
		for _, k := range list {
			if k.Outcome == Moved || k.Outcome == Merged || k.Outcome == Dropped {
				m.out.Records = append(m.out.Records, k.Record)
				rows = append(rows, k.legacy)
			}
		}
		if w.ask.Direction == Forward {
			return legacy.DeleteSame(ctx, tx, rows)
		}
		err = m.unassign(ctx, tx, pointers(m.out.Records, func(*Record) bool { return true }))
		s.took(m)
		return err
	}, func(p *pace) {
		p.done += int64(len(list))
		if len(list) > 0 {
			p.after = list[len(list)-1].id
		}
		if len(list) < w.o.Rows {
			p.step, p.after = stepSpend, 0
		}
	})
}

// spend marks what earlier runs have kept of the sources' side as given back, and ends the run.
func (w *Worker) spend(ctx context.Context) (*Run, error) {
	if !w.ask.Keep {
		stays, err := w.stays(ctx)
		if err != nil {
			return nil, err
		}
		for scope, more := "", true; more; {
			var last string
			err := w.step(ctx, func(tx *db.Tx, _ *stepping) (err error) {
				last, more, err = w.spendSome(ctx, tx, stays, scope)
				return err
			}, func(*pace) {})
			if err != nil {
				return nil, err
			}
			scope = last
		}
	}
	return w.end(ctx, nil, false)
}

// who is the key of what a run kept: a role of a person in a scope.
type who struct {
	user  user.ID
	role  legacy.Role
	scope string
}

// stays returns what has not moved although it ought to: what was kept of it stays.
func (w *Worker) stays(ctx context.Context) (map[who]bool, error) {
	stays := map[who]bool{}
	err := w.d.Query(ctx, detailColumns+" WHERE run_id = ? AND (outcome = ? OR outcome = ? AND reason = ?)", []any{w.run.ID, string(Error), string(Left), UserMissing}, func(r *db.Row) error {
		k, err := scanDetail(r)
		stays[who{k.UserID, k.legacy.Role, k.Scope}] = true
		return err
	})
	return stays, err
}

// spendSome marks what stands in the scopes that come after one, of so many that they make a batch.
func (w *Worker) spendSome(ctx context.Context, tx *db.Tx, stays map[who]bool, after string) (last string, more bool, err error) {
	source := legacySide
	if w.ask.Direction == Rollback {
		source = authzSide
	}
	first, behind := w.ask.course(), w.ask.course()+"\x01"
	if w.ask.Org != "" {
		first, behind = "course-v1:"+w.ask.Org+"+", "course-v1:"+w.ask.Org+"," // the character that comes after +
	}
	beyond := " AND scope > ?"
	if after == "" {
		after, beyond = first, " AND scope >= ?"
	}
	args := []any{string(source), true, after, behind}
	last, more, err = db.One(ctx, tx, "SELECT scope FROM "+detailTable+" WHERE side = ? AND standing = ?"+beyond+" AND scope < ? ORDER BY scope LIMIT 1 OFFSET ?",
		append(args, w.o.Rows), db.Value[string])
	if err != nil {
		return "", false, err
	}
	query := standingRows + beyond + " AND scope < ?"
	if more {
		query, args[3] = standingRows+beyond+" AND scope <= ?", last
	}
	m := newMover(tx, w.ask, w.run.ID)
	var spent []int64
	err = tx.Query(ctx, query, args, func(r *db.Row) error {
		s, err := scanStanding(r)
		if err == nil && !m.isExcluded(s.scope) && !stays[who{s.row.User, s.row.Role, s.scope}] {
			spent = append(spent, s.id)
		}
		return err
	})
	if err != nil {
		return "", false, err
	}
	_, err = db.ExecIn(ctx, tx, "UPDATE "+detailTable+" SET standing = ? WHERE id IN (?...)", spent, []any{false})
	return last, more, err
}

// undo takes back what was copied, in batches, and ends the run as failed.
func (w *Worker) undo(ctx context.Context, cause error, abandoned bool) (*Run, error) {
	for {
		var list []kept
		err := w.step(ctx, func(tx *db.Tx, s *stepping) (err error) {
			if list, err = details(ctx, tx, w.run.ID, w.pace.after, w.o.Rows); err != nil {
				return err
			}
			if err := w.takeAway(ctx, tx, s, w.ask, list); err != nil {
				return err
			}
			ids := make([]int64, len(list))
			for i, k := range list {
				ids[i] = k.id
			}
			_, err = db.ExecIn(ctx, tx, "UPDATE "+detailTable+" SET standing = ? WHERE id IN (?...)", ids, []any{false})
			return err
		}, func(p *pace) {
			p.done += int64(len(list))
			if len(list) > 0 {
				p.after = list[len(list)-1].id
			}
		})
		if err != nil {
			return nil, err
		}
		if w.o.Progress != nil {
			w.o.Progress(stepUndo.text(), int(w.pace.done), int(max(w.pace.total, w.pace.done)))
		}
		if len(list) < w.o.Rows {
			break
		}
	}
	if cause == nil {
		n, err := w.cannotMove(ctx, w.d)
		switch {
		case err != nil:
			return nil, err
		case n > 0 || len(w.errors) > 0:
			cause = w.refused(ctx, n)
		case abandoned:
			cause = fault.Errorf(fault.Conflict, w.ask.String(), "the program that worked at it has ended")
		default:
			cause = fault.Errorf(fault.Interrupted, w.ask.String(), "it was given up")
		}
	}
	run, err := w.end(ctx, cause, abandoned)
	if err != nil {
		return run, err
	}
	if r, ok := errors.AsType[*Refusal](cause); ok {
		r.Run = run.ID
	}
	return run, cause
}

// end gives the run its last status: failed where there is a cause.
func (w *Worker) end(ctx context.Context, cause error, abandoned bool) (*Run, error) {
	if err := w.lease.Check(ctx); err != nil {
		return nil, err
	}
	run := w.run
	err := w.d.Update(ctx, func(tx *db.Tx) error {
		run = w.run
		run.Batches = true
		m, err := tally(ctx, tx, &run, w.ask)
		if err != nil {
			return err
		}
		switch {
		case cause != nil:
			run.Status = Failed
			stack := debug.Stack()
			m["error"], m["error_class"], m["step"] = cause.Error(), className(cause), "copy"
			m["traceback"] = strings.ToValidUTF8(string(stack[:min(len(stack), maxStack)]), "")
			if _, refused := errors.AsType[*Refusal](cause); refused {
				m["error_class"], m["step"] = "refused", "check"
				if len(w.errors) > 0 && run.Errors == 0 {
					run.Errors = int64(w.nErrors)
				}
			}
			if abandoned {
				m["abandoned"] = true
			}
		case run.Errors > 0:
			run.Status = Partial
		default:
			run.Status = Completed
		}
		n, err := tx.Exec(ctx, "DELETE FROM "+paceTable+" WHERE run_id = ? AND attempt = ?", run.ID, w.pace.attempt)
		if err == nil && n == 0 {
			err = w.taken()
		}
		if err != nil {
			return err
		}
		return run.finish(ctx, tx, m)
	})
	if err != nil {
		return nil, fmt.Errorf("run %d: %w", w.run.ID, err)
	}
	return &run, nil
}

// cannotMove returns how many rows ought to move and cannot.
func (w *Worker) cannotMove(ctx context.Context, q db.Querier) (int, error) {
	n, _, err := db.One(ctx, q, "SELECT COUNT(*) FROM "+detailTable+" WHERE run_id = ? AND outcome = ?", []any{w.run.ID, string(Error)}, db.Value[int])
	return n, err
}

// refusal notes, of a transaction that is not saved, the rows that cannot move.
func (w *Worker) refusal(ctx context.Context, q db.Querier, n int) error {
	w.nErrors = n
	var err error
	w.errors, err = w.failing(ctx, q)
	return errors.Join(err, errRefused)
}

func (w *Worker) failing(ctx context.Context, q db.Querier) ([]Record, error) {
	list, err := db.All(ctx, q, detailColumns+" WHERE run_id = ? AND outcome = ? ORDER BY id LIMIT ?", []any{w.run.ID, string(Error), maxNamed}, scanDetail)
	var records []Record
	for _, k := range list {
		records = append(records, k.Record)
	}
	return records, err
}

// refused is the error of rows that cannot move: those of the records, or where there are none those that the turn found.
func (w *Worker) refused(ctx context.Context, n int) error {
	list := w.errors
	if n > 0 {
		var err error
		if list, err = w.failing(ctx, w.d); err != nil {
			return err
		}
	} else {
		n = w.nErrors
	}
	return refusalOf(list, n, int(max(w.pace.done, int64(n))), nil)
}
