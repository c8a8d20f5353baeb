package roleshift_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

// everyKind are rows of every kind that an organization's run meets: moved, merged, left, of another organization by their
// column, in the whole organization, and in courses whose own override has them on either side.
func everyKind() []string {
	rows := []string{"ann Org - instructor", "ben Org - finance_admin", "ben Other " + one + " staff", "ben Org " + one + " staff",
		"cleo Org " + two + " staff", "ann Org " + off + " staff", "cleo Org " + off + " instructor", "cleo Org " + on + " beta_testers", "ann Org library-v1:Org+L staff"}
	for i := range 6 {
		rows = append(rows, fmt.Sprintf("ann Org course-v1:Org+C%d+2026 limited_staff", i), fmt.Sprintf("ben Org course-v1:Org+C%d+2026 data_researcher", i))
	}
	return rows
}

const (
	off = "course-v1:Org+Off+2026"
	on  = "course-v1:Org+On+2026"
)

// batches has the flag of an organization or course turned in batches of two rows.
func batches(ctx context.Context, d *db.DB, scope flags.Scope, c flags.Change, o roleshift.Options) (*roleshift.Run, error) {
	w, err := begin(ctx, d, scope, c, o)
	if err != nil {
		return nil, err
	}
	run, err := w.Run(ctx)
	return run, errors.Join(err, w.Close(context.WithoutCancel(ctx)))
}

var small = roleshift.Batches{Rows: 2}

func begin(ctx context.Context, d *db.DB, scope flags.Scope, c flags.Change, o roleshift.Options) (*roleshift.Worker, error) {
	return roleshift.Start(ctx, d, scope.Org()+scope.CourseOrg(), small, func(tx *db.Tx) (roleshift.Ask, error) {
		ask, _, err := roleshift.Intend(ctx, tx, scope, c, o)
		return ask, err
	})
}

func flagScope(t testing.TB, key string) flags.Scope {
	t.Helper()
	if !strings.HasPrefix(key, "course-v1:") {
		s, err := flags.ForOrg(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	k, err := keys.ParseCourse(key)
	if err != nil {
		t.Fatal(err)
	}
	s, err := flags.ForCourse(k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines are what became of each row of a run, in any order: without ids, which tell sites apart.
func lines(t testing.TB, q db.Querier, run int64) (out []string) {
	t.Helper()
	list, _, err := roleshift.Details(context.Background(), q, run, 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return linesOf(list)
}

func linesOf(list []roleshift.Record) (out []string) {
	for _, r := range list {
		out = append(out, fmt.Sprintf("%s %s %s: %s %s %s", r.User, r.Role, r.Scope, r.Outcome, r.Reason, r.Note))
	}
	slices.Sort(out)
	return out
}

// TestBatchesAsOneStep moves an organization, and a course, there and back, once in one transaction and once in batches: both
// leave the same.
func TestBatchesAsOneStep(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		w := site(t, d, everyKind()...)
		w.automatic = false
		for key, to := range map[string]bool{off: false, on: true} {
			w.must(func(tx *db.Tx) error {
				_, err := flags.Set(t.Context(), tx, flags.Authoring, flagScope(t, key), flags.Change{On: to})
				return err
			})
		}
		for _, key := range []string{"Org", one} {
			var want, got []string
			for _, way := range []string{"to begin with", "one step", "batches"} { // a first time derives what stays
				var list []string
				for _, turn := range []bool{true, false} {
					var run *roleshift.Run
					var err error
					if way == "batches" {
						run, err = batches(t.Context(), d, flagScope(t, key), flags.Change{On: turn}, roleshift.Options{Shift: true})
					} else {
						err = w.update(func(tx *db.Tx) (err error) {
							_, run, _, err = roleshift.Flip(t.Context(), tx, flagScope(t, key), flags.Change{On: turn}, roleshift.Options{Shift: true})
							return err
						})
					}
					if err != nil {
						t.Fatalf("%s, %s to %v: %v", way, key, turn, err)
					}
					s := read(t, d)
					list = append(list, fmt.Sprintf("%s to %v: %s %d %d %d %d", key, turn, run.Status, run.Moved, run.Merged, run.Left, run.Errors))
					list = append(append(append(list, legacyOf(s)...), grantsOf(s)...), lines(t, d, run.ID)...)
				}
				if way == "batches" {
					got = list
				} else {
					want = list
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: in batches (-one step +batches):\n%s", key, diff)
			}
		}
	})
}

// TestStoppedBatches stops a run in batches at its statements, one after the other. What a reader finds then is what it found
// before; taken up again the run comes to the same end, and taken back to the same beginning.
func TestStoppedBatches(t *testing.T) {
	t.Parallel()
	engines := []db.Engine{db.SQLite}
	every := 7
	if os.Getenv("LECTERN_TEST_ALL") == "1" {
		engines, every = dbtest.Engines(), 1
	}
	for _, e := range engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			stopped(t, e, every)
		})
	}
}

func stopped(t *testing.T, e db.Engine, every int) {
	url := dbtest.URL(t, e)
	open := func(f func(string) error) *db.DB {
		d, err := db.Open(t.Context(), url, db.Options{Create: true, Fault: f})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	d := open(nil)
	if err := schema.Create(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w := site(t, d, "ann Org "+one+" staff", "ben Org - instructor", "cleo Org "+two+" staff", "ben Other "+two+" staff", "ann Org "+off+" staff")
	w.must(func(tx *db.Tx) error {
		_, err := flags.Set(t.Context(), tx, flags.Authoring, flagScope(t, off), flags.Change{})
		return err
	})
	org := flagScope(t, "Org")
	stop := errors.New("the machine stopped")
	at, armed := 0, false
	faulty := open(func(string) error {
		if armed {
			if at--; at <= 0 {
				return stop
			}
		}
		return nil
	})
	courses := []string{one, two, off}
	rightsNow := func() map[string]bool {
		var s state
		var f *flags.State
		err := d.View(t.Context(), func(tx *db.Tx) (err error) {
			if f, err = flags.Load(t.Context(), tx, flags.Authoring); err == nil {
				s, err = sides(t.Context(), tx)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return rightsOf(s, f, courses)
	}
	rights := rightsNow()
	ends := map[bool]string{}
	brief := func() string {
		s := read(t, d)
		return strings.Join(append(legacyOf(s), grantsOf(s)...), "\n")
	}
	for _, turn := range []bool{true, false, true, false} { // the first time derives what stays
		if _, err := batches(t.Context(), d, org, flags.Change{On: turn}, roleshift.Options{Shift: true}); err != nil {
			t.Fatal(err)
		}
		ends[turn] = brief()
	}
	is, stops := false, 0
	for n := 1; n < 5000; n += every {
		at, armed = n, true
		_, err := batches(t.Context(), faulty, org, flags.Change{On: !is}, roleshift.Options{Shift: true})
		armed = false
		if got := rightsNow(); !cmp.Equal(got, rights) {
			t.Fatalf("stopped at statement %d (%v), a reader finds other rights:\n%s", n, err, cmp.Diff(rights, got))
		}
		if err == nil {
			is = !is
			if stops < 2 || n > 40 && is == false {
				break
			}
			if is {
				n = 1 // and the way back
			}
			continue
		}
		stops++
		running, ferr := roleshift.Runs(t.Context(), d, roleshift.Filter{Status: roleshift.Running})
		if ferr != nil || len(running) > 1 {
			t.Fatalf("stopped at statement %d: %d runs at work (%v)", n, len(running), ferr)
		}
		if len(running) == 0 { // before its beginning, or behind its end
			if now := brief(); now == ends[!is] && now != ends[is] {
				is = !is
			} else if now != ends[is] {
				t.Fatalf("stopped at statement %d, no run at work:\n%s", n, cmp.Diff(ends[is], now))
			}
			continue
		}
		again, rerr := roleshift.Resume(t.Context(), d, running[0].ID, small)
		if rerr != nil {
			t.Fatalf("stopped at statement %d: take up: %v", n, rerr)
		}
		var run *roleshift.Run
		if stops%2 == 0 && !again.Turned() {
			run, rerr = again.TakeBack(t.Context(), nil, true)
			if run == nil || run.Status != roleshift.Failed || !strings.Contains(strings.ReplaceAll(string(run.Metadata), " ", ""), `"abandoned":true`) {
				t.Fatalf("stopped at statement %d: taken back: %+v, %v", n, run, rerr)
			}
		} else {
			run, rerr = again.Run(t.Context())
			if rerr != nil || run.Status != roleshift.Completed {
				t.Fatalf("stopped at statement %d: taken up: %+v, %v", n, run, rerr)
			}
			is = !is
		}
		if err := again.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now := brief(); now != ends[is] {
			t.Fatalf("stopped at statement %d, then %s:\n%s", n, run.Status, cmp.Diff(ends[is], now))
		}
	}
	if stops < 30 {
		t.Errorf("it was stopped %d times only", stops)
	}
}

// TestChangedMeanwhile changes roles while a run in batches copies them, on both sides and in every way: in the end everybody
// has the roles that they would have without.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, turn := range []bool{true, false} {
		t.Run(fmt.Sprint(turn), func(t *testing.T) {
			each(t, func(t *testing.T, d *db.DB) { changedMeanwhile(t, d, turn) })
		})
	}
}

func changedMeanwhile(t *testing.T, d *db.DB, turn bool) {
	w := site(t, d, everyKind()...)
	if !turn {
		w.must(func(tx *db.Tx) error {
			_, _, _, err := roleshift.Flip(t.Context(), tx, flagScope(t, "Org"), flags.Change{On: true}, roleshift.Options{Shift: true})
			return err
		})
	}
	changed := false
	worker, err := roleshift.Start(t.Context(), d, "Org", roleshift.Batches{Rows: 2, Progress: func(step string, done, _ int) {
		if changed || step != "copy roles" || done < 14 {
			return
		}
		changed = true
		w.meanwhile(turn)
	}}, func(tx *db.Tx) (roleshift.Ask, error) {
		ask, _, err := roleshift.Intend(t.Context(), tx, flagScope(t, "Org"), flags.Change{On: turn}, roleshift.Options{Shift: true})
		return ask, err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = worker.Run(t.Context())
	if err := errors.Join(err, worker.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	if !changed {
		t.Fatal("nothing was changed meanwhile")
	}
	s := read(t, d)
	list := grantsOf(s)
	if !turn {
		list = legacyOf(s)
	}
	text := strings.Join(list, "\n")
	for name, want := range map[string]bool{"cleo limited_staff C5": true, "ann limited_staff C0": false, "ben data_researcher C0": true} {
		f := strings.Fields(name)
		found := slices.ContainsFunc(list, func(l string) bool {
			return strings.HasPrefix(l, f[0]+" ") && strings.Contains(l, f[1]) && strings.Contains(l, "+"+f[2]+"+")
		})
		if found != want {
			t.Errorf("turned to %v: %s is there: %v, want %v, in\n%s", turn, name, found, want, text)
		}
	}
	f, err := flags.Load(t.Context(), d, flags.Authoring)
	if err != nil {
		t.Fatal(err)
	}
	if drift, err := roleshift.Drifts(t.Context(), d, f); err != nil || len(drift) != 0 {
		t.Errorf("turned to %v: flag and roles disagree: %+v (%v)", turn, drift, err)
	}
}

// meanwhile gives cleo a role in C5 and takes ann's in C0 on the side that counts, and takes a copy of ben's away on the other.
func (w *world) meanwhile(forward bool) {
	ctx := w.t.Context()
	const c0, c5 = "course-v1:Org+C0+2026", "course-v1:Org+C5+2026"
	w.must(func(tx *db.Tx) error {
		legacyRow := func(user, course, role string, there bool) error {
			sql := "DELETE FROM student_courseaccessrole WHERE course_id = ? AND role = ? AND user_id = (SELECT id FROM auth_user WHERE username = ?)"
			if there {
				sql = "INSERT INTO student_courseaccessrole (org, course_id, role, user_id) SELECT 'Org', ?, ?, id FROM auth_user WHERE username = ?"
			}
			n, err := tx.Exec(ctx, sql, course, role, user)
			if err == nil && n != 1 {
				err = fmt.Errorf("%d rows of %s", n, user)
			}
			return err
		}
		grant := func(user, course, role string, there bool) error {
			do := authz.Unassign
			if there {
				do = authz.Assign
			}
			_, err := do(ctx, tx, []authz.Grant{{User: user, Role: role, Scope: course}}, authz.Options{})
			return err
		}
		if forward {
			return errors.Join(legacyRow("cleo", c5, "limited_staff", true), legacyRow("ann", c0, "limited_staff", false), grant("ben", c0, "course_data_researcher", false))
		}
		return errors.Join(grant("cleo", c5, "course_limited_staff", true), grant("ann", c0, "course_limited_staff", false), legacyRow("ben", c0, "data_researcher", false))
	})
}

// TestRefusedBatches takes everything back when rows cannot move, and tells of them.
func TestRefusedBatches(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		long := "course-v1:Org+" + strings.Repeat("x", 200) + "+2026"
		w := site(t, d, append(everyKind(), "ben Org "+long+" limited_staff")...)
		before := read(t, d)
		run, err := batches(t.Context(), d, flagScope(t, "Org"), flags.Change{On: true}, roleshift.Options{Shift: true})
		refusal, refused := errors.AsType[*roleshift.Refusal](err)
		if !refused || !fault.Is(err, fault.Refused) || refusal.Errors != 1 || run == nil || refusal.Run != run.ID {
			t.Fatalf("%+v, %v, want it refused with the run's id", run, err)
		}
		after := read(t, d)
		same(t, "legacy rows", legacyOf(after), legacyOf(before)...)
		same(t, "assignments", grantsOf(after), grantsOf(before)...)
		if diff := cmp.Diff(before.Overrides, after.Overrides); diff != "" {
			t.Errorf("the flag has changed:\n%s", diff)
		}
		if run.Status != roleshift.Failed || !strings.Contains(string(run.Metadata), "key_too_long") {
			t.Errorf("run %+v, want it failed by key_too_long", run)
		}
		run, err = batches(t.Context(), d, flagScope(t, "Org"), flags.Change{On: true}, roleshift.Options{Shift: true, KeepGoing: true})
		if err != nil || run.Status != roleshift.Partial || run.Errors != 1 {
			t.Errorf("to keep going: %+v, %v", run, err)
		}
		_ = w
	})
}

// TestM41 meets a run of another program that is in a transaction of its own, and so seen by nobody: it is waited for, and what
// it has left counts, in one transaction and in batches.
func TestM41(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"one step", "batches"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
				url := dbtest.ReadyURL(t, e, tables)
				begun := make(chan struct{})
				var once sync.Once
				var armed atomic.Bool
				open := func(f func(string) error) *db.DB {
					d, err := db.Open(t.Context(), url, db.Options{Fault: f})
					if err != nil {
						t.Fatal(err)
					}
					t.Cleanup(func() { _ = d.Close() })
					return d
				}
				d := open(nil)
				site(t, d, "ann Org "+one+" staff")
				ours := open(func(sql string) error {
					if armed.Load() && (e == db.SQLite || strings.Contains(sql, "authzcourseauthoringmigrationrun")) {
						once.Do(func() { close(begun) })
					}
					return nil
				})
				done := make(chan error, 1)
				err := d.Update(t.Context(), func(tx *db.Tx) error {
					err := tx.Insert(t.Context(), "openedx_authz_authzcourseauthoringmigrationrun", []string{"migration_type", "scope_type", "scope_key", "status", "created_at", "updated_at", "metadata"},
						1, func(_ int, v []any) {
							v[0], v[1], v[2], v[3], v[4], v[5], v[6] = "forward", "course", one, "running", tx.Now(), tx.Now(), "{}"
						})
					if err != nil {
						return err
					}
					armed.Store(true)
					go func() {
						var err error
						if way == "batches" {
							_, err = batches(t.Context(), ours, flagScope(t, "Org"), flags.Change{On: true}, roleshift.Options{Shift: true})
						} else {
							err = ours.Update(t.Context(), func(tx *db.Tx) error {
								_, _, _, err := roleshift.Flip(t.Context(), tx, flagScope(t, "Org"), flags.Change{On: true}, roleshift.Options{Shift: true})
								return err
							})
						}
						done <- err
					}()
					<-begun
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if busy, ok := errors.AsType[*roleshift.Busy](<-done); !ok || busy.Abandoned {
					t.Errorf("%v, want it to see the other run", busy)
				}
			})
		})
	}
}

// TestM41Index asks the database itself for a second run in batches at one scope, which it refuses as long as the first one works;
// one that was closed behind its back, as Open edX's admin pages can, is in nobody's way.
func TestM41Index(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		d := dbtest.Ready(t, e, tables)
		site(t, d, "ann Org "+one+" staff")
		start := func() *roleshift.Worker {
			t.Helper()
			w, err := roleshift.Start(t.Context(), d, "Org", roleshift.Batches{}, func(*db.Tx) (roleshift.Ask, error) {
				return roleshift.Ask{Org: "Org", Direction: roleshift.Forward}, nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		second := func(scope string, run int64) error {
			return d.Update(t.Context(), func(tx *db.Tx) error {
				return tx.Insert(t.Context(), "lectern_authzshift", []string{"run_id", "scope", "step", "attempt", "after_id", "copied", "done", "total", "version", "dirty"}, 1, func(_ int, v []any) {
					v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9] = run, scope, "copy", 1, 0, 0, 0, 0, uuid.New(), false
				})
			})
		}
		first := start()
		if err := second("org:org", 1000); !errors.Is(err, db.ErrDuplicate) {
			t.Errorf("a second run at the scope: %v", err)
		}
		if err := second("course:org", 1001); err != nil {
			t.Errorf("another kind of scope with the same key: %v", err)
		}
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), "UPDATE openedx_authz_authzcourseauthoringmigrationrun SET status = 'failed'")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		again := start()
		if err := again.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		runs, err := roleshift.Runs(t.Context(), d, roleshift.Filter{Status: roleshift.Running, Limit: 10})
		if err != nil || len(runs) != 1 {
			t.Fatalf("%d runs work, %v", len(runs), err)
		}
		if err := d.Update(t.Context(), func(tx *db.Tx) error { return roleshift.Close(t.Context(), tx, runs[0].ID) }); err != nil {
			t.Fatal(err)
		}
		if err := second("org:org", 1002); err != nil {
			t.Errorf("after it was closed by hand: %v", err)
		}
	})
}
