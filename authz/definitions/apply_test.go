package definitions_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/definitions"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

// seeded makes a database with the shipped rows and a person.
func seeded(d *db.DB) error {
	ctx := context.Background()
	if err := schema.Create(ctx, d); err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		if _, err := authz.Seed(ctx, tx, false, authz.Options{}); err != nil {
			return err
		}
		_, err := user.Create(ctx, tx, user.New{Username: "ann", Email: "ann@example.org"})
		return err
	})
}

func compiled(t testing.TB, files ...*definitions.File) *definitions.Schema {
	t.Helper()
	s, err := definitions.Compile(files)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// shippedFiles returns the shipped files, to be compiled with others.
func shippedFiles(t testing.TB) []*definitions.File {
	t.Helper()
	files, err := definitions.Find(definitions.Shipped())
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func summary(p *definitions.Plan) map[string]int {
	n := map[string]int{}
	for _, l := range p.Lines() {
		kind, _, ok := strings.Cut(l, ":")
		if !ok {
			kind = l[:1] + " row"
		}
		n[kind]++
	}
	return n
}

func TestApply(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, seeded, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		plan := func(s *definitions.Schema) (p *definitions.Plan) {
			t.Helper()
			if err := d.View(ctx, func(tx *db.Tx) (err error) {
				p, err = definitions.Make(ctx, tx, s)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return p
		}
		base := compiled(t, shippedFiles(t)...)
		// Over the shipped rows nothing is added to them (authz.md §16.5).
		want := map[string]int{"+ source": 1, "+ category": 17, "+ permission": 48, "+ role": 11, "+ role-permission": 132}
		if diff := cmp.Diff(want, summary(plan(base))); diff != "" {
			t.Errorf("plan (-want +got):\n%s", diff)
		}
		a, err := apply(d, base, false)
		if err != nil || len(a.Changes) != 0 {
			t.Fatalf("changes %v, %v", a, err)
		}

		// A plug-in of a site: a role of its own, and another shape of a shipped one.
		more := compiled(t, append(shippedFiles(t), file(t, "site", 200, `roles:
  - {id: helper, display_name: Helper, description: Helps, scopes: [lib], permissions: [content_libraries.view_library]}
role_extensions:
  - {role_id: library_user, display_name: Reader, remove_permissions: [content_libraries.reuse_library_content], add_permissions: [content_libraries.manage_library_tags]}
`))...)
		wantLines := []string{
			"+ p, role^helper, act^content_libraries.view_library, lib^*, allow", "+ p, role^library_user, act^content_libraries.manage_library_tags, lib^*, allow",
			"- p, role^library_user, act^content_libraries.reuse_library_content, lib^*, allow", "+ source: site schema", "+ role: helper", "~ role: library_user",
			"+ role-permission: helper -> content_libraries.view_library @ lib", "+ role-permission: library_user -> content_libraries.manage_library_tags @ lib",
			"- role-permission: library_user -> content_libraries.reuse_library_content @ lib",
		}
		if diff := cmp.Diff(wantLines, plan(more).Lines()); diff != "" {
			t.Errorf("plan of an extension (-want +got):\n%s", diff)
		}
		if a, err = apply(d, more, false); err != nil || len(a.Changes) != 1 || len(a.Changes[0].Added) != 2 || len(a.Changes[0].Removed) != 1 {
			t.Fatalf("%v, %v", a, err)
		}
		if a, err = apply(d, more, false); err != nil || !a.Empty() {
			t.Errorf("again: %v, %v", a.Lines(), err)
		}

		// A row by hand is nobody's, and stays. A role that people hold does not go by itself.
		if _, err := d.Exec(ctx, "INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('p', 'role^mine', 'act^x.y', 'lib^*', 'allow', '', '')"); err != nil {
			t.Fatal(err)
		}
		if err := d.Update(ctx, func(tx *db.Tx) error {
			_, err := authz.Assign(ctx, tx, []authz.Grant{{User: "ann", Role: "helper", Scope: "lib:*"}}, authz.Options{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := apply(d, base, false); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "helper (1 assignments)") {
			t.Errorf("without force: %v", err)
		}
		if lines := plan(base).Lines(); !slices.Contains(lines, "! helper: 1 assignments") {
			t.Errorf("plan %q", lines)
		}
		a, err = apply(d, base, true)
		if err != nil || len(a.Unassigned) != 1 || len(a.Changes) != 2 {
			t.Fatalf("by force: %+v, %v", a, err)
		}
		if a, err = apply(d, base, false); err != nil || !a.Empty() {
			t.Errorf("again: %v, %v", a.Lines(), err)
		}
		left := rows(t, d, "SELECT v0, v1 FROM casbin_rule WHERE v0 IN ('role^mine', 'role^helper', 'role^library_user', 'user^ann') ORDER BY v0, v1")
		wantRows := [][]any{{"role^library_user", "act^content_libraries.reuse_library_content"}, {"role^library_user", "act^content_libraries.view_library"},
			{"role^library_user", "act^content_libraries.view_library_team"}, {"role^mine", "act^x.y"}}
		if diff := cmp.Diff(wantRows, left); diff != "" {
			t.Errorf("rows left (-want +got):\n%s", diff)
		}
		entries, err := authz.Audit(ctx, d, authz.AuditFilter{Role: "helper"})
		if err != nil || len(entries) != 2 || entries[0].Created {
			t.Errorf("audit %+v, %v", entries, err)
		}
	})
}

var errInjected = errors.New("injected")

// TestApplyFaults has each statement fail.
func TestApplyFaults(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := dbtest.ReadyURL(t, db.SQLite, seeded)
	at, n := 0, 0
	d, err := db.Open(ctx, url, db.Options{Fault: func(string) error {
		if n++; n == at {
			return errInjected
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := compiled(t, append(shippedFiles(t), file(t, "site", 1, extensionOf("library_user", "add_permissions: [content_libraries.delete_library]")))...)
	for at = 1; ; at++ {
		n = 0
		_, err := apply(d, s, false)
		if err == nil {
			break
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("statement %d: %v", at, err)
		}
		hold := at
		at = 0
		if c := rows(t, d, "SELECT (SELECT count(*) FROM casbin_rule) + (SELECT count(*) FROM openedx_authz_authzschemasource) + (SELECT count(*) FROM openedx_authz_authzrolesource)"); jsonOf(t, c[0][0]) != 142.0 {
			t.Fatalf("statement %d left something: %v", hold, c)
		}
		at = hold
	}
	if at < 20 {
		t.Errorf("%d statements", at-1)
	}
}

func extensionOf(role, what string) string {
	return "role_extensions:\n  - {role_id: " + role + ", " + what + "}\n"
}

// TestM63 keeps a role of courses that people hold, and by force takes it from them: each is told of, and is in the audit.
func TestM63(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, seeded, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		base := compiled(t, shippedFiles(t)...)
		if _, err := apply(d, base, false); err != nil {
			t.Fatal(err)
		}
		held := authz.Grant{User: "ann", Role: "course_staff", Scope: "course-v1:Org+One+2026"}
		err := d.Update(ctx, func(tx *db.Tx) error {
			_, err := authz.Assign(ctx, tx, []authz.Grant{held}, authz.Options{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		const all = "SELECT ptype, v0, v1, v2 FROM casbin_rule ORDER BY id"
		before := rows(t, d, all)
		other := compiled(t, file(t, "site", 200, `roles:
  - {id: helper, display_name: Helper, description: Helps, scopes: [lib], permissions: [content_libraries.view_library]}
permission_categories:
  - {id: library, display_name: Library, description: A library, icon: BookOpen}
permissions:
  - {namespace: content_libraries, name: view_library, display_name: View, description: Looks, category_id: library, scopes: [lib]}
`))
		_, err = apply(d, other, false)
		if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "course_staff (1 assignments)") {
			t.Fatalf("without force: %v", err)
		}
		if diff := cmp.Diff(before, rows(t, d, all)); diff != "" {
			t.Errorf("what was refused has changed rows:\n%s", diff)
		}
		a, err := apply(d, other, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]authz.Grant{held}, a.Unassigned); diff != "" {
			t.Errorf("by force, taken back (-want +got):\n%s", diff)
		}
		entries, err := authz.Audit(ctx, d, authz.AuditFilter{Role: "course_staff"})
		if err != nil || len(entries) != 2 || entries[0].Created || !entries[1].Created {
			t.Errorf("audit %+v, %v", entries, err)
		}
	})
}
