package db_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
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

// TestDeadlock makes two transactions of a server wait for each other. The loser's whole unit runs again, and every
// addition counts once.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 0), (2, 0)")
		ctx := t.Context()
		var runs atomic.Int64
		var locked, done sync.WaitGroup
		locked.Add(2)
		unit := func(first, second int) {
			defer done.Done()
			var once sync.Once
			err := d.Update(ctx, func(tx *db.Tx) error {
				runs.Add(1)
				if _, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1 WHERE id = ?", first); err != nil {
					return err
				}
				if tx.Engine() != db.SQLite { // where the second would wait for the first to end
					once.Do(func() { locked.Done(); locked.Wait() })
				}
				_, err := tx.Exec(ctx, "UPDATE counter SET n = n + 10 WHERE id = ?", second)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
		done.Add(2)
		go unit(1, 2)
		go unit(2, 1)
		done.Wait()
		want := int64(3)
		if d.Engine() == db.SQLite {
			want = 2
		}
		if runs.Load() != want {
			t.Errorf("the units ran %d times in all, want %d", runs.Load(), want)
		}
		got, err := db.All(ctx, d, "SELECT n FROM counter ORDER BY id", nil, db.Value[int])
		if diff := cmp.Diff([]int{11, 11}, got); err != nil || diff != "" {
			t.Errorf("counters: %v (-want +got)\n%s", err, diff)
		}
	})
}

// TestContended adds to one row from many goroutines, reading first: nothing is lost on any engine when the row is
// locked by an update before it is read.
func TestContended(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 0)")
		ctx := t.Context()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					err := d.Update(ctx, func(tx *db.Tx) error {
						if _, err := tx.Exec(ctx, "UPDATE counter SET n = n WHERE id = 1"); err != nil {
							return err
						}
						n, _, err := db.One(ctx, tx, "SELECT n FROM counter WHERE id = 1", nil, db.Value[int])
						if err != nil {
							return err
						}
						_, err = tx.Exec(ctx, "UPDATE counter SET n = ? WHERE id = 1", n+1)
						return err
					})
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if n := one[int](t, d, "SELECT n FROM counter"); n != 80 {
			t.Errorf("80 additions gave %d", n)
		}
	})
}

// TestFaults lets each statement of a transaction fail, BEGIN and COMMIT included.
func TestFaults(t *testing.T) {
	t.Parallel()
	lost := fmt.Errorf("made up: %w", db.ErrRetry)
	broken := errors.New("made up")
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, e)
			var fail func(sql string) error
			d := reopen(t, url, db.Options{Create: true, Fault: func(sql string) error {
				if fail == nil {
					return nil
				}
				return fail(sql)
			}})
			create(t, d, counter)
			ctx := t.Context()
			// The statements of one unit, by number: BEGIN, two updates, COMMIT.
			for at := range 4 {
				for _, c := range []struct {
					name  string
					err   error
					times int
					saved bool
					runs  int
				}{
					{"lost twice", lost, 2, true, 3},
					{"lost every time", lost, 1000, false, 25},
					{"broken", broken, 1, false, 1},
				} {
					if c.times == 1000 && at != 3 {
						continue // once is enough: the pauses add up to seconds
					}
					fail = nil
					exec(t, d, "DELETE FROM counter")
					exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 0), (2, 0)")
					n, failures, runs := 0, 0, 0
					fail = func(sql string) error {
						if sql == "ROLLBACK" {
							return nil
						}
						n++
						if n-1 == at && failures < c.times {
							failures++
							n = 0
							return c.err
						}
						return nil
					}
					err := d.Update(ctx, func(tx *db.Tx) error {
						runs++
						for id := range 2 {
							if _, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1 WHERE id = ?", id+1); err != nil {
								return err
							}
						}
						return nil
					})
					fail = nil
					wantRuns := c.runs
					if at == 0 { // fn is not reached when BEGIN fails
						wantRuns = 0
						if c.saved {
							wantRuns = 1
						}
					}
					if runs != wantRuns || (err == nil) != c.saved || err != nil && !errors.Is(err, c.err) {
						t.Errorf("statement %d %s: %d runs, want %d; error %v", at, c.name, runs, wantRuns, err)
					}
					if c.times == 1000 && !fault.Is(err, fault.Conflict) {
						t.Errorf("statement %d %s: %v is not a conflict", at, c.name, err)
					}
					want := 0
					if c.saved {
						want = 2
					}
					if got := one[int](t, d, "SELECT sum(n) FROM counter"); got != want {
						t.Errorf("statement %d %s: the counters add up to %d, want %d", at, c.name, got, want)
					}
				}
			}
		})
	}
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

// TestLostConnection ends connections from the server's side: an idle one is replaced without a word, one in the middle
// of a transaction is an error, and nothing is saved.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	sql := map[db.Engine][2]string{
		db.MySQL:      {"SELECT connection_id()", "KILL ?"},
		db.MariaDB:    {"SELECT connection_id()", "KILL ?"},
		db.PostgreSQL: {"SELECT pg_backend_pid()", "SELECT pg_terminate_backend(?::int)"},
	}
	for _, e := range dbtest.Engines() {
		if e == db.SQLite {
			continue // it has no connections to lose
		}
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, e)
			d, killer := reopen(t, url, db.Options{}), reopen(t, url, db.Options{})
			create(t, d, counter)
			ctx := t.Context()
			insert := func(id int, between func(connection int64)) error {
				return d.Update(ctx, func(tx *db.Tx) error {
					if _, err := tx.Exec(ctx, "INSERT INTO counter (id, n) VALUES (?, 0)", id); err != nil {
						return err
					}
					between(one[int64](t, tx, sql[e][0]))
					_, err := tx.Exec(ctx, "UPDATE counter SET n = 1 WHERE id = ?", id)
					return err
				})
			}
			var writer int64
			if err := insert(1, func(c int64) { writer = c }); err != nil {
				t.Fatal(err)
			}
			exec(t, killer, sql[e][1], writer)
			exec(t, killer, sql[e][1], one[int64](t, d, sql[e][0])) // the reader
			if err := insert(2, func(int64) {}); err != nil {
				t.Errorf("after an idle connection was lost: %v", err)
			}
			if n := one[int](t, d, "SELECT count(*) FROM counter"); n != 2 {
				t.Errorf("%d rows, want 2", n)
			}
			err := insert(3, func(c int64) { exec(t, killer, sql[e][1], c) })
			if !errors.Is(err, db.ErrUnavailable) || !fault.Is(err, fault.Unavailable) {
				t.Errorf("a connection lost in the middle: %v", err)
			}
			if n := one[int](t, d, "SELECT count(*) FROM counter"); n != 2 {
				t.Errorf("%d rows, want 2", n)
			}
		})
	}
}

// TestTableChanges changes a table under statements that are kept prepared.
func TestTableChanges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, "CREATE TABLE changing (id integer NOT NULL PRIMARY KEY, name varchar(50) NOT NULL)")
		ctx := t.Context()
		type pair struct {
			ID    int64
			Names string
		}
		read := func(q db.Querier) []pair {
			t.Helper()
			rows, err := db.All(ctx, q, "SELECT * FROM changing ORDER BY id", nil, func(r *db.Row) (p pair, err error) {
				dest := []any{&p.ID}
				for range r.Columns()[1:] {
					dest = append(dest, new(string))
				}
				err = r.Scan(dest...)
				for _, name := range dest[1:] {
					p.Names += *name.(*string)
				}
				return p, err
			})
			if err != nil {
				t.Error(err)
			}
			return rows
		}
		write := func(id int) {
			t.Helper()
			err := d.Update(ctx, func(tx *db.Tx) error {
				if err := tx.Upsert(ctx, "changing", []string{"id"}, []string{"name"}, 1, func(_ int, v []any) { v[0], v[1] = id, "n" }); err != nil {
					return err
				}
				return tx.Query(ctx, "SELECT * FROM changing WHERE id = ?", []any{id}, func(*db.Row) error { return nil })
			})
			if err != nil {
				t.Error(err)
			}
		}
		write(1)
		read(d)
		exec(t, d, "ALTER TABLE changing ADD COLUMN other varchar(60) NOT NULL DEFAULT 'o'")
		if d.Engine() != db.SQLite {
			exec(t, d, map[bool]string{true: "ALTER TABLE changing MODIFY name varchar(20) NOT NULL", false: "ALTER TABLE changing ALTER COLUMN name TYPE varchar(20)"}[d.Engine().MySQLFamily()])
		}
		write(2)
		if diff := cmp.Diff([]pair{{1, "no"}, {2, "no"}}, read(d)); diff != "" {
			t.Errorf("rows of the changed table (-want +got):\n%s", diff)
		}
	})
}
