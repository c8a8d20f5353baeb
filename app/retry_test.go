package app

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
)

// TestRetryChangesTheFlag refuses a change of the flag by a row that cannot move, in one transaction and in batches. Its run
// tried again fails as before; once the row is put right it changes the flag and moves the roles (W-01).
func TestRetryChangesTheFlag(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		bad := "course-v1:Org+" + strings.Repeat("x", 230)
		for _, most := range []string{"", "2"} {
			r.set(OneStep, most)
			if err := r.a.Update(t.Context(), func(tx *db.Tx) error {
				_, err := legacy.Add(t.Context(), tx, []legacy.Row{{User: 1, Org: "Org", Course: bad + "+2026", Role: legacy.Staff}})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			before := r.stand()
			fails := func(err error) int64 {
				t.Helper()
				var e *fault.Error
				data, ok := errorData(err, &e)
				if !ok || !fault.Is(err, fault.Refused) {
					t.Fatalf("one step of %q: %v", most, err)
				}
				if diff := cmp.Diff(before, r.stand()); diff != "" {
					t.Fatalf("refused, and changed:\n%s", diff)
				}
				return data.Run
			}
			_, err := r.turn(r.a, true, FlagChange{})
			first := fails(err)
			failed, err := r.a.RetryRoleRun(t.Context(), first, nil)
			if second := fails(err); second == first || failed == nil || failed.ID != second || failed.Status != roleshift.Failed {
				t.Errorf("again as run %d: %+v", second, failed)
			}
			if err := r.a.Update(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), "DELETE FROM student_courseaccessrole WHERE course_id = ?", bad+"+2026")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			run, err := r.a.RetryRoleRun(t.Context(), first, nil)
			if err != nil || run.Status != roleshift.Completed || run.Moved != 5 {
				t.Fatalf("put right: %+v, %v", run, err)
			}
			if now := r.stand(); !slices.Contains(now, "on: true") || slices.ContainsFunc(now, func(s string) bool { return strings.HasSuffix(s, " staff") }) {
				t.Errorf("put right: %v", now)
			}
			// The flag is there by now: the failed run asks for nothing but roles, of which none is left.
			if run, err := r.a.RetryRoleRun(t.Context(), first, nil); err != nil || run.Status != roleshift.Completed || run.Moved != 0 {
				t.Errorf("once more: %+v, %v", run, err)
			}
			if _, err := r.turn(r.a, false, FlagChange{}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestRetryOfWhatFailed goes on without a row that cannot move, in batches; tried again only that row is read.
func TestRetryOfWhatFailed(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		r.set(OneStep, "2")
		bad := "course-v1:Org+" + strings.Repeat("x", 230) + "+2026"
		if err := r.a.Update(t.Context(), func(tx *db.Tx) error {
			_, err := legacy.Add(t.Context(), tx, []legacy.Row{{User: 1, Org: "Org", Course: bad, Role: legacy.Staff}})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		v, err := r.turn(r.a, true, FlagChange{KeepGoing: true})
		if err != nil || v.Run == nil || v.Run.Status != roleshift.Partial || v.Run.Errors != 1 {
			t.Fatalf("%+v, %v", v.Run, err)
		}
		if err := r.a.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE student_courseaccessrole SET course_id = ? WHERE course_id = ?", courseOf(7), bad)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		run, err := r.a.RetryRoleRun(t.Context(), v.Run.ID, nil)
		if err != nil || run.Status != roleshift.Completed || run.Moved != 1 {
			t.Fatalf("again: %+v, %v", run, err)
		}
		if full, err := r.a.RoleRun(t.Context(), run.ID); err != nil || len(full.Moves.Records) != 1 || full.Moves.Records[0].Scope != courseOf(7) {
			t.Errorf("it tells of %+v, %v", full.Moves, err)
		}
		if drift, _, err := r.a.ReconcileRoles(t.Context(), false); err != nil || len(drift) != 0 {
			t.Errorf("flag and roles disagree: %+v, %v", drift, err)
		}
	})
}

// TestRetryOfACopy refuses to try a run again that changed no flag, where the flag has its roles on the other side.
func TestRetryOfACopy(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		if _, err := r.turn(r.a, true, FlagChange{}); err != nil {
			t.Fatal(err)
		}
		bad := "course-v1:Org+" + strings.Repeat("x", 230) + "+2026"
		if err := r.a.Update(t.Context(), func(tx *db.Tx) error {
			_, err := legacy.Add(t.Context(), tx, []legacy.Row{{User: 1, Org: "Org", Course: bad, Role: legacy.Staff}})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		org := must(flags.ForOrg("Org"))(t)
		runs, err := r.a.MoveRoles(t.Context(), RoleMove{Direction: roleshift.Forward, Scopes: []flags.Scope{org}, DeleteAfter: true})
		if len(runs) != 1 || runs[0].Status != roleshift.Failed {
			t.Fatalf("%+v, %v", runs, err)
		}
		shift := false
		if _, err := r.a.SetFlag(t.Context(), FlagRef{Name: flags.Authoring, Scope: org}, FlagChange{Shift: &shift}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.a.RetryRoleRun(t.Context(), runs[0].ID, nil); !fault.Is(err, fault.Refused) {
			t.Errorf("again with the flag off: %v", err)
		}
	})
}
