package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// roles is a store with role rows of an organization, and settings.
type roles struct {
	t    *testing.T
	a    *App
	conf Config

	mu  sync.Mutex
	env map[string]string // guarded by mu
}

// newRoles makes one in which Org has seven rows, of which five move.
func newRoles(t *testing.T, e db.Engine) *roles {
	t.Helper()
	r := &roles{t: t, env: map[string]string{RunWait: "30ms"}}
	r.conf = Config{DB: dbtest.URL(t, e), Data: t.TempDir(), Write: true, Getenv: r.getenv}
	if _, err := Init(t.Context(), r.conf); err != nil {
		t.Fatal(err)
	}
	r.a = open(t, r.conf)
	err := r.a.Update(t.Context(), func(tx *db.Tx) error {
		var rows []legacy.Row
		for _, name := range []string{"ann", "ben"} {
			u, err := user.Create(t.Context(), tx, user.New{Username: name, Email: name + "@example.org"})
			if err != nil {
				return err
			}
			for i := range 2 {
				rows = append(rows, legacy.Row{User: u.ID, Org: "Org", Course: courseOf(i), Role: legacy.Staff})
			}
			rows = append(rows, legacy.Row{User: u.ID, Org: "Org", Course: courseOf(0), Role: "finance_admin"})
		}
		rows = append(rows, legacy.Row{User: rows[0].User, Org: "Org", Role: legacy.Instructor})
		_, err := legacy.Add(t.Context(), tx, rows)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func courseOf(i int) string { return fmt.Sprintf("course-v1:Org+C%d+2026", i) }

func (r *roles) getenv(name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.env[name]
}

func (r *roles) set(name, value string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.env[name] = value
}

func (r *roles) turn(a *App, on bool, c FlagChange) (FlagValue, error) {
	scope, err := flags.ForOrg("Org")
	if err != nil {
		r.t.Fatal(err)
	}
	shift := true
	c.On, c.Shift = on, &shift
	return a.SetFlag(r.t.Context(), FlagRef{Name: flags.Authoring, Scope: scope}, c)
}

// stand are the roles on both sides, and the flag.
func (r *roles) stand() (out []string) {
	r.t.Helper()
	err := r.a.View(r.t.Context(), func(tx *db.Tx) error {
		s, err := flags.Load(r.t.Context(), tx, flags.Authoring)
		if err != nil {
			return err
		}
		rows, err := legacy.Select(r.t.Context(), tx, legacy.Selection{})
		if err != nil {
			return err
		}
		held, err := authz.CourseGrants(r.t.Context(), tx, "", nil)
		out = []string{fmt.Sprint("on: ", s.Org("Org", s.Everyone()))}
		for _, l := range rows {
			out = append(out, fmt.Sprintf("row %d %s %s %s", l.User, l.Org, l.Course, l.Role))
		}
		for _, h := range held {
			out = append(out, h.String())
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// foreign makes a run of another program at a course.
func (r *roles) foreign() {
	r.t.Helper()
	err := r.a.Update(r.t.Context(), func(tx *db.Tx) error {
		return tx.Insert(r.t.Context(), "openedx_authz_authzcourseauthoringmigrationrun", []string{"migration_type", "scope_type", "scope_key", "status", "created_at", "updated_at", "metadata"},
			1, func(_ int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5], v[6] = "forward", "course", courseOf(0), "running", tx.Now(), tx.Now(), "{}"
			})
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

func eachRoles(t *testing.T, fn func(t *testing.T, r *roles)) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) { fn(t, newRoles(t, e)) })
}

// TestM43 has a change of the flag meet a run of another program: it waits, is refused with nothing changed, and goes well when
// the run has ended meanwhile. In batches it is the same.
func TestM43(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		for _, limit := range []string{"", "2"} {
			r.set(OneStep, limit)
			before := r.stand()
			r.foreign()
			if _, err := r.turn(r.a, before[0] == "on: false", FlagChange{}); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "works at course") {
				t.Fatalf("limit %q: %v, want a conflict", limit, err)
			}
			if diff := cmp.Diff(before, r.stand()); diff != "" {
				t.Errorf("limit %q: a refused change has changed something:\n%s", limit, diff)
			}
			runs, err := r.a.RoleRuns(t.Context(), roleshift.Filter{Status: roleshift.Running})
			if err != nil || len(runs) != 1 {
				t.Fatalf("runs at work: %+v, %v", runs, err)
			}
			r.set(RunWait, "1m")
			done := make(chan error, 1)
			go func() {
				_, err := r.turn(r.a, limit == "", FlagChange{})
				done <- err
			}()
			if err := r.a.CloseRoleRun(t.Context(), runs[0].ID); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Errorf("limit %q: after its end: %v", limit, err)
			}
			r.set(RunWait, "30ms")
		}
	})
}

// TestM59 turns the flag in batches above a size, as a job that others see, and by setting refuses to.
func TestM59(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		before := r.stand()
		r.set(OneStep, "2")
		r.set(LargeMoves, "refuse")
		if _, err := r.turn(r.a, true, FlagChange{}); !fault.Is(err, fault.Refused) || !strings.Contains(fmt.Sprintf("%+v", next(err)), "lectern authz migrate --org Org") {
			t.Fatalf("%v (%s), want it refused with the command to use", err, next(err))
		}
		r.set(LargeMoves, "")
		dry := r.conf
		dry.DryRun, dry.Existing = true, true
		plan, err := r.turn(open(t, dry), true, FlagChange{})
		if err != nil || plan.Run == nil || !plan.Run.Batches || plan.Run.Moved != 5 || plan.Run.Left != 2 || !plan.Effective {
			t.Fatalf("dry run: %+v, %+v, %v", plan, plan.Run, err)
		}
		if diff := cmp.Diff(before, r.stand()); diff != "" {
			t.Fatalf("what changes nothing has changed something:\n%s", diff)
		}
		steps := map[string]bool{}
		v, err := r.turn(r.a, true, FlagChange{Progress: func(step string, _, _ int) { steps[step] = true }})
		if err != nil || v.Run == nil || !v.Run.Batches || v.Run.Moved != 5 || v.Run.Left != 2 || !v.Effective {
			t.Fatalf("turned on: %+v, %+v, %v", v, v.Run, err)
		}
		if len(steps) < 2 {
			t.Errorf("progress: %v", steps)
		}
		full, err := r.a.RoleRun(t.Context(), v.Run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(told(plan.Run.Moves.Records), told(full.Moves.Records)); diff != "" {
			t.Errorf("what the dry run told (-) is not what became of the rows (+):\n%s", diff)
		}
		var n int
		if err := r.a.RoleRunRows(t.Context(), v.Run.ID, func(list []roleshift.Record) error { n += len(list); return nil }); err != nil || n != 7 {
			t.Errorf("%d rows, %v", n, err)
		}
		list, err := r.a.Jobs(t.Context(), job.Filter{})
		if err != nil || len(list) != 1 || list[0].Kind != ShiftJob || list[0].Status != job.Done || !strings.Contains(string(list[0].Result), `"moved":5`) {
			t.Errorf("jobs: %+v, %v", list, err)
		}
		if _, err := r.turn(r.a, false, FlagChange{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, r.stand()); diff != "" {
			t.Errorf("there and back:\n%s", diff)
		}
	})
}

func told(list []roleshift.Record) (out []string) {
	for _, r := range list {
		out = append(out, fmt.Sprintf("%s %s %s %s %s %s", r.User, r.Role, r.Scope, r.Outcome, r.Reason, r.Note))
	}
	slices.Sort(out)
	return out
}

func next(err error) string {
	var e *fault.Error
	if errors.As(err, &e) {
		return e.Next
	}
	return ""
}

// left has a run in batches stop after its first batch, as if its program had been killed.
func (r *roles) left(after int) int64 {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	n := 0
	w, err := roleshift.Start(ctx, r.a.DB, "Org", roleshift.Batches{Rows: 2, Progress: func(string, int, int) {
		if n++; n == after {
			cancel()
		}
	}}, func(tx *db.Tx) (roleshift.Ask, error) {
		scope, err := flags.ForOrg("Org")
		if err != nil {
			return roleshift.Ask{}, err
		}
		ask, _, err := roleshift.Intend(ctx, tx, scope, flags.Change{On: true}, roleshift.Options{Shift: true})
		return ask, err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := w.Run(ctx); !errors.Is(err, context.Canceled) {
		r.t.Fatalf("stopped: %v", err)
	}
	if err := w.Close(context.WithoutCancel(ctx)); err != nil {
		r.t.Fatal(err)
	}
	return w.ID()
}

// TestM39M40 leaves a run in batches at every batch: it is taken up by hand or by the same change, and otherwise closed, with
// what it copied taken back, by the next run of its scope, by hand and by the server's look (S-10).
func TestM39M40(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		r.set(OneStep, "2")
		before := r.stand()
		if _, err := r.turn(r.a, true, FlagChange{}); err != nil {
			t.Fatal(err)
		}
		after := r.stand()
		if _, err := r.turn(r.a, false, FlagChange{}); err != nil {
			t.Fatal(err)
		}
		stops := []int{1, 2, 3, 4, 5}
		if r.a.DB.Engine() != db.SQLite && os.Getenv("LECTERN_TEST_ALL") != "1" {
			stops = []int{2, 5}
		}
		for _, stop := range stops {
			for name, how := range map[string]func(id int64) error{
				"resume": func(id int64) error { _, err := r.a.ResumeRoleRun(t.Context(), id, nil); return err },
				"again":  func(int64) error { _, err := r.turn(r.a, true, FlagChange{}); return err },
				"close":  func(id int64) error { return r.a.CloseRoleRun(t.Context(), id) },
				"watch": func(int64) error {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					var failed error
					for {
						_, found, err := roleshift.Stale(ctx, r.a.DB, roleshift.Ask{})
						if err != nil || !found {
							return errors.Join(failed, err)
						}
						if err := r.a.settleAll(ctx); err != nil {
							return err
						}
					}
				},
				"command": func(int64) error {
					_, err := r.a.MoveRoles(t.Context(), RoleMove{Direction: roleshift.Forward, Scopes: []flags.Scope{must(flags.ForOrg("Org"))(t)}})
					return err
				},
			} {
				id := r.left(stop)
				was, err := r.a.RoleRun(t.Context(), id)
				if err != nil || was.Status != roleshift.Running || was.Step == "" {
					t.Fatalf("left after %d: %+v, %v", stop, was, err)
				}
				if err := how(id); err != nil {
					t.Fatalf("left after %d, %s: %v", stop, name, err)
				}
				run, err := r.a.RoleRun(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				now := r.stand()
				turned := slices.Contains(now, "on: true")
				switch {
				case name == "command" && !turned: // what it copied is its own
				case turned && !cmp.Equal(now, after), !turned && !cmp.Equal(now, before):
					t.Fatalf("left after %d, %s (-off +now -on):\n%s\n%s", stop, name, cmp.Diff(before, now), cmp.Diff(after, now))
				}
				if want := roleshift.Failed; turned {
					if want = roleshift.Completed; run.Status != want {
						t.Errorf("left after %d, %s: it is %s", stop, name, run.Status)
					}
				} else if run.Status != want || !abandoned(t, run) {
					t.Errorf("left after %d, %s: it is %s and not known as abandoned", stop, name, run.Status)
				}
				if (name == "resume" || name == "again") && !turned {
					t.Errorf("left after %d, %s: the flag is off", stop, name)
				}
				r.set(OneStep, "")
				if !turned { // what commands have copied goes
					if _, err := r.turn(r.a, true, FlagChange{}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := r.turn(r.a, false, FlagChange{}); err != nil {
					t.Fatal(err)
				}
				r.set(OneStep, "2")
				if now := r.stand(); !cmp.Equal(now, before) {
					t.Fatalf("left after %d, %s, and turned off:\n%s", stop, name, cmp.Diff(before, now))
				}
			}
		}
	})
}

func abandoned(t *testing.T, run roleshift.Run) bool {
	t.Helper()
	var m struct{ Abandoned bool }
	if err := json.Unmarshal(run.Metadata, &m); err != nil {
		t.Fatal(err)
	}
	return m.Abandoned
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestM41M42 has two programs turn the flag of an organization and of its course in batches at once: one works at a time, and
// in the end roles stand where the flag says.
func TestM41M42(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		r.set(OneStep, "1")
		r.set(RunWait, "1m")
		other := open(t, r.conf)
		key := must(flags.ForCourse(must(keys.ParseCourse(courseOf(1)))(t)))(t)
		org := must(flags.ForOrg("Org"))(t)
		var both sync.WaitGroup
		shift := true
		for a, scope := range map[*App]flags.Scope{r.a: org, other: key} {
			both.Go(func() {
				for i := range 3 {
					_, err := a.SetFlag(t.Context(), FlagRef{Name: flags.Authoring, Scope: scope}, FlagChange{On: i%2 == 0, Shift: &shift})
					if err != nil {
						t.Errorf("%s: %v", scope, err)
					}
				}
			})
		}
		done := make(chan struct{})
		var watch sync.WaitGroup
		watch.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(time.Millisecond):
				}
				runs, err := roleshift.Runs(t.Context(), other.DB, roleshift.Filter{Status: roleshift.Running})
				if err != nil || len(runs) > 1 {
					t.Errorf("at work at once: %+v, %v", runs, err)
					return
				}
			}
		})
		both.Wait()
		close(done)
		watch.Wait()
		if drift, _, err := r.a.ReconcileRoles(t.Context(), false); err != nil || len(drift) != 0 {
			t.Errorf("flag and roles disagree: %+v, %v", drift, err)
		}
	})
}

// TestEndedMeanwhile has somebody find a run left that ends before they take it up: they go on, and who names it is told so.
func TestEndedMeanwhile(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		r.set(OneStep, "2")
		v, err := r.turn(r.a, true, FlagChange{})
		if err != nil || v.Run == nil {
			t.Fatalf("%+v, %v", v, err)
		}
		if err := r.a.settleLeft(t.Context(), v.Run.ID, shiftWork{}); err != nil {
			t.Errorf("found left: %v", err)
		}
		if _, err := r.a.ResumeRoleRun(t.Context(), v.Run.ID, nil); !fault.Is(err, fault.Refused) || !errors.Is(err, roleshift.ErrEnded) {
			t.Errorf("named: %v, want refused", err)
		}
	})
}

// TestShiftJob leaves a change of the flag to the queue: it is cancelled with nothing changed, tried again, and taken up by the
// next worker when one was lost.
func TestShiftJob(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		r.set(OneStep, "2")
		before := r.stand()
		boss, err := r.a.AddUser(t.Context(), user.New{Username: "boss", Email: "boss@example.org", Staff: true})
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.turn(r.a.As(Person(boss)), true, FlagChange{Background: true})
		if err != nil || v.Job == 0 || v.Run != nil || v.Effective {
			t.Fatalf("queued: %+v, %v", v, err)
		}
		if _, err := r.a.CancelJob(t.Context(), v.Job); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, r.stand()); diff != "" {
			t.Fatalf("cancelled:\n%s", diff)
		}
		id := r.left(2) // as an earlier attempt would have
		if _, err := r.a.RetryJob(t.Context(), v.Job); err != nil {
			t.Fatal(err)
		}
		if err := r.a.WorkJobs(t.Context(), JobWorker{Once: true}); err != nil {
			t.Fatal(err)
		}
		j, err := r.a.Job(t.Context(), v.Job)
		if err != nil || j.Status != job.Done || j.Name == nil || *j.Name != "boss" || !strings.Contains(string(j.Result), fmt.Sprintf(`"run":%d`, id)) {
			t.Fatalf("done: %+v, %s, %v, want it to have gone on with run %d", j, j.Result, err, id)
		}
		if now := r.stand(); !slices.Contains(now, "on: true") || slices.ContainsFunc(now, func(s string) bool { return strings.HasSuffix(s, " staff") }) {
			t.Errorf("in the end: %v", now)
		}
	})
}

// TestInterruptedShift interrupts a command in the middle of a move in batches: things are as before.
func TestInterruptedShift(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		before := r.stand()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		shift := true
		r.set(OneStep, "2")
		_, err := r.a.SetFlag(ctx, FlagRef{Name: flags.Authoring, Scope: must(flags.ForOrg("Org"))(t)}, FlagChange{On: true, Shift: &shift, Progress: func(step string, _, _ int) {
			if step == "catch up" {
				cancel()
			}
		}})
		if err == nil {
			t.Fatal("the interrupted command succeeded")
		}
		if diff := cmp.Diff(before, r.stand()); diff != "" {
			t.Errorf("interrupted:\n%s", diff)
		}
		runs, err := r.a.RoleRuns(t.Context(), roleshift.Filter{})
		if err != nil || len(runs) != 1 || runs[0].Status != roleshift.Failed {
			t.Errorf("runs: %+v, %v", runs, err)
		}
	})
}

// TestM11 takes a flag that is on for a percentage of people for off, and says so.
func TestM11(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		on := true
		err := r.a.Update(t.Context(), func(tx *db.Tx) error {
			if err := flags.SetEveryone(t.Context(), tx, flags.Authoring, &on); err != nil {
				return err
			}
			if err := flags.SetEveryone(t.Context(), tx, flags.Authoring, nil); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), "UPDATE waffle_flag SET percent = 20, staff = ? WHERE name = ?", true, flags.Authoring)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.turn(r.a, true, FlagChange{})
		if err != nil || v.Run == nil || v.Run.Direction != roleshift.Forward || v.Run.Moved != 5 {
			t.Fatalf("turned on: %+v, %v, want roles to move as from off", v.Run, err)
		}
		if len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "percent 20") || !strings.Contains(v.Warnings[0], "staff") {
			t.Errorf("warnings %q", v.Warnings)
		}
	})
}

// TestM55 tells nobody of roles that move: whose access stays is no news.
func TestM55(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		for _, limit := range []string{"", "2"} {
			r.set(OneStep, limit)
			for _, on := range []bool{true, false} {
				if _, err := r.turn(r.a, on, FlagChange{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		n, _, err := db.One(t.Context(), r.a.DB, "SELECT COUNT(*) FROM lectern_event", nil, db.Value[int])
		if err != nil || n != 0 {
			t.Errorf("%d events, %v, want none", n, err)
		}
	})
}

// TestM60 gives a role in the whole organization where its flag is on: as an assignment, and never as a row of the platform's.
func TestM60(t *testing.T) {
	eachRoles(t, func(t *testing.T, r *roles) {
		if _, err := r.turn(r.a, true, FlagChange{}); err != nil {
			t.Fatal(err)
		}
		rows := func() (out []string) {
			for _, s := range r.stand() {
				if strings.HasPrefix(s, "row ") {
					out = append(out, s)
				}
			}
			return out
		}
		before := rows()
		if _, err := r.a.Assign(t.Context(), []authz.Grant{{User: "ben", Role: "course_staff", Scope: "course-v1:Org+*"}}, TeamChange{}); err != nil {
			t.Fatal(err)
		}
		if now := r.stand(); !slices.Contains(now, "ben as course_staff @ course-v1:Org+*") {
			t.Errorf("the role is not there: %v", now)
		}
		if diff := cmp.Diff(before, rows()); diff != "" {
			t.Errorf("rows of the platform's have changed:\n%s", diff)
		}
	})
}
