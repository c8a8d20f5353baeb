package app

import (
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/definitions"
	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// policy returns the index of the policy as the database has it now. Tables that are missing or of another age are
// Refused.
func (a *App) policy(ctx context.Context) (*authz.Index, error) {
	g := a.guard()
	if err := g.refresh(ctx); err != nil {
		return nil, err
	}
	names, err := g.tables(ctx)
	if err != nil {
		return nil, err
	}
	if !names[authz.NewestTable] {
		return nil, noPermissions(a.DB.Name())
	}
	return g.engine.Index(), nil
}

// teams returns the scopes of grants as things, each once: those whose teams are changed. Scopes that are none are left
// out, as nothing will be done about them.
func teams(grants []authz.Grant) []thing {
	var things []thing
	met := map[string]bool{}
	for _, g := range grants {
		s, err := scope.Parse(g.Scope)
		if err != nil || met[g.Scope] {
			continue
		}
		met[g.Scope] = true
		things = append(things, thing{name: g.Scope, library: s.Kind().OfLibraries(), assigned: true})
	}
	return things
}

// CheckPermission answers whether a user may do an action in a scope, by assignments alone (authz.md §6).
func (a *App) CheckPermission(ctx context.Context, username, action, sc string) (bool, error) {
	if err := a.may(ctx, "CheckPermission"); err != nil {
		return false, err
	}
	x, err := a.policy(ctx)
	if err != nil {
		return false, err
	}
	return x.Allowed(username, action, sc)
}

// Explain answers like CheckPermission, and why, with whence the assignments are that it speaks of.
func (a *App) Explain(ctx context.Context, username, action, sc string) (*authz.Explanation, []authz.Origin, error) {
	if err := a.may(ctx, "Explain"); err != nil {
		return nil, nil, err
	}
	x, err := a.policy(ctx)
	if err != nil {
		return nil, nil, err
	}
	e, err := x.Explain(username, action, sc)
	if err != nil {
		return nil, nil, err
	}
	from, err := authz.Origins(ctx, a.DB, e.Grants())
	return e, from, err
}

// TeamChange says how assignments are changed.
type TeamChange struct {
	Reason    string // for the audit
	KeepGoing bool   // do what can be done, and tell of the rest in the results
}

func (a *App) options(c TeamChange) authz.Options {
	return authz.Options{Actor: user.ID(a.By), Reason: c.Reason, KeepGoing: c.KeepGoing}
}

// Assign gives people roles, for those who manage the teams in question.
func (a *App) Assign(ctx context.Context, grants []authz.Grant, c TeamChange) (*authz.Written, error) {
	if err := a.may(ctx, "Assign", teams(grants)...); err != nil {
		return nil, err
	}
	x, err := a.policy(ctx)
	if err != nil {
		return nil, err
	}
	wrong := unknownRoles(x, grants)
	var rest []authz.Grant
	for i, g := range grants {
		switch {
		case wrong[i] == nil:
			rest = append(rest, g)
		case !c.KeepGoing:
			return nil, wrong[i]
		}
	}
	w, err := a.changeTeams(ctx, authz.Assign, rest, c)
	if err != nil || len(wrong) == 0 {
		return w, err
	}
	all := make([]authz.Result, len(grants))
	for i, g := range grants {
		if wrong[i] != nil {
			all[i] = authz.Result{Grant: g, Err: wrong[i]}
			continue
		}
		all[i], w.Results = w.Results[0], w.Results[1:]
	}
	w.Results = all
	return w, nil
}

// unknownRoles returns, by their place, the grants of a role that no permission goes with in the kind of scope it is to be
// held in: it would grant nothing, and mostly is a slip of the pen. The one exception is that of course coaches, which has
// none anywhere (authz.md §5.2). What is no scope is left to others.
func unknownRoles(x *authz.Index, grants []authz.Grant) map[int]*authz.GrantError {
	roles, wrong := map[string]map[string]bool{}, map[int]*authz.GrantError{}
	for i, g := range grants {
		s, err := scope.Parse(g.Scope)
		if err != nil || !s.Kind().Assignable() {
			continue
		}
		if roles[s.NS()] == nil {
			roles[s.NS()] = map[string]bool{"ccx_coach": s.NS() == scope.Courses}
			for _, r := range x.RolesFor(s.NS()) {
				roles[s.NS()][r.Name] = true
			}
		}
		if !roles[s.NS()][g.Role] {
			wrong[i] = &authz.GrantError{Grant: g, Reason: authz.RoleNotFound, Err: fault.Errorf(fault.NotFound, g.Role,
				"there is no such role in scopes like %s", g.Scope).WithNext("see which roles there are: lectern authz roles")}
		}
	}
	return wrong
}

// Unassign takes roles back, for those who manage the teams in question.
func (a *App) Unassign(ctx context.Context, grants []authz.Grant, c TeamChange) (*authz.Written, error) {
	if err := a.may(ctx, "Unassign", teams(grants)...); err != nil {
		return nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, err
	}
	return a.changeTeams(ctx, authz.Unassign, grants, c)
}

func (a *App) changeTeams(ctx context.Context, change func(context.Context, *db.Tx, []authz.Grant, authz.Options) (*authz.Written, error),
	grants []authz.Grant, c TeamChange) (w *authz.Written, err error) {
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		w, err = change(ctx, tx, grants, a.options(c))
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, a.show(ctx, w.Change)
}

// show makes committed changes of the policy visible in this process.
func (a *App) show(ctx context.Context, changes ...authz.Change) error {
	if a.dryRun {
		return nil
	}
	for _, c := range changes {
		if err := a.guard().engine.Apply(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Assignments lists who has which role where, with whence it is known.
func (a *App) Assignments(ctx context.Context, f authz.Exact) ([]authz.Origin, error) {
	if err := a.may(ctx, "Assignments"); err != nil {
		return nil, err
	}
	x, err := a.policy(ctx)
	if err != nil {
		return nil, err
	}
	grants, err := x.Assigned(f)
	if err != nil {
		return nil, err
	}
	return authz.Origins(ctx, a.DB, grants)
}

// Roles lists the roles that can be held, with their permissions: those of libraries, then those of courses.
func (a *App) Roles(ctx context.Context) (roles []authz.Role, err error) {
	if err := a.may(ctx, "Roles"); err != nil {
		return nil, err
	}
	x, err := a.policy(ctx)
	if err != nil {
		return nil, err
	}
	for _, ns := range []string{scope.Libraries, scope.Courses} {
		roles = append(roles, x.RolesFor(ns)...)
	}
	return roles, nil
}

// TeamEntry is an entry of the audit, with the name of who made the change.
type TeamEntry struct {
	authz.Entry
	By string // "" for nobody, and for somebody who is no user any more
}

// TeamAudit lists changes of assignments, newest first.
func (a *App) TeamAudit(ctx context.Context, f authz.AuditFilter) (list []TeamEntry, err error) {
	if err := a.may(ctx, "TeamAudit"); err != nil {
		return nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		entries, err := authz.Audit(ctx, tx, f)
		if err != nil {
			return err
		}
		var ids []user.ID
		for _, e := range entries {
			ids = append(ids, e.Actor)
		}
		names, err := user.Names(ctx, tx, ids)
		for _, e := range entries {
			list = append(list, TeamEntry{e, names[e.Actor]})
		}
		return err
	})
	return list, err
}

// SeedPolicy adds the permissions of roles that a site starts with and that are missing; with clear, after all roles and
// their assignments have been removed.
func (a *App) SeedPolicy(ctx context.Context, clear bool) (s *authz.Seeded, err error) {
	if err := a.may(ctx, "SeedPolicy"); err != nil {
		return nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		s, err = authz.Seed(ctx, tx, clear, a.options(TeamChange{}))
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, a.show(ctx, s.Changes...)
}

// LoadDefinitions brings the roles and permissions to what files say: those that a site starts with, and those in folders
// besides. A dry run, which others need not wait for, only plans.
func (a *App) LoadDefinitions(ctx context.Context, folders []string, force bool) (out *definitions.Applied, warnings []definitions.Problem, err error) {
	if err := a.may(ctx, "LoadDefinitions"); err != nil {
		return nil, nil, err
	}
	if _, err := a.policy(ctx); err != nil {
		return nil, nil, err
	}
	dirs := []definitions.Dir{definitions.Shipped()}
	for _, f := range folders {
		dirs = append(dirs, definitions.Local(f))
	}
	files, err := definitions.Find(dirs...)
	if err != nil {
		return nil, nil, err
	}
	s, err := definitions.Compile(files)
	if err != nil {
		return nil, nil, err
	}
	if a.dryRun {
		out = &definitions.Applied{}
		err = a.View(ctx, func(tx *db.Tx) (err error) {
			out.Plan, err = definitions.Make(ctx, tx, s)
			return err
		})
		return out, s.Warnings, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		out, err = definitions.Apply(ctx, tx, s, force, a.options(TeamChange{Reason: "definitions of roles loaded"}))
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return out, s.Warnings, a.show(ctx, out.Changes...)
}
