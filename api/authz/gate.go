package authzapi

import (
	"net/http"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
)

// gateKind says how a gate looks for permissions (authz.md §11).
type gateKind uint8

const (
	signedIn  gateKind = iota // whoever is signed in
	scoped                    // a permission in the scope that the request names
	someScope                 // a permission in any scope
)

// gate says who may ask for an operation: staff and superusers, and who has one of the permissions. It is passed before
// anything of the request is checked, so that nobody else learns what is wrong with it.
type gate struct {
	kind        gateKind
	permissions []string
}

// The permissions that gates ask for; see the table of authz.md §11.
var (
	viewRoles  = []string{"content_libraries.view_library", "courses.view_course_team"}
	viewTeam   = []string{"content_libraries.view_library_team", "courses.view_course_team"}
	manageTeam = []string{"content_libraries.manage_library_team", "courses.manage_course_team"}
)

// String says what the gate asks for, in the words of documentation.
func (g gate) String() string {
	list := strings.Join(g.permissions, " or ")
	switch g.kind {
	case scoped:
		return list + " in the scope"
	case someScope:
		return list + " in any scope"
	}
	return "signed in"
}

func (g gate) pass(c *call) error {
	if g.kind == signedIn || c.super() {
		return nil
	}
	if g.kind == someScope {
		for _, p := range g.permissions {
			if ok, err := c.ix.AllowedAnywhere(c.who.Username, p); ok || err != nil {
				return err
			}
		}
		return errDenied
	}
	keys, err := c.gateScopes()
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return errDenied
	}
	ns := ""
	for i, key := range keys {
		s, err := scope.Parse(key)
		ok := err == nil && s.Kind().Assignable()
		switch {
		case i == 0 && !ok:
			return errDenied
		case i > 0 && (!ok || s.NS() != ns):
			// The reference fails on it (authz.md §11); who may not even act in the first scope was told so before.
			return invalid("scope", "All scopes must be of one kind, and each be written as one.")
		}
		if err := g.allows(c, s); err != nil {
			return err
		}
		ns = s.NS()
	}
	return nil
}

func (g gate) allows(c *call, s scope.Scope) error {
	for _, p := range g.permissions {
		if ok, err := c.ix.Allowed(c.who.Username, p, s.Key()); ok || err != nil {
			return err
		}
	}
	return errDenied
}

// gateScopes returns the scopes that the request is about: of a PUT the list of its body where there is one, else the scope
// of the body, else that of the query. Of all others it is the query's, as nothing else of them is read: the reference
// looks at the body of a DELETE, too, so that one could pass with a scope of one's own there and act on another.
func (c *call) gateScopes() ([]string, error) {
	if c.r.Method != http.MethodPut {
		return c.queryScope(), nil
	}
	body, err := c.readBody()
	if err != nil {
		return nil, err
	}
	fields, _ := body.(map[string]any)
	if list, ok := fields["scopes"].([]any); ok && len(list) > 0 {
		keys := make([]string, len(list))
		for i, v := range list {
			keys[i], _ = readText(v) // what is no text is no scope either
		}
		return keys, nil
	}
	if v, ok := fields["scope"]; ok {
		if key, wrong := readText(v); wrong == "" {
			return []string{key}, nil
		}
	}
	return c.queryScope(), nil
}

func (c *call) queryScope() []string {
	if key, _ := c.query.get("scope"); key != "" {
		return []string{strings.TrimSpace(key)}
	}
	return nil
}
