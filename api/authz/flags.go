package authzapi

import (
	"net/http"

	"github.com/openlectern/lectern/authz/scope"
)

// flagStates tells where authoring is decided by assignments (authz.md §12.12).
func flagStates(c *call) (int, any, error) {
	s, err := c.store.Authoring(c.ctx)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, s.States(), nil
}

// offered reports whether a scope is one in which the platform asks for assignments at all, where that option is on
// (authz.md §11.1): a course or set of courses whose flag is off is not. What the flag is for everybody counts, and not
// what it is for the caller: that is how the reference asks, from outside the request.
func (c *call) offered(s scope.Scope) bool {
	if c.hide == nil || s.NS() != scope.Courses {
		return true
	}
	global := c.hide.Everyone()
	switch s.Kind() {
	case scope.Course:
		return c.hide.Course(s.Key(), s.Org(), global)
	case scope.CourseOrg:
		return c.hide.Org(s.Org(), global)
	}
	return global
}
