package app

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/user"
)

// gate is the one place that says whether an actor may do something (design.md §4, "Permissions, twice"). It looks at the
// authoring flag first: a course whose flag is off is decided by its legacy role rows, one whose flag is on, and every
// library, by assignments.
//
// Policy and flag are kept in memory, and can be behind by the pause of [App.Watch]. That never makes a no: before anybody
// is denied they are brought up to date and asked once more. So roles may move from one side of the flag to the other, and
// nobody is turned away between. Legacy rows and the person's account are read each time.
type gate struct {
	db      *db.DB
	engine  *authz.Engine
	flag    atomic.Pointer[flagState]
	legacy  atomic.Pointer[legacy.Policy]
	tables  atomic.Bool // those of permissions are there, and of today
	watched atomic.Bool // somebody keeps policy and flag current
}

// flagState is the authoring flag and when it was read.
type flagState struct {
	*flags.State
	at time.Time
}

// reread is how old the flag may get even where nothing seems to have changed: what is altered by hand does not show.
const reread = time.Minute

func newGate(d *db.DB) *gate { return &gate{db: d, engine: authz.NewEngine(d)} }

// guard returns the gate of the store.
func (a *App) guard() *gate {
	if a.gate == nil {
		return newGate(a.DB)
	}
	return a.gate
}

// refresh brings flag and policy up to date, the flag first: a policy that is newer holds what moved with it.
func (g *gate) refresh(ctx context.Context) error {
	if err := g.refreshFlag(ctx); err != nil {
		return err
	}
	if !g.tables.Load() {
		names, err := inspect.Names(ctx, g.db)
		if err != nil || !names[authz.NewestTable] {
			return err // nobody has assignments
		}
		g.tables.Store(true)
	}
	return g.engine.Refresh(ctx)
}

func (g *gate) refreshFlag(ctx context.Context) error {
	if s := g.flag.Load(); s != nil && time.Since(s.at) < reread {
		if changed, err := s.Changed(ctx, g.db); err != nil || !changed {
			return err
		}
	}
	now := time.Now()
	return g.db.View(ctx, func(tx *db.Tx) error {
		s, err := flags.Load(ctx, tx, flags.Authoring)
		if err == nil {
			g.flag.Store(&flagState{s, now})
		}
		return err
	})
}

// asker answers for one person at one moment.
type asker struct {
	g        *gate
	who      user.Standing
	index    *authz.Index
	policy   *legacy.Policy
	flag     *flags.State
	everyone bool // the flag is on for the person where nothing overrides it
	rows     []legacy.Row
	read     bool // rows were
}

// ask makes ready to answer for a person. With fresh everything is what the database holds now.
func (g *gate) ask(ctx context.Context, who user.Standing, fresh bool) (*asker, error) {
	if fresh || !g.watched.Load() || g.flag.Load() == nil {
		if err := g.refresh(ctx); err != nil {
			return nil, err
		}
	}
	x := g.engine.Index()
	p := g.legacy.Load()
	if p == nil || p.Index() != x {
		p = legacy.NewPolicy(x)
		g.legacy.Store(p)
	}
	k := &asker{g: g, who: who, index: x, policy: p, flag: g.flag.Load().State}
	k.everyone = k.flag.Active(flags.Request{Person: &flags.Person{ID: int64(who.ID), Staff: who.Staff, Superuser: who.Superuser, Groups: who.Groups}})
	return k, nil
}

// may reports whether the person may do an action on a thing.
func (k *asker) may(ctx context.Context, action string, t thing) (bool, error) {
	switch {
	case action == "", t.name == "":
		return false, nil // nothing that permissions are for
	case k.who.Admin() && !k.g.tables.Load():
		return true, nil // the policy, which knows super admins, is not there
	case t.library:
		return k.index.Allowed(k.who.Username, action, t.name)
	case t.course.IsZero():
		return false, nil
	}
	course := t.course
	if course.IsCourse() && k.flag.Course(t.name, course.Org(), k.everyone) {
		return k.index.AllowedRaw("user^"+k.who.Username, "act^"+action, "course-v1^"+t.name)
	}
	if !k.read {
		rows, err := legacy.OfUser(ctx, k.g.db, k.who.ID)
		if err != nil {
			return false, err
		}
		k.rows, k.read = rows, true
	}
	return k.policy.Allowed(k.who.Username, k.rows, action, course)
}

// thing is what an action is done to.
type thing struct {
	name    string
	course  keys.Course // zero for others
	library bool        // name is the key of a library
}

// theCourse returns a course or legacy library as a thing; all branches are one.
func theCourse(key keys.Course) (thing, error) {
	key, err := key.WithoutBranch()
	if err != nil {
		return thing{}, err
	}
	return thing{name: key.String(), course: key}, nil
}

// thePackage returns what a learning package is of: a course, a library, or neither, which is the operators' business.
func thePackage(ref string) thing {
	if strings.HasPrefix(ref, "lib:") {
		return thing{name: ref, library: true}
	}
	key, err := keys.ParseCourse(ref)
	if err != nil {
		return thing{}
	}
	t, err := theCourse(key)
	if err != nil {
		return thing{}
	}
	return t
}

// action returns the action that a permission asks for on a thing.
func (p Permission) action(t thing) string {
	if t.library {
		return p.library
	}
	return p.course
}

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
	e := fault.Errorf(fault.Denied, t.name, "%s may not do this here: it takes the permission %s", k.who.Username, action).
		WithNext("see why, and which roles would allow it: lectern authz explain " + k.who.Username + " " + action + " " + t.name)
	e.Data = Denied{k.who.Username, action, t.name}
	return e
}

func onlyOperators(who, name string) error {
	e := fault.Errorf(fault.Denied, who, "this is for staff and superusers").WithNext("ask one of them, or leave out --as where you operate the system")
	e.Data = Denied{who, name, "*"}
	return e
}

// standing reads the account of the actor. Nobody, and accounts that are not in use, are Denied.
func (g *gate) standing(ctx context.Context, actor Actor, name string) (s user.Standing, err error) {
	if actor.id != 0 {
		s, err = user.StandingOf(ctx, g.db, actor.id)
	}
	switch {
	case actor.id == 0 || fault.Is(err, fault.NotFound):
		e := fault.Errorf(fault.Denied, "nobody", "nobody is signed in").WithNext("sign in, or name a user with --as")
		e.Data = Denied{"", name, "*"}
		return s, e
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
		for _, t := range things {
			if err := g.allow(ctx, who, p.action(t), t, name); err != nil {
				return err
			}
		}
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
	if who.Admin() && (action == "" || t.name == "") {
		return nil
	}
	for _, fresh := range []bool{false, true} {
		k, err := g.ask(ctx, who, fresh)
		if err != nil {
			return err
		}
		yes, err := k.may(ctx, action, t)
		if yes || err != nil {
			return err
		}
		if fresh || !g.watched.Load() { // what is not watched is fresh
			return k.denied(action, t, name)
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
	if there, err := user.There(ctx, d); err != nil {
		return err
	} else if !there {
		return noUsers(username)
	}
	u, err := user.ByName(ctx, d, username)
	if err != nil {
		return err
	}
	a := App{actor: Person(u)}
	a.DB = d
	return a.may(ctx, name)
}

func noUsers(username string) error {
	return fault.Errorf(fault.NotFound, username, "the database has no users").WithNext("leave out --as")
}

// mayAlso asks about the other permission of a use case: to operate, or to make something in an organization.
func (a *App) mayAlso(ctx context.Context, name string, t thing) error {
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
	rows, err := legacy.OfUser(ctx, g.db, who.ID)
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

// Watch keeps what permissions are decided by current until ctx ends, looking every so often, half a second where every is
// not positive. Without it every use case looks for itself, which costs it a few small statements.
func (a *App) Watch(ctx context.Context, every time.Duration) error {
	if every <= 0 {
		every = authz.DefaultPause
	}
	g := a.guard()
	if err := g.refresh(ctx); err != nil {
		return err
	}
	g.watched.Store(true)
	defer g.watched.Store(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.engine.Watch(ctx, every)
	}()
	defer func() { <-done }()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			_ = g.refreshFlag(ctx) // the next look may go well; Staleness of the engine tells of a database that is away
		}
	}
}

// Engine returns the permissions engine of the store, which [App.Watch] keeps current.
func (a *App) Engine() *authz.Engine { return a.guard().engine }
