package job_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/job"
)

// childVariable holds the URL of a database on whose jobs the process works, until it is killed.
const childVariable = "LECTERN_JOB_CHILD"

func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		if err := child(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child says which job it has begun, and never comes to an end of it.
func child(url string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, url, db.Options{})
	if err != nil {
		return err
	}
	endless := func(_ context.Context, r *job.Run) (job.Outcome, error) {
		fmt.Println("began", r.Job().ID)
		select {}
	}
	kind := job.Kind{Run: endless, Again: 2}
	q := &job.Queue{DB: d, Kinds: map[string]job.Kind{"safe": kind, "once": kind}, Poll: 10 * time.Millisecond}
	go q.Work(ctx)
	_, _, err = q.Do(ctx, job.New{Kind: "command", Thing: "a thing"}, endless)
	return err
}

// kill starts a child, waits until it is at n jobs and kills it.
func (y *yard) kill(n int) {
	y.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+y.url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		y.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		y.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for range n {
		if !lines.Scan() || !strings.HasPrefix(lines.Text(), "began ") {
			y.Errorf("the child says %q, %v", lines.Text(), lines.Err())
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		y.Error(err)
	}
	_ = cmd.Wait() // it was killed
}

// TestKilled kills processes in the middle of jobs. What may be run again is, at once and so many times; the rest fails;
// readers see it before anybody has written it.
func TestKilled(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		b := newBlocking()
		kinds := map[string]job.Kind{"safe": {Run: b.run, Again: 2}, "once": {Run: b.run}}
		reader := y.queue(y.d, nil)
		safe, once := y.add(reader, job.New{Kind: "safe", Again: 2}), y.add(reader, job.New{Kind: "once", Thing: "x"})
		y.kill(3)
		command, err := reader.List(t.Context(), job.Filter{Kind: "command"})
		if err != nil || len(command) != 1 || command[0].Status != job.Failed || command[0].Error.Code != "interrupted" {
			t.Fatalf("a reader sees the command as %+v, %v", command, err)
		}
		if got := y.get(reader, safe.ID); got.Status != job.Queued || got.Spare != 1 {
			t.Errorf("a reader sees %+v", got)
		}
		if n, err := reader.Count(t.Context()); err != nil || n != (job.Counts{Lost: 3}) {
			t.Errorf("counts %+v, %v, want 3 lost", n, err)
		}
		if n := y.count("SELECT count(*) FROM lectern_job WHERE status = ?", "running"); n != 3 {
			t.Errorf("%d rows say running, want 3", n)
		}
		if _, err := reader.Retry(t.Context(), once.ID, 0); err != nil { // settles it first
			t.Error(err)
		}
		y.kill(3)
		got := y.get(reader, once.ID)
		if got.Status != job.Failed || got.Attempt != 2 || !strings.Contains(got.Error.Next, fmt.Sprintf("lectern job retry %d", once.ID)) {
			t.Errorf("what must not run again: %+v, %+v", got, got.Error)
		}
		q := y.queue(y.open(db.Options{}), kinds)
		killed := time.Now()
		y.work(q)
		<-b.began
		if took := time.Since(killed); took > time.Minute {
			t.Errorf("it was noticed after %s", took)
		}
		b.let <- struct{}{}
		same(t, y.await(q, safe.ID, job.Done).Result, `{"attempt":3}`)
		log, err := q.Log(t.Context(), safe.ID)
		if err != nil || len(log) != 2 || !strings.Contains(log[1].Text, "is gone; the job is queued") {
			t.Errorf("log %v, %v", log, err)
		}
		if n := y.count("SELECT count(*) FROM lectern_job WHERE status = ?", "running"); n != 0 {
			t.Errorf("%d rows say running", n)
		}
		// A lease goes after its job has ended.
		for began := time.Now(); y.count("SELECT count(*) FROM lectern_lock") != 0; time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > time.Minute {
				t.Fatal("a lease is left")
			}
		}
	})
}

// TestKilledOften loses a worker more often than the job may be begun.
func TestKilledOften(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		reader := y.queue(y.d, nil)
		j := y.add(reader, job.New{Kind: "safe", Again: 2})
		for range 3 {
			y.kill(2)
		}
		if got := y.get(reader, j.ID); got.Status != job.Failed || got.Attempt != 3 || got.Error == nil {
			t.Errorf("%+v", got)
		}
	})
}

// TestElsewhere loses a worker of another machine: nothing is done before its lease has run out, and then it is. What the
// late worker has to say is not heard.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		b := newBlocking()
		late := y.queue(y.open(db.Options{}), b.kinds(1))
		late.Workers = 1 // it is busy with the one
		y.work(late)
		j := y.add(late, job.New{Kind: "wait", Again: 1})
		<-b.began
		// From now on the lease is one of another machine, which does not renew it.
		y.exec("UPDATE lectern_lock SET holder = 'elsewhere.example:7:1234', ends_at = ?", time.Now().Add(time.Hour))
		other := newBlocking()
		q := y.queue(y.d, other.kinds(1))
		y.work(q)
		time.Sleep(100 * time.Millisecond)
		if got := y.get(q, j.ID); got.Status != job.Running || got.Attempt != 1 {
			t.Errorf("while its lease lasts: %+v", got)
		}
		y.exec("UPDATE lectern_lock SET ends_at = ?", time.Now().Add(-time.Second))
		<-other.began
		b.let <- struct{}{} // the late one comes to its end
		time.Sleep(100 * time.Millisecond)
		if got := y.get(q, j.ID); got.Status != job.Running || got.Attempt != 2 {
			t.Errorf("after the late one's end: %+v", got)
		}
		close(other.let)
		same(t, y.await(q, j.ID, job.Done).Result, `{"attempt":2}`)
	})
}

// TestLostLease takes the lease away from a living worker: it stops, and the job is run again.
func TestLostLease(t *testing.T) {
	t.Parallel()
	each(t, func(y *yard) {
		b := newBlocking()
		q := y.queue(y.d, b.kinds(1))
		q.Term = 300 * time.Millisecond
		y.work(q)
		j := y.add(q, job.New{Kind: "wait", Again: 1})
		<-b.began
		y.exec("DELETE FROM lectern_lock")
		<-b.began
		b.let <- struct{}{}
		same(t, y.await(q, j.ID, job.Done).Result, `{"attempt":2}`)
	})
}
