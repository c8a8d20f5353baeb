package learnerstate

import (
	"fmt"
	"unicode/utf8"

	"github.com/openlectern/lectern/keys"
)

// maxKey is how many characters the platform's columns of keys hold (CV-5).
const maxKey = 255

// Mapping is one line of the map of a course: a key as it was and as it is.
type Mapping struct{ Old, New string }

// Course is a course that was converted.
type Course struct {
	Source, Target string
	// Keys hands over its mappings. It ends at an error of fn, which it returns.
	Keys func(fn func(Mapping) error) error
}

// Usages hands over the mappings of blocks alone: those of the course itself and of files are for others.
func (c Course) Usages(fn func(Mapping) error) error {
	return c.Keys(func(m Mapping) error {
		if !keys.ValidUsage(m.Old) || !keys.ValidUsage(m.New) {
			return nil
		}
		return fn(m)
	})
}

// Map answers for the rows of one course. It holds the course's keys, and the old ones of other runs, in memory. It does not
// change, and is safe for concurrent use.
type Map struct {
	source, target string
	course         keys.Course
	to             map[string]string
	runs           map[string]string // old keys of other runs of the course, to the source that has them
}

// NewMap reads the map of a course. runs are other conversions; those of the same organisation and course code tell rows that
// another run has the block of.
func NewMap(c Course, runs []Course) (*Map, error) {
	m := &Map{source: c.Source, target: c.Target, to: map[string]string{}, runs: map[string]string{}}
	var err error
	if m.course, err = keys.ParseCourse(c.Source); err != nil {
		return nil, fmt.Errorf("state map: %w", err)
	}
	if err := c.Usages(func(k Mapping) error { m.to[k.Old] = k.New; return nil }); err != nil {
		return nil, err
	}
	for _, run := range runs {
		k, err := keys.ParseCourse(run.Source)
		if err != nil || run.Source == c.Source || k.Org() != m.course.Org() || k.Code() != m.course.Code() {
			continue
		}
		if err := run.Usages(func(k Mapping) error { m.runs[k.Old] = run.Source; return nil }); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Outcome is what becomes of a row.
type Outcome string

// Every row has one of these.
const (
	Maps         Outcome = "maps"
	NotConverted Outcome = "not_converted" // its course has not been converted
	NotInMap     Outcome = "not_in_map"    // with one of the reasons below
	BadKey       Outcome = "bad_key"       // the course or the block does not parse
	TooLong      Outcome = "too_long"      // the new key is over 255 characters (CV-5)
	New          Outcome = "new"           // it has the key already
)

// Why a row of a converted course is not in the map.
const (
	Deleted     = "deleted"      // the course has no such block; the old store does not tell whether it ever had
	OtherRun    = "other_run"    // another run of the course has it
	OtherCourse = "other_course" // the key is of another course
	Unknown     = "unknown"      // not a key of a block of a course
)

// Verdict is what becomes of a row, and its new keys where it maps.
type Verdict struct {
	Outcome Outcome
	Reason  string // of NotInMap
	Course  string
	Key     string
}

// Judge says what becomes of a row. A nil Map stands for a course that was not converted.
func (m *Map) Judge(course, module string) Verdict {
	c, err := keys.ParseCourse(course)
	if err != nil {
		return Verdict{Outcome: BadKey}
	}
	u, err := keys.ParseUsage(module)
	if err != nil {
		return Verdict{Outcome: BadKey}
	}
	if m == nil {
		if c.Deprecated() {
			return Verdict{Outcome: NotConverted}
		}
		return Verdict{Outcome: New}
	}
	if plain, err := u.WithoutBranch(); err == nil { // @draft is no part of a block's name
		u = plain
	}
	key, ok := m.to[u.String()]
	switch {
	case ok && utf8.RuneCountInString(key) > maxKey:
		return Verdict{Outcome: TooLong}
	case ok && key == module && m.source == m.target:
		return Verdict{Outcome: New, Course: m.target, Key: key}
	case ok:
		return Verdict{Outcome: Maps, Course: m.target, Key: key}
	}
	return Verdict{Outcome: NotInMap, Reason: m.reason(u)}
}

// reason says why a key is not in the map.
func (m *Map) reason(u keys.Usage) string {
	run, hasRun := u.Run()
	own, _ := m.course.Run()
	switch {
	case u.IsAside() || u.Org() == "":
		return Unknown
	case u.Org() != m.course.Org() || u.Code() != m.course.Code():
		return OtherCourse
	case u.Deprecated() != m.course.Deprecated():
		return Unknown
	case hasRun && run != own, u.Deprecated() && u.Type() == "course" && u.ID() != own, m.runs[u.String()] != "":
		return OtherRun
	}
	return Deleted
}
