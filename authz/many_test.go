package authz_test

import (
	"fmt"
	"testing"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestVeryMany assigns and takes back so many roles that they are looked up by one reading of the table: those that are there
// are known, a rule without an extended row is one of them, and so is what the database takes for the same.
func TestVeryMany(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, site, func(t *testing.T, d *db.DB) {
		grants := make([]authz.Grant, 2100)
		for i := range grants {
			grants[i] = authz.Grant{User: people[i%len(people)], Role: "course_staff", Scope: fmt.Sprintf("course-v1:OpenedX+M%d+2026", i)}
		}
		write := func(do func(*db.Tx) (*authz.Written, error)) map[authz.Outcome]int {
			t.Helper()
			n := map[authz.Outcome]int{}
			err := d.Update(t.Context(), func(tx *db.Tx) error {
				w, err := do(tx)
				if err == nil {
					for _, r := range w.Results {
						n[r.Outcome]++
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		assign := func(tx *db.Tx) (*authz.Written, error) {
			return authz.Assign(t.Context(), tx, grants, authz.Options{KeepGoing: true})
		}
		if n := write(assign); n[authz.Added] != len(grants) {
			t.Fatalf("at first: %v", n)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), "DELETE FROM openedx_authz_extendedcasbinrule WHERE casbin_rule_key = ?", "g,user^alice,role^course_staff,course-v1^"+grants[0].Scope+",")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { // who changes rows by hand gives the policy a version
			_, err := tx.Exec(t.Context(), "UPDATE openedx_authz_policycachecontrol SET version = ?", "00000000000000000000000000000001")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if n := write(assign); n[authz.Present] != len(grants) {
			t.Errorf("again: %v", n)
		}
		other := grants[1]
		other.Scope = "course-v1:OpenedX+m1+2026"
		grants = append(grants, other)
		want := authz.Added
		if d.Engine().MySQLFamily() {
			want = authz.Failed
		}
		if n := write(assign); n[want] != 1 || n[authz.Present] != len(grants)-1 {
			t.Errorf("with one in other letters: %v", n)
		}
		n := write(func(tx *db.Tx) (*authz.Written, error) {
			return authz.Unassign(t.Context(), tx, grants, authz.Options{KeepGoing: true})
		})
		if gone := len(grants) - 1; want == authz.Added && n[authz.Removed] != gone+1 || want == authz.Failed && n[authz.Removed] != gone {
			t.Errorf("taken back: %v", n)
		}
		if s := read(t, d); len(s.Rows)+len(s.Extended) != 0 {
			t.Errorf("left: %d rules, %d extended rows", len(s.Rows), len(s.Extended))
		}
	})
}
