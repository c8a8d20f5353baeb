package takeover

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// withOrganizations adds what the organizations package makes.
func withOrganizations(d *db.DB) error {
	return errors.Join(makeAll(d, organizationTables()...), noteRows(d, rowsOfApps(organizationsApp)...))
}

// withFirst adds the catalog as it was before pathways.
func withFirst(d *db.DB) error {
	return errors.Join(makeAll(d, schema.Lookup(catalogCourse), schema.Lookup(catalogRun)),
		noteRows(d, schema.Migration{App: catalogApp, Name: "0001_initial"}))
}

// organized is contentSite with organizations, cataloged that with the first part of the catalog.
func organized(d *db.DB) error { return errors.Join(contentSite(d), withOrganizations(d)) }

func cataloged(d *db.DB) error { return errors.Join(organized(d), withFirst(d)) }

const (
	madeOrganizations = "organizations.0004_auto_20230727_2054"
	madeCourses       = "openedx_catalog.0001_initial"
	madePathways      = "openedx_catalog.0002_pathways"
	filled            = "lectern.fill_catalog"
)

// inCatalog checks what a site has after the catalog was made.
func inCatalog(t *testing.T, d *db.DB) {
	t.Helper()
	wantState(t, d, "C14", "G2")
	sound(t, d)
	for _, app := range []string{organizationsApp, catalogApp} {
		want := map[string]int{}
		for _, m := range rowsOfApps(app) {
			want[m.App+"."+m.Name] = 1
		}
		if diff := cmp.Diff(want, ledgerOf(t, d, app)); diff != "" {
			t.Errorf("rows of %s (-want +got):\n%s", app, diff)
		}
	}
	got, err := db.All(context.Background(), d, "SELECT CONCAT(category_code, '|', title, '|', title_plural, '|') FROM openedx_catalog_pathwaycategory", nil, db.Value[string])
	if diff := cmp.Diff([]string{"pathway|Pathway||"}, got); diff != "" || err != nil {
		t.Errorf("categories (-want +got):\n%s%v", diff, err)
	}
}

// TestCatalog makes the catalog in sites that have nothing of it, the organizations, or its first half; then Lectern's own
// tables, which refer to it, can be added.
func TestCatalog(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(*db.DB) error
		want    []string
	}{
		{"nothing", contentSite, []string{madeOrganizations, madeCourses, madePathways}},
		{"organizations", organized, []string{madeCourses, madePathways}},
		{"courses", cataloged, []string{madePathways}},
		{"no content either", djangoSite, []string{last.App + "." + last.Name, madeOrganizations, madeCourses, madePathways}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			on := each
			if c.name == "no content either" {
				on = onSQLite // TestFillFromNothing has the others
			}
			on(t, c.prepare, func(t *testing.T, d *db.DB) {
				p, err := NewPlan(context.Background(), d, Options{Catalog: true})
				if err != nil || p.Refusal != nil {
					t.Fatal(err, p.Refusal)
				}
				_, done := migrate(t, d, Options{Catalog: true})
				if diff := cmp.Diff([][]string{c.want, c.want}, [][]string{ids(p), done}); diff != "" {
					t.Errorf("steps planned and done (-want +got):\n%s", diff)
				}
				inCatalog(t, d)
				if _, done := migrate(t, d, Options{Catalog: true}); done != nil {
					t.Errorf("again: %v", done)
				}
				if err := schema.AddLectern(context.Background(), d); err != nil {
					t.Fatal(err)
				}
				if err := schema.Require(context.Background(), d); err != nil {
					t.Error(err)
				}
				sound(t, d)
			})
		})
	}
}

func TestCatalogStopped(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*db.DB) error{
		"nothing": contentSite, "courses": func(d *db.DB) error {
			return errors.Join(organized(d), withCourses(d, false), addCourses(d, "course-v1:Axim+C+R1", "course-v1:Axim+C+R2", "course-v1:New+D+R"))
		}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stopEverywhere(t, prepare, Options{Catalog: true}, inCatalog)
		})
	}
}

// TestCatalogRefused has surroundings in which the catalog cannot be made, though content can go over.
func TestCatalogRefused(t *testing.T) {
	t.Parallel()
	const insert = "INSERT INTO django_migrations (app, name, applied) VALUES "
	organizationTable := func(d *db.DB) error { return errors.Join(contentSite(d), makeAll(d, schema.Lookup(organization))) }
	for _, c := range []struct {
		name       string
		prepare    func(*db.DB) error
		sql        []string
		thing      string
		reason     string
		family     bool // refused on the MySQL family, too; else such a state comes of a stop there
		engineless bool // the engine does not matter
	}{
		{"organizations not so far", organized, []string{"DELETE FROM django_migrations WHERE app = 'organizations' AND name = '0004_auto_20230727_2054'"},
			"organizations", "but not 0004_auto_20230727_2054", true, true},
		{"organizations without rows", organizationTable, nil, "organizations", "no rows of organizations", false, false},
		{"organizations without rows that are used", organizationTable, []string{
			"INSERT INTO organizations_organization (created, modified, name, short_name, active) VALUES ('2026-01-01 00:00:00', '2026-01-01 00:00:00', 'o', 'o', TRUE)"},
			"organizations", "no rows of organizations", true, false},
		{"organizations without tables", contentSite, []string{insert + "('organizations', '0004_auto_20230727_2054', '2026-01-01 00:00:00')"},
			"organizations", "there is no table organizations_organization", true, true},
		{"organizations of another make", organized, []string{"ALTER TABLE organizations_organization DROP COLUMN description"},
			"organizations", "has no column description", true, true},
		{"courses without rows", cataloged, []string{"DELETE FROM django_migrations WHERE app = 'openedx_catalog'"}, "", "X4", false, false},
		{"courses without rows that are used", cataloged, []string{"DELETE FROM django_migrations WHERE app = 'openedx_catalog'",
			"INSERT INTO organizations_organization (id, created, modified, name, short_name, active) VALUES (7, '2026-01-01 00:00:00', '2026-01-01 00:00:00', 'o', 'o', TRUE)",
			"INSERT INTO openedx_catalog_catalogcourse (id, course_code, created, title, language, org_id) VALUES (7, 'C', '2026-01-01 00:00:00', 'C', 'en', 7)"},
			"", "X4", true, false},
		{"rows without courses", organized, []string{insert + "('openedx_catalog', '0001_initial', '2026-01-01 00:00:00')"}, "", "X2", true, true},
		{"rows of the future", organized, []string{insert + "('openedx_catalog', '0003_shelves', '2026-01-01 00:00:00')"}, "", "0003_shelves", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			on := each
			if c.engineless {
				on = onSQLite
			}
			on(t, c.prepare, func(t *testing.T, d *db.DB) {
				send(t, d, c.sql...)
				if d.Engine().MySQLFamily() && !c.family {
					migrate(t, d, Options{Catalog: true})
					wantState(t, d, "C14", "G2")
					return
				}
				mustRefuse(t, d, Options{Catalog: true}, func(f *fault.Error) {
					if !strings.Contains(f.Error(), c.reason) && !strings.Contains(f.Error(), "contradict") {
						t.Errorf("refused with %q, want %q in it", f, c.reason)
					}
					if c.thing != "" && (f.Thing != c.thing || !strings.Contains(f.Next, "run the platform's migrations of organizations first")) {
						t.Errorf("refused over %q with the next step %q", f.Thing, f.Next)
					}
				})
			})
		})
	}
}

// TestCatalogBesideOlder refuses to touch the catalog of a site whose catalog is wrong, and takes its content over.
func TestCatalogBesideOlder(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, cataloged)
	send(t, d, "DELETE FROM django_migrations WHERE app = 'openedx_catalog'", "DELETE FROM django_migrations WHERE app = 'openedx_content' AND name > '0014'")
	mustRefuse(t, d, Options{Catalog: true}, func(f *fault.Error) {
		if f.Thing != "catalog" || !strings.Contains(f.Error(), "X4") {
			t.Errorf("refused with %q", f)
		}
	})
	if _, done := migrate(t, d, Options{}); len(done) != 1 {
		t.Errorf("done: %v, want the last step of content", done)
	}
}
