package authzapi

import (
	"net/http"
	"slices"

	"github.com/openlectern/lectern/authz/scope"
)

// Role is a role that can be given in a scope.
type Role struct {
	Role        string   `json:"role"`
	Permissions []string `json:"permissions"`
	Users       int      `json:"user_count"`
}

// listRoles lists the roles of a scope's kind, with how many hold each exactly there (authz.md §12.2).
func listRoles(c *call) (int, any, error) {
	f := faults{}
	s := c.readScope(f)
	if k := s.Kind(); k == scope.Generic || k == scope.BasePlatform { // the reference fails on them (D8)
		f.add("scope", isNoScope)
	}
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	roles := c.roles(s)
	w, err := windowOf(c.query, len(roles))
	if err != nil {
		return 0, nil, err
	}
	teams, err := c.ix.AssignmentsIn(s.Key())
	if err != nil {
		return 0, nil, err
	}
	holders := map[string]int{}
	for _, t := range teams {
		for _, r := range t.Roles {
			holders[r]++
		}
	}
	page := make([]Role, 0, w.to-w.from)
	for _, r := range roles[w.from:w.to] {
		page = append(page, Role{Role: r.Name, Permissions: r.Actions(), Users: holders[r.Name]})
	}
	return http.StatusOK, pageOf(c, w, page), nil
}

// readScope reads the scope that the query must name, of something that is there or not.
func (c *call) readScope(f faults) scope.Scope {
	key, ok := c.query.get("scope")
	if !ok {
		f.add("scope", isRequired)
		return scope.Scope{}
	}
	key, wrong := readText(key)
	if wrong != "" {
		f.add("scope", wrong)
		return scope.Scope{}
	}
	s, err := scope.Parse(key)
	if err != nil {
		f.add("scope", isNoScope)
	}
	return s
}

const isNoScope = "This is no scope: write lib:ORG:SLUG, course-v1:ORG+COURSE+RUN, or all of an organization as lib:ORG:* or course-v1:ORG+*."

// RoleHolder is a person who has roles in a scope.
type RoleHolder struct {
	Username string   `json:"username"`
	FullName string   `json:"full_name"`
	Email    string   `json:"email"`
	Roles    []string `json:"roles"`
}

// listHolders lists who has roles exactly in a scope (authz.md §12.3). People who are not active are there without name
// and address.
func listHolders(c *call) (int, any, error) {
	f := faults{}
	s := c.readScope(f)
	search := c.readSearch(f)
	roles := c.readList(f, "roles")
	lowerAll(roles)
	wanted := setOf(roles)
	order := c.readSorting(f, "username", "full_name", "email")
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	type holder struct {
		who   *person
		roles []string
	}
	teams, err := c.ix.AssignmentsIn(s.Key())
	if err != nil {
		return 0, nil, err
	}
	return again(c, func() (any, directory, []*person, error) {
		var names []string
		var all []holder
		for _, t := range teams {
			if slices.ContainsFunc(t.Roles, wanted.has) {
				names = append(names, t.User)
				all = append(all, holder{roles: t.Roles})
			}
		}
		d, err := c.peopleOf(names)
		if err != nil {
			return nil, d, nil, err
		}
		kept := all[:0]
		for i, h := range all {
			if h.who = d.people[names[i]]; h.who == nil || !h.who.Active {
				h.who = stranger(names[i])
			}
			if h.who.matches(search) {
				kept = append(kept, h)
			}
		}
		w, err := windowOf(c.query, len(kept))
		if err != nil {
			return nil, d, nil, err
		}
		slices.SortStableFunc(kept, func(a, b holder) int { return order.compare(a.who.key(order.by), b.who.key(order.by)) })
		var shown []*person
		page := make([]RoleHolder, 0, w.to-w.from)
		for _, h := range kept[w.from:w.to] {
			page = append(page, RoleHolder{h.who.Username, h.who.Name, h.who.Email, h.roles})
			if h.who.Active {
				shown = append(shown, h.who)
			}
		}
		return pageOf(c, w, page), d, shown, nil
	})
}
