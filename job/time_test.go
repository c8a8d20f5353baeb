package job_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/schema"
)

// bubble runs fn with a database in a time of its own.
func bubble(t *testing.T, fn func(t *testing.T, d *db.DB, statements *atomic.Int64)) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lectern.db")
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		d, err := db.Open(t.Context(), file, db.Options{Create: true, OnStatement: func(string) { n.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}()
		if err := schema.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		fn(t, d, &n)
	})
}

// TestPause counts what an idle worker sends in ten minutes: a statement a second.
func TestPause(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *db.DB, n *atomic.Int64) {
		q := &job.Queue{DB: d, Kinds: newBlocking().kinds(1)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			q.Work(ctx)
		}()
		time.Sleep(time.Second / 2)
		before := n.Load()
		time.Sleep(10 * time.Minute)
		if got := n.Load() - before; got != 600 {
			t.Errorf("%d statements in ten minutes, want 600", got)
		}
		cancel()
		<-done
	})
}

// TestRates tells of progress a million times in a minute: it is written once a second, and the log does not grow with it.
// The end that somebody asks for is heard of within a second.
func TestRates(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *db.DB, n *atomic.Int64) {
		q := &job.Queue{DB: d}
		var id int64
		var asked time.Time
		_, _, err := q.Do(t.Context(), job.New{Kind: "count"}, func(ctx context.Context, r *job.Run) (job.Outcome, error) {
			id = r.Job().ID
			before := n.Load()
			for i := range 60 {
				for k := range 10_000 {
					r.Progress("counting", i*10_000+k, 600_000)
					r.Logf("%d", k)
				}
				time.Sleep(time.Second)
			}
			// A second: a look, and a transaction of a write and lines; the lease three times in its term.
			if got := n.Load() - before; got > 60*4+20 {
				t.Errorf("%d statements in a minute", got)
			}
			got, err := q.Get(ctx, id)
			if err != nil || got.Progress.Done != 599_999 {
				t.Errorf("meanwhile: %+v, %v", got.Progress, err)
			}
			other := &job.Queue{DB: d}
			if got, err := other.Get(ctx, id); err != nil || got.Progress.Done < 580_000 {
				t.Errorf("from elsewhere: %+v, %v", got.Progress, err)
			}
			if _, err := other.Cancel(ctx, id); err != nil {
				t.Error(err)
			}
			asked = time.Now()
			<-ctx.Done()
			return job.Outcome{}, ctx.Err()
		})
		if took := time.Since(asked); err == nil || took > 1500*time.Millisecond {
			t.Errorf("it ended after %s, %v", took, err)
		}
		log, err := q.Log(t.Context(), id)
		if err != nil || len(log) != 1000 || !strings.Contains(log[999].Text, "left out") {
			t.Errorf("%d lines, %v", len(log), err)
		}
	})
}

// TestKeep sweeps after a month.
func TestKeep(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, d *db.DB, _ *atomic.Int64) {
		q := &job.Queue{DB: d, Kinds: newBlocking().kinds(1)}
		if _, _, err := q.Do(t.Context(), job.New{Kind: "x"}, func(context.Context, *job.Run) (job.Outcome, error) { return job.Outcome{}, nil }); err != nil {
			t.Fatal(err)
		}
		left := func() int {
			list, err := q.List(t.Context(), job.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		time.Sleep(job.DefaultKeep - time.Minute)
		if n, err := q.Sweep(t.Context()); n != 0 || err != nil || left() != 1 {
			t.Errorf("before: %d, %v", n, err)
		}
		time.Sleep(2 * time.Minute)
		if n, err := q.Sweep(t.Context()); n != 1 || err != nil || left() != 0 {
			t.Errorf("after: %d, %v", n, err)
		}
	})
}
