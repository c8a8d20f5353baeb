package authzapi_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// policy is a random one: what each role lists, and who has which role where.
type policy struct {
	lists map[string][]string
	held  [][3]string // user, role, scope
}

var (
	leakScopes = []string{
		"course-v1:OpenedX+CS101+2024", "course-v1:OpenedX+CS102+2024", "course-v1:Org-2+BIO+T1", "course-v1:OpenedX+*", "course-v1:Org-2+*", "course-v1:*",
		"lib:OpenedX:CSPROB", "lib:OpenedX:Physics-1", "lib:Org-2:misc", "lib:OpenedX:*", "lib:Org-2:*", "lib:*", "course-v1:Open+X+1", "course-v1:Open+*",
	}
	leakUsers = []string{"alice", "bob", "carol", "Dave", "erin", "asleep", "member00", "member01"}
	leakRoles = []string{"one", "two", "three", "four"}
	leakLists = []string{viewLib, viewCourse, manageLib, manageCourse, "content_libraries.view_library", "courses.view_course"}
)

const (
	viewLib, manageLib       = "content_libraries.view_library_team", "content_libraries.manage_library_team"
	viewCourse, manageCourse = "courses.view_course_team", "courses.manage_course_team"
)

func namespace(key string) string { ns, _, _ := strings.Cut(key, ":"); return ns }

func random(r *rand.Rand) policy {
	p := policy{lists: map[string][]string{}}
	for _, role := range leakRoles {
		for _, a := range leakLists {
			if r.IntN(3) == 0 {
				p.lists[role] = append(p.lists[role], a)
			}
		}
	}
	for range 3 + r.IntN(25) {
		h := [3]string{leakUsers[r.IntN(len(leakUsers))], leakRoles[r.IntN(len(leakRoles))], leakScopes[r.IntN(len(leakScopes))]}
		if !slices.Contains(p.held, h) {
			p.held = append(p.held, h)
		}
	}
	return p
}

// insert makes the table of rules hold the policy and nothing else.
func (p policy) insert(t *testing.T, d *db.DB) {
	t.Helper()
	var rows [][]string
	for _, role := range leakRoles {
		for _, a := range p.lists[role] {
			ns := "course-v1^*"
			if strings.HasPrefix(a, "content_libraries.") {
				ns = "lib^*"
			}
			rows = append(rows, []string{"p", "role^" + role, "act^" + a, ns, "allow"})
		}
	}
	for _, h := range p.held {
		rows = append(rows, []string{"g", "user^" + h[0], "role^" + h[1], namespace(h[2]) + "^" + h[2]})
	}
	err := d.Update(t.Context(), func(tx *db.Tx) error {
		for _, table := range []string{"openedx_authz_extendedcasbinrule", "casbin_rule"} {
			if _, err := tx.Exec(t.Context(), "DELETE FROM "+table); err != nil {
				return err
			}
		}
		return tx.Insert(t.Context(), "casbin_rule", []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, len(rows), func(i int, v []any) {
			for j := range v {
				v[j] = ""
				if j < len(rows[i]) {
					v[j] = rows[i][j]
				}
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// within reports whether a scope is or lies in another.
func within(key, outer string) bool {
	prefix, glob := strings.CutSuffix(outer, "*")
	return key == outer || glob && strings.HasPrefix(key, prefix)
}

// may reports whether a user has, around a scope, a role that lists the permission of its kind.
func (p policy) may(user, key, ofLib, ofCourse string) bool {
	permission := ofCourse
	if namespace(key) == "lib" {
		permission = ofLib
	}
	return slices.ContainsFunc(p.held, func(h [3]string) bool {
		return h[0] == user && slices.Contains(p.lists[h[1]], permission) && within(key, h[2])
	})
}

// anywhere reports whether a user has a role that lists one of the permissions.
func (p policy) anywhere(user string, permissions ...string) bool {
	return slices.ContainsFunc(p.held, func(h [3]string) bool {
		return h[0] == user && slices.ContainsFunc(permissions, func(a string) bool { return slices.Contains(p.lists[h[1]], a) })
	})
}

// pages reads all pages of a list; ok is false for 403.
func pages[T any](t *testing.T, s *site, as, path string) (all []T, ok bool) {
	t.Helper()
	for n, next := 1, true; next; n++ {
		w := s.send(as, http.MethodGet, fmt.Sprintf("%s%spage_size=7&page=%d", path, sep(path), n), nil)
		if w.Code == http.StatusForbidden {
			return nil, false
		}
		var page struct {
			Count   int
			Next    *string
			Results []T
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s as %s: %d %s", path, as, w.Code, w.Body)
		}
		all = append(all, page.Results...)
		if next = page.Next != nil; !next && page.Count != len(all) {
			t.Errorf("%s as %s: count %d, %d results", path, as, page.Count, len(all))
		}
	}
	return all, true
}

// TestNothingLeaks asks for every list as people with random roles, and compares what they are shown with what the rules
// of authz.md §6 and §11 say they may see, written down a second time.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	readSeed(t)
	d := dbtest.Ready(t, db.SQLite, seeded)
	seedOf := uint64(20261123)
	for round := range 25 {
		p := random(rand.New(rand.NewPCG(seedOf, uint64(round))))
		p.insert(t, d)
		s := newSite(t, d, nil)
		for _, viewer := range leakUsers {
			p.check(t, s, viewer)
		}
		if t.Failed() {
			t.Fatalf("round %d: %+v", round, p)
		}
	}
}

func (p policy) check(t *testing.T, s *site, viewer string) {
	t.Helper()
	gate := p.anywhere(viewer, viewLib, viewCourse)
	var want []string // what the viewer may see of active people
	for _, h := range p.held {
		if h[0] != "asleep" && p.may(viewer, h[2], viewLib, viewCourse) {
			want = append(want, strings.Join(h[:], " "))
		}
	}
	slices.Sort(want)
	compare := func(what string, got []string, ok, mayAsk bool, want []string) {
		t.Helper()
		slices.Sort(got)
		if ok != mayAsk || ok && !slices.Equal(got, want) {
			t.Errorf("%s as %s: %q (%t)\n want %q (%t)", what, viewer, got, ok, want, mayAsk)
		}
	}
	type line struct{ Username, Role, Scope, Org string }
	lines, ok := pages[line](t, s, viewer, "assignments/")
	var got []string
	for _, l := range lines {
		got = append(got, l.Username+" "+l.Role+" "+l.Scope)
	}
	compare("assignments/", got, ok, gate, want)

	type listed struct {
		Username    string
		Count       int `json:"assignment_count"`
		Assignments []line
	}
	members, ok := pages[listed](t, s, viewer, "users/?assignments_limit=10")
	got = nil
	for _, m := range members {
		for _, l := range m.Assignments {
			got = append(got, m.Username+" "+l.Role+" "+l.Scope)
		}
		if m.Count != len(m.Assignments) && m.Count <= 10 {
			t.Errorf("users/ as %s: %s has %d, shown %d", viewer, m.Username, m.Count, len(m.Assignments))
		}
	}
	compare("users/", got, ok, gate, want)

	got = nil
	for _, u := range leakUsers {
		var one []line
		one, ok = pages[line](t, s, viewer, "users/"+u+"/assignments/")
		for _, l := range one {
			got = append(got, u+" "+l.Role+" "+l.Scope)
		}
	}
	compare("users/…/assignments/", got, ok, gate, want)

	for _, manage := range []bool{false, true} {
		ofLib, ofCourse := viewLib, viewCourse
		if manage {
			ofLib, ofCourse = manageLib, manageCourse
		}
		var places []string
		for _, key := range []string{"course-v1:OpenedX+CS101+2024", "course-v1:OpenedX+CS102+2024", "course-v1:Org-2+BIO+T1", "course-v1:Closed+OLD+1",
			"course-v1:NoOrg+X+1", "lib:OpenedX:CSPROB", "lib:OpenedX:Physics-1", "lib:Org-2:misc", "lib:Closed:old"} {
			if p.may(viewer, key, ofLib, ofCourse) {
				places = append(places, key)
			}
		}
		slices.Sort(places)
		type place struct {
			Key string `json:"external_key"`
		}
		list, ok := pages[place](t, s, viewer, fmt.Sprintf("scopes/?management_permission_only=%t", manage))
		got = nil
		for _, l := range list {
			got = append(got, l.Key)
		}
		compare("scopes/", got, ok, gate, places)
	}

	for _, key := range leakScopes {
		asked := p.may(viewer, key, "content_libraries.view_library", viewCourse)
		var holders []string
		for _, h := range p.held {
			if h[2] == key {
				holders = append(holders, h[0]+" "+h[1])
			}
		}
		slices.Sort(holders)
		type holder struct {
			Username string
			Roles    []string
		}
		list, ok := pages[holder](t, s, viewer, "roles/users/?scope="+url.QueryEscape(key))
		got = nil
		for _, l := range list {
			for _, r := range l.Roles {
				got = append(got, l.Username+" "+r)
			}
		}
		compare("roles/users/ of "+key, got, ok, asked, holders)

		// Who may not manage may not write: nothing but 403, and no word of whether the scope is there.
		if !p.may(viewer, key, manageLib, manageCourse) {
			body := fmt.Sprintf(`{"role": "one", "users": ["nobody"], "scope": %q}`, key)
			if w := s.send(viewer, http.MethodPut, "roles/users/", []byte(body)); w.Code != http.StatusForbidden {
				t.Errorf("PUT %s as %s: %d %s", key, viewer, w.Code, w.Body)
			}
			if w := s.send(viewer, http.MethodDelete, "roles/users/?users=bob&role=one&scope="+url.QueryEscape(key), nil); w.Code != http.StatusForbidden {
				t.Errorf("DELETE %s as %s: %d %s", key, viewer, w.Code, w.Body)
			}
		}
	}
}
