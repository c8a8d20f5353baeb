package takeover

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/ddl"
)

// loaded returns the engines of which there is a golden database of Ulmo.
func loaded(t *testing.T) []db.Engine {
	t.Helper()
	return slices.DeleteFunc(dbtest.Engines(), func(e db.Engine) bool { return len(goldendb.Starts(t, e, "U")) == 0 })
}

// TestGoldenTwoRunners runs a take-over while another is under way: it is refused and told whom by, or waits and finds
// nothing left to do.
func TestGoldenTwoRunners(t *testing.T) {
	t.Parallel()
	for _, e := range loaded(t) {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			url := dbtest.URL(t, e)
			load(t, url, "U")
			first, second, third := open(t, url, db.Options{}), open(t, url, db.Options{}), open(t, url, db.Options{})
			begun, refusedOnce, waits, done := make(chan struct{}), make(chan struct{}), make(chan lease.Holder, 1), make(chan error, 2)
			var once sync.Once
			go func() {
				_, err := Migrate(ctx, first, Options{}, Run{Done: func(Step, int, int) {
					once.Do(func() { close(begun) })
					<-refusedOnce
				}})
				done <- err
			}()
			select {
			case <-begun:
			case err := <-done:
				t.Fatalf("the first: %v", err)
			}
			_, err := Migrate(ctx, second, Options{}, Run{})
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Refused {
				t.Errorf("the second: %v", err)
			} else if h, ok := f.Data.(lease.Holder); !ok || h.PID != os.Getpid() || !strings.Contains(err.Error(), "lectern db migrate") {
				t.Errorf("the second is refused with %v", err)
			}
			var p *Plan
			go func() {
				var err error
				p, err = Migrate(ctx, third, Options{}, Run{Wait: true, Waiting: func(h lease.Holder) { waits <- h },
					Done: func(s Step, _, _ int) { t.Errorf("the third did %s", s.ID()) }})
				done <- err
			}()
			if h := <-waits; h.PID != os.Getpid() {
				t.Errorf("the third waits for %v", h)
			}
			close(refusedOnce)
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			if p == nil || len(p.Steps) > 0 {
				t.Errorf("the plan of the third: %+v", p)
			}
			finished(t, first)
		})
	}
}

// TestGoldenLongReader has a transaction that has read a table: a take-over does not wait for long, tells whom it found,
// lets others pass meanwhile, and goes on when the reader is done.
func TestGoldenLongReader(t *testing.T) {
	t.Parallel()
	for _, e := range loaded(t) {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			url := dbtest.URL(t, e)
			load(t, url, "U")
			d, reader := open(t, url, db.Options{}), open(t, url, db.Options{})
			const count = "SELECT COUNT(*) FROM oel_publishing_container"
			reading, end, read := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			go func() {
				read <- reader.View(ctx, func(tx *db.Tx) error {
					if _, _, err := db.One(ctx, tx, count, nil, db.Value[int]); err != nil {
						return err
					}
					close(reading)
					<-end
					return nil
				})
			}()
			select {
			case <-reading:
			case err := <-read:
				t.Fatal(err)
			}
			var blocked []ddl.Blocker
			var stop sync.Once
			_, err := Migrate(ctx, d, Options{}, Run{LockTimeout: time.Second, Blocked: func(b ddl.Blocker) {
				blocked = append(blocked, b)
				began := time.Now()
				if _, _, err := db.One(ctx, reader, count, nil, db.Value[int]); err != nil || time.Since(began) > 30*time.Second {
					t.Errorf("another reader waited for %s: %v", time.Since(began), err)
				}
				stop.Do(func() { close(end) })
			}})
			stop.Do(func() { close(end) })
			if err != nil {
				t.Error(err)
			}
			if err := <-read; err != nil {
				t.Error(err)
			}
			switch {
			case e == db.SQLite && len(blocked) > 0:
				t.Errorf("a reader was in the way: %+v", blocked)
			case e != db.SQLite && (len(blocked) == 0 || blocked[0].Session == 0):
				t.Errorf("in the way was %+v", blocked)
			}
			finished(t, d)
		})
	}
}

// childVariable holds the URL that a child process of a test migrates.
const childVariable = "LECTERN_TAKEOVER_CHILD"

func TestMain(m *testing.M) {
	if url := os.Getenv(childVariable); url != "" {
		os.Exit(child(url))
	}
	os.Exit(m.Run())
}

// child migrates a database.
func child(url string) int {
	d, err := db.Open(context.Background(), url, db.Options{})
	if err != nil {
		return 1
	}
	if _, err := Migrate(context.Background(), d, Options{}, Run{}); err != nil {
		return 1
	}
	if err := d.Close(); err != nil {
		return 1
	}
	return 0
}

// TestGoldenKilled kills processes that migrate, each at a moment of its own; those that come after them come to the end.
func TestGoldenKilled(t *testing.T) {
	t.Parallel()
	times := map[db.Engine]int{db.SQLite: 10, db.MariaDB: 5}
	for _, e := range loaded(t) {
		if times[e] == 0 {
			continue
		}
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			name := goldendb.Some(t, e, "U")[0]
			for killed, sites := 0, 0; killed < times[e]; sites++ {
				url := dbtest.URL(t, e)
				load(t, url, name)
				d := open(t, url, db.Options{})
				for on := true; on && killed < times[e]; {
					if on = killOne(t, d, url); on {
						killed++
					}
				}
				if _, err := Migrate(context.Background(), d, Options{}, Run{}); err != nil {
					t.Fatal(err)
				}
				compare(t, d, goldendb.EndOf(t, e, name))
				if sites > 20 {
					t.Fatalf("only %d were killed", killed)
				}
			}
		})
	}
}

// killOne starts a process that migrates and kills it a while after it has taken the lease. It returns false when the
// process was faster.
func killOne(t *testing.T, d *db.DB, url string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+url)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	over := false
	for !over && !holds(t, d, cmd.Process.Pid) {
		select {
		case err = <-ended:
			over = true
		case <-time.After(time.Millisecond):
		}
	}
	if !over {
		const longest = 200 * time.Millisecond
		select {
		case err = <-ended:
		case <-time.After(rand.N(longest)):
			_ = cmd.Process.Kill() // it may have come to its end just now
			err = <-ended
		}
	}
	var exit *exec.ExitError
	st, wrong := schema.Recognize(context.Background(), d)
	switch {
	case wrong != nil:
		t.Fatal(wrong)
	case err == nil && st.Status == schema.Current:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL && (st.Status == schema.Older || st.Status == schema.Current):
		return true
	}
	t.Fatalf("the process ended with %v, the database is %+v", err, st)
	return false
}

// holds reports whether a process holds the lease.
func holds(t *testing.T, d *db.DB, pid int) bool {
	t.Helper()
	h, err := lease.Held(context.Background(), d, LeaseName)
	if err != nil {
		t.Fatal(err)
	}
	return h != nil && h.PID == pid
}
