package authz

import (
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
)

// Permission is an action and what a role's row says of it: allow, deny, or a word that means nothing.
type Permission struct{ Action, Effect string }

// Role is a role with the permissions that it lists itself.
type Role struct {
	Name        string
	Permissions []Permission // in the order of rows
}

// Allowed returns the names of the actions, whatever their effect, as clients list them.
func (r Role) Actions() []string {
	names := make([]string, len(r.Permissions))
	for i, p := range r.Permissions {
		names[i] = p.Action
	}
	return names
}

// listed calls fn for the p rows of a role and of the roles that it reaches over rows whose domain is *, each once, until
// it returns false (authz.md §6).
func (x *Index) listed(role uint32, fn func(policyRow) bool) {
	star := splitKey{ext: "*"}
	d := x.domains(star)
	seen := map[uint32]bool{role: true}
	step := []uint32{role}
	for hop := 0; hop <= maxHops && len(step) > 0; hop++ {
		var next []uint32
		for _, at := range step {
			for _, i := range x.policy.own[at] {
				if !fn(x.policy.rows[i]) {
					return
				}
			}
			x.in(x.people.of(at), &d, star, func(e entry) bool {
				if !seen[e.role] {
					seen[e.role] = true
					next = append(next, e.role)
				}
				return true
			})
		}
		step = next
	}
}

// lists reports whether a role itself lists an action as allowed.
func (x *Index) lists(role uint32, action string) (found bool) {
	k := actionKey(action)
	x.listed(role, func(r policyRow) bool {
		found = r.eft == "allow" && k.equal(r.act)
		return !found
	})
	return found
}

// PermissionsOf returns what a role lists, each once, in the order of rows; nothing for a role without rows.
func (x *Index) PermissionsOf(role string) []Permission {
	id := x.names.find(roleKey(role))
	if id == 0 {
		return []Permission{}
	}
	return x.permissions(id)
}

func (x *Index) permissions(role uint32) []Permission {
	all := []Permission{}
	seen := map[Permission]bool{}
	x.listed(role, func(r policyRow) bool {
		if p := (Permission{external(r.act), r.eft}); !seen[p] {
			seen[p] = true
			all = append(all, p)
		}
		return true
	})
	return all
}

// RoleNames returns the namespaced names of all that has p rows, ascending.
func (x *Index) RoleNames() []string {
	names := make([]string, 0, len(x.policy.own))
	for id := range x.policy.own {
		names = append(names, x.names.text(id))
	}
	slices.Sort(names)
	return names
}

// RolesFor returns the roles that can be held in scopes of a namespace: those with p rows for all of it, with these rows'
// permissions, in the order of rows (authz.md §12.2).
func (x *Index) RolesFor(ns string) []Role {
	rs, _ := x.RolesDefined(ns + scope.Sep + "*") // of an unknown namespace there are none
	return rs
}

// RolesDefined returns the roles that have p rows with exactly this scope, a namespaced key. Only ns^* yields anything on a
// usual site (authz.md §6).
func (x *Index) RolesDefined(namespaced string) ([]Role, error) {
	if _, err := scope.ParseNamespaced(namespaced); err != nil {
		return nil, err
	}
	all := []Role{}
	at := map[string]int{}
	for _, r := range x.policy.rows {
		if r.scope != namespaced {
			continue
		}
		i, known := at[r.sub]
		if !known {
			i = len(all)
			at[r.sub] = i
			all = append(all, Role{Name: external(r.sub)})
		}
		all[i].Permissions = append(all[i].Permissions, Permission{external(r.act), r.eft})
	}
	return all, nil
}

// ActivePermissions returns the roles that somebody has at exactly this scope, or the one of that name, with their
// permissions, by name.
func (x *Index) ActivePermissions(sc, role string) ([]Role, error) {
	_, d, err := x.asked(sc)
	if err != nil {
		return nil, err
	}
	all := []Role{}
	seen := map[uint32]bool{}
	x.places.of(d[0]).all(func(e entry) bool {
		if seen[e.role] {
			return true
		}
		seen[e.role] = true
		if name := external(x.names.text(e.role)); role == "" || name == role {
			all = append(all, Role{name, x.permissions(e.role)})
		}
		return true
	})
	slices.SortFunc(all, func(a, b Role) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
