package app

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
	"github.com/openlectern/lectern/migrator"
	"github.com/openlectern/lectern/schema"
)

// LibraryTask is one request to bring sources into a library, as it stands (libraries-api.md §10.2).
type LibraryTask struct {
	migrator.Task
	Sources   []LibraryImport // in the order in which they were named
	Artifacts []migrator.Artifact
}

// StartLibraryTask puts a migration into the queue, as a task that others can follow from now on. What is wrong with the
// request, and what is not allowed, is told at once, and then nothing is begun.
func (a *App) StartLibraryTask(ctx context.Context, m LibraryMigration) (*LibraryTask, error) {
	if err := a.may(ctx, "StartLibraryTask"); err != nil {
		return nil, err
	}
	j, err := a.StartJob(ctx, NewJob{Kind: MigrateLibraryJob, Options: JobOptions{Migration: &m}})
	if err != nil || a.dryRun {
		return nil, err
	}
	return a.LibraryTask(ctx, j.UUID)
}

// pendingTask checks a migration and returns what writes its task, which waits for a worker.
func (a *App) pendingTask(ctx context.Context, m *LibraryMigration, id uuid.UUID) (write func(*db.Tx) error, err error) {
	r, err := a.mayMigrate(ctx, m)
	if err == nil {
		err = a.locate(ctx, r)
	}
	if err == nil {
		err = a.readyForTasks(ctx)
	}
	if err != nil {
		return nil, err
	}
	return func(tx *db.Tx) error {
		q := r.request(id, a.By)
		q.Waits = true
		_, _, err := migrator.Begin(ctx, tx, q)
		return err
	}, nil
}

// failTask ends the task of a job that has failed before it could work on it, and returns why. A worker that is told to end
// leaves it to the next.
func (a *App) failTask(ctx context.Context, id uuid.UUID, why error) error {
	if ctx.Err() != nil && !job.IsCancelled(ctx) {
		return why
	}
	late := context.WithoutCancel(ctx)
	err := a.Update(late, func(tx *db.Tx) error {
		t, err := migrator.TaskByUUID(late, tx, id)
		if err != nil {
			return err
		}
		return migrator.Fail(late, tx, t.ID, inWords(why))
	})
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return errors.Join(why, err)
}

// cancelTask ends the task of a job that was cancelled; a job of a command has one of another name, which it ends itself.
func (a *App) cancelTask(ctx context.Context, id uuid.UUID) error {
	if there, err := schema.HasMigrator(ctx, a.DB); err != nil || !there {
		return err
	}
	err := a.Update(ctx, func(tx *db.Tx) error { return migrator.Cancel(ctx, tx, id) })
	if fault.Is(err, fault.NotFound) {
		err = nil
	}
	return err
}

// LibraryTasks returns a page of the actor's own tasks, the newest first, and how many there are; the operator of the system
// has everybody's.
func (a *App) LibraryTasks(ctx context.Context, offset, limit int) (page []LibraryTask, count int, err error) {
	if err := a.may(ctx, "LibraryTasks"); err != nil {
		return nil, 0, err
	}
	err = a.tasks(ctx, func(tx *db.Tx) (list []migrator.Task, err error) {
		list, count, err = migrator.TasksOf(ctx, tx, publishing.UserID(a.actor.id), offset, limit)
		return list, err
	}, &page)
	return page, count, err
}

// LibraryTask returns a task of the actor's own; what is not shall not be known to exist.
func (a *App) LibraryTask(ctx context.Context, id uuid.UUID) (*LibraryTask, error) {
	if err := a.may(ctx, "LibraryTask"); err != nil {
		return nil, err
	}
	return a.task(ctx, id, func(t migrator.Task) bool { return a.actor.system || t.By == publishing.UserID(a.actor.id) })
}

// task returns one task, fault.NotFound where it is not to be seen.
func (a *App) task(ctx context.Context, id uuid.UUID, seen func(migrator.Task) bool) (*LibraryTask, error) {
	var list []LibraryTask
	err := a.tasks(ctx, func(tx *db.Tx) ([]migrator.Task, error) {
		t, err := migrator.TaskByUUID(ctx, tx, id)
		if err != nil || !seen(t) {
			return nil, err
		}
		return []migrator.Task{t}, nil
	}, &list)
	if err == nil && (len(list) == 0 || len(list[0].Sources) == 0) { // a platform has tasks of other kinds in the same table
		err = noTask(id)
	}
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func noTask(id uuid.UUID) error {
	return fault.Errorf(fault.NotFound, id.String(), "there is no such task")
}

// tasks describes tasks. One that has not ended is looked after first: its process may be gone (T6).
func (a *App) tasks(ctx context.Context, read func(*db.Tx) ([]migrator.Task, error), out *[]LibraryTask) error {
	*out = []LibraryTask{}
	if there, err := schema.HasMigrator(ctx, a.DB); err != nil || !there {
		return err
	}
	look := func() (busy bool, err error) {
		err = a.View(ctx, func(tx *db.Tx) error {
			list, err := read(tx)
			if err != nil {
				return err
			}
			busy = slices.ContainsFunc(list, func(t migrator.Task) bool { return !migrator.Ended(t.State) })
			*out, err = describeTasks(ctx, tx, list)
			return err
		})
		return busy, err
	}
	busy, err := look()
	if err != nil || !busy || a.dryRun {
		return err
	}
	if err := a.endLost(ctx); err != nil {
		return err
	}
	_, err = look()
	return err
}

func describeTasks(ctx context.Context, tx *db.Tx, list []migrator.Task) ([]LibraryTask, error) {
	out, at, ids := make([]LibraryTask, len(list)), make(map[int64]int, len(list)), make([]int64, len(list))
	for i, t := range list {
		out[i].Task, at[t.ID], ids[i] = t, i, t.ID
	}
	migrations, err := migrator.MigrationsOf(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	imports, err := describeImports(ctx, tx, migrations)
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Backward(imports) {
		i := at[m.task]
		out[i].Sources = append(out[i].Sources, m)
	}
	left, err := migrator.Artifacts(ctx, tx, ids)
	for i := range out {
		out[i].Artifacts = left[out[i].ID]
	}
	return out, err
}

// LibraryArtifact returns what one of the actor's own tasks has left.
func (a *App) LibraryArtifact(ctx context.Context, id uuid.UUID) (out migrator.Artifact, err error) {
	if err := a.may(ctx, "LibraryArtifact"); err != nil {
		return out, err
	}
	none := fault.Errorf(fault.NotFound, id.String(), "no task has left such a thing")
	if there, err := schema.HasMigrator(ctx, a.DB); err != nil || !there {
		return out, errors.Join(err, none)
	}
	out, t, err := migrator.ArtifactByUUID(ctx, a.DB, id)
	if err == nil && !a.actor.system && t.By != publishing.UserID(a.actor.id) {
		return migrator.Artifact{}, none
	}
	return out, err
}

// CancelLibraryTask ends anybody's task: what waits is cancelled at once, what runs at its next step. One that has ended stays
// as it is (T3, T5).
func (a *App) CancelLibraryTask(ctx context.Context, id uuid.UUID) (*LibraryTask, error) {
	if err := a.may(ctx, "CancelLibraryTask"); err != nil {
		return nil, err
	}
	everybody := func(migrator.Task) bool { return true }
	if t, err := a.task(ctx, id, everybody); err != nil || a.dryRun {
		return t, err
	}
	if err := a.cancelTask(ctx, id); err != nil {
		return nil, err
	}
	j, found, err := job.WithUUID(ctx, a.DB, id)
	if err == nil && found && !j.Status.Final() {
		if _, err = a.jobs.Cancel(ctx, j.ID); fault.Is(err, fault.Refused) { // it has ended meanwhile
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	return a.task(ctx, id, everybody)
}
