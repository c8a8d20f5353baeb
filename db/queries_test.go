package db_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

func TestQueryIn(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			d, statements := counted(t, e)
			create(t, d, counter)
			ctx := t.Context()
			const n = 2000
			err := d.Update(ctx, func(tx *db.Tx) error {
				return tx.Insert(ctx, "counter", []string{"id", "n"}, n, func(i int, v []any) { v[0], v[1] = i, i%2 })
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{0, 1, 2, 3, 511, 512, 513, 1500} {
				ids := make([]itemID, size)
				for i := range ids {
					ids[i] = itemID(i)
				}
				var want []int
				for i := range size {
					if i%2 == 1 && i < 1400 {
						want = append(want, i)
					}
				}
				statements.Store(0)
				var got []int
				err := db.QueryIn(ctx, d, "SELECT id FROM counter WHERE n = ? AND id IN (?...) AND id < ? AND '?' <> ''", ids, []any{1, 1400}, func(r *db.Row) error {
					var id int
					err := r.Scan(&id)
					got = append(got, id)
					return err
				})
				slices.Sort(got)
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("%d ids: %v (-want +got)\n%s", size, err, diff)
				}
				if s := statements.Load(); s != int64((size+511)/512) {
					t.Errorf("%d ids took %d statements", size, s)
				}
			}
			ids := make([]int, 1100)
			for i := range ids {
				ids[i] = i
			}
			var got []int
			err = db.QueryIn(ctx, d, "SELECT id FROM counter WHERE id < ? AND (id - ? IN (?...) OR id + ? IN (?...)) ORDER BY id", []int{10, 30, 50}, []any{40, 1, 2}, func(r *db.Row) error {
				var id int
				err := r.Scan(&id)
				got = append(got, id)
				return err
			})
			if diff := cmp.Diff([]int{8, 11, 28, 31}, got); err != nil || diff != "" {
				t.Errorf("a list twice: %v (-want +got)\n%s", err, diff)
			}
			if affected, err := db.ExecIn(ctx, d, "UPDATE counter SET n = ? WHERE id IN (?...)", ids, []any{7}); err != nil || affected != 1100 {
				t.Errorf("ExecIn of 1100 ids: %d rows, %v", affected, err)
			}
			err = d.Update(ctx, func(tx *db.Tx) error {
				affected, err := db.ExecIn(ctx, tx, "UPDATE counter SET n = ? WHERE id IN (?...)", ids, []any{7})
				if affected != 1100 { // the values do not change, the rows match all the same
					t.Errorf("ExecIn again: %d rows", affected)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			for _, sql := range []string{"SELECT 1", "SELECT 1 WHERE ? = 1 AND 1 IN (?...)", "SELECT 1 WHERE 1 IN (?...) AND ? = 1 OR 2 IN (?...)"} {
				if err := db.QueryIn(ctx, d, sql, ids, nil, func(*db.Row) error { return nil }); err == nil {
					t.Errorf("%s: no error", sql)
				}
			}
		})
	}
}

func TestOneAndAll(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		create(t, d, counter)
		ctx := t.Context()
		if _, found, err := db.One(ctx, d, "SELECT n FROM counter", nil, db.Value[int]); found || err != nil {
			t.Errorf("One of no rows: found %v, %v", found, err)
		}
		exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 5), (2, 6), (3, 7)")
		if v, found, err := db.One(ctx, d, "SELECT n FROM counter ORDER BY id", nil, db.Value[int]); v != 5 || !found || err != nil {
			t.Errorf("One of three rows: %d, found %v, %v", v, found, err)
		}
		// A scan that stops early leaves the transaction usable.
		err := d.Update(ctx, func(tx *db.Tx) error {
			mine := errors.New("mine")
			if err := tx.Query(ctx, "SELECT n FROM counter", nil, func(*db.Row) error { return mine }); !errors.Is(err, mine) {
				t.Errorf("error of a scan became %v", err)
			}
			_, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1")
			return err
		})
		if err != nil {
			t.Error(err)
		}
		got, err := db.All(ctx, d, "SELECT n FROM counter ORDER BY id", nil, db.Value[int64])
		if diff := cmp.Diff([]int64{6, 7, 8}, got); err != nil || diff != "" {
			t.Errorf("All: %v (-want +got)\n%s", err, diff)
		}
		var names []string
		err = d.Query(ctx, "SELECT id, n AS number FROM counter WHERE id = 1", nil, func(r *db.Row) error {
			names = slices.Clone(r.Columns())
			return nil
		})
		if diff := cmp.Diff([]string{"id", "number"}, names); err != nil || diff != "" {
			t.Errorf("Columns: %v (-want +got)\n%s", err, diff)
		}
	})
}
