package app

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore/expected"
)

// TestGoldenMigrateFromSite brings every course and library of every set into libraries straight from the site, and also from what
// converting it first has left in the store: both must come to the same, again too.
func TestGoldenMigrateFromSite(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "dump") {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			site := OldSite{Source: golden.Path(t, "modulestore/"+set+"/dump")}
			stored, straight := emptyStore(t, dbtest.URL(t, db.SQLite)), emptyStore(t, dbtest.URL(t, db.SQLite))
			converted, err := stored.ConvertOldSite(t.Context(), site, ConvertOptions{})
			if err != nil {
				t.Fatal(err)
			}
			done := 0
			for _, c := range converted.Courses {
				if c.Err != nil {
					continue
				}
				for _, a := range []*App{stored, straight} {
					if done > 0 {
						break
					}
					if _, err := a.CreateLibrary(t.Context(), mustLibrary(t, shelf), "Shelf"); err != nil {
						t.Fatal(err)
					}
				}
				done++
				m := LibraryMigration{Target: shelf, Level: "section", Limit: -1, CreateCollections: true}
				for _, repeat := range []string{"skip", "update", "fork"} {
					m.Repeat = repeat
					one, two := m, m
					one.Sources = []string{c.Course}
					two.Sources, two.Site = []string{c.Source}, &site
					want, err := stored.MigrateToLibrary(t.Context(), one)
					if err != nil {
						t.Fatalf("%s from the store: %v", c.Source, err)
					}
					got, err := straight.MigrateToLibrary(t.Context(), two)
					if err != nil {
						t.Fatalf("%s from the site: %v", c.Source, err)
					}
					for _, r := range []*LibraryMigrated{want, got} {
						r.Task, r.Sources[0].ChangeLog = "", ""
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s, %s (-from the store +from the site):\n%s", c.Source, repeat, diff)
					}
				}
			}
			if done == 0 {
				return // the set has nothing that can be converted
			}
			if diff := cmp.Diff(shelfText(t, stored), shelfText(t, straight)); diff != "" {
				t.Errorf("the library (-from the store +from the site):\n%s", diff)
			}
		})
	}
}

// shelfText is what the library holds, by the refs of what is in it.
func shelfText(t *testing.T, a *App) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := a.View(t.Context(), func(tx *db.Tx) error {
		pkg, err := libraryPackage(t.Context(), tx, shelf)
		if err != nil {
			return err
		}
		s, err := content.At(t.Context(), tx, pkg.ID, content.Moment{Entities: publishing.Published()}, true)
		if err != nil {
			return err
		}
		refs := map[publishing.EntityID]string{}
		for _, e := range s.Entities {
			refs[e.Entity] = e.Ref
		}
		for _, e := range s.Entities {
			text := fmt.Sprintf("%s %q version %d", e.Kind, e.Title, e.Num)
			for _, f := range e.Files {
				text += fmt.Sprintf("\n%s %s %d", f.Path, f.Media.Digest, f.Media.Size)
			}
			for _, c := range e.Children {
				text += "\n> " + refs[c.Entity]
			}
			all[e.Ref] = text
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMigrateFromSiteRefused names what is not there, or cannot be read, and begins nothing.
func TestMigrateFromSiteRefused(t *testing.T) {
	t.Parallel()
	a := emptyStore(t, dbtest.URL(t, db.SQLite))
	if _, err := a.CreateLibrary(t.Context(), mustLibrary(t, shelf), "Shelf"); err != nil {
		t.Fatal(err)
	}
	site := &OldSite{Source: golden.Path(t, "modulestore/"+expected.Sets(t, "dump")[0]+"/dump")}
	for name, c := range map[string]struct {
		m    LibraryMigration
		kind fault.Kind
	}{
		"no such course": {LibraryMigration{Site: site, Sources: []string{"course-v1:No+SUCH+course"}}, fault.NotFound},
		"no such site":   {LibraryMigration{Site: &OldSite{Source: t.TempDir()}, Sources: []string{"A/B/C"}}, fault.Invalid},
	} {
		c.m.Target = shelf
		if _, err := a.MigrateToLibrary(t.Context(), c.m); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := a.LibraryMigrations(t.Context(), shelf); err != nil || len(list) != 0 {
		t.Errorf("%d migrations were begun, %v", len(list), errors.Join(err))
	}
}
