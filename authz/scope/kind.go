package scope

// Kind is what a scope names (authz.md §2).
type Kind uint8

// The kinds. The zero Kind is none.
const (
	Library         Kind = iota + 1 // lib:ORG:SLUG
	Course                          // course-v1:ORG+COURSE+RUN
	CCX                             // ccx-v1:ORG+COURSE+RUN+ccx@N, a course for one coach's class
	LibraryOrg                      // lib:ORG:*, every library of an organization
	CourseOrg                       // course-v1:ORG+*, every course of an organization
	LibraryPlatform                 // lib:*
	CoursePlatform                  // course-v1:*
	Generic                         // global:TEXT
	Namespace                       // ns^*, in role definitions only; its external key is *
	BasePlatform                    // platform:*, which parses and is of no use (authz.md §2.3)
	BaseOrg                         // org^org:…*, in stored rows only, of no use either
)

var names = [...]string{"", "library", "course", "ccx", "library_org", "course_org", "library_platform", "course_platform",
	"generic", "generic", "PlatformGlobData", "OrgGlobData"}

// String returns the kind's name, as in course_org.
func (k Kind) String() string { return names[k] }

// OfLibraries reports whether the kind is a library or a set of libraries.
func (k Kind) OfLibraries() bool { return k == Library || k == LibraryOrg || k == LibraryPlatform }

// OfCourses reports whether the kind is a course, a course for a coach, or a set of courses.
func (k Kind) OfCourses() bool {
	return k == Course || k == CCX || k == CourseOrg || k == CoursePlatform
}

// Concrete reports whether the kind is one thing, with a row of its own or the hope of one: not a set.
func (k Kind) Concrete() bool { return k == Library || k == Course || k == CCX }

// OrgGlob reports whether the kind is everything of one organization.
func (k Kind) OrgGlob() bool { return k == LibraryOrg || k == CourseOrg }

// PlatformGlob reports whether the kind is everything of one namespace.
func (k Kind) PlatformGlob() bool { return k == LibraryPlatform || k == CoursePlatform }

// Assignable reports whether a role can be given in such a scope by REST and in a way that counts: libraries, courses
// and sets of them (authz.md §2, "scope row").
func (k Kind) Assignable() bool { return k != CCX && (k.OfLibraries() || k.OfCourses()) }

// Staff reports whether staff and superusers may do everything in a scope of this kind (authz.md §4.1). Courses for
// coaches are none such (D14).
func (k Kind) Staff() bool { return k.Assignable() }

// View returns the permission that shows who holds roles in such a scope; empty where there is none.
func (k Kind) View() string {
	switch {
	case k.OfLibraries():
		return "content_libraries.view_library_team"
	case k.OfCourses():
		return "courses.view_course_team"
	}
	return ""
}

// Manage returns the permission to give and take roles in such a scope; empty where there is none.
func (k Kind) Manage() string {
	switch {
	case k.OfLibraries():
		return "content_libraries.manage_library_team"
	case k.OfCourses():
		return "courses.manage_course_team"
	}
	return ""
}
