package ddl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema/ddl"
)

// table makes a table of two rows.
func table(t *testing.T, d *db.DB) {
	t.Helper()
	for _, sql := range []string{"CREATE TABLE thing (id integer NOT NULL PRIMARY KEY, n integer NOT NULL)", "INSERT INTO thing VALUES (1, 0), (2, 0)"} {
		if _, err := d.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// hold runs the statement in a transaction that stays open until the function it returns is called, or the test ends, and
// returns the number of its session (0 on SQLite).
func hold(t *testing.T, d *db.DB, sql string) (session int64, letGo func()) {
	t.Helper()
	held, end, done := make(chan int64), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- d.Update(context.Background(), func(tx *db.Tx) error {
			if err := tx.Query(context.Background(), sql, nil, func(*db.Row) error { return nil }); err != nil {
				return err
			}
			me := int64(0)
			who := "SELECT connection_id()"
			switch d.Engine() {
			case db.SQLite:
				who = "SELECT 0"
			case db.PostgreSQL:
				who = "SELECT pg_backend_pid()"
			}
			me, _, err := db.One(context.Background(), tx, who, nil, db.Value[int64])
			if err != nil {
				return err
			}
			held <- me
			<-end
			return nil
		})
	}()
	var ended atomic.Bool
	letGo = func() {
		if ended.Swap(true) {
			return
		}
		close(end)
		if err := <-done; err != nil {
			t.Errorf("the transaction in the way: %v", err)
		}
	}
	t.Cleanup(letGo)
	select {
	case session = <-held:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return session, letGo
}

// pending waits until a session of the database waits for a lock on a table.
func pending(t *testing.T, d *db.DB) {
	t.Helper()
	query := "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND state LIKE 'Waiting for%'"
	if d.Engine() == db.PostgreSQL {
		query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		n, _, err := db.One(t.Context(), d, query, nil, db.Value[int])
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody waits")
		}
	}
}

func count(t *testing.T, d *db.DB, sql string) int {
	t.Helper()
	n, _, err := db.One(t.Context(), d, sql, nil, db.Value[int])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const alter = "ALTER TABLE thing ADD COLUMN m integer NULL"

// session runs fn in a session of d and returns its error.
func session(t *testing.T, d *db.DB, fn func(*db.Session) error) error {
	t.Helper()
	return d.Session(t.Context(), fn)
}

// TestReaderInTheWay has a transaction that has read a table, and an ALTER of it that gives up, naming that one. Who reads
// after it is served while the first is still there. Then the same call goes through once the first is done.
func TestReaderInTheWay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if d.Engine() == db.SQLite {
			return // see TestSQLite: readers are in nobody's way there
		}
		table(t, d)
		const lock = time.Second
		other, letGo := hold(t, d, "SELECT * FROM thing")
		var told []ddl.Blocker
		p := ddl.Patience{Lock: lock, Tries: 2, Pause: 10 * time.Millisecond, Blocked: func(b ddl.Blocker) { told = append(told, b) }}
		failed := make(chan error)
		start := time.Now()
		go func() {
			failed <- d.Session(t.Context(), func(s *db.Session) error { return p.Statement(t.Context(), s, alter) })
		}()
		pending(t, d)
		third := time.Now()
		if n := count(t, d, "SELECT count(*) FROM thing"); n != 2 {
			t.Errorf("the third session sees %d rows", n)
		}
		behind := time.Since(third) // it came back, although the first still holds the table
		err := <-failed
		took := time.Since(start)
		t.Logf("gave up after %s, the reader behind waited %s", took, behind)
		if behind > lock+30*time.Second || took > 2*lock+time.Minute {
			t.Errorf("gave up after %s, the reader behind waited %s; a lock is waited for %s", took, behind, lock)
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.Conflict || !errors.Is(err, db.ErrRetry) {
			t.Fatalf("error %v, want a conflict", err)
		}
		if !strings.Contains(f.Text, alter) || !strings.Contains(f.Text, fmt.Sprintf("session %d (", other)) ||
			!strings.Contains(f.Next, fmt.Sprintf("session %d is done", other)) || !strings.Contains(f.Next, "changed nothing") {
			t.Errorf("%s; %s: want session %d named", f, f.Next, other)
		}
		if len(told) != 2 {
			t.Fatalf("told %+v, want of two attempts", told)
		}
		for i, b := range told {
			if b.Session != other || b.User != "lectern" || b.Waiting != alter || b.Attempt != i+1 || b.Attempts != 2 || (b.Again == 0) != (i == 1) {
				t.Errorf("attempt %d: %+v, want session %d", i+1, b, other)
			}
			if age := time.Since(b.Since); age < 0 || age > time.Minute {
				t.Errorf("in the way since %s", b.Since)
			}
			// MariaDB tells the table only with a plugin or performance_schema.
			if d.Engine() != db.MariaDB && (b.Table != "thing" || f.Thing != "table thing" || b.Probably || b.Statement == "") {
				t.Errorf("attempt %d: %+v, %s", i+1, b, f.Thing)
			}
		}
		told = nil
		p.Tries = 20
		p.Blocked = func(b ddl.Blocker) {
			told = append(told, b)
			letGo()
		}
		if err := session(t, d, func(s *db.Session) error { return p.Statement(t.Context(), s, alter) }); err != nil {
			t.Fatal(err)
		}
		if len(told) != 1 {
			t.Errorf("told %+v, want of one attempt", told)
		}
		count(t, d, "SELECT count(*) FROM thing WHERE m IS NULL")
	})
}

// TestRowInTheWay is the same for a row that another transaction has changed, in a transaction of several statements.
func TestRowInTheWay(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if d.Engine() == db.SQLite {
			return
		}
		table(t, d)
		other, letGo := hold(t, d, "SELECT * FROM thing WHERE id = 2 FOR UPDATE")
		var told []ddl.Blocker
		runs := 0
		p := ddl.Patience{Lock: time.Second, Tries: 20, Pause: 10 * time.Millisecond, Blocked: func(b ddl.Blocker) {
			told = append(told, b)
			letGo()
		}}
		err := session(t, d, func(s *db.Session) error {
			return p.Transaction(t.Context(), s, func(tx *db.Tx) error {
				runs++
				if _, err := tx.Exec(t.Context(), "UPDATE thing SET n = n + 1 WHERE id = 1"); err != nil {
					return err
				}
				_, err := tx.Exec(t.Context(), "UPDATE thing SET n = n + 1 WHERE id = 2")
				return err
			})
		})
		if err != nil || runs != 2 || count(t, d, "SELECT sum(n) FROM thing") != 2 {
			t.Errorf("%v after %d runs", err, runs)
		}
		if len(told) != 1 || told[0].Session != other || told[0].Probably || !strings.HasPrefix(told[0].Waiting, "UPDATE thing SET n = n + 1 WHERE id = 2") {
			t.Errorf("told %+v, want session %d", told, other)
		}
	})
}

// TestSQLite has another connection that writes. The engine does not say whose.
func TestSQLite(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, db.SQLite)
	open := func() *db.DB {
		d, err := db.Open(t.Context(), url, db.Options{Create: true})
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
	d, rival := open(), open()
	table(t, d)
	_, letGo := hold(t, rival, "UPDATE thing SET n = 5 WHERE id = 1 RETURNING n")
	const lock = 300 * time.Millisecond
	var told []ddl.Blocker
	p := ddl.Patience{Lock: lock, Tries: 2, Pause: 10 * time.Millisecond, Blocked: func(b ddl.Blocker) { told = append(told, b) }}
	start := time.Now()
	err := session(t, d, func(s *db.Session) error { return p.Statement(t.Context(), s, alter) })
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Conflict || !strings.Contains(f.Text, "another program") {
		t.Errorf("error %v, want a conflict", err)
	}
	if took := time.Since(start); took < 2*lock || took > 2*lock+30*time.Second {
		t.Errorf("gave up after %s", took)
	}
	if len(told) != 2 || told[0].Session != 0 || told[0].Attempt != 1 || told[0].Again == 0 {
		t.Errorf("told %+v", told)
	}
	if n := count(t, d, "SELECT sum(n) FROM thing"); n != 0 {
		t.Errorf("a reader sees %d", n)
	}
	p.Blocked = func(ddl.Blocker) { letGo() }
	if err := session(t, d, func(s *db.Session) error { return p.Statement(t.Context(), s, alter) }); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, "SELECT sum(n) FROM thing WHERE m IS NULL"); n != 5 {
		t.Errorf("sum %d, want 5", n)
	}
}

// TestLostRace runs a transaction again soon, and tells nobody, when nothing was waited for.
func TestLostRace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		table(t, d)
		told, runs := 0, 0
		p := ddl.Patience{Tries: 4, Pause: time.Hour, Blocked: func(ddl.Blocker) { told++ }}
		add := func(tx *db.Tx) error {
			runs++
			if _, err := tx.Exec(t.Context(), "UPDATE thing SET n = n + 1 WHERE id = 1"); err != nil {
				return err
			}
			if runs < 3 {
				return fmt.Errorf("a deadlock: %w", db.ErrRetry)
			}
			return nil
		}
		if err := session(t, d, func(s *db.Session) error { return p.Transaction(t.Context(), s, add) }); err != nil {
			t.Fatal(err)
		}
		if n := count(t, d, "SELECT n FROM thing WHERE id = 1"); runs != 3 || told != 0 || n != 1 {
			t.Errorf("%d runs, told %d times, n = %d", runs, told, n)
		}
		runs = -10
		err := session(t, d, func(s *db.Session) error { return p.Transaction(t.Context(), s, add) })
		if !fault.Is(err, fault.Conflict) || runs != -6 {
			t.Errorf("after %d runs: %v", runs+10, err)
		}
	})
}

// TestOtherErrors come back at once, as they are.
func TestOtherErrors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		table(t, d)
		p := ddl.Patience{Blocked: func(b ddl.Blocker) { t.Errorf("told %+v", b) }}
		err := session(t, d, func(s *db.Session) error {
			return p.Statement(t.Context(), s, "INSERT INTO thing VALUES (?, 0)", 1)
		})
		if !errors.Is(err, db.ErrDuplicate) {
			t.Errorf("error %v, want a duplicate", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		err = session(t, d, func(s *db.Session) error {
			return p.Transaction(ctx, s, func(*db.Tx) error {
				cancel()
				return fmt.Errorf("a deadlock: %w", db.ErrRetry)
			})
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
}
