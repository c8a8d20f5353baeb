package keys

import "cmp"

// InCourse is a usage together with the course it is in: what lookups take, because an i4x usage does not say its run
// (keys.md §6.2 "the run trap"). It is comparable, and the zero value is no key.
type InCourse struct {
	Course Course
	Usage  Usage
}

// Within pairs the usage with a course that it can be in: its own, or for i4x keys any run of its organisation and
// course code. Branch and version do not matter. Blocks of libraries of today are in no course.
func (u Usage) Within(c Course) (InCourse, error) {
	const why = "not a block of this course"
	if c.IsZero() || u.IsZero() {
		return InCourse{}, fail(KindUsage, u.s, why)
	}
	own, ok := u.Course()
	switch base := u.base(); {
	case !ok:
		ok = base.form == FormI4x && c.IsCourse() && base.orgText() == c.Org() && base.code() == c.Code()
	case own.plain() == 0 || c.plain() == 0: // a version-only key does not say which course
		ok = own == c
	default:
		a, aerr := own.Stored()
		b, berr := c.Stored()
		ok = aerr == nil && berr == nil && a == b
	}
	if !ok {
		return InCourse{}, fail(KindUsage, u.s, why)
	}
	return InCourse{Course: c, Usage: u}, nil
}

// IsZero reports whether this names nothing.
func (i InCourse) IsZero() bool { return i == InCourse{} }

// String returns the usage and the course for people to read. It is not a key and cannot be read back.
func (i InCourse) String() string { return i.Usage.String() + " in " + i.Course.String() }

// Compare orders pairs by course, then by usage.
func (i InCourse) Compare(o InCourse) int {
	return cmp.Or(i.Course.Compare(o.Course), i.Usage.Compare(o.Usage))
}
