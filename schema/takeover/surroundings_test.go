package takeover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// Helpers of the tests about what surrounds content.

// send runs statements.
func send(t *testing.T, d *db.DB, sqls ...string) {
	t.Helper()
	for _, sql := range sqls {
		if _, err := d.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// makeAll makes tables by their definitions.
func makeAll(d *db.DB, tables ...*schema.Table) error {
	for _, t := range tables {
		for _, sql := range schema.DialectOf(d).Statements(t) {
			if _, err := d.Exec(context.Background(), sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
	}
	return nil
}

// noteRows writes rows of Django's ledger.
func noteRows(d *db.DB, ms ...schema.Migration) error {
	return d.Update(context.Background(), func(tx *db.Tx) error {
		return tx.Insert(context.Background(), "django_migrations", []string{"app", "name", "applied"}, len(ms), func(i int, v []any) {
			v[0], v[1], v[2] = ms[i].App, ms[i].Name, tx.Now()
		})
	})
}

// rowsOfApps returns the rows of a new site's ledger that are of some apps.
func rowsOfApps(apps ...string) []schema.Migration {
	var ms []schema.Migration
	for _, m := range schema.Migrations() {
		for _, app := range apps {
			if m.App == app {
				ms = append(ms, m)
			}
		}
	}
	return ms
}

// djangoSite makes a site that has nothing but Django's own tables.
func djangoSite(d *db.DB) error {
	var tables []*schema.Table
	for _, t := range schema.Tables() {
		own := strings.HasPrefix(t.Name, "django_") || strings.HasPrefix(t.Name, "auth_")
		if own && t.Name != "auth_userprofile" { // that is the platform's
			tables = append(tables, t)
		}
	}
	if err := makeAll(d, tables...); err != nil {
		return err
	}
	return noteRows(d, rowsOfApps("contenttypes", "auth")...)
}

// contentSite makes a site that has Django's tables and those of content, and no others.
func contentSite(d *db.DB) error {
	if err := djangoSite(d); err != nil {
		return err
	}
	_, err := Migrate(context.Background(), d, Options{}, Run{})
	return err
}

// each runs fn on every engine with a database that prepare has filled, and in which tables may be made.
func each(t *testing.T, prepare func(*db.DB) error, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		if err := prepare(d); err != nil {
			t.Fatal(err)
		}
		fn(t, d)
	})
}

// onSQLite is each on SQLite alone.
func onSQLite(t *testing.T, prepare func(*db.DB) error, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	fn(t, dbtest.Ready(t, db.SQLite, prepare))
}

// migrate takes a database over and returns the steps that were done.
func migrate(t *testing.T, d *db.DB, o Options) (*Plan, []string) {
	t.Helper()
	var done []string
	p, err := Migrate(context.Background(), d, o, Run{Done: func(s Step, _, _ int) { done = append(done, s.ID()) }})
	if err != nil {
		t.Fatal(err)
	}
	return p, done
}

// ids returns the names of a plan's steps.
func ids(p *Plan) []string {
	var names []string
	for i := range p.Steps {
		names = append(names, p.Steps[i].ID())
	}
	return names
}

// wantState recognises a database.
func wantState(t *testing.T, d *db.DB, content, catalog string) {
	t.Helper()
	st, err := schema.Recognize(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	if st.Content != content || st.Catalog != catalog {
		t.Errorf("state %s %s (%s), want %s %s", st.Content, st.Catalog, st.Reason, content, catalog)
	}
}

// sound shows that nothing is wrong with the tables that are there.
func sound(t *testing.T, d *db.DB) {
	t.Helper()
	list, err := schema.Verify(context.Background(), d, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Severity != schema.Info {
			t.Errorf("finding %s %s %s %s: %s, want %s", f.Severity, f.Code, f.Table, f.Key, f.Value, f.Proposed)
		}
	}
}

// ledgerOf returns the rows of Django's ledger of apps that begin so, and how often each is there.
func ledgerOf(t *testing.T, d *db.DB, prefix string) map[string]int {
	t.Helper()
	rows := map[string]int{}
	err := d.Query(context.Background(), "SELECT app, name FROM django_migrations", nil, func(r *db.Row) error {
		var app, name string
		err := r.Scan(&app, &name)
		if strings.HasPrefix(app, prefix) {
			rows[app+"."+name]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// stopEverywhere stops a take-over before and after every statement; see TestGoldenCrash. What a stop leaves must be known as
// what can go on.
func stopEverywhere(t *testing.T, prepare func(*db.DB) error, o Options, end func(*testing.T, *db.DB)) {
	t.Helper()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		c := crash{engine: e, url: dbtest.URL(t, e), migrate: migrating(o), options: o, ended: end, sparing: e.MySQLFamily() && !thorough(), leap: leap(e)}
		if e == db.PostgreSQL && !thorough() {
			c.stride = 11 // what a transaction undoes is undone alike
		}
		c.sane = func(st schema.State) bool { return st.Status != schema.Broken && st.Status != schema.Newer }
		d, err := db.Open(context.Background(), c.url, db.Options{Create: true})
		if err == nil {
			err = errors.Join(prepare(d), d.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if c.run(t); c.kills < 3 {
			t.Errorf("stopped %d times", c.kills)
		}
		d = open(t, c.url, db.Options{})
		end(t, d)
		if p, err := Migrate(context.Background(), d, o, Run{}); err != nil || len(p.Steps) > 0 {
			t.Errorf("again: %v, %v", ids(p), err)
		}
	})
}
