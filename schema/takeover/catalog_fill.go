package takeover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
)

// fillCatalog wishes that the catalog has every course of the split modulestore's index: the platform puts them there by a
// migration of its own, once, and keeps the two in step from then on (content-migrations.md §1.6). What is there already
// is never changed, so the step may be done again at any time.
func fillCatalog(p *planner) {
	p.bare = true
	f := p.fill
	if f == nil || len(f.runs) == 0 {
		p.skip = true
		return
	}
	// MariaDB has no unique keys by which two writers would meet: those of courses lock the organization first.
	p.change(organization, fmt.Sprintf("UPDATE %s SET short_name = short_name", p.q(organization)))
	insert := func(table, columns string, n int, one, many string, w func(*fill) backfill) {
		if n > 0 {
			p.fillIn(table, fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s) -- %s", p.q(table), columns,
				strings.Repeat(", ?", strings.Count(columns, ",")), count(n, one, many)), f.from.again(w))
		}
	}
	insert(organization, "created, modified, name, short_name, description, logo, active", len(f.orgs), "organization", "organizations", (*fill).addOrganizations)
	insert(catalogCourse, "course_code, created, title, language, org_id", len(f.courses), "course", "courses", (*fill).addCourses)
	insert(catalogRun, "course_key, run_code, created, title, catalog_course_id", len(f.runs), "course run", "course runs", (*fill).addRuns)
}

// again looks again, in the transaction and behind the lock, at what is missing, then does a part of the work.
func (f *filler) again(w func(*fill) backfill) backfill {
	now := *f
	now.catalog, now.organizations = true, true // the steps before have made the tables
	return func(ctx context.Context, tx *db.Tx) error {
		missing, err := now.read(ctx, tx)
		if err != nil {
			return err
		}
		if x := missing.conflict; x != nil {
			return fault.Errorf(fault.Conflict, x.Key, "the catalog has %s, which differs from it by case alone", x.Value).WithNext(x.Next)
		}
		return w(missing)(ctx, tx)
	}
}

func (f *fill) addOrganizations() backfill {
	return func(ctx context.Context, tx *db.Tx) error {
		err := tx.Insert(ctx, organization, []string{"created", "modified", "name", "short_name", "description", "logo", "active"}, len(f.orgs),
			func(i int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5], v[6] = tx.Now(), tx.Now(), f.orgs[i].name, f.orgs[i].name, nil, nil, true
			})
		if errors.Is(err, db.ErrDuplicate) { // by a collation of the MySQL family, to which accents are nothing
			return fault.Errorf(fault.Conflict, organization, "the database takes the short names of two for equal: %w", err).
				WithNext("give courses of the two one spelling, or run without --catalog")
		}
		return err
	}
}

func (f *fill) addCourses() backfill {
	return func(ctx context.Context, tx *db.Tx) error {
		for _, c := range f.courses {
			if c.org.id == 0 {
				return fault.Errorf(fault.Internal, c.org.name, "the organization was not made")
			}
		}
		return tx.Insert(ctx, catalogCourse, []string{"course_code", "created", "title", "language", "org_id"}, len(f.courses), func(i int, v []any) {
			c := f.courses[i]
			v[0], v[1], v[2], v[3], v[4] = c.code, or(c.created, tx.Now()), c.title, c.language, c.org.id
		})
	}
}

func (f *fill) addRuns() backfill {
	return func(ctx context.Context, tx *db.Tx) error {
		for _, r := range f.runs {
			if r.course.id == 0 {
				return fault.Errorf(fault.Internal, r.key, "its catalog course was not made")
			}
		}
		return tx.Insert(ctx, catalogRun, []string{"course_key", "run_code", "created", "title", "catalog_course_id"}, len(f.runs), func(i int, v []any) {
			r := f.runs[i]
			v[0], v[1], v[2], v[3], v[4] = r.key, r.run, or(r.created, tx.Now()), r.title, r.course.id
		})
	}
}

func or(at *time.Time, now time.Time) time.Time {
	if at != nil {
		return *at
	}
	return now
}

// uncataloged returns what stands in the way of the courses that the catalog lacks.
func (s *site) uncataloged(context.Context) ([]schema.Finding, error) {
	if s.fill == nil {
		return nil, nil
	}
	return s.fill.findings, nil
}
