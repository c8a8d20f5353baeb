package legacy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/user"
)

const table = "student_courseaccessrole"

// Row is one row: a person's role for a course, for an organization (Course is empty), or for the whole site (both are).
type Row struct {
	ID     int64
	User   user.ID
	Org    string
	Course string
	Role   Role
}

// OfUser reads a person's rows by id. tables are those that the database has: without that of rows there are none.
func OfUser(ctx context.Context, q db.Querier, id user.ID, tables map[string]bool) ([]Row, error) {
	if !tables[table] {
		return nil, nil
	}
	rows, err := db.All(ctx, q, `SELECT id, user_id, org, course_id, role FROM student_courseaccessrole WHERE user_id = ? ORDER BY id`,
		[]any{id}, scan)
	if err != nil {
		return nil, fmt.Errorf("read the roles of user %d: %w", id, err)
	}
	return rows, nil
}

// Add adds rows that are not there yet and returns how many it added.
func Add(ctx context.Context, tx *db.Tx, rows []Row) (int, error) {
	names, err := inspect.Names(ctx, tx)
	if err != nil {
		return 0, err
	}
	if !names[table] {
		return 0, fault.Errorf(fault.Refused, "database", "table %s is missing", table).WithNext("make it with: lectern db migrate")
	}
	have := map[Row]bool{}
	seen := map[user.ID]bool{}
	for _, r := range rows {
		if seen[r.User] {
			continue
		}
		seen[r.User] = true
		all, err := OfUser(ctx, tx, r.User, names)
		if err != nil {
			return 0, err
		}
		for _, h := range all {
			h.ID = 0
			have[h] = true
		}
	}
	var add []Row
	for _, r := range rows {
		if r.ID = 0; !have[r] {
			have[r] = true
			add = append(add, r)
		}
	}
	err = tx.Insert(ctx, table, []string{"user_id", "org", "course_id", "role"}, len(add), func(i int, v []any) {
		v[0], v[1], v[2], v[3] = add[i].User, add[i].Org, add[i].Course, add[i].Role
	})
	return len(add), db.Raced(err)
}

// For reports whether the row is for a course: its own, or every one of the organization. Course keys are compared byte for
// byte, as assignments are; organizations without regard to letter case, as a row becomes an assignment in the
// organization's own spelling (authz-migration.md §14, M-17).
func (r Row) For(course keys.Course) bool {
	switch {
	case r.Course != "":
		return r.Course == course.String()
	case r.Org != "":
		return strings.EqualFold(r.Org, course.Org())
	}
	return false
}

// Holds reports whether rows say that somebody has a role for a course.
func Holds(rows []Row, want Role, course keys.Course) bool {
	return slices.ContainsFunc(rows, func(r Row) bool { return r.Role.Is(want) && r.For(course) })
}

// Creates reports whether rows let somebody make courses of an organization. That is always legacy, whatever the flag of
// the course to come says (authz.md §14).
func Creates(rows []Row, org string) bool {
	return slices.ContainsFunc(rows, func(r Row) bool {
		return r.Role == CourseCreator || r.Role == OrgCreator && r.Org != "" && strings.EqualFold(r.Org, org)
	})
}
