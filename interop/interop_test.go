package interop

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func create(d *db.DB) error { return schema.Create(context.Background(), d) }

// nothing is what Django has to do on a database that suits it.
var nothing = pending{Pending: []string{}, Changes: []string{}, Written: []string{}}

type pending struct {
	Pending []string `json:"pending"` // migrations
	Changes []string `json:"changes"` // apps whose models are not what the migrations make
	Written []string `json:"written"` // statements of a further migrate run
}

// TestDjangoOnLecternsDatabase has both work in turns on a database that Lectern made.
func TestDjangoOnLecternsDatabase(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		d := open(t, url)
		if err := create(d); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		django := startSite(t, url, dir)

		var todo pending
		django.ask(t, &todo, "pending")
		if diff := cmp.Diff(nothing, todo); diff != "" {
			t.Errorf("what Django would do (-want +got):\n%s", diff)
		}
		takeTurns(t, d, media.NewDir(dir), django, "Żółć")
	})
}

// TestLecternOnDjangosDatabase is the other way round: Django makes the tables.
func TestLecternOnDjangosDatabase(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e db.Engine) {
		url := dbtest.URL(t, e)
		dir := t.TempDir()
		django := startSite(t, url, dir)
		django.ask(t, nil, "migrate")

		d := open(t, url)
		if err := schema.Prepare(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		var todo pending
		django.ask(t, &todo, "pending")
		if diff := cmp.Diff(nothing, todo); diff != "" {
			t.Errorf("what Django would do beside Lectern's tables (-want +got):\n%s", diff)
		}
		code := "Żółć"
		if e == db.MariaDB {
			code = "ascii" // the CHECK that Django makes there takes no other (content-schema.md §2.1)
		}
		takeTurns(t, d, media.NewDir(dir), django, code)
	})
}

// takeTurns has each side write and edit what the other reads. Each makes a component with the code.
func takeTurns(t *testing.T, d *db.DB, files media.Files, django *site, code string) {
	t.Helper()
	same := func(who, ref string, python view) {
		t.Helper()
		if diff := cmp.Diff(python, look(t, d, files, ref), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-Python +Lectern):\n%s", who, diff)
		}
		if len(python.WrongDigests) > 0 {
			t.Errorf("%s: digests that Python computes otherwise: %q", who, python.WrongDigests)
		}
	}
	var python view
	django.ask(t, &python, "write", code)
	same("written by Python", python.Ref, python)

	write(t, d, files, code)
	python = view{}
	django.ask(t, &python, "read", lecternRef)
	same("written by Lectern", lecternRef, python)

	python = view{}
	django.ask(t, &python, "edit", lecternRef)
	same("written by Lectern, edited by Python", lecternRef, python)

	edit(t, d, "lp:interop")
	python = view{}
	django.ask(t, &python, "read", "lp:interop")
	same("written by Python, edited by Lectern", "lp:interop", python)
}

func open(t *testing.T, url string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), url, db.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
