package legacy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Selection says which rows are asked for: those that fit any of its parts. The zero Selection is every row.
type Selection struct {
	Org     string   // rows of the organization, by their column or by their course's key, in any letter case
	Courses []string // rows of these courses, byte for byte
	Wide    []string // rows of these organizations that are for all of their courses, in any letter case
	// Only, where it is not nil, are ids: of the rows of Org those that are among them.
	Only map[int64]bool
}

// Select reads rows by id, in a number of statements that depends on the selection alone. Without the table there are none.
func Select(ctx context.Context, q db.Querier, s Selection) ([]Row, error) {
	names, err := inspect.Names(ctx, q)
	if err != nil || !names[table] {
		return nil, err
	}
	const columns = `SELECT id, user_id, org, course_id, role FROM student_courseaccessrole`
	rows, fits := []Row{}, s.fits()
	note := func(r *db.Row) error {
		row, err := scan(r)
		if err == nil && fits(row) {
			rows = append(rows, row)
		}
		return err
	}
	switch {
	case s.Org != "" && s.Only != nil:
		err = db.QueryIn(ctx, q, columns+` WHERE id IN (?...)`, slices.Sorted(maps.Keys(s.Only)), nil, note)
	case s.Org != "":
		pattern := "course-v1:" + s.Org + "+%"
		if strings.ContainsRune(s.Org, '\\') { // which patterns of some engines take for a sign
			pattern = "course-v1:%"
		}
		err = q.Query(ctx, columns+` WHERE LOWER(org) = LOWER(?) OR LOWER(course_id) LIKE LOWER(?)`, []any{s.Org, pattern}, note)
	case len(s.Courses)+len(s.Wide) == 0:
		err = q.Query(ctx, columns, nil, note)
	}
	if err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	if err := db.QueryIn(ctx, q, columns+` WHERE course_id IN (?...)`, s.Courses, nil, note); err != nil {
		return nil, fmt.Errorf("read the roles of courses: %w", err)
	}
	wide := make([]string, len(s.Wide))
	for i, org := range s.Wide {
		wide[i] = strings.ToLower(org)
	}
	err = db.QueryIn(ctx, q, columns+` WHERE (course_id = '' OR course_id IS NULL) AND LOWER(org) IN (?...)`, wide, nil, note)
	if err != nil {
		return nil, fmt.Errorf("read the roles of organizations: %w", err)
	}
	slices.SortFunc(rows, func(a, b Row) int { return int(a.ID - b.ID) })
	return slices.CompactFunc(rows, func(a, b Row) bool { return a.ID == b.ID }), nil // lists may overlap
}

func scan(r *db.Row) (row Row, err error) {
	var course *string // null in the tables of some releases
	err = r.Scan(&row.ID, &row.User, &row.Org, &course, &row.Role)
	if course != nil {
		row.Course = *course
	}
	return row, err
}

// fits returns what compares as Go does what the database has compared in its own way.
func (s Selection) fits() func(Row) bool {
	if s.Org == "" && len(s.Courses)+len(s.Wide) == 0 {
		return func(Row) bool { return true }
	}
	courses := make(map[string]bool, len(s.Courses))
	for _, c := range s.Courses {
		courses[c] = true
	}
	return func(r Row) bool {
		org := OrgOf(r.Course)
		switch {
		case s.Org != "" && (strings.EqualFold(org, s.Org) || org == "" && strings.EqualFold(r.Org, s.Org)):
			return true
		case r.Course != "":
			return courses[r.Course]
		}
		return slices.ContainsFunc(s.Wide, func(o string) bool { return strings.EqualFold(o, r.Org) })
	}
}

// OrgOf returns the organization that a course key of today's form names, "" for other texts.
func OrgOf(course string) string {
	rest, ok := strings.CutPrefix(course, "course-v1:")
	if !ok {
		return ""
	}
	org, _, ok := strings.Cut(rest, "+")
	if !ok {
		return "" // no key, and of no organization
	}
	return org
}

// Delete removes rows by their ids.
func Delete(ctx context.Context, tx *db.Tx, ids []int64) error {
	_, err := db.ExecIn(ctx, tx, `DELETE FROM student_courseaccessrole WHERE id IN (?...)`, ids, nil)
	return err
}

// Insert makes rows of which the caller knows that they are not there, in their order, but very many in that of the unique index
// over people, which it takes fastest.
func Insert(ctx context.Context, tx *db.Tx, rows []Row) error {
	const many = 2000
	if len(rows) > many {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b Row) int {
			return cmp.Or(cmp.Compare(a.User, b.User), strings.Compare(a.Org, b.Org), strings.Compare(a.Course, b.Course))
		})
	}
	err := tx.Insert(ctx, table, []string{"user_id", "org", "course_id", "role"}, len(rows), func(i int, v []any) {
		v[0], v[1], v[2], v[3] = rows[i].User, rows[i].Org, rows[i].Course, string(rows[i].Role)
	})
	return db.Raced(err) // Python may make one at the same time
}
