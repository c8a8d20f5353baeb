package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

// reopen opens the database of a URL a second time, with options.
func reopen(t *testing.T, url string, o db.Options) *db.DB {
	t.Helper()
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

// TestFailedStatement shows that no engine commits a transaction in which a statement failed.
func TestFailedStatement(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		ctx := t.Context()
		err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO counter (id, n) VALUES (1, 1)"); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "INSERT INTO counter (id, n) VALUES (1, 2)"); !errors.Is(err, db.ErrDuplicate) {
				t.Errorf("second row of a key: %v", err)
			}
			if _, err := tx.Exec(ctx, "INSERT INTO counter (id, n) VALUES (2, 2)"); err == nil {
				t.Error("a statement after a failed one ran")
			}
			return nil
		})
		if !errors.Is(err, db.ErrDuplicate) {
			t.Errorf("Update gives %v", err)
		}
		if n := one[int](t, d, "SELECT count(*) FROM counter"); n != 0 {
			t.Errorf("%d rows saved", n)
		}
	})
}

// TestEnds covers the ways a unit ends without saving: an error, a panic, a cancelled context; and a Tx after its end.
func TestEnds(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		ctx := t.Context()
		insert := func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO counter (id, n) VALUES (1, 1)")
			return err
		}
		mine := errors.New("mine")
		runs := 0
		err := d.Update(ctx, func(tx *db.Tx) error {
			runs++
			return errors.Join(insert(ctx, tx), mine)
		})
		if !errors.Is(err, mine) || runs != 1 {
			t.Errorf("error of fn: %v after %d runs", err, runs)
		}
		func() {
			defer func() {
				if p := recover(); p != "oh" {
					t.Errorf("the panic became %v", p)
				}
			}()
			_ = d.Update(ctx, func(tx *db.Tx) error {
				_ = insert(ctx, tx)
				panic("oh")
			})
		}()
		for _, n := range []int{1, 600} { // 600 rows go by COPY on PostgreSQL
			func() {
				defer func() {
					if p := recover(); p != "row" {
						t.Errorf("the panic of a row function became %v", p)
					}
				}()
				_ = d.Update(ctx, func(tx *db.Tx) error {
					return tx.Insert(ctx, "counter", []string{"id", "n"}, n, func(i int, v []any) { panic("row") })
				})
			}()
		}
		func() {
			defer func() {
				if p := recover(); p != "scan" {
					t.Errorf("the panic of a scan became %v", p)
				}
			}()
			_ = d.View(ctx, func(tx *db.Tx) error {
				return tx.Query(ctx, "SELECT 1", nil, func(*db.Row) error { panic("scan") })
			})
		}()
		cctx, cancel := context.WithCancel(ctx)
		err = d.Update(cctx, func(tx *db.Tx) error {
			err := insert(cctx, tx)
			cancel()
			return err
		})
		if !errors.Is(err, context.Canceled) || !fault.Is(err, fault.Interrupted) {
			t.Errorf("cancelled before its end: %v", err)
		}
		if _, err := d.Exec(cctx, "DELETE FROM counter"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before its start: %v", err)
		}
		if n := one[int](t, d, "SELECT count(*) FROM counter"); n != 0 {
			t.Errorf("%d rows saved", n)
		}
		var kept *db.Tx
		if err := d.Update(ctx, func(tx *db.Tx) error { kept = tx; return insert(ctx, tx) }); err != nil {
			t.Error(err)
		}
		if err := insert(ctx, kept); err == nil {
			t.Error("a transaction runs statements after its end")
		}
		if n := one[int](t, d, "SELECT count(*) FROM counter"); n != 1 {
			t.Errorf("%d rows saved, want 1", n)
		}
	})
}

// TestCancelRows cancels while rows are read and while they are written.
func TestCancelRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		fill := func(ctx context.Context, n, stop int, cancel func()) error {
			return d.Update(ctx, func(tx *db.Tx) error {
				return tx.Insert(ctx, "counter", []string{"id", "n"}, n, func(i int, v []any) {
					if v[0], v[1] = i, i; i == stop {
						cancel()
					}
				})
			})
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := fill(ctx, 5000, 100, cancel); !errors.Is(err, context.Canceled) {
			t.Errorf("a bulk insert that is cancelled: %v", err)
		}
		if n := one[int](t, d, "SELECT count(*) FROM counter"); n != 0 {
			t.Errorf("%d rows saved", n)
		}
		if err := fill(t.Context(), 5000, -1, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		rows := 0
		err := d.Query(ctx, "SELECT n FROM counter", nil, func(*db.Row) error {
			if rows++; rows == 10 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) || rows != 10 {
			t.Errorf("a query that is cancelled after 10 rows: %v after %d", err, rows)
		}
		if n := one[int](t, d, "SELECT count(*) FROM counter"); n != 5000 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestNow shows that a transaction has one clock reading, each attempt its own.
func TestNow(t *testing.T) {
	t.Parallel()
	readings := 0
	at := time.Date(2025, 3, 4, 5, 6, 7, 123456789, time.FixedZone("", 3600))
	first := true
	d := reopen(t, dbtest.URL(t, db.SQLite), db.Options{Create: true,
		Clock: func() time.Time { readings++; return at.Add(time.Duration(readings) * time.Hour) },
		Fault: func(sql string) error {
			if sql == "COMMIT" && first {
				first = false
				return db.ErrRetry
			}
			return nil
		}})
	var seen []time.Time
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		seen = append(seen, tx.Now(), tx.Now())
		return nil
	})
	want := time.Date(2025, 3, 4, 5, 6, 7, 123456000, time.UTC)
	a, b := want, want.Add(time.Hour)
	if diff := cmp.Diff([]time.Time{a, a, b, b}, seen); err != nil || diff != "" {
		t.Errorf("clock readings: %v (-want +got)\n%s", err, diff)
	}
	for _, s := range seen {
		if s.Location() != time.UTC {
			t.Errorf("%v is not UTC", s)
		}
	}
}

// TestView shows that a view reads one state, and cannot write.
func TestView(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 1)")
		ctx := t.Context()
		err := d.View(ctx, func(tx *db.Tx) error {
			if n := one[int](t, tx, "SELECT n FROM counter"); n != 1 {
				t.Errorf("first read gives %d", n)
			}
			exec(t, d, "UPDATE counter SET n = 2") // another transaction
			if n := one[int](t, tx, "SELECT n FROM counter"); n != 1 {
				t.Errorf("read after another's write gives %d", n)
			}
			if _, err := tx.Exec(ctx, "UPDATE counter SET n = 3"); !errors.Is(err, db.ErrReadOnly) {
				t.Errorf("a write in a view: %v", err)
			}
			return nil
		})
		if err != nil && !errors.Is(err, db.ErrReadOnly) {
			t.Error(err)
		}
		if n := one[int](t, d, "SELECT n FROM counter"); n != 2 {
			t.Errorf("afterwards the row has %d", n)
		}
	})
}

// TestReadOnly shows that a database opened for reading is never written.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, e)
			d := reopen(t, url, db.Options{Create: true})
			create(t, d, counter)
			ro := reopen(t, url, db.Options{ReadOnly: true})
			ctx := t.Context()
			ran := false
			_, exec := ro.Exec(ctx, "DELETE FROM counter")
			for name, err := range map[string]error{
				"Exec":    exec,
				"Update":  ro.Update(ctx, func(*db.Tx) error { ran = true; return nil }),
				"Session": ro.Session(ctx, func(*db.Session) error { ran = true; return nil }),
			} {
				if !errors.Is(err, db.ErrReadOnly) || !fault.Is(err, fault.Refused) || ran {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n := one[int](t, ro, "SELECT count(*) FROM counter"); n != 0 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// TestOneAtATime shows that a statement inside another's rows is refused alike everywhere, and does not spoil the
// transaction.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		ctx := t.Context()
		err := d.Update(ctx, func(tx *db.Tx) error {
			err := tx.Insert(ctx, "counter", []string{"id", "n"}, 600, func(i int, v []any) {
				v[0], v[1] = i, i
				if _, err := tx.Exec(ctx, "DELETE FROM counter"); err == nil {
					t.Error("a statement inside a row function ran")
				}
			})
			if err != nil {
				return err
			}
			return tx.Query(ctx, "SELECT n FROM counter", nil, func(r *db.Row) error {
				if err := tx.Query(ctx, "SELECT n FROM counter", nil, func(*db.Row) error { return nil }); err == nil {
					t.Error("a statement inside a scan ran")
				}
				return nil
			})
		})
		if n := one[int](t, d, "SELECT count(*) FROM counter"); err != nil || n != 600 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

// TestSession shows that settings of a session do not outlive it.
func TestSession(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		set := map[db.Engine][2]string{
			db.SQLite:     {"PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys"},
			db.MySQL:      {"SET SESSION foreign_key_checks = 0", "SELECT @@foreign_key_checks"},
			db.MariaDB:    {"SET SESSION foreign_key_checks = 0", "SELECT @@foreign_key_checks"},
			db.PostgreSQL: {"SET enable_seqscan = off", "SELECT (current_setting('enable_seqscan') = 'on')::int"},
		}[d.Engine()]
		ctx := t.Context()
		for range 3 {
			err := d.Session(ctx, func(s *db.Session) error {
				if n := one[int](t, s, set[1]); n != 1 {
					t.Errorf("a new session has %d", n)
				}
				exec(t, s, set[0])
				if n := one[int](t, s, set[1]); n != 0 {
					t.Errorf("the setting did not take: %d", n)
				}
				exec(t, s, counter)
				return s.Update(ctx, func(tx *db.Tx) error {
					_, err := tx.Exec(ctx, "DROP TABLE counter")
					return err
				})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestLocal shows that what a transaction keeps for a package ends with it, also when it runs again.
func TestLocal(t *testing.T) {
	t.Parallel()
	type key struct{}
	first := true
	d := reopen(t, dbtest.URL(t, db.SQLite), db.Options{Create: true, Fault: func(sql string) error {
		if sql == "COMMIT" && first {
			first = false
			return db.ErrRetry
		}
		return nil
	}})
	made := 0
	for range 2 {
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			keep := func() any { made++; return made }
			if a, b := tx.Local(key{}, keep), tx.Local(key{}, keep); a != b {
				t.Errorf("a transaction keeps %v, then %v", a, b)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if made != 3 { // the first transaction ran twice
		t.Errorf("made %d times, want 3", made)
	}
}

// TestFailureAfterRows reads the one row that it wants of a statement that fails later. Servers send the row first, and
// a Galera node says so that a transaction is gone: it must not commit, and the caller must hear of it.
func TestFailureAfterRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 0), (2, 0)")
		ctx := t.Context()
		const late = "SELECT (SELECT b.id FROM counter b WHERE b.id >= a.id) FROM counter a ORDER BY a.id DESC"
		wantErr := d.Engine() != db.SQLite // which takes the first of several rows
		var heard error
		err := d.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE counter SET n = 1"); err != nil {
				return err
			}
			_, _, heard = db.One(ctx, tx, late, nil, db.Value[int])
			return nil
		})
		if (heard != nil) != wantErr || (err != nil) != wantErr {
			t.Errorf("the statement failed with %v, the transaction with %v; want failures: %v", heard, err, wantErr)
		}
		want := 1
		if wantErr {
			want = 0
		}
		if n := one[int](t, d, "SELECT n FROM counter WHERE id = 1"); n != want {
			t.Errorf("the counter is %d, want %d", n, want)
		}
		if _, _, err := db.One(ctx, d, late, nil, db.Value[int]); (err != nil) != wantErr {
			t.Errorf("outside a transaction: %v", err)
		}
	})
}

// TestOnce runs a transaction of a session that loses: it comes back as an ErrRetry after one run, with nothing saved.
func TestOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 0)")
		ctx := t.Context()
		runs := 0
		err := d.Session(ctx, func(s *db.Session) error {
			if s.DB() != d {
				t.Error("the session is another database's")
			}
			add := func(n int, end error) func(*db.Tx) error {
				return func(tx *db.Tx) error {
					runs++
					if _, err := tx.Exec(ctx, "UPDATE counter SET n = n + ? WHERE id = 1", n); err != nil {
						return err
					}
					return end
				}
			}
			if err := s.Once(ctx, add(1, fmt.Errorf("lost: %w", db.ErrRetry))); !errors.Is(err, db.ErrRetry) {
				t.Errorf("a lost race: %v", err)
			}
			return s.Once(ctx, add(10, nil))
		})
		if n, _, _ := db.One(ctx, d, "SELECT n FROM counter", nil, db.Value[int]); err != nil || runs != 2 || n != 10 {
			t.Errorf("%v after %d runs, n = %d", err, runs, n)
		}
	})
}

// TestSessionBroken ends the connection of a session between two transactions: that is an error, and the session does not
// run from its start on another connection, as its settings and half of its work are gone.
func TestSessionBroken(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		if d.Engine() == db.SQLite {
			return // a file has no connection that others could end
		}
		ctx := t.Context()
		who, end := "SELECT connection_id()", "KILL ?"
		if d.Engine() == db.PostgreSQL {
			who, end = "SELECT pg_backend_pid()", "SELECT pg_terminate_backend(?)"
		}
		runs := 0
		err := d.Session(ctx, func(s *db.Session) error {
			runs++
			me, _, err := db.One(ctx, s, who, nil, db.Value[int64])
			if err != nil {
				return err
			}
			if _, err := d.Exec(ctx, end, me); err != nil {
				return err
			}
			return s.Update(ctx, func(*db.Tx) error { return nil })
		})
		if !errors.Is(err, db.ErrUnavailable) || runs != 1 {
			t.Errorf("%v after %d runs", err, runs)
		}
	})
}
