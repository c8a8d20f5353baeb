package job

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
)

const (
	sweepEvery = time.Hour
	maxTrouble = time.Minute // pause after a failure of the database
)

// Work does jobs of the queue until ctx ends, several at the same time. Then it stops those that it is at, puts them
// back and returns. Any number of processes may work on one database. When there is nothing to do it sends one statement each
// Poll. Failures of the database are told to Trouble and waited out.
func (q *Queue) Work(ctx context.Context) {
	w := &shift{q: q, ended: make(chan struct{}, 1), free: q.Workers}
	if w.free <= 0 {
		w.free = defaultWorkers
	}
	defer w.group.Wait()
	wake, poll := q.waker(), q.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	trouble := poll
	var swept time.Time
	for ctx.Err() == nil {
		again, err := w.pass(ctx)
		if again {
			q.Wake() // what was settled may wait to be done
		}
		if err == nil && time.Since(swept) > sweepEvery {
			_, err = q.Sweep(ctx)
			err = errors.Join(err, q.SweepLeases(ctx))
			swept = time.Now()
		}
		pause, ended := poll, w.ended
		if err != nil && ctx.Err() == nil {
			if q.Trouble != nil {
				q.Trouble(err)
			}
			pause, trouble, ended = trouble, min(2*trouble, maxTrouble), nil
		} else {
			trouble = poll
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wake:
		case <-ended:
		}
		timer.Stop()
	}
}

// Once does what is in the queue, and returns when there is nothing left that can be done here, or when ctx ends.
func (q *Queue) Once(ctx context.Context) error {
	w := &shift{q: q, ended: make(chan struct{}, 1), free: max(q.Workers, 1)}
	defer w.group.Wait()
	for ctx.Err() == nil {
		again, err := w.pass(ctx)
		if err != nil {
			return err
		}
		if again {
			continue
		}
		if !w.busy() {
			break
		}
		select {
		case <-w.ended:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	_, err := q.Sweep(ctx)
	return err
}

// shift is one call of Work.
type shift struct {
	q     *Queue
	group sync.WaitGroup
	ended chan struct{} // a job has ended since this was last read

	mu   sync.Mutex // guards the rest
	free int
	at   int
}

func (w *shift) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at > 0
}

func (w *shift) count(n int) (free int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free -= n
	w.at += n
	return w.free
}

// pass looks into the table once: it settles jobs whose workers are gone, and begins as many as there are free workers. It
// says whether it has settled any, so that it is worth to look again.
func (w *shift) pass(ctx context.Context) (again bool, err error) {
	q := w.q
	if len(q.Kinds) == 0 {
		return false, nil
	}
	list, err := active(ctx, q.DB, slices.Sorted(maps.Keys(q.Kinds)), q.Place)
	if err != nil {
		return false, err
	}
	var run, wait []Job
	for _, j := range list {
		if j.Status == Running {
			run = append(run, j)
		} else {
			wait = append(wait, j)
		}
	}
	if again, err = q.settle(ctx, run); err != nil {
		return again, err
	}
	for _, j := range wait {
		if w.count(0) <= 0 || ctx.Err() != nil {
			return again, nil
		}
		r, on, err := q.claim(ctx, j)
		if err != nil {
			return again, err
		}
		if r != nil { // else another was first
			w.begin(ctx, on, r)
		}
	}
	return again, nil
}

func (w *shift) begin(ctx, on context.Context, r *Run) {
	w.count(1)
	w.group.Go(func() {
		end, err, written := r.do(ctx, on, w.q.Kinds[r.job.Kind].Run)
		if w.q.Ended != nil && written == nil {
			w.q.Ended(end, err)
		}
		if w.q.Trouble != nil && written != nil {
			w.q.Trouble(errors.Join(written, err))
		}
		w.count(-1)
		select {
		case w.ended <- struct{}{}:
		default:
		}
	})
}

// claim makes a queued job ours: nil when another was first.
func (q *Queue) claim(ctx context.Context, was Job) (*Run, context.Context, error) {
	l, err := q.hold(ctx, &was, was.Attempt+1)
	if err != nil || l == nil {
		return nil, nil, err
	}
	j, ok := was, false
	err = q.DB.Update(ctx, func(tx *db.Tx) (err error) {
		now := tx.Now()
		j.Status, j.Attempt, j.Started, j.Finished = Running, was.Attempt+1, &now, nil
		j.Cancel, j.Worker, j.Progress, j.Result, j.Error, j.Files = false, worker(), Progress{}, nil, nil, []File{}
		ok, err = swap(ctx, tx, &was, &j)
		return err
	})
	if err != nil || !ok {
		return nil, nil, errors.Join(err, l.Release(ctx))
	}
	r, on := q.begin(ctx, j, l)
	return r, on, nil
}

// hold takes the lease of an attempt; nil when another has it.
func (q *Queue) hold(ctx context.Context, j *Job, attempt int) (*lease.Lease, error) {
	l, err := lease.Take(ctx, q.DB, j.lease(attempt), lease.Options{What: fmt.Sprintf("%s: %s", j.name(), j.Kind), Term: q.Term})
	if fault.Is(err, fault.Refused) {
		return nil, nil //nolint:nilnil // another has it
	}
	return l, err
}

// bury writes what becomes of a running job whose worker is gone, unless it is not gone, or others have written it. To
// hold the lease that the worker had is what proves it.
func (q *Queue) bury(ctx context.Context, was *Job) (buried bool, err error) {
	l, err := q.hold(ctx, was, was.Attempt)
	if err != nil || l == nil {
		return false, err
	}
	err = q.DB.Update(ctx, func(tx *db.Tx) error {
		buried = false
		// Locked before it is read again, so that nobody can ask for its end in between and not be heard.
		n, err := tx.Exec(ctx, "UPDATE lectern_job SET cancel = cancel WHERE id = ? AND status = ? AND attempt = ?", was.ID, string(Running), was.Attempt)
		if err != nil || n == 0 {
			return err
		}
		j, err := get(ctx, tx, was.ID)
		if err != nil {
			return err
		}
		before := j
		j.lost(tx.Now())
		if ok, err := swap(ctx, tx, &before, &j); err != nil || !ok {
			return err
		}
		buried = true
		return addLines(ctx, tx, j.ID, []Line{{tx.Now(), fmt.Sprintf("its worker, %s, is gone; the job is %s", before.Worker, j.Status)}})
	})
	return buried, errors.Join(err, l.Release(ctx))
}
