package takeover

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
)

// TestGoldenOvertaken lets a server finish each statement that commits by itself for a run that is gone, just before the next
// run sends the same one.
func TestGoldenOvertaken(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if !e.MySQLFamily() {
			continue // where a statement goes with the run that sent it
		}
		for _, name := range goldendb.Some(t, e, "O18", "U") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := crashOf(t, e, name)
				if c == nil {
					return
				}
				gone, finished := open(t, c.url, db.Options{}), map[string]bool{}
				d := open(t, c.url, db.Options{OnStatement: func(sql string) {
					verb, _, _ := strings.Cut(sql, " ")
					alone := slices.Contains([]string{"CREATE", "ALTER", "RENAME", "DROP"}, verb) && !strings.Contains(sql, "lectern_lock")
					if !alone || finished[sql] {
						return
					}
					finished[sql] = true
					if _, err := gone.Exec(context.Background(), sql); err != nil {
						t.Error(err)
					}
				}})
				if _, err := c.migrate(d); err != nil {
					t.Fatal(err)
				}
				if len(finished) < 10 {
					t.Errorf("there were %d statements only", len(finished))
				}
				c.ended(t, d)
			})
		}
	}
}

// TestGoldenSavedMeanwhile lets a server save a step for a run that is gone when the next one has begun the same step.
func TestGoldenSavedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if e == db.SQLite {
			continue // where nobody writes while another does
		}
		for _, name := range goldendb.Some(t, e, "U") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := crashOf(t, e, name)
				if c == nil {
					return
				}
				gone, saved := open(t, c.url, db.Options{}), false
				p, err := NewPlan(context.Background(), gone, Options{})
				if err != nil {
					t.Fatal(err)
				}
				i := slices.IndexFunc(p.Steps, func(s Step) bool { return s.silent() })
				if i < 0 {
					t.Fatal("no step only writes its row")
				}
				steps := 0
				d := open(t, c.url, db.Options{OnStatement: func(sql string) {
					if !strings.HasPrefix(sql, "SELECT 1 FROM django_migrations WHERE app") {
						return
					}
					if steps++; steps != i+1 {
						return
					}
					saved = true
					const row = "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, CURRENT_TIMESTAMP)"
					if _, err := gone.Exec(context.Background(), row, p.Steps[i].App, p.Steps[i].Name); err != nil {
						t.Error(err)
					}
				}})
				if _, err := c.migrate(d); err != nil || !saved {
					t.Fatalf("saved: %t, %v", saved, err)
				}
				c.ended(t, d) // with one row for each step
			})
		}
	}
}
