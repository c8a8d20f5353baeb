package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/lease"
)

// Why the context of a run has ended.
var (
	errCancelled = errors.New("the job was cancelled")
	errLost      = errors.New("the job's lease was lost")
)

// IsCancelled reports whether the context of a run has ended because somebody cancelled the job, and not because its worker ends,
// after which another takes it up.
func IsCancelled(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errCancelled) }

const (
	watchEvery = time.Second // between looks whether somebody has asked for the end
	flushEvery = time.Second // between writes of progress
	maxLines   = 1000        // of a log, for one attempt
	maxLine    = 2000        // characters
	finishing  = 70 * time.Second
)

// Run is one attempt at a job, while it lasts. Its methods are safe for concurrent use.
type Run struct {
	q     *Queue
	job   Job // as it was begun
	lease *lease.Lease
	stop  context.CancelCauseFunc

	mu       sync.Mutex // guards the rest
	progress Progress
	changed  bool // progress since it was last written
	pending  []Line
	written  int // lines of this attempt, written or pending
}

// Job returns the job as it was when the attempt began.
func (r *Run) Job() Job { return r.job }

// Progress says how far the work is. It may be called for every item: it is written once a second at most. The beginning
// of a step is also a line of the log.
func (r *Run) Progress(step string, done, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := Progress{step, done, total}
	if p == r.progress {
		return
	}
	if step != r.progress.Step {
		r.add(step)
	}
	r.progress, r.changed = p, true
}

// Logf adds a line to the job's log, which holds a thousand of an attempt.
func (r *Run) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.add(fmt.Sprintf(format, args...))
}

// add adds a line; the lock is held.
func (r *Run) add(line string) {
	switch r.written++; {
	case r.written > maxLines:
		return
	case r.written == maxLines:
		line = "the log is full: what follows is left out"
	}
	line = strings.ReplaceAll(strings.ToValidUTF8(line, "?"), "\x00", "?")
	if runes := []rune(line); len(runes) > maxLine {
		line = string(runes[:maxLine-1]) + "…"
	}
	r.pending = append(r.pending, Line{time.Now().UTC().Truncate(time.Microsecond), line})
}

func (r *Run) now() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}

func (r *Run) snapshot() Job {
	j := r.job
	j.Progress = r.now()
	return j
}

// take returns what is to be written, and counts it as written.
func (r *Run) take() (p Progress, lines []Line, any bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, lines, any = r.progress, r.pending, r.changed || len(r.pending) > 0
	r.changed, r.pending = false, nil
	return p, lines, any
}

// untake gives back what could not be written.
func (r *Run) untake(lines []Line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed, r.pending = true, append(lines, r.pending...)
}

// begin makes the run known to this process; its work is to be done in the context returned.
func (q *Queue) begin(ctx context.Context, j Job, l *lease.Lease) (*Run, context.Context) {
	on, stop := context.WithCancelCause(ctx)
	r := &Run{q: q, job: j, lease: l, stop: stop}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.live == nil {
		q.live = map[int64]*Run{}
	}
	q.live[j.ID] = r
	return r, on
}

func (q *Queue) forget(r *Run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.live, r.job.ID)
}

// do does the work in the context on, which ended when ctx has or stop was called, and writes how it ended; then the lease
// is given back. The job that it returns is that end, err is the work's own, and written is nil when the end was written.
func (r *Run) do(ctx, on context.Context, work func(context.Context, *Run) (Outcome, error)) (end Job, err, written error) {
	watching, enough := context.WithCancel(on)
	var beside sync.WaitGroup
	beside.Go(func() { r.watch(watching) })
	beside.Go(func() { r.flush(watching) })
	out, err := r.call(on, work)
	cause := context.Cause(on)
	enough()
	beside.Wait()
	r.stop(nil)
	end = r.end(ctx, cause, out, err)
	written = r.finish(ctx, &end)
	r.q.forget(r)
	// A lease that cannot be given back is known as left over, here and elsewhere.
	_ = r.lease.Release(ctx)
	return end, err, written
}

// call runs the work; a panic of it is a failure of this job and not of the program.
func (r *Run) call(ctx context.Context, work func(context.Context, *Run) (Outcome, error)) (out Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return work(ctx, r)
}

// watch ends the work when its end was asked for or its lease was lost.
func (r *Run) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.lease.Lost():
			r.stop(errLost)
			return
		case <-tick.C:
		}
		asked := r.q.Asked != nil && r.q.Asked(r.job)
		if !asked {
			// What cannot be read now is asked again.
			asked, _, _ = db.One(ctx, r.q.DB, "SELECT cancel FROM lectern_job WHERE id = ? AND attempt = ?", []any{r.job.ID, r.job.Attempt}, db.Value[bool])
		}
		if asked {
			r.stop(errCancelled)
			return
		}
	}
}

// flush writes progress and log now and then. On SQLite it waits while the work has the write lock.
func (r *Run) flush(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p, lines, any := r.take()
		if !any {
			continue
		}
		err := r.q.DB.Update(ctx, func(tx *db.Tx) error {
			n, err := tx.Exec(ctx, "UPDATE lectern_job SET progress = ? WHERE id = ? AND status = ? AND attempt = ?",
				text(p), r.job.ID, string(Running), r.job.Attempt)
			if err != nil || n == 0 || len(lines) == 0 {
				return err
			}
			return addLines(ctx, tx, r.job.ID, lines)
		})
		if err != nil {
			r.untake(lines)
		}
	}
}

// end returns the job as the work has left it.
func (r *Run) end(ctx context.Context, cause error, out Outcome, err error) Job {
	j := r.snapshot()
	j.Files = []File{}
	if out.Result != nil {
		b, merr := json.Marshal(out.Result)
		switch {
		case merr != nil:
			err = errors.Join(err, merr)
		case string(b) != "null": // a pointer to nothing
			j.Result = b
		}
	}
	switch {
	case err == nil:
		j.Status = Done
		j.Files = append(j.Files, out.Files...)
	case errors.Is(cause, errCancelled):
		j.Status, j.Cancel = Cancelled, true
	case errors.Is(cause, errLost): // others will find it so
		j = r.job
		j.lost(time.Now().UTC())
	case ctx.Err() != nil && r.job.Foreground:
		j.Status = Cancelled
		j.Error = &Error{fault.Interrupted.Code(), "the command was interrupted", j.Thing, "run the command again"}
	case ctx.Err() != nil: // the server ends: another begins it anew
		j.Status, j.Started, j.Result, j.Progress, j.Worker = Queued, nil, nil, Progress{}, ""
	default:
		j.Status, j.Error = Failed, describe(err, j.name())
	}
	return j
}

// finish writes the end, unless the attempt is over in the eyes of others. What keeps it from writing is waited for a while.
func (r *Run) finish(ctx context.Context, end *Job) error {
	longest := finishing
	if r.q.Within > 0 {
		longest = 4 * r.q.Within
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	defer cancel()
	_, lines, _ := r.take()
	was := r.job
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		ok := false
		err := r.q.DB.Update(ctx, func(tx *db.Tx) (err error) {
			if end.Status.Final() {
				now := tx.Now()
				end.Finished = &now
			}
			if ok, err = swap(ctx, tx, &was, end); err != nil || !ok || len(lines) == 0 {
				return err
			}
			return addLines(ctx, tx, end.ID, lines)
		})
		switch {
		case err == nil && ok:
			return nil
		case err == nil:
			return fmt.Errorf("%s: %w", end.name(), ErrGone)
		}
		select {
		case <-ctx.Done():
			return err
		case <-r.lease.Lost():
			return err
		case <-time.After(pause):
		}
	}
}

// worker is what people are told of who does a job.
func worker() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	if runes := []rune(host); len(runes) > 200 {
		host = string(runes[:200])
	}
	return fmt.Sprintf("process %d on %s", os.Getpid(), host)
}
