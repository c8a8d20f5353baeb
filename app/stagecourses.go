package app

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/oldcourse"
	"github.com/openlectern/lectern/user"
)

// LegacyCourse is an old course as lists show it: from our own table, with no look into the old store (DEP-20).
type LegacyCourse struct {
	oldcourse.Overview
	// Missing is set of an item that was asked for by key and is not there, with Problem saying why; other items are not touched by it (DEP-27).
	Missing   bool
	Team      []LegacyRole
	Enrolled  *oldcourse.Count // nil where the database does not know
	Today     string           // the key that it gets when it is converted, "" where that is none
	Converted string           // what was made of it here, or what stands under that key; "" for nothing
	Rerun     bool             // the actor may convert it: the warning goes with an offer (DEP-12)
}

// LastEdit is when somebody last changed the course, as far as a scan of the old store or the platform knows; nil for unknown.
func (c LegacyCourse) LastEdit() *time.Time {
	if c.ScanEdit != nil {
		return c.ScanEdit
	}
	return c.Modified
}

// LegacyRole is a person's role in an old course, by the platform's rows.
type LegacyRole struct {
	User string
	Role string
}

// LegacyQuery says which old courses are asked for.
type LegacyQuery struct {
	Keys   []string // just these, in this order, with an item for each; else those that follow
	Search string   // only those whose key or title contains it, in any letter case
	After  string   // only keys after it, for the next page
	Limit  int      // at most so many; 0 is [MaxLegacyPage]
}

// MaxLegacyPage is how many old courses a page may have.
const MaxLegacyPage = 500

// LegacyPage is a page of old courses.
type LegacyPage struct {
	Stage   oldcourse.Setting
	Courses []LegacyCourse
	Next    string // what to give as After for the next page, "" at the end
}

// LegacyCourses lists old courses, of the actor's own where that is no operator. They are listed at every stage.
func (a *App) LegacyCourses(ctx context.Context, q LegacyQuery) (out LegacyPage, err error) {
	if q.Limit <= 0 || q.Limit > MaxLegacyPage {
		q.Limit = MaxLegacyPage
	}
	if len(q.Keys) > q.Limit {
		return out, fault.Errorf(fault.Usage, "key", "more than %d courses are asked for", q.Limit).WithNext("ask for them in several parts")
	}
	var all []string
	if err := a.View(ctx, func(tx *db.Tx) (err error) { all, err = oldcourse.Keys(ctx, tx); return err }); err != nil {
		return out, err
	}
	if all, err = visible(ctx, a, "LegacyCourses", all, thePackage); err != nil {
		return out, err
	}
	wanted := q.Keys
	if len(wanted) == 0 && q.Search == "" {
		wanted, out.Next = q.page(all)
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		if len(q.Keys) == 0 && q.Search != "" {
			if wanted, out.Next, err = q.search(ctx, tx, all); err != nil {
				return err
			}
		}
		if out.Stage, err = a.stage(ctx, tx); err != nil {
			return err
		}
		out.Courses, err = a.legacyCourses(ctx, tx, wanted, all, out.Stage)
		return err
	})
	return out, err
}

// page cuts a page out of ordered keys.
func (q LegacyQuery) page(all []string) (page []string, next string) {
	from, found := slices.BinarySearch(all, q.After)
	if found {
		from++
	}
	page = all[from:]
	if len(page) > q.Limit {
		page = page[:q.Limit]
		next = page[len(page)-1]
	}
	return page, next
}

// search is page of those keys that fit, which it looks for part by part.
func (q LegacyQuery) search(ctx context.Context, tx *db.Tx, all []string) (page []string, next string, err error) {
	text := strings.ToLower(q.Search)
	part := LegacyQuery{After: q.After, Limit: MaxLegacyPage}
	for {
		list, more := part.page(all)
		rows, err := oldcourse.Overviews(ctx, tx, list)
		if err != nil {
			return nil, "", err
		}
		for _, key := range list {
			if !strings.Contains(strings.ToLower(key), text) && !strings.Contains(strings.ToLower(rows[key].Title), text) {
				continue
			}
			if len(page) == q.Limit {
				return page, page[len(page)-1], nil
			}
			page = append(page, key)
		}
		if more == "" {
			return page, "", nil
		}
		part.After = more
	}
}

// legacyCourses reads what is known of courses; all are those that the actor may see.
func (a *App) legacyCourses(ctx context.Context, tx *db.Tx, wanted, all []string, stage oldcourse.Setting) ([]LegacyCourse, error) {
	tables, err := a.guard().tables(ctx)
	if err != nil {
		return nil, err
	}
	sees := func(key string) bool { _, found := slices.BinarySearch(all, key); return found }
	there := slices.DeleteFunc(slices.Clone(wanted), func(k string) bool { return !sees(k) })
	rows, err := oldcourse.Overviews(ctx, tx, there)
	if err != nil {
		return nil, err
	}
	counts, known, err := oldcourse.Enrolled(ctx, tx, tables, there)
	if err != nil {
		return nil, err
	}
	teams, err := legacyTeams(ctx, tx, tables, there)
	if err != nil {
		return nil, err
	}
	var today []string
	for _, key := range there {
		if k, ok := oldcourse.ParseKey(key); ok {
			today = append(today, k.Today().String())
		}
	}
	converted, err := course.Present(ctx, tx, today)
	if err != nil {
		return nil, err
	}
	made, err := conversion.Targets(ctx, tx, there)
	if err != nil {
		return nil, err
	}
	makes, err := a.makesIn(ctx, tx)
	if err != nil {
		return nil, err
	}
	out := make([]LegacyCourse, len(wanted))
	for i, key := range wanted {
		o, found := rows[key]
		if !found {
			out[i] = LegacyCourse{Overview: oldcourse.Overview{Key: key, Data: []byte("null"), Problem: noLegacy(key)}, Missing: true, Team: []LegacyRole{}}
			continue
		}
		c := LegacyCourse{Overview: o, Team: teams[key]}
		if known {
			n := counts[key]
			c.Enrolled = &n
		}
		if k, ok := oldcourse.ParseKey(key); ok {
			c.Today = k.Today().String()
			if c.Converted = made[key]; c.Converted == "" && converted[c.Today] {
				c.Converted = c.Today
			}
			c.Rerun = stage.Text() != "" && c.Today != "" && c.Converted == "" && makes(k.Course)
		}
		if c.Team == nil {
			c.Team = []LegacyRole{}
		}
		out[i] = c
	}
	return out, nil
}

func noLegacy(key string) string {
	if _, old := oldcourse.ParseKey(key); old {
		return "no overview of the course is known"
	}
	return "it is not the key of an old course"
}

// legacyTeams reads who has which role in courses.
func legacyTeams(ctx context.Context, tx *db.Tx, tables map[string]bool, courses []string) (map[string][]LegacyRole, error) {
	teams := map[string][]LegacyRole{}
	if len(courses) == 0 || !user.There(tables) {
		return teams, nil
	}
	rows, err := legacy.Select(ctx, tx, legacy.Selection{Courses: courses})
	if err != nil {
		return nil, err
	}
	ids := make([]user.ID, len(rows))
	for i, r := range rows {
		ids[i] = r.User
	}
	slices.Sort(ids)
	names, err := user.Names(ctx, tx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		teams[r.Course] = append(teams[r.Course], LegacyRole{names[r.User], string(r.Role)})
	}
	for _, t := range teams {
		sortBy(t, func(r LegacyRole) string { return r.Role + " " + r.User })
	}
	return teams, nil
}

// makesIn tells in which organizations the actor may make courses.
func (a *App) makesIn(ctx context.Context, q db.Querier) (func(keys.Course) bool, error) {
	if a.actor.system {
		return func(keys.Course) bool { return true }, nil
	}
	who, err := a.guard().account(ctx, q, a.actor.id)
	if err != nil {
		return nil, err
	}
	tables, err := a.guard().tables(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := legacy.OfUser(ctx, q, who.ID, tables)
	return func(k keys.Course) bool { return who.Admin() || legacy.Creates(rows, k.Org()) }, err
}

// FillLegacyOverviews takes over what the platform says of its old courses: from its table in this database where open is nil, else
// from that table as comma-separated values, which open opens, perhaps several times. Nothing of the platform's is written.
func (a *App) FillLegacyOverviews(ctx context.Context, open func() (io.ReadCloser, error)) (out oldcourse.Filled, err error) {
	if err := a.may(ctx, "FillLegacyOverviews"); err != nil {
		return out, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		if open == nil {
			out, err = oldcourse.FromDB(ctx, tx)
			return err
		}
		f, err := open()
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // only read
		out, err = oldcourse.FromCSV(ctx, tx, f)
		return err
	})
	return out, err
}

// NoteLegacySizes keeps what a scan of the old store has found of old courses, for lists.
func (a *App) NoteLegacySizes(ctx context.Context, seen []oldcourse.Seen) error {
	if err := a.may(ctx, "NoteLegacySizes"); err != nil {
		return err
	}
	return a.Update(ctx, func(tx *db.Tx) error { return oldcourse.Note(ctx, tx, seen) })
}
