package authzapi

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
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

// held is one assignment on its way into a list.
type held struct {
	role  string
	scope scope.Scope
}

// orgName is the organization as answers have it: * for all of the platform, "" where there is none.
func (h held) orgName() string {
	if h.scope.Kind().PlatformGlob() {
		return "*"
	}
	return h.scope.Org()
}

// group is one person with the assignments that the list has of them, in the order of rows.
type group struct {
	who  *person
	held []held
}

// filter is what the lists of assignments can be narrowed by.
type filter struct {
	orgs, scopes, roles set
	foldRoles           bool
	search              string
}

// readFilter reads the filters of a list; names of roles are compared without regard to case where fold is set.
func (c *call) readFilter(f faults, fold bool) filter {
	var l filter
	l.orgs = setOf(c.readList(f, "orgs"))
	l.scopes = setOf(scope.Expand(c.readList(f, "scopes")))
	roles := c.readList(f, "roles")
	l.foldRoles = fold
	if fold {
		for i, r := range roles {
			roles[i] = strings.ToLower(r)
		}
	}
	l.roles = setOf(roles)
	l.search = c.readSearch(f)
	return l
}

func (c *call) readSearch(f faults) string { return strings.ToLower(c.readOptional(f, "search", 0)) }

// readOptional reads a text that may be absent or blank, of at most limit characters; 0 is no limit.
func (c *call) readOptional(f faults, name string, limit int) string {
	v, _ := c.query.get(name)
	v = strings.TrimSpace(v)
	switch {
	case strings.ContainsRune(v, 0):
		f.add(name, isNUL)
	case limit > 0 && len([]rune(v)) > limit:
		f.add(name, isTooLong)
	}
	return v
}

func (c *call) readList(f faults, name string) []string {
	return splitList(c.readOptional(f, name, 0))
}

func (l filter) keeps(h held) bool {
	role := h.role
	if l.foldRoles {
		role = strings.ToLower(role)
	}
	// A filter by organization names one: sets of all of the platform belong to none.
	return l.roles.has(role) && (l.orgs == nil || h.scope.Org() != "" && l.orgs.has(h.scope.Org())) && l.scopes.has(h.scope.Key())
}

// groups returns the people whose assignments the caller may see, by name, with those that the filter keeps. Who is not
// active is not shown (authz.md §6).
func (c *call) groups(l filter) ([]group, directory, error) {
	var names []string
	var all []group
	for name, list := range c.visible(l) {
		names = append(names, name)
		all = append(all, group{held: list})
	}
	d, err := c.peopleOf(names)
	if err != nil {
		return nil, d, err
	}
	kept := all[:0]
	for i, g := range all {
		if g.who = d.people[names[i]]; g.who != nil && g.who.Active && g.who.matches(l.search) {
			kept = append(kept, g)
		}
	}
	return kept, d, nil
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
		groups, d, err := c.groups(l)
		if err != nil {
			return nil, d, nil, err
		}
		w, err := windowOf(c.query, len(groups))
		if err != nil {
			return nil, d, nil, err
		}
		sortGroups(s, groups)
		groups = groups[w.from:w.to]
		members := make([]Member, len(groups))
		shown := make([]*person, len(groups))
		var keys []scope.Scope
		for i, g := range groups {
			shown[i] = g.who
			members[i] = Member{Username: g.who.Username, FullName: g.who.Name, Email: g.who.Email, AssignmentCount: len(g.held)}
			if c.oldNames {
				members[i].AssignationCount = new(len(g.held))
			}
			for _, h := range g.held[:min(limit, len(g.held))] {
				members[i].Assignments = append(members[i].Assignments, c.assignment(h))
				keys = append(keys, h.scope)
			}
		}
		titles, err := c.titles(keys)
		for i := range members {
			nameScopes(members[i].Assignments, titles)
		}
		return pageOf(c, w, members), d, shown, err
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

func sortGroups(s sorting, groups []group) {
	slices.SortStableFunc(groups, func(a, b group) int { return s.compare(a.who.key(s.by), b.who.key(s.by)) })
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
		groups, d, err := c.groups(l)
		if err != nil {
			return nil, d, nil, err
		}
		count := 0
		for _, g := range groups {
			count += len(g.held)
		}
		w, err := windowOf(c.query, count)
		if err != nil {
			return nil, d, nil, err
		}
		rows := s.rows(groups, w)
		list := make([]TeamAssignment, len(rows))
		shown := make([]*person, len(rows))
		for i, r := range rows {
			a := c.assignment(r.held)
			shown[i] = r.who
			list[i] = TeamAssignment{Role: a.Role, Org: a.Org, Scope: a.Scope, Permissions: a.Permissions,
				FullName: r.who.Name, Username: r.who.Username, Email: r.who.Email}
		}
		return pageOf(c, w, list), d, shown, nil
	})
}

// row is one line of the list of everybody's assignments.
type row struct {
	who  *person
	held held
}

// rows returns the lines of a window of the list that the groups make. By a text of the people it orders these, not
// their assignments, which stay together.
func (s sorting) rows(groups []group, w window) []row {
	rows := make([]row, 0, w.to-w.from)
	switch s.by {
	case "full_name", "username", "email":
		sortGroups(s, groups)
		from, to := w.from, w.to
		for _, g := range groups {
			n := len(g.held)
			for _, h := range g.held[min(from, n):min(to, n)] {
				rows = append(rows, row{g.who, h})
			}
			if from, to = max(0, from-n), to-n; to <= 0 {
				break
			}
		}
		return rows
	}
	type keyed struct {
		key        string
		group, nth int
	}
	all := make([]keyed, 0, w.count)
	fold := lowerOnce()
	for i, g := range groups {
		for n, h := range g.held {
			all = append(all, keyed{fold(h.key(s.by)), i, n})
		}
	}
	// Ties in the order they came, so that only the window has to be in order.
	slices.SortFunc(all, func(a, b keyed) int {
		return cmp.Or(s.compare(a.key, b.key), cmp.Compare(a.group, b.group), cmp.Compare(a.nth, b.nth))
	})
	for _, k := range all[w.from:w.to] {
		rows = append(rows, row{groups[k.group].who, groups[k.group].held[k.nth]})
	}
	return rows
}

// key returns the text to order assignments by.
func (h held) key(by string) string {
	switch by {
	case "org":
		return h.orgName()
	case "scope":
		return h.scope.Key()
	}
	return h.role
}

// lowerOnce returns strings.ToLower for texts of which many are the same.
func lowerOnce() func(string) string {
	known := map[string]string{}
	return func(s string) string {
		low, ok := known[s]
		if !ok {
			low = strings.ToLower(s)
			known[s] = low
		}
		return low
	}
}

// listOf lists the assignments of one person (authz.md §12.10). Who does not exist or is not active has none.
func listOf(c *call) (int, any, error) {
	f := faults{}
	l := filter{orgs: setOf(c.readList(f, "orgs")), roles: setOf(c.readList(f, "roles"))}
	s := c.readSorting(f, "role", "org", "scope")
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	name := c.r.PathValue("username")
	var list []held
	if name != "" && db.CheckIdentifier(name, maxText) == nil {
		found, err := user.People(c.ctx, c.store.DB, []string{name})
		if err != nil {
			return 0, nil, err
		}
		if found[name].Active {
			list = c.visibleOf(name, l)
		}
	}
	w, err := windowOf(c.query, len(list))
	if err != nil {
		return 0, nil, err
	}
	sortBy(s, list, func(h *held) string { return h.key(s.by) })
	page := make([]Assignment, 0, w.to-w.from)
	var keys []scope.Scope
	for _, h := range list[w.from:w.to] {
		page = append(page, c.assignment(h))
		if c.oldNames {
			page[len(page)-1].Superadmin = new(false)
		}
		keys = append(keys, h.scope)
	}
	titles, err := c.titles(keys)
	nameScopes(page, titles)
	return http.StatusOK, pageOf(c, w, page), err
}

// assignment makes a line of a list, still without the name of its scope.
func (c *call) assignment(h held) Assignment {
	return Assignment{Role: h.role, Org: h.orgName(), Scope: h.scope.Key(), Permissions: c.permissionCount(h.role)}
}

// nameScopes sets the names of scopes, "" where there is no thing or it has no name.
func nameScopes(list []Assignment, titles map[string]string) {
	for i := range list {
		list[i].ScopeName = titles[list[i].Scope]
	}
}

