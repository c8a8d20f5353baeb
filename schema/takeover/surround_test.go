package takeover

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

var (
	servers  = []db.Engine{db.MariaDB, db.MySQL, db.PostgreSQL}
	family   = []db.Engine{db.MariaDB, db.MySQL}
	embedded = []db.Engine{db.SQLite}
	everyone = append(embedded, servers...)
)

// TestGoldenSurroundings takes over sites on which somebody has changed something.
func TestGoldenSurroundings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		engines []db.Engine
		before  []string
		finding string                       // that the plan must have, as "severity code table key"
		refused bool                         // and be refused over
		after   func(t *testing.T, d *db.DB) // what is to be so when it is done
		dropped string                       // a foreign key that verify is to miss, as its column
	}{
		{name: "column", engines: everyone,
			before: []string{"ALTER TABLE oel_publishing_container ADD COLUMN site_note varchar(50) NULL", "UPDATE oel_publishing_container SET site_note = 'kept'"}},
		{name: "column without default", engines: family,
			before:  []string{"ALTER TABLE oel_components_component ADD COLUMN site_note varchar(50) NOT NULL DEFAULT 'x'", "ALTER TABLE oel_components_component ALTER COLUMN site_note DROP DEFAULT"},
			finding: "warning column_added oel_components_component site_note"},
		{name: "index", engines: everyone, before: []string{"CREATE INDEX site_idx ON oel_publishing_container (publishable_entity_id)",
			"CREATE INDEX site_two ON oel_components_component (learning_package_id, component_type_id)"},
			after: func(t *testing.T, d *db.DB) {
				s, err := look(context.Background(), d)
				if err != nil {
					t.Fatal(err)
				}
				live := s.live
				if live[container].Index("site_idx") == nil || live[component].Index("site_two") == nil {
					t.Error("the index is gone")
				}
			}},
		{name: "trigger on what is made again", engines: embedded, before: []string{
			"CREATE TABLE site_log (n integer)",
			"CREATE TRIGGER site_trigger AFTER DELETE ON oel_publishing_container BEGIN INSERT INTO site_log VALUES (old.publishable_entity_id); END"},
			after: func(t *testing.T, d *db.DB) {
				ctx := context.Background()
				unguarded(t, d, "DELETE FROM openedx_content_container WHERE publishable_entity_id = (SELECT MIN(publishable_entity_id) FROM openedx_content_container)")
				if n, _, err := db.One(ctx, d, "SELECT COUNT(*) FROM site_log", nil, db.Value[int]); n != 1 || err != nil {
					t.Errorf("the trigger ran %d times, %v", n, err)
				}
			}},
		{name: "views and triggers that name it", engines: embedded, before: []string{
			"CREATE TABLE site_table (n integer)",
			"CREATE VIEW site_view AS SELECT publishable_entity_id AS id FROM oel_publishing_container",
			"CREATE VIEW site_views AS SELECT id FROM site_view",
			"CREATE TRIGGER site_trigger AFTER INSERT ON site_table BEGIN DELETE FROM oel_publishing_container WHERE publishable_entity_id = new.n; END"},
			after: func(t *testing.T, d *db.DB) {
				ctx := context.Background()
				had, _, err := db.One(ctx, d, "SELECT COUNT(*) FROM site_views", nil, db.Value[int])
				if err != nil || had == 0 {
					t.Fatalf("the view has %d rows, %v", had, err)
				}
				unguarded(t, d, "INSERT INTO site_table SELECT MIN(id) FROM site_view")
				if has, _, err := db.One(ctx, d, "SELECT COUNT(*) FROM site_views", nil, db.Value[int]); err != nil || has != had-1 {
					t.Errorf("the view has %d rows after the trigger, %v; want one less than %d", has, err, had)
				}
			}},
		{name: "view of a renamed column", engines: embedded, before: []string{"CREATE VIEW site_view AS SELECT local_key FROM oel_components_component"},
			finding: "error view site_view site_view", refused: true},
		{name: "view of a renamed table", engines: servers, before: []string{"CREATE VIEW site_view AS SELECT publishable_entity_id FROM oel_components_component"},
			finding: "error view site_view site_view", refused: true},
		{name: "broken view", engines: embedded, before: []string{"CREATE TABLE site_table (n integer)", "CREATE VIEW site_view AS SELECT n FROM site_table", "DROP TABLE site_table"},
			finding: "error view site_view site_view", refused: true},
		{name: "foreign key dropped", engines: family, before: []string{"ALTER TABLE oel_publishing_containerversion DROP FOREIGN KEY @oel_publishing_containerversion.container_id@"},
			dropped: "container_id"},
		{name: "foreign key dropped", engines: []db.Engine{db.PostgreSQL}, before: []string{"ALTER TABLE oel_publishing_containerversion DROP CONSTRAINT @oel_publishing_containerversion.container_id@"},
			dropped: "container_id"},
		{name: "orphan", engines: embedded, before: []string{"INSERT INTO oel_units_unitversion (container_version_id) VALUES (77777)"},
			finding: "warning orphan oel_units_unitversion container_version_id 77777"},
		{name: "container without entity", engines: embedded, before: []string{
			"INSERT INTO oel_publishing_container (publishable_entity_id) VALUES (77777)", "INSERT INTO oel_units_unit (container_id) VALUES (77777)"},
			finding: "error orphan oel_publishing_container publishable_entity_id 77777", refused: true},
		{name: "storage engine", engines: family, before: []string{"CREATE TABLE oel_publishing_x LIKE oel_publishing_publishsideeffect", "DROP TABLE oel_publishing_publishsideeffect",
			"RENAME TABLE oel_publishing_x TO oel_publishing_publishsideeffect", "ALTER TABLE oel_publishing_publishsideeffect ENGINE=MyISAM"},
			finding: "error storage_engine oel_publishing_publishsideeffect ", refused: true},
		{name: "platform behind", engines: everyone, before: []string{"DELETE FROM django_migrations WHERE app = 'modulestore_migrator' AND name > '0004'"},
			finding: "error platform_behind django_migrations modulestore_migrator", refused: true},
		{name: "ledger", engines: everyone, before: []string{
			"INSERT INTO django_migrations (app, name, applied) SELECT app, name, applied FROM django_migrations WHERE app = 'oel_publishing'",
			"INSERT INTO django_migrations (app, name, applied) SELECT 'site_app', '0001_initial', MIN(applied) FROM django_migrations",
			"INSERT INTO django_migrations (app, name, applied) SELECT 'contentstore', '0015_mariadb_uuid_conversion', MIN(applied) FROM django_migrations"}},
	} {
		for _, e := range c.engines {
			if !slices.Contains(dbtest.Engines(), e) {
				continue
			}
			t.Run(c.name+"/"+string(e), func(t *testing.T) {
				t.Parallel()
				ctx := context.Background()
				d := dbtest.Open(t, e)
				if !slices.Contains(goldendb.Starts(t, e, "U"), "U") {
					return // the committed subset is for SQLite alone
				}
				goldendb.Load(t, d, "U")
				var list []string
				for _, sql := range c.before {
					list = append(list, foreignName(t, d, sql))
				}
				unguarded(t, d, list...)
				before, ledger := contents(t, d), rowsOf(t, d, "django_migrations")
				p, err := NewPlan(ctx, d, Options{})
				if err != nil {
					t.Fatal(err)
				}
				if c.finding != "" && !slices.ContainsFunc(p.Findings, func(f schema.Finding) bool {
					return fmt.Sprintf("%s %s %s %s", f.Severity, f.Code, f.Table, f.Key) == c.finding && f.Next != ""
				}) {
					t.Errorf("findings %+v, want %s", p.Findings, c.finding)
				}
				if c.refused {
					refused(t, d, Options{}, "in the way")
					return
				}
				var sent []string
				if _, err := Migrate(ctx, d, Options{}, Run{Done: func(s Step, _, _ int) { sent = append(sent, sqlOf(s)...) }}); err != nil {
					t.Fatal(err)
				}
				var planned []string
				for _, st := range p.Steps {
					planned = append(planned, sqlOf(st)...)
				}
				if diff := cmp.Diff(planned, sent); diff != "" {
					t.Errorf("statements (-planned +sent):\n%s", diff)
				}
				if diff := cmp.Diff(migrated(before, nil), contents(t, d)); diff != "" {
					t.Errorf("rows (-expected +ours):\n%s", diff)
				}
				if diff := cmp.Diff(ledger, rowsOf(t, d, "django_migrations")[:len(ledger)]); diff != "" {
					t.Errorf("rows of the ledger (-before +after):\n%s", diff)
				}
				if c.after != nil {
					c.after(t, d)
				}
				found, err := schema.Verify(ctx, d, true)
				if err != nil {
					t.Fatal(err)
				}
				missed := slices.ContainsFunc(found, func(f schema.Finding) bool {
					return strings.Contains(f.Code, "foreign") && f.Table == "openedx_content_containerversion" && f.Key == c.dropped
				})
				if missed != (c.dropped != "") {
					t.Errorf("verify finds %+v", found)
				}
				continues(t, d)
			})
		}
	}
}

// unguarded runs statements, on SQLite without a look at references.
func unguarded(t *testing.T, d *db.DB, list ...string) {
	t.Helper()
	if d.Engine() == db.SQLite {
		list = append([]string{"PRAGMA foreign_keys = OFF"}, list...)
	}
	err := d.Session(context.Background(), func(s *db.Session) error {
		for _, sql := range list {
			if _, err := s.Exec(context.Background(), sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// foreignName puts the name of a foreign key in the place of "@table.column@".
func foreignName(t *testing.T, d *db.DB, sql string) string {
	t.Helper()
	parts := strings.Split(sql, "@")
	if len(parts) != 3 {
		return sql
	}
	table, column, _ := strings.Cut(parts[1], ".")
	live, err := inspect.Read(context.Background(), d, func(n string) bool { return n == table })
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(live[table].Foreign, func(f inspect.Foreign) bool { return f.Column == column })
	return parts[0] + d.Engine().Quote(live[table].Foreign[i].Name) + parts[2]
}

// continues checks that the next id of every table that counts its rows is one that was never there.
func continues(t *testing.T, d *db.DB) {
	t.Helper()
	errUndo := errors.New("undone")
	err := d.Update(context.Background(), func(tx *db.Tx) error {
		top, _, err := db.One(context.Background(), tx, "SELECT MAX(id) FROM "+learningPackage, nil, db.Value[int64])
		if err != nil {
			return err
		}
		ids, err := tx.InsertIDs(context.Background(), learningPackage, []string{"uuid", "package_ref", "title", "description", "created", "updated"}, 1,
			func(_ int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5] = uuid.New(), "lib:next", "", "", tx.Now(), tx.Now()
			})
		if err == nil && ids[0] <= top {
			t.Errorf("the next package has the id %d, the last had %d", ids[0], top)
		}
		types, err := tx.InsertIDs(context.Background(), componentType, []string{"namespace", "name"}, 1, func(_ int, v []any) { v[0], v[1] = "next", "next" })
		if err == nil && types[0] <= 1 {
			t.Errorf("the next type has the id %d", types[0])
		}
		if err == nil {
			err = errUndo
		}
		return err
	})
	if !errors.Is(err, errUndo) {
		t.Error(err)
	}
}

// TestGoldenServers takes over where the server or the user does not let it.
func TestGoldenServers(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if len(goldendb.Starts(t, e, "U")) == 0 {
			continue
		}
		readOnly := map[db.Engine]string{db.SQLite: "mode=ro", db.MariaDB: "tx_read_only=1", db.MySQL: "transaction_read_only=1"}[e]
		odd := map[db.Engine]string{db.SQLite: "_pragma=legacy_alter_table(1)", db.MariaDB: "sql_mode=%27ANSI_QUOTES%27", db.MySQL: "sql_mode=%27ANSI_QUOTES%27"}[e]
		for _, c := range []struct{ name, parameter string }{{"read-only", readOnly}, {"settings", odd}} {
			if c.parameter == "" { // package db lets PostgreSQL write where it may
				continue
			}
			t.Run(c.name+"/"+string(e), func(t *testing.T) {
				t.Parallel()
				at := dbtest.URL(t, e)
				load(t, at, "U")
				sep := "?"
				if strings.Contains(at, "?") {
					sep = "&"
				}
				d := open(t, at+sep+c.parameter, db.Options{})
				before := snapshot(t, d)
				_, err := Migrate(context.Background(), d, Options{}, Run{})
				if c.name == "settings" {
					if err != nil {
						t.Error(err)
					}
					finished(t, d)
					return
				}
				if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "read-only") {
					t.Errorf("on a database that is read-only: %v", err)
				}
				unchanged(t, d, before)
			})
		}
		if e == db.SQLite {
			continue
		}
		t.Run("rights/"+string(e), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			at := dbtest.URL(t, e)
			load(t, at, "U")
			owner := open(t, at, db.Options{})
			u, err := url.Parse(at)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(u.Path, "/")
			user := "r" + name[max(0, len(name)-20):]
			give := []string{"CREATE USER " + user + "@'%' IDENTIFIED BY 'secret'", "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON " + name + ".* TO " + user + "@'%'"}
			drop := "DROP USER " + user + "@'%'"
			if e == db.PostgreSQL {
				give = []string{"CREATE ROLE " + user + " LOGIN PASSWORD 'secret'", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + user, "GRANT CREATE ON SCHEMA public TO " + user}
				drop = "DROP OWNED BY " + user + "; DROP ROLE " + user
			}
			for _, sql := range give {
				if _, err := owner.Exec(ctx, sql); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() {
				for sql := range strings.SplitSeq(drop, "; ") {
					if _, err := owner.Exec(ctx, sql); err != nil {
						t.Error(err)
					}
				}
			})
			u.User = url.UserPassword(user, "secret")
			d := open(t, u.String(), db.Options{})
			before := snapshot(t, owner)
			p, err := Migrate(ctx, d, Options{}, Run{})
			if !fault.Is(err, fault.Refused) || !slices.ContainsFunc(p.Findings, func(f schema.Finding) bool { return f.Code == "privilege" && f.Next != "" }) {
				t.Errorf("as a user without rights: %v", err)
			}
			unchanged(t, owner, before)
			if e == db.PostgreSQL {
				return
			}
			if _, err := owner.Exec(ctx, "GRANT ALTER, DROP, INDEX, REFERENCES ON "+name+".* TO "+user+"@'%'"); err != nil {
				t.Fatal(err)
			}
			d = open(t, u.String(), db.Options{})
			if _, err := Migrate(ctx, d, Options{}, Run{}); err != nil {
				t.Errorf("as one that has them: %v", err)
			}
		})
	}
}
