package app

import (
	"context"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/migrator"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

// LibraryImport is a migration of one source to a library, as lists of them have it (Y6, Y7).
type LibraryImport struct {
	Task        string    `json:"task"`
	Source      string    `json:"source"`
	Target      string    `json:"target"`
	State       string    `json:"state"`
	Completed   int       `json:"completed_steps"`
	Total       int       `json:"total_steps"`
	Level       string    `json:"level"`
	Repeat      string    `json:"repeat"`
	KeepSlugs   bool      `json:"keep_slugs"`
	Failed      bool      `json:"is_failed"`
	Forwarded   bool      `json:"forwarded"`
	Collection  string    `json:"collection,omitempty"` // code, of the target
	Blocks      int       `json:"blocks"`
	Unsupported int       `json:"unsupported"`
	ChangeLog   string    `json:"change_log,omitempty"`
	By          string    `json:"by,omitempty"`
	Created     time.Time `json:"created"`
	Errors      []string  `json:"errors"`

	CollectionTitle string `json:"-"`
	TargetTitle     string `json:"-"`

	task, id int64
}

// LibraryMigrations lists the migrations to a library, or with "" to all that the actor may see, newest first.
func (a *App) LibraryMigrations(ctx context.Context, library string) (out []LibraryImport, err error) {
	if library != "" {
		if _, err := visible(ctx, a, "LibraryMigrations", []string{library}, thePackage); err != nil {
			return nil, err
		}
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		out, err = libraryImports(ctx, tx, library)
		return err
	})
	if err != nil || library != "" {
		return out, err
	}
	return visible(ctx, a, "LibraryMigrations", out, func(i LibraryImport) thing { return thePackage(i.Target) })
}

func libraryImports(ctx context.Context, tx *db.Tx, library string) ([]LibraryImport, error) {
	out := []LibraryImport{}
	var pkg publishing.PackageID
	if library != "" {
		p, err := libraryPackage(ctx, tx, library)
		if err != nil {
			return nil, err
		}
		pkg = p.ID
	}
	if there, err := schema.HasMigrator(ctx, tx); err != nil || !there {
		return out, err
	}
	list, err := migrator.Migrations(ctx, tx, pkg)
	if err != nil {
		return nil, err
	}
	return describeImports(ctx, tx, list)
}

// describeImports returns what lists say of migrations, in the same order.
func describeImports(ctx context.Context, tx *db.Tx, list []migrator.Migration) ([]LibraryImport, error) {
	out := []LibraryImport{}
	var ids []int64
	for _, m := range list {
		ids = append(ids, m.Task)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	tasks, err := migrator.Tasks(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	left, err := migrator.Artifacts(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var people []user.ID
	for _, t := range tasks {
		if t.By != 0 {
			people = append(people, user.ID(t.By))
		}
	}
	names, err := user.Names(ctx, tx, people)
	if err != nil {
		return nil, err
	}
	libraries := map[publishing.PackageID]publishing.Package{}
	shelves := map[int64]collections.Collection{}
	for _, m := range list {
		p, known := libraries[m.Target]
		if !known {
			if p, err = publishing.PackageByID(ctx, tx, m.Target); err != nil {
				return nil, err
			}
			libraries[m.Target] = p
			all, err := collections.Collections(ctx, tx, m.Target, collections.All)
			if err != nil {
				return nil, err
			}
			for _, c := range all {
				shelves[int64(c.ID)] = c
			}
		}
		t, c := tasks[m.Task], shelves[m.Collection]
		i := LibraryImport{Task: t.UUID.String(), Source: m.Source, Target: p.Ref, State: t.State, Completed: t.Completed, Total: t.Total,
			Level: m.Level, Repeat: m.Repeat, KeepSlugs: m.KeepSlugs, Failed: m.Failed, Forwarded: m.Forwarded, Blocks: m.Made, Unsupported: m.Refused,
			By: names[user.ID(t.By)], Created: t.Created, Errors: []string{}, Collection: c.Code, CollectionTitle: c.Title, TargetTitle: p.Title, task: t.ID, id: m.ID}
		if m.ChangeLog != 0 {
			i.ChangeLog = publishing.LogName(false, m.ChangeLog)
		}
		for _, a := range left[t.ID] {
			i.Errors = append(i.Errors, a.Text)
		}
		out = append(out, i)
	}
	return out, nil
}
