package takeover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// withGolden opens a database of its own with a golden database in it, for reading only.
func withGolden(t *testing.T, e db.Engine, name string, change ...string) (place string, d *db.DB) {
	t.Helper()
	ctx := context.Background()
	place = dbtest.URL(t, e)
	w, err := db.Open(ctx, place, db.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	goldendb.Load(t, w, name)
	for _, sql := range change {
		if _, err := w.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = db.Open(ctx, place, db.Options{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return place, d
}

// dump returns everything in a database: the definition of each table, and its rows.
func dump(t *testing.T, d *db.DB) map[string]any {
	t.Helper()
	ctx := context.Background()
	live, err := inspect.Read(ctx, d, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for name, table := range live {
		rows, err := db.All(ctx, d, "SELECT * FROM "+d.Engine().Quote(name), nil, func(r *db.Row) (string, error) {
			vals := make([]any, len(r.Columns()))
			dest := make([]any, len(vals))
			for i := range vals {
				dest[i] = &vals[i]
			}
			err := r.Scan(dest...)
			return fmt.Sprint(vals), err
		})
		if err != nil {
			t.Fatal(err)
		}
		if name == "sqlite_sequence" { // counts for Lectern's own tables, too
			rows = slices.DeleteFunc(rows, func(r string) bool { return strings.HasPrefix(r, "[lectern_") })
		}
		all[name] = []any{table, strings.Join(rows, "\n")}
	}
	return all
}

// places lists what a rehearsal could leave beside a database.
func places(t *testing.T, d *db.DB, place string) []string {
	t.Helper()
	if path, ok := db.File(place); ok {
		names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*rehearsal*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	sql := "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE CONCAT(DATABASE(), '%rehearsal')"
	if d.Engine() == db.PostgreSQL {
		sql = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '%rehearsal'"
	}
	names, err := db.All(context.Background(), d, sql, nil, db.Value[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// sameAsBefore fails the test when a database is not as it was, or something was left beside it.
func sameAsBefore(t *testing.T, d *db.DB, place string, was map[string]any) {
	t.Helper()
	if diff := cmp.Diff(was, dump(t, d)); diff != "" {
		t.Errorf("the original (-before +after):\n%s", diff)
	}
	if left := places(t, d, place); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// picked reports whether a golden database is one of those that differ most, or all are asked for. MySQL has one of each kind:
// its databases are MariaDB's, and so is what is done there, five times slower.
func picked(e db.Engine, name string) bool {
	switch name {
	case "U", "O18", "N115", "B-colon", "M0007-01":
		return true
	case "TO", "S03", "S12a", "N48", "B-case", "M0002-02", "M0010-02":
		return e != db.MySQL || thorough()
	}
	return thorough()
}

// TestGoldenRehearse rehearses with every golden database: what a rehearsal says is what a run comes to, and nothing of
// the original changes.
func TestGoldenRehearse(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range goldendb.Starts(t, e, "*") {
			if !picked(e, name) {
				continue
			}
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				ctx := context.Background()
				place, d := withGolden(t, e, name)
				was := dump(t, d)
				var file []byte
				if path, ok := db.File(place); ok {
					file, _ = os.ReadFile(path)
				}
				plan, err := NewPlan(ctx, d, Options{})
				if err != nil {
					t.Fatal(err)
				}
				out, err := Rehearse(ctx, d, place, Options{}, Run{})
				sameAsBefore(t, d, place, was)
				if path, ok := db.File(place); ok {
					if now, _ := os.ReadFile(path); string(now) != string(file) {
						t.Error("the file is another")
					}
				}
				switch {
				case plan.Refusal != nil:
					if !fault.Is(err, fault.Refused) || len(out.Sums) > 0 {
						t.Errorf("%v with %d sums, want what the plan says", err, len(out.Sums))
					}
					return
				case err != nil:
					t.Fatal(err)
				case len(plan.Steps) == 0:
					return
				}
				if len(out.Took) != len(out.Plan.Steps) || len(out.Plan.Steps) != len(plan.Steps) {
					t.Errorf("%d times of %d steps, %d are planned", len(out.Took), len(out.Plan.Steps), len(plan.Steps))
				}
				if diff := cmp.Diff(sums(t, d, nil), out.Sums); diff != "" {
					t.Errorf("sums (-original +copy):\n%s", diff)
				}
				for _, f := range out.Findings {
					if f.Severity == schema.Error {
						t.Errorf("finding: %+v", f)
					}
				}
			})
		}
	}
}

// TestRehearseStopped ends a rehearsal at a step, as Ctrl-C does: the copy is gone all the same.
func TestRehearseStopped(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if len(goldendb.Starts(t, e, "*")) == 0 {
			return // no data without the whole golden set
		}
		place, d := withGolden(t, e, "U")
		was := dump(t, d)
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Rehearse(ctx, d, place, Options{}, Run{Done: func(_ Step, n, _ int) {
			if len(places(t, d, place)) == 0 {
				t.Error("no copy while it runs")
			}
			if n == 5 {
				cancel()
			}
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v, want it to be canceled", err)
		}
		sameAsBefore(t, d, place, was)
	})
}

// TestRehearseLeft finds what a killed rehearsal left, and what only looks like it.
func TestRehearseLeft(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if e == db.SQLite || len(goldendb.Starts(t, e, "*")) == 0 {
			return // TestRehearseLeftFile
		}
		ctx := context.Background()
		place, d := withGolden(t, e, "U")
		was := dump(t, d)
		st, err := stageFor(ctx, d, place)
		if err != nil {
			t.Fatal(err)
		}
		if err := st.clear(ctx); err != nil {
			t.Fatal(err)
		}
		scratch, err := st.fill(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Rehearse(ctx, d, place, Options{}, Run{}); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "is used by process") {
			t.Errorf("while another runs: %v", err)
		}
		// As of a process that is gone: none has an id like this.
		if _, err := scratch.Exec(ctx, "UPDATE lectern_lock SET holder = REPLACE(holder, ?, ?)", fmt.Sprintf(":%d:", os.Getpid()), ":99999999:"); err != nil {
			t.Fatal(err)
		}
		if _, err := Rehearse(ctx, d, place, Options{}, Run{}); err != nil {
			t.Errorf("after a killed one: %v", err)
		}
		sameAsBefore(t, d, place, was)
		if err := st.remove(ctx); err != nil {
			t.Error(err)
		}
		another := stageName(e, strings.TrimSuffix(filepath.Base(d.Name()), "?"))
		make, drop := "CREATE DATABASE "+e.Quote(another), "DROP DATABASE "+e.Quote(another)
		if e == db.PostgreSQL {
			another = stageName(e, "public")
			make, drop = "CREATE SCHEMA "+another, "DROP SCHEMA "+another+" CASCADE"
		}
		w, err := db.Open(ctx, place, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, sql := range []string{make, "CREATE TABLE " + e.Quote(another) + ".recipe (id integer)"} {
			if _, err := w.Exec(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Rehearse(ctx, d, place, Options{}, Run{}); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), another) {
			t.Errorf("where something else is called so: %v", err)
		}
		if left := places(t, d, place); len(left) != 1 {
			t.Errorf("something else's is gone: %v", left)
		}
		_, err = w.Exec(ctx, drop)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestRehearseRefused is told by the server that it may not make the copy.
func TestRehearseRefused(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if e == db.SQLite {
			return // which has no rights
		}
		ctx := context.Background()
		place := dbtest.URL(t, e)
		d, err := db.Open(ctx, place, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := serverStage{d: d, place: place, from: "x", name: stageName(e, "x")}
		exists, drop := databaseExists, "DROP DATABASE IF EXISTS "+e.Quote(s.name)
		if e == db.PostgreSQL {
			exists, drop = schemaExists, "DROP SCHEMA IF EXISTS "+e.Quote(s.name)
		}
		err = s.make(ctx, "CREATE NOTHING", "ask for the right")
		var refused *fault.Error
		if !errors.As(err, &refused) || refused.Kind != fault.Refused || refused.Next != "ask for the right" {
			t.Errorf("%v, want it refused", err)
		}
		if err := errors.Join(s.removeBy(ctx, exists, drop), d.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestRehearseLeftFile is the same with files, of which those of running processes stay.
func TestRehearseLeftFile(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	place, d := withGolden(t, db.SQLite, "U")
	path, _ := db.File(place)
	parts := strings.Split(lease.Mark(), ".")
	gone := path + copySuffix + "99999999." + parts[1] + "." + parts[2] + "_1"
	elsewhere := path + copySuffix + "99999999.1.0badcafe_1"
	running := path + copySuffix + lease.Mark() + "_99"
	other := path + copySuffix + "notes.txt"
	for _, name := range []string{gone, gone + "-wal", gone + "-journal", elsewhere, running, other} {
		if err := os.WriteFile(name, []byte("half a database"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Rehearse(ctx, d, place, Options{}, Run{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{running, elsewhere, other}, places(t, d, place), sorted); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// TestRehearseFull refuses where there is no room.
func TestRehearseFull(t *testing.T) {
	t.Parallel()
	place, d := withGolden(t, db.SQLite, "U")
	path, _ := db.File(place)
	st := &fileStage{place: place, path: path, room: func(string) (int64, bool) { return 1 << 20, true }}
	if _, err := st.fill(context.Background()); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("%v, want it refused", err)
	}
	if left := places(t, d, place); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if free, known := room(filepath.Dir(path)); known && free <= 0 {
		t.Errorf("%d bytes are free", free)
	}
}

// TestRehearseCodes rehearses with codes that are derived.
func TestRehearseCodes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	place, d := withGolden(t, db.SQLite, "U",
		"UPDATE oel_publishing_publishableentity SET _key = 'unit: one' WHERE id = (SELECT MIN(publishable_entity_id) FROM oel_publishing_container)",
		"UPDATE oel_collections_collection SET _key = 'a b' WHERE id = 1")
	if _, err := Rehearse(ctx, d, place, Options{DeriveCodes: true}, Run{}); !fault.Is(err, fault.Refused) {
		t.Errorf("without a code for the collection: %v", err)
	}
	p, err := NewPlan(ctx, d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Rehearse(ctx, d, place, Options{Codes: p.Codes, CodesFile: "codes.csv"}, Run{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range out.Findings {
		if f.Severity == schema.Error {
			t.Errorf("finding: %+v", f)
		}
	}
	if len(out.Sums) == 0 || len(places(t, d, place)) > 0 {
		t.Errorf("%d sums, %v left", len(out.Sums), places(t, d, place))
	}
}

var sorted = cmp.Transformer("sort", func(s []string) map[string]bool {
	m := map[string]bool{}
	for _, x := range s {
		m[x] = true
	}
	return m
})
