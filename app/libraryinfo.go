package app

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/migrator"
)

// LibraryInfo returns where courses and legacy libraries were brought to, by source, the newest first, without what failed
// (Y6). Keys that are none, and sources that the actor may not see, are left out.
func (a *App) LibraryInfo(ctx context.Context, sources []string) (map[string][]LibraryImport, error) {
	var known []thing
	for _, text := range sources {
		key, err := keys.ParseCourse(text)
		if err != nil || key.Deprecated() { // what is of the old store is nowhere, which is no refusal (DEP-27)
			continue
		}
		if t, err := theCourse(key); err == nil {
			known = append(known, t)
		}
	}
	out := map[string][]LibraryImport{}
	if err := a.may(ctx, "LibraryInfo"); err != nil || len(known) == 0 {
		return out, err
	}
	known, err := visible(ctx, a, "LibraryInfo", known, func(t thing) thing { return t })
	if err != nil && !fault.Is(err, fault.Denied) {
		return nil, err
	}
	names := make([]string, len(known))
	for i, t := range known {
		names[i] = t.name
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		list, err := migrator.MigrationsFrom(ctx, tx, names)
		if err != nil {
			return err
		}
		imports, err := describeImports(ctx, tx, list)
		clear(out)
		for _, i := range imports {
			out[i.Source] = append(out[i.Source], i)
		}
		return err
	})
	return out, err
}

// LibraryBlocksQuery says of which blocks [App.LibraryBlocks] tells: those of a library, and of these only what the fields
// that are not empty name.
type LibraryBlocksQuery struct {
	Target     string
	Source     string
	Collection string // code
	Task       string // UUID
	Failed     *bool  // true: those that did not make it; false: those that did (U7)
}

// LibraryBlock is what became of a block of a source.
type LibraryBlock struct {
	Source string // usage key
	Target string // key of what it is in the library, "" where it did not make it
	Reason string // why it did not, or what it lacks there
}

// LibraryBlocks returns the rows of the migrations to a library that did not fail, in the order they were written.
func (a *App) LibraryBlocks(ctx context.Context, f LibraryBlocksQuery) (out []LibraryBlock, err error) {
	library, err := keys.ParseContext(f.Target)
	if err != nil || !thePackage(f.Target).library {
		return nil, noLibraryKey(f.Target)
	}
	if err := a.may(ctx, "LibraryBlocks", thePackage(f.Target)); err != nil {
		return nil, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		list, err := libraryImports(ctx, tx, f.Target)
		if err != nil {
			return err
		}
		var ids []int64
		for _, m := range slices.Backward(list) {
			if !m.Failed && (f.Source == "" || m.Source == f.Source) && (f.Collection == "" || m.Collection == f.Collection) && (f.Task == "" || m.Task == f.Task) {
				ids = append(ids, m.id)
			}
		}
		blocks, err := migrator.Blocks(ctx, tx, ids)
		if err != nil {
			return err
		}
		names, err := targetKeys(ctx, tx, library, blocks)
		out = []LibraryBlock{}
		for _, b := range blocks {
			if f.Failed != nil && *f.Failed != (b.Target == 0) {
				continue
			}
			row := LibraryBlock{Source: b.Key, Target: names[b.Target]}
			if b.Reason != nil {
				row.Reason = b.Reason.Text
			}
			out = append(out, row)
		}
		return err
	})
	return out, err
}

// targetKeys returns the keys of what blocks became.
func targetKeys(ctx context.Context, q db.Querier, library keys.Context, blocks []migrator.Block) (map[publishing.EntityID]string, error) {
	var ids []publishing.EntityID
	for _, b := range blocks {
		if b.Target != 0 {
			ids = append(ids, b.Target)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	leaves, err := components.ByID(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	boxes, err := containers.ByID(ctx, q, ids)
	names := make(map[publishing.EntityID]string, len(ids))
	for id, c := range leaves {
		names[id] = targetKey(library, "", c.Type.Name, c.Code)
	}
	for id, c := range boxes {
		names[id] = targetKey(library, c.Type, "", c.Code)
	}
	return names, err
}

// LibraryPreview is what a migration would do (libraries-api.md §10.3).
type LibraryPreview struct {
	Total       int // of what would be made or changed, and of what cannot be
	Components  int
	Units       int
	Subsections int
	Sections    int
	Unsupported int // in Total and in Components
	Limit       int // most that the library may hold
	Over        bool
}

// LibraryPreview counts what a migration of a source to a library would do, by the plan that the migration itself would
// follow (Y4, Y5). Without a level all levels count, without a strategy all is made anew, whatever is there. A source of
// which nothing is published has nothing.
func (a *App) LibraryPreview(ctx context.Context, source, target, level, repeat string) (out LibraryPreview, err error) {
	if level == "" {
		level = migrator.Section.String()
	}
	if repeat == "" {
		repeat = string(migrator.Fork)
	}
	r, err := LibraryMigration{Sources: []string{source}, Target: target, Level: level, Repeat: repeat}.check(ctx)
	if err != nil {
		return out, err
	}
	if err := a.may(ctx, "LibraryPreview", r.things()...); err != nil {
		return out, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		pkg, err := libraryPackage(ctx, tx, target)
		if err != nil {
			return err
		}
		out = LibraryPreview{Limit: migrator.DefaultLimit}
		if _, err := course.Find(ctx, tx, r.keys[0]); err != nil {
			return err
		}
		if err := hasPublished(ctx, tx, r.keys[0]); fault.Is(err, fault.NotFound) {
			return nil // Y2
		} else if err != nil {
			return err
		}
		src, err := loadSource(ctx, tx, a.Files, r.keys[0])
		if err != nil {
			return err
		}
		plan, err := migrator.Preview(ctx, tx, pkg, src, r.options)
		if err != nil {
			return err
		}
		out = previewOf(plan)
		return nil
	})
	return out, err
}

func previewOf(plan *migrator.Plan) LibraryPreview {
	out := LibraryPreview{Limit: plan.Limit, Over: plan.Over()}
	of := map[string]*int{"": &out.Components, containers.Unit: &out.Units, containers.Subsection: &out.Subsections, containers.Section: &out.Sections}
	for _, s := range plan.Steps {
		if s.Action == migrator.Leave || s.Action == migrator.Same {
			continue
		}
		out.Total++
		*of[s.Kind]++
		if s.Action == migrator.Refuse {
			out.Unsupported++
		}
	}
	return out
}

// LibraryCourse is a course that was brought into a library.
type LibraryCourse struct {
	LibraryImport
	Title string // of the course; its key where the store does not have it
	// Ended is [migrator.Succeeded] or [migrator.Failed], "" while it goes on.
	Ended string
}

// LibraryCourses lists the migrations of courses to a library, the newest first (Y7).
func (a *App) LibraryCourses(ctx context.Context, library string) (out []LibraryCourse, err error) {
	if !thePackage(library).library {
		return nil, noLibraryKey(library)
	}
	if err := a.may(ctx, "LibraryCourses", thePackage(library)); err != nil {
		return nil, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		list, err := libraryImports(ctx, tx, library)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(m LibraryImport) bool { return !strings.HasPrefix(m.Source, "course-v1:") })
		names := make([]string, len(list))
		for i, m := range list {
			names[i] = m.Source
		}
		titles, err := catalog.Titles(ctx, tx, names)
		out = make([]LibraryCourse, len(list))
		for i, m := range list {
			out[i] = LibraryCourse{m, cmp.Or(titles[m.Source], m.Source), ""}
			switch {
			case m.Failed || m.State == migrator.Failed || m.State == migrator.Canceled:
				out[i].Ended = migrator.Failed
			case m.State == migrator.Succeeded:
				out[i].Ended = m.State
			}
		}
		return err
	})
	return out, err
}
