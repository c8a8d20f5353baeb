package db_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// counted opens an empty database whose callers' statements are counted.
func counted(t *testing.T, e db.Engine) (*db.DB, *atomic.Int64) {
	t.Helper()
	n := new(atomic.Int64)
	return reopen(t, dbtest.URL(t, e), db.Options{Create: true, OnStatement: func(string) { n.Add(1) }}), n
}

// TestBulkInsert inserts many rows with their ids, in a number of statements that does not grow with every row.
func TestBulkInsert(t *testing.T) {
	t.Parallel()
	// The most statements that n rows may take, ids included.
	limits := map[int]map[db.Engine]int64{
		1:        {db.SQLite: 1, db.MariaDB: 2, db.MySQL: 2, db.PostgreSQL: 1},
		manyRows: {db.SQLite: 1, db.MariaDB: manyRows/1000 + 1, db.MySQL: manyRows/1000 + 1, db.PostgreSQL: 3},
	}
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			d, statements := counted(t, e)
			create(t, d, item[e])
			ctx := t.Context()
			for _, n := range []int{1, manyRows} {
				uuids := make([]uuid.UUID, n)
				for i := range uuids {
					uuids[i] = uuid.New()
				}
				var ids []int64
				statements.Store(0)
				err := d.Update(ctx, func(tx *db.Tx) (err error) {
					ids, err = tx.InsertIDs(ctx, "item", []string{"uuid", "code", "title", "num", "big", "ok", "created"}, n, func(i int, v []any) {
						v[0], v[1], v[2], v[3], v[4], v[5], v[6] = uuids[i], fmt.Sprintf("row-%d-%d", n, i), "It's ünique?", i, itemID(i), i%2 == 0, tx.Now()
						if i%3 == 0 {
							v[4] = nil
						}
					})
					return err
				})
				if err != nil {
					t.Fatalf("%d rows: %v", n, err)
				}
				if got, most := statements.Load(), limits[n][e]; got > most {
					t.Errorf("%d rows took %d statements, may take %d", n, got, most)
				}
				if len(ids) != n {
					t.Fatalf("%d rows gave %d ids", n, len(ids))
				}
				at := make(map[int64]int, n)
				for i, id := range ids {
					at[id] = i
				}
				rows := 0
				err = d.Query(ctx, "SELECT id, uuid, code, num, big, ok FROM item WHERE code LIKE ?", []any{fmt.Sprintf("row-%d-%%", n)}, func(r *db.Row) error {
					var id int64
					var u uuid.UUID
					var c string
					var num int
					var big *itemID
					var ok bool
					if err := r.Scan(&id, &u, &c, &num, &big, &ok); err != nil {
						return err
					}
					rows++
					i := at[id]
					if u != uuids[i] || c != fmt.Sprintf("row-%d-%d", n, i) || num != i || ok != (i%2 == 0) || (big == nil) != (i%3 == 0) || big != nil && *big != itemID(i) {
						return fmt.Errorf("id %d belongs to row %d, but has %s, %d", id, i, c, num)
					}
					return nil
				})
				if err != nil || rows != n {
					t.Errorf("%d of %d rows read: %v", rows, n, err)
				}
			}
			// The column's own ids go on after those.
			exec(t, d, "INSERT INTO item (uuid, code, num) VALUES (?, 'next', 0)", uuid.New())
			if next, most := one[int64](t, d, "SELECT id FROM item WHERE code = 'next'"), one[int64](t, d, "SELECT max(id) FROM item"); next != most {
				t.Errorf("the next id is %d, the largest %d", next, most)
			}
		})
	}
}

// TestInsertSizes inserts numbers of rows around the places where statements are cut, and texts so large that they are
// cut by bytes.
func TestInsertSizes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		long := map[db.Engine]string{db.SQLite: "text", db.MySQL: "longtext", db.MariaDB: "longtext", db.PostgreSQL: "text"}[d.Engine()]
		create(t, d, counter, "CREATE TABLE large (id integer NOT NULL PRIMARY KEY, body "+long+" NOT NULL)")
		ctx := t.Context()
		for _, n := range []int{0, 2, 15, 16, 17, 127, 128, 129, 145, 499, 500, 999, 1000, 1001, 2001} {
			exec(t, d, "DELETE FROM counter")
			err := d.Update(ctx, func(tx *db.Tx) error {
				return tx.Insert(ctx, "counter", []string{"id", "n"}, n, func(i int, v []any) { v[0], v[1] = i, 2*i })
			})
			if err != nil {
				t.Fatalf("%d rows: %v", n, err)
			}
			if got := one[int](t, d, "SELECT count(*) FROM counter WHERE n = 2 * id"); got != n {
				t.Errorf("%d rows inserted, %d there", n, got)
			}
		}
		body := func(i int) string { return strings.Repeat(fmt.Sprint(i%10), 300_000) }
		err := d.Update(ctx, func(tx *db.Tx) error {
			return tx.Insert(ctx, "large", []string{"id", "body"}, 15, func(i int, v []any) { v[0], v[1] = i, body(i) })
		})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Update(ctx, func(tx *db.Tx) error {
			return tx.UpdateRows(ctx, "large", "id", []string{"body"}, 15, func(i int, v []any) { v[0], v[1] = i, body(i+1) })
		})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Query(ctx, "SELECT id, body FROM large", nil, func(r *db.Row) error {
			var id int
			var b string
			err := r.Scan(&id, &b)
			if b != body(id+1) {
				t.Errorf("row %d has %d bytes of %.1s", id, len(b), b)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestEmptyColumns inserts rows that have nothing but their id.
func TestEmptyColumns(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			d, statements := counted(t, e)
			create(t, d, list[e])
			ctx := t.Context()
			statements.Store(0)
			err := d.Update(ctx, func(tx *db.Tx) error {
				if err := tx.Insert(ctx, "list", nil, 3, func(int, []any) {}); err != nil {
					return err
				}
				ids, err := tx.InsertIDs(ctx, "list", nil, 700, func(int, []any) {})
				seen := map[int64]bool{}
				for _, id := range ids {
					seen[id] = true
				}
				if len(seen) != 700 {
					t.Errorf("%d different ids for 700 rows", len(seen))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if n := statements.Load(); n > 3 {
				t.Errorf("%d statements", n)
			}
			if n := one[int](t, d, "SELECT count(*) FROM list"); n != 703 {
				t.Errorf("%d rows, want 703", n)
			}
		})
	}
}

type row struct {
	Code, Title string
	Num         int
	Created     time.Time
}

func itemRows(t *testing.T, d *db.DB) []row {
	t.Helper()
	rows, err := db.All(t.Context(), d, "SELECT code, title, num, created FROM item ORDER BY num", nil, func(r *db.Row) (x row, err error) {
		var title *string
		var created *time.Time
		err = r.Scan(&x.Code, &title, &x.Num, &created)
		if title != nil {
			x.Title = *title
		}
		if created != nil {
			x.Created = *created
		}
		return x, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestUpsertAndUpdateRows changes existing rows, adds new ones, by text keys and by ids.
func TestUpsertAndUpdateRows(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 1, 2, 3, 4, 5, 6000, time.UTC)
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, item[d.Engine()], counter)
		ctx := t.Context()
		run := func(name string, f func(tx *db.Tx) error, want []row) {
			t.Helper()
			if err := d.Update(ctx, f); err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if diff := cmp.Diff(want, itemRows(t, d)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		codes := []string{"a", "A", "é"}
		run("insert by upsert", func(tx *db.Tx) error {
			return tx.Upsert(ctx, "item", []string{"code"}, []string{"uuid", "num", "title"}, 3, func(i int, v []any) {
				v[0], v[1], v[2], v[3] = codes[i], uuid.New(), i, "old"
			})
		}, []row{{Code: "a", Title: "old"}, {Code: "A", Title: "old", Num: 1}, {Code: "é", Title: "old", Num: 2}})
		run("upsert", func(tx *db.Tx) error {
			codes := []string{"A", "b"}
			return tx.Upsert(ctx, "item", []string{"code"}, []string{"uuid", "num", "created"}, 2, func(i int, v []any) {
				v[0], v[1], v[2], v[3] = codes[i], uuid.New(), 10+i, now
			})
		}, []row{{Code: "a", Title: "old"}, {Code: "é", Title: "old", Num: 2}, {Code: "A", Title: "old", Num: 10, Created: now}, {Code: "b", Num: 11, Created: now}})
		run("update by text key, one without a row", func(tx *db.Tx) error {
			codes := []string{"a", "none", "b"}
			return tx.UpdateRows(ctx, "item", "code", []string{"title", "created"}, 3, func(i int, v []any) {
				v[0], v[1], v[2] = codes[i], fmt.Sprint("new", i), nil
				if i == 0 {
					v[2] = now
				}
			})
		}, []row{{Code: "a", Title: "new0", Created: now}, {Code: "é", Title: "old", Num: 2}, {Code: "A", Title: "old", Num: 10, Created: now}, {Code: "b", Title: "new2", Num: 11}})
		run("update to NULL", func(tx *db.Tx) error {
			return tx.UpdateRows(ctx, "item", "code", []string{"title"}, 1, func(i int, v []any) { v[0], v[1] = "a", nil })
		}, []row{{Code: "a", Created: now}, {Code: "é", Title: "old", Num: 2}, {Code: "A", Title: "old", Num: 10, Created: now}, {Code: "b", Title: "new2", Num: 11}})

		// Many rows at once; an upsert without columns leaves what is there.
		const n = 2500
		err := d.Update(ctx, func(tx *db.Tx) error {
			if err := tx.Insert(ctx, "counter", []string{"id", "n"}, n/2, func(i int, v []any) { v[0], v[1] = i, -1 }); err != nil {
				return err
			}
			if err := tx.Upsert(ctx, "counter", []string{"id"}, []string{"n"}, n, func(i int, v []any) { v[0], v[1] = i, i }); err != nil {
				return err
			}
			if err := tx.Upsert(ctx, "counter", []string{"id", "n"}[:1], nil, 10, func(i int, v []any) { v[0] = i }); d.Engine() == db.SQLite && err == nil {
				t.Error("an upsert without the NOT NULL column n passed")
			}
			return nil
		})
		if !errors.Is(err, db.ErrNotNull) {
			t.Errorf("upsert of rows without a NOT NULL column: %v", err)
		}
		err = d.Update(ctx, func(tx *db.Tx) error {
			if err := tx.Insert(ctx, "counter", []string{"id", "n"}, n/2, func(i int, v []any) { v[0], v[1] = i, -1 }); err != nil {
				return err
			}
			if err := tx.Upsert(ctx, "counter", []string{"id"}, []string{"n"}, n, func(i int, v []any) { v[0], v[1] = i, i }); err != nil {
				return err
			}
			return tx.UpdateRows(ctx, "counter", "id", []string{"n"}, n, func(i int, v []any) { v[0], v[1] = i, 3*i })
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := one[int](t, d, "SELECT count(*) FROM counter WHERE n = 3 * id"); got != n {
			t.Errorf("%d of %d rows set", got, n)
		}
		create(t, d, "CREATE TABLE pair (a integer NOT NULL, b integer NOT NULL, UNIQUE (a, b))")
		err = d.Update(ctx, func(tx *db.Tx) error {
			for range 2 {
				if err := tx.Upsert(ctx, "pair", []string{"a", "b"}, nil, 100, func(i int, v []any) { v[0], v[1] = i/10, i%10 }); err != nil {
					return err
				}
			}
			return nil
		})
		if got := one[int](t, d, "SELECT count(*) FROM pair"); err != nil || got != 100 {
			t.Errorf("%d rows after the same 100 twice: %v", got, err)
		}
	})
}

// TestBulkErrors shows that a bad row anywhere leaves nothing.
func TestBulkErrors(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, item[d.Engine()])
		ctx := t.Context()
		for _, c := range []struct {
			name string
			cols []string
			bad  any
			want error
		}{
			{"duplicate", []string{"uuid", "num", "code"}, "c3", db.ErrDuplicate},
			{"not null", []string{"uuid", "num", "code"}, nil, db.ErrNotNull},
			{"no such column", []string{"uuid", "num", "nonsense"}, "x", nil},
			{"no value", []string{"uuid", "num", "code"}, struct{}{}, nil},
		} {
			for _, n := range []int{10, 17, 128, 1100} {
				err := d.Update(ctx, func(tx *db.Tx) error {
					return tx.Insert(ctx, "item", c.cols, n, func(i int, v []any) {
						v[0], v[1], v[2] = uuid.New(), i, fmt.Sprint("c", i)
						if i == n-1 {
							v[2] = c.bad
						}
					})
				})
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%s in %d rows: %v", c.name, n, err)
				}
				if got := one[int](t, d, "SELECT count(*) FROM item"); got != 0 {
					t.Errorf("%s in %d rows: %d rows saved", c.name, n, got)
				}
			}
		}
		err := d.View(ctx, func(tx *db.Tx) error {
			return tx.Insert(ctx, "item", []string{"code"}, 1, func(i int, v []any) { v[0] = "x" })
		})
		if !errors.Is(err, db.ErrReadOnly) {
			t.Errorf("a bulk insert in a view: %v", err)
		}
	})
}
