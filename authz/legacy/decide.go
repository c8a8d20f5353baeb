package legacy

import (
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/keys"
)

// subject is the namespace of whom is asked about: nobody's assignments are in it, and super admins are known by any.
const subject = "legacy^"

// viewCourse is what a reader of a legacy library may do.
const viewCourse = "courses.view_course"

// Allowed reports whether a person may do an action on a course, or on a legacy library (library-v1), by rows: what the
// roles that they become may do there by the policy of x, which also knows the super admins. Assignments of x play no part.
func Allowed(x *authz.Index, username string, rows []Row, action string, course keys.Course) (bool, error) {
	course, err := course.WithoutBranch()
	if err != nil {
		return false, err
	}
	where := scopeOf(course)
	var grants [][]string
	for _, r := range rows {
		role, ok := r.Role.Counterpart()
		if !ok || !r.For(course) {
			if r.Role == LibraryUser && !course.IsCourse() && r.For(course) && action == viewCourse {
				return true, nil
			}
			continue
		}
		grants = append(grants, []string{"g", subject + username, "role^" + role, where})
	}
	return x.Instead(grants).AllowedRaw(subject+username, "act^"+action, where)
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
