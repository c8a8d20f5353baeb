package authz

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
)

// Turn is [Hold], and returns the version of the policy at which the turn was taken.
func Turn(ctx context.Context, tx *db.Tx) (uuid.UUID, error) { return lock(ctx, tx) }

// ofScope is the condition of rules in an organization's courses, or in one course.
func ofScope(org, course string) (where string, args []any) {
	prefix := scope.Courses + scope.Sep + scope.Courses + ":"
	if org == "" {
		return "v2 = ?", []any{scope.Courses + scope.Sep + course}
	}
	pattern := prefix + org + "+%"
	if strings.ContainsRune(org, '\\') { // which patterns of some engines take for a sign
		pattern = prefix + "%"
	}
	return "LOWER(v2) LIKE LOWER(?)", []any{pattern}
}

// CoursePage reads assignments as [CourseGrants] does, of an organization or of one course, with ids above after, at most limit
// rows. last is the id up to which the table was read, and more says that it goes on behind it. Of equal rules each page has
// one.
func CoursePage(ctx context.Context, q db.Querier, org, course string, after int64, limit int) (list []Held, last int64, more bool, err error) {
	where, args := ofScope(org, course)
	n, met := 0, map[rule]bool{}
	last = after
	err = q.Query(ctx, "SELECT id, v0, v1, v2 FROM "+ruleTable+" WHERE ptype = 'g' AND id > ? AND "+where+" ORDER BY id LIMIT ?",
		append(append([]any{after}, args...), limit), func(r *db.Row) error {
			var of rule
			n++
			if err := r.Scan(&last, &of.subject, &of.role, &of.scope); err != nil {
				return err
			}
			if g, ok := of.inCourses(org, course); ok && !met[of] {
				met[of] = true
				list = append(list, Held{last, g})
			}
			return nil
		})
	if err != nil {
		return nil, after, false, err
	}
	return list, last, n == limit, nil
}

// inCourses returns a rule as a grant, where it is one of a user in the organization's courses, or in the one course.
func (r rule) inCourses(org, course string) (g Grant, ok bool) {
	if _, user := r.user(); !user || !strings.HasPrefix(r.role, rolePrefix) || !strings.HasPrefix(r.scope, scope.Courses+scope.Sep) {
		return g, false
	}
	g = r.grant()
	if org == "" {
		return g, g.Scope == course
	}
	s, err := scope.Parse(g.Scope)
	return g, err == nil && (s.Kind() == scope.Course || s.Kind() == scope.CourseOrg) && strings.EqualFold(s.Org(), org)
}

// CountCourses returns how many rules of an organization's courses, or of one course, there are, and stops counting at most.
func CountCourses(ctx context.Context, q db.Querier, org, course string, most int) (int, error) {
	where, args := ofScope(org, course)
	n, _, err := db.One(ctx, q, "SELECT COUNT(*) FROM (SELECT id FROM "+ruleTable+" WHERE ptype = 'g' AND "+where+" LIMIT ?) some_rules", append(args, most), db.Value[int])
	return n, err
}

// Most reports whether there are at most so many rules altogether, by a look at an index.
func Most(ctx context.Context, q db.Querier, most int) (bool, error) {
	_, more, err := db.One(ctx, q, "SELECT id FROM "+ruleTable+" ORDER BY id LIMIT 1 OFFSET ?", []any{most}, db.Value[int64])
	return !more, err
}

// Touched reports whether anything between two versions of the policy has changed a grant in the organization's courses, or in
// the one course. Where the changes are not known one by one it says yes: another program made one, or too many.
func Touched(ctx context.Context, q db.Querier, from, to uuid.UUID, org, course string) (bool, error) {
	const most = 1000
	for range most {
		if from == to {
			return false, nil
		}
		// Backwards from the newest, as only the version that a change has made is a key.
		type step struct {
			previous uuid.UUID
			delta    string
		}
		s, found, err := db.One(ctx, q, "SELECT previous, delta FROM "+changeTable+" WHERE version = ?", []any{to}, func(r *db.Row) (s step, err error) {
			return s, r.Scan(&s.previous, &s.delta)
		})
		if err != nil || !found {
			return true, err
		}
		var d delta
		if err := json.Unmarshal([]byte(s.delta), &d); err != nil {
			return true, nil //nolint:nilerr // what cannot be read is not known
		}
		for _, values := range append(d.Added, d.Removed...) {
			if len(values) == 4 && values[0] == "g" {
				if _, in := (rule{values[1], values[2], values[3]}).inCourses(org, course); in {
					return true, nil
				}
			}
		}
		to = s.previous
	}
	return true, nil
}
