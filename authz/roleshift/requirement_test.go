package roleshift_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

const (
	one = "course-v1:Org+One+2026"
	two = "course-v1:Org+Two+2026"
)

// site makes a world of three people with these legacy rows, each "user org course role" with - for nothing.
func site(t *testing.T, d *db.DB, rows ...string) *world {
	t.Helper()
	w := &world{t: t, d: d, story: story{ID: t.Name()}}
	for _, name := range []string{"ann", "ben", "cleo"} {
		w.story.Before.Users = append(w.story.Before.Users, struct {
			Username string
			Active   *bool `json:"is_active"`
			Staff    bool  `json:"is_staff"`
			Retired  bool
		}{Username: name})
	}
	w.story.Before.Courses, w.story.Before.Automatic = []string{one, two}, true
	for _, r := range rows {
		f := strings.Fields(r)
		for i := range f {
			f[i] = strings.TrimPrefix(f[i], "-")
		}
		w.story.Before.Legacy = append(w.story.Before.Legacy, legacyRow{User: f[0], Org: f[1], Course: f[2], Role: f[3]})
	}
	w.make()
	return w
}

// set sets the override of a course or organization: on, off or unset.
func (w *world) set(key, to string) state {
	w.t.Helper()
	c := call{Do: "override", Level: "org", Key: key, Choice: to, Enabled: to != "unset"}
	if strings.HasPrefix(key, "course-v1:") {
		c.Level = "course"
	}
	if to == "unset" {
		c.Choice = "on"
	}
	before := w.rights()
	w.do(c)
	now := w.rights()
	for r := range before {
		if !now[r] {
			w.t.Errorf("%s %s: lost: %s", key, to, r)
		}
	}
	return read(w.t, w.d)
}

func legacyOf(s state) (out []string) {
	for _, r := range s.Legacy {
		for i := range r {
			if r[i] == "" {
				r[i] = "-"
			}
		}
		out = append(out, strings.Join(r[:], " "))
	}
	slices.Sort(out)
	return out
}

func grantsOf(s state) (out []string) {
	for _, r := range s.Rows {
		_, sc, _ := strings.Cut(r[2], "^")
		out = append(out, strings.TrimPrefix(r[0], "user^")+" "+strings.TrimPrefix(r[1], "role^")+" "+sc)
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, got, equalEmpty); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var equalEmpty = cmp.Transformer("nil", func(s []string) string { return fmt.Sprintf("%q", s) })

func each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Parallel()
	dbtest.EachReady(t, tables, fn)
}

// TestM26M28M30 moves a course there and back and there: S-1, S-2.
func TestM26M28M30(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann Org " + one + " instructor", "ben Org " + one + " staff", "cleo Org " + one + " finance_admin", "ben Org " + two + " staff"}
		w := site(t, d, rows...)
		on := w.set(one, "on")
		same(t, "legacy rows", legacyOf(on), rows[2:]...)
		same(t, "assignments", grantsOf(on), "ann course_admin "+one, "ben course_staff "+one)
		if r := on.Runs[0]; r.Status != "completed" || r.Metadata["left_count"] != 1.0 {
			t.Errorf("run %+v, want it completed with one row left (M-52)", r)
		}
		off := w.set(one, "off")
		same(t, "legacy rows after it", legacyOf(off), rows...)
		same(t, "assignments after it", grantsOf(off))
		same(t, "assignments again", grantsOf(w.set(one, "on")), grantsOf(on)...)
	})
}

// TestM05M06M24M25 has one course on the other side of its organization, in all the ways: S-3, S-4, S-5, S-6, S-14.
func TestM05M06M24M25(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann Org - instructor", "ben Org " + one + " staff", "cleo Org " + two + " staff"}
		w := site(t, d, rows...)
		on := w.set(one, "on")
		same(t, "S-14, one course on: legacy rows", legacyOf(on), rows[0], rows[2])
		same(t, "S-14, one course on: assignments", grantsOf(on), "ben course_staff "+one, "ann course_admin "+one)
		back := w.set(one, "unset")
		same(t, "S-14, back: legacy rows", legacyOf(back), rows...)
		same(t, "S-14, back: assignments", grantsOf(back))

		org := w.set("Org", "on")
		same(t, "S-3: legacy rows", legacyOf(org))
		same(t, "S-3: assignments", grantsOf(org), "ann course_admin course-v1:Org+*", "ben course_staff "+one, "cleo course_staff "+two)
		off := w.set(one, "off")
		same(t, "S-6: legacy rows", legacyOf(off), rows[1], "ann Org "+one+" instructor")
		same(t, "S-6: assignments", grantsOf(off), "ann course_admin course-v1:Org+*", "cleo course_staff "+two)
		again := w.set(one, "unset")
		same(t, "M-06: legacy rows", legacyOf(again))
		same(t, "M-06: assignments", grantsOf(again), grantsOf(org)...)

		w.set(one, "on") // comes to the same: no run (M-07)
		if n := len(read(t, d).Runs); n != len(again.Runs) {
			t.Errorf("a flag that came to the same made a run")
		}
		none := w.set("Org", "unset")
		same(t, "S-5: legacy rows", legacyOf(none), rows[0], rows[2])
		same(t, "S-5: assignments", grantsOf(none), "ben course_staff "+one, "ann course_admin "+one)
	})
}

// TestM17M18 gives back rows whose organization is written in another way as they were: S-15.
func TestM17M18(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann Other " + one + " staff", "ann Org " + one + " staff", "ben Other " + two + " instructor"}
		w := site(t, d, rows...)
		on := w.set("Org", "on")
		same(t, "assignments", grantsOf(on), "ann course_staff "+one, "ben course_admin "+two)
		if r := on.Runs[0]; r.Status != "completed" || r.Metadata["merged"] != 1.0 {
			t.Errorf("run %+v, want it completed with one row merged (M-31, S-7)", r)
		}
		same(t, "legacy rows given back", legacyOf(w.set("Org", "off")), rows...)
	})
}

// TestM32 leaves roles that only assignments have: S-8.
func TestM32(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff")
		w.set(one, "on")
		w.must(func(tx *db.Tx) error {
			_, err := authz.Assign(t.Context(), tx, []authz.Grant{{User: "ben", Role: "course_editor", Scope: one}}, authz.Options{})
			return err
		})
		off := w.set(one, "off")
		same(t, "assignments", grantsOf(off), "ben course_editor "+one)
		left, _ := off.Runs[len(off.Runs)-1].Metadata["left"].(map[string]any)
		if _, listed := left["no_legacy_equivalent"]; !listed {
			t.Errorf("the run does not list who loses access: %v (M-33)", left)
		}
	})
}

// TestM37M38 refuses the flag when a row cannot move, with a run that tells why; keep going moves the rest.
func TestM37M38(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		long := "course-v1:Org+" + strings.Repeat("x", 200) + "+2026"
		w := site(t, d, "ann Org "+one+" staff", "ben Org "+long+" limited_staff")
		org, err := flags.ForOrg("Org")
		if err != nil {
			t.Fatal(err)
		}
		before := read(t, d)
		var run *roleshift.Run
		var ask roleshift.Ask
		flip := func(o roleshift.Options) error {
			return w.update(func(tx *db.Tx) (err error) {
				_, run, ask, err = roleshift.Flip(t.Context(), tx, org, flags.Change{On: true}, o)
				return err
			})
		}
		err = flip(roleshift.Options{Shift: true})
		refusal, refused := errors.AsType[*roleshift.Refusal](err)
		if !refused || !fault.Is(err, fault.Refused) {
			t.Fatalf("flip: %v, want it refused", err)
		}
		if diff := cmp.Diff(before, read(t, d)); diff != "" {
			t.Errorf("a refused change has changed something:\n%s", diff)
		}
		w.must(func(tx *db.Tx) error {
			_, err := roleshift.Fail(t.Context(), tx, ask, run.Moves, err)
			return err
		})
		failed, err := roleshift.Find(t.Context(), d, refusal.Run)
		if err != nil || failed.Status != roleshift.Failed || !strings.Contains(string(failed.Metadata), "key_too_long") || failed.Errors != 1 {
			t.Errorf("failed run %+v (%v), want it to name key_too_long", failed, err)
		}
		if err := flip(roleshift.Options{Shift: true, KeepGoing: true}); err != nil {
			t.Fatal(err)
		}
		if run.Status != roleshift.Partial || run.Moved != 1 || run.Errors != 1 {
			t.Errorf("run %+v, want one moved and one not (M-52)", run)
		}
		if ask, err := run.Ask(t.Context(), d); err != nil || len(ask.Only) != 1 {
			t.Errorf("retry asks for %v (%v), want the one row that failed", ask.Only, err)
		}
	})
}

// TestM42M44M45 keeps a scope to one run at a time: S-12.
func TestM42M44M45(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff")
		w.must(func(tx *db.Tx) error {
			return tx.Insert(t.Context(), "openedx_authz_authzcourseauthoringmigrationrun", []string{"migration_type", "scope_type", "scope_key", "status", "created_at", "updated_at", "metadata"},
				1, func(_ int, v []any) {
					v[0], v[1], v[2], v[3], v[4], v[5], v[6] = "rollback", "course", one, "running", tx.Now(), tx.Now(), "{}"
				})
		})
		for _, c := range []struct {
			ask  roleshift.Ask
			want roleshift.Status
		}{
			{roleshift.Ask{Direction: roleshift.Forward, Courses: []string{one}}, roleshift.Skipped},
			{roleshift.Ask{Direction: roleshift.Forward, Org: "Org"}, roleshift.Skipped},
			{roleshift.Ask{Direction: roleshift.Forward, Courses: []string{two}}, roleshift.Completed},
			{roleshift.Ask{Direction: roleshift.Forward, Org: "Other"}, roleshift.Completed},
		} {
			run, err := w.tracked(c.ask)
			if err != nil || run.Status != c.want || run.Finished == nil {
				t.Errorf("%v: %+v (%v), want it %s", c.ask, run, err, c.want)
			}
		}
		first, err := roleshift.Runs(t.Context(), d, roleshift.Filter{Status: roleshift.Running})
		if err != nil || len(first) != 1 || first[0].Ours {
			t.Fatalf("running: %+v (%v)", first, err)
		}
		w.must(func(tx *db.Tx) error { return roleshift.Close(t.Context(), tx, first[0].ID) })
		if run, err := w.tracked(roleshift.Ask{Direction: roleshift.Forward, Courses: []string{one}}); err != nil || run.Status != roleshift.Completed {
			t.Errorf("after it was closed: %+v (%v)", run, err)
		}
	})
}

// TestM12 finds where flag and roles disagree: S-13.
func TestM12(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff", "ben Org - staff")
		w.automatic = false
		w.do(call{Do: "override", Level: "course", Key: one, Choice: "on", Enabled: true})
		if s := read(t, d); len(s.Runs) != 0 || len(s.Rows) != 0 {
			t.Errorf("with the setting off roles moved (M-01): %+v", s)
		}
		f, err := flags.Load(t.Context(), d, flags.Authoring)
		if err != nil {
			t.Fatal(err)
		}
		drift, err := roleshift.Drifts(t.Context(), d, f)
		if want := []roleshift.Drift{{Course: one, On: true, Legacy: true}}; err != nil || !cmp.Equal(drift, want) {
			t.Fatalf("drift %+v (%v), want %+v", drift, err, want)
		}
		ask, err := drift[0].Ask(f, d.Engine().MySQLFamily())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.tracked(ask); err != nil {
			t.Fatal(err)
		}
		if drift, err = roleshift.Drifts(t.Context(), d, f); err != nil || len(drift) != 0 {
			t.Errorf("drift after it: %+v (%v)", drift, err)
		}
	})
}

// TestM43Both has two operators turn a flag both ways at once, and readers ask in between: in every state that a reader finds
// each person has the same roles, old or new, and in the end roles stand where the flag says (S-11).
func TestM43Both(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff", "ben Org - instructor", "cleo Org "+two+" beta_testers")
		want := w.rights()
		org, err := flags.ForOrg("Org")
		if err != nil {
			t.Fatal(err)
		}
		var operators, readers sync.WaitGroup
		done := make(chan struct{})
		for _, on := range []bool{true, false} {
			operators.Go(func() {
				for range 8 {
					err := d.Update(t.Context(), func(tx *db.Tx) error {
						_, _, _, err := roleshift.Flip(t.Context(), tx, org, flags.Change{On: on}, roleshift.Options{Shift: true})
						return err
					})
					if err != nil {
						t.Errorf("flip to %v: %v", on, err)
					}
				}
			})
		}
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				var s state
				var f *flags.State
				err := d.View(t.Context(), func(tx *db.Tx) (err error) {
					if f, err = flags.Load(t.Context(), tx, flags.Authoring); err != nil {
						return err
					}
					s, err = sides(t.Context(), tx)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if got := rightsOf(s, f, []string{one, two}); !cmp.Equal(got, want) {
					t.Errorf("a reader found %v, want %v", got, want)
					return
				}
			}
		})
		operators.Wait()
		close(done)
		readers.Wait()
		f, err := flags.Load(t.Context(), d, flags.Authoring)
		if err != nil {
			t.Fatal(err)
		}
		if drift, err := roleshift.Drifts(t.Context(), d, f); err != nil || len(drift) != 0 {
			t.Errorf("in the end flag and roles disagree: %+v (%v)", drift, err)
		}
		// The end is that of one of the orders: what the last row of the flag's history makes of the roles.
		end := read(t, d)
		if f.Org("Org", false) {
			same(t, "legacy rows in the end, on", legacyOf(end))
			same(t, "assignments in the end, on", grantsOf(end), "ann course_staff "+one, "ben course_admin course-v1:Org+*", "cleo course_beta_tester "+two)
		} else {
			same(t, "legacy rows in the end, off", legacyOf(end), "ann Org "+one+" staff", "ben Org - instructor", "cleo Org "+two+" beta_testers")
			same(t, "assignments in the end, off", grantsOf(end))
		}
		if last := end.Overrides.Org[len(end.Overrides.Org)-1]; last[4] != map[bool]string{true: "on", false: "off"}[f.Org("Org", false)] {
			t.Errorf("the last row of the history is %v", last)
		}
	})
}
