package learnerstate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Keyed is a table of the platform that has rows under the keys of courses: what else a migration has to think of (CV-22).
type Keyed struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Rows   int64  `json:"rows"`
}

// platform are the tables that are keyed by course, with what holds the course. Names and columns are Open edX's; those that a
// database does not have are left out.
var platform = [...]struct{ table, column string }{
	{"bookmarks_bookmark", "course_key"},
	{"certificates_certificatewhitelist", "course_id"},
	{"certificates_generatedcertificate", "course_id"},
	{"completion_blockcompletion", "context_key"},
	{"completion_blockcompletion", "course_key"},
	{"course_groups_cohortmembership", "course_id"},
	{"course_groups_courseusergroup", "course_id"},
	{"course_modes_coursemode", "course_id"},
	{"course_overviews_courseoverview", "id"},
	{"courseware_offlinecomputedgrade", "course_id"},
	{"courseware_studentfieldoverride", "course_id"},
	{"courseware_studentmodule", "course_id"},
	{"credit_creditcourse", "course_key"},
	{"django_comment_client_role", "course_id"},
	{"edxval_coursevideo", "course_id"},
	{"grades_persistentcoursegrade", "course_id"},
	{"grades_persistentsubsectiongrade", "course_id"},
	{"grades_visibleblocks", "course_id"},
	{"milestones_coursecontentmilestone", "course_id"},
	{"milestones_coursemilestone", "course_id"},
	{"student_anonymoususerid", "course_id"},
	{"student_courseenrollment", "course_id"},
	{"student_courseenrollmentallowed", "course_id"},
	{"submissions_studentitem", "course_id"},
	{"teams_courseteam", "course_id"},
	{"verify_student_verificationdeadline", "course_key"},
}

// KeyedBy counts the rows of each such table that the database has, under the keys of courses. One statement a table (more for
// very many courses); nothing is written.
func KeyedBy(ctx context.Context, q db.Querier, courses []string) ([]Keyed, error) {
	known := map[string]bool{}
	for _, p := range platform {
		known[p.table] = true
	}
	tables, err := inspect.Read(ctx, q, func(name string) bool { return known[name] })
	if err != nil {
		return nil, err
	}
	list := []Keyed{}
	for _, p := range platform {
		t := tables[p.table]
		if t == nil || t.Column(p.column) == nil {
			continue
		}
		k := Keyed{Table: p.table, Column: p.column}
		if len(courses) > 0 {
			err := db.QueryIn(ctx, q, `SELECT COUNT(*) FROM `+p.table+` WHERE `+p.column+` IN (?...)`, courses, nil, func(r *db.Row) error {
				var n int64
				err := r.Scan(&n)
				k.Rows += n
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("count %s: %w", p.table, err)
			}
		}
		list = append(list, k)
	}
	slices.SortStableFunc(list, func(a, b Keyed) int { return cmp.Compare(a.Table, b.Table) })
	return list, nil
}
