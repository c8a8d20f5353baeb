package app

import (
	"context"
	"encoding/csv"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"

	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/learnerstate"
)

// StateMapOptions say what a map of learners' state is of, and what to make of it.
type StateMapOptions struct {
	// Keys are courses, by the key that they had or the one that they have; nil means all that were converted.
	Keys []string
	// CSV and SQL are files for the map; Dialect is that of the second.
	CSV, SQL, Dialect string
	// Rows is a CSV export of courseware_studentmodule; "" means the table, where the database has it.
	Rows string
	// Lost is a file for all rows that do not map; Limit is how many of them the report has.
	Lost  string
	Limit int
	// Rewrites asks for what is to be changed inside the state of problems.
	Rewrites bool
}

// MappedCourse is a course with the number of its blocks in the map.
type MappedCourse struct {
	Source, Target string
	Keys           int64
}

// StateMap is a map of learners' state, and what it means for their rows.
type StateMap struct {
	Courses []MappedCourse
	// Rows is nil where there are no learners' tables at hand.
	Rows *learnerstate.Report
	// Tables are the platform's tables with rows under the old keys of the courses.
	Tables []learnerstate.Keyed
}

// StateMap reads the maps that conversions saved, writes them to files, and counts the rows of learners by what becomes of them.
// It writes to no table.
func (a *App) StateMap(ctx context.Context, o StateMapOptions) (out *StateMap, err error) {
	if err := a.may(ctx, "StateMap"); err != nil {
		return nil, err
	}
	all, chosen, err := a.stateCourses(ctx, o.Keys)
	if err != nil {
		return nil, err
	}
	out = &StateMap{}
	if err := a.exportMap(ctx, o, chosen, out); err != nil {
		return nil, err
	}
	tables, err := a.guard().tables(ctx)
	if err != nil {
		return nil, err
	}
	sources := make([]string, 0, len(chosen))
	for _, c := range chosen {
		if c.Source != c.Target {
			sources = append(sources, c.Source)
		}
	}
	if out.Tables, err = learnerstate.KeyedBy(ctx, a.DB, sources); err != nil {
		return nil, err
	}
	if o.Rows == "" && !tables[learnerstate.Table] {
		if o.Lost != "" || o.Rewrites {
			return nil, fault.Errorf(fault.Refused, a.DB.Name(), "the database has no table %s", learnerstate.Table).
				WithNext("give a CSV export of it with --studentmodule")
		}
		return out, nil
	}
	count := &rowCount{app: a, all: all, chosen: map[string]learnerstate.Course{}, only: o.Keys != nil,
		tally: learnerstate.Tally{Limit: o.Limit, Rewrites: o.Rewrites}}
	for _, c := range chosen {
		count.chosen[c.Source] = c
	}
	if o.Lost == "" {
		err = count.run(ctx, o.Rows)
	} else {
		err = a.wholeCSV(o.Lost, func(w *csv.Writer) error {
			count.tally.Tell = func(l learnerstate.Lost) error {
				return w.Write([]string{strconv.FormatInt(l.ID, 10), l.Type, l.Module, l.Course, string(l.Outcome), l.Reason})
			}
			if err := w.Write([]string{"id", "module_type", "module_id", "course_id", "outcome", "reason"}); err != nil {
				return err
			}
			return count.run(ctx, o.Rows)
		})
	}
	if err != nil {
		return nil, err
	}
	report := count.tally.Report()
	out.Rows = &report
	return out, nil
}

// stateCourses returns all conversions, and those of the keys. A source that was made into several courses has to be named by the
// one that the rows go to.
func (a *App) stateCourses(ctx context.Context, wanted []string) (all, chosen []learnerstate.Course, err error) {
	list, err := conversion.List(ctx, a.DB)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range list {
		all = append(all, learnerstate.Course{Source: c.Source, Target: c.Target, Keys: func(fn func(learnerstate.Mapping) error) error {
			return conversion.Keys(ctx, a.DB, c.ID, func(k conversion.Key) error { return fn(learnerstate.Mapping{Old: k.Old, New: k.New}) })
		}})
	}
	taken := map[string]string{}
	add := func(c learnerstate.Course) error {
		if was, ok := taken[c.Source]; ok && was != c.Target {
			return fault.Errorf(fault.Conflict, c.Source, "it was made into %s and %s, and a learner's row can go to one only", was, c.Target).
				WithNext("name the course that it goes to")
		}
		if taken[c.Source] == "" {
			taken[c.Source] = c.Target
			chosen = append(chosen, c)
		}
		return nil
	}
	if wanted == nil {
		for _, c := range all {
			if err := add(c); err != nil {
				return nil, nil, err
			}
		}
		return all, chosen, nil
	}
	for _, key := range wanted {
		found := false
		for _, of := range [...]func(learnerstate.Course) string{ // a target names one course, a source may not
			func(c learnerstate.Course) string { return c.Target }, func(c learnerstate.Course) string { return c.Source },
		} {
			for _, c := range all {
				if found || of(c) != key {
					continue
				}
				if err := add(c); err != nil {
					return nil, nil, err
				}
			}
			found = found || slices.ContainsFunc(all, func(c learnerstate.Course) bool { return of(c) == key })
		}
		if !found {
			return nil, nil, fault.Errorf(fault.NotFound, key, "no course was made of it by a conversion").WithNext("convert it: lectern legacy convert")
		}
	}
	return all, chosen, nil
}

// exportMap counts the map's lines, and writes them where they are wanted.
func (a *App) exportMap(ctx context.Context, o StateMapOptions, chosen []learnerstate.Course, out *StateMap) (err error) {
	var writers []learnerstate.Writer
	var files []*whole
	defer func() {
		for _, f := range files {
			if err != nil {
				err = errors.Join(err, f.discard())
			}
		}
	}()
	for _, to := range [...]struct {
		path string
		sql  bool
	}{{o.CSV, false}, {o.SQL, true}} {
		if to.path == "" {
			continue
		}
		f, err := createWhole(to.path, a.dryRun)
		if err != nil {
			return err
		}
		files = append(files, f)
		w := learnerstate.NewCSV(f)
		if to.sql {
			if w, err = learnerstate.NewSQL(f, o.Dialect); err != nil {
				return err
			}
		}
		writers = append(writers, w)
	}
	for _, c := range chosen {
		m := MappedCourse{Source: c.Source, Target: c.Target}
		err := c.Usages(func(k learnerstate.Mapping) error {
			m.Keys++
			for _, w := range writers {
				if err := w.Write(c, k); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		out.Courses = append(out.Courses, m)
	}
	for _, w := range writers {
		if err := w.Close(); err != nil {
			return err
		}
	}
	for len(files) > 0 {
		f := files[0]
		files = files[1:]
		if err := f.commit(); err != nil {
			return err
		}
	}
	return nil
}

// wholeCSV writes a CSV file that appears when it is whole.
func (a *App) wholeCSV(path string, fn func(*csv.Writer) error) error {
	f, err := createWhole(path, a.dryRun)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	if err = fn(w); err == nil {
		w.Flush()
		err = w.Error()
	}
	if err != nil {
		return errors.Join(err, f.discard())
	}
	return f.commit()
}

// rowCount counts learners' rows course by course.
type rowCount struct {
	app    *App
	all    []learnerstate.Course
	chosen map[string]learnerstate.Course // by source
	only   bool                           // rows of others do not count
	tally  learnerstate.Tally
}

func (c *rowCount) run(ctx context.Context, file string) error {
	if file != "" {
		return c.file(ctx, file)
	}
	var courses []string
	if c.only {
		courses = slices.Sorted(maps.Keys(c.chosen))
	} else {
		var err error
		if courses, err = learnerstate.Courses(ctx, c.app.DB); err != nil {
			return err
		}
	}
	asked := map[string]bool{}
	for _, key := range courses {
		asked[key] = true
	}
	for len(courses) > 0 {
		key := courses[0]
		courses = courses[1:]
		m, err := c.of(key)
		if err != nil {
			return err
		}
		err = learnerstate.Rows(ctx, c.app.DB, key, c.tally.Rewrites, func(r learnerstate.Row) error {
			if r.Course == key {
				return c.tally.Add(m, r)
			}
			if !c.only && !asked[r.Course] { // the engine holds the two for one
				asked[r.Course] = true
				courses = append(courses, r.Course)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// of returns the map of a course, nil where it was not converted.
func (c *rowCount) of(key string) (*learnerstate.Map, error) {
	course, ok := c.chosen[key]
	if !ok {
		return nil, nil //nolint:nilnil // a nil Map answers for such courses
	}
	return learnerstate.NewMap(course, c.all)
}

// mapsKept is how many maps of courses are in memory while a file is read, whose rows come in no order.
const mapsKept = 64

func (c *rowCount) file(ctx context.Context, path string) error {
	f, err := os.Open(path) //nolint:gosec // the file that the caller names
	if err != nil {
		return fault.Errorf(fault.NotFound, path, "cannot be opened: %w", err)
	}
	kept := map[string]*learnerstate.Map{}
	err = learnerstate.ReadCSV(f, path, func(r learnerstate.Row) error {
		if _, ours := c.chosen[r.Course]; c.only && !ours {
			return nil
		}
		m, ok := kept[r.Course]
		if !ok {
			if len(kept) >= mapsKept {
				clear(kept)
			}
			var err error
			if m, err = c.of(r.Course); err != nil {
				return err
			}
			kept[r.Course] = m
		}
		return errors.Join(ctx.Err(), c.tally.Add(m, r))
	})
	return errors.Join(err, f.Close())
}
