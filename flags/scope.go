package flags

import (
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Authoring is the flag that decides whether a course's roles are assignments (on) or the platform's legacy rows (off).
const Authoring = "authz.enable_course_authoring"

// Widths of the columns, in characters.
const (
	maxName     = 100 // of waffle's own tables
	maxOverride = 255 // of names, course keys and organizations in the tables of overrides
)

// Scope says what a value of a flag is for: one course, one organization, or everybody, which is the zero Scope.
type Scope struct {
	course, org string
	of          string // the organization in the course's key
}

// ForCourse returns the scope of a course run. Keys of libraries are Usage: no flag is read for them.
func ForCourse(key keys.Course) (Scope, error) {
	key, err := key.WithoutBranch()
	if err != nil {
		return Scope{}, fault.Errorf(fault.Usage, key.String(), "not the key of a course: %w", err)
	}
	if !key.IsCourse() {
		return Scope{}, fault.Errorf(fault.Usage, key.String(), "flags are set for courses and organizations, not for libraries")
	}
	return Scope{course: key.String(), of: key.Org()}, db.CheckIdentifier(key.String(), maxOverride)
}

// ForOrg returns the scope of an organization, by its short name.
func ForOrg(name string) (Scope, error) {
	if name == "" || strings.ContainsAny(name, "*+: /\x00") {
		return Scope{}, fault.Errorf(fault.Usage, "organization", "%q is not the short name of an organization", name)
	}
	return Scope{org: name}, db.CheckIdentifier(name, maxOverride)
}

// Global reports whether the scope is everybody.
func (s Scope) Global() bool { return s == Scope{} }

// Course returns the key of the course, "" when the scope is another.
func (s Scope) Course() string { return s.course }

// Org returns the name of the organization, "" when the scope is another.
func (s Scope) Org() string { return s.org }

// CourseOrg returns the name of the course's organization, "" when the scope is another.
func (s Scope) CourseOrg() string { return s.of }

// String returns the course key, the organization's name, or "" for everybody.
func (s Scope) String() string { return s.course + s.org }

// table returns the table of overrides for scopes like this one, and its column of keys.
func (s Scope) table() *overrideTable {
	if s.course != "" {
		return &courseOverrides
	}
	return &orgOverrides
}

// checkName refuses names that no row can have.
func checkName(name string) error {
	if name == "" || utf8.RuneCountInString(name) > maxName {
		return fault.Errorf(fault.Usage, "flag", "a name has 1 to %d characters", maxName)
	}
	return db.CheckIdentifier(name, maxName)
}
