package job_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
)

// TestLife follows one job from the queue to its end.
func TestLife(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		var ended atomic.Int32
		q := y.queue(y.d, map[string]job.Kind{"add": {Again: 2, Run: func(_ context.Context, r *job.Run) (job.Outcome, error) {
			same(t, r.Job().Arguments, `{"n":[1,2]}`)
			r.Progress("adding", 0, 2)
			r.Progress("adding", 2, 2)
			r.Logf("line with NUL \x00 and %s", "\xff")
			return job.Outcome{Result: map[string]int{"sum": 3}, Files: []job.File{{"a.zip", 7, "00"}}}, nil
		}}})
		q.Ended = func(j job.Job, err error) {
			if j.Status != job.Done || err != nil {
				t.Errorf("ended %s, %v", j.Status, err)
			}
			ended.Add(1)
		}
		j := y.add(q, job.New{Kind: "add", Thing: "1 and 2", Arguments: map[string][]int{"n": {1, 2}}, Again: 2})
		if got := y.get(q, j.ID); got.Status != job.Queued || got.Started != nil || got.Attempt != 0 || got.Spare != 2 {
			t.Errorf("queued: %+v", got)
		}
		if err := q.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := y.get(q, j.ID)
		same(t, got.Result, `{"sum":3}`)
		if diff := cmp.Diff([]job.File{{"a.zip", 7, "00"}}, got.Files); diff != "" {
			t.Error(diff)
		}
		host, _ := os.Hostname()
		if got.Status != job.Done || got.Attempt != 1 || got.Error != nil || got.Started == nil || got.Finished == nil ||
			got.Progress != (job.Progress{Step: "adding", Done: 2, Total: 2}) || got.Worker != fmt.Sprintf("process %d on %s", os.Getpid(), host) {
			t.Errorf("done: %+v", got)
		}
		log, err := q.Log(t.Context(), j.ID)
		if err != nil || len(log) != 2 || log[0].Text != "adding" || log[1].Text != "line with NUL ? and ?" {
			t.Errorf("log %v, %v", log, err)
		}
		if n := ended.Load(); n != 1 {
			t.Errorf("ended %d times", n)
		}
		if n := y.count("SELECT count(*) FROM lectern_lock"); n != 0 {
			t.Errorf("%d leases are left", n)
		}
		if _, err := q.Cancel(t.Context(), j.ID); !fault.Is(err, fault.Refused) {
			t.Errorf("cancel after its end: %v", err)
		}
		if _, err := q.Retry(t.Context(), j.ID, 2); !fault.Is(err, fault.Refused) {
			t.Errorf("retry after its end: %v", err)
		}
		if _, err := q.Get(t.Context(), j.ID+1); !fault.Is(err, fault.NotFound) {
			t.Errorf("another: %v", err)
		}
	})
}

// TestFailures has jobs that fail in each way, and tries them again.
func TestFailures(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		var fail atomic.Bool
		fail.Store(true)
		q := y.queue(y.d, map[string]job.Kind{"fail": {Run: func(_ context.Context, r *job.Run) (job.Outcome, error) {
			switch thing := r.Job().Thing; {
			case !fail.Load():
				return job.Outcome{Result: thing}, nil
			case thing == "fault":
				return job.Outcome{Result: "findings"}, fault.Errorf(fault.Invalid, "course.xml", "it is bad: %w", errors.New("cause")).WithNext("mend it")
			case thing == "panic":
				panic("secret of the program")
			}
			return job.Outcome{}, errors.New("secret of the database")
		}}})
		var secret atomic.Bool
		q.Ended = func(_ job.Job, err error) {
			if err != nil && strings.Contains(err.Error(), "secret") {
				secret.Store(true)
			}
		}
		ids := map[string]int64{}
		for _, thing := range []string{"fault", "panic", "other"} {
			ids[thing] = y.add(q, job.New{Kind: "fail", Thing: thing}).ID
		}
		if err := q.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := y.get(q, ids["fault"])
		want := &job.Error{Code: "invalid", Message: "it is bad: cause", Thing: "course.xml", Next: "mend it"}
		if diff := cmp.Diff(want, got.Error); diff != "" || got.Status != job.Failed || string(got.Result) != `"findings"` {
			t.Errorf("%s, %s: %s", got.Status, got.Result, diff)
		}
		for _, thing := range []string{"panic", "other"} {
			got := y.get(q, ids[thing])
			if got.Status != job.Failed || got.Error.Code != "internal" || strings.Contains(got.Error.Message, "secret") {
				t.Errorf("%s: %+v", thing, got.Error)
			}
		}
		if !secret.Load() {
			t.Error("the cause is told to nobody")
		}
		fail.Store(false)
		for thing, id := range ids {
			if j, err := q.Retry(t.Context(), id, 1); err != nil || j.Status != job.Queued || j.Spare != 1 {
				t.Errorf("%s again: %+v, %v", thing, j, err)
			}
		}
		if err := q.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		for thing, id := range ids {
			if got := y.get(q, id); got.Status != job.Done || got.Attempt != 2 || got.Error != nil || string(got.Result) != `"`+thing+`"` {
				t.Errorf("%s the second time: %+v", thing, got)
			}
		}
	})
}

// TestCancel cancels a job that waits, one that runs here, and one that runs elsewhere.
func TestCancel(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		b := newBlocking()
		here := y.queue(y.d, b.kinds(1))
		elsewhere := y.queue(y.open(db.Options{}), nil)
		waits := y.add(here, job.New{Kind: "wait"})
		if j, err := elsewhere.Cancel(t.Context(), waits.ID); err != nil || j.Status != job.Cancelled || j.Finished == nil {
			t.Errorf("one that waits: %+v, %v", j, err)
		}
		y.work(here)
		for _, q := range []*job.Queue{here, elsewhere} {
			j := y.add(here, job.New{Kind: "wait", Again: 1})
			<-b.began
			asked := time.Now()
			if got, err := q.Cancel(t.Context(), j.ID); err != nil || !got.Cancel {
				t.Errorf("%+v, %v", got, err)
			}
			got := y.await(q, j.ID, job.Cancelled)
			if took := time.Since(asked); took > time.Minute {
				t.Errorf("it took %s", took)
			}
			if got.Error != nil || got.Finished == nil || !got.Cancel {
				t.Errorf("cancelled: %+v", got)
			}
			if got, err := q.Retry(t.Context(), j.ID, 1); err != nil || got.Cancel {
				t.Fatalf("again: %+v, %v", got, err)
			}
			here.Wake()
			<-b.began
			b.let <- struct{}{}
			y.await(q, j.ID, job.Done)
		}
	})
}

// TestStop ends a worker in the middle of a job; another goes on with it.
func TestStop(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		b := newBlocking()
		q := y.queue(y.d, b.kinds(0))
		stop := y.work(q)
		j := y.add(q, job.New{Kind: "wait"})
		<-b.began
		stop()
		if got := y.get(q, j.ID); got.Status != job.Queued || got.Started != nil || got.Attempt != 1 || got.Error != nil {
			t.Errorf("after its worker's end: %+v", got)
		}
		y.work(y.queue(y.open(db.Options{}), b.kinds(0)))
		<-b.began
		b.let <- struct{}{}
		same(t, y.await(q, j.ID, job.Done).Result, `{"attempt":2}`)
	})
}

// TestDo does a job as a command does.
func TestDo(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		b := newBlocking()
		q := y.queue(y.d, nil)
		other := y.queue(y.open(db.Options{}), b.kinds(1))
		y.work(other)
		end, recorded, err := q.Do(t.Context(), job.New{Kind: "wait", Thing: strings.Repeat("é", 600) + " "}, func(_ context.Context, r *job.Run) (job.Outcome, error) {
			if got := y.get(other, r.Job().ID); got.Status != job.Running || !got.Foreground {
				t.Errorf("meanwhile: %+v", got)
			}
			return job.Outcome{Result: 1}, nil
		})
		if err != nil || !recorded || end.Status != job.Done || len([]rune(end.Thing)) != 500 {
			t.Errorf("%+v, %t, %v", end, recorded, err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		cause := errors.New("stopped in the middle")
		end, _, err = q.Do(ctx, job.New{Kind: "wait"}, func(ctx context.Context, _ *job.Run) (job.Outcome, error) {
			interrupt()
			<-ctx.Done()
			return job.Outcome{}, cause
		})
		got := y.get(other, end.ID)
		if !errors.Is(err, cause) || got.Status != job.Cancelled || got.Error == nil || got.Error.Code != "interrupted" {
			t.Errorf("interrupted: %+v, %v", got, err)
		}
		if _, err := other.Retry(t.Context(), end.ID, 1); !fault.Is(err, fault.Refused) {
			t.Errorf("retry of a command's: %v", err)
		}
		end, _, err = q.Do(t.Context(), job.New{Kind: "wait"}, func(ctx context.Context, r *job.Run) (job.Outcome, error) {
			if _, err := other.Cancel(t.Context(), r.Job().ID); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return job.Outcome{}, ctx.Err()
		})
		if !errors.Is(err, context.Canceled) || end.Status != job.Cancelled || end.Error != nil {
			t.Errorf("cancelled from elsewhere: %+v, %v", end, err)
		}
	})
}

// TestIdle counts the statements of a worker that has nothing to do.
func TestIdle(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		var n atomic.Int64
		d := y.open(db.Options{OnStatement: func(string) { n.Add(1) }})
		q := y.queue(d, newBlocking().kinds(1))
		q.Poll = time.Hour
		y.work(q)
		settled := func(least int64) int64 { // when nothing more has come for a while, also on a busy machine
			last := int64(-1)
			for end := time.Now().Add(time.Minute); (n.Load() < least || n.Load() != last) && time.Now().Before(end); {
				last = n.Load()
				time.Sleep(300 * time.Millisecond)
			}
			return last
		}
		before := settled(3) // the sweep after the first look
		q.Wake()
		if got := settled(before+1) - before; got != 1 {
			t.Errorf("%d statements for a look, want 1", got)
		}
	})
}

// TestSweep removes what ended long ago, with logs and files.
func TestSweep(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		q := y.queue(y.d, map[string]job.Kind{"log": {Run: func(_ context.Context, r *job.Run) (job.Outcome, error) {
			r.Logf("done")
			return job.Outcome{}, nil
		}}})
		q.Keep, q.Place = time.Hour, "here"
		var gone []string
		q.Remove = func(id uuid.UUID) error {
			gone = append(gone, id.String())
			return nil
		}
		var want []string
		for i := range 5 {
			j := y.add(q, job.New{Kind: "log", Place: []string{"", "here"}[i%2]})
			if i < 3 {
				want = append(want, j.UUID.String())
			}
		}
		elsewhere := y.add(q, job.New{Kind: "log", Place: "elsewhere"})
		if err := q.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := y.get(q, elsewhere.ID); got.Status != job.Queued {
			t.Errorf("a job whose files lie elsewhere is %s", got.Status)
		}
		if _, err := q.Cancel(t.Context(), elsewhere.ID); err != nil {
			t.Fatal(err)
		}
		past := time.Now().Add(-90 * time.Minute)
		y.exec("UPDATE lectern_job SET finished = ? WHERE id < ? OR id = ?", past, elsewhere.ID-2, elsewhere.ID)
		n, err := q.Sweep(t.Context())
		if diff := cmp.Diff(want, gone); err != nil || n != 3 || diff != "" {
			t.Errorf("%d, %v: %s", n, err, diff)
		}
		if n := y.count("SELECT count(*) FROM lectern_joblog"); n != 2 {
			t.Errorf("%d lines are left, want 2", n)
		}
		y.exec("UPDATE lectern_job SET finished = ?", past.Add(-time.Hour))
		if n, err := q.Sweep(t.Context()); n != 3 || err != nil {
			t.Errorf("later: %d, %v", n, err)
		}
	})
}
