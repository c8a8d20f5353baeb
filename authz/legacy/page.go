package legacy

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
	"github.com/openlectern/lectern/user"
)

const readRows = `SELECT id, user_id, org, course_id, role FROM student_courseaccessrole`

// condition is what the database is asked for, which may be more than fits: rows of an organization, or of courses. The parts
// Wide and more courses than one are not for it.
func (s Selection) condition() (where string, args []any) {
	if s.Org == "" {
		return `course_id = ?`, []any{s.Courses[0]}
	}
	pattern := "course-v1:" + s.Org + "+%"
	if strings.ContainsRune(s.Org, '\\') { // which patterns of some engines take for a sign
		pattern = "course-v1:%"
	}
	return `(LOWER(org) = LOWER(?) OR LOWER(course_id) LIKE LOWER(?))`, []any{s.Org, pattern}
}

// Page reads rows of an organization, or of one course, with ids above after, by id: at most limit. last is the id up to which
// the table was read, and more says that it goes on behind it. The table must be there.
func Page(ctx context.Context, q db.Querier, s Selection, after int64, limit int) (rows []Row, last int64, more bool, err error) {
	where, args := s.condition()
	fits, n := s.fits(), 0
	last = after
	err = q.Query(ctx, readRows+` WHERE id > ? AND `+where+` ORDER BY id LIMIT ?`, append(append([]any{after}, args...), limit), func(r *db.Row) error {
		row, err := scan(r)
		n, last = n+1, row.ID
		if err == nil && fits(row) {
			rows = append(rows, row)
		}
		return err
	})
	if err != nil {
		return nil, after, false, fmt.Errorf("read roles: %w", err)
	}
	return rows, last, n == limit, nil
}

// EachRow calls fn for every row, without keeping them. A missing table has none.
func EachRow(ctx context.Context, q db.Querier, fn func(Row)) error {
	names, err := inspect.Names(ctx, q)
	if err != nil || !names[table] {
		return err
	}
	err = q.Query(ctx, readRows, nil, func(r *db.Row) error {
		row, err := scan(r)
		if err == nil {
			fn(row)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read roles: %w", err)
	}
	return nil
}

// Count returns how many rows of an organization or of one course there are, and stops counting at most.
func Count(ctx context.Context, q db.Querier, s Selection, most int) (int, error) {
	where, args := s.condition()
	n, _, err := db.One(ctx, q, `SELECT COUNT(*) FROM (SELECT id FROM student_courseaccessrole WHERE `+where+` LIMIT ?) some_rows`, append(args, most), db.Value[int])
	return n, err
}

// Most reports whether the whole table has at most so many rows, by a look at an index. A missing table has none.
func Most(ctx context.Context, q db.Querier, most int) (bool, error) {
	names, err := inspect.Names(ctx, q)
	if err != nil || !names[table] {
		return true, err
	}
	_, more, err := db.One(ctx, q, `SELECT id FROM student_courseaccessrole ORDER BY id LIMIT 1 OFFSET ?`, []any{most}, db.Value[int64])
	return !more, err
}

// OfUsers reads the rows of people for one course.
func OfUsers(ctx context.Context, q db.Querier, course string, users []user.ID) (rows []Row, err error) {
	err = db.QueryIn(ctx, q, readRows+` WHERE course_id = ? AND user_id IN (?...)`, users, []any{course}, func(r *db.Row) error {
		row, err := scan(r)
		rows = append(rows, row)
		return err
	})
	return rows, err
}

// DeleteSame removes those of the rows that are still as they were, by their ids and all that they say.
func DeleteSame(ctx context.Context, tx *db.Tx, rows []Row) error {
	was := make(map[int64]Row, len(rows))
	ids := make([]int64, len(rows))
	for i, r := range rows {
		was[r.ID], ids[i] = r, r.ID
	}
	var same []int64
	err := db.QueryIn(ctx, tx, readRows+` WHERE id IN (?...)`, ids, nil, func(r *db.Row) error {
		row, err := scan(r)
		if was[row.ID] == row {
			same = append(same, row.ID)
			delete(was, row.ID) // lists of ids may overlap
		}
		return err
	})
	if err != nil {
		return err
	}
	return Delete(ctx, tx, same)
}
