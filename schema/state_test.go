package schema

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema/inspect"
)

func run(t *testing.T, d *db.DB, sqls ...string) {
	t.Helper()
	for _, s := range sqls {
		if _, err := d.Exec(context.Background(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// state recognises a database.
func state(t *testing.T, d *db.DB) State {
	t.Helper()
	st, err := Recognize(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// refuses checks that each of fns refuses, naming a next step, and leaves the same tables.
func refuses(t *testing.T, d *db.DB, fns ...func(context.Context, *db.DB) error) {
	t.Helper()
	before, err := inspect.Names(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	for i, fn := range fns {
		var f *fault.Error
		if err := fn(context.Background(), d); !errors.As(err, &f) || f.Kind != fault.Refused || f.Next == "" {
			t.Errorf("function %d: %v, want a refusal with a next step", i, err)
		}
	}
	after, err := inspect.Names(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("a refusal changed the tables (-before +after):\n%s", diff)
	}
}

func TestForeignDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		run(t, d, "CREATE TABLE recipes (id integer NOT NULL PRIMARY KEY)", "INSERT INTO recipes (id) VALUES (7)")
		if st := state(t, d); st.Status != Foreign || !strings.Contains(st.Reason, "recipes") {
			t.Errorf("%+v, want foreign, naming the table", st)
		}
		refuses(t, d, Create, AddLectern, Prepare, Require)
		// Lectern's ledger beside it does not make it ours.
		run(t, d, strings.Join(DialectOf(d).Statements(byName[ownLedger])[:1], ""))
		if st := state(t, d); st.Status != Foreign {
			t.Errorf("with an empty ledger of ours: %+v, want foreign", st)
		}
		refuses(t, d, Create, AddLectern, Prepare, Require)
	})
}

func TestEmptyDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		if st := state(t, d); st.Status != Empty || st.Content != "Z" || st.Catalog != "G0" {
			t.Errorf("%+v, want empty", st)
		}
		refuses(t, d, AddLectern, Require)
		if got, err := Counts(context.Background(), d); err != nil || len(got) != 0 {
			t.Errorf("Counts: %v, %v", got, err)
		}
		if d.Engine() != db.SQLite {
			refuses(t, d, Prepare) // a server's database is made on demand only
			return
		}
		if err := Prepare(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		if err := Require(context.Background(), d); err != nil {
			t.Error(err)
		}
	})
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sql, content string }{
		{"content", "INSERT INTO django_migrations (app, name, applied) VALUES ('openedx_content', '0015_shelves', '2030-01-01 00:00:00')", "X1"},
		{"catalog", "INSERT INTO django_migrations (app, name, applied) VALUES ('openedx_catalog', '0003_shelves', '2030-01-01 00:00:00')", "X1"},
		{"permissions", "INSERT INTO django_migrations (app, name, applied) VALUES ('openedx_authz', '0012_shelves', '2030-01-01 00:00:00')", "C14"},
		{"lectern", "INSERT INTO lectern_schema (name, applied) VALUES ('0002_shelves', '2030-01-01 00:00:00')", "C14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Ready(t, db.SQLite, setup)
			run(t, d, c.sql)
			if st := state(t, d); st.Status != Newer || st.Content != c.content || !strings.Contains(st.Reason, "shelves") {
				t.Errorf("%+v, want newer %s, naming the row", st, c.content)
			}
			refuses(t, d, Create, AddLectern, Prepare, Require)
		})
	}
}

func setup(d *db.DB) error { return Create(context.Background(), d) }

// TestOtherLedgers changes only the ledger of a current database.
func TestOtherLedgers(t *testing.T) {
	t.Parallel()
	const where = "DELETE FROM django_migrations WHERE app = "
	for _, c := range []struct{ name, sql, content, catalog string }{
		{"twice the same row", "INSERT INTO django_migrations (app, name, applied) SELECT app, name, applied FROM django_migrations", "C14", "G2"},
		{"rows of others", "INSERT INTO django_migrations (app, name, applied) VALUES ('shelves', '0001_initial', '2030-01-01 00:00:00')", "C14", "G2"},
		{"one row behind", where + "'openedx_content' AND name LIKE '0014%'", "C13", "G2"},
		{"two rows behind", where + "'openedx_content' AND name LIKE '001%' AND name > '0013'", "C12", "G2"},
		{"a row further than its step", where + "'openedx_content' AND name > '0012'", "M12", "G2"},
		{"two steps further", where + "'openedx_content' AND name > '0011'", "X2", "G2"},
		{"a gap", where + "'openedx_content' AND name LIKE '0006%'", "X5", "G2"},
		{"a parent missing", where + "'oel_units' AND name LIKE '0002%'", "X5", "G2"},
		{"no content rows", where + "'openedx_content' OR app LIKE 'oel_%'", "X4", "G2"},
		{"no rows", "DELETE FROM django_migrations", "X4", "X4"},
		{"no catalog rows", where + "'openedx_catalog'", "C14", "X4"},
		{"half the catalog rows", where + "'openedx_catalog' AND name LIKE '0002%'", "C14", "X2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Ready(t, db.SQLite, setup)
			run(t, d, c.sql)
			st := state(t, d)
			if st.Content != c.content || st.Catalog != c.catalog {
				t.Errorf("%+v, want %s %s", st, c.content, c.catalog)
			}
			if current := c.content == "C14" && c.catalog == "G2"; current != (Require(context.Background(), d) == nil) {
				t.Errorf("Require: %v", Require(context.Background(), d))
			}
		})
	}
}

// TestAddLectern gives a site that Django made the tables that are Lectern's own.
func TestAddLectern(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		if err := Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		for _, x := range slices.Backward(lectern) { // some refer to earlier ones
			run(t, d, "DROP TABLE "+x.Name)
		}
		if st := state(t, d); st.Status != Current || st.Lectern {
			t.Errorf("%+v, want current without Lectern's tables", st)
		}
		refuses(t, d, Require)
		if diff := cmp.Diff([]string{"info lectern_missing lectern_* "}, found(t, d)); diff != "" {
			t.Errorf("findings without Lectern's tables (-want +got):\n%s", diff)
		}
		if err := Prepare(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{}, found(t, d)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		// A table that a later version adds, or that a killed run left out.
		run(t, d, "DROP TABLE lectern_label")
		refuses(t, d, Require)
		if err := AddLectern(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		if err := Require(context.Background(), d); err != nil {
			t.Error(err)
		}
	})
}

// TestHalfMadeByOthers: tables named like ours are not taken for what a killed run left when they hold rows or have other
// columns.
func TestHalfMadeByOthers(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{
		"INSERT INTO auth_group (name) VALUES ('cooks')",
		"ALTER TABLE auth_group ADD COLUMN shelf integer",
		"DROP TABLE auth_group_permissions, auth_group; CREATE TABLE auth_group (id integer)",
	} {
		dbtest.Each(t, func(t *testing.T, d *db.DB) {
			t.Parallel()
			if !d.Engine().MySQLFamily() {
				return // no other engine leaves anything half made
			}
			for _, x := range all[:6] {
				run(t, d, DialectOf(d).Statements(&x)...)
			}
			run(t, d, DialectOf(d).Statements(byName[ownLedger])...)
			if st := state(t, d); st.Status != Partial {
				t.Errorf("%+v, want half made", st)
			}
			run(t, d, strings.Split(sql, ";")...)
			if st := state(t, d); st.Status != Broken || st.Content != "X4" {
				t.Errorf("%+v, want X4", st)
			}
			refuses(t, d, Create, AddLectern, Prepare, Require)
		})
	}
}

// TestLetters: a PostgreSQL database under whose locale only ASCII letters are letters is refused, and a site that stands
// there is told.
func TestLetters(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if e != db.PostgreSQL {
			continue
		}
		at := dbtest.URL(t, e)
		d, err := db.Open(context.Background(), at, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(u.Path, "/") + "_c"
		run(t, d, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
		u.Path = "/" + name
		c, err := db.Open(context.Background(), u.String(), db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		refuses(t, c, Create)
		if err := build(context.Background(), c, Tables(), seed); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"warning lc_ctype  LC_CTYPE"}, found(t, c)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		run(t, d, "DROP DATABASE "+name+" WITH (FORCE)")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
