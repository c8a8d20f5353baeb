package legacy

// Role is the name of a role as rows have it.
type Role string

// The platform's roles that mean something here.
const (
	Instructor     Role = "instructor"
	Staff          Role = "staff"
	LimitedStaff   Role = "limited_staff"
	DataResearcher Role = "data_researcher"
	BetaTesters    Role = "beta_testers"
	CCXCoach       Role = "ccx_coach"
	LibraryUser    Role = "library_user"             // reads a legacy library; has no counterpart
	CourseCreator  Role = "course_creator_group"     // makes courses of any organization
	OrgCreator     Role = "org_course_creator_group" // makes courses of the row's organization
)

// pairs is the mapping of authz-migration.md §4, a bijection.
var pairs = []struct {
	legacy Role
	role   string
}{
	{Instructor, "course_admin"},
	{Staff, "course_staff"},
	{LimitedStaff, "course_limited_staff"},
	{DataResearcher, "course_data_researcher"},
	{BetaTesters, "course_beta_tester"},
	{CCXCoach, "ccx_coach"}, // has no permissions
}

// Counterpart returns the role of assignments that a legacy role becomes; ok is false for one that stays what it is.
func (r Role) Counterpart() (role string, ok bool) {
	for _, p := range pairs {
		if p.legacy == r {
			return p.role, true
		}
	}
	return "", false
}

// Of returns the legacy role that a role of assignments becomes; ok is false for one that has no counterpart.
func Of(role string) (r Role, ok bool) {
	for _, p := range pairs {
		if p.role == role {
			return p.legacy, true
		}
	}
	return "", false
}

// Is reports whether who has role r counts as having role want: the platform takes limited staff for staff where it asks
// for staff (authz-migration.md §2), which says nothing of permissions.
func (r Role) Is(want Role) bool { return r == want || r == LimitedStaff && want == Staff }
