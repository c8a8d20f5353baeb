package authz_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestAssignUnitesSubjects gives a role to somebody for whom two rows stand among the subjects, as two processes leave
// them that give their first role at the same moment.
func TestAssignUnitesSubjects(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		assign(t, d, authz.Grant{User: "alice", Role: "library_user", Scope: library}, authz.Grant{User: "alice", Role: "library_user", Scope: "lib:*"},
			authz.Grant{User: "bob", Role: "library_user", Scope: "lib:*"})
		exec(t, d, "INSERT INTO openedx_authz_subject (id) VALUES (1001)")
		exec(t, d, "INSERT INTO openedx_authz_usersubject (subject_ptr_id, user_id) SELECT 1001, id FROM auth_user WHERE username = 'alice'")
		exec(t, d, "UPDATE openedx_authz_extendedcasbinrule SET subject_id = 1001 WHERE casbin_rule_key LIKE 'g,user^alice,%lib:*,'")
		assign(t, d, authz.Grant{User: "alice", Role: "course_admin", Scope: course})
		s := read(t, d)
		if diff := cmp.Diff([]string{"alice", "bob"}, s.Subjects); diff != "" {
			t.Errorf("subjects (-want +got):\n%s", diff)
		}
		want := []string{"g,user^alice,role^course_admin,course-v1^" + course + ", | " + course + " | alice",
			"g,user^alice,role^library_user,lib^lib:*, | null | alice", "g,user^alice,role^library_user,lib^" + library + ", | " + library + " | alice",
			"g,user^bob,role^library_user,lib^lib:*, | null | bob"}
		if diff := cmp.Diff(want, s.Extended); diff != "" {
			t.Errorf("extended rows (-want +got):\n%s", diff)
		}
	})
}
