package roleshift

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

// Options say how roles move with the flag.
type Options struct {
	Canonical bool // the organization's name is its own spelling, as [Ask] has it
	Shift     bool // roles move; without it only the flag is changed (M-01)
	KeepGoing bool
	Actor     user.ID
	Reason    string
}

// Flip changes the authoring flag for a course or an organization, and moves the roles of what is on the other side by that,
// in one transaction (M-37). The run is nil where nothing moves: the flag comes to the same there, or it is not asked for.
// Which way they move is told by what the flag comes to before and after, the organization's override and everybody's value
// with it (M-05…M-07).
func Flip(ctx context.Context, tx *db.Tx, scope flags.Scope, c flags.Change, o Options) (set flags.Override, run *Run, ask Ask, err error) {
	if !o.Shift {
		set, err = flags.Set(ctx, tx, flags.Authoring, scope, c)
		return set, nil, ask, err
	}
	if err := alone(ctx, tx); err != nil {
		return set, nil, ask, err
	}
	// Two that turn the same flag follow one another from here, each from what the other has left.
	if err := authz.Hold(ctx, tx); err != nil {
		return set, nil, ask, err
	}
	before, err := flags.Load(ctx, tx, flags.Authoring)
	if err != nil {
		return set, nil, ask, err
	}
	if set, err = flags.Set(ctx, tx, flags.Authoring, scope, c); err != nil {
		return set, nil, ask, err
	}
	after, err := flags.Load(ctx, tx, flags.Authoring)
	if err != nil {
		return set, nil, ask, err
	}
	was, is := effective(before, scope), effective(after, scope)
	if was == is {
		return set, nil, ask, nil
	}
	ask = AskFor(after, scope, is, tx.Engine().MySQLFamily())
	ask.Canonical, ask.KeepGoing, ask.Actor, ask.Reason, ask.Turn = o.Canonical, o.KeepGoing, o.Actor, o.Reason, TurnOf(scope, c)
	run, err = Track(ctx, tx, ask)
	return set, run, ask, err
}

// Intend says what a change of the flag would move, for a run in batches: an ask without direction where it comes to the same.
// was tells what the flag comes to now.
func Intend(ctx context.Context, tx *db.Tx, scope flags.Scope, c flags.Change, o Options) (ask Ask, was bool, err error) {
	before, err := flags.Load(ctx, tx, flags.Authoring)
	if err != nil {
		return ask, false, err
	}
	after := c.On
	switch {
	case c.Drop && scope.Course() != "":
		after = before.Org(scope.CourseOrg(), before.Everyone())
	case c.Drop:
		after = before.Everyone()
	}
	if was = effective(before, scope); was == after {
		return ask, was, nil
	}
	ask = AskFor(before, scope, after, tx.Engine().MySQLFamily())
	ask.Canonical, ask.KeepGoing, ask.Actor, ask.Reason, ask.Turn = o.Canonical, o.KeepGoing, o.Actor, o.Reason, TurnOf(scope, c)
	return ask, was, nil
}

// effective is what the flag comes to for a scope.
func effective(s *flags.State, scope flags.Scope) bool {
	if scope.Course() != "" {
		return s.Course(scope.Course(), scope.CourseOrg(), s.Everyone())
	}
	return s.Org(scope.Org(), s.Everyone())
}

// AskFor returns what it takes to have the roles of a scope on the side of on: for an organization without the courses whose
// own override says otherwise (M-24), for a course with what its organization on the other side gives (M-25). fold says that
// the database knows no letter case.
func AskFor(s *flags.State, scope flags.Scope, on, fold bool) Ask {
	ask := Ask{Direction: To(on), Derive: true}
	if c := scope.Course(); c != "" {
		ask.Courses = []string{c}
		return ask
	}
	ask.Org = scope.Org()
	opposed := s.States().Courses.Off
	if !on {
		opposed = s.States().Courses.On
	}
	for _, c := range opposed {
		org := legacy.OrgOf(c)
		if org == ask.Org || fold && strings.EqualFold(org, ask.Org) {
			ask.Excluded = append(ask.Excluded, c)
		}
	}
	return ask
}

// Effective is what the flag comes to for a course or an organization.
func Effective(s *flags.State, scope flags.Scope) bool { return effective(s, scope) }

// Effective is what the flag comes to for what is asked for.
func (a Ask) Effective(s *flags.State) bool {
	if a.Org != "" {
		return s.Org(a.Org, s.Everyone())
	}
	return len(a.Courses) > 0 && s.Course(a.Courses[0], legacy.OrgOf(a.Courses[0]), s.Everyone())
}

// Ask returns what brings the roles of the scope to the side of the flag.
func (d Drift) Ask(s *flags.State, fold bool) (Ask, error) {
	var scope flags.Scope
	var err error
	if d.Org != "" {
		scope, err = flags.ForOrg(d.Org)
	} else {
		var key keys.Course
		if key, err = keys.ParseCourse(d.Course); err == nil {
			scope, err = flags.ForCourse(key)
		}
	}
	if err != nil {
		return Ask{}, err
	}
	return AskFor(s, scope, effective(s, scope), fold), nil
}
