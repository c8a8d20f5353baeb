package schema

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
)

// authzStateOf returns the state that the name of a golden start tells: MA6-0007-01 is A6 with one statement of step 0007.
func authzStateOf(t *testing.T, name string) string {
	t.Helper()
	parts := strings.Split(name, "-")
	if !strings.HasPrefix(name, "M") {
		return parts[0]
	}
	step, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if done, err := strconv.Atoi(parts[2]); err == nil && done == 0 {
		return strings.TrimPrefix(parts[0], "M")
	}
	return "MA" + strconv.Itoa(step)
}

// TestGoldenAuthzStates recognises every golden database of permissions. There is no content in them, so none is worked on.
func TestGoldenAuthzStates(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "authz/", "*") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				load(t, d, "authz/", name, true)
				st := state(t, d)
				if want := authzStateOf(t, name); st.Authz != want {
					t.Errorf("state %s (%+v), want %s", st.Authz, st.Notes, want)
				}
				if st.Status != Foreign {
					t.Errorf("status %s, want foreign: there is no content", st.Status)
				}
				var notes []string
				for _, n := range st.Notes {
					notes = append(notes, n.Code+" "+n.Table+" "+n.Key)
				}
				want := []string{"authz_older openedx_authz_* "}
				if st.Authz == currentAuthz {
					want = nil
				}
				if diff := cmp.Diff(want, notes); diff != "" {
					t.Errorf("notes (-want +got):\n%s", diff)
				}
				refuses(t, d, Create, AddLectern, Prepare, Require)
			})
		}
	}
}

// TestGoldenFreshAuthz compares the tables of permissions of a new site with those that openedx-authz 1.35.0 and Django 5.2
// made, and the platform's tables whose packages made them in a golden database.
func TestGoldenFreshAuthz(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, setup, func(t *testing.T, d *db.DB) {
		t.Parallel()
		var want struct {
			Ledger [][2]string
			Schema map[string]object
		}
		if err := json.Unmarshal(golden.Read(t, "db/authz/fresh-"+string(d.Engine())+".json"), &want); err != nil {
			t.Fatal(err)
		}
		var got map[string]object
		normal(t, describe(t, d), &got)
		for table, w := range want.Schema {
			if d.Engine() == db.SQLite {
				delete(w, "autoincrement_row")
				delete(w, "checks")
			}
			sortNames(w)
			sortNames(got[table])
			if diff := cmp.Diff(w, got[table]); diff != "" {
				t.Errorf("%s (-Django +Lectern):\n%s", table, diff)
			}
		}
		if len(want.Schema) != len(authz) {
			t.Errorf("%d tables of permissions, Django has %d", len(authz), len(want.Schema))
		}
		ledger, err := db.All(context.Background(), d, "SELECT app, name FROM django_migrations WHERE app IN ('casbin_adapter', 'openedx_authz') ORDER BY id",
			nil, func(r *db.Row) (m [2]string, err error) {
				err = r.Scan(&m[0], &m[1])
				return m, err
			})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Ledger, ledger); diff != "" {
			t.Errorf("ledger (-Django +Lectern):\n%s", diff)
		}
		for _, x := range slices.Concat(Authz(), Platform()) {
			if len(rows(t, d, x.Name)) > 0 {
				t.Errorf("%s has rows, a new site has none", x.Name)
			}
		}
	})
}

// TestGoldenFreshPlatform compares those of the platform's tables that a package of its own makes, and so stand in a golden
// database as on every site, with Lectern's.
func TestGoldenFreshPlatform(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "authz/", "*") {
			if name != "A11" {
				continue
			}
			t.Run(string(e), func(t *testing.T) {
				t.Parallel()
				d, site := dbtest.Ready(t, e, setup), dbtest.Open(t, e)
				load(t, site, "authz/", name, true)
				want, got := describe(t, site), describe(t, d)
				n := 0
				for table := range ofPlatform {
					if !strings.HasPrefix(table, "waffle_") || strings.HasPrefix(table, "waffle_utils_") {
						if table != "django_session" {
							continue
						}
					}
					n++
					if diff := cmp.Diff(want[table], got[table]); diff != "" {
						t.Errorf("%s (-Django +Lectern):\n%s", table, diff)
					}
				}
				if n != 6 {
					t.Errorf("%d tables compared", n)
				}
				query := "SELECT DISTINCT app, name FROM django_migrations WHERE app IN ('sessions', 'waffle') ORDER BY app, name"
				var rows [2][]Migration
				for i, d := range []*db.DB{site, d} {
					var err error
					if rows[i], err = db.All(context.Background(), d, query, nil, func(r *db.Row) (m Migration, err error) {
						err = r.Scan(&m.App, &m.Name)
						return m, err
					}); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(rows[0], rows[1]); diff != "" {
					t.Errorf("ledger (-Django +Lectern):\n%s", diff)
				}
			})
		}
	}
}

// TestGoldenVerifyAuthz compares tables of permissions that Django made with their definitions.
func TestGoldenVerifyAuthz(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		for _, name := range starts(t, e, "authz/", "A11*") {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				load(t, d, "authz/", name, true)
				v := &verifier{Dialect: DialectOf(d), authz: currentAuthz}
				err := d.View(context.Background(), func(tx *db.Tx) error { return v.look(context.Background(), tx) })
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range Authz() {
					v.table(x)
				}
				if len(v.findings) > 0 {
					t.Errorf("findings %+v, want none", v.findings)
				}
			})
		}
	}
}

// TestAuthzSteps: each table of permissions is made by one step, after what it refers to.
func TestAuthzSteps(t *testing.T) {
	t.Parallel()
	made := map[string]string{}
	for _, s := range AuthzSteps() {
		for _, name := range s.Tables {
			if made[name] != "" {
				t.Errorf("%s is made by %s and %s", name, made[name], s.Name)
			}
			made[name] = s.Name
			for _, c := range Lookup(name).Columns {
				if ref := Lookup(c.Ref); ref != nil && ref.permissions() && made[c.Ref] == "" {
					t.Errorf("%s of %s refers to %s, which does not come before it", name, s.Name, c.Ref)
				}
			}
		}
		if c := s.Column; c[0] != "" && (made[c[0]] == "" || Lookup(c[0]).Column(c[1]) == nil) {
			t.Errorf("%s adds %s to %s, which is not there", s.Name, c[1], c[0])
		}
	}
	for _, x := range Authz() {
		if made[x.Name] == "" {
			t.Errorf("no step makes %s", x.Name)
		}
	}
}

// authzBack takes from the tables of permissions of an age what makes them those of an earlier one.
func authzBack(t *testing.T, d *db.DB, from, to int) {
	t.Helper()
	for i := from; i > to; i-- {
		s := authzSteps[i]
		for _, table := range slices.Backward(s.Tables) {
			run(t, d, "DROP TABLE "+table)
		}
		if s.Column[0] != "" {
			dropKey(t, d)
		}
		run(t, d, "DELETE FROM django_migrations WHERE app = '"+s.App+"' AND name = '"+s.Name+"'")
	}
}

// dropKey takes external_key from the scopes.
func dropKey(t *testing.T, d *db.DB) {
	t.Helper()
	if d.Engine() == db.SQLite { // cannot drop a column that is unique
		run(t, d, "ALTER TABLE openedx_authz_scope RENAME COLUMN external_key TO gone")
		return
	}
	run(t, d, "ALTER TABLE openedx_authz_scope DROP COLUMN external_key")
}

// TestAuthzAges takes the tables of permissions from a site, latest first: content is worked on all the way.
func TestAuthzAges(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		if err := Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		for age := len(authzMigrations); age >= 0; age-- {
			authzBack(t, d, min(age+1, len(authzMigrations)), age)
			want, note := "A"+strconv.Itoa(age), []string{"info authz_older openedx_authz_* "}
			switch want {
			case currentAuthz:
				note = []string{}
			case "A0":
				note = []string{"info authz_missing openedx_authz_* "}
			}
			if st := state(t, d); st.Status != Current || st.Authz != want {
				t.Errorf("%+v, want current and %s", st, want)
			}
			if err := Require(context.Background(), d); err != nil {
				t.Errorf("Require at %s: %v", want, err)
			}
			if d.Engine() != db.SQLite && age != 9 && age != 1 {
				continue // verifying takes a server its time, and goes by the age alone
			}
			if diff := cmp.Diff(note, found(t, d)); diff != "" {
				t.Errorf("findings at %s (-want +got):\n%s", want, diff)
			}
		}
		for _, x := range slices.Backward(platform) {
			run(t, d, "DROP TABLE "+x.Name)
		}
		run(t, d, "DELETE FROM django_migrations WHERE app IN ('casbin_adapter', 'sessions', 'waffle')", "DROP TABLE casbin_rule")
		if err := Prepare(context.Background(), d); err != nil {
			t.Errorf("Prepare without the platform's tables: %v", err)
		}
		if diff := cmp.Diff([]string{"info authz_missing openedx_authz_* "}, found(t, d)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
	})
}

// onSQLite is [dbtest.Each] for SQLite alone.
func onSQLite(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	t.Run(string(db.SQLite), func(t *testing.T) { fn(t, dbtest.Open(t, db.SQLite)) })
}

// TestAuthzStates changes rows and tables of permissions against each other.
func TestAuthzStates(t *testing.T) {
	t.Parallel()
	const where = "DELETE FROM django_migrations WHERE app = 'openedx_authz'"
	for _, c := range []struct {
		name, sql string
		age       int
		want      string
		family    string // on the MySQL family; "" is want
	}{
		{"no rows", where, 11, "X4", ""},
		{"a gap", where + " AND name LIKE '0004%'", 11, "X5", ""},
		{"no parent", "DELETE FROM django_migrations WHERE app = 'casbin_adapter'", 11, "X5", ""},
		{"two rows missing", where + " AND name > '0010'", 11, "X2", ""},
		{"a row missing", where + " AND name > '0011'", 11, "X2", "MA11"},
		{"the row of the column missing", where + " AND name > '0010'", 10, "X2", "MA10"},
		{"the row of three tables missing", where + " AND name > '0002'", 2, "X2", "MA2"},
		{"a table missing", "DROP TABLE openedx_authz_roleassignmentaudit", 9, "X2", ""},
		{"a table of several missing", "DROP TABLE openedx_authz_authzrolesource", 11, "X2", ""},
		{"casbin_rule of somebody", "DELETE FROM django_migrations WHERE app = 'casbin_adapter'; " + where, 1, "X4", "MA0"},
		{"casbin_rule alone", where, 1, "A0", ""},
		{"twice the same row", "INSERT INTO django_migrations (app, name, applied) SELECT app, name, applied FROM django_migrations", 11, "A11", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			on := dbtest.Each
			if c.family == "" { // nothing depends on the engine
				on = onSQLite
			}
			on(t, func(t *testing.T, d *db.DB) {
				t.Parallel()
				if err := Create(context.Background(), d); err != nil {
					t.Fatal(err)
				}
				authzBack(t, d, len(authzMigrations), c.age)
				run(t, d, strings.Split(c.sql, "; ")...)
				want := c.want
				if c.family != "" && d.Engine().MySQLFamily() {
					want = c.family
				}
				st := state(t, d)
				if st.Authz != want || st.Status != Current {
					t.Errorf("%+v, want current and %s", st, want)
				}
				if want[0] == 'X' && (len(st.Notes) != 1 || st.Notes[0].Severity != Error || st.Notes[0].Key != want || st.Notes[0].Value == "") {
					t.Errorf("notes %+v, want an error with the reason", st.Notes)
				}
				if err := Require(context.Background(), d); err != nil {
					t.Errorf("content cannot be worked on: %v", err)
				}
				if _, err := Verify(context.Background(), d, false); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestPlatformColumns: a table of the platform is known by the columns that are read; more are welcome.
func TestPlatformColumns(t *testing.T) {
	t.Parallel()
	if got := PlatformColumns("openedx_content_media"); got != nil {
		t.Errorf("PlatformColumns of a table of content: %v", got)
	}
	if got := PlatformColumns("student_courseaccessrole"); !slices.Equal(got, []string{"id", "org", "course_id", "role", "user_id"}) {
		t.Errorf("PlatformColumns: %v", got)
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		if err := Create(context.Background(), d); err != nil {
			t.Fatal(err)
		}
		run(t, d, "ALTER TABLE auth_userprofile ADD COLUMN meta integer", "ALTER TABLE waffle_switch DROP COLUMN note",
			"ALTER TABLE waffle_flag RENAME COLUMN everyone TO nobody", "DROP TABLE user_api_userretirementrequest")
		want := []string{"info platform_missing user_api_userretirementrequest ", "warning platform_column_missing waffle_flag everyone"}
		if diff := cmp.Diff(want, found(t, d)); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if err := Require(context.Background(), d); err != nil {
			t.Error(err)
		}
	})
}
