package authzapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
)

// TestEdges asks about what the transcripts do not have: courses of the catalog without an overview, names that two people
// answer to, keys too long together, and rows that no list can show.
func TestEdges(t *testing.T) {
	t.Parallel()
	readSeed(t)
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		d := dbtest.Ready(t, e, seeded)
		long := "course-v1:OpenedX+" + strings.Repeat("x", 200) + "+1"
		key, err := keys.ParseCourse("course-v1:OpenedX+New+2027")
		if err != nil {
			t.Fatal(err)
		}
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			if _, err := catalog.EnsureRun(t.Context(), tx, key, "A new one", "en"); err != nil {
				return err
			}
			for _, sql := range []string{
				"UPDATE auth_user SET email = 'bob' WHERE username = 'carol'",
				"INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', 'svc^robot', 'role^course_staff', 'course-v1^course-v1:OpenedX+CS102+2024', '', '', '')",
				"INSERT INTO casbin_rule (ptype, v0, v1, v2, v3, v4, v5) VALUES ('g', 'user^erin', 'role^course_staff', 'weird^thing', '', '', '')",
				"INSERT INTO course_overviews_courseoverview (id, org, display_name) VALUES ('" + long + "', 'OpenedX', 'Long')",
			} {
				if _, err := tx.Exec(t.Context(), sql); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, d, nil)
		for _, c := range []struct {
			as, method, path, body string
			status                 int
			want                   string
		}{
			{"root", http.MethodGet, "scopes/?search=a%20NEW%20one&orgs=Org-2,OpenedX", "", 200, `{"count": 1, "next": null, "previous": null, "results": [
				{"external_key": "course-v1:OpenedX+New+2027", "display_name": "A new one", "org": "<anything>"}]}`},
			{"root", http.MethodPut, "roles/users/", `{"role": "course_staff", "users": ["nobody", " nobody ", "bob"], "scope": "course-v1:OpenedX+New+2027"}`, 207, `{"completed": [
				{"user_identifier": "nobody", "scope": "course-v1:OpenedX+New+2027", "status": "role_added"}], "errors": [
				{"user_identifier": "bob", "scope": "course-v1:OpenedX+New+2027", "error": "role_assignment_error"}]}`},
			{"root", http.MethodPut, "roles/users/", `{"role": "course_staff", "users": ["nobody"], "scope": "` + long + `"}`, 207, `{"completed": [], "errors": [
				{"user_identifier": "nobody", "scope": "` + long + `", "error": "role_assignment_error"}]}`},
			{"nobody", http.MethodGet, "scopes/", "", 200, `{"count": 1, "next": null, "previous": null, "results": [
				{"external_key": "course-v1:OpenedX+New+2027", "display_name": "A new one", "org": "<anything>"}]}`},
			{"nobody", http.MethodGet, "users/nobody/assignments/", "", 200, `{"count": 1, "next": null, "previous": null, "results": [
				{"role": "course_staff", "org": "OpenedX", "scope": "course-v1:OpenedX+New+2027", "permission_count": 31, "scope_display_name": "A new one"}]}`},
			{"root", http.MethodDelete, "roles/users/?users=bob,NOBODY&role=course_staff&scope=course-v1:OpenedX%2BNew%2B2027", "", 207, `{"completed": [
				{"user_identifier": "NOBODY", "status": "role_removed"}], "errors": [{"user_identifier": "bob", "error": "role_removal_error"}]}`},
			{"root", http.MethodPost, "users/validate/", `{"users": ["bob", "erin"]}`, 200,
				`{"valid_users": ["erin"], "invalid_users": ["bob"], "summary": {"total": 2, "valid_count": 1, "invalid_count": 1}}`},
			{"root", http.MethodGet, "roles/users/?scope=course-v1:OpenedX%2BCS102%2B2024", "", 200, `{"count": 1, "next": null, "previous": null, "results": [
				{"username": "erin", "full_name": "Éva Ünique", "email": "erin@example.com", "roles": ["course_editor"]}]}`},
			{"erin", http.MethodGet, "users/erin/assignments/?sort_by=scope", "", 200, `{"count": 2, "next": null, "previous": null, "results": [
				{"role": "course_editor", "org": "OpenedX", "scope": "course-v1:OpenedX+CS102+2024", "permission_count": 22, "scope_display_name": "computer science, part two"},
				{"role": "library_user", "org": "*", "scope": "lib:*", "permission_count": 3, "scope_display_name": ""}]}`},
			{"erin", http.MethodGet, "orgs/?page_size=1", "", 200, "\"<anything>\""},
			{"root", http.MethodGet, "users/?scopes=course-v1:OpenedX%2BCS102%2B2024&roles=course_staff&assignments_limit=1", "", 200, `{"count": 1, "next": null, "previous": null, "results": [
				{"username": "bob", "full_name": "Bob Builder", "email": "bob@example.com", "assignment_count": 1, "assignments": [
				{"role": "course_staff", "org": "OpenedX", "scope": "course-v1:OpenedX+*", "permission_count": 31, "scope_display_name": ""}]}]}`},
			{"root", http.MethodGet, "assignments/?page_size=1", "", 200, "\"<anything>\""},
		} {
			var body []byte
			if c.body != "" {
				body = []byte(c.body)
			}
			w := s.send(c.as, c.method, c.path, body)
			if w.Code != c.status {
				t.Errorf("%s %s as %s: status %d, want %d: %s", c.method, c.path, c.as, w.Code, c.status, w.Body)
				continue
			}
			if diff := cmp.Diff(ordered(t, []byte(c.want)), ordered(t, w.Body.Bytes()), masks); diff != "" {
				t.Errorf("%s %s as %s (-want +got):\n%s", c.method, c.path, c.as, diff)
			}
		}
	})
}
