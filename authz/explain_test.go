package authz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/user"
)

// TestExplainAgrees asks random policies and holds every explanation to the decision and to the rows.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 9))
		w := newRandomWorld(r)
		x := w.index()
		for range 40 {
			sub, act, sc := question(r)
			if keyOf(sub).ns != "user" {
				continue
			}
			who, action, key := external(sub), external(act), external(sc)
			want, err := x.Allowed(who, action, key)
			e, eerr := x.Explain(who, action, key)
			if (err != nil) != (eerr != nil) {
				t.Fatalf("world %d: %s %s %s: %v, explained %v", seed, who, action, key, err, eerr)
			}
			if err != nil {
				continue
			}
			fail := func(format string, args ...any) {
				t.Fatalf("world %d: %s %s %s: %s: %+v\nsuper admins %v\n%s", seed, who, action, key, fmt.Sprintf(format, args...), e, w.supers, dump(w.rows))
			}
			if e.Allowed != want {
				fail("explained as %t, is %t", e.Allowed, want)
			}
			if e.Allowed && e.Super == "" && len(e.Lines) == 0 {
				fail("a yes without a row")
			}
			for _, l := range e.Lines {
				at := who
				for _, g := range l.Path {
					if g.User != at {
						fail("path %v does not hold together", l.Path)
					}
					at = g.Role
					if !slices.ContainsFunc(w.rows, func(row []string) bool {
						return row[0] == "g" && external(row[1]) == g.User && external(row[2]) == g.Role && external(row[3]) == g.Scope
					}) {
						fail("no assignment %v", g)
					}
				}
				if at != l.Rule.Role {
					fail("path %v does not lead to %s", l.Path, l.Rule.Role)
				}
				if l.Implied != nil && (l.Implied[0] != l.Rule.Action || l.Implied[len(l.Implied)-1] != action) || l.Implied == nil && l.Rule.Action != action {
					fail("%v does not lead to the action", l.Implied)
				}
			}
			if !e.Allowed && e.Super == "" {
				for _, role := range e.Roles {
					s, _ := scope.Parse(key)
					if yes, _ := x.With(uuid.Nil, [][]string{{"g", sub, "role^" + role, s.Namespaced()}}, nil).Allowed(who, action, key); !yes {
						fail("with role %s it still is a no", role)
					}
				}
			}
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	rows := [][]string{
		{"p", "role^library_admin", "act^content_libraries.publish_library_content", "lib^*", "allow"},
		{"p", "role^library_user", "act^content_libraries.view_library", "lib^*", "allow"},
		{"p", "role^course_staff", "act^courses.view_course", "course-v1^*", "allow"},
		{"g2", "act^content_libraries.publish_library_content", "act^content_libraries.edit_library_content"},
		{"g2", "act^content_libraries.edit_library_content", "act^content_libraries.view_library"},
		{"g", "user^ann", "role^library_admin", "lib^lib:O:*"},
		{"g", "user^ann", "role^library_user", "lib^lib:O:L"},
		{"g", "user^ann", "role^library_user", "lib^lib:*"},
	}
	x := NewIndex(rows)
	got, err := x.Explain("ann", "content_libraries.view_library", "lib:O:L")
	if err != nil {
		t.Fatal(err)
	}
	publish := "content_libraries.publish_library_content"
	view := Rule{"library_user", "content_libraries.view_library", "lib^*", "allow"}
	want := &Explanation{User: "ann", Action: view.Action, Scope: "lib:O:L", Allowed: true, Lines: []Line{
		{Rule: Rule{"library_admin", publish, "lib^*", "allow"}, Path: []Grant{{"ann", "library_admin", "lib:O:*"}},
			Implied: []string{publish, "content_libraries.edit_library_content", view.Action}},
		{Rule: view, Path: []Grant{{"ann", "library_user", "lib:O:L"}}},
		{Rule: view, Path: []Grant{{"ann", "library_user", "lib:*"}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a yes (-want +got):\n%s", diff)
	}
	got, err = x.Explain("bo", "content_libraries.view_library", "lib:O:L")
	if diff := cmp.Diff(&Explanation{User: "bo", Action: view.Action, Scope: "lib:O:L", Roles: []string{"library_admin", "library_user"}}, got); err != nil || diff != "" {
		t.Errorf("a no: %v (-want +got):\n%s", err, diff)
	}
	got, err = x.Explain("bo", "no.such_action", "lib:O:L")
	if err != nil || got.Allowed || got.Roles != nil {
		t.Errorf("an unknown action: %+v, %v", got, err)
	}

	denied := NewIndex(append(rows, []string{"p", "role^banned", "act^courses.view_course", "course-v1^*", "deny"}))
	denied.admins = adminsOf([]user.Admin{{Username: "root", Email: "root@example.org", Superuser: true}}, nil)
	for _, name := range []string{"root", "root@example.org"} {
		got, err = denied.Explain(name, view.Action, "lib:O:L")
		if diff := cmp.Diff(&Explanation{User: name, Action: view.Action, Scope: "lib:O:L", Super: "superuser",
			Denies: []Rule{{"banned", "courses.view_course", "course-v1^*", "deny"}}}, got); err != nil || diff != "" {
			t.Errorf("a super admin who is kept out: %v (-want +got):\n%s", err, diff)
		}
	}
}

// TestClash: a text that names two people is an error, where it could be a super admin's.
func TestClash(t *testing.T) {
	t.Parallel()
	x := NewIndex([][]string{{"p", "role^r", "act^a", "lib^*", "allow"}})
	x.admins = adminsOf([]user.Admin{{Username: "root", Email: "root@example.org", Staff: true}}, []string{"root@example.org"})
	if ok, err := x.Allowed("root@example.org", "a", "lib:O:L"); ok || err == nil {
		t.Errorf("%t, %v", ok, err)
	}
	if ok, err := x.Allowed("root", "a", "lib:O:L"); !ok || err != nil {
		t.Errorf("%t, %v", ok, err)
	}
}

// TestNothingIsAllocated holds the usual check to its promise, on the usual shapes of scopes and answers.
func TestNothingIsAllocated(t *testing.T) {
	x := benchIndex(10_000)
	x.admins = adminsOf([]user.Admin{{Username: "root", Email: "root@example.org", Staff: true}}, nil)
	for _, q := range []benchQuestion{
		{"u7", "content_libraries.view_library", "lib:Org49:L2"}, {"u7", "content_libraries.view_library", "lib:Unknown:L2"},
		{"nobody", "content_libraries.view_library", "lib:Org49:L2"}, {"u7", "nothing", "lib:Org1:*"}, {"root", "content_libraries.view_library", "lib:*"},
		{"u7", "content_libraries.view_library", "course-v1:O+C+R"},
	} {
		if n := testing.AllocsPerRun(50, func() {
			if _, err := x.Allowed(q.user, q.action, q.scope); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", q, n)
		}
	}
}
