package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	OneStep            = "LECTERN_AUTHZ_ONE_STEP"            // how many rows move in one transaction at most
	LargeMoves         = "LECTERN_AUTHZ_LARGE_MOVES"         // what is done about more: batches, the default, or refuse
	RunWait            = "LECTERN_AUTHZ_WAIT"                // how long the change of a flag waits for a run at its scope, such as 10s
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
		if err := a.roleTables(ctx); err != nil {
			return out, err
		}
		run, err := a.settleRoles(ctx, f.Scope, flags.Change{On: c.On, Drop: c.Unset}, o, c.how())
		if err != nil {
			return out, err
		}
		if run != nil {
			return a.flipped(ctx, f, run)
		}
		if large, err := a.largeFlip(ctx, f, c, o); err != nil {
			return out, err
		} else if large {
			return a.flipInBatches(ctx, f, c, o)
		}
	}
	var run *roleshift.Run
	var ask roleshift.Ask
	change := flags.Change{On: c.On, Drop: c.Unset, By: int64(a.By), Note: c.Note}
	err = a.waiting(ctx, func() error {
		return a.Update(ctx, func(tx *db.Tx) (err error) {
			run, ask = nil, roleshift.Ask{}
			if f.Scope, o.Canonical, err = spelledOrg(ctx, tx, f.Scope); err != nil {
				return err
			}
			if _, run, ask, err = roleshift.Flip(ctx, tx, f.Scope, change, o); err != nil {
				return err
			}
			out, err = flagValue(ctx, tx, f)
			return err
		})
	})
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
	Progress    Progress      // of moves in batches; may be nil
}

// MoveRoles moves roles, each scope in a transaction and with a run of its own. The flag stays. A scope at which another run
// works is skipped.
func (a *App) MoveRoles(ctx context.Context, m RoleMove) (runs []roleshift.Run, err error) {
	if err := a.may(ctx, "MoveRoles"); err != nil {
		return nil, err
	}
	if err := a.roleTables(ctx); err != nil {
		return nil, err
	}
	if m.All {
		if m.Scopes, err = a.organizations(ctx, m.Direction); err != nil {
			return nil, err
		}
	}
	for _, scope := range m.Scopes {
		run, err := a.move(ctx, shiftWork{progress: m.Progress}, func(tx *db.Tx) (ask roleshift.Ask, err error) {
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
func (a *App) move(ctx context.Context, how shiftWork, makeAsk func(*db.Tx) (roleshift.Ask, error)) (run *roleshift.Run, err error) {
	if large, err := a.largeMove(ctx, makeAsk); err != nil {
		return nil, err
	} else if large {
		return a.moveInBatches(ctx, how, makeAsk)
	}
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
		if busy.Abandoned && !a.dryRun {
			if err := a.settleLeft(ctx, busy.Run, how); err != nil {
				return nil, err
			}
			return a.move(ctx, how, makeAsk)
		}
		return a.skipped(ctx, ask, busy)
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

// skipped writes that a run did not begin.
func (a *App) skipped(ctx context.Context, ask roleshift.Ask, busy *roleshift.Busy) (run *roleshift.Run, err error) {
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		run, err = roleshift.Skip(ctx, tx, ask, busy)
		return err
	})
	return run, err
}

func errorData(err error, e **fault.Error) (f ShiftFailed, ok bool) {
	if errors.As(err, e) {
		f, ok = (*e).Data.(ShiftFailed)
	}
	return f, ok
}

// organizations returns those of which roles could move. Of the roles it keeps none.
func (a *App) organizations(ctx context.Context, d roleshift.Direction) (scopes []flags.Scope, err error) {
	met := map[string]string{} // by the name in small letters
	note := func(org string) {
		if folded := strings.ToLower(org); met[folded] != org {
			met[folded] = strings.Clone(org)
		}
	}
	if d == roleshift.Forward {
		err = legacy.EachRow(ctx, a.DB, func(r legacy.Row) { note(cmp.Or(legacy.OrgOf(r.Course), r.Org)) })
	} else {
		err = authz.EachCourseGrant(ctx, a.DB, func(g authz.Grant) { note(legacy.OrgOf(g.Scope)) })
	}
	if err != nil {
		return nil, err
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
