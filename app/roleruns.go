package app

import (
	"context"
	"slices"
	"time"

	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/user"
)

// RoleRuns lists runs, newest first.
func (a *App) RoleRuns(ctx context.Context, f roleshift.Filter) ([]roleshift.Run, error) {
	if err := a.may(ctx, "RoleRuns"); err != nil {
		return nil, err
	}
	if err := a.roleTables(ctx); err != nil {
		return nil, err
	}
	return roleshift.Runs(ctx, a.DB, f)
}

// maxRunRows is how many rows of a run RoleRun returns.
const maxRunRows = 10_000

// RoleRun returns a run with what became of each row: of the first rows, where there are very many.
func (a *App) RoleRun(ctx context.Context, id int64) (run roleshift.Run, err error) {
	if err := a.may(ctx, "RoleRun"); err != nil {
		return run, err
	}
	if err := a.roleTables(ctx); err != nil {
		return run, err
	}
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		if run, err = roleshift.Find(ctx, tx, id); err != nil {
			return err
		}
		run.Moves = &roleshift.Moves{Direction: run.Direction}
		run.Moves.Records, _, err = roleshift.Details(ctx, tx, id, 0, maxRunRows+1)
		if run.Truncated = len(run.Moves.Records) > maxRunRows; run.Truncated {
			run.Moves.Records = run.Moves.Records[:maxRunRows]
		}
		return err
	})
	return run, err
}

// RoleRunRows calls fn with what became of each row of a run, in parts, whatever their number.
func (a *App) RoleRunRows(ctx context.Context, id int64, fn func([]roleshift.Record) error) error {
	if err := a.may(ctx, "RoleRunRows"); err != nil {
		return err
	}
	if err := a.roleTables(ctx); err != nil {
		return err
	}
	if _, err := roleshift.Find(ctx, a.DB, id); err != nil {
		return err
	}
	for last, page := int64(0), 5000; ; {
		list, to, err := roleshift.Details(ctx, a.DB, id, last, page)
		if err != nil {
			return err
		}
		if err := fn(list); err != nil || len(list) < page {
			return err
		}
		last = to
	}
}

// RetryRoleRun tries again what failed of a run, in a new one. The run of a change of the flag that failed took the flag's
// change with it, so both are tried again (authz-migration.md §12, W-01).
func (a *App) RetryRoleRun(ctx context.Context, id int64, p Progress) (*roleshift.Run, error) {
	if err := a.may(ctx, "RetryRoleRun"); err != nil {
		return nil, err
	}
	if err := a.roleTables(ctx); err != nil {
		return nil, err
	}
	var turn *roleshift.Ask
	err := a.View(ctx, func(tx *db.Tx) (err error) {
		turn, err = turnAgain(ctx, tx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if turn != nil {
		return a.turnAgain(ctx, *turn, p)
	}
	return a.move(ctx, shiftWork{progress: p}, func(tx *db.Tx) (roleshift.Ask, error) {
		ask, _, err := askAgain(ctx, tx, id)
		ask.Actor, ask.Turn = user.ID(a.By), nil
		return ask, err
	})
}

// askAgain returns what to ask to try a run again. Where the flag has its roles on the other side, and so would not count,
// turn tells that the flag is to be changed with it; a run that changed none is Refused then.
func askAgain(ctx context.Context, tx *db.Tx, id int64) (ask roleshift.Ask, turn bool, err error) {
	run, err := roleshift.Find(ctx, tx, id)
	if err != nil {
		return ask, false, err
	}
	if ask, err = run.Ask(ctx, tx); err != nil {
		return ask, false, err
	}
	s, err := flags.Load(ctx, tx, flags.Authoring)
	if err != nil || ask.Keep || ask.Effective(s) == (ask.Direction == roleshift.Forward) {
		return ask, false, err
	}
	refused := fault.Errorf(fault.Refused, ask.String(), "the flag does not have its roles on that side").
		WithNext("set the flag again, with which they move: lectern flag set " + flags.Authoring + " --shift")
	if ask.Turn == nil || run.Status != roleshift.Failed {
		return ask, false, refused
	}
	// What the change comes to may be another since, as the organization's value was changed.
	scope, err := ask.Scope()
	if err != nil {
		return ask, false, err
	}
	now, _, err := roleshift.Intend(ctx, tx, scope, flags.Change{On: ask.Turn.On, Drop: ask.Turn.Drop}, roleshift.Options{})
	if err == nil && now.Direction != ask.Direction {
		err = refused
	}
	return ask, true, err
}

// turnAgain returns what a run was asked that changed the flag and failed, nil for other runs.
func turnAgain(ctx context.Context, tx *db.Tx, id int64) (*roleshift.Ask, error) {
	ask, turn, err := askAgain(ctx, tx, id)
	if err != nil || !turn {
		return nil, err
	}
	return &ask, nil
}

// turnAgain changes the flag as a run was to, and moves its roles with it. The run is there too where it has failed again.
func (a *App) turnAgain(ctx context.Context, ask roleshift.Ask, p Progress) (*roleshift.Run, error) {
	scope, err := ask.Scope()
	if err != nil {
		return nil, err
	}
	t, shift := ask.Turn, true
	v, err := a.flip(ctx, FlagRef{Name: flags.Authoring, Scope: scope}, FlagChange{On: t.On, Unset: t.Drop, Note: t.Note, Shift: &shift, KeepGoing: ask.KeepGoing, Progress: p})
	var e *fault.Error
	if failed, ok := errorData(err, &e); ok {
		if list, _ := roleshift.Runs(ctx, a.DB, roleshift.Filter{ID: failed.Run}); len(list) == 1 {
			return &list[0], err
		}
	}
	return v.Run, err
}

// CloseRoleRun ends a run that is said to work and does not.
func (a *App) CloseRoleRun(ctx context.Context, id int64) error {
	if err := a.may(ctx, "CloseRoleRun"); err != nil {
		return err
	}
	if err := a.roleTables(ctx); err != nil {
		return err
	}
	run, err := roleshift.Find(ctx, a.DB, id)
	if err != nil {
		return err
	}
	if run.Batches && run.Status == roleshift.Running {
		if a.dryRun {
			return nil
		}
		_, err := a.settleRun(ctx, id, shiftWork{})
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
	if err := a.roleTables(ctx); err != nil {
		return nil, nil, err
	}
	if apply {
		if err := a.settleAll(ctx); err != nil {
			return nil, nil, err
		}
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
		run, err := a.move(ctx, shiftWork{}, func(tx *db.Tx) (ask roleshift.Ask, err error) {
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
		if err == nil && !apply { // else it is done with the rest
			err = a.settleAll(ctx)
		}
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
