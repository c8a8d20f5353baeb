package job_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/job"
)

// TestFaultAtEveryStatement takes the database away from a worker, and from a command, at every statement of a job's life.
// Afterwards another brings the job to its end, and nothing is left over; a command's work is done once, whatever can be
// written of it.
func TestFaultAtEveryStatement(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		var began atomic.Int64
		kinds := map[string]job.Kind{"work": {Again: 2, Run: func(_ context.Context, r *job.Run) (job.Outcome, error) {
			began.Add(1)
			r.Logf("a line")
			return job.Outcome{Result: "done"}, nil
		}}}
		for n, last := int64(1), false; !last; n++ {
			if n > 100 {
				t.Fatal("it never comes to its end")
			}
			var sent atomic.Int64
			var armed atomic.Bool
			gone := func(string) error {
				if armed.Load() && sent.Add(1) >= n {
					return fmt.Errorf("statement %d: %w", n, db.ErrUnavailable)
				}
				return nil
			}
			d := y.open(db.Options{Fault: gone})
			q := &job.Queue{DB: d, Kinds: kinds, Keep: -1, Within: 20 * time.Millisecond}
			other := y.queue(y.d, kinds)
			j := y.add(other, job.New{Kind: "work", Again: 2})
			began.Store(0)
			armed.Store(true)
			_ = q.Once(t.Context()) // it may or may not notice
			last = sent.Load() < n
			if err := other.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := y.get(other, j.ID); got.Status != job.Done || string(got.Result) != `"done"` || got.Attempt > 2 {
				t.Errorf("without statement %d: %+v, %+v", n, got, got.Error)
			}
			if b := began.Load(); b < 1 || b > 2 {
				t.Errorf("without statement %d it was begun %d times", n, b)
			}

			sent.Store(0)
			did, cause := 0, errors.New("of the work")
			end, recorded, err := q.Do(t.Context(), job.New{Kind: "command"}, func(context.Context, *job.Run) (job.Outcome, error) {
				did++
				return job.Outcome{}, cause
			})
			if recorded != (did == 1) || recorded && !errors.Is(err, cause) || !recorded && err == nil {
				t.Errorf("without statement %d: recorded %t, done %d times, %v", n, recorded, did, err)
			}
			if err := other.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			if recorded {
				if got := y.get(other, end.ID); got.Status != job.Failed || got.Error == nil {
					t.Errorf("without statement %d the command's job is %+v", n, got)
				}
			}
		}
		if n := y.count("SELECT count(*) FROM lectern_job WHERE status NOT IN ('done', 'failed')"); n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}
