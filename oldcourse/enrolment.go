package oldcourse

import (
	"context"
	"fmt"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// Learners' tables of the platform. They are only ever read.
const (
	enrollments  = "student_courseenrollment"
	certificates = "certificates_generatedcertificate"
)

// Count is how many people are enrolled in a course, and how many ever were.
type Count struct{ Active, All int }

// Enrolled counts the enrolments of courses; known is false where the database has no such table. tables are those it has.
func Enrolled(ctx context.Context, q db.Querier, tables map[string]bool, keys []string) (counts map[string]Count, known bool, err error) {
	if !tables[enrollments] {
		return nil, false, nil
	}
	counts = make(map[string]Count, len(keys))
	err = db.QueryIn(ctx, q, `SELECT course_id, SUM(CASE WHEN is_active THEN 1 ELSE 0 END), COUNT(*) FROM student_courseenrollment WHERE course_id IN (?...) GROUP BY course_id`,
		keys, nil, func(r *db.Row) error {
			var key string
			var active, all int64
			err := r.Scan(&key, &active, &all)
			counts[key] = Count{int(active), int(all)}
			return err
		})
	if err != nil {
		return nil, false, fmt.Errorf("count enrolments: %w", err)
	}
	return counts, true, nil
}

// Enrolment is a person's enrolment in an old course.
type Enrolment struct {
	Course      string
	Active      bool
	Mode        string
	At          *time.Time
	Certificate string // its status, "" for none
}

// maxEnrolments bounds how many old courses one person is told of.
const maxEnrolments = 1000

// EnrolmentsOf returns a person's enrolments in old courses, by course. Where the database has no enrolments there are none.
func EnrolmentsOf(ctx context.Context, q db.Querier, tables map[string]bool, id user.ID) ([]Enrolment, error) {
	if !tables[enrollments] {
		return nil, nil
	}
	var all []Enrolment
	err := q.Query(ctx, `SELECT course_id, is_active, mode, created FROM student_courseenrollment WHERE user_id = ? AND course_id NOT LIKE 'course-v1:%'
		ORDER BY course_id LIMIT `+fmt.Sprint(maxEnrolments), []any{id}, func(r *db.Row) error {
		var e Enrolment
		if err := r.Scan(&e.Course, &e.Active, &e.Mode, &e.At); err != nil {
			return err
		}
		if ours(e.Course) {
			all = append(all, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read enrolments: %w", err)
	}
	if !tables[certificates] || len(all) == 0 {
		return all, nil
	}
	status := map[string]string{}
	err = q.Query(ctx, `SELECT course_id, status FROM certificates_generatedcertificate WHERE user_id = ? AND course_id NOT LIKE 'course-v1:%'`, []any{id}, func(r *db.Row) error {
		var key, text string
		err := r.Scan(&key, &text)
		status[key] = text
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	for i := range all {
		all[i].Certificate = status[all[i].Course]
	}
	return all, nil
}
