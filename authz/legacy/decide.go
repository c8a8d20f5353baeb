package legacy

import (
	"strconv"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/keys"
)

// subject is the namespace of whom is asked about: nobody's assignments are in it, and super admins are known by any.
const subject = "legacy^"

// viewCourse is what a reader of a legacy library may do.
const viewCourse = "courses.view_course"

// Policy answers by legacy rows what the roles that they become may do. It never changes and is safe for concurrent use.
// Making one takes about a millisecond, asking it about one microsecond.
type Policy struct {
	x     *authz.Index
	roles *authz.Index // with a pretended person for every set of roles
}

// NewPolicy returns the answers by the policy of an index, which also knows the super admins. Its assignments play no part.
// Where it has no permission of any role, roles have those that a site starts with.
func NewPolicy(x *authz.Index) *Policy {
	var grants [][]string
	for set := range uint(1) << len(pairs) {
		for i, p := range pairs {
			if set&(1<<i) != 0 {
				grants = append(grants, []string{"g", holders(set), "role^" + p.role, "course-v1^*"})
			}
		}
	}
	return &Policy{x, x.Instead(grants)}
}

// holders is the pretended person with a set of roles, by their places in pairs. Nobody can have such a user name.
func holders(set uint) string { return subject + "#" + strconv.FormatUint(uint64(set), 10) }

// Index returns the index that the policy was made of.
func (p *Policy) Index() *authz.Index { return p.x }

// Allowed reports whether a person with these rows may do an action on a course, or on a legacy library (library-v1).
func (p *Policy) Allowed(username string, rows []Row, action string, course keys.Course) (bool, error) {
	course, err := course.WithoutBranch()
	if err != nil {
		return false, err
	}
	where := scopeOf(course)
	switch super, err := p.x.SuperAdmin(username); {
	case err != nil:
		return false, err
	case super: // all rows of the policy are theirs, those that deny too
		return p.x.AllowedRaw(subject+username, "act^"+action, where)
	}
	set := uint(0)
	for _, r := range rows {
		if !r.For(course) {
			continue
		}
		if r.Role == LibraryUser && !course.IsCourse() && action == viewCourse {
			return true, nil
		}
		for i, pair := range pairs {
			if pair.legacy == r.Role {
				set |= 1 << i
			}
		}
	}
	if set == 0 {
		return false, nil
	}
	return p.roles.AllowedRaw(holders(set), "act^"+action, where)
}

// scopeOf returns the scope that rows for a course are asked in. Keys of other forms than course-v1, which no assignment can
// name, stand for a course of their organization.
func scopeOf(course keys.Course) string {
	const of = "course-v1^"
	if text := course.String(); len(text) > 10 && text[:10] == "course-v1:" {
		return of + text
	}
	return of + "course-v1:" + course.Org() + "+" + course.Code() + "+legacy"
}
