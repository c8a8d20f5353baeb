package takeover

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
)

// TestGoldenCatalog takes golden databases over with the catalog and the rows of platform apps. What is made of content is
// the same as without.
func TestGoldenCatalog(t *testing.T) {
	t.Parallel()
	var switches []string
	for _, a := range platform {
		switches = append(switches, a.app+"."+a.row, a.app+"."+a.squash)
	}
	for _, e := range dbtest.Engines() {
		for _, name := range goldendb.Some(t, e, "U", "S03", "N115") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				end := goldendb.EndOf(t, e, name)
				var rows []string
				if slices.ContainsFunc(end.Ledger, func(r [2]string) bool { return r == [2]string{platform[0].app, platform[0].before} }) {
					rows = switches
				}
				d := dbtest.Open(t, e)
				goldendb.Load(t, d, name)
				var done []string
				if st, err := schema.Recognize(t.Context(), d); err != nil {
					t.Fatal(err)
				} else if st.Content == "C3" { // the catalog does not wait for content
					_, done = migrate(t, d, Options{To: "0003", Catalog: true})
					wantState(t, d, "C3", "G2")
				}
				_, more := migrate(t, d, Options{Catalog: true, PlatformRows: true})
				done = append(done, more...)
				var beside []string
				for _, id := range done {
					if app, _, _ := strings.Cut(id, "."); !ofContent(app) {
						beside = append(beside, id)
					}
				}
				if diff := cmp.Diff(append([]string{madeCourses, madePathways}, rows...), beside); diff != "" {
					t.Errorf("steps beside content's (-want +got):\n%s", diff)
				}
				wantState(t, d, "C14", "G2")
				for _, id := range beside {
					app, row, _ := strings.Cut(id, ".")
					end.Ledger = append(end.Ledger, [2]string{app, row})
				}
				compare(t, d, end)
				if err := schema.AddLectern(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				if _, done := migrate(t, d, Options{Catalog: true, PlatformRows: true}); done != nil {
					t.Errorf("again: %v", done)
				}
			})
		}
	}
}

// TestGoldenCatalogCrash is TestGoldenCrash with the catalog and the rows of platform apps; on servers with LECTERN_TEST_ALL.
func TestGoldenCatalogCrash(t *testing.T) {
	t.Parallel()
	o := Options{Catalog: true, PlatformRows: true}
	for _, e := range dbtest.Engines() {
		if e != db.SQLite && !thorough() {
			continue // TestCatalogStopped has the catalog, TestGoldenCrash the rest
		}
		for _, name := range goldendb.Some(t, e, "U", "S03", "N115") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				end := goldendb.EndOf(t, e, name)
				c := crash{engine: e, url: dbtest.URL(t, e), migrate: migrating(o), options: o, sane: underWay, sparing: e.MySQLFamily()}
				load(t, c.url, name)
				for _, s := range planOf(t, c.url, o).Steps {
					if !ofContent(s.App) {
						end.Ledger = append(end.Ledger, [2]string{s.App, s.Name})
					}
				}
				c.ended = func(t *testing.T, d *db.DB) {
					t.Helper()
					wantState(t, d, "C14", "G2")
					compare(t, d, end)
				}
				c.run(t)
				c.ended(t, open(t, c.url, db.Options{}))
			})
		}
	}
}

// planOf plans a take-over. Nobody is connected afterwards.
func planOf(t *testing.T, url string, o Options) *Plan {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(t.Context(), d, o)
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	return p
}
