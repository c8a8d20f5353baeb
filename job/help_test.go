package job_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// yard is a database whose jobs several processes work on, each with a handle of its own.
type yard struct {
	*testing.T
	url string
	d   *db.DB
}

// each runs fn on every engine.
func each(t *testing.T, fn func(y *yard)) {
	t.Helper()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		y := &yard{T: t, url: dbtest.ReadyURL(t, e, setup)}
		y.d = y.open(db.Options{})
		fn(y)
	})
}

func (y *yard) open(o db.Options) *db.DB {
	y.Helper()
	d, err := db.Open(y.Context(), y.url, o)
	if err != nil {
		y.Fatal(err)
	}
	y.Cleanup(func() {
		if err := d.Close(); err != nil {
			y.Error(err)
		}
	})
	return d
}

// queue returns the queue of one process, which looks often.
func (y *yard) queue(d *db.DB, kinds map[string]job.Kind) *job.Queue {
	return &job.Queue{DB: d, Kinds: kinds, Poll: 10 * time.Millisecond, Keep: -1, Trouble: func(err error) { y.Logf("trouble: %v", err) }}
}

func (y *yard) add(q *job.Queue, n job.New) job.Job {
	y.Helper()
	var j job.Job
	err := q.DB.Update(y.Context(), func(tx *db.Tx) (err error) {
		j, err = q.Add(y.Context(), tx, n)
		return err
	})
	if err != nil {
		y.Fatal(err)
	}
	q.Wake()
	return j
}

func (y *yard) get(q *job.Queue, id int64) job.Job {
	y.Helper()
	j, err := q.Get(y.Context(), id)
	if err != nil {
		y.Fatal(err)
	}
	return j
}

// work lets a queue work until the function returned is called, which waits for its end.
func (y *yard) work(q *job.Queue) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Work(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	y.Cleanup(stop)
	return stop
}

// await waits until a job is in one of the states.
func (y *yard) await(q *job.Queue, id int64, states ...job.Status) job.Job {
	y.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		j := y.get(q, id)
		for _, s := range states {
			if j.Status == s {
				return j
			}
		}
		if time.Now().After(end) {
			y.Fatalf("job %d is %s, want %v", id, j.Status, states)
		}
	}
}

func (y *yard) count(sql string, args ...any) int {
	y.Helper()
	n, _, err := db.One(y.Context(), y.d, sql, args, db.Value[int])
	if err != nil {
		y.Fatal(err)
	}
	return n
}

func (y *yard) exec(sql string, args ...any) {
	y.Helper()
	if _, err := y.d.Exec(y.Context(), sql, args...); err != nil {
		y.Fatal(err)
	}
}

// blocking is a kind whose work begins, is told of, and lasts until it is let go or its context ends.
type blocking struct {
	began, let chan struct{}
}

func newBlocking() *blocking { return &blocking{make(chan struct{}, 100), make(chan struct{})} }

func (b *blocking) kinds(again int) map[string]job.Kind {
	return map[string]job.Kind{"wait": {Again: again, Run: b.run}}
}

func (b *blocking) run(ctx context.Context, r *job.Run) (job.Outcome, error) {
	b.began <- struct{}{}
	select {
	case <-b.let:
		return job.Outcome{Result: map[string]int{"attempt": r.Job().Attempt}}, nil
	case <-ctx.Done():
		return job.Outcome{}, ctx.Err()
	}
}

func same(t *testing.T, got json.RawMessage, want string) {
	t.Helper()
	if string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}
