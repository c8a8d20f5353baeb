package app

import (
	"context"
	"time"

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
	Blocks      int       `json:"blocks"`
	Unsupported int       `json:"unsupported"`
	ChangeLog   string    `json:"change_log,omitempty"`
	By          string    `json:"by,omitempty"`
	Created     time.Time `json:"created"`
	Errors      []string  `json:"errors"`
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
	var ids []int64
	for _, m := range list {
		ids = append(ids, m.Task)
	}
	tasks, err := migrator.Tasks(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	left, err := migrator.Artifacts(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	errors := map[int64][]string{}
	for _, f := range left {
		errors[f.Task] = append(errors[f.Task], f.Text)
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
	refs := map[publishing.PackageID]string{}
	for _, m := range list {
		if _, known := refs[m.Target]; !known {
			p, err := publishing.PackageByID(ctx, tx, m.Target)
			if err != nil {
				return nil, err
			}
			refs[m.Target] = p.Ref
		}
		t := tasks[m.Task]
		i := LibraryImport{Task: t.UUID.String(), Source: m.Source, Target: refs[m.Target], State: t.State, Completed: t.Completed, Total: t.Total,
			Level: m.Level, Repeat: m.Repeat, KeepSlugs: m.KeepSlugs, Failed: m.Failed, Forwarded: m.Forwarded, Blocks: m.Made, Unsupported: m.Refused,
			By: names[user.ID(t.By)], Created: t.Created, Errors: []string{}}
		if m.ChangeLog != 0 {
			i.ChangeLog = publishing.LogName(false, m.ChangeLog)
		}
		i.Errors = append(i.Errors, errors[m.Task]...)
		out = append(out, i)
	}
	return out, nil
}
