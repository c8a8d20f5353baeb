package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/user"
)

// Settings of how roles move with the authoring flag. They are read each time a flag is set (authz-migration.md §14, M-02).
const (
	AutomaticMigration = "LECTERN_AUTHZ_AUTOMATIC_MIGRATION" // true: without being asked to
	KeepGoing          = "LECTERN_AUTHZ_KEEP_GOING"          // true: what can move moves, though some cannot
)

// setting reads a setting that is true or false; what is neither is Usage.
func (a *App) setting(name string) (bool, error) {
	text := a.getenv(name)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, fault.Errorf(fault.Usage, name, "%q is neither true nor false", text)
	}
	return on, nil
}

// runWait is how long the change of a flag waits for a run that works at its scope.
const runWait = 10 * time.Second

// ShiftFailed is the further data of the error of a flag that could not be changed because roles could not move.
type ShiftFailed struct {
	Run    int64 `json:"run"` // that tells of it
	Errors int   `json:"errors"`
}

// flip sets the authoring flag of a course or organization, and moves roles with it where that is asked for or set up. What
// cannot move refuses the change; a run tells of it.
func (a *App) flip(ctx context.Context, f FlagRef, c FlagChange) (out FlagValue, err error) {
	o := roleshift.Options{Actor: user.ID(a.By), Reason: "flag " + f.Name, KeepGoing: c.KeepGoing}
	if o.Shift, err = a.setting(AutomaticMigration); err != nil {
		return out, err
	}
	if c.Shift != nil {
		o.Shift = *c.Shift
	}
	if going, err := a.setting(KeepGoing); err != nil {
		return out, err
	} else if going {
		o.KeepGoing = true
	}
	if o.Shift {
		if _, err := a.policy(ctx); err != nil {
			return out, err
		}
	}
	var run *roleshift.Run
	var ask roleshift.Ask
	change := flags.Change{On: c.On, Drop: c.Unset, By: int64(a.By), Note: c.Note}
	once := func(tx *db.Tx) (err error) {
		run, ask = nil, roleshift.Ask{}
		if f.Scope, o.Canonical, err = spelledOrg(ctx, tx, f.Scope); err != nil {
			return err
		}
		if _, run, ask, err = roleshift.Flip(ctx, tx, f.Scope, change, o); err != nil {
			return err
		}
		out, err = flagValue(ctx, tx, f)
		return err
	}
	for end := time.Now().Add(runWait); ; {
		err = a.Update(ctx, once)
		if _, busy := errors.AsType[*roleshift.Busy](err); !busy || time.Now().After(end) {
			break
		}
		select {
		case <-ctx.Done():
			return out, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	if err != nil {
		return FlagValue{}, a.shiftFailed(ctx, ask, run, err)
	}
	if run == nil {
		return out, nil
	}
	out.Run = run
	return out, a.show(ctx, run.Moves.Changes...)
}

// shiftFailed writes the run of a move that was undone, and tells of it.
func (a *App) shiftFailed(ctx context.Context, ask roleshift.Ask, run *roleshift.Run, cause error) error {
	if _, busy := errors.AsType[*roleshift.Busy](cause); busy || ask.Direction == "" || ctx.Err() != nil {
		return cause
	}
	var moves *roleshift.Moves
	if run != nil {
		moves = run.Moves
	}
	var failed *roleshift.Run
	err := a.Update(ctx, func(tx *db.Tx) (err error) {
		failed, err = roleshift.Fail(ctx, tx, ask, moves, cause)
		return err
	})
	if err != nil {
		return errors.Join(cause, err)
	}
	e := &fault.Error{Kind: fault.KindOf(cause), Thing: ask.String(), Text: cause.Error(), Err: cause, Next: "nothing was changed; see each role with: lectern authz runs ID"}
	var inner *fault.Error
	if errors.As(cause, &inner) && inner.Next != "" {
		e.Next = inner.Next
	}
	if !a.dryRun {
		e.Next += fmt.Sprintf("; each role is told of by: lectern authz runs %d", failed.ID)
		data := ShiftFailed{Run: failed.ID}
		if moves != nil {
			data.Errors = moves.Count(roleshift.Error)
		}
		e.Data = data
	}
	return e
}

// spelledOrg is spelled, and tells whether the organization is known.
func spelledOrg(ctx context.Context, q db.Querier, s flags.Scope) (flags.Scope, bool, error) {
	if s.Org() == "" {
		return s, false, nil
	}
	name, known, err := catalog.Spelling(ctx, q, s.Org())
	if err != nil {
		return s, false, err
	}
	s, err = flags.ForOrg(name)
	return s, known, err
}

// RoleMove says which roles to move by command, whatever the flag says.
type RoleMove struct {
	Direction   roleshift.Direction
	Scopes      []flags.Scope // courses or an organization
	All         bool          // every organization
	DeleteAfter bool          // the sources go: only where the flag has them on the other side
	KeepGoing   bool          // move what can be moved; of several scopes none stops the others
	Progress    Progress      // told of each scope that is done; may be nil
}

// MoveRoles moves roles, each scope in a transaction and with a run of its own. The flag stays. A scope at which another run
// works is skipped.
func (a *App) MoveRoles(ctx context.Context, m RoleMove) (runs []roleshift.Run, err error) {
	if err := a.may(ctx, "MoveRoles"); err != nil {
		return nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, err
	}
	if m.All {
		if m.Scopes, err = a.organizations(ctx, m.Direction); err != nil {
			return nil, err
		}
	}
	for i, scope := range m.Scopes {
		if m.Progress != nil {
			m.Progress("moving roles", i, len(m.Scopes))
		}
		run, err := a.move(ctx, func(tx *db.Tx) (ask roleshift.Ask, err error) {
			canonical := false
			if scope, canonical, err = spelledOrg(ctx, tx, scope); err != nil {
				return ask, err
			}
			s, err := flags.Load(ctx, tx, flags.Authoring)
			if err != nil {
				return ask, err
			}
			on := m.Direction == roleshift.Forward
			if m.DeleteAfter && roleshift.Effective(s, scope) != on {
				return ask, fault.Errorf(fault.Refused, scope.String(), "the flag has its roles on the side whose rows would be deleted").
					WithNext("set the flag first: lectern flag set " + flags.Authoring)
			}
			ask = roleshift.AskFor(s, scope, on, tx.Engine().MySQLFamily())
			ask.Canonical, ask.Keep, ask.KeepGoing = canonical, !m.DeleteAfter, m.KeepGoing
			ask.Actor, ask.Reason = user.ID(a.By), "roles moved by command"
			return ask, nil
		})
		if run != nil {
			runs = append(runs, *run)
		}
		if err != nil && (!m.KeepGoing || run == nil) {
			return runs, err
		}
	}
	return runs, nil
}

// move makes a run in a transaction; one that fails, or meets another, leaves its row.
func (a *App) move(ctx context.Context, makeAsk func(*db.Tx) (roleshift.Ask, error)) (run *roleshift.Run, err error) {
	var ask roleshift.Ask
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		run, ask = nil, roleshift.Ask{}
		if ask, err = makeAsk(tx); err != nil {
			ask = roleshift.Ask{}
			return err
		}
		run, err = roleshift.Track(ctx, tx, ask)
		return err
	})
	if err == nil {
		return run, a.show(ctx, run.Moves.Changes...)
	}
	if busy, ok := errors.AsType[*roleshift.Busy](err); ok {
		err = a.Update(ctx, func(tx *db.Tx) (err error) {
			run, err = roleshift.Skip(ctx, tx, ask, busy)
			return err
		})
		return run, err
	}
	err = a.shiftFailed(ctx, ask, run, err)
	var e *fault.Error
	if failed, ok := errorData(err, &e); ok {
		var list []roleshift.Run
		if list, _ = roleshift.Runs(ctx, a.DB, roleshift.Filter{ID: failed.Run}); len(list) == 1 {
			if run != nil {
				list[0].Moves = run.Moves
			}
			return &list[0], err
		}
	}
	return nil, err
}

func errorData(err error, e **fault.Error) (f ShiftFailed, ok bool) {
	if errors.As(err, e) {
		f, ok = (*e).Data.(ShiftFailed)
	}
	return f, ok
}

// organizations returns those of which roles could move.
func (a *App) organizations(ctx context.Context, d roleshift.Direction) (scopes []flags.Scope, err error) {
	met := map[string]string{} // by the name in small letters
	if d == roleshift.Forward {
		rows, err := legacy.Select(ctx, a.DB, legacy.Selection{})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			org := r.Org
			if of := legacy.OrgOf(r.Course); of != "" {
				org = of
			}
			met[strings.ToLower(org)] = org
		}
	} else {
		held, err := authz.CourseGrants(ctx, a.DB, "", nil)
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			met[strings.ToLower(legacy.OrgOf(h.Scope))] = legacy.OrgOf(h.Scope)
		}
	}
	var names []string
	for _, name := range met {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if s, err := flags.ForOrg(name); err == nil { // what can be none has no flag
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}

// RoleRuns lists runs, newest first.
func (a *App) RoleRuns(ctx context.Context, f roleshift.Filter) ([]roleshift.Run, error) {
	if err := a.may(ctx, "RoleRuns"); err != nil {
		return nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, err
	}
	return roleshift.Runs(ctx, a.DB, f)
}

// RoleRun returns a run with what became of each row.
func (a *App) RoleRun(ctx context.Context, id int64) (run roleshift.Run, err error) {
	if err := a.may(ctx, "RoleRun"); err != nil {
		return run, err
	}
	if _, err := a.policy(ctx); err != nil {
		return run, err
	}
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		if run, err = roleshift.Find(ctx, tx, id); err != nil {
			return err
		}
		run.Moves = &roleshift.Moves{Direction: run.Direction}
		for last := int64(0); ; {
			const page = 5000
			list, to, err := roleshift.Details(ctx, tx, id, last, page)
			run.Moves.Records = append(run.Moves.Records, list...)
			if last = to; err != nil || len(list) < page {
				return err
			}
		}
	})
	return run, err
}

// RetryRoleRun tries again what failed of a run, in a new one.
func (a *App) RetryRoleRun(ctx context.Context, id int64) (*roleshift.Run, error) {
	if err := a.may(ctx, "RetryRoleRun"); err != nil {
		return nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, err
	}
	return a.move(ctx, func(tx *db.Tx) (ask roleshift.Ask, err error) {
		run, err := roleshift.Find(ctx, tx, id)
		if err != nil {
			return ask, err
		}
		if ask, err = run.Ask(ctx, tx); err != nil {
			return ask, err
		}
		s, err := flags.Load(ctx, tx, flags.Authoring)
		if err != nil {
			return ask, err
		}
		ask.Actor = user.ID(a.By)
		if !ask.Keep && ask.Effective(s) != (ask.Direction == roleshift.Forward) {
			return ask, fault.Errorf(fault.Refused, ask.String(), "the flag does not have its roles on that side").
				WithNext("set the flag again, with which they move: lectern flag set " + flags.Authoring + " --shift")
		}
		return ask, nil
	})
}

// CloseRoleRun ends a run that is said to work and does not.
func (a *App) CloseRoleRun(ctx context.Context, id int64) error {
	if err := a.may(ctx, "CloseRoleRun"); err != nil {
		return err
	}
	if _, err := a.policy(ctx); err != nil {
		return err
	}
	return a.Update(ctx, func(tx *db.Tx) error { return roleshift.Close(ctx, tx, id) })
}

// ReconcileRoles tells where roles stand on the side that does not count there, and with apply moves them, each organization
// or course in a run of its own.
func (a *App) ReconcileRoles(ctx context.Context, apply bool) (drift []roleshift.Drift, runs []roleshift.Run, err error) {
	if err := a.may(ctx, "ReconcileRoles"); err != nil {
		return nil, nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, nil, err
	}
	look := func() error {
		return a.View(ctx, func(tx *db.Tx) error {
			s, err := flags.Load(ctx, tx, flags.Authoring)
			if err == nil {
				drift, err = roleshift.Drifts(ctx, tx, s)
			}
			return err
		})
	}
	if err := look(); err != nil || !apply {
		return drift, nil, err
	}
	found, tried := drift, map[roleshift.Drift]bool{}
	for len(drift) > 0 { // an organization's run may have moved what comes behind it
		i := slices.IndexFunc(drift, func(d roleshift.Drift) bool { return !tried[d] })
		if i < 0 {
			break
		}
		next := drift[i]
		tried[next] = true
		run, err := a.move(ctx, func(tx *db.Tx) (ask roleshift.Ask, err error) {
			s, err := flags.Load(ctx, tx, flags.Authoring)
			if err != nil {
				return ask, err
			}
			ask, err = next.Ask(s, tx.Engine().MySQLFamily())
			ask.Actor, ask.Reason, ask.KeepGoing = user.ID(a.By), "roles brought to the side of the flag", true
			return ask, err
		})
		if run != nil {
			runs = append(runs, *run)
		}
		if err != nil && run == nil {
			return found, runs, err
		}
		if next.Org == "" {
			drift = drift[i+1:]
			continue
		}
		if err := look(); err != nil {
			return found, runs, err
		}
	}
	return found, runs, nil
}

// WatchRoles looks every so often, until ctx ends, whether roles stand on the side that the flag says: after changes by other
// programs or by hand. By the setting it moves them, else it only tells.
func (a *App) WatchRoles(ctx context.Context, every time.Duration, tell func([]roleshift.Drift, []roleshift.Run, error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		apply, err := a.setting(AutomaticMigration)
		var drift []roleshift.Drift
		var runs []roleshift.Run
		if err == nil {
			drift, runs, err = a.ReconcileRoles(ctx, apply)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil || len(drift) > 0 {
			tell(drift, runs, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
