package roleshift

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// maxShown is how many rows a preview tells of one by one.
const maxShown = 10_000

// Preview tells what a run in batches would do, batch by batch, each in a transaction that update undoes. A second row of one
// role that comes in another batch than the first is told of as moved, not as merged.
func Preview(ctx context.Context, update func(context.Context, func(*db.Tx) error) error, ask Ask, o Batches) (*Run, error) {
	o = o.filled()
	run := &Run{Direction: ask.Direction, Kind: ask.kind(), Key: ask.key(), Ours: true, Batches: true, Actor: ask.Actor, Moves: &Moves{Direction: ask.Direction}}
	counts, notEligible := map[Outcome]int64{}, int64(0)
	var failing []Record
	for after, more := int64(0), true; more; {
		var list []source
		var last int64
		var records []Record
		err := update(ctx, func(tx *db.Tx) (err error) {
			if list, last, more, err = sources(ctx, tx, ask, after, o.Rows); err != nil {
				return err
			}
			if run.Started.IsZero() {
				run.Started = tx.Now()
			}
			now := tx.Now()
			run.Finished = &now
			w := &Worker{run: *run, ask: ask}
			var st stepping
			m := newMover(tx, ask, 0)
			m.paged = true
			if _, err := m.place(ctx, tx, list); err != nil {
				return err
			}
			records = m.out.Records
			derived, err := w.derived(ctx, tx, &st, ask, records, ask.Org != "" || !more)
			records = append(records, derived...)
			return err
		})
		if err != nil {
			return nil, err
		}
		after = last
		for _, r := range records {
			if r.Reason == NotEligible {
				notEligible++
			} else {
				counts[r.Outcome]++
			}
			if r.Outcome == Error && len(failing) < maxNamed {
				failing = append(failing, r)
			}
			if len(run.Moves.Records) < maxShown {
				run.Moves.Records = append(run.Moves.Records, r)
			} else {
				run.Truncated = true
			}
		}
		if o.Progress != nil {
			done := int(counts[Moved] + counts[Merged] + counts[Left] + counts[Error])
			o.Progress("look at roles", done, done)
		}
	}
	run.Moved, run.Merged, run.Left, run.Errors, run.Derived, run.NotEligible = counts[Moved], counts[Merged], counts[Left], counts[Error], counts[Derived], notEligible
	switch {
	case run.Errors > 0 && !ask.KeepGoing:
		return run, refusalOf(failing, int(run.Errors), int(run.Moved+run.Merged+run.Left+run.Errors), run.Moves)
	case run.Errors > 0:
		run.Status = Partial
	default:
		run.Status = Completed
	}
	return run, nil
}
