package roleshift_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestW05M24 turns an organization's flag in all ways in which it changes what the organization is, with one course of its own
// opinion each way: exactly the course on the other side of the new state stays (W-05: the reference goes by the row's choice).
func TestW05M24(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		if d.Engine() != db.SQLite && os.Getenv("LECTERN_TEST_ALL") == "" {
			return // no rule of an engine's own is in it, and it is the longest
		}
		for _, c := range []struct {
			everyone    bool
			first, then string
		}{{false, "unset", "on"}, {false, "on", "unset"}, {false, "on", "off"}, {true, "unset", "off"}, {true, "off", "unset"}, {true, "off", "on"}} {
			what := fmt.Sprintf("global %v, %s to %s", c.everyone, c.first, c.then)
			w := &world{t: t, d: d}
			w.clear()
			w = site(t, d, "ann Org "+one+" staff", "ben Org "+two+" staff", "cleo Org course-v1:Org+Three+2026 staff")
			w.must(func(tx *db.Tx) error { return flags.SetEveryone(t.Context(), tx, flags.Authoring, &c.everyone) })
			// Where the flag is on for everybody roles have to stand there first.
			w.ask(map[bool]roleshift.Direction{true: roleshift.Forward, false: roleshift.Rollback}[c.everyone], "Org")
			if c.first != "unset" {
				w.set("Org", c.first)
			}
			w.set(one, "on")
			w.set(two, "off")
			after := w.set("Org", c.then)
			on := c.then == "on" || c.then == "unset" && c.everyone
			rows, grants := []string{"ben Org " + two + " staff"}, []string{"ann course_staff " + one}
			if on {
				grants = append(grants, "cleo course_staff course-v1:Org+Three+2026")
			} else {
				rows = append(rows, "cleo Org course-v1:Org+Three+2026 staff")
			}
			same(t, what+": legacy rows", legacyOf(after), rows...)
			same(t, what+": assignments", grantsOf(after), grants...)
			last := after.Runs[len(after.Runs)-1]
			left, _ := last.Metadata["left"].(map[string]any)
			if last.Kind != "org" || last.Status != "completed" || left["skipped_for_flag_override"] == nil && on {
				t.Errorf("%s: last run %+v", what, last)
			}
		}
	})
}

// TestW09W10W13M48M49 looks at what runs tell: rows that cannot move do not stop others where that is asked for, a failure has its
// text, class, step and stack, and what is expected to stay is no error.
func TestW09W10W13M48M49(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		long := "course-v1:Org+" + strings.Repeat("x", 200) + "+2026"
		w := site(t, d, "ann Org "+one+" staff", "ben Org "+long+" limited_staff", "cleo Org "+one+" finance_admin", "cleo Org "+two+" staff")
		failed := w.ask(roleshift.Forward, "Org")
		m := metadata(t, d, failed.ID)
		for _, k := range []string{"error", "error_class", "step", "traceback"} {
			if text, _ := m[k].(string); text == "" || len(text) > 16<<10 {
				t.Errorf("failed run: %s is %q", k, text)
			}
		}
		run := w.ask(roleshift.Forward, "Org", keepGoing)
		m = metadata(t, d, run.ID)
		want := map[string]any{"total": 4.0, "success_count": 2.0, "error_count": 1.0, "left_count": 1.0, "merged": 0.0, "derived": 0.0, "not_eligible": 0.0}
		for k, v := range want {
			if m[k] != v {
				t.Errorf("%s is %v, want %v", k, m[k], v)
			}
		}
		entry := func(subject, role, scope string) map[string]any {
			return map[string]any{"subject": subject, "role": role, "scope": scope}
		}
		if diff := cmp.Diff([]any{entry("ann", "staff", one), entry("cleo", "staff", two)}, m["successes"]); diff != "" {
			t.Errorf("successes (-want +got):\n%s", diff)
		}
		reasons := func(key string) (out []string) {
			all, _ := m[key].(map[string]any)
			for r := range all {
				out = append(out, r)
			}
			return out
		}
		same(t, "reasons of errors", reasons("errors"), "key_too_long")
		same(t, "reasons of what is left", reasons("left"), "unknown_role")
		w.exec("DELETE FROM student_courseaccessrole WHERE course_id = ?", long)
		if again := w.ask(roleshift.Forward, "Org"); again.Status != roleshift.Completed {
			t.Errorf("with a row that has no counterpart: %s, want it completed (M-52)", again.Status)
		}
	})
}

// TestW11M50M51 has more rows than a run's row holds: counts stay exact, and all are in the details, by pages.
func TestW11M50M51(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		const courses = 300
		if err := fill(t.Context(), d, courses); err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, d: d, story: story{ID: t.Name()}}
		run := w.ask(roleshift.Forward, "Big")
		m := metadata(t, d, run.ID)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := m["successes"].([]any)
		if m["truncated"] != true || m["total"] != 5.0*courses || m["course_count"] != 1.0*courses || len(list) != 1000 || len(text) > 300<<10 {
			t.Errorf("%d entries in %d bytes, total %v, courses %v, truncated %v", len(list), len(text), m["total"], m["course_count"], m["truncated"])
		}
		seen, moved := map[int64]bool{}, 0
		for after := int64(0); ; {
			page, last, err := roleshift.Details(t.Context(), d, run.ID, after, 700)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page {
				if seen[r.Row] {
					t.Fatalf("row %d comes twice", r.Row)
				}
				if seen[r.Row] = true; r.Outcome == roleshift.Moved {
					moved++
				}
			}
			if after = last; len(page) < 700 {
				break
			}
		}
		if len(seen) != 5*courses || moved != 5*courses {
			t.Errorf("details of %d rows, %d moved, want %d", len(seen), moved, 5*courses)
		}
	})
}

// TestW14M35M36 counts statements and changes of the policy: a run of five times the rows sends no more than a few statements
// more, and gives every process one version to follow.
func TestW14M35M36(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, tables), db.Options{OnStatement: func(string) { n.Add(1) }})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Close() })
			org, err := flags.ForOrg("Big")
			if err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, d: d}
			count := map[int][2]int64{}
			for _, courses := range []int{100, 500} {
				w.clear()
				if err := fill(t.Context(), d, courses); err != nil {
					t.Fatal(err)
				}
				var c [2]int64
				for i, on := range []bool{true, false} {
					n.Store(0)
					var run *roleshift.Run
					w.must(func(tx *db.Tx) (err error) {
						_, run, _, err = roleshift.Flip(t.Context(), tx, org, flags.Change{On: on}, roleshift.Options{Shift: true})
						return err
					})
					if c[i] = n.Load(); run.Moved != int64(5*courses) || len(run.Moves.Changes) > 1 {
						t.Errorf("%d courses, %v: %d rows moved in %d changes of the policy", courses, on, run.Moved, len(run.Moves.Changes))
					}
				}
				count[courses] = c
			}
			for i, on := range []bool{true, false} {
				few, many := count[100][i], count[500][i]
				if t.Logf("%v: %d statements for 500 rows, %d for 2,500", on, few, many); many > few+50 || many > 120 {
					t.Errorf("%v: 500 rows take %d statements, 2,500 take %d", on, few, many)
				}
			}
		})
	}
}

// TestW15M46 has a process that follows the policy: it decides by the new assignments after a run, and by the old ones after one
// that was undone.
func TestW15M46(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		long := "course-v1:Org+" + strings.Repeat("x", 200) + "+2026"
		w := site(t, d, "ann Org "+one+" staff", "ben Org "+long+" limited_staff")
		w.must(func(tx *db.Tx) error {
			_, err := authz.Seed(t.Context(), tx, false, authz.Options{})
			return err
		})
		e := authz.NewEngine(d)
		may := func() bool {
			t.Helper()
			if err := e.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			ok, err := e.Index().Allowed("ann", "courses.view_course", one)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if may() {
			t.Error("allowed before anything moved")
		}
		if run := w.ask(roleshift.Forward, "Org"); run.Status != roleshift.Failed || may() {
			t.Errorf("after a run that is %s: allowed", run.Status)
		}
		run := w.ask(roleshift.Forward, "Org", keepGoing)
		for _, c := range run.Moves.Changes { // what the process that made the run does
			if err := e.Apply(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if ok, err := e.Index().Allowed("ann", "courses.view_course", one); err != nil || !ok || !may() {
			t.Errorf("after the run: %v %v", ok, err)
		}
		w.ask(roleshift.Rollback, "Org")
		if may() {
			t.Error("allowed after everything moved back")
		}
	})
}

// TestW22M54 finds the run and who asked for it in the audit of every assignment that a run made or took back.
func TestW22M54(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff", "ben Org - instructor")
		actor := func(a *roleshift.Ask) { a.Actor = 4711 }
		on := w.ask(roleshift.Forward, "Org", actor)
		off := w.ask(roleshift.Rollback, "Org", actor)
		for _, c := range []struct {
			run     *roleshift.Run
			created bool
		}{{on, true}, {off, false}} {
			list, err := authz.Audit(t.Context(), d, authz.AuditFilter{Run: c.run.ID})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range list {
				if e.Created != c.created || e.Actor != 4711 || e.Run != c.run.ID {
					t.Errorf("run %d: %+v", c.run.ID, e)
				}
				got = append(got, e.Grant.String())
			}
			slices.Sort(got)
			same(t, fmt.Sprintf("audit of run %d", c.run.ID), got, "ann as course_staff @ "+one, "ben as course_admin @ course-v1:Org+*")
		}
	})
}

// TestW23M47M53 shows that each run has its three times and a status that does not change any more.
func TestW23M47M53(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff")
		run := w.ask(roleshift.Forward, "Org")
		list, err := roleshift.Runs(t.Context(), d, roleshift.Filter{Key: "Org", Direction: roleshift.Forward, Kind: "org", Status: roleshift.Completed})
		if err != nil || len(list) != 1 || list[0].Finished == nil || list[0].Started.IsZero() || list[0].ID != run.ID {
			t.Errorf("runs %+v (%v)", list, err)
		}
		if err := w.update(func(tx *db.Tx) error { return roleshift.Close(t.Context(), tx, run.ID) }); err == nil {
			t.Error("a run that is completed was closed again")
		}
		after, err := roleshift.Find(t.Context(), d, run.ID)
		if err != nil || after.Status != roleshift.Completed || !after.Finished.Equal(*list[0].Finished) {
			t.Errorf("it is %+v now (%v)", after, err)
		}
	})
}

// TestW25M33M57 tells before a rollback, by a run that is undone, who will lose a role by it (M-57: and changes nothing).
func TestW25M33M57(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, "ann Org "+one+" staff")
		w.set("Org", "on")
		w.must(func(tx *db.Tx) error {
			_, err := authz.Assign(t.Context(), tx, []authz.Grant{{User: "ben", Role: "course_editor", Scope: one}, {User: "cleo", Role: "course_auditor", Scope: "course-v1:Org+*"}}, authz.Options{})
			return err
		})
		before := read(t, d)
		undone := errors.New("a dry run")
		var losing []string
		org, err := flags.ForOrg("Org")
		if err != nil {
			t.Fatal(err)
		}
		err = w.update(func(tx *db.Tx) error {
			_, run, _, err := roleshift.Flip(t.Context(), tx, org, flags.Change{Drop: true}, roleshift.Options{Shift: true})
			if err != nil {
				return err
			}
			losing = nil
			for _, r := range run.Moves.Records {
				if r.Outcome == roleshift.Left && r.Reason == roleshift.NoEquivalent {
					losing = append(losing, r.User+" "+r.Role+" "+r.Scope)
				}
			}
			return undone
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		same(t, "who loses a role", losing, "ben course_editor "+one, "cleo course_auditor course-v1:Org+*")
		if diff := cmp.Diff(before, read(t, d)); diff != "" {
			t.Errorf("the dry run has changed something:\n%s", diff)
		}
	})
}

// TestW04M08 has the flag on for some people and for everybody: neither moves roles by itself, and a flag for some counts as off.
func TestW04M08(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann Org " + one + " staff"}
		w := site(t, d, rows...)
		on := true
		w.must(func(tx *db.Tx) error { return flags.SetEveryone(t.Context(), tx, flags.Authoring, &on) })
		same(t, "legacy rows after the flag for everybody", legacyOf(read(t, d)), rows...)
		w.must(func(tx *db.Tx) error { return flags.SetEveryone(t.Context(), tx, flags.Authoring, nil) })
		w.exec("UPDATE waffle_flag SET percent = ?, staff = ? WHERE name = ?", 50, true, flags.Authoring)
		if s := w.set(one, "unset"); len(s.Runs) != 0 {
			t.Errorf("%d runs for what comes to the same", len(s.Runs))
		}
		same(t, "assignments after the course's flag", grantsOf(w.set(one, "on")), "ann course_staff "+one)
	})
}

// TestW16M17 has an organization in several letter cases: rows move under its own spelling, where it is known, and come back as
// they were: S-15.
func TestW16M17(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann org - staff", "ben ORG - instructor", "cleo Org - staff"}
		w := site(t, d, rows...)
		w.ask(roleshift.Forward, "Org", canonical)
		got := grantsOf(read(t, d))
		same(t, "assignments", got, "ann course_staff course-v1:Org+*", "ben course_admin course-v1:Org+*", "cleo course_staff course-v1:Org+*")
		if slices.ContainsFunc(got, func(g string) bool { return strings.Contains(g, "ORG") }) {
			t.Error("a spelling of a row is in an assignment")
		}
		w.ask(roleshift.Rollback, "Org", canonical)
		same(t, "legacy rows given back", legacyOf(read(t, d)), rows...)
	})
}

// TestM25Back takes what was derived for single courses away again when their organization comes to the side on which they are:
// who loses the role in the organization after that loses it in these courses too.
func TestM25Back(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		rows := []string{"ann Org - instructor", "ben Org " + two + " staff", "ann Org " + one + " staff"}
		w := site(t, d, rows...)
		w.set(one, "off")
		w.set(two, "on") // ann has a role derived there
		w.set("Org", "on")
		on := read(t, d)
		same(t, "assignments, the organization on", grantsOf(on), "ann course_admin course-v1:Org+*", "ben course_staff "+two)
		same(t, "legacy rows, the organization on", legacyOf(on), rows[2], "ann Org "+one+" instructor")
		w.set(two, "unset")
		off := w.set("Org", "off")
		same(t, "legacy rows, the organization off", legacyOf(off), rows...)
		same(t, "assignments, the organization off", grantsOf(off))
	})
}
