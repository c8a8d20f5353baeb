package interop

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/schema/takeover"
)

// starts are the golden databases that Python goes on with: what Ulmo leaves, two older ones and one of after the merge.
var starts = []string{"U", "O18", "O26", "S03"}

// eachStart runs fn as a parallel subtest for each of the golden databases that are there, on the engines for which the
// reference made some.
func eachStart(t *testing.T, names []string, fn func(t *testing.T, e db.Engine, name string)) {
	t.Helper()
	engines := slices.DeleteFunc(dbtest.Engines(), func(e db.Engine) bool { return e == db.MySQL })
	onEngines(t, engines, func(t *testing.T, e db.Engine) {
		for _, name := range goldendb.Starts(t, e, "*") {
			if slices.Contains(names, name) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					fn(t, e, name)
				})
			}
		}
	})
}

// takenOver loads a golden database, lets prepare change it, and takes it over.
func takenOver(t *testing.T, e db.Engine, name string, prepare func(*db.DB)) (url string, d *db.DB) {
	t.Helper()
	url = dbtest.URL(t, e)
	d = open(t, url)
	goldendb.Load(t, d, name)
	if prepare != nil {
		prepare(d)
	}
	if _, err := takeover.Migrate(t.Context(), d, takeover.Options{}, takeover.Run{}); err != nil {
		t.Fatal(err)
	}
	return url, d
}

// TestGoldenTakeOver takes databases of every age over and lets Python go on: with the content packages alone it finds
// nothing to do, with their neighbours it migrates only those, reads all that is there as Lectern does, and writes what
// Lectern finds sound.
func TestGoldenTakeOver(t *testing.T) {
	t.Parallel()
	eachStart(t, starts, func(t *testing.T, e db.Engine, name string) {
		url, d := takenOver(t, e, name, func(d *db.DB) { organized(t, d) })
		dir := t.TempDir()
		before := harm(t, url, dir)

		checked(t, startKind(t, url, dir, "content"))
		kind, neighbours := "neighbours", []string{"oel_tagging", "openedx_catalog", "openedx_learning"}
		if e == db.PostgreSQL { // there upstream's own oel_tagging stops (content-migrations.md §1.5.3)
			kind, neighbours = "catalog", []string{"openedx_catalog"}
		}
		django := startKind(t, url, dir, kind)
		var ran []string
		django.ask(t, &ran, "migrate")
		if diff := cmp.Diff(neighbours, appsOf(ran)); diff != "" {
			t.Errorf("apps that Python migrated (-want +got):\n%s\n%q", diff, ran)
		}
		// The others are not asked for what their models lack: some differ from their migrations on any database.
		checked(t, django, "openedx_content", "openedx_catalog", "oel_publishing", "oel_components", "oel_contents", "oel_collections",
			"oel_units", "oel_subsections", "oel_sections")
		if err := schema.AddLectern(t.Context(), d); err != nil { // tables of its own, which refer to the catalog
			t.Fatal(err)
		}

		files := media.NewDir(dir)
		same := func(when, ref string, command ...string) {
			t.Helper()
			var python view
			django.ask(t, &python, append(command, ref)...)
			if diff := cmp.Diff(python, look(t, d, files, ref), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %s (-Python +Lectern):\n%s", ref, when, diff)
			}
			if len(python.Entities) == 0 || len(python.WrongDigests) > 0 {
				t.Errorf("%s, %s: %d entities; digests that Python computes otherwise: %q", ref, when, len(python.Entities), python.WrongDigests)
			}
		}
		var refs []string
		django.ask(t, &refs, "packages")
		if len(refs) == 0 {
			t.Fatal("Python finds no learning package")
		}
		for _, ref := range refs {
			same("taken over", ref, "read")
			django.ask(t, nil, "extend", ref, "Żółć-é")
			same("edited by Python", ref, "edit")
		}
		edit(t, d, refs[0])
		same("edited by Lectern", refs[0], "read")

		st, err := schema.Recognize(t.Context(), d)
		if err != nil || st.Status != schema.Current || st.Content != "C14" {
			t.Errorf("recognised as %+v, %v", st, err)
		}
		p, err := takeover.NewPlan(t.Context(), d, takeover.Options{})
		if err != nil || p.Refusal != nil || len(p.Steps) > 0 {
			t.Errorf("still to do: %+v, %v", p, err)
		}
		for _, f := range harm(t, url, dir) {
			if !slices.Contains(before, f) {
				t.Errorf("after Python has worked there is: %s", f)
			}
		}
	})
}

// organized adds the rows of the organizations package that any site has by the time of those that the golden databases
// were given. Without them Django starts nothing that needs the package.
func organized(t *testing.T, d *db.DB) {
	t.Helper()
	for _, name := range []string{"0003_auto_20170221_1138", "0004_auto_20170413_2315", "0005_auto_20171116_0640", "0006_auto_20171207_0259",
		"0007_historicalorganization", "0002_unique_short_name"} {
		if _, err := d.Exec(t.Context(), "INSERT INTO django_migrations (app, name, applied) VALUES ('organizations', ?, '2025-01-01 00:00:00')", name); err != nil {
			t.Fatal(err)
		}
	}
}

// checked lets Django say that nothing is to be migrated, nor a migration to be made for these apps, for all without any.
func checked(t *testing.T, django *site, apps ...string) {
	t.Helper()
	var said string
	if django.ask(t, &said, append([]string{"check"}, apps...)...); said != "" {
		t.Error(said)
	}
}

// appsOf returns the apps that migrations are of, sorted.
func appsOf(migrations []string) (apps []string) {
	for _, m := range migrations {
		app, _, _ := strings.Cut(m, ".")
		apps = append(apps, app)
	}
	slices.Sort(apps)
	return slices.Compact(apps)
}

// harm returns what is wrong in a database, its contents included. Its tables have to be right.
func harm(t *testing.T, url, dir string) (list []string) {
	t.Helper()
	found, err := app.Verify(t.Context(), app.Config{DB: url, Media: dir}, app.VerifyOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found.Findings {
		if f.Severity == schema.Error {
			list = append(list, fmt.Sprintf("%s %s %s %s", f.Code, f.Table, f.Key, f.Value))
		}
	}
	tables, err := schema.Verify(t.Context(), open(t, url), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tables {
		if f.Severity == schema.Error {
			t.Errorf("finding: %+v", f)
		}
	}
	return list
}

// The migrations by which the platform's apps follow, and the squashes that new sites run.
const follow = "switch_to_openedx_content"

var (
	libraries = "content_libraries.0012_" + follow
	studio    = []string{"contentstore.0015_" + follow, "modulestore_migrator.0007_" + follow}
	anew      = []string{"contentstore.0001_squashed_0015_" + follow, "modulestore_migrator.0001_squashed_0007_" + follow}
)

// TestGoldenPlatform takes a site over and starts LMS and CMS on it in either order, and a CMS on a site that had none.
// Each migrates only its own apps, and what refers to content still has to refer to something that is there.
func TestGoldenPlatform(t *testing.T) {
	t.Parallel()
	type start struct {
		kind string
		runs []string
	}
	for name, c := range map[string]struct {
		noStudio bool
		starts   []start
	}{
		"LMS first": {false, []start{{"lms", []string{libraries}}, {"cms", studio}}},
		"CMS first": {false, []start{{"cms", slices.Insert(slices.Clone(studio), 0, libraries)}, {"lms", []string{}}}},
		"LMS alone": {true, []start{{"lms", []string{libraries}}, {"cms", anew}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachStart(t, []string{"U"}, func(t *testing.T, e db.Engine, name string) {
				url, d := takenOver(t, e, name, func(d *db.DB) {
					if c.noStudio {
						withoutStudio(t, d)
					}
				})
				for _, s := range c.starts {
					django := startKind(t, url, t.TempDir(), s.kind)
					var ran []string
					django.ask(t, &ran, "migrate")
					slices.Sort(ran)
					if diff := cmp.Diff(s.runs, ran); diff != "" {
						t.Errorf("migrations that %s ran (-want +got):\n%s", s.kind, diff)
					}
					checked(t, django)
				}
				if n := refused(t, d); n != 8 {
					t.Errorf("%d references from the platform's tables, want 8", n)
				}
			})
		})
	}
}

// withoutStudio takes the tables and rows of the apps away that only the CMS has.
func withoutStudio(t *testing.T, d *db.DB) {
	t.Helper()
	for _, table := range []string{"contentstore_componentlink", "contentstore_containerlink", "modulestore_migrator_modulestoreblockmigration",
		"modulestore_migrator_modulestoreblocksource", "modulestore_migrator_modulestoremigration", "modulestore_migrator_modulestoresource"} {
		if _, err := d.Exec(t.Context(), "DROP TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Exec(t.Context(), "DELETE FROM django_migrations WHERE app IN ('contentstore', 'modulestore_migrator')"); err != nil {
		t.Fatal(err)
	}
}

// refused has every table of others that refers to content refer to what is not there, holds that the database refuses,
// and returns how many such references there are.
func refused(t *testing.T, d *db.DB) (n int) {
	t.Helper()
	live, err := inspect.Read(t.Context(), d, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		if strings.HasPrefix(name, "openedx_content_") {
			continue
		}
		for _, f := range live[name].Foreign {
			if !strings.HasPrefix(f.Table, "openedx_content_") {
				continue
			}
			n++
			const nobody = 2_000_000_000
			rows, _, err := db.One(t.Context(), d, "SELECT COUNT(*) FROM "+name, nil, db.Value[int64])
			if err != nil {
				t.Fatal(err)
			}
			sql := fmt.Sprintf("UPDATE %s SET %s = %d WHERE id = (SELECT id FROM (SELECT MAX(id) AS id FROM %s) AS last)", name, f.Column, nobody, name)
			if rows == 0 {
				sql = fmt.Sprintf("INSERT INTO %s (%s) VALUES (%d)", name, f.Column, nobody)
			}
			if _, err := d.Exec(t.Context(), sql); !errors.Is(err, db.ErrForeignKey) {
				t.Errorf("%s: %v, want a broken reference", sql, err)
			}
		}
	}
	return n
}
