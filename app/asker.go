package app

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// asker answers for one person at one moment.
type asker struct {
	g        *gate
	who      user.Standing
	index    *authz.Index
	flag     *flags.State
	everyone bool // the flag is on for the person where nothing overrides it
	tables   map[string]bool
	rows     []legacy.Row
	read     bool // rows were
}

// ask makes ready to answer for a person. With fresh everything is what the database holds now.
func (g *gate) ask(ctx context.Context, who user.Standing, fresh bool) (*asker, error) {
	k := &asker{g: g, who: who}
	var err error
	if k.index, err = g.policyFor(ctx, who.Username, fresh); err != nil {
		return nil, err
	}
	if k.tables, err = g.tables(ctx); err != nil {
		return nil, err
	}
	k.flag = g.flag.Load().State
	k.everyone = k.flag.Active(flags.Request{Person: &flags.Person{ID: int64(who.ID), Staff: who.Staff, Superuser: who.Superuser, Groups: who.Groups}})
	return k, nil
}

// policyFor returns the policy to answer for one person by, and sees that the flag is not older than it: of the engine where
// that is watched, else read for this person alone, as commands ask little and end.
func (g *gate) policyFor(ctx context.Context, username string, fresh bool) (x *authz.Index, err error) {
	if g.watched.Load() && g.flag.Load() != nil {
		if fresh {
			err = g.refresh(ctx)
		}
		return g.engine.Index(), err
	}
	if err := g.refreshFlag(ctx); err != nil {
		return nil, err
	}
	names, err := g.tables(ctx)
	if err != nil || !names[authz.NewestTable] {
		return authz.NewIndex(nil), err // nobody has assignments
	}
	err = g.db.View(ctx, func(tx *db.Tx) (err error) {
		x, err = authz.LoadFor(ctx, tx, username)
		return err
	})
	return x, err
}

// byRows returns the answers by legacy rows that go with a policy.
func (g *gate) byRows(x *authz.Index) *legacy.Policy {
	p := g.legacy.Load()
	if p == nil || p.Index() != x {
		p = legacy.NewPolicy(x)
		g.legacy.Store(p)
	}
	return p
}

// may reports whether the person may do an action on a thing.
func (k *asker) may(ctx context.Context, action string, t thing) (bool, error) {
	switch {
	case action == "", t.name == "":
		return false, nil // nothing that permissions are for
	case k.who.Admin() && !k.tables[authz.NewestTable]:
		return true, nil // the policy, which knows super admins, is not there
	case t.library, t.assigned:
		return k.index.Allowed(k.who.Username, action, t.name)
	case t.course.IsZero():
		return false, nil
	}
	course := t.course
	// Roles in old courses have no assignments that they could become (authz-migration.md §4).
	if course.IsCourse() && !course.Deprecated() && k.flag.Course(t.name, course.Org(), k.everyone) {
		return k.index.AllowedRaw("user^"+k.who.Username, "act^"+action, "course-v1^"+t.name)
	}
	if !k.read {
		rows, err := legacy.OfUser(ctx, k.g.db, k.who.ID, k.tables)
		if err != nil {
			return false, err
		}
		k.rows, k.read = rows, true
	}
	return k.g.byRows(k.index).Allowed(k.who.Username, k.rows, action, course)
}

// thing is what an action is done to.
type thing struct {
	name    string
	course  keys.Course // zero for others
	library bool        // name is the key of a library
	// assigned is set where assignments alone decide, whatever the flag says: for changing assignments, and for scopes that
	// are more than one course.
	assigned bool
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
