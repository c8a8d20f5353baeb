package job

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/lease"
)

// Do does a job in this process, as commands do, and keeps it in the table for others to see and to cancel. It returns
// the error of the work as it is, and the job as it ended; where somebody cancels it the context of the work ends. When the
// job could not be written down to begin with, nothing was done and recorded is false.
func (q *Queue) Do(ctx context.Context, n New, work func(context.Context, *Run) (Outcome, error)) (end Job, recorded bool, err error) {
	opening, cancel := ctx, context.CancelFunc(func() {})
	if q.Within > 0 {
		opening, cancel = context.WithTimeout(ctx, q.Within)
	}
	j, l, err := q.open(opening, n)
	cancel()
	if err != nil {
		return Job{}, false, err
	}
	r, on := q.begin(ctx, j, l)
	end, err, written := r.do(ctx, on, work)
	if q.Ended != nil && written == nil {
		q.Ended(end, err)
	}
	if written != nil && q.Trouble != nil {
		q.Trouble(written)
	}
	if err == nil && errors.Is(written, ErrGone) {
		err = written
	}
	return end, true, err
}

// open writes a job that this process is at.
func (q *Queue) open(ctx context.Context, n New) (j Job, l *lease.Lease, err error) {
	if n.UUID == uuid.Nil {
		id, err := uuid.NewV7()
		if err != nil {
			return j, nil, err
		}
		n.UUID = id
	}
	// The lease comes first, so that there is never a row that runs without one.
	l, err = lease.Take(ctx, q.DB, (&Job{UUID: n.UUID}).lease(1), lease.Options{What: fmt.Sprintf("%s of %s", n.Kind, thing(n.Thing)), Term: q.Term})
	if err != nil {
		return j, nil, err
	}
	err = q.DB.Update(ctx, func(tx *db.Tx) (err error) {
		now := tx.Now()
		if j, err = n.job(now); err != nil {
			return err
		}
		j.Status, j.Foreground, j.Attempt, j.Spare, j.Started, j.Worker = Running, true, 1, 0, &now, worker()
		return insert(ctx, tx, &j)
	})
	if err != nil {
		return j, nil, errors.Join(err, l.Release(ctx))
	}
	return j, l, nil
}
