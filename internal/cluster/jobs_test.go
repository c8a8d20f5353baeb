package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/job"
)

// TestJobs lets workers on all nodes claim jobs that were added on all nodes, all at once: each job is done once, and all
// nodes tell the same of it. One that runs on a node is cancelled from another.
func TestJobs(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		create(t, c)
		nodes := all(t, c)
		const each = 20
		var mu sync.Mutex // guards ran
		ran := map[uuid.UUID]int{}
		began := make(chan int64, 1)
		kinds := map[string]job.Kind{
			"count": {Again: 2, Run: func(_ context.Context, r *job.Run) (job.Outcome, error) {
				mu.Lock()
				defer mu.Unlock()
				ran[r.Job().UUID]++
				return job.Outcome{Result: r.Job().Attempt}, nil
			}},
			"wait": {Run: func(ctx context.Context, r *job.Run) (job.Outcome, error) {
				began <- r.Job().ID
				<-ctx.Done()
				return job.Outcome{}, context.Cause(ctx)
			}},
		}
		queues := make([]*job.Queue, len(nodes))
		for i, d := range nodes {
			queues[i] = &job.Queue{DB: d, Kinds: kinds, Poll: 20 * time.Millisecond, Workers: 3, Keep: -1,
				Trouble: func(err error) { t.Logf("node %d: %v", i, err) }}
		}
		var adding sync.WaitGroup
		for i, q := range queues {
			adding.Go(func() {
				for n := range each {
					err := q.DB.Update(t.Context(), func(tx *db.Tx) error {
						_, err := q.Add(t.Context(), tx, job.New{Kind: "count", Thing: fmt.Sprintf("%d of node %d", n, i), Again: 2})
						return err
					})
					if err != nil {
						t.Errorf("node %d: %v", i, err)
					}
				}
			})
		}
		working, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		defer work.Wait()
		defer stop()
		for _, q := range queues {
			work.Go(func() { q.Work(working) })
		}
		adding.Wait()
		total := each * len(nodes)
		for i, q := range queues {
			list := await(t, q, func(list []job.Job) bool {
				n := 0
				for _, j := range list {
					if j.Status == job.Done {
						n++
					}
				}
				return n == total
			})
			for _, j := range list {
				if j.Attempt != 1 || string(j.Result) != "1" {
					t.Errorf("node %d: %s was begun %d times: %s", i, j.Thing, j.Attempt, j.Result)
				}
			}
		}
		mu.Lock()
		for id, n := range ran {
			if n != 1 {
				t.Errorf("job %s ran %d times", id, n)
			}
		}
		if len(ran) != total {
			t.Errorf("%d jobs ran, want %d", len(ran), total)
		}
		mu.Unlock()

		err := nodes[0].Update(t.Context(), func(tx *db.Tx) error {
			_, err := queues[0].Add(t.Context(), tx, job.New{Kind: "wait", Thing: "a cancel"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		id := <-began
		// By a process that does not run it, whichever node that works on.
		if _, err := (&job.Queue{DB: nodes[1]}).Cancel(t.Context(), id); err != nil {
			t.Error(err)
		}
		await(t, queues[len(queues)-1], func(list []job.Job) bool {
			return len(list) == total+1 && list[0].ID == id && list[0].Status == job.Cancelled
		})
	})
}

// await looks at the jobs through a node until they are as they should be.
func await(t *testing.T, q *job.Queue, good func([]job.Job) bool) []job.Job {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		list, err := q.List(t.Context(), job.Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if good(list) {
			return list
		}
		if time.Now().After(end) {
			t.Fatalf("the jobs are not as they should be: %+v", list)
		}
	}
}
