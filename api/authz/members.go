package authzapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/authz/things"
)

// Changed is the answer to giving and taking roles: what was done and what was not, each in the order asked.
type Changed struct {
	Completed []Done    `json:"completed"`
	Errors    []NotDone `json:"errors"`
}

// Done is a role given or taken. Identifier is as it was sent.
type Done struct {
	Identifier string `json:"user_identifier"`
	Scope      string `json:"scope,omitempty"`
	Status     string `json:"status"`
}

// NotDone is a role that could not be given or taken, and why.
type NotDone struct {
	Identifier string `json:"user_identifier"`
	Scope      string `json:"scope,omitempty"`
	Error      string `json:"error"`
}

// What Done and NotDone say (authz.md §12.4, §12.5, §11.1).
const (
	roleAdded         = "role_added"
	roleRemoved       = "role_removed"
	userNotFound      = "user_not_found"
	alreadyHasRole    = "user_already_has_role"
	doesNotHaveRole   = "user_does_not_have_role"
	assignmentError   = "role_assignment_error"
	removalError      = "role_removal_error"
	scopeNotAvailable = "scope_not_available"
)

// giving is the body of a PUT.
type giving struct {
	role   string
	users  []string
	scopes []scope.Scope // as often as they were sent
}

// giveRoles gives a role to people in scopes (authz.md §12.4). Everything is checked before anything is written; then
// all pairs are one transaction, in which each stands or falls by itself.
func giveRoles(c *call) (int, any, error) {
	g, err := c.readGiving()
	if err != nil {
		return 0, nil, err
	}
	answer := Changed{Completed: []Done{}, Errors: []NotDone{}}
	scopes := g.scopes[:0:0]
	for _, s := range g.scopes {
		if c.offered(s) {
			scopes = append(scopes, s)
			continue
		}
		for _, u := range g.users {
			answer.Errors = append(answer.Errors, NotDone{u, s.Key(), scopeNotAvailable})
		}
	}
	if len(scopes) == 0 {
		return http.StatusMultiStatus, answer, nil
	}
	results, err := c.as().GiveRole(c.ctx, g.role, g.users, scopes)
	if err != nil {
		return 0, nil, err
	}
	for _, r := range results {
		answer.add(r, Done{r.Name, r.Scope, roleAdded}, NotDone{Identifier: r.Name, Scope: r.Scope})
	}
	return http.StatusMultiStatus, answer, nil
}

// add adds a result: what there is to say when it was done, or else when it was not, but for the reason.
func (a *Changed) add(r app.NamedResult, done Done, not NotDone) {
	failed, idle := assignmentError, alreadyHasRole
	if done.Status == roleRemoved {
		failed, idle = removalError, doesNotHaveRole
	}
	switch {
	case r.People == 0:
		not.Error = userNotFound
	case r.Outcome == authz.Added, r.Outcome == authz.Removed:
		a.Completed = append(a.Completed, done)
		return
	case r.Outcome == authz.Present, r.Outcome == authz.Absent:
		not.Error = idle
	default: // several people answer to the name, or the keys are too long together
		not.Error = failed
	}
	a.Errors = append(a.Errors, not)
}

// readGiving reads and checks the body of a PUT.
func (c *call) readGiving() (*giving, error) {
	body, err := c.readBody()
	if err != nil {
		return nil, err
	}
	fields, ok := body.(map[string]any)
	if !ok {
		return nil, invalid(nonField, isNotMap)
	}
	f := faults{}
	g := &giving{role: readField(f, fields, "role"), users: readNames(f, fields)}
	var keys []string
	_, one := fields["scope"]
	_, many := fields["scopes"]
	if one {
		keys = []string{readField(f, fields, "scope")}
	}
	if many {
		var wrong any
		if keys, wrong = readTexts(fields["scopes"]); wrong != nil {
			f["scopes"] = wrong
		}
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	switch {
	case one && many:
		return nil, invalid(nonField, "Send scope or scopes, not both.")
	case len(keys) == 0:
		return nil, invalid(nonField, "Send scope, or scopes with at least one.")
	case len(keys)*len(g.users) > MaxPairs:
		return nil, invalid(nonField, "At most "+strconv.Itoa(MaxPairs)+" users times scopes are allowed.")
	}
	if g.scopes, err = c.checkScopes(keys, g.role); err != nil {
		return nil, err
	}
	return g, nil
}

// checkScopes reads scopes in which a role is to be given: each must exist, and the role be one of its kind.
func (c *call) checkScopes(keys []string, role string) ([]scope.Scope, error) {
	scopes := make([]scope.Scope, len(keys))
	for i, key := range keys {
		s, err := scope.Parse(key)
		if err != nil || !s.Kind().Assignable() {
			if i > 0 { // of those before it something may be wrong, too, and that is told first
				if err := c.checkExist(scopes[:i], role); err != nil {
					return nil, err
				}
			}
			return nil, invalid("scope", isNoScope)
		}
		scopes[i] = s
	}
	return scopes, c.checkExist(scopes, role)
}

func (c *call) checkExist(scopes []scope.Scope, role string) error {
	exist, err := things.Exist(c.ctx, c.db, scopes)
	if err != nil {
		return err
	}
	for _, s := range scopes {
		if !exist[s] {
			return invalid("scope", "There is no such "+thing(s)+".")
		}
		if !c.defines(s, role) {
			return invalid("role", "There is no such role for a "+thing(s)+".")
		}
	}
	return nil
}

// thing says what a scope is, or is a set of.
func thing(s scope.Scope) string {
	switch {
	case s.Kind().OrgGlob():
		return "organization"
	case s.Kind().OfLibraries():
		return "library"
	}
	return "course"
}

func (c *call) defines(s scope.Scope, role string) bool {
	return slices.ContainsFunc(c.roles(s), func(r authz.Role) bool { return r.Name == role })
}

// takeRoles takes a role in a scope from people (authz.md §12.5). What somebody holds can be taken from them whether the
// scope and the role exist or not (D8), and names are compared without regard to case where that is needed to find
// anybody (D9).
func takeRoles(c *call) (int, any, error) {
	f := faults{}
	names := c.readTakenUsers(f)
	role := c.readRole(f)
	var key string
	if k, ok := c.query.get("scope"); !ok {
		f.add("scope", isRequired)
	} else if text, wrong := readText(k); wrong != "" {
		f.add("scope", wrong)
	} else {
		key = text
	}
	if err := f.err(); err != nil {
		return 0, nil, err
	}
	s, err := c.checkTaken(key, role)
	if err != nil {
		return 0, nil, err
	}
	answer := Changed{Completed: []Done{}, Errors: []NotDone{}}
	if !c.offered(s) {
		for _, n := range names {
			answer.Errors = append(answer.Errors, NotDone{n, key, scopeNotAvailable})
		}
		return http.StatusMultiStatus, answer, nil
	}
	if len(names) == 0 {
		return http.StatusMultiStatus, answer, nil
	}
	results, err := c.as().TakeRole(c.ctx, role, names, s)
	if err != nil {
		return 0, nil, err
	}
	for _, r := range results {
		answer.add(r, Done{Identifier: r.Name, Status: roleRemoved}, NotDone{Identifier: r.Name})
	}
	return http.StatusMultiStatus, answer, nil
}

func (c *call) readTakenUsers(f faults) []string {
	v, _ := c.query.get("users")
	v = strings.TrimSpace(v)
	switch {
	case v == "":
		f.add("users", isRequired)
	case strings.ContainsRune(v, 0):
		f.add("users", isNUL)
	}
	names := splitList(v)
	if len(names) > MaxPairs {
		f.add("users", "At most "+strconv.Itoa(MaxPairs)+" users are allowed.")
	}
	return names
}

func (c *call) readRole(f faults) string {
	v, ok := c.query.get("role")
	if !ok {
		f.add("role", isRequired)
		return ""
	}
	role, wrong := readText(v)
	if wrong != "" {
		f.add("role", wrong)
	}
	return role
}

// checkTaken reads the scope in which a role is to be taken: one that exists, or in which somebody has a role; and the
// role must be one of its kind, or one that somebody has there.
func (c *call) checkTaken(key, role string) (scope.Scope, error) {
	s, err := scope.Parse(key)
	if err != nil || !s.Kind().Assignable() {
		return s, invalid("scope", isNoScope)
	}
	held, heldRole := false, false
	teams, err := c.ix.AssignmentsIn(key)
	if err != nil {
		return s, err
	}
	for _, t := range teams {
		held = true
		heldRole = heldRole || slices.Contains(t.Roles, role)
	}
	if !held {
		exist, err := things.Exist(c.ctx, c.db, []scope.Scope{s})
		if err != nil {
			return s, err
		}
		if !exist[s] {
			return s, invalid("scope", "There is no such "+thing(s)+", and nobody has a role there.")
		}
	}
	if !heldRole && !c.defines(s, role) {
		return s, invalid("role", "There is no such role for a "+thing(s)+".")
	}
	return s, nil
}
