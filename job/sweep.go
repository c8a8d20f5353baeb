package job

import (
	"context"
	"errors"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/lease"
)

const sweepBatch = 200

// Sweep removes jobs that ended longer ago than Keep, with their logs and files, in bounded batches, and returns how many
// went. Those whose files lie elsewhere are left to who works there, for as long again.
func (q *Queue) Sweep(ctx context.Context) (removed int, err error) {
	for {
		n, err := q.SweepSome(ctx, sweepBatch)
		removed += n
		if err != nil || n < sweepBatch {
			return removed, err
		}
	}
}

// SweepSome is one batch of Sweep, of so many jobs at most.
func (q *Queue) SweepSome(ctx context.Context, most int) (removed int, err error) {
	keep := q.Keep
	if keep == 0 {
		keep = DefaultKeep
	}
	if keep < 0 {
		return 0, nil
	}
	var list []old
	err = q.DB.View(ctx, func(tx *db.Tx) (err error) {
		list, err = finishedBefore(ctx, tx, tx.Now().Add(-keep), tx.Now().Add(-2*keep), q.Place, most)
		return err
	})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	var ids []int64
	var errs []error
	for _, o := range list {
		// Files first: a row without them can be swept again, files without a row only by looking at all of them.
		if q.Remove != nil {
			if err := q.Remove(o.uuid); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		ids = append(ids, o.id)
	}
	n, err := db.ExecIn(ctx, q.DB, "DELETE FROM lectern_job WHERE finished IS NOT NULL AND id IN (?...)", ids, nil)
	return int(n), errors.Join(append(errs, err)...)
}

// SweepLeases removes leases of jobs that a process killed at a bad moment has left.
func (q *Queue) SweepLeases(ctx context.Context) error { return lease.Sweep(ctx, q.DB, leasePrefix) }
