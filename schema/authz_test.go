package schema

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

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
