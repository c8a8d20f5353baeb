package takeover

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// madeFromNothing checks what a site has after content was made in it.
func madeFromNothing(t *testing.T, d *db.DB) {
	t.Helper()
	want := map[string]int{}
	for _, m := range schema.Migrations() {
		if ofContent(m.App) {
			want[m.App+"."+m.Name] = 1
		}
	}
	got := ledgerOf(t, d, "o")
	for name := range got {
		if app, _, _ := strings.Cut(name, "."); !ofContent(app) {
			delete(got, name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 44 {
		t.Errorf("%d rows (-want +got):\n%s", len(got), diff)
	}
	types, err := db.All(context.Background(), d, "SELECT type_code FROM openedx_content_containertype ORDER BY id", nil, db.Value[string])
	if diff := cmp.Diff([]string{"section", "subsection", "unit"}, types); diff != "" || err != nil {
		t.Errorf("container types (-want +got):\n%s%v", diff, err)
	}
	sound(t, d)
}

// TestFromNothing makes content in a site that has Django's tables only.
func TestFromNothing(t *testing.T) {
	t.Parallel()
	each(t, djangoSite, func(t *testing.T, d *db.DB) {
		p, err := NewPlan(context.Background(), d, Options{})
		if err != nil || p.Refusal != nil {
			t.Fatal(err, p.Refusal)
		}
		_, done := migrate(t, d, Options{})
		want := []string{"openedx_content.0014_typed_media_id"}
		if diff := cmp.Diff([][]string{want, want}, [][]string{ids(p), done}); diff != "" {
			t.Errorf("steps planned and done (-want +got):\n%s", diff)
		}
		wantState(t, d, "C14", "G0")
		madeFromNothing(t, d)
		if p, done := migrate(t, d, Options{}); len(done)+len(p.Steps) > 0 {
			t.Errorf("again: %v", done)
		}
	})
}

func TestFromNothingStopped(t *testing.T) {
	t.Parallel()
	stopEverywhere(t, djangoSite, Options{}, madeFromNothing)
}

// TestNotFromNothing has databases in which content must not be made.
func TestNotFromNothing(t *testing.T) {
	t.Parallel()
	containerTypes := func(d *db.DB) error { return makeAll(d, schema.Lookup(containerType)) }
	for _, c := range []struct {
		name    string
		prepare func(*db.DB) error
		sql     []string
		options Options
		reason  string // part of it
		mysql   string // the same on the MySQL family, where stops leave tables; "" is no other
	}{
		{"an application's", func(*db.DB) error { return nil }, []string{"CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY)"}, Options{}, "none of Lectern's", ""},
		{"no users", djangoSite, []string{"DROP TABLE auth_user_groups", "DROP TABLE auth_user_user_permissions", "DROP TABLE auth_user"}, Options{}, "auth_user", ""},
		{"users without their row", djangoSite, []string{"DELETE FROM django_migrations WHERE app = 'auth'"}, Options{}, "auth_user", ""},
		{"a part of the way", djangoSite, nil, Options{To: "0003"}, "at once", ""},
		{"tables with rows", func(d *db.DB) error { return errors.Join(djangoSite(d), containerTypes(d)) },
			[]string{"INSERT INTO openedx_content_containertype (type_code) VALUES ('unit')"}, Options{}, "no rows for them", "has rows"},
		{"tables with other columns", func(d *db.DB) error { return errors.Join(djangoSite(d), containerTypes(d)) },
			[]string{"ALTER TABLE openedx_content_containertype ADD COLUMN shelf integer NULL"}, Options{}, "no rows for them", "not as Lectern makes it"},
		{"old tables", func(d *db.DB) error {
			return errors.Join(djangoSite(d), makeAll(d, schema.Past("oel_contents_mediatype")))
		}, nil, Options{},
			"no rows for them", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			each(t, c.prepare, func(t *testing.T, d *db.DB) {
				send(t, d, c.sql...)
				mustRefuse(t, d, c.options, func(f *fault.Error) {
					reason := c.reason
					if c.mysql != "" && d.Engine().MySQLFamily() {
						reason = c.mysql
					}
					if !strings.Contains(f.Error(), reason) {
						t.Errorf("refused with %q, want %q in it", f, reason)
					}
				})
			})
		})
	}
}

// mustRefuse checks that a take-over is refused with a next step, and makes no table and no row of the ledger.
func mustRefuse(t *testing.T, d *db.DB, o Options, check func(*fault.Error)) {
	t.Helper()
	tables, err := inspect.Names(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	var rows map[string]int
	if tables["django_migrations"] {
		rows = ledgerOf(t, d, "")
	}
	_, err = Migrate(context.Background(), d, o, Run{})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Refused || f.Next == "" {
		t.Fatalf("%v, want a refusal with a next step", err)
	}
	check(f)
	after, err := inspect.Names(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tables, after); diff != "" {
		t.Errorf("a refusal changed the tables (-before +after):\n%s", diff)
	}
	if rows != nil {
		if diff := cmp.Diff(rows, ledgerOf(t, d, "")); diff != "" {
			t.Errorf("a refusal changed the ledger (-before +after):\n%s", diff)
		}
	}
}
