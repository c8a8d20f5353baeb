package roleshift

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// tally is the [summary] of a run whose rows are in its details only: it holds a page of them at a time. It also sets the run's
// counts.
func tally(ctx context.Context, q db.Querier, run *Run, ask Ask) (map[string]any, error) {
	counts, notEligible := map[Outcome]int64{}, int64(0)
	err := q.Query(ctx, "SELECT outcome, reason, COUNT(*) FROM "+detailTable+" WHERE run_id = ? GROUP BY outcome, reason", []any{run.ID}, func(r *db.Row) error {
		var outcome, reason string
		var n int64
		err := r.Scan(&outcome, &reason, &n)
		if reason == NotEligible {
			notEligible += n
		} else {
			counts[Outcome(outcome)] += n
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s := newEntries()
	err = q.Query(ctx, detailColumns+" WHERE run_id = ? AND outcome IN (?, ?, ?, ?) AND reason <> ? ORDER BY id LIMIT ?",
		[]any{run.ID, string(Moved), string(Merged), string(Left), string(Error), NotEligible, maxEntries + 1}, func(r *db.Row) error {
			k, err := scanDetail(r)
			s.add(&k.Record)
			return err
		})
	if err != nil {
		return nil, err
	}
	run.Moved, run.Merged, run.Left, run.Errors = counts[Moved], counts[Merged], counts[Left], counts[Error]
	run.Derived, run.NotEligible = counts[Derived], notEligible
	out := s.document(counts, notEligible)
	if ask.Org == "" {
		return out, nil
	}
	courses, n, last := []*courseSum{}, 0, ""
	err = q.Query(ctx, "SELECT course_id, outcome, COUNT(*) FROM "+detailTable+" WHERE run_id = ? AND course_id <> '' AND reason <> ? GROUP BY course_id, outcome ORDER BY course_id",
		[]any{run.ID, NotEligible}, func(r *db.Row) error {
			var course, outcome string
			var rows int
			if err := r.Scan(&course, &outcome, &rows); err != nil {
				return err
			}
			if n == 0 || course != last {
				n, last = n+1, course
				if len(courses) < maxEntries {
					courses = append(courses, &courseSum{Course: course})
				}
			}
			if c := courses[len(courses)-1]; c.Course == course {
				c.count(Outcome(outcome), rows)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	s.courses(out, courses, n)
	return out, nil
}
