package job_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
)

// record is what really happened to jobs, in memory.
type record struct {
	mu     sync.Mutex     // guards the rest
	at     map[int64]int  // work that is going on, by job
	heard  map[int64]bool // work that came to its end without an error, of which the row may tell
	starts map[int64]int
	twice  []string
}

func (r *record) work(ctx context.Context, run *job.Run) (job.Outcome, error) {
	j := run.Job()
	r.mu.Lock()
	r.starts[j.ID]++
	if r.at[j.ID]++; r.at[j.ID] > 1 {
		r.twice = append(r.twice, fmt.Sprintf("job %d, attempt %d", j.ID, j.Attempt))
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.at[j.ID]--
		r.mu.Unlock()
	}()
	for i := range 3 {
		run.Progress("step", i, 3)
		select {
		case <-ctx.Done():
			return job.Outcome{}, ctx.Err()
		case <-time.After(rand.N(3 * time.Millisecond)):
		}
	}
	switch rand.N(6) {
	case 0:
		return job.Outcome{}, errors.New("bad luck")
	case 1:
		panic("worse")
	}
	r.mu.Lock()
	r.heard[j.ID] = true
	r.mu.Unlock()
	return job.Outcome{Result: j.Attempt}, nil
}

// TestModel has several workers that come and go, whose statements fail at random, people who add, cancel and try again,
// and checks what must always hold: no job is at two workers, none is lost, none says done that did not come to its end,
// each comes to a final state, and nothing is left over.
func TestModel(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		r := &record{at: map[int64]int{}, heard: map[int64]bool{}, starts: map[int64]int{}}
		var calm atomic.Bool
		// A statement in some hundred fails, as a lost race that is run again, or as a server that goes away.
		trip := func(string) error {
			switch n := rand.N(400); {
			case calm.Load() || n > 5:
				return nil
			case n > 1:
				return fmt.Errorf("in the way: %w", db.ErrRetry)
			}
			return fmt.Errorf("gone: %w", db.ErrUnavailable)
		}
		kinds := map[string]job.Kind{"model": {Run: r.work, Again: 100}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var workers, people sync.WaitGroup
		calm.Store(true)
		var stores []*db.DB
		for range 3 {
			stores = append(stores, y.open(db.Options{Fault: trip}))
		}
		calm.Store(false)
		for _, d := range stores {
			workers.Go(func() {
				for ctx.Err() == nil {
					q := &job.Queue{DB: d, Kinds: kinds, Poll: 3 * time.Millisecond, Keep: -1}
					on, stop := context.WithCancel(ctx)
					timer := time.AfterFunc(20*time.Millisecond+rand.N(60*time.Millisecond), stop)
					if calm.Load() {
						timer.Stop()
					}
					q.Work(on)
					stop()
				}
			})
		}
		person := y.queue(y.d, kinds)
		var mu sync.Mutex
		var ids []int64
		for range 3 {
			people.Go(func() {
				for range 12 {
					j := y.add(person, job.New{Kind: "model", Again: 100})
					mu.Lock()
					ids = append(ids, j.ID)
					other := ids[rand.N(len(ids))]
					mu.Unlock()
					var err error
					switch rand.N(3) {
					case 0:
						_, err = person.Cancel(ctx, other)
					case 1:
						_, err = person.Retry(ctx, other, 100)
					}
					if err != nil && !fault.Is(err, fault.Refused) {
						t.Error(err)
					}
					time.Sleep(rand.N(10 * time.Millisecond))
				}
			})
		}
		people.Wait()
		time.Sleep(100 * time.Millisecond)
		calm.Store(true)
		for _, id := range ids {
			got := y.await(person, id, job.Done, job.Failed, job.Cancelled)
			r.mu.Lock()
			switch {
			case got.Status == job.Done && !r.heard[id]:
				t.Errorf("job %d is done, and its work never was", id)
			case got.Status == job.Done && string(got.Result) != fmt.Sprint(got.Attempt):
				t.Errorf("job %d is done by attempt %d, and has the result %s", id, got.Attempt, got.Result)
			case got.Status == job.Failed && r.starts[id] == 0:
				t.Errorf("job %d failed, and was never begun", id)
			case got.Attempt < r.starts[id]:
				t.Errorf("job %d was begun %d times, and knows of %d", id, r.starts[id], got.Attempt)
			case (got.Status == job.Failed) != (got.Error != nil), got.Finished == nil:
				t.Errorf("job %d: %+v", id, got)
			}
			r.mu.Unlock()
		}
		cancel()
		workers.Wait()
		for _, s := range r.twice {
			t.Errorf("two workers at %s", s)
		}
		if n := y.count("SELECT count(*) FROM lectern_job WHERE status IN ('queued', 'running')"); n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}
