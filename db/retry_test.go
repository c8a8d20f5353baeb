package db_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

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
		// The loser may be back before the winner has taken what it waits for, and lose once more.
		if n := runs.Load(); n < want || n > 3*want {
			t.Errorf("the units ran %d times in all, want %d", n, want)
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
