package app

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// Denied is the further data of the error of somebody who may not do something.
type Denied struct {
	User   string `json:"user"`
	Action string `json:"action"`
	Scope  string `json:"scope"`
}

func (k *asker) denied(action string, t thing, name string) error {
	if action == "" || t.name == "" {
		return onlyOperators(k.who.Username, name)
	}
	return deniedThing(k.who.Username, action, t)
}

func deniedThing(who, action string, t thing) error {
	e := fault.Errorf(fault.Denied, t.name, "%s may not do this here: it takes the permission %s", who, action).
		WithNext("see why, and which roles would allow it: lectern authz explain " + who + " " + action + " " + t.name)
	e.Data = Denied{who, action, t.name}
	return e
}

// mayTeams is may for changes of teams that are asked for over /api/authz/v1: assignments alone decide, as they do in the
// whole of it (authz.md §11), by the policy that answers there. Whether the account is in use has been seen to by who let
// the person in.
func (a *App) mayTeams(name string, scopes ...string) error {
	if a.actor.system {
		return nil
	}
	if a.actor.name == "" {
		return deniedNobody(name)
	}
	grants := make([]authz.Grant, len(scopes))
	for i, s := range scopes {
		grants[i].Scope = s
	}
	x := a.guard().engine.Index().Tolerant()
	p := useCases[name]
	for _, t := range teams(grants) {
		yes, err := x.Allowed(a.actor.name, p.action(t), t.name)
		if err != nil {
			return err
		}
		if !yes {
			return deniedThing(a.actor.name, p.action(t), t)
		}
	}
	return nil
}

func deniedNobody(name string) error {
	e := fault.Errorf(fault.Denied, "nobody", "nobody is signed in").WithNext("sign in, or name a user with --as")
	e.Data = Denied{"", name, "*"}
	return e
}

func onlyOperators(who, name string) error {
	e := fault.Errorf(fault.Denied, who, "this is for staff and superusers").WithNext("ask one of them, or leave out --as where you operate the system")
	e.Data = Denied{who, name, "*"}
	return e
}

// account reads the standing of an account.
func (g *gate) account(ctx context.Context, q db.Querier, id user.ID) (user.Standing, error) {
	names, err := g.tables(ctx)
	if err != nil {
		return user.Standing{}, err
	}
	return user.StandingOf(ctx, q, id, names)
}

// standing reads the account of the actor. Nobody, and accounts that are not in use, are Denied.
func (g *gate) standing(ctx context.Context, actor Actor, name string) (s user.Standing, err error) {
	if actor.id != 0 {
		s, err = g.account(ctx, g.db, actor.id)
	}
	switch {
	case actor.id == 0 || fault.Is(err, fault.NotFound):
		return s, deniedNobody(name)
	case err == nil && (!s.Active || s.Retired):
		e := fault.Errorf(fault.Denied, s.Username, "the account is not in use any more").WithNext("let somebody else do it, or enable the account: lectern user enable " + s.Username)
		e.Data = Denied{s.Username, name, "*"}
		return s, e
	}
	return s, err
}

// may is asked by every use case, with its own name, before anything else: nil, or an error of kind Denied that says what
// is missing. Use cases of kind allowed or viewers ask about things.
func (a *App) may(ctx context.Context, name string, things ...thing) error {
	p := useCases[name]
	if p.who == 0 {
		return fault.Errorf(fault.Internal, name, "the use case has no permission")
	}
	if err := a.notOld(ctx, name, false, things...); err != nil {
		return err
	}
	if a.actor.system {
		return nil
	}
	g := a.guard()
	who, err := g.standing(ctx, a.actor, name)
	if err != nil {
		return err
	}
	switch p.who {
	case operators:
		if !who.Admin() {
			return onlyOperators(who.Username, name)
		}
	case allowed:
		return g.allowAll(ctx, who, p, things, name)
	}
	return nil
}

// mayCourse is may for one course or legacy library.
func (a *App) mayCourse(ctx context.Context, name string, key keys.Course) error {
	t, err := theCourse(key)
	if err != nil {
		return err
	}
	return a.may(ctx, name, t)
}

// allow asks about one action on one thing, twice before it says no.
func (g *gate) allow(ctx context.Context, who user.Standing, action string, t thing, name string) error {
	return g.allowAll(ctx, who, Permission{course: action, library: action}, []thing{t}, name)
}

// allowAll asks about the action of a permission on each of some things, by one policy and, before it says no, once more by
// what the database holds now.
func (g *gate) allowAll(ctx context.Context, who user.Standing, p Permission, things []thing, name string) error {
	var k *asker
	fresh := false
	for _, t := range things {
		action := p.action(t)
		if who.Admin() && (action == "" || t.name == "") {
			continue
		}
		for {
			if k == nil {
				var err error
				if k, err = g.ask(ctx, who, fresh); err != nil {
					return err
				}
			}
			yes, err := k.may(ctx, action, t)
			if err != nil {
				return err
			}
			if yes {
				break
			}
			if fresh || !g.watched.Load() { // what is not watched is fresh
				return k.denied(action, t, name)
			}
			fresh, k = true, nil
		}
	}
	return nil
}

// mayOperate asks about a use case of operators on a database of any age, by the name of a user; without one it is the
// system's.
func mayOperate(ctx context.Context, d *db.DB, username, name string) error {
	if username == "" {
		return nil
	}
	g := newGate(d)
	if names, err := g.tables(ctx); err != nil {
		return err
	} else if !user.There(names) {
		return noUsers(username)
	}
	u, err := user.ByName(ctx, d, username)
	if err != nil {
		return err
	}
	a := App{actor: Person(u), gate: g}
	a.DB = d
	return a.may(ctx, name)
}

func noUsers(username string) error {
	return fault.Errorf(fault.NotFound, username, "the database has no users").WithNext("leave out --as")
}

// mayAlso asks about the other permission of a use case: to operate, or to make something in an organization.
func (a *App) mayAlso(ctx context.Context, name string, t thing) error {
	if err := a.notOld(ctx, name, true, t); err != nil {
		return err
	}
	if a.actor.system {
		return nil
	}
	g := a.guard()
	who, err := g.standing(ctx, a.actor, name)
	if err != nil || who.Admin() {
		return err
	}
	if useCases[name].also != creators || t.name == "" {
		return onlyOperators(who.Username, name)
	}
	names, err := g.tables(ctx)
	if err != nil {
		return err
	}
	rows, err := legacy.OfUser(ctx, g.db, who.ID, names)
	if err != nil || legacy.Creates(rows, t.org()) {
		return err
	}
	e := fault.Errorf(fault.Denied, t.name, "%s may not make courses or libraries of %s", who.Username, t.org()).
		WithNext("ask staff to do it, or to put " + who.Username + " into the group of course creators")
	e.Data = Denied{who.Username, string(legacy.CourseCreator), t.name}
	return e
}

// org returns the name of the organization that a thing is of.
func (t thing) org() string {
	if !t.library {
		return t.course.Org()
	}
	_, rest, _ := strings.Cut(t.name, ":")
	org, _, _ := strings.Cut(rest, ":")
	return org
}

// mayAct asks about an action on a course beside that of the use case.
func (a *App) mayAct(ctx context.Context, name, action string, t thing) error {
	if err := a.notOld(ctx, name, false, t); err != nil {
		return err
	}
	if a.actor.system {
		return nil
	}
	g := a.guard()
	who, err := g.standing(ctx, a.actor, name)
	if err != nil {
		return err
	}
	return g.allow(ctx, who, action, t, name)
}

// visible keeps of a list what the actor may see by a use case of kind viewers. Who may see nothing of something is Denied.
func visible[T any](ctx context.Context, a *App, name string, list []T, of func(T) thing) ([]T, error) {
	if a.actor.system {
		return list, nil
	}
	g := a.guard()
	who, err := g.standing(ctx, a.actor, name)
	if err != nil {
		return nil, err
	}
	k, err := g.ask(ctx, who, true)
	if err != nil {
		return nil, err
	}
	p := useCases[name]
	out := make([]T, 0, len(list))
	for _, e := range list {
		t := of(e)
		yes, err := k.may(ctx, p.action(t), t)
		if err != nil && !fault.Is(err, fault.Invalid) { // a key that permissions cannot name is nobody's but the admins'
			return nil, err
		}
		if yes || who.Admin() && (err != nil || t.name == "") {
			out = append(out, e)
		}
	}
	if len(out) == 0 && !who.Admin() {
		return nil, k.denied(p.course, thing{name: "*"}, name)
	}
	return out, nil
}
