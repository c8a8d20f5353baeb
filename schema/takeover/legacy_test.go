package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// run runs statements.
func run(t *testing.T, d *db.DB, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := d.Exec(context.Background(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// oldPermissions takes from a new site what came after an age of the tables of permissions.
func oldPermissions(t *testing.T, d *db.DB, age int) {
	t.Helper()
	all := schema.AuthzSteps()
	for i := len(all) - 1; i > age; i-- {
		for _, table := range slices.Backward(all[i].Tables) {
			run(t, d, "DROP TABLE "+table)
		}
		if c := all[i].Column; c[0] != "" && d.Engine() == db.SQLite { // cannot drop a column that is unique
			run(t, d, "DROP TABLE "+c[0], `CREATE TABLE "openedx_authz_scope" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT)`)
		} else if c[0] != "" {
			run(t, d, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", c[0], c[1]))
		}
		run(t, d, fmt.Sprintf("DELETE FROM django_migrations WHERE app = '%s' AND name = '%s'", all[i].App, all[i].Name))
	}
}

// legacySite fills a new site with permissions of libraries from before openedx-authz: rows of (id, level, library, user,
// group), where libraries 1 and 2 have keys, 3 has none that can be read and 4 no organization.
func legacySite(t *testing.T, d *db.DB, age int, rows ...string) {
	t.Helper()
	if err := schema.Create(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	oldPermissions(t, d, age)
	level := "varchar(30)"
	if d.Engine().MySQLFamily() {
		level += " COLLATE utf8mb4_unicode_ci"
	}
	run(t, d, "CREATE TABLE content_libraries_contentlibrarypermission (id integer NOT NULL PRIMARY KEY, access_level "+level+
		" NOT NULL, group_id integer NULL, library_id integer NOT NULL, user_id integer NULL)")
	const at = "'2025-01-02 03:04:05'"
	for i, name := range []string{"amy", "Bob", "çelik", "o''brien"} {
		run(t, d, fmt.Sprintf(`INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
VALUES (%d, '', FALSE, '%s', '', '', '', FALSE, TRUE, %s)`, i+1, name, at))
	}
	run(t, d, "INSERT INTO auth_group (id, name) VALUES (1, 'all'), (2, 'empty')",
		"INSERT INTO auth_user_groups (user_id, group_id) VALUES (1, 1), (2, 1), (3, 1)",
		"INSERT INTO organizations_organization (id, created, modified, name, short_name, active) VALUES (1, "+at+", "+at+", 'A', 'OrgA', TRUE), (2, "+at+", "+at+", 'B', 'Orgß', TRUE)")
	for i, slug := range []string{"one", "Two.2", "x", "*"} {
		run(t, d, fmt.Sprintf("INSERT INTO content_libraries_contentlibrary (id, slug, license, allow_public_learning, allow_public_read, org_id) VALUES (%d, '%s', '', FALSE, FALSE, %d)",
			i+1, slug, 1+i/2%2))
	}
	for _, r := range rows {
		run(t, d, "INSERT INTO content_libraries_contentlibrarypermission (id, access_level, library_id, user_id, group_id) VALUES ("+r+")")
	}
}

// texts returns rows as texts.
func texts(t *testing.T, d *db.DB, sql string, columns int) []string {
	t.Helper()
	list, err := db.All(context.Background(), d, sql, nil, func(r *db.Row) (string, error) {
		vals, dest := make([]any, columns), make([]any, columns)
		for i := range vals {
			dest[i] = &vals[i]
		}
		err := r.Scan(dest...)
		for i, v := range vals {
			if b, ok := v.([]byte); ok {
				vals[i] = string(b)
			}
		}
		return strings.TrimSpace(fmt.Sprintln(vals...)), err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// unharmed finds nothing wrong with a database.
func unharmed(t *testing.T, d *db.DB) {
	t.Helper()
	found, err := schema.Verify(context.Background(), d, true)
	if err != nil {
		t.Error(err)
	}
	for _, f := range found {
		if f.Severity != schema.Warning || f.Code != "ids_behind" { // the tests give users and others their ids
			t.Errorf("finding %+v", f)
		}
	}
}

// TestLegacyPermissions: levels are compared exactly, groups become their members, what is there is left alone, and what has
// no key is kept apart while all others are moved.
func TestLegacyPermissions(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		legacySite(t, d, 5, "1, 'admin', 1, 1, NULL", "2, 'read', 2, NULL, 1", "3, 'author', 1, NULL, 2", "4, 'Admin', 1, 2, NULL",
			"5, '', 1, 3, NULL", "6, 'admin', 3, 4, NULL", "7, 'author', 4, NULL, 1", "8, 'read', 1, NULL, NULL", "9, 'read', 2, 2, NULL")
		run(t, d, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', 'user^amy', 'role^library_admin', 'lib^lib:OrgA:one', '', '', '')",
			"INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', 'user^bob', 'role^library_user', 'lib^lib:OrgA:Two.2', '', '', '')")
		p, err := Migrate(context.Background(), d, Options{}, Run{})
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, f := range p.Findings {
			found = append(found, fmt.Sprint(f.Severity, " ", f.Code, " ", f.Key, " ", f.Value))
		}
		want := []string{"warning legacy_level lib:OrgA:one user Bob (id 4) Admin", "warning legacy_level lib:OrgA:one user çelik (id 5) ",
			"warning legacy_permission lib:Orgß:x user o'brien (id 6) admin", "warning legacy_permission lib:Orgß:* group 1 (id 7) author",
			"warning legacy_permission lib:OrgA:one nobody (id 8) read"}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		want = []string{"1 user^amy role^library_admin lib^lib:OrgA:one", "2 user^bob role^library_user lib^lib:OrgA:Two.2",
			"3 user^amy role^library_user lib^lib:OrgA:Two.2", "4 user^Bob role^library_user lib^lib:OrgA:Two.2", "5 user^çelik role^library_user lib^lib:OrgA:Two.2"}
		if diff := cmp.Diff(want, texts(t, d, "SELECT id, v0, v1, v2 FROM casbin_rule ORDER BY id", 4)); diff != "" {
			t.Errorf("rules (-want +got):\n%s", diff)
		}
		want = []string{"g,user^amy,role^library_user,lib^lib:OrgA:Two.2, 1 2", "g,user^çelik,role^library_user,lib^lib:OrgA:Two.2, 3 2", "g,user^Bob,role^library_user,lib^lib:OrgA:Two.2, 2 2"}
		got := texts(t, d, `SELECT e.casbin_rule_key, u.user_id, l.content_library_id FROM openedx_authz_extendedcasbinrule e
JOIN openedx_authz_usersubject u ON u.subject_ptr_id = e.subject_id JOIN openedx_authz_contentlibraryscope l ON l.scope_ptr_id = e.scope_id`, 3)
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("extended rows (-want +got):\n%s", diff)
		}
		want = []string{"6 admin 3 4 <nil> lib:Orgß:x", "7 author 4 <nil> 1 lib:Orgß:*", "8 read 1 <nil> <nil> lib:OrgA:one"}
		if diff := cmp.Diff(want, texts(t, d, "SELECT id, access_level, library_id, user_id, group_id, library_key FROM lectern_librarypermission ORDER BY id", 6)); diff != "" {
			t.Errorf("rows kept apart (-want +got):\n%s", diff)
		}
		if got := texts(t, d, "SELECT id FROM openedx_authz_policycachecontrol", 1); !slices.Equal(got, []string{"1"}) {
			t.Errorf("versions of the policy: %v", got)
		}
		if got := texts(t, d, "SELECT COUNT(*) FROM content_libraries_contentlibrarypermission", 1); got[0] != "9" {
			t.Errorf("%s legacy rows are left of 9", got[0])
		}
		again(t, d)
		unharmed(t, d)
	})
}

// TestLegacyNone: without a legacy row there is no new version, and without their table nothing of ours.
func TestLegacyNone(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	legacySite(t, d, 2)
	if _, err := Migrate(context.Background(), d, Options{}, Run{}); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, d, "SELECT id FROM openedx_authz_policycachecontrol", 1); len(got) > 0 {
		t.Errorf("versions of the policy: %v", got)
	}
	again(t, d)
}

// TestLegacyPages: what comes in several pages is moved as in one.
func TestLegacyPages(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	legacySite(t, d, 5, "1, 'admin', 1, NULL, 1", "2, 'read', 2, NULL, 1", "3, 'read', 1, 4, NULL")
	var whole, pieces []string
	for size, out := range map[int]*[]string{1000: &whole, 1: &pieces} {
		err := eachLegacy(context.Background(), d, size, func(list []permission) error {
			for i := range list {
				r, _ := list[i].rule(true)
				*out = append(*out, r.key())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(whole, pieces); diff != "" || len(whole) != 7 {
		t.Errorf("%d permissions (-one page +many):\n%s", len(whole), diff)
	}
}

// TestLegacyTooLong: a server's columns hold no more; SQLite's do.
func TestLegacyTooLong(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		legacySite(t, d, 5, "1, 'admin', 1, 1, NULL", "2, 'admin', 2, 1, NULL")
		run(t, d, "UPDATE organizations_organization SET short_name = '"+strings.Repeat("o", 230)+"' WHERE id = 2", "UPDATE content_libraries_contentlibrary SET org_id = 2 WHERE id = 1")
		p, err := Migrate(context.Background(), d, Options{}, Run{})
		if err != nil {
			t.Fatal(err)
		}
		want, left := 1, 1
		if d.Engine() == db.SQLite {
			want, left = 2, 0
		}
		if got := texts(t, d, "SELECT v0 FROM casbin_rule", 1); len(got) != want || len(p.Findings) != left {
			t.Errorf("%d rules, findings %+v", len(got), p.Findings)
		}
	})
}

// TestAuthzRefused: tables of permissions that contradict their rows are left alone, and content goes on without them.
func TestAuthzRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	legacySite(t, d, 9)
	run(t, d, "DROP TABLE openedx_authz_roleassignmentaudit")
	p, err := Migrate(context.Background(), d, Options{}, Run{})
	if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "0009_roleassignmentaudit") {
		t.Errorf("error %v, want refused with the reason", err)
	}
	if len(p.Steps) > 0 || len(p.Findings) != 1 || p.Findings[0].Code != "authz_state" {
		t.Errorf("plan %+v", p)
	}
	run(t, d, "ALTER TABLE auth_user RENAME COLUMN username TO name", "CREATE TABLE openedx_authz_roleassignmentaudit (id integer)",
		"DELETE FROM django_migrations WHERE app = 'openedx_authz' AND name > '0006'", "DROP TABLE openedx_authz_roleassignmentaudit",
		"DROP TABLE openedx_authz_authzcourseauthoringmigrationrun", "DROP TABLE openedx_authz_coursescope",
		"DELETE FROM django_migrations WHERE app = 'openedx_authz' AND name > '0005z'")
	if _, err := Migrate(context.Background(), d, Options{}, Run{}); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "auth_user.username") {
		t.Errorf("error %v, want refused with the column", err)
	}
	run(t, d, "UPDATE django_migrations SET name = '0099_later' WHERE app = 'openedx_content' AND name LIKE '0014%'")
	if p, err := NewPlan(context.Background(), d, Options{}); err != nil || !fault.Is(p.Refusal, fault.Refused) || len(p.Steps) > 0 {
		t.Errorf("newer content: plan %+v, %v", p, err)
	}
}

// TestAuthzPlatform: tables of the platform that are absent altogether are made, and what a package has in the ledger.
func TestAuthzPlatform(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		t.Parallel()
		legacySite(t, d, 3)
		run(t, d, "DROP TABLE content_libraries_contentlibrarypermission")
		for _, x := range slices.Backward(schema.Platform()) {
			run(t, d, "DROP TABLE "+x.Name)
		}
		run(t, d, "DELETE FROM django_migrations WHERE app IN ('waffle', 'sessions')")
		if _, err := Migrate(context.Background(), d, Options{}, Run{}); err != nil {
			t.Fatal(err)
		}
		again(t, d)
		unharmed(t, d)
		if got := texts(t, d, "SELECT COUNT(*) FROM django_migrations", 1); got[0] != fmt.Sprint(len(schema.Migrations())) {
			t.Errorf("%s rows in the ledger, want %d", got[0], len(schema.Migrations()))
		}
	})
}

// TestAuthzNone: a site without permissions stays one; they are made by db init.
func TestAuthzNone(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.SQLite)
	legacySite(t, d, 0)
	run(t, d, "DROP TABLE casbin_rule", "DELETE FROM django_migrations WHERE app = 'casbin_adapter'")
	if p, err := Migrate(context.Background(), d, Options{}, Run{}); err != nil || len(p.Steps) > 0 {
		t.Errorf("%d steps, %v", len(p.Steps), err)
	}
	if age := ageOf(t, d); age != "A0" {
		t.Errorf("permissions are at %s", age)
	}
}
