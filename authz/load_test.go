package authz_test

import (
	"encoding/json"
	"testing"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
)

// TestGoldenLoadFor asks the golden decisions of indexes that were loaded for one user each.
func TestGoldenLoadFor(t *testing.T) {
	t.Parallel()
	rows := shipped(t)
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		mine := map[string]*authz.Index{}
		golden.Lines(t, "authz/decisions.jsonl", func(line []byte) {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				t.Fatal(err)
			}
			switch {
			case q.Kind == "world":
				var w world
				if err := json.Unmarshal(line, &w); err != nil {
					t.Fatal(err)
				}
				if err := w.insert(ctx, d, rows); err != nil {
					t.Fatal(err)
				}
				clear(mine)
			case q.Kind == "check" && q.Error == "" && q.User != "":
				x := mine[q.User]
				if x == nil {
					var err error
					if x, err = authz.LoadFor(ctx, d, q.User); err != nil {
						t.Fatal(err)
					}
					mine[q.User] = x
				}
				if got, err := x.Allowed(q.User, q.Action, q.Scope); err != nil || got != (string(q.Result) == "true") {
					t.Errorf("%s\n: %t, %v", line, got, err)
				}
			}
		})
	})
}

// TestLoadForUserAsRole: the assignments of a user who is somebody's role count.
func TestLoadForUserAsRole(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, tables)
	w := world{Rows: [][]string{
		{"p", "role^reader", "act^a.b", "lib^*", "allow"},
		{"g", "user^ann", "user^bo", "*"}, {"g", "user^bo", "user^cy", "*"}, {"g", "user^cy", "role^reader", "lib^lib:*"}, {"g", "user^dan", "role^reader", "*"},
	}}
	if err := w.insert(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	x, err := authz.LoadFor(t.Context(), d, "ann")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := x.Allowed("ann", "a.b", "lib:O:L"); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
	if n := x.Assignments(); n != 3 {
		t.Errorf("%d assignments, want 3", n)
	}
}
