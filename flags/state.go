package flags

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// State is all that is said of one flag, as it was when it was read. It is never changed, so it is safe for concurrent
// use, and answers without a query and without allocating.
type State struct {
	name    string
	flag    *Flag
	rules   bool // the table of flags is there
	courses overrides
	orgs    overrides
	members memberMark
}

// Load reads the state of a flag. A flag without rows, or a database without the tables, gives a state in which it is off.
// On a *db.DB the queries are not one snapshot: what changes meanwhile [State.Changed] tells of.
func Load(ctx context.Context, q db.Querier, name string) (*State, error) {
	there, err := inspect.Names(ctx, q)
	if err != nil {
		return nil, err
	}
	s := &State{name: name, rules: there[flagTable]}
	s.courses.there, s.orgs.there = there[courseOverrides.name], there[orgOverrides.name]
	if s.rules {
		if s.flag, err = readFlag(ctx, q, name); err != nil {
			return nil, fmt.Errorf("read flag %s: %w", name, err)
		}
	}
	// Marks come first: a row that is added after them shows by them, whether it is read below or not.
	if err := s.place(ctx, q); err != nil {
		return nil, fmt.Errorf("look at flag %s: %w", name, err)
	}
	if s.flag != nil {
		if err := s.flag.readMembers(ctx, q); err != nil {
			return nil, fmt.Errorf("read who has flag %s: %w", name, err)
		}
	}
	for _, o := range []struct {
		*overrides
		table *overrideTable
	}{{&s.courses, &courseOverrides}, {&s.orgs, &orgOverrides}} {
		if !o.there {
			continue
		}
		if err := o.load(ctx, q, o.table, name); err != nil {
			return nil, fmt.Errorf("read the overrides of flag %s: %w", name, err)
		}
		slices.SortFunc(o.listed, func(a, b listed) int { return cmp.Compare(a.id, b.id) })
	}
	return s, nil
}

// Name returns the name of the flag.
func (s *State) Name() string { return s.name }

// Flag returns waffle's row of the flag, nil when there is none, which means off. It must not be changed.
func (s *State) Flag() *Flag { return s.flag }

// Everyone reports whether the flag is on for everybody: what counts as its global value where no person asks, in lists and
// when roles are moved (authz-migration.md §3).
func (s *State) Everyone() bool { return s.flag != nil && s.flag.Everyone != nil && *s.flag.Everyone }

// Override returns what the override of a scope makes of the flag; ok is false where there is none, and for the global
// scope, which nothing overrides.
func (s *State) Override(scope Scope) (on, ok bool) {
	switch {
	case scope.course != "":
		return s.courses.get(scope.course)
	case scope.org != "":
		return s.orgs.get(scope.org)
	}
	return false, false
}

// Course reports whether the flag is on for a course, given by its key and its organization's name. global is what the
// flag is without overrides: [State.Everyone], or [Flag.Active] of who asks.
func (s *State) Course(key, org string, global bool) bool {
	if on, ok := s.courses.get(key); ok {
		return on
	}
	return s.Org(org, global)
}

// Org is [State.Course] for an organization as a whole.
func (s *State) Org(org string, global bool) bool {
	if on, ok := s.orgs.get(org); ok {
		return on
	}
	return global
}

// Active reports whether the flag is on for a request, overrides left out of account.
func (s *State) Active(r Request) bool { return s.flag != nil && s.flag.Active(r) }

// Split lists the keys of overrides by what they force.
type Split struct {
	On  []string `json:"on"`
	Off []string `json:"off"`
}

// States is what clients are told of a flag (authz.md §12.12).
type States struct {
	Global  bool  `json:"global"`
	Orgs    Split `json:"org_overrides"`
	Courses Split `json:"course_overrides"`
}

// States lists the overrides in force, by the rows with the highest ids, in the order of these.
func (s *State) States() States {
	return States{Global: s.Everyone(), Orgs: s.orgs.split(), Courses: s.courses.split()}
}
