package authzapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	authzapi "github.com/openlectern/lectern/api/authz"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
)

// TestM62 refuses to change roles where the flag is off, in a course and in all of an organization's: nothing is written. What
// programs do here is not affected (S-17).
func TestM62(t *testing.T) {
	t.Parallel()
	readSeed(t)
	dbtest.EachReady(t, seeded, func(t *testing.T, d *db.DB) {
		id, found, err := db.One(t.Context(), d, "SELECT id FROM course_overviews_courseoverview WHERE id LIKE 'course-v1:%' ORDER BY id LIMIT 1", nil, db.Value[string])
		if err != nil || !found {
			t.Fatalf("a course of the seed: %v, %v", found, err)
		}
		key, err := keys.ParseCourse(id)
		if err != nil {
			t.Fatal(err)
		}
		course, err := flags.ForCourse(key)
		if err != nil {
			t.Fatal(err)
		}
		org, err := flags.ForOrg(key.Org())
		if err != nil {
			t.Fatal(err)
		}
		s := newSite(t, d, func(c *authzapi.Config) { c.OfferedOnly = true })
		turn := func(on bool) {
			t.Helper()
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				for _, scope := range []flags.Scope{course, org} {
					if _, err := flags.Set(t.Context(), tx, flags.Authoring, scope, flags.Change{On: on}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		glob := "course-v1:" + key.Org() + "+*"
		put := func() string {
			t.Helper()
			w := s.send("root", http.MethodPut, "roles/users/", fmt.Appendf(nil, `{"role": "course_auditor", "users": ["nobody"], "scopes": [%q, %q]}`, id, glob))
			if w.Code != http.StatusMultiStatus {
				t.Fatalf("status %d: %s", w.Code, w.Body)
			}
			return w.Body.String()
		}
		turn(false)
		before := fmt.Sprint(s.rows(t))
		if got := put(); strings.Count(got, "scope_not_available") != 2 || strings.Contains(got, "role_added") {
			t.Errorf("off: %s", got)
		}
		if diff := cmp.Diff(before, fmt.Sprint(s.rows(t))); diff != "" {
			t.Errorf("what was refused has changed rows:\n%s", diff)
		}
		grants := []authz.Grant{{User: "nobody", Role: "course_editor", Scope: id}}
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			w, err := authz.Assign(t.Context(), tx, grants, authz.Options{})
			if err == nil && w.Results[0].Outcome != authz.Added {
				err = fmt.Errorf("%+v", w.Results)
			}
			return err
		})
		if err != nil {
			t.Errorf("in this process: %v", err)
		}
		turn(true)
		if got := put(); strings.Count(got, "role_added") != 2 {
			t.Errorf("on: %s", got)
		}
	})
}
