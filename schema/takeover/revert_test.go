package takeover

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// picture is what a database is: tables with rows, and ledger. How SQLite quotes names in the text of a table, and ids and
// times of the ledger, are no part of it.
func picture(t *testing.T, d *db.DB) map[string]any {
	t.Helper()
	all := map[string]any{}
	for name, entry := range dump(t, d) {
		pair := entry.([]any)
		table := *pair[0].(*inspect.Table)
		unquote := strings.NewReplacer(`"`, "", "`", "").Replace
		table.SQL = unquote(table.SQL)
		table.Indexes = slices.Clone(table.Indexes)
		for i := range table.Indexes {
			table.Indexes[i].Text = unquote(table.Indexes[i].Text)
		}
		switch name {
		case "lectern_lock":
		case "django_migrations":
			all[name] = ledgerRows(t, d)
		case "sqlite_sequence": // rows in no order, and the ledger's own counter
			rows := slices.DeleteFunc(strings.Split(pair[1].(string), "\n"), func(r string) bool { return strings.HasPrefix(r, "[django_migrations") })
			slices.Sort(rows)
			all[name] = rows
		default:
			all[name] = []any{table, pair[1]}
		}
	}
	return all
}

func ledgerRows(t *testing.T, d *db.DB) []schema.Migration {
	t.Helper()
	rows, err := db.All(context.Background(), d, "SELECT app, name FROM django_migrations", nil, func(r *db.Row) (m schema.Migration, err error) {
		err = r.Scan(&m.App, &m.Name)
		return m, err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b schema.Migration) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Name, b.Name)) })
	return rows
}

func migrateTo(t *testing.T, d *db.DB, row string) {
	t.Helper()
	if _, err := Migrate(context.Background(), d, Options{To: row}, Run{}); err != nil {
		t.Fatalf("migrate to %s: %v", row, err)
	}
}

func revertNames(t *testing.T, d *db.DB) {
	t.Helper()
	if _, err := RevertNames(context.Background(), d, Run{}); err != nil {
		t.Fatalf("revert names: %v", err)
	}
}

func stateOf(t *testing.T, d *db.DB) string {
	t.Helper()
	st, err := schema.Recognize(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return st.Content
}

// startable reports whether there is data for an engine.
func startable(t *testing.T, e db.Engine) bool { return len(goldendb.Starts(t, e, "*")) > 0 }

// TestGoldenRevert goes to 0003 and back, and there again: each time everything is as it was (content-migrations.md MR-22).
func TestGoldenRevert(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if !startable(t, e) {
			return
		}
		ctx := context.Background()
		d := dbtest.Open(t, e)
		goldendb.Load(t, d, "U")
		migrateTo(t, d, "0001")
		first := picture(t, d)
		migrateTo(t, d, "0003")
		third := picture(t, d)
		before := sums(t, d, nil)
		plan, err := RevertPlan(ctx, d)
		if err != nil || plan.Refusal != nil || len(plan.Steps) != 2 {
			t.Fatalf("plan %+v, %v", plan, err)
		}
		if diff := gocmp.Diff(third, picture(t, d)); diff != "" {
			t.Errorf("a plan has changed something (-before +after):\n%s", diff)
		}
		revertNames(t, d)
		if got := stateOf(t, d); got != "C1" {
			t.Errorf("state %s, want C1", got)
		}
		if diff := gocmp.Diff(first, picture(t, d)); diff != "" {
			t.Errorf("C1 (-before +after):\n%s", diff)
		}
		if diff := Differences(before, sums(t, d, before)); len(diff) > 0 {
			t.Errorf("sums: %+v", diff)
		}
		if p, err := RevertNames(ctx, d, Run{}); err != nil || len(p.Steps) > 0 {
			t.Errorf("again: %+v, %v", p.Steps, err)
		}
		migrateTo(t, d, "0003")
		if diff := gocmp.Diff(third, picture(t, d)); diff != "" {
			t.Errorf("C3 (-before +after):\n%s", diff)
		}
		migrateTo(t, d, "0004")
		was := picture(t, d)
		_, err = RevertNames(ctx, d, Run{})
		var refused *fault.Error
		if !fault.Is(err, fault.Refused) || !errors.As(err, &refused) || !strings.Contains(refused.Next, "backup") {
			t.Errorf("beyond 0003: %v", err)
		}
		if diff := gocmp.Diff(was, picture(t, d)); diff != "" {
			t.Errorf("a refusal has changed something (-before +after):\n%s", diff)
		}
	})
}

// TestGoldenRevertRows takes the rows of platform apps along that follow content's names, and none that stands for an app's
// tables (content-migrations.md §3.6).
func TestGoldenRevertRows(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if !startable(t, e) {
			return
		}
		d := dbtest.Open(t, e)
		goldendb.Load(t, d, "U")
		migrateTo(t, d, "0001")
		if _, err := d.Exec(context.Background(), "DELETE FROM django_migrations WHERE app = 'contentstore'"); err != nil {
			t.Fatal(err)
		}
		add := func(i int, name string) {
			t.Helper()
			_, err := d.Exec(context.Background(), "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, CURRENT_TIMESTAMP)", platform[i].app, name)
			if err != nil {
				t.Fatal(err)
			}
		}
		// Of contentstore the squashed row alone is there, as on a site that began with it.
		add(1, platform[1].squash)
		want := ledgerRows(t, d)
		add(0, platform[0].row)
		add(0, platform[0].squash)
		add(0, platform[0].row) // twice
		add(2, platform[2].row)
		migrateTo(t, d, "0003")
		revertNames(t, d)
		if diff := gocmp.Diff(want, ledgerRows(t, d)); diff != "" {
			t.Errorf("ledger (-want +got):\n%s", diff)
		}
	})
}

// halter fails at the statement number at that changes something, and at all after it.
type halter struct {
	at, seen int
	changed  bool // the transaction has changed something
	off      bool
}

var errHalted = errors.New("stopped here")

func (s *halter) fault(sql string) error {
	verb, _, _ := strings.Cut(sql, " ")
	switch {
	case s.off || strings.Contains(sql, "lectern_lock"):
		return nil
	case verb == "BEGIN" || verb == "START":
		s.changed = false
		return nil
	case slices.Contains([]string{"ALTER", "RENAME", "CREATE", "DROP", "DELETE", "INSERT", "UPDATE"}, verb):
		s.changed = true
	case verb == "COMMIT" && s.changed:
	default:
		return nil
	}
	if s.seen++; s.seen > s.at {
		return errHalted
	}
	return nil
}

// TestGoldenRevertStopped stops it at every statement. What is left is known, and both ways lead on from it.
func TestGoldenRevertStopped(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if !startable(t, e) {
			return
		}
		ctx := context.Background()
		s := &halter{off: true}
		d, err := db.Open(ctx, dbtest.URL(t, e), db.Options{Create: true, Fault: s.fault})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		goldendb.Load(t, d, "U")
		migrateTo(t, d, "0001")
		first := picture(t, d)
		migrateTo(t, d, "0003")
		third := picture(t, d)
		stride := 1
		switch {
		case !e.MySQLFamily():
			stride = 5 // every statement of a transaction is undone alike
		case e == db.MySQL && !thorough():
			stride = 7 // MariaDB has them all
		}
		for s.at = 0; ; s.at += stride {
			s.seen, s.off = 0, false
			_, err := RevertNames(ctx, d, Run{})
			s.off = true
			if err == nil {
				break
			}
			if !errors.Is(err, errHalted) {
				t.Fatalf("stopped at %d: %v", s.at, err)
			}
			st := stateOf(t, d)
			if !slices.Contains([]string{"C3", "M3", "C2", "M", "C1"}, st) {
				t.Fatalf("stopped at %d: state %s", s.at, st)
			}
			if s.at/stride%2 == 0 {
				revertNames(t, d)
				if diff := gocmp.Diff(first, picture(t, d)); diff != "" {
					t.Fatalf("stopped at %d in %s, then back (-want +got):\n%s", s.at, st, diff)
				}
				migrateTo(t, d, "0003")
				s.seen, s.off = 0, false // the same stop once more, for the other way
				_, err = RevertNames(ctx, d, Run{})
				s.off = true
				if !errors.Is(err, errHalted) {
					t.Fatalf("stopped at %d again: %v", s.at, err)
				}
			}
			migrateTo(t, d, "0003")
			if diff := gocmp.Diff(third, picture(t, d)); diff != "" {
				t.Fatalf("stopped at %d in %s, then on (-want +got):\n%s", s.at, st, diff)
			}
		}
		if diff := gocmp.Diff(first, picture(t, d)); diff != "" {
			t.Errorf("C1 (-want +got):\n%s", diff)
		}
		if s.at < 5 {
			t.Errorf("only %d stops", s.at)
		}
	})
}

// TestTo refuses rows that there are none of.
func TestTo(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	goldendb.Load(t, d, "U")
	for _, to := range []string{"0", "3", "00", "0099", "0003_", "0003_rename", "oel_publishing", "0001_initial_x", " 0003"} {
		if _, err := NewPlan(context.Background(), d, Options{To: to}); !fault.Is(err, fault.Usage) {
			t.Errorf("--to %q: %v, want usage", to, err)
		}
	}
	for to, want := range map[string]string{"0001": "0001_initial", "0003_rename_content_to_media": "0003_rename_content_to_media", "": "0014_typed_media_id"} {
		p, err := NewPlan(context.Background(), d, Options{To: to})
		if err != nil || p.Steps[len(p.Steps)-1].Name != want {
			t.Errorf("--to %q: ends with %v, %v", to, p, err)
		}
	}
}
