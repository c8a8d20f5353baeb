package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
)

// roleTables refuses a database without today's tables of permissions. It does not read the policy, which may be large.
func (a *App) roleTables(ctx context.Context) error {
	names, err := a.guard().tables(ctx)
	if err != nil {
		return err
	}
	if !names[authz.NewestTable] {
		return fault.Errorf(fault.Refused, a.DB.Name(), "the database does not have today's tables of permissions").
			WithNext("see what is missing: lectern db status")
	}
	return nil
}

// defaultRunWait is how long the change of a flag waits for a run that works at its scope.
const defaultRunWait = 10 * time.Second

// waiting calls fn again for a while, as long as another run is in its way.
func (a *App) waiting(ctx context.Context, fn func() error) error {
	wait := defaultRunWait
	if text := a.getenv(RunWait); text != "" {
		var err error
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 {
			return fault.Errorf(fault.Usage, RunWait, "%q is no time such as 10s", text)
		}
	}
	pause := min(250*time.Millisecond, max(wait/4, time.Millisecond))
	for end := time.Now().Add(wait); ; {
		err := fn()
		if _, busy := errors.AsType[*roleshift.Busy](err); !busy || !time.Now().Before(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// oneStep is how many rows move in one transaction at most.
func (a *App) oneStep() (int, error) {
	text := a.getenv(OneStep)
	if text == "" {
		if a.DB.Cluster() {
			return roleshift.OneStepCluster, nil
		}
		return roleshift.OneStep, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fault.Errorf(fault.Usage, OneStep, "%q is no number of rows", text)
	}
	return n, nil
}

// shiftWork is how a move in batches is worked at.
type shiftWork struct {
	progress Progress
	job      *jobWork // of the queue; nil for a command, which writes itself down as a job
}

func (c FlagChange) how() shiftWork { return shiftWork{c.Progress, c.job} }

// largeFlip reports whether a change of the flag would move more rows than go into one transaction. Where the setting refuses
// such a change it is Refused (M-59).
func (a *App) largeFlip(ctx context.Context, f FlagRef, c FlagChange, o roleshift.Options) (large bool, err error) {
	limit, err := a.oneStep()
	if err != nil {
		return false, err
	}
	var ask roleshift.Ask
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		if f.Scope, o.Canonical, err = spelledOrg(ctx, tx, f.Scope); err != nil {
			return err
		}
		if ask, _, err = roleshift.Intend(ctx, tx, f.Scope, flags.Change{On: c.On, Drop: c.Unset}, o); err != nil || ask.Direction == "" {
			return err
		}
		large, err = roleshift.Large(ctx, tx, ask, limit)
		return err
	})
	if err != nil || !large {
		return false, err
	}
	switch way := a.getenv(LargeMoves); way {
	case "", "batches":
		return true, nil
	case "refuse":
		verb := "migrate"
		if ask.Direction == roleshift.Rollback {
			verb = "rollback"
		}
		option := " --org " + ask.Org
		if ask.Org == "" {
			option = " --course " + ask.Courses[0]
		}
		return false, fault.Errorf(fault.Refused, ask.String(), "more than %d roles would move, which %s refuses", limit, LargeMoves).
			WithNext(fmt.Sprintf("copy them with lectern authz %s%s, then set the flag with --no-shift, then clean up with --delete-after", verb, option))
	default:
		return false, fault.Errorf(fault.Usage, LargeMoves, "%q is neither batches nor refuse", way)
	}
}

// flipInBatches sets the flag, and moves its roles by copy, flip and clean (authz-migration.md §13), as a job.
func (a *App) flipInBatches(ctx context.Context, f FlagRef, c FlagChange, o roleshift.Options) (out FlagValue, err error) {
	change := flags.Change{On: c.On, Drop: c.Unset, By: int64(a.By), Note: c.Note}
	prepare := func(tx *db.Tx) (ask roleshift.Ask, err error) {
		if f.Scope, o.Canonical, err = spelledOrg(ctx, tx, f.Scope); err != nil {
			return ask, err
		}
		ask, _, err = roleshift.Intend(ctx, tx, f.Scope, change, o)
		return ask, err
	}
	if c.Background && c.job == nil && !a.dryRun {
		return a.flipLater(ctx, f, c)
	}
	org := f.Scope.Org() + f.Scope.CourseOrg()
	run, err := a.inBatches(ctx, c.how(), org, f.Scope.String(), true, prepare)
	if err != nil {
		return FlagValue{}, a.batchesFailed(run, err)
	}
	out, err = a.flipped(ctx, f, run)
	if on := c.On; a.dryRun && err == nil {
		out.Effective = run != nil && run.Direction == roleshift.Forward
		if out.Value = &on; c.Unset {
			out.Value = nil
		}
	}
	return out, err
}

// flipped returns what a flag is after a run has turned it.
func (a *App) flipped(ctx context.Context, f FlagRef, run *roleshift.Run) (out FlagValue, err error) {
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		if f.Scope, err = spelled(ctx, tx, f.Scope); err == nil {
			out, err = flagValue(ctx, tx, f)
		}
		return err
	})
	out.Run = run
	return out, err
}

// flipLater puts a change of the flag into the queue.
func (a *App) flipLater(ctx context.Context, f FlagRef, c FlagChange) (out FlagValue, err error) {
	o := JobOptions{Key: f.Scope.Course(), Org: f.Scope.Org(), To: "off", Message: c.Note, KeepGoing: c.KeepGoing}
	switch {
	case c.Unset:
		o.To = "unset"
	case c.On:
		o.To = "on"
	}
	j, err := a.StartJob(ctx, NewJob{Kind: ShiftJob, Options: o})
	if err != nil {
		return out, err
	}
	out, err = a.flipped(ctx, f, nil)
	out.Job = j.ID
	return out, err
}

// runShift is the job of a change of the flag that moves very many roles. Begun again it takes up the run where it was left.
func runShift(ctx context.Context, a *App, x jobWork) (any, error) {
	f := FlagRef{Name: flags.Authoring}
	scope, err := x.scope()
	if err != nil {
		return nil, err
	}
	f.Scope = scope
	shift := true
	v, err := a.SetFlag(ctx, f, FlagChange{On: x.To == "on", Unset: x.To == "unset", Note: x.Message, Shift: &shift, KeepGoing: x.KeepGoing, Progress: x.progress, job: &x})
	if err != nil || v.Run == nil {
		return nil, err
	}
	return movedRoles{v.Run.ID, v.Run.Status, v.Run.Moved, v.Run.Merged, v.Run.Left, v.Run.Errors}, nil
}

// scope returns the scope of the flag that a job is to set.
func (x jobWork) scope() (flags.Scope, error) {
	if x.To != "on" && x.To != "off" && x.To != "unset" || (x.Key == "") == (x.Org == "") {
		return flags.Scope{}, fault.Errorf(fault.Usage, ShiftJob, "it needs a course or an organization, and on, off or unset")
	}
	if x.Org != "" {
		return flags.ForOrg(x.Org)
	}
	key, err := keys.ParseCourse(x.Key)
	if err != nil {
		return flags.Scope{}, err
	}
	return flags.ForCourse(key)
}

// movedRoles is the result of a job that moved roles.
type movedRoles struct {
	Run    int64            `json:"run"`
	Status roleshift.Status `json:"status"`
	Moved  int64            `json:"moved"`
	Merged int64            `json:"merged"`
	Left   int64            `json:"left"`
	Errors int64            `json:"errors"`
}

// batches says how runs in batches work in this process.
func (a *App) batches(p Progress) roleshift.Batches {
	return roleshift.Batches{Progress: p, Changed: func(c authz.Change) error {
		if !a.guard().engine.Loaded() {
			return nil // who asks loads it
		}
		return a.show(context.Background(), c)
	}}
}

// inBatches makes a run in batches of what prepare asks for, waiting for others where wait says so. What interrupts it before
// the turn has everything taken back, unless it is a server that ends: the next one takes it up.
func (a *App) inBatches(ctx context.Context, how shiftWork, org, thing string, wait bool, prepare func(*db.Tx) (roleshift.Ask, error)) (run *roleshift.Run, err error) {
	if a.dryRun {
		var ask roleshift.Ask
		err := a.View(ctx, func(tx *db.Tx) (err error) {
			ask, err = prepare(tx)
			return err
		})
		if err != nil {
			return nil, err
		}
		return roleshift.Preview(ctx, a.Update, ask, a.batches(how.progress))
	}
	return a.asJob(ctx, how, thing, func(ctx context.Context, p Progress) (*roleshift.Run, error) {
		var w *roleshift.Worker
		begin := func() (err error) {
			w, err = roleshift.Start(ctx, a.DB, org, a.batches(p), prepare)
			return err
		}
		if !wait {
			err = begin()
		} else {
			err = a.waiting(ctx, begin)
		}
		if err != nil || w == nil {
			return nil, err
		}
		return a.workRoles(ctx, w, how)
	})
}

// asJob lets fn do what a command does as a job that others see and can cancel; what a job of the queue does is one already.
func (a *App) asJob(ctx context.Context, how shiftWork, thing string, fn func(context.Context, Progress) (*roleshift.Run, error)) (run *roleshift.Run, err error) {
	if how.job != nil {
		return fn(ctx, how.progress)
	}
	err = a.Recorded(ctx, ShiftJob, thing, how.progress, func(ctx context.Context, p Progress) (any, error) {
		if run, err = fn(ctx, p); run == nil {
			return nil, err
		}
		return movedRoles{run.ID, run.Status, run.Moved, run.Merged, run.Left, run.Errors}, err
	})
	return run, err
}

// workRoles works at a run to its end.
func (a *App) workRoles(ctx context.Context, w *roleshift.Worker, how shiftWork) (run *roleshift.Run, err error) {
	defer func() { err = errors.Join(err, w.Close(context.WithoutCancel(ctx))) }()
	run, err = w.Run(ctx)
	if err == nil || ctx.Err() == nil || how.job != nil && !job.IsCancelled(ctx) || w.Turned() {
		return run, err
	}
	// The end that was asked for is one of before.
	failed, back := w.TakeBack(context.WithoutCancel(ctx), fault.Errorf(fault.Interrupted, w.Scope(), "it was interrupted, and what was copied is taken back"), false)
	if failed == nil {
		return nil, errors.Join(err, back)
	}
	return failed, back
}

// batchesFailed tells of the run in an error.
func (a *App) batchesFailed(run *roleshift.Run, cause error) error {
	refusal, refused := errors.AsType[*roleshift.Refusal](cause)
	if run == nil || a.dryRun && !refused {
		return cause
	}
	e := &fault.Error{Kind: fault.KindOf(cause), Thing: run.Key, Text: cause.Error(), Err: cause, Next: "nothing was changed"}
	var inner *fault.Error
	if errors.As(cause, &inner) && inner.Next != "" {
		e.Next = inner.Next
	}
	if a.dryRun {
		return e
	}
	e.Next += fmt.Sprintf("; each role is told of by: lectern authz runs %d", run.ID)
	data := ShiftFailed{Run: run.ID}
	if refused {
		data.Errors = refusal.Errors
	}
	e.Data = data
	return e
}

// largeMove reports whether what a command asks for is more than goes into one transaction.
func (a *App) largeMove(ctx context.Context, makeAsk func(*db.Tx) (roleshift.Ask, error)) (large bool, err error) {
	limit, err := a.oneStep()
	if err != nil {
		return false, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		ask, err := makeAsk(tx)
		if err == nil {
			large, err = roleshift.Large(ctx, tx, ask, limit)
		}
		return err
	})
	return large, err
}

// moveInBatches is move for very many rows.
func (a *App) moveInBatches(ctx context.Context, how shiftWork, makeAsk func(*db.Tx) (roleshift.Ask, error)) (run *roleshift.Run, err error) {
	var ask roleshift.Ask
	if err := a.View(ctx, func(tx *db.Tx) (err error) { ask, err = makeAsk(tx); return err }); err != nil {
		return nil, err
	}
	scope, err := ask.Scope()
	if err != nil {
		return nil, err
	}
	run, err = a.inBatches(ctx, how, scope.Org()+scope.CourseOrg(), scope.String(), false, func(tx *db.Tx) (roleshift.Ask, error) {
		ask, err = makeAsk(tx)
		return ask, err
	})
	if busy, ok := errors.AsType[*roleshift.Busy](err); ok {
		if busy.Abandoned {
			if err := a.settleLeft(ctx, busy.Run, how); err != nil {
				return nil, err
			}
			return a.moveInBatches(ctx, how, makeAsk)
		}
		return a.skipped(ctx, ask, busy)
	}
	if err != nil {
		err = a.batchesFailed(run, err)
	}
	return run, err
}

// settleRoles sees to a run in batches that was left at a scope whose flag is to be changed. One of the same change is gone on
// with, and returned: it makes the change. Of another what was copied is taken back, or, where the flag was turned already,
// the rest is done.
func (a *App) settleRoles(ctx context.Context, scope flags.Scope, c flags.Change, o roleshift.Options, how shiftWork) (*roleshift.Run, error) {
	if a.dryRun {
		return nil, nil //nolint:nilnil // there is none to go on with
	}
	ask := roleshift.Ask{Org: scope.Org()}
	if scope.Course() != "" {
		ask.Courses = []string{scope.Course()}
	}
	left, found, err := roleshift.Stale(ctx, a.DB, ask)
	if err != nil || !found {
		return nil, err
	}
	if scope, _, err = spelledOrg(ctx, a.DB, scope); err != nil {
		return nil, err
	}
	if left.Continues(scope, c, o.KeepGoing) {
		run, err := a.resume(ctx, left.ID, how)
		if errors.Is(err, roleshift.ErrEnded) {
			return nil, nil //nolint:nilnil // it ended while it was looked at, and the flag is where it has left it
		}
		return run, err
	}
	return nil, a.settleLeft(ctx, left.ID, how)
}

// settleLeft is settleRun for a run that was found left. Who worked at it may have been about to end it, and then it has ended.
func (a *App) settleLeft(ctx context.Context, id int64, how shiftWork) error {
	_, err := a.settleRun(ctx, id, how)
	if errors.Is(err, roleshift.ErrEnded) {
		return nil
	}
	return err
}

// ignoreFailed drops the error of a run that was to fail.
func (a *App) ignoreFailed(run *roleshift.Run, err error) error {
	if run != nil && run.Status == roleshift.Failed {
		return nil
	}
	return err
}

// resume takes up a run where it was left.
func (a *App) resume(ctx context.Context, id int64, how shiftWork) (*roleshift.Run, error) {
	w, err := roleshift.Resume(ctx, a.DB, id, a.batches(nil))
	if err != nil {
		return nil, err
	}
	run, err := a.asJob(ctx, how, w.Scope(), func(ctx context.Context, p Progress) (*roleshift.Run, error) {
		w.Tell(p)
		return a.workRoles(ctx, w, how)
	})
	if err != nil {
		err = a.batchesFailed(run, err)
	}
	return run, err
}

// settleRun ends a run in batches that was left: what was copied is taken back, or, where the flag was turned, the rest is done.
func (a *App) settleRun(ctx context.Context, id int64, how shiftWork) (run *roleshift.Run, err error) {
	w, err := roleshift.Resume(ctx, a.DB, id, a.batches(nil))
	if err != nil {
		return nil, err
	}
	run, err = a.asJob(ctx, how, w.Scope(), func(ctx context.Context, p Progress) (run *roleshift.Run, err error) {
		w.Tell(p)
		defer func() { err = errors.Join(err, w.Close(context.WithoutCancel(ctx))) }()
		run, err = w.TakeBack(ctx, nil, true)
		return run, a.ignoreFailed(run, err)
	})
	return run, err
}

// settleAll ends the runs in batches that were left anywhere (authz-migration.md §14, M-40).
func (a *App) settleAll(ctx context.Context) error {
	if a.dryRun || a.roleTables(ctx) != nil {
		return nil
	}
	for {
		run, found, err := roleshift.Stale(ctx, a.DB, roleshift.Ask{})
		if err != nil || !found {
			return err
		}
		if err := a.settleLeft(ctx, run.ID, shiftWork{}); err != nil {
			return err
		}
	}
}

// ResumeRoleRun takes up a run in batches that was left, where it stopped.
func (a *App) ResumeRoleRun(ctx context.Context, id int64, p Progress) (*roleshift.Run, error) {
	if err := a.may(ctx, "ResumeRoleRun"); err != nil {
		return nil, err
	}
	if err := a.roleTables(ctx); err != nil || a.dryRun {
		return nil, err
	}
	return a.resume(ctx, id, shiftWork{progress: p})
}
