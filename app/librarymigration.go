package app

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/migrator"
	"github.com/openlectern/lectern/schema"
)

// LibraryMigration asks for courses and legacy libraries to be brought into a library (migrator.md).
type LibraryMigration struct {
	Sources   []string `json:"sources"` // keys of what is in the store; of a command also archives and folders
	Target    string   `json:"target"`  // lib:ORG:SLUG
	Level     string   `json:"level,omitempty"`
	Repeat    string   `json:"repeat,omitempty"`
	Forward   string   `json:"forward,omitempty"`
	KeepSlugs bool     `json:"keep_slugs,omitempty"`
	// Collections are codes of collections of the target: none, one for all sources, or one for each, of which "" is none.
	Collections       []string `json:"collections,omitempty"`
	CreateCollections bool     `json:"create_collections,omitempty"` // for the sources without one
	Limit             int      `json:"limit,omitempty"`              // as [migrator.Options] has it
	Types             []string `json:"types,omitempty"`              // block types to take; none means all
	Archives          bool     `json:"-"`                            // a source that is no key is the path of an archive or folder
	// Site, if not nil, is an old site that all sources are of, under the keys that it knows them by.
	Site     *OldSite `json:"-"`
	Progress Progress `json:"-"`
	again    bool     // a worker that ends leaves the task to the next one
}

// asked is a migration that was checked.
type asked struct {
	LibraryMigration
	target  keys.Context
	options migrator.Options
	forward migrator.Forward
	keys    []keys.Course  // of the sources
	lazy    []lazySource   // those of archives and old sites; others have no read
	close   []func() error // of these
	pkg     publishing.Package
	joins   []int64 // ids of Collections, 0 for none
}

// check reads a request (V1, V3).
func (m LibraryMigration) check(ctx context.Context) (r *asked, err error) {
	r = &asked{LibraryMigration: m}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.end())
		}
	}()
	if r.target, err = keys.ParseContext(m.Target); err != nil || !strings.HasPrefix(m.Target, "lib:") {
		return r, noLibraryKey(m.Target)
	}
	if r.options.Level, err = migrator.ParseLevel(m.Level); err != nil {
		return r, err
	}
	if r.options.Repeat, err = migrator.ParseStrategy(m.Repeat); err != nil {
		return r, err
	}
	if r.forward, err = migrator.ParseForward(m.Forward); err != nil {
		return r, err
	}
	r.options.KeepSlugs, r.options.Limit = m.KeepSlugs, m.Limit
	if len(m.Types) > 0 {
		r.options.Types = map[string]bool{}
		for _, t := range m.Types {
			r.options.Types[t] = true
		}
	}
	switch n := len(m.Collections); {
	case len(m.Sources) == 0:
		return r, fault.Errorf(fault.Usage, "sources", "there is nothing to migrate").WithNext("name a course or a legacy library")
	case n == 1:
		r.Collections = slices.Repeat(m.Collections, len(m.Sources))
	case n == 0:
		r.Collections = make([]string, len(m.Sources))
	case n != len(m.Sources):
		return r, fault.Errorf(fault.Usage, "collections", "%d are named for %d sources", n, len(m.Sources)).WithNext("name one for all, or one for each source")
	}
	var ofSite []lazySource
	if m.Site != nil {
		list, done, err := siteSources(ctx, *m.Site, m.Sources, m.Progress)
		if err != nil {
			return r, err
		}
		ofSite, r.close = list, append(r.close, done)
	}
	seen := map[string]bool{}
	for i, text := range m.Sources {
		var src lazySource
		if m.Site != nil {
			src = ofSite[i]
		} else if src, err = r.source(ctx, text); err != nil {
			return r, err
		}
		if seen[src.key.String()] {
			return r, fault.Errorf(fault.Usage, src.key.String(), "the source is named twice").WithNext("name it once")
		}
		seen[src.key.String()] = true
		r.keys, r.lazy = append(r.keys, src.key), append(r.lazy, src)
	}
	return r, nil
}

// source reads the key of a source, or an archive.
func (r *asked) source(ctx context.Context, text string) (src lazySource, err error) {
	if src.key, err = keys.ParseCourse(text); err == nil && !strings.Contains(text, "/") {
		src.key, err = src.key.WithoutBranch()
		return src, err
	}
	if !r.Archives || strings.HasPrefix(text, "lib:") || strings.HasPrefix(text, "course-v1:") || strings.HasPrefix(text, "library-v1:") {
		return src, fault.Errorf(fault.Usage, text, "is neither a course nor a legacy library").WithNext("write course-v1:ORG+COURSE+RUN or library-v1:ORG+LIBRARY")
	}
	read, err := readFrom(ctx, text, readOptions{Lenient: true})
	if err != nil {
		return src, err
	}
	r.close = append(r.close, read.Close)
	tree := migrator.SourceOf(read.State.Published, "")
	return lazySource{tree.Key, func() (migrator.Source, error) { return tree, nil }}, nil
}

// things returns what permission is asked for: the library, and what sources there are in the store (V2).
func (r *asked) things() []thing {
	list := []thing{thePackage(r.Target)}
	for i, key := range r.keys {
		if r.lazy[i].read == nil {
			list = append(list, thing{name: key.String(), course: key})
		}
	}
	return list
}

// mayMigrate reads what a job asks for, and asks whether it may.
func (a *App) mayMigrate(ctx context.Context, m *LibraryMigration) (*asked, error) {
	if m == nil {
		return nil, fault.Errorf(fault.Usage, "migration", "the job does not say what to migrate").WithNext("name sources and a target")
	}
	plain := *m
	plain.Archives, plain.Site = false, nil
	r, err := plain.check(ctx)
	if err == nil {
		err = a.may(ctx, "MigrateToLibrary", r.things()...)
	}
	return r, err
}

func (r *asked) end() error {
	var errs []error
	for _, end := range r.close {
		errs = append(errs, end())
	}
	r.close = nil
	return errors.Join(errs...)
}

// MigrateToLibrary brings sources into a library, each in a transaction of its own, and says what became of each. Sources
// that fail do not keep the others from it (X1); where all do, and where one cannot be read at all, the task fails, which is
// an error beside the result. It takes the permission to edit each source in the store, and to edit the library (V2).
func (a *App) MigrateToLibrary(ctx context.Context, m LibraryMigration) (out *LibraryMigrated, err error) {
	r, err := m.check(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	if err := a.may(ctx, "MigrateToLibrary", r.things()...); err != nil {
		return nil, err
	}
	return a.migrateAs(ctx, r, uuid.Nil)
}

// migrateAs does what was asked for as a task that has this id, and that is taken up where it was begun already.
func (a *App) migrateAs(ctx context.Context, r *asked, id uuid.UUID) (out *LibraryMigrated, err error) {
	if err := a.locate(ctx, r); err != nil {
		return nil, err
	}
	if a.dryRun {
		return a.rehearseMigration(ctx, r)
	}
	if err := a.readyForTasks(ctx); err != nil {
		return nil, err
	}
	if id == uuid.Nil {
		if id, err = uuid.NewV7(); err != nil {
			return nil, err
		}
	}
	held, err := lease.Take(ctx, a.DB, migrationLease(id), lease.Options{What: "a migration to " + r.Target})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, held.Release(context.WithoutCancel(ctx))) }()
	w := &migrating{App: a, r: r}
	switch err := w.begin(ctx, id); {
	case errors.Is(err, migrator.ErrCanceled):
		return w.cancelled(ctx)
	case err != nil:
		return nil, err
	}
	return w.run(ctx)
}

// locate finds the library, and the collections that were named (V1, V6).
func (a *App) locate(ctx context.Context, r *asked) (err error) {
	if r.pkg, err = libraryPackage(ctx, a.DB, r.Target); err != nil {
		return err
	}
	r.joins = make([]int64, len(r.Collections))
	for i, code := range r.Collections {
		if code == "" {
			continue
		}
		c, err := collections.ByCode(ctx, a.DB, r.pkg.ID, code)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err != nil || !c.Enabled {
			return fault.Errorf(fault.Usage, code, "%s has no such collection", r.Target).WithNext("name one of the library's, or ask for new ones")
		}
		r.joins[i] = int64(c.ID)
	}
	return nil
}

// readyForTasks makes the tables of tasks where there are none, and ends those whose process is gone.
func (a *App) readyForTasks(ctx context.Context) error {
	there, err := schema.HasMigrator(ctx, a.DB)
	if err == nil && !there {
		err = schema.AddMigrator(ctx, a.DB)
	}
	if err != nil {
		return err
	}
	return a.endLost(ctx)
}

func migrationLease(id uuid.UUID) string { return "migration " + id.String() }

// endLost ends tasks whose process is gone (T6). What waits in the queue, or is taken up again there, is not lost.
func (a *App) endLost(ctx context.Context) error {
	list, err := migrator.Unfinished(ctx, a.DB)
	if err != nil || len(list) == 0 {
		return err
	}
	names, ids := make([]string, len(list)), make([]uuid.UUID, len(list))
	for i, t := range list {
		names[i], ids[i] = migrationLease(t.UUID), t.UUID
	}
	free, err := lease.Free(ctx, a.DB, names)
	if err != nil || len(free) == 0 {
		return err
	}
	queued, err := job.Live(ctx, a.DB, ids)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(t migrator.Task) bool { return queued[t.UUID] || !slices.Contains(free, migrationLease(t.UUID)) })
	if len(list) == 0 {
		return nil
	}
	return a.Update(ctx, func(tx *db.Tx) error {
		for _, t := range list {
			if err := migrator.Fail(ctx, tx, t.ID, "The process that worked on it is gone. Each source is in the library as a whole or not at all."); err != nil {
				return err
			}
		}
		return nil
	})
}
