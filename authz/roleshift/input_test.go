package roleshift_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
)

// became says what a run made of each row of its source, as "outcome reason note user role course-or-organization".
func became(run *roleshift.Run) (out []string) {
	word := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for _, r := range run.Moves.Records {
		out = append(out, strings.Join([]string{string(r.Outcome), word(r.Reason), word(r.Note), word(r.User), word(r.Role), word(r.Scope)}, " "))
	}
	slices.Sort(out)
	return out
}

// ask moves as the flag would, without it.
func (w *world) ask(direction roleshift.Direction, org string, more ...func(*roleshift.Ask)) *roleshift.Run {
	w.t.Helper()
	a := roleshift.Ask{Direction: direction, Org: org}
	for _, f := range more {
		f(&a)
	}
	run, err := w.tracked(a)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	w.must(func(tx *db.Tx) error {
		_, err := tx.Exec(w.t.Context(), sql, args...)
		return err
	})
}

// TestBadRows has every kind of odd row in one organization: each is treated by its rule (authz-migration.md §13) and reported.
func TestBadRows(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		long := "course-v1:Org+" + strings.Repeat("x", 200) + "+2026"
		const gone = "course-v1:Org+Gone+2026" // no such course
		w := site(t, d,
			"ann Org "+one+" staff",
			"ben Org "+one+" finance_admin",           // no counterpart
			"ben Org "+one+" Staff_",                  // no role at all
			"ann Org "+gone+" instructor",             // course without overview
			"ben Org Org/Old/2019 staff",              // old-style key
			"ben Org ccx-v1:Org+One+2026+ccx@1 staff", // not of today's form
			"ben Org library-v1:Org+Lib library_user",
			"ben Org course-v1:broken staff", // no course key
			"cleo - "+two+" staff",           // no organization, but a course of one
			"cleo - - support",               // of the whole site
			"cleo - - staff",                 // of the whole site, with a role that could move
			"ann org - instructor",           // organization in another letter case
			"cleo Other - staff",             // of another organization
			"ben Org "+long+" limited_staff") // no room for its key
		before := read(t, d)
		if run := w.ask(roleshift.Forward, "Org", canonical); run.Status != roleshift.Failed {
			t.Errorf("with a row that cannot move: %s, want it failed", run.Status)
		}
		after := read(t, d)
		if diff := cmp.Diff([2]any{before.Legacy, before.Rows}, [2]any{after.Legacy, after.Rows}); diff != "" {
			t.Errorf("a failed run has changed rows:\n%s", diff)
		}
		run := w.ask(roleshift.Forward, "Org", canonical, keepGoing)
		if run.Status != roleshift.Partial {
			t.Errorf("with a row that cannot move, going on: %s", run.Status)
		}
		same(t, "rows", became(run),
			"moved - - ann staff "+one,
			"left unknown_role - ben finance_admin -",
			"left unknown_role - ben Staff_ -",
			"moved - - ann instructor "+gone,
			"left not_eligible - ben staff -", // Org/Old/2019
			"left not_eligible - ben staff -", // ccx-v1
			"left not_eligible - ben library_user -",
			"left not_eligible - ben staff -", // course-v1:broken
			"moved - org_mismatch cleo staff "+two,
			"moved - org_mismatch ann instructor course-v1:Org+*",
			"error key_too_long - ben limited_staff "+long)
		same(t, "assignments", grantsOf(read(t, d)), "ann course_staff "+one, "ann course_admin "+gone, "cleo course_staff "+two, "ann course_admin course-v1:Org+*")
		if m := metadata(t, d, run.ID); m["not_eligible"] != 4.0 || m["error_count"] != 1.0 {
			t.Errorf("the run tells of %v not eligible and %v errors, want 4 and 1 (M-19)", m["not_eligible"], m["error_count"])
		}
		w.ask(roleshift.Rollback, "Org", canonical, keepGoing)
		same(t, "legacy rows given back", legacyOf(read(t, d)), legacyOf(before)...)
	})
}

func canonical(a *roleshift.Ask) { a.Canonical = true }
func keepGoing(a *roleshift.Ask) { a.KeepGoing = true }

func metadata(t *testing.T, d *db.DB, run int64) map[string]any {
	t.Helper()
	for _, r := range read(t, d).Runs {
		if r.ID == run {
			return r.Metadata
		}
	}
	t.Fatalf("no run %d", run)
	return nil
}

// TestBadPeople moves the roles of people who are not active, are being retired, or are super admins like others (M-34), and
// leaves those of people who are gone, also where their name stands in an assignment by hand.
func TestBadPeople(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff", "ben Org "+one+" staff", "cleo Org "+one+" staff")
		w.exec("UPDATE auth_user SET is_active = ? WHERE username = ?", false, "ann")
		w.exec("UPDATE auth_user SET is_superuser = ? WHERE username = ?", true, "ben")
		w.must(func(tx *db.Tx) error {
			id, _, err := db.One(t.Context(), tx, "SELECT id FROM auth_user WHERE username = ?", []any{"cleo"}, db.Value[int64])
			if err != nil {
				return err
			}
			return tx.Insert(t.Context(), "user_api_userretirementrequest", []string{"created", "modified", "user_id"}, 1,
				func(_ int, v []any) { v[0], v[1], v[2] = tx.Now(), tx.Now(), id })
		})
		w.set(one, "on")
		same(t, "assignments", grantsOf(read(t, d)), "ann course_staff "+one, "ben course_staff "+one, "cleo course_staff "+one)
		w.must(func(tx *db.Tx) error {
			return tx.Insert(t.Context(), "casbin_rule", []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, 2, func(i int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5], v[6] = "g", []string{"user^nobody", "service^robot"}[i], "role^course_staff", "course-v1^"+one, "", "", ""
			})
		})
		run := w.ask(roleshift.Rollback, "Org")
		same(t, "rows", became(run), "moved - - ann course_staff "+one, "moved - - ben course_staff "+one, "moved - - cleo course_staff "+one,
			"left user_missing - nobody course_staff "+one)
		if run.Status != roleshift.Completed {
			t.Errorf("a person who is gone makes the run %s (M-52)", run.Status)
		}
		same(t, "assignments left", grantsOf(read(t, d)), "nobody course_staff "+one, "service^robot course_staff "+one)
	})
}

// TestBadHistory turns a flag whose history was edited by hand: rows that are disabled, with a choice that is none, from a clock
// that was ahead, and in another letter case. What the flag comes to is what the saved row makes of it (M-09, M-10).
func TestBadHistory(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff")
		hand := func(enabled bool, choice string, years int) {
			w.must(func(tx *db.Tx) error {
				return tx.Insert(t.Context(), "waffle_utils_waffleflagcourseoverridemodel", []string{"change_date", "enabled", "waffle_flag", "override_choice", "note", "course_id", "changed_by_id"}, 1,
					func(_ int, v []any) {
						v[0], v[1], v[2], v[3], v[4], v[5], v[6] = tx.Now().AddDate(years, 0, 0), enabled, flags.Authoring, choice, "", one, nil
					})
			})
		}
		hand(true, "xx", 1)  // overrides nothing
		hand(false, "on", 2) // is taken back, and from a clock that was ahead
		history := read(t, d).Overrides.Course
		on := w.set(one, "on")
		same(t, "assignments", grantsOf(on), "ann course_staff "+one)
		if len(on.Runs) != 1 || on.Runs[0].Status != "completed" {
			t.Errorf("runs %+v, want one that is completed", on.Runs)
		}
		if diff := cmp.Diff(history, on.Overrides.Course[:len(history)]); diff != "" || len(on.Overrides.Course) != len(history)+1 {
			t.Errorf("history (-before +after): %s\nwant a row more and the others as they were", diff)
		}
		off := w.set(one, "unset")
		same(t, "assignments after it was taken back", grantsOf(off))
		same(t, "legacy rows after it was taken back", legacyOf(off), "ann Org "+one+" staff")
		hand(false, "on", 3)
		again := w.set(one, "unset") // comes to the same
		if len(again.Runs) != 2 {
			t.Errorf("%d runs, want none for what comes to the same (M-07)", len(again.Runs))
		}
	})
}

// TestBadTwice has rows that are one to the platform but not to the table: letter case of an organization, and an organization
// beside the course's own. They become one assignment, and come back as they were.
func TestBadTwice(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann Org " + one + " staff", "ann - " + one + " staff", "ann Else " + one + " staff", "ben Org - staff"}
		if !d.Engine().MySQLFamily() { // where these two are one row
			rows = append(rows, "ben ORG - staff")
		}
		w := site(t, d, rows...)
		on := w.ask(roleshift.Forward, "Org", canonical)
		same(t, "assignments", grantsOf(read(t, d)), "ann course_staff "+one, "ben course_staff course-v1:Org+*")
		if on.Status != roleshift.Completed || on.Moved != 2 || on.Merged != int64(len(rows)-2) {
			t.Errorf("run is %s with %d moved and %d merged", on.Status, on.Moved, on.Merged)
		}
		w.ask(roleshift.Rollback, "Org", canonical)
		same(t, "legacy rows given back", legacyOf(read(t, d)), rows...)
	})
}

// TestCaseConflict has two assignments that the MySQL family takes for one: an error of the row there, two assignments elsewhere.
func TestCaseConflict(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		small := strings.Replace(one, "One", "one", 1)
		w := site(t, d, "ann Org "+one+" staff")
		w.set(one, "on")
		w.must(func(tx *db.Tx) error {
			ids, err := db.All(t.Context(), tx, "SELECT id FROM auth_user WHERE username = ?", []any{"ann"}, db.Value[int64])
			if err != nil {
				return err
			}
			return tx.Insert(t.Context(), "student_courseaccessrole", []string{"user_id", "org", "course_id", "role"}, 1,
				func(_ int, v []any) { v[0], v[1], v[2], v[3] = ids[0], "Org", small, "staff" })
		})
		run := w.ask(roleshift.Forward, "Org", keepGoing)
		want := []string{"moved - - ann staff " + small}
		if d.Engine().MySQLFamily() {
			want = []string{"error case_conflict - ann staff " + small}
		}
		same(t, "rows", became(run), want...)
	})
}

// TestBadAsk refuses what names no scope, or one of another form, and changes nothing (M-20, M-21).
func TestBadAsk(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff")
		before := read(t, d)
		for _, a := range []roleshift.Ask{
			{Direction: roleshift.Forward}, {Direction: roleshift.Rollback}, {Direction: "sideways", Org: "Org"},
			{Direction: roleshift.Forward, Courses: []string{one, "Org/One/2026"}}, {Direction: roleshift.Rollback, Courses: []string{"ccx-v1:Org+One+2026+ccx@1"}},
			{Direction: roleshift.Forward, Courses: []string{""}},
		} {
			err := w.update(func(tx *db.Tx) error {
				_, err := roleshift.Track(t.Context(), tx, a)
				return err
			})
			if err == nil {
				t.Errorf("%+v passed", a)
			}
		}
		if diff := cmp.Diff(before, read(t, d)); diff != "" {
			t.Errorf("something has changed:\n%s", diff)
		}
	})
}

// TestM22M23 leaves assignments on libraries, on other organizations, on the whole site, and, where courses are asked for, those
// of the organization and of other courses.
func TestM22M23(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d)
		all := []authz.Grant{{User: "ann", Role: "library_admin", Scope: "lib:Org:L1"}, {User: "ann", Role: "course_staff", Scope: "course-v1:*"},
			{User: "ann", Role: "course_staff", Scope: "course-v1:Organic+One+2026"}, {User: "ann", Role: "course_staff", Scope: "course-v1:Organic+*"},
			{User: "ann", Role: "course_staff", Scope: "course-v1:Org+*"}, {User: "ann", Role: "course_staff", Scope: two},
			{User: "ann", Role: "course_staff", Scope: one}}
		w.must(func(tx *db.Tx) error {
			_, err := authz.Assign(t.Context(), tx, all, authz.Options{})
			return err
		})
		names := func(list []authz.Grant) (out []string) {
			for _, g := range list {
				out = append(out, fmt.Sprintf("%s %s %s", g.User, g.Role, g.Scope))
			}
			return out
		}
		if _, err := w.tracked(roleshift.Ask{Direction: roleshift.Rollback, Courses: []string{one}}); err != nil {
			t.Fatal(err)
		}
		same(t, "assignments after the rollback of a course", grantsOf(read(t, d)), names(all[:6])...)
		same(t, "legacy rows after it", legacyOf(read(t, d)), "ann Org "+one+" staff")
		w.ask(roleshift.Rollback, "Org")
		same(t, "assignments after the rollback of its organization", grantsOf(read(t, d)), names(all[:4])...)
		same(t, "legacy rows after it", legacyOf(read(t, d)), "ann Org "+one+" staff", "ann Org "+two+" staff", "ann Org - staff")
	})
}

// TestM27M29 keeps the sources where that is asked for, and makes no row twice.
func TestM27M29(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann Org " + one + " staff", "ben Org - instructor"}
		w := site(t, d, rows...)
		keep := func(a *roleshift.Ask) { a.Keep = true }
		w.ask(roleshift.Forward, "Org", keep)
		held := grantsOf(read(t, d))
		same(t, "legacy rows, kept", legacyOf(read(t, d)), rows...)
		same(t, "assignments", held, "ann course_staff "+one, "ben course_admin course-v1:Org+*")
		for range 2 {
			w.ask(roleshift.Rollback, "Org", keep)
			same(t, "legacy rows after a rollback that keeps", legacyOf(read(t, d)), rows...)
			same(t, "assignments, kept", grantsOf(read(t, d)), held...)
		}
	})
}

// TestM64 moves rows of a course that has no overview yet: S-16.
func TestM64(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		const later = "course-v1:Org+Later+2026"
		w := site(t, d, "ann Org "+later+" staff")
		link := func() (of string) {
			w.must(func(tx *db.Tx) error {
				p, _, err := db.One(t.Context(), tx, "SELECT c.course_overview_id FROM openedx_authz_scope s JOIN openedx_authz_coursescope c ON c.scope_ptr_id = s.id WHERE s.external_key = ?",
					[]any{later}, db.Value[*string])
				if of = "pending"; p != nil {
					of = *p
				}
				return err
			})
			return of
		}
		w.set(later, "on")
		if l := link(); l != "pending" {
			t.Errorf("the scope is linked to %s before the course is there", l)
		}
		w.do(call{Do: "course_saved", Course: later})
		if l := link(); l != later {
			t.Errorf("the scope is %s when the course is there", l)
		}
		same(t, "legacy rows given back", legacyOf(w.set(later, "off")), "ann Org "+later+" staff")
	})
}

// TestM61 gives a row back to somebody who was renamed meanwhile: S-18.
func TestM61(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff")
		w.set(one, "on")
		w.do(call{Do: "rename", User: "ann", To: "anna"})
		same(t, "legacy rows given back", legacyOf(w.set(one, "off")), "anna Org "+one+" staff")
		same(t, "assignments", grantsOf(read(t, d)))
	})
}

// TestRevoked gives back no row of an assignment that was taken back meanwhile.
func TestRevoked(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff", "ben Org "+one+" staff")
		w.set(one, "on")
		w.must(func(tx *db.Tx) error {
			_, err := authz.Unassign(t.Context(), tx, []authz.Grant{{User: "ann", Role: "course_staff", Scope: one}}, authz.Options{})
			return err
		})
		w.automatic = true
		w.do(call{Do: "override", Level: "course", Key: one, Choice: "off", Enabled: true})
		same(t, "legacy rows given back", legacyOf(read(t, d)), "ben Org "+one+" staff")
	})
}
