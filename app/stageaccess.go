package app

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/oldcourse"
	"github.com/openlectern/lectern/user"
)

// LegacyAccess says what a page of a course answers, for whatever serves learners: the same to everybody (DEP-31). A refusal of
// an old course is counted. key is of a course, block or file; a key of today's form is allowed at every stage.
func (a *App) LegacyAccess(ctx context.Context, key, page string) (out oldcourse.Access, err error) {
	if err := a.may(ctx, "LegacyAccess"); err != nil {
		return out, err
	}
	k, old := oldcourse.ParseKey(key)
	if !old {
		return oldcourse.Default().AccessTo(key, page, "")
	}
	s, err := a.stage(ctx, a.DB)
	if err != nil {
		return out, err
	}
	if out, err = s.AccessTo(key, page, ""); err != nil || out.Allowed {
		return out, err
	}
	rows, err := oldcourse.Overviews(ctx, a.DB, []string{k.Name()})
	if err != nil {
		return out, err
	}
	a.guard().refused.Add(k, page, time.Now())
	return s.AccessTo(key, page, rows[k.Name()].Title)
}

// LegacyCard is what a person's dashboard shows of an enrolment in an old course (DEP-24): no link to the course, and nothing to
// resume, once the old store was removed.
type LegacyCard struct {
	oldcourse.Enrolment
	Overview  *oldcourse.Overview // nil where none is known
	Available bool                // the course can be entered
	Problem   string              // of this card alone (DEP-27)
}

// LegacyCards returns the cards of a person's enrolments in old courses, by course. Everybody sees their own, operators all. name
// "" is the actor.
func (a *App) LegacyCards(ctx context.Context, name string) (out []LegacyCard, err error) {
	if err := a.may(ctx, "LegacyCards"); err != nil {
		return nil, err
	}
	if err := db.CheckIdentifier(name, 150); err != nil {
		return nil, err
	}
	if name != "" && name != a.actor.name {
		if err := a.mayAlso(ctx, "LegacyCards", thing{}); err != nil {
			return nil, err
		}
	}
	tables, err := a.guard().tables(ctx)
	if err != nil {
		return nil, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		id := a.actor.id
		if name != "" {
			u, err := user.ByName(ctx, tx, name)
			if err != nil {
				return err
			}
			id = u.ID
		}
		s, err := a.stage(ctx, tx)
		if err != nil {
			return err
		}
		list, err := oldcourse.EnrolmentsOf(ctx, tx, tables, id)
		if err != nil {
			return err
		}
		courses := make([]string, len(list))
		for i, e := range list {
			courses[i] = e.Course
		}
		rows, err := oldcourse.Overviews(ctx, tx, courses)
		if err != nil {
			return err
		}
		out = make([]LegacyCard, len(list))
		for i, e := range list {
			c := LegacyCard{Enrolment: e, Available: s.Stage != oldcourse.Removed}
			if o, ok := rows[e.Course]; ok {
				c.Overview, c.Problem = &o, o.Problem
			} else {
				c.Problem = noLegacy(e.Course)
			}
			out[i] = c
		}
		return nil
	})
	return out, err
}
