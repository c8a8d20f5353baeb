package authz

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Grant says who has which role where, in external keys (authz.md §1): alice, library_admin, lib:DemoX:CSPROB. The scope
// may be a glob, which is one grant of its own and no other's.
type Grant struct {
	User, Role, Scope string
}

// String returns the grant as people write it.
func (g Grant) String() string { return g.User + " as " + g.Role + " @ " + g.Scope }

// Widths of the columns, in characters (authz.md §10).
const (
	maxValue = 255 // of casbin_rule, the audit table and a scope's external key
	maxKey   = 255 // of casbin_rule_key, which holds all of a rule's values
)

// rule is a row of casbin_rule that grants a role, in namespaced keys. It is comparable: equal rules are one grant.
type rule struct {
	subject, role, scope string
}

// Prefixes of namespaced keys (authz.md §1).
const (
	userPrefix = "user^"
	rolePrefix = "role^"
)

// key returns what the extended row of the rule is found by (authz.md §10): ptype and v0 to v3, of which the last is
// empty.
func (r rule) key() string { return "g," + r.subject + "," + r.role + "," + r.scope + "," }

// values returns ptype and the values that are not empty, as a [Change] has them.
func (r rule) values() []string { return []string{"g", r.subject, r.role, r.scope} }

// user returns the name of the user whom the rule names; ok is false where it names something else.
func (r rule) user() (name string, ok bool) { return strings.CutPrefix(r.subject, userPrefix) }

// grant returns the rule in external keys. A subject or scope of an unknown kind stays as it is.
func (r rule) grant() Grant {
	g := Grant{User: r.subject, Role: r.role, Scope: r.scope}
	if name, ok := r.user(); ok {
		g.User = name
	}
	g.Role = strings.TrimPrefix(g.Role, rolePrefix)
	if _, external, ok := strings.Cut(r.scope, "^"); ok {
		g.Scope = external
	}
	return g
}

// bare returns the rule of a grant that may be one of any kind of scope, for looking it up and taking it back: what is
// there can be removed, whatever it is.
func (g Grant) bare() (rule, error) {
	namespace, _, ok := strings.Cut(g.Scope, ":")
	if !ok || namespace == "" {
		return rule{}, &GrantError{Grant: g, Reason: InvalidScope, Err: fault.Errorf(fault.Invalid, g.Scope, "a scope begins with its kind and a colon").
			WithNext("write it like lib:ORG:SLUG, course-v1:ORG+COURSE+RUN, lib:ORG:* or course-v1:*")}
	}
	return rule{userPrefix + g.User, rolePrefix + g.Role, namespace + "^" + g.Scope}, nil
}

// check refuses what can be no grant, before anything is read or written.
func (g Grant) check() (rule, error) {
	r, err := g.bare()
	if err != nil {
		return rule{}, err
	}
	sc, err := scope.Parse(g.Scope)
	if err == nil && !sc.Kind().Assignable() {
		err = fault.Errorf(fault.Invalid, g.Scope, "no roles are held in a scope of this kind").
			WithNext("write a course, a library, or a set of them such as lib:ORG:* or course-v1:*")
	}
	if err == nil {
		err = db.CheckIdentifier(g.Scope, maxValue)
	}
	if err != nil {
		return rule{}, &GrantError{Grant: g, Reason: InvalidScope, Err: err}
	}
	for _, s := range []struct{ what, text string }{{"user name", g.User}, {"role", g.Role}} {
		if s.text == "" {
			return rule{}, &GrantError{Grant: g, Reason: InvalidName, Err: fault.Errorf(fault.Invalid, g.String(), "the %s is empty", s.what)}
		}
		if err := db.CheckIdentifier(s.text, maxValue); err != nil {
			return rule{}, &GrantError{Grant: g, Reason: InvalidName, Err: err}
		}
	}
	if n := utf8.RuneCountInString(r.key()); n > maxKey {
		return rule{}, &GrantError{Grant: g, Reason: KeyTooLong, Err: fault.Errorf(fault.Invalid, g.String(),
			"the keys of user, role and scope make %d characters together, of which the database holds %d", n, maxKey).
			WithNext("grant the role on the organization, whose key is shorter")}
	}
	return r, nil
}

// Reason is a stable word for what is wrong with a grant.
type Reason string

// The reasons for which a grant cannot be made.
const (
	InvalidScope Reason = "invalid_scope"  // no scope in which a role can be held
	InvalidName  Reason = "invalid_name"   // no name of a user or role
	KeyTooLong   Reason = "key_too_long"   // the database has no room for its key (authz.md §15, D13)
	UserNotFound Reason = "user_not_found" // nobody has that name
	RoleNotFound Reason = "role_not_found" // no permission goes with the role there; only who looks at roles says so
	CaseConflict Reason = "case_conflict"  // the database takes it for another grant, which differs by case
)

// GrantError says why one grant cannot be made or taken back.
type GrantError struct {
	Grant  Grant
	Reason Reason
	Err    error // a fault.Error
}

func (e *GrantError) Error() string { return fmt.Sprintf("%s: %v", e.Reason, e.Err) }

// Unwrap returns the cause.
func (e *GrantError) Unwrap() error { return e.Err }
