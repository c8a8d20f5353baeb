package app

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/migrator"
)

// migrating is a task that runs.
type migrating struct {
	*App
	r    *asked
	task migrator.Task
	ids  []int64 // of the migrations
	done int     // of the sources, before this attempt
	out  LibraryMigrated
}

// begin makes the task, or takes up the one that a lost worker has begun.
func (w *migrating) begin(ctx context.Context, id uuid.UUID) error {
	w.out = LibraryMigrated{Task: id.String(), Target: w.r.Target, Sources: make([]MigratedSource, len(w.r.keys))}
	for i, key := range w.r.keys {
		w.out.Sources[i] = MigratedSource{Source: key.String(), Blocks: []MigratedNote{}}
	}
	q := w.r.request(id, w.By)
	return w.Update(ctx, func(tx *db.Tx) (err error) {
		w.done = 0
		t, err := migrator.TaskByUUID(ctx, tx, id)
		if err == nil {
			w.task = t
			w.ids, w.done, err = migrator.Resume(ctx, tx, &w.task)
			return err
		}
		if fault.Is(err, fault.NotFound) {
			w.task, w.ids, err = migrator.Begin(ctx, tx, q)
		}
		return err
	})
}

// request returns the task that is asked for.
func (r *asked) request(id uuid.UUID, by publishing.UserID) migrator.Request {
	q := migrator.Request{UUID: id, By: by, Target: r.pkg.ID, Level: r.options.Level, Repeat: r.options.Repeat, KeepSlugs: r.KeepSlugs, Collections: r.joins}
	for _, key := range r.keys {
		q.Sources = append(q.Sources, key.String())
	}
	q.Name = "Migrate " + strings.Join(q.Sources, ", ") + " to " + r.Target
	return q
}

// run works on the task until it ends.
func (w *migrating) run(ctx context.Context) (*LibraryMigrated, error) {
	err := w.sources(ctx)
	switch {
	case err == nil:
	case errors.Is(err, migrator.ErrCanceled), ctx.Err() != nil:
		return w.cancelled(ctx)
	default:
		w.out.State = migrator.Failed
		for i := range w.out.Sources {
			w.out.Sources[i].Failed = true
		}
		text := inWords(err)
		return &w.out, errors.Join(err, w.Update(ctx, func(tx *db.Tx) error { return migrator.Fail(ctx, tx, w.task.ID, text) }))
	}
	err = w.Update(ctx, func(tx *db.Tx) error {
		if w.out.FailedSources() == len(w.out.Sources) {
			return migrator.Fail(ctx, tx, w.task.ID, "") // each has said why
		}
		if err := migrator.Advance(ctx, tx, &w.task, migrator.LastStep, w.task.Total-1); err != nil {
			return err
		}
		return migrator.Succeed(ctx, tx, &w.task)
	})
	if errors.Is(err, migrator.ErrCanceled) {
		return w.cancelled(ctx)
	}
	w.out.State = migrator.Succeeded
	if n := w.out.FailedSources(); err == nil && n == len(w.out.Sources) {
		w.out.State = migrator.Failed
		err = fault.Errorf(fault.Refused, w.r.Target, "nothing was migrated: %s", w.out.Sources[0].Error).WithNext("see why in the result, for each source")
	}
	return &w.out, err
}

// cancelled ends a task that somebody has cancelled, or whose command was interrupted (T5). A job whose worker ends is begun
// again, and its task with it.
func (w *migrating) cancelled(ctx context.Context) (*LibraryMigrated, error) {
	again := ctx.Err() != nil && w.r.again && !job.IsCancelled(ctx)
	late := context.WithoutCancel(ctx)
	w.out.State = migrator.Canceled
	var err error
	if !again {
		err = w.Update(late, func(tx *db.Tx) error { return migrator.Cancel(late, tx, w.task.UUID) })
	}
	return &w.out, errors.Join(&fault.Error{Kind: fault.Interrupted, Thing: w.r.Target, Text: "the migration was cancelled", Err: ctx.Err(),
		Next: "what was done stays; see it with: lectern library migrations " + w.r.Target}, err)
}

// sources migrates one source after the other. An error ends the task.
func (w *migrating) sources(ctx context.Context) error {
	if err := w.step(ctx, migrator.Loading, 2); err != nil {
		return err
	}
	for i, key := range w.r.keys { // all can be read, or none is migrated (V5)
		if w.r.lazy[i].read != nil {
			continue // what was found there could be opened
		}
		err := w.View(ctx, func(tx *db.Tx) error { return hasPublished(ctx, tx, key) })
		if err != nil {
			return err
		}
	}
	if err := w.step(ctx, migrator.Loading, 3); err != nil {
		return err
	}
	for i := w.done; i < len(w.r.keys); i++ {
		if err := w.step(ctx, migrator.StepText(i+1, len(w.r.keys), 0), migrator.Completed(i)); err != nil {
			return err
		}
		if err := w.source(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// step tells of a step where others see it. Steps that were done in an earlier attempt are passed over.
func (w *migrating) step(ctx context.Context, text string, completed int) error {
	w.r.Progress.begin(strings.ToLower(text[:1]) + text[1:])
	if completed < w.task.Completed {
		return nil
	}
	err := w.Update(ctx, func(tx *db.Tx) error { return migrator.Advance(ctx, tx, &w.task, text, completed) })
	if err == nil {
		w.task.Completed = completed
	}
	return err
}

// source migrates one source. What is wrong with it is in the result; an error ends the task.
func (w *migrating) source(ctx context.Context, i int) error {
	to := &w.out.Sources[i]
	src, err := w.load(ctx, i)
	var done *migrator.Done
	if err == nil {
		to.Title = src.Title
		err = w.Update(ctx, func(tx *db.Tx) (err error) {
			run := w.r.run(src, i, w.App)
			run.Migration = w.ids[i]
			if done, err = run.Run(ctx, tx); err != nil {
				return err
			}
			// As the last statement, so that a task which was cancelled meanwhile comes to nothing.
			return migrator.Advance(ctx, tx, &w.task, migrator.StepText(i+1, len(w.r.keys), 5), migrator.Completed(i+1))
		})
	}
	switch {
	case err == nil:
		to.take(done, w.r.target)
	case errors.Is(err, migrator.ErrCanceled), ctx.Err() != nil:
		return err
	default:
		to.Failed, to.Error = true, inWords(err)
		text := to.Source + ": migrating it: " + to.Error
		err = w.Update(ctx, func(tx *db.Tx) error {
			if err := migrator.FailSource(ctx, tx, &w.task, w.ids[i], src.Version, text); err != nil {
				return err
			}
			return migrator.Advance(ctx, tx, &w.task, migrator.StepText(i+1, len(w.r.keys), 5), migrator.Completed(i+1))
		})
		if err != nil {
			return err
		}
	}
	w.task.Completed = migrator.Completed(i + 1)
	return nil
}

// run returns what brings a source into the library.
func (r *asked) run(src migrator.Source, i int, a *App) *migrator.Run {
	return &migrator.Run{
		Files: a.Files, Package: r.pkg, Source: src, Options: r.options, By: a.By, Forward: r.forward,
		Collection: r.Collections[i], CreateCollection: r.CreateCollections && r.Collections[i] == "",
		Progress: func(_, done, total int) {
			if r.Progress != nil {
				r.Progress("source "+strconv.Itoa(i+1)+" of "+strconv.Itoa(len(r.keys)), done, total)
			}
		},
	}
}

// load reads a source.
func (w *migrating) load(ctx context.Context, i int) (src migrator.Source, err error) {
	if read := w.r.lazy[i].read; read != nil {
		return read()
	}
	err = w.View(ctx, func(tx *db.Tx) (err error) {
		src, err = loadSource(ctx, tx, w.Files, w.r.keys[i])
		return err
	})
	return src, err
}

// loadSource reads what is published of a course or legacy library of the store.
func loadSource(ctx context.Context, q db.Querier, files media.Files, key keys.Course) (src migrator.Source, err error) {
	c, err := course.Find(ctx, q, key)
	if err != nil {
		return src, err
	}
	m, err := c.Resolve(ctx, q, "published")
	if err != nil {
		return src, err
	}
	tree, err := c.Load(ctx, q, files, m)
	if err != nil {
		return src, err
	}
	version := ""
	last, err := publishing.LastPublish(ctx, q, c.Package.ID)
	if last != nil {
		version = last.UUID.String()
	}
	return migrator.SourceOf(tree, version), err
}

// hasPublished reports a course or legacy library of which nothing is published, or that is not there.
func hasPublished(ctx context.Context, q db.Querier, key keys.Course) error {
	c, err := course.Find(ctx, q, key)
	if err != nil {
		return err
	}
	p, err := publishing.PointersOf(ctx, q, []publishing.EntityID{c.Root})
	if err == nil && !p[c.Root].Published.Live() {
		err = fault.Errorf(fault.NotFound, key.String(), "nothing of it is published").WithNext("publish it first")
	}
	return err
}
