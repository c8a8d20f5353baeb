package interop

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestBothAtOnce lets Python and Lectern edit one component, and others below the same unit, at the same time on a server.
// No version that either was told is saved is lost. Python takes no lock, so digests above may be stale afterwards: those
// are found and mended, and then Python computes the same.
func TestBothAtOnce(t *testing.T) {
	t.Parallel()
	sqlite := func(e db.Engine) bool { return e == db.SQLite } // it has one writer at a time by itself
	onEngines(t, slices.DeleteFunc(dbtest.Engines(), sqlite), func(t *testing.T, e db.Engine) {
		ctx := t.Context()
		url := dbtest.URL(t, e)
		d := open(t, url)
		if err := create(d); err != nil {
			t.Fatal(err)
		}
		django := startSite(t, url, t.TempDir())
		django.ask(t, nil, "write", "other")
		pkg, err := publishing.PackageByRef(ctx, d, "lp:interop")
		if err != nil {
			t.Fatal(err)
		}
		find := func(kind, code string) publishing.EntityID {
			t.Helper()
			c, err := components.ByCode(ctx, d, pkg.ID, components.Type{Namespace: "xblock.v1", Name: kind}, code)
			if err != nil {
				t.Fatal(err)
			}
			return c.ID
		}
		intro, quiz := find("html", "intro"), find("problem", "quiz")

		const rounds = 40
		ours := make(chan []string)
		go func() {
			var taken []string
			for i := range rounds {
				title := fmt.Sprint("Lectern ", i)
				err := d.Update(ctx, func(tx *db.Tx) error {
					_, err := publishing.Change(ctx, tx, pkg.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
						_, _, err := components.NextVersions(ctx, cs, []components.NextVersion{{Entity: intro, Title: &title}, {Entity: quiz, Title: &title}})
						return err
					})
					return err
				})
				if err == nil {
					taken = append(taken, title)
				}
			}
			ours <- taken
		}()
		var theirs []string
		django.ask(t, &theirs, "busy", "lp:interop", "intro", fmt.Sprint(rounds))
		mine := <-ours
		if len(mine) == 0 || len(theirs) == 0 {
			t.Fatalf("Lectern saved %d versions and Python %d, want some of each", len(mine), len(theirs))
		}

		titles := func(id publishing.EntityID) (out []string) {
			t.Helper()
			versions, err := publishing.VersionsOf(ctx, d, id)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range versions {
				out = append(out, v.Title)
			}
			return out
		}
		saved := titles(intro)
		for _, title := range slices.Concat(mine, theirs) {
			if !slices.Contains(saved, title) {
				t.Errorf("the version %q is lost", title)
			}
		}
		if n := len(saved) - len(mine) - len(theirs); n != 2 {
			t.Errorf("%d versions that nobody was told of, want the 2 that were there", n)
		}
		if err := d.Update(ctx, func(tx *db.Tx) error {
			mended, err := publishing.MendDigests(ctx, tx, pkg.ID)
			t.Logf("Lectern saved %d versions, Python %d; %d digests were stale", len(mine), len(theirs), len(mended))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if stale, err := publishing.StaleDigests(ctx, d, pkg.ID); err != nil || len(stale) > 0 {
			t.Errorf("stale digests after mending: %v, %v", stale, err)
		}
		var python view
		django.ask(t, &python, "read", "lp:interop")
		if len(python.WrongDigests) > 0 {
			t.Errorf("digests that Python computes otherwise: %q", python.WrongDigests)
		}
	})
}
