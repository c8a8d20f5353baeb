package app

import (
	"cmp"
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// mayMake asks about a use case that brings in a course or library: for its action where there is one of that key, deleted
// or not, else for making one. It tells which.
func (a *App) mayMake(ctx context.Context, name string, t thing) (exists bool, err error) {
	if err := a.notOld(ctx, name, true, t); err != nil {
		return false, err
	}
	if exists, err = packageExists(ctx, a.DB, t.name); err != nil {
		return exists, err
	}
	if exists {
		return exists, a.may(ctx, name, t)
	}
	return exists, a.mayAlso(ctx, name, t)
}

// packageExists reports whether there is a learning package of that ref.
func packageExists(ctx context.Context, q db.Querier, ref string) (bool, error) {
	if ref == "" {
		return false, nil
	}
	_, err := publishing.PackageByRef(ctx, q, ref)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// still makes sure in the transaction that what permission was asked for has neither come nor gone since.
func (a *App) still(ctx context.Context, tx *db.Tx, t thing, exists bool) error {
	if a.actor.system {
		return nil
	}
	now, err := packageExists(ctx, tx, t.name)
	if err == nil && now != exists {
		err = fault.Errorf(fault.Conflict, t.name, "somebody else has made or removed it just now").WithNext("look at it, then try again")
	}
	return err
}

// mayRestore asks about restoring a backup, and returns what it restores and whether that is there.
func (a *App) mayRestore(ctx context.Context, name string, plan *backup.Plan, o PackageRestore) (t thing, exists bool, err error) {
	if o.Staged { // under a key of its own, which names no organization
		return t, false, a.mayAlso(ctx, name, thing{})
	}
	t = thePackage(cmp.Or(o.Key, plan.Key))
	if o.DeleteOld {
		if err := a.mayAlso(ctx, name, thing{}); err != nil {
			return t, false, err
		}
	}
	if t.name == "" {
		return t, false, a.mayAlso(ctx, name, t)
	}
	exists, err = a.mayMake(ctx, name, t)
	return t, exists, err
}

// own gives a person who has made a course or library, and who would be locked out of it otherwise, the roles that the
// platform gives whoever makes one: by legacy rows or by an assignment, as it is decided.
func (a *App) own(ctx context.Context, tx *db.Tx, t thing) error {
	if a.actor.system || t.name == "" {
		return nil
	}
	who, err := a.guard().account(ctx, tx, a.actor.id)
	if err != nil || who.Admin() {
		return err
	}
	assign := func(role string) error {
		_, err := authz.Assign(ctx, tx, []authz.Grant{{User: who.Username, Role: role, Scope: t.name}},
			authz.Options{Actor: who.ID, Reason: "made it"})
		return err
	}
	if t.library {
		return assign("library_admin")
	}
	k, err := a.guard().ask(ctx, who, false)
	if err != nil {
		return err
	}
	if t.course.IsCourse() && k.flag.Course(t.name, t.course.Org(), k.everyone) {
		return assign("course_admin")
	}
	var rows []legacy.Row
	for _, role := range []legacy.Role{legacy.Instructor, legacy.Staff} {
		rows = append(rows, legacy.Row{User: who.ID, Org: t.course.Org(), Course: t.name, Role: role})
	}
	_, err = legacy.Add(ctx, tx, rows)
	return err
}

// mayAccount asks about a use case of operators that gives power over an account: over a superuser's only superusers have
// it, or staff could become what they are not.
func (a *App) mayAccount(ctx context.Context, name, target string) error {
	if err := a.may(ctx, name); err != nil || a.actor.system {
		return err
	}
	u, err := user.ByName(ctx, a.DB, target)
	if fault.Is(err, fault.NotFound) {
		return nil // which the use case tells
	}
	if err != nil || !u.Superuser {
		return err
	}
	return a.maySuper(ctx, name)
}

// mayAdd asks about making an account, for which the same holds.
func (a *App) mayAdd(ctx context.Context, name string, n user.New) error {
	if err := a.may(ctx, name); err != nil || a.actor.system || !n.Superuser {
		return err
	}
	return a.maySuper(ctx, name)
}

func (a *App) maySuper(ctx context.Context, name string) error {
	who, err := a.guard().standing(ctx, a.actor, name)
	if err != nil || who.Superuser {
		return err
	}
	e := fault.Errorf(fault.Denied, who.Username, "this is for superusers").WithNext("ask one of them, or leave out --as where you operate the system")
	e.Data = Denied{who.Username, name, "*"}
	return e
}
