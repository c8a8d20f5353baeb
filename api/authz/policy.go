package authzapi

import (
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/scope"
)

// super reports whether the caller is staff or a superuser, who pass every gate and see every team.
func (c *call) super() bool { return c.who.Staff || c.who.Superuser }

// roles returns the roles of a kind of scope, without the effects of their rows.
func (c *call) roles(s scope.Scope) []authz.Role { return c.ix.RolesFor(s.NS()) }

// permissionCount returns how many permissions a role lists. Lists ask it of the same few roles again and again.
func (c *call) permissionCount(role string) int {
	n, known := c.counts[role]
	if !known {
		n = len(c.ix.PermissionsOf(role))
		if c.counts == nil {
			c.counts = map[string]int{}
		}
		c.counts[role] = n
	}
	return n
}

// orgOf returns the organization of a stored scope as answers have it: * for all of the platform, "" where there is none.
func orgOf(key string) string {
	s := parse(key)
	if s.Kind().PlatformGlob() {
		return "*"
	}
	return s.Org()
}

// parse reads the external key of a stored scope, as loosely as stored ones are read.
func parse(key string) scope.Scope {
	ns, _, ok := strings.Cut(key, ":")
	if !ok { // a course key of the old kind
		ns = scope.Courses
	}
	s, _ := scope.OfNamespace(ns, key) // what is none has no organization either
	return s
}
