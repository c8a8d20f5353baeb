package lease_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/lease"
)

// childVariable holds the URL of a database whose lease "work" the process takes and keeps.
const childVariable = "LECTERN_LEASE_CHILD"

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

// child holds the lease until its input ends, and then ends without giving it back.
func child(url string) error {
	d, err := db.Open(context.Background(), url, db.Options{})
	if err != nil {
		return err
	}
	if _, err := lease.Take(context.Background(), d, "work", lease.Options{What: "child"}); err != nil {
		return err
	}
	fmt.Println("taken")
	_, err = bufio.NewReader(os.Stdin).ReadString('\n')
	return err
}

func take(t *testing.T, d *db.DB, o lease.Options) *lease.Lease {
	t.Helper()
	l, err := lease.Take(t.Context(), d, "work", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Release(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return l
}

func held(t *testing.T, d *db.DB) *lease.Holder {
	t.Helper()
	h, err := lease.Held(t.Context(), d, "work")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func do(t *testing.T, d *db.DB, sql string, args ...any) {
	t.Helper()
	if n, err := d.Exec(t.Context(), sql, args...); err != nil || n != 1 {
		t.Fatalf("%s: %d rows, %v", sql, n, err)
	}
}

// ends sets the end of the lease, so many seconds from now.
func ends(t *testing.T, d *db.DB, in time.Duration) {
	t.Helper()
	do(t, d, "UPDATE lectern_lock SET ends_at = ? WHERE name = 'work'", time.Now().Add(in))
}

// foreign writes a row of a process elsewhere.
func foreign(t *testing.T, d *db.DB, in time.Duration) {
	t.Helper()
	do(t, d, "INSERT INTO lectern_lock (name, holder, what, taken_at, ends_at) VALUES ('work', 'elsewhere.example:7:1234', 'theirs', ?, ?)",
		time.Now().Add(-time.Hour), time.Now().Add(in))
}

// other opens the database once more.
func other(t *testing.T, url string, o db.Options) *db.DB {
	t.Helper()
	o.Create = true
	d, err := db.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestTake(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if h := held(t, d); h != nil {
			t.Errorf("held by %v in a database without the table", h)
		}
		l := take(t, d, lease.Options{What: "db migrate"})
		if l.From != nil {
			t.Errorf("taken over from %v", l.From)
		}
		if err := l.Check(t.Context()); err != nil {
			t.Error(err)
		}
		h := held(t, d)
		host, _ := os.Hostname()
		if h == nil || h.PID != os.Getpid() || h.Host != host || h.What != "db migrate" || h.Until.Sub(h.Since) != lease.DefaultTerm {
			t.Errorf("held by %+v", h)
		}
		if off := time.Since(h.Since); off < -time.Minute || off > time.Minute {
			t.Errorf("taken %s ago", off)
		}
		_, err := lease.Take(t.Context(), d, "work", lease.Options{})
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Refused || !strings.Contains(f.Next, "--wait") ||
			!strings.Contains(f.Text, fmt.Sprintf("process %d on %s, since 20", os.Getpid(), host)) || !strings.Contains(f.Text, "(db migrate)") {
			t.Errorf("a second one: %v, %+v", err, f)
		}
		another, err := lease.Take(t.Context(), d, "work ", lease.Options{})
		if err == nil || another != nil {
			t.Errorf("a name that ends in a space was taken")
		}
		if another, err = lease.Take(t.Context(), d, "Work", lease.Options{}); err != nil {
			t.Errorf("another name: %v", err)
		} else if err := another.Release(t.Context()); err != nil {
			t.Error(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Release(ended); err != nil {
			t.Errorf("release when interrupted: %v", err)
		}
		if h := held(t, d); h != nil {
			t.Errorf("held by %v after its release", h)
		}
		if err := l.Check(t.Context()); err == nil {
			t.Error("a released lease passes its check")
		}
		take(t, d, lease.Options{})
	})
}

// TestRace lets two take at once, many times, first in a database without the table: each time just one gets it.
func TestRace(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		ds := []*db.DB{other(t, url, db.Options{}), other(t, url, db.Options{})}
		for round := range 50 {
			if round%2 == 1 { // free is not only no row
				foreign(t, ds[0], -time.Second)
			}
			var wg sync.WaitGroup
			leases := make([]*lease.Lease, len(ds))
			start := make(chan struct{})
			for i, d := range ds {
				wg.Go(func() {
					<-start
					l, err := lease.Take(t.Context(), d, "work", lease.Options{})
					if err != nil && !fault.Is(err, fault.Refused) {
						t.Errorf("round %d: %v", round, err)
					}
					leases[i] = l
				})
			}
			close(start)
			wg.Wait()
			if (leases[0] == nil) == (leases[1] == nil) {
				t.Fatalf("round %d: %v, want one winner", round, leases)
			}
			for _, l := range leases {
				if l == nil {
					continue
				}
				if (l.From != nil) != (round%2 == 1) {
					t.Errorf("round %d: taken over from %v", round, l.From)
				}
				if err := errors.Join(l.Check(t.Context()), l.Release(t.Context())); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestElsewhere takes over from another machine when the end has passed, and not before.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if err := take(t, d, lease.Options{}).Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		foreign(t, d, time.Minute)
		if h := held(t, d); h == nil || h.Host != "elsewhere.example" || h.PID != 7 {
			t.Errorf("held by %+v", h)
		}
		if _, err := lease.Take(t.Context(), d, "work", lease.Options{}); !fault.Is(err, fault.Refused) {
			t.Errorf("before its end: %v", err)
		}
		ends(t, d, -time.Second)
		if h := held(t, d); h != nil {
			t.Errorf("held by %v after its end", h)
		}
		if l := take(t, d, lease.Options{}); l.From == nil || l.From.Host != "elsewhere.example" || l.From.What != "theirs" {
			t.Errorf("taken over from %v", l.From)
		}
	})
}

// TestKilled kills a process that holds the lease. While it lives nobody takes it, however late it is; then at once.
func TestKilled(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		d := other(t, url, db.Options{})
		cmd := start(t, url)
		ends(t, d, -time.Hour)
		if _, err := lease.Take(t.Context(), d, "work", lease.Options{}); !fault.Is(err, fault.Refused) {
			t.Errorf("from a process that lives: %v", err)
		}
		ends(t, d, time.Hour)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		// Not collected yet, it is as dead.
		deadline := time.Now().Add(10 * time.Second)
		for held(t, d) != nil && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		l := take(t, d, lease.Options{})
		if l.From == nil || l.From.PID != cmd.Process.Pid || l.From.What != "child" {
			t.Errorf("taken over from %+v, want process %d", l.From, cmd.Process.Pid)
		}
		_ = cmd.Wait() // it was killed
	})
}

// start starts a process that holds the lease.
func start(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+url)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "taken\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return cmd
}

// TestRenewed keeps a lease longer than its term.
func TestRenewed(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const term = time.Second // a busy machine may keep the one that renews it waiting
		l := take(t, d, lease.Options{Term: term})
		for start := time.Now(); ; time.Sleep(term / 10) {
			h := held(t, d)
			if h == nil {
				t.Fatal("not held any more")
			}
			if h.Until.Sub(h.Since) > 3*term {
				break
			}
			if time.Since(start) > 30*time.Second {
				t.Fatalf("held until %s, since %s", h.Until, h.Since)
			}
		}
		if err := l.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestCheckRenews finds that Check leaves at least half a term on a server.
func TestCheckRenews(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		l := take(t, d, lease.Options{})
		ends(t, d, time.Second)
		if err := l.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := time.Until(held(t, d).Until); d.Engine() != db.SQLite && left < lease.DefaultTerm/2 {
			t.Errorf("%s left", left)
		}
	})
}

// TestLost takes the lease away from its holder.
func TestLost(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		for what, change := range map[string]string{
			"elsewhere.example": "UPDATE lectern_lock SET holder = 'elsewhere.example:7:1234' WHERE name = 'work'",
			"gone":              "DELETE FROM lectern_lock WHERE name = 'work'",
		} {
			l := take(t, d, lease.Options{})
			do(t, d, change)
			err := l.Check(t.Context())
			if !errors.Is(err, lease.ErrLost) || !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: %v", what, err)
			}
			<-l.Lost()
			if err := l.Release(t.Context()); err != nil {
				t.Error(err)
			}
			if h := held(t, d); (h != nil) != (what == "elsewhere.example") {
				t.Errorf("held by %v after the release of a lost lease", h)
			}
			if what != "gone" {
				do(t, d, "DELETE FROM lectern_lock")
			}
			// Without a check the renewal finds it.
			l = take(t, d, lease.Options{Term: 300 * time.Millisecond})
			do(t, d, change)
			select {
			case <-l.Lost():
			case <-time.After(30 * time.Second):
				t.Fatal("the loss was not noticed")
			}
			if err := l.Check(t.Context()); !errors.Is(err, lease.ErrLost) {
				t.Errorf("%s: %v", what, err)
			}
			if what != "gone" {
				do(t, d, "DELETE FROM lectern_lock")
			}
		}
	})
}

// TestCannotRenew fails every renewal: a server's lease is given up at its end, SQLite's is not.
func TestCannotRenew(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		var tried atomic.Int64
		d := other(t, dbtest.URL(t, e), db.Options{Fault: func(sql string) error {
			if strings.HasPrefix(sql, "UPDATE lectern_lock SET ends_at") {
				tried.Add(1)
				return errors.New("no renewal today")
			}
			return nil
		}})
		const term = 600 * time.Millisecond
		l := take(t, d, lease.Options{Term: term})
		start := time.Now()
		if e == db.SQLite {
			for tried.Load() < 20 {
				time.Sleep(term / 20)
			}
			if err := l.Check(t.Context()); err != nil || time.Since(start) < term {
				t.Errorf("after %s and %d tries: %v", time.Since(start), tried.Load(), err)
			}
			return
		}
		<-l.Lost()
		err := l.Check(t.Context())
		if took := time.Since(start); took < term/2 || !errors.Is(err, lease.ErrLost) || tried.Load() < 2 {
			t.Errorf("lost after %s and %d tries: %v", took, tried.Load(), err)
		}
	})
}

// TestLongTransaction keeps the one writer of a SQLite file busy for longer than the term.
func TestLongTransaction(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, db.SQLite)
	d, rival := other(t, url, db.Options{}), other(t, url, db.Options{})
	const term = 100 * time.Millisecond
	l := take(t, d, lease.Options{Term: term})
	err := d.Session(t.Context(), func(s *db.Session) error {
		return s.Update(t.Context(), func(tx *db.Tx) error {
			time.Sleep(4 * term)
			if h, err := lease.Held(t.Context(), tx, "work"); h == nil || err != nil || h.Until.After(time.Now()) {
				t.Errorf("held by %v, %v", h, err)
			}
			if h := held(t, rival); h == nil {
				t.Error("the rival sees it free")
			}
			return l.Check(t.Context())
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lease.Take(t.Context(), rival, "work", lease.Options{}); !fault.Is(err, fault.Refused) {
		t.Errorf("a rival after it: %v", err)
	}
	if err := l.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		first := take(t, d, lease.Options{What: "first"})
		waits := 0
		second := take(t, d, lease.Options{Wait: true, Waiting: func(h lease.Holder) {
			waits++
			if h.What != "first" || first.Check(t.Context()) != nil {
				t.Errorf("waits for %v", h)
			}
			if err := first.Release(t.Context()); err != nil {
				t.Error(err)
			}
		}})
		if waits != 1 || second.From != nil {
			t.Errorf("told %d times, taken over from %v", waits, second.From)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := lease.Take(ctx, d, "work", lease.Options{Wait: true}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting ends with %v", err)
		}
	})
}
