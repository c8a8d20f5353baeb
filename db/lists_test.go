package db_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestLongLists asks with long lists of numbers and texts, in runs and scattered, with numbers that come twice: exactly the
// rows that are named are read and changed.
func TestLongLists(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			d, statements := counted(t, e)
			create(t, d, "CREATE TABLE named (id bigint NOT NULL PRIMARY KEY, name varchar(40) NOT NULL UNIQUE, n integer NOT NULL)")
			ctx := t.Context()
			const n = 12_000
			err := d.Update(ctx, func(tx *db.Tx) error {
				return tx.Insert(ctx, "named", []string{"id", "name", "n"}, n, func(i int, v []any) { v[0], v[1], v[2] = i, fmt.Sprint("row ", i), 0 })
			})
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(7, 7))
			lists := map[string][]int64{"runs": nil, "scattered": nil, "both, twice, in no order": nil}
			for i := range int64(n) {
				if i/700%2 == 0 {
					lists["runs"] = append(lists["runs"], i)
				}
				if i%2 == 0 {
					lists["scattered"] = append(lists["scattered"], i)
				}
				if i < 5000 || i%3 == 0 {
					lists["both, twice, in no order"] = append(lists["both, twice, in no order"], i, i)
				}
			}
			both := lists["both, twice, in no order"]
			rng.Shuffle(len(both), func(i, j int) { both[i], both[j] = both[j], both[i] })
			mark := 0
			for what, ids := range lists {
				mark++
				statements.Store(0)
				if _, err := db.ExecIn(ctx, d, "UPDATE named SET n = ? WHERE id IN (?...) AND n < ?", ids, []any{mark, mark}); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if s := statements.Load(); what == "runs" && s != 9 {
					t.Errorf("%s: %d statements, want one for each of the 9 runs", what, s)
				}
				asked := map[int64]bool{}
				for _, id := range ids {
					asked[id] = true
				}
				var names []string
				got := map[string]bool{}
				err := d.Query(ctx, "SELECT id, name FROM named WHERE n = ?", []any{mark}, func(r *db.Row) error {
					var id int64
					var name string
					err := r.Scan(&id, &name)
					if !asked[id] {
						t.Errorf("%s: row %d was changed", what, id)
					}
					names = append(names, name)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(names) != len(asked) {
					t.Errorf("%s: %d rows changed, want %d", what, len(names), len(asked))
				}
				err = db.QueryIn(ctx, d, "SELECT name FROM named WHERE ? = 1 AND name IN (?...)", names, []any{1}, func(r *db.Row) error {
					name, err := db.Value[string](r)
					got[name] = true
					return err
				})
				if err != nil || len(got) != len(names) {
					t.Errorf("%s: %d of %d found by name: %v", what, len(got), len(names), err)
				}
			}
			if _, err := db.ExecIn(ctx, d, "DELETE FROM named WHERE id IN (?...)", lists["runs"], nil); err != nil {
				t.Fatal(err)
			}
			if left := one[int](t, d, "SELECT count(*) FROM named"); left != n-len(lists["runs"]) {
				t.Errorf("%d rows left, want %d", left, n-len(lists["runs"]))
			}
		})
	}
}
