package roleshift

import (
	"fmt"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// Direction says which way roles move.
type Direction string

// The directions, as the table of runs has them.
const (
	Forward  Direction = "forward"  // legacy rows become assignments: the flag is on
	Rollback Direction = "rollback" // assignments become legacy rows: the flag is off
)

// To returns the direction in which roles move when the flag becomes on or off.
func To(on bool) Direction {
	if on {
		return Forward
	}
	return Rollback
}

// Ask says what is to be moved: the roles of courses, or of an organization with its courses.
type Ask struct {
	Direction Direction `json:"direction"`
	Courses   []string  `json:"courses,omitempty"`
	Org       string    `json:"org,omitempty"` // counts before Courses
	// Canonical says that Org is the organization's own spelling, which rows in another one get. Otherwise they keep theirs,
	// and are moved where the database takes the spellings for one.
	Canonical bool `json:"canonical,omitempty"`
	// Excluded are courses of Org that stay on their side, as their own override says.
	Excluded []string `json:"excluded,omitempty"`
	// Derive gives the people of an organization equal roles in single courses on the other side of the flag, which they would
	// miss there: in Excluded, unless the sources are kept, and in Courses where such roles stand on the side that they leave.
	Derive    bool    `json:"derive,omitempty"`
	Keep      bool    `json:"keep,omitempty"`       // leave the sources where they are
	KeepGoing bool    `json:"keep_going,omitempty"` // move what can be moved, though some cannot
	Reason    string  `json:"reason,omitempty"`     // for the audit
	Turn      *Turn   `json:"turn,omitempty"`       // the change of the flag with it; a run in batches makes it
	Actor     user.ID `json:"-"`
	// Only restricts the move to these rows of its source, by their ids; nil is no restriction. It is for trying again what failed.
	Only map[int64]bool `json:"-"`
}

// check refuses what no scope can be made of, before anything is read (M-20, M-21).
func (a Ask) check() error {
	if a.Direction != Forward && a.Direction != Rollback {
		return fault.Errorf(fault.Internal, string(a.Direction), "not a direction")
	}
	if a.Org == "" && len(a.Courses) == 0 {
		return fault.Errorf(fault.Usage, "scope", "neither a course nor an organization is named")
	}
	for _, c := range a.Courses {
		if !strings.HasPrefix(c, "course-v1:") {
			return fault.Errorf(fault.Usage, c, "roles are moved for courses with keys of today's form only").WithNext("write course-v1:ORG+COURSE+RUN")
		}
	}
	return nil
}

// kind and key are the run's scope as the table of runs has it.
func (a Ask) kind() string {
	if a.Org != "" {
		return "org"
	}
	return "course"
}

func (a Ask) key() string {
	if a.Org != "" {
		return a.Org
	}
	return strings.Join(a.Courses, ",")
}

// String names the scope.
func (a Ask) String() string { return fmt.Sprintf("%s %s", a.kind(), a.key()) }

// orgs returns the organizations of the courses, each once.
func (a Ask) orgs() (orgs []string) {
	met := map[string]bool{}
	for _, c := range a.Courses {
		if k, err := keys.ParseCourse(c); err == nil && !met[k.Org()] {
			met[k.Org()] = true
			orgs = append(orgs, k.Org())
		}
	}
	return orgs
}

// course returns the organization in a course key; ok is false for keys in which no roles are held.
func course(key string) (org string, ok bool) {
	if !strings.HasPrefix(key, "course-v1:") {
		return "", false
	}
	s, err := scope.Parse(key)
	if err != nil || s.Kind() != scope.Course {
		return "", false
	}
	return s.Org(), true
}

// all returns the scope of all courses of an organization.
func all(org string) string { return "course-v1:" + org + "+*" }
