package authz

import (
	"cmp"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/fault"
)

// Effective is a grant as it counts in a scope that was asked for, which may lie in the one it was given in (authz.md §15, D2).
type Effective struct {
	Grant        // with the scope asked for
	Via   string // the scope of the assignment, an external key
}

// Inherited reports whether the role was given in a scope around the one asked for.
func (h Effective) Inherited() bool { return h.Via != h.Scope }

// seat is one assignment by numbers.
type seat struct{ sub, role, domain, seq uint32 }

// inOrder sorts assignments by the order of rows.
func inOrder(s []seat) []seat {
	slices.SortFunc(s, func(a, b seat) int { return cmp.Compare(a.seq, b.seq) })
	return s
}

func external(key string) string {
	if _, ext, ok := strings.Cut(key, "^"); ok {
		return ext
	}
	return key
}

func (x *Index) grant(s seat) Grant {
	return Grant{User: external(x.names.text(s.sub)), Role: external(x.names.text(s.role)), Scope: external(x.scopes.text(s.domain))}
}

// kind returns the kind of a stored domain; a domain that is no scope is an error, as no listing can say where such a
// role holds (authz.md §2.2).
func (x *Index) kind(domain uint32) (scope.Kind, error) {
	if k := scope.Kind(x.scopes.entry(domain).tag & tagKind); k != 0 {
		return k, nil
	}
	return 0, fault.Errorf(fault.Invalid, x.scopes.text(domain), "an assignment has a scope that is none").
		WithNext("remove the row from casbin_rule: it decides, but cannot be listed")
}

func (x *Index) grants(seats []seat) ([]Grant, error) {
	gs := make([]Grant, 0, len(seats))
	for _, s := range inOrder(seats) {
		if _, err := x.kind(s.domain); err != nil {
			if x.tolerant {
				continue
			}
			return nil, err
		}
		gs = append(gs, x.grant(s))
	}
	return gs, nil
}

func (x *Index) seatsOf(sub uint32) []seat {
	l := x.people.of(sub)
	seats := make([]seat, 0, l.len())
	l.all(func(e entry) bool {
		seats = append(seats, seat{sub, e.role, e.other, e.seq})
		return true
	})
	return seats
}

func (x *Index) seatsIn(domain uint32) []seat {
	l := x.places.of(domain)
	seats := make([]seat, 0, l.len())
	l.all(func(e entry) bool {
		seats = append(seats, seat{e.other, e.role, domain, e.seq})
		return true
	})
	return seats
}

// AssignmentsOf returns the grants of a user in the order of rows; with kinds, those in scopes of these kinds only.
func (x *Index) AssignmentsOf(user string, kinds ...scope.Kind) ([]Grant, error) {
	if user == "" {
		return nil, errNoKey
	}
	seats := x.seatsOf(x.names.find(userKey(user)))
	if len(kinds) > 0 {
		seats = slices.DeleteFunc(seats, func(s seat) bool {
			k, err := x.kind(s.domain)
			return err == nil && !slices.Contains(kinds, k)
		})
	}
	return x.grants(seats)
}

// RolesIn returns the roles that a user has in a scope, with those given in scopes around it, each once, in the order of
// rows. Roles of roles are not followed: these decide, but nobody was given them.
func (x *Index) RolesIn(user, sc string) ([]Effective, error) {
	if user == "" {
		return nil, errNoKey
	}
	c, d, err := x.asked(sc)
	if err != nil {
		return nil, err
	}
	sub := x.names.find(userKey(user))
	var seats []seat
	x.in(x.people.of(sub), &d, c, func(e entry) bool {
		seats = append(seats, seat{sub, e.role, e.other, e.seq})
		return true
	})
	return x.effective(seats, sc, func(s seat) uint32 { return s.role }), nil
}

// HoldersOf returns who has a role in a scope, with those who were given it in scopes around it, each once, in the order of
// rows. Roles that have the role are passed over.
func (x *Index) HoldersOf(role, sc string) ([]Effective, error) {
	c, d, err := x.asked(sc)
	if err != nil {
		return nil, err
	}
	id := x.names.find(roleKey(role))
	if id == 0 {
		return []Effective{}, nil
	}
	var seats []seat
	collect := func(domain uint32) {
		x.places.of(domain).all(func(e entry) bool {
			if e.role == id && !strings.HasPrefix(x.names.text(e.other), rolePrefix) {
				seats = append(seats, seat{e.other, e.role, domain, e.seq})
			}
			return true
		})
	}
	for _, domain := range d {
		if domain != 0 {
			collect(domain)
		}
	}
	for _, domain := range x.odd {
		if domain != d[0] && x.oddHolds(domain, c) {
			collect(domain)
		}
	}
	return x.effective(seats, sc, func(s seat) uint32 { return s.sub }), nil
}

// effective returns seats as they count in a scope, the first of each key.
func (x *Index) effective(seats []seat, sc string, key func(seat) uint32) []Effective {
	seen := make(map[uint32]bool, len(seats))
	all := make([]Effective, 0, len(seats))
	for _, s := range inOrder(seats) {
		if !seen[key(s)] {
			seen[key(s)] = true
			g := x.grant(s)
			all = append(all, Effective{Grant{g.User, g.Role, sc}, g.Scope})
		}
	}
	return all
}

func roleKey(name string) splitKey { return splitKey{"role", name, true} }

// asked reads a client's scope.
func (x *Index) asked(sc string) (splitKey, domains, error) {
	s, err := scope.Parse(sc)
	if err != nil {
		return splitKey{}, domains{}, err
	}
	c := splitKey{s.NS(), sc, true}
	return c, x.domains(c), nil
}

// InScope is what one subject has in one scope.
type InScope struct {
	User  string
	Roles []string // in the order of rows
	Scope string
}

// AssignmentsIn returns who has which roles at exactly this scope, in the order of their first rows.
func (x *Index) AssignmentsIn(sc string) ([]InScope, error) {
	_, d, err := x.asked(sc)
	if err != nil {
		return nil, err
	}
	teams := []InScope{}
	at := map[uint32]int{}
	for _, s := range inOrder(x.seatsIn(d[0])) {
		i, known := at[s.sub]
		if x.tolerant && !strings.HasPrefix(x.names.text(s.sub), userPrefix) {
			continue
		}
		g := x.grant(s)
		if !known {
			i = len(teams)
			at[s.sub] = i
			teams = append(teams, InScope{User: g.User, Scope: sc})
		}
		teams[i].Roles = append(teams[i].Roles, g.Role)
	}
	return teams, nil
}

// UsersOf returns the names of those who have a role at exactly this scope, in the order of rows.
func (x *Index) UsersOf(role, sc string) ([]string, error) {
	gs, err := x.Assigned(Exact{Role: role, Scope: sc})
	if err != nil {
		return nil, err
	}
	names := make([]string, len(gs))
	for i, g := range gs {
		names[i] = g.User
	}
	return names, nil
}

// Exact asks for rows with exactly these external keys; an empty one asks for any.
type Exact struct{ User, Role, Scope string }

// Assigned returns the grants that were made with exactly these keys, in the order of rows. Those of subjects that are no
// users are among them, unless a user is asked for.
func (x *Index) Assigned(f Exact) ([]Grant, error) {
	var role uint32
	if f.Role != "" {
		if role = x.names.find(roleKey(f.Role)); role == 0 {
			role = none
		}
	}
	var seats []seat
	keep := func(s seat) {
		if role == 0 || s.role == role {
			seats = append(seats, s)
		}
	}
	var at uint32
	if f.Scope != "" {
		_, d, err := x.asked(f.Scope)
		if err != nil {
			return nil, err
		}
		if at = d[0]; at == 0 {
			at = none
		}
	}
	switch {
	case f.User != "":
		sub := x.names.find(userKey(f.User))
		x.people.of(sub).all(func(e entry) bool {
			if at == 0 || e.other == at {
				keep(seat{sub, e.role, e.other, e.seq})
			}
			return true
		})
	case at != 0:
		x.places.of(at).all(func(e entry) bool {
			keep(seat{e.other, e.role, at, e.seq})
			return true
		})
	default:
		x.people.each(func(sub uint32, l list) bool {
			l.all(func(e entry) bool {
				keep(seat{sub, e.role, e.other, e.seq})
				return true
			})
			return true
		})
	}
	return x.grants(seats)
}

// none is a number that nothing has.
const none = ^uint32(0)

// ScopesFor returns the scopes of a user's grants whose role lists the action itself as allowed, each once, in the order
// of rows (authz.md §6): neither what another permission implies, nor scopes inside those, nor the shortcut of super
// admins.
func (x *Index) ScopesFor(user, action string) ([]scope.Scope, error) {
	ids, err := x.scopesFor(user, action)
	if err != nil {
		return nil, err
	}
	all := make([]scope.Scope, len(ids))
	for i, id := range ids {
		if all[i], err = scope.ParseNamespaced(x.scopes.text(id)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (x *Index) scopesFor(user, action string) ([]uint32, error) {
	if user == "" || action == "" {
		return nil, errNoKey
	}
	seen := map[uint32]bool{}
	lists := map[uint32]bool{}
	var ids []uint32
	for _, s := range inOrder(x.seatsOf(x.names.find(userKey(user)))) {
		if _, err := x.kind(s.domain); err != nil {
			if x.tolerant {
				continue
			}
			return nil, err
		}
		has, known := lists[s.role]
		if !known {
			has = x.lists(s.role, action)
			lists[s.role] = has
		}
		if has && !seen[s.domain] {
			seen[s.domain] = true
			ids = append(ids, s.domain)
		}
	}
	return ids, nil
}

// AllowedAnywhere reports whether a user is a super admin, or has, in some scope, a role that lists the action itself
// (authz.md §6; what another permission implies does not count, D4).
func (x *Index) AllowedAnywhere(user, action string) (bool, error) {
	if user == "" || action == "" {
		return false, errNoKey
	}
	if super, err := x.super(user); super || err != nil {
		return super, err
	}
	ids, err := x.scopesFor(user, action)
	return len(ids) > 0, err
}
