package authzapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/things"
	"github.com/openlectern/lectern/user"
)

// Assignment is a role that somebody has somewhere, as the lists of one person's show it.
type Assignment struct {
	Role        string `json:"role"`
	Org         string `json:"org"`
	Scope       string `json:"scope"`
	Permissions int    `json:"permission_count"`
	ScopeName   string `json:"scope_display_name"`
	Superadmin  *bool  `json:"is_superadmin,omitempty"` // before release 1.33, see Config.OldNames
}

// TeamAssignment is an assignment in the list of everybody's.
type TeamAssignment struct {
	Superadmin  bool   `json:"is_superadmin"` // always false: nobody reads it any more, but it is part of the answer
	Role        string `json:"role"`
	Org         string `json:"org"`
	Scope       string `json:"scope"`
	Permissions int    `json:"permission_count"`
	FullName    string `json:"full_name"`
	Username    string `json:"username"`
	Email       string `json:"email"`
}

// Member is a person in the list of those who have roles. AssignationCount is what AssignmentCount was called before
// release 1.24, see Config.OldNames.
type Member struct {
	Username         string       `json:"username"`
	FullName         string       `json:"full_name"`
	Email            string       `json:"email"`
	AssignmentCount  int          `json:"assignment_count"`
	Assignments      []Assignment `json:"assignments"`
	AssignationCount *int         `json:"assignation_count,omitempty"`
}

// filter is what the lists of assignments can be narrowed by.
type filter struct {
	authz.Filter
	search string
}

// readFilter reads the filters of a list. The words of lower are compared in lower case.
func (c *call) readFilter(f faults, lower bool) filter {
	l := filter{Filter: authz.Filter{Orgs: c.readList(f, "orgs"), Scopes: c.readList(f, "scopes"), Roles: c.readList(f, "roles")}}
	if lower {
		lowerAll(l.Roles)
	}
	l.search = c.readSearch(f)
	return l
}

func lowerAll(list []string) {
	for i, s := range list {
		list[i] = strings.ToLower(s)
	}
}

func (c *call) readSearch(f faults) string { return strings.ToLower(c.readOptional(f, "search", 0)) }

// readOptional reads a text that may be absent or blank, of at most limit characters; 0 is no limit.
func (c *call) readOptional(f faults, name string, limit int) string {
	v, _ := c.query.get(name)
	v = strings.TrimSpace(v)
	switch {
	case strings.ContainsRune(v, 0):
		f.add(name, isNUL)
	case limit > 0 && utf8.RuneCountInString(v) > limit:
		f.add(name, isTooLong)
	}
	return v
}

func (c *call) readList(f faults, name string) []string {
	return splitList(c.readOptional(f, name, 0))
}

// group is one person who is shown in a list, with the number of the assignments that the list has of them.
type group struct {
	who   *person
	at    int // place in the sight
	count int
}

// groups returns the people whose assignments the caller may see, by name. Who is not active is not shown (authz.md §6).
func (c *call) groups(l filter) (*authz.Sight, []group, directory, error) {
	sight, err := c.ix.Visible(c.who.Username, l.Filter)
	if err != nil {
		return nil, nil, directory{}, err
	}
	names := sight.Names()
	d, err := c.peopleOf(names)
	if err != nil {
		return nil, nil, d, err
	}
	kept := make([]group, 0, len(names))
	for i, name := range names {
		if who := d.people[name]; who != nil && who.Active && who.matches(l.search) {
			kept = append(kept, group{who, i, sight.Count(i)})
		}
	}
	return sight, kept, d, nil
}

// listMembers lists people who have roles (authz.md §12.8).
func listMembers(c *call) (int, any, error) {
	f := faults{}
	l := c.readFilter(f, true)
	limit := c.readLimit(f)
	s := c.readSorting(f, "username", "full_name", "email")
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	return again(c, func() (any, directory, []*person, error) {
		x, err := c.listing(l, s)
		if err != nil {
			return nil, directory{}, nil, err
		}
		w, err := windowOf(c.query, len(x.groups))
		if err != nil {
			return nil, x.d, nil, err
		}
		groups := x.groups[w.from:w.to]
		members := make([]Member, len(groups))
		shown := make([]*person, len(groups))
		var keys []string
		for i, g := range groups {
			shown[i] = g.who
			members[i] = Member{Username: g.who.Username, FullName: g.who.Name, Email: g.who.Email, AssignmentCount: g.count}
			if c.oldNames {
				members[i].AssignationCount = new(g.count)
			}
			for _, h := range x.sight.Grants(g.at)[:min(limit, g.count)] {
				members[i].Assignments = append(members[i].Assignments, c.assignment(h.Role, h.Scope))
				keys = append(keys, h.Scope)
			}
		}
		titles, err := things.Names(c.ctx, c.db, keys)
		for i := range members {
			nameScopes(members[i].Assignments, titles)
		}
		return pageOf(c, w, members), x.d, shown, err
	})
}

// readLimit reads assignments_limit: 3 where it is absent, at most 10.
func (c *call) readLimit(f faults) int {
	const usual, most = 3, 10
	v, _ := c.query.get("assignments_limit")
	if v == "" {
		return usual
	}
	n, ok := parseInt(wholeNumber(v))
	switch {
	case !ok:
		f.add("assignments_limit", "This is not a whole number.")
	case n < 1:
		f.add("assignments_limit", "At least 1 is allowed.")
	}
	return min(n, most)
}

// wholeNumber cuts a fraction of zeros, which counts as none.
func wholeNumber(s string) string {
	if whole, zeros, ok := strings.Cut(strings.TrimSpace(s), "."); ok && strings.Trim(zeros, "0") == "" {
		return whole
	}
	return s
}

// sortGroups orders groups by a text of the people; of equal ones the first stays first.
func sortGroups(s sorting, d directory, groups []group) {
	compare := func(a, b *person) int { return s.compare(a.key(s.by), b.key(s.by)) }
	if d.kept {
		by := slices.Index(personTexts, s.by)
		compare = func(a, b *person) int {
			if s.desc {
				a, b = b, a
			}
			return cmp.Compare(a.ranks[by], b.ranks[by])
		}
	}
	slices.SortFunc(groups, func(a, b group) int {
		if c := compare(a.who, b.who); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
}

// again answers with what run makes of the people it finds. Where they were read a while ago and somebody on the page has
// changed since, it reads them and runs once more.
func again(c *call, run func() (any, directory, []*person, error)) (int, any, error) {
	for once := true; ; once = false {
		body, d, shown, err := run()
		if err != nil {
			return 0, nil, err
		}
		if !once {
			return http.StatusOK, body, nil
		}
		switch holds, err := d.holds(c, shown); {
		case err != nil:
			return 0, nil, err
		case holds:
			return http.StatusOK, body, nil
		}
		if _, err := c.people.again(c.ctx); err != nil {
			return 0, nil, err
		}
	}
}

// listAssignments lists everybody's assignments (authz.md §12.11).
func listAssignments(c *call) (int, any, error) {
	f := faults{}
	l := c.readFilter(f, false)
	s := c.readSorting(f, "full_name", "role", "org", "scope", "username", "email")
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	return again(c, func() (any, directory, []*person, error) {
		x, err := c.listing(l, s)
		if err != nil {
			return nil, directory{}, nil, err
		}
		w, err := windowOf(c.query, x.count)
		if err != nil {
			return nil, x.d, nil, err
		}
		rows := x.rows(w)
		list := make([]TeamAssignment, len(rows))
		shown := make([]*person, len(rows))
		for i, r := range rows {
			a := c.assignment(r.grant.Role, r.grant.Scope)
			shown[i] = r.who
			list[i] = TeamAssignment{Role: a.Role, Org: a.Org, Scope: a.Scope, Permissions: a.Permissions,
				FullName: r.who.Name, Username: r.who.Username, Email: r.who.Email}
		}
		return pageOf(c, w, list), x.d, shown, nil
	})
}

// sortKey returns the text to order assignments by.
func sortKey(by, role, key string) string {
	switch by {
	case "org":
		return orgOf(key)
	case "scope":
		return key
	}
	return role
}

// keyOnce returns sortKey in lower case, for texts of which many are the same.
func keyOnce(by string) func(role, key string) string {
	known := map[string]string{}
	return func(role, key string) string {
		text := key
		if by == "role" {
			text = role
		}
		low, ok := known[text]
		if !ok {
			low = strings.ToLower(sortKey(by, role, key))
			known[text] = low
		}
		return low
	}
}

// listOf lists the assignments of one person (authz.md §12.10). Who does not exist or is not active has none.
func listOf(c *call) (int, any, error) {
	f := faults{}
	l := authz.Filter{Orgs: c.readList(f, "orgs"), Roles: c.readList(f, "roles")}
	s := c.readSorting(f, "role", "org", "scope")
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	name := c.r.PathValue("username")
	found, err := user.People(c.ctx, c.db, []string{name})
	if err != nil {
		return 0, nil, err
	}
	var list []authz.Grant
	if found[name].Active {
		if list, err = c.ix.VisibleOf(c.who.Username, name, l); err != nil {
			return 0, nil, err
		}
	}
	w, err := windowOf(c.query, len(list))
	if err != nil {
		return 0, nil, err
	}
	sortBy(s, list, func(g *authz.Grant) string { return sortKey(s.by, g.Role, g.Scope) })
	page := make([]Assignment, 0, w.to-w.from)
	var keys []string
	for _, g := range list[w.from:w.to] {
		a := c.assignment(g.Role, g.Scope)
		if c.oldNames {
			a.Superadmin = new(false)
		}
		page = append(page, a)
		keys = append(keys, g.Scope)
	}
	titles, err := things.Names(c.ctx, c.db, keys)
	nameScopes(page, titles)
	return http.StatusOK, pageOf(c, w, page), err
}

// assignment makes a line of a list, still without the name of its scope.
func (c *call) assignment(role, key string) Assignment {
	return Assignment{Role: role, Org: orgOf(key), Scope: key, Permissions: c.permissionCount(role)}
}

// nameScopes sets the names of scopes, "" where there is no thing or it has no name.
func nameScopes(list []Assignment, titles map[string]string) {
	for i := range list {
		list[i].ScopeName = titles[list[i].Scope]
	}
}
