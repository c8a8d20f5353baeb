package takeover

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// TestNarrowLocale refuses codes with letters that a PostgreSQL database does not know as such, and says why (D8).
func TestNarrowLocale(t *testing.T) {
	t.Parallel()
	if !slices.Contains(dbtest.Engines(), db.PostgreSQL) {
		return // such databases exist nowhere else
	}
	ctx := context.Background()
	do := func(d *db.DB, sql ...string) {
		t.Helper()
		for _, s := range sql {
			if _, err := d.Exec(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := dbtest.URL(t, db.PostgreSQL)
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(ctx, at, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(u.Path, "/") + "_narrow"
	do(d, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'")
	u.Path = "/" + name
	c, err := db.Open(ctx, u.String(), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		do(d, "DROP DATABASE "+name+" WITH (FORCE)")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	upTo(t, c, "oel_publishing", "0010_backfill_dependencies")
	do(c, "INSERT INTO oel_publishing_learningpackage (uuid, _key, title, description, created, updated) VALUES (gen_random_uuid(), 'lib:Org:L', '', '', now(), now())",
		"INSERT INTO oel_publishing_publishableentity (uuid, _key, created, learning_package_id, can_stand_alone) SELECT gen_random_uuid(), 'xblock.v1:html:' || k, now(), id, true FROM oel_publishing_learningpackage, (VALUES ('über'), ('plain')) AS v(k)",
		"INSERT INTO oel_components_componenttype (namespace, name) VALUES ('xblock.v1', 'html')",
		"INSERT INTO oel_components_component SELECT e.id, substr(e._key, 16), t.id, e.learning_package_id FROM oel_publishing_publishableentity e, oel_components_componenttype t")
	p, err := NewPlan(ctx, c, Options{DeriveCodes: true})
	if err != nil {
		t.Fatal(err)
	}
	if !fault.Is(p.Refusal, fault.Refused) || len(p.Findings) != 1 || p.Findings[0].Code != "D8" || p.Findings[0].Value != "über" {
		t.Errorf("%v, %+v", p.Refusal, p.Findings)
	}
	if _, err := Migrate(ctx, c, Options{Codes: p.Codes}, Run{}); err != nil {
		t.Fatal(err)
	}
	codes, err := db.All(ctx, c, "SELECT component_code FROM openedx_content_component ORDER BY 1", nil, db.Value[string])
	if err != nil || len(codes) != 2 || !strings.HasPrefix(codes[0], "_ber-") && !strings.HasPrefix(codes[1], "_ber-") {
		t.Errorf("codes %q, %v", codes, err)
	}
}

// upTo makes the tables that Django has after a migration, in a database that has only users.
func upTo(t *testing.T, d *db.DB, app, name string) {
	t.Helper()
	ctx := context.Background()
	dialect := schema.DialectOf(d)
	var base []*schema.Table
	for _, n := range []string{"django_migrations", "auth_user"} {
		base = append(base, schema.Lookup(n))
	}
	for _, table := range base {
		for _, sql := range dialect.Statements(table) {
			if _, err := d.Exec(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := beforeMerge()
	end := slices.IndexFunc(all, func(s step) bool { return s.app == app && s.name == name })
	r := runner{d: d, dialect: dialect}
	if err := r.run(ctx, all[:end+1]); err != nil {
		t.Fatal(err)
	}
}
