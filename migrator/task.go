package migrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema/inspect"
)

// The tables of django-user-tasks.
const (
	tasks     = "user_tasks_usertaskstatus"
	artifacts = "user_tasks_usertaskartifact"
)

// ours begins the task_id of tasks that Lectern works on; others are a platform's workers'.
const ours = "lectern:"

// taskClass is by which a platform knows such a task.
const taskClass = "cms.djangoapps.modulestore_migrator.tasks.bulk_migrate_from_modulestore"

// The states of a task that are no step (T3).
const (
	Pending   = "Pending"
	Succeeded = "Succeeded"
	Failed    = "Failed"
	Canceled  = "Canceled"
	Retrying  = "Retrying"
)

// ended are the states that never change (T3).
var ended = []string{Succeeded, Failed, Canceled}

// Ended reports whether a state is one that a task stays in.
func Ended(state string) bool { return slices.Contains(ended, state) }

// The steps of a task, in order: before the sources, of each source, and after them (migrator.md §2).
var (
	before = []string{"Validating parameters", "Cancelling redundant tasks", "Loading"}
	each   = []string{"Staging", "Parsing", "Importing assets", "Importing structure", "Cleaning staged content", "Saving the map of old to new"}
	after  = []string{"Forwarding", "Assigning to collection"}
)

// Steps returns how many steps a task with so many sources has (T1).
func Steps(sources int) int { return len(before) + len(after) + len(each)*sources }

// doneSources returns how many sources of a task are done that has completed so many steps.
func doneSources(completed int) int { return max(0, completed-len(before)) / len(each) }

// Completed returns how many steps of a task are complete when so many of its sources are done.
func Completed(sources int) int { return len(before) + len(each)*sources }

// Loading and LastStep are the texts of two steps that are no source's.
var (
	Loading  = before[2]
	LastStep = after[1]
)

// StepText returns the text of a step of the source with this number, from 1.
func StepText(source, of, step int) string {
	return fmt.Sprintf("Migrating source %d of %d: %s", source, of, strings.ToLower(each[step][:1])+each[step][1:])
}

// ErrCanceled says that somebody has ended the task meanwhile.
var ErrCanceled = errors.New("the task was cancelled")

// Task is one request to bring sources into a library.
type Task struct {
	ID                int64
	UUID              uuid.UUID
	By                publishing.UserID // 0 for the operator of the system
	Name              string
	State             string
	Completed, Total  int
	Attempts          int
	Created, Modified time.Time
}

// Request describes a task.
type Request struct {
	UUID      uuid.UUID
	By        publishing.UserID
	Name      string
	Target    publishing.PackageID
	Sources   []string
	Level     Level
	Repeat    Strategy
	KeepSlugs bool
	// Collections are those of the target that the sources join, aligned; 0, or nil for all of them, is none that is there yet.
	Collections []int64
	Waits       bool // for a worker, as Pending; else the work on it begins at once
}

// Begin makes a task with a migration for each of its sources, and cancels the other unfinished tasks of the same user that
// have any of them and this target (T4). It returns the ids of the migrations, aligned.
func Begin(ctx context.Context, tx *db.Tx, r Request) (Task, []int64, error) {
	t := Task{UUID: r.UUID, By: r.By, Name: r.Name, State: before[0], Total: Steps(len(r.Sources)), Attempts: 1, Created: tx.Now(), Modified: tx.Now()}
	if r.Waits {
		t.State = Pending
	}
	ids, err := ensureSources(ctx, tx, r.Sources)
	if err != nil {
		return t, nil, err
	}
	if err := cancelOthers(ctx, tx, r, ids); err != nil {
		return t, nil, err
	}
	var by any
	if r.By != 0 {
		by = r.By
	}
	made, err := tx.InsertIDs(ctx, tasks, []string{"created", "modified", "uuid", "task_id", "is_container", "task_class", "name", "state",
		"completed_steps", "total_steps", "attempts", "user_id"}, 1, func(_ int, v []any) {
		copy(v, []any{tx.Now(), tx.Now(), r.UUID, ours + r.UUID.String(), false, taskClass, cut(r.Name, 255), t.State, 0, t.Total, 1, by})
	})
	if errors.Is(err, db.ErrNotNull) && r.By == 0 {
		err = fault.Errorf(fault.Refused, "library migrate", "the platform's table of tasks names a user for each").WithNext("say who does it, with --as USER")
	}
	if err != nil {
		return t, nil, err
	}
	t.ID = made[0]
	list, err := tx.InsertIDs(ctx, migrations, []string{"source_id", "composition_level", "repeat_handling_strategy", "preserve_url_slugs", "target_id",
		"task_status_id", "is_failed", "target_collection_id"}, len(r.Sources), func(i int, v []any) {
		copy(v, []any{ids[r.Sources[i]], r.Level.String(), string(r.Repeat), r.KeepSlugs, r.Target, t.ID, false, nil})
		if r.Collections != nil && r.Collections[i] != 0 {
			v[7] = r.Collections[i]
		}
	})
	return t, list, err
}

func cut(s string, n int) string {
	if rs := []rune(s); len(rs) > n {
		return string(rs[:n])
	}
	return s
}

// cancelOthers cancels what the same user has begun and a new task does again (T4). The operator of the system is one user.
func cancelOthers(ctx context.Context, tx *db.Tx, r Request, sourceIDs map[string]int64) error {
	ids := make([]int64, 0, len(sourceIDs))
	for _, id := range sourceIDs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	who, args := "t.user_id = ?", []any{r.Target, Succeeded, Failed, Canceled, r.By}
	if r.By == 0 {
		who, args = "t.user_id IS NULL", args[:4]
	}
	seen := map[int64]bool{}
	err := db.QueryIn(ctx, tx, `SELECT DISTINCT t.id FROM `+tasks+` t JOIN `+migrations+` m ON m.task_status_id = t.id
		WHERE m.target_id = ? AND t.state NOT IN (?, ?, ?) AND `+who+` AND m.source_id IN (?...)`, ids, args, func(row *db.Row) error {
		id, err := db.Value[int64](row)
		seen[id] = true
		return err
	})
	for id := range seen {
		if err := cancel(ctx, tx, id); err != nil {
			return err
		}
	}
	return err
}

// cancel ends a task as Canceled: its sources that are not done have failed (T5). Whoever works on it finds out at its next
// step, whose transaction then comes to nothing.
func cancel(ctx context.Context, tx *db.Tx, id int64) error {
	t, err := taskWhere(ctx, tx, "id = ?", id)
	if err != nil || Ended(t.State) {
		return err
	}
	if err := finish(ctx, tx, &t, Canceled); err != nil {
		return err
	}
	return failFrom(ctx, tx, id, doneSources(t.Completed))
}

// Cancel cancels a task that has not ended; one that has stays as it is.
func Cancel(ctx context.Context, tx *db.Tx, id uuid.UUID) error {
	t, err := TaskByUUID(ctx, tx, id)
	if err != nil {
		return err
	}
	// The row is locked before it is read, so that the steps done are those of the state that ends.
	if _, err := tx.Exec(ctx, `UPDATE `+tasks+` SET attempts = attempts WHERE id = ?`, t.ID); err != nil {
		return err
	}
	return cancel(ctx, tx, t.ID)
}

// failFrom marks the migrations of a task failed, but for the first done ones.
func failFrom(ctx context.Context, tx *db.Tx, task int64, done int) error {
	ids, err := db.All(ctx, tx, `SELECT id FROM `+migrations+` WHERE task_status_id = ? ORDER BY id`, []any{task}, db.Value[int64])
	if err != nil {
		return err
	}
	_, err = db.ExecIn(ctx, tx, `UPDATE `+migrations+` SET is_failed = ? WHERE id IN (?...)`, ids[min(done, len(ids)):], []any{true})
	return err
}

// Advance tells of a step: its text, and how many are complete, of which there are never fewer than before (T2). It is
// [ErrCanceled] when the task has ended meanwhile: give the transaction up.
func Advance(ctx context.Context, tx *db.Tx, t *Task, state string, completed int) error {
	n, err := tx.Exec(ctx, `UPDATE `+tasks+` SET state = ?, completed_steps = ?, modified = ? WHERE id = ? AND completed_steps <= ? AND state NOT IN (?, ?, ?)`,
		state, completed, tx.Now(), t.ID, completed, Succeeded, Failed, Canceled)
	if err == nil && n == 0 {
		return ErrCanceled
	}
	return err
}

// finish writes the state that a task ends in.
func finish(ctx context.Context, tx *db.Tx, t *Task, state string) error {
	completed := t.Completed
	if state == Succeeded {
		completed = t.Total
	}
	return Advance(ctx, tx, t, state, completed)
}

// Succeed ends a task well, though some of its sources may have failed (X2).
func Succeed(ctx context.Context, tx *db.Tx, t *Task) error { return finish(ctx, tx, t, Succeeded) }

// Fail ends a task as Failed, all its migrations with it (T7), and leaves what is to be said about it. What was committed
// stays in the library. A task that has ended stays as it is.
func Fail(ctx context.Context, tx *db.Tx, id int64, text string) error {
	t, err := taskWhere(ctx, tx, "id = ?", id)
	if err != nil || Ended(t.State) {
		return err
	}
	err = finish(ctx, tx, &t, Failed)
	if errors.Is(err, ErrCanceled) {
		return nil
	}
	if err != nil {
		return err
	}
	if text != "" {
		if err := Note(ctx, tx, id, text); err != nil {
			return err
		}
	}
	return failFrom(ctx, tx, id, 0)
}

// FailSource marks one migration failed and says why: source, step and cause (X6). version is what was read of the source, ""
// where nothing was.
func FailSource(ctx context.Context, tx *db.Tx, t *Task, migration int64, version, text string) error {
	if _, err := tx.Exec(ctx, `UPDATE `+migrations+` SET is_failed = ?, source_version = ? WHERE id = ?`, true, versionOrNull(version), migration); err != nil {
		return err
	}
	return Note(ctx, tx, t.ID, text)
}

// Note leaves an Error artifact with a task.
func Note(ctx context.Context, tx *db.Tx, task int64, text string) error {
	return tx.Insert(ctx, artifacts, []string{"created", "modified", "uuid", "name", "file", "url", "text", "status_id"}, 1, func(_ int, v []any) {
		copy(v, []any{tx.Now(), tx.Now(), uuid.New(), "Error", "", "", text, task})
	})
}

// Artifact is a thing that a task left: of failures the name is "Error".
type Artifact struct {
	UUID uuid.UUID
	Task int64
	Name string
	Text string
}

// Artifacts returns what tasks left, by task, in the order it was written.
func Artifacts(ctx context.Context, q db.Querier, ids []int64) (map[int64][]Artifact, error) {
	out := map[int64][]Artifact{}
	err := db.QueryIn(ctx, q, `SELECT `+artifactColumns+` FROM `+artifacts+` WHERE status_id IN (?...) ORDER BY id`, ids, nil, func(r *db.Row) error {
		a, err := scanArtifact(r)
		out[a.Task] = append(out[a.Task], a)
		return err
	})
	return out, err
}

// ArtifactByUUID returns one thing that a task left, with its task; else fault.NotFound.
func ArtifactByUUID(ctx context.Context, q db.Querier, id uuid.UUID) (a Artifact, t Task, err error) {
	a, found, err := db.One(ctx, q, `SELECT `+artifactColumns+` FROM `+artifacts+` WHERE uuid = ?`, []any{id}, scanArtifact)
	if err == nil && !found {
		err = fault.Errorf(fault.NotFound, id.String(), "no task has left such a thing")
	}
	if err == nil {
		t, err = taskWhere(ctx, q, "id = ?", a.Task)
	}
	return a, t, err
}

const artifactColumns = `uuid, status_id, name, text`

func scanArtifact(r *db.Row) (a Artifact, err error) {
	err = r.Scan(&a.UUID, &a.Task, &a.Name, &a.Text)
	return a, err
}

const taskColumns = `id, uuid, user_id, name, state, completed_steps, total_steps, attempts, created, modified`

func scanTask(r *db.Row) (t Task, err error) {
	var by *int64
	err = r.Scan(&t.ID, &t.UUID, &by, &t.Name, &t.State, &t.Completed, &t.Total, &t.Attempts, &t.Created, &t.Modified)
	if by != nil {
		t.By = publishing.UserID(*by)
	}
	return t, err
}

func taskWhere(ctx context.Context, q db.Querier, where string, args ...any) (Task, error) {
	t, found, err := db.One(ctx, q, `SELECT `+taskColumns+` FROM `+tasks+` WHERE `+where, args, scanTask)
	if err == nil && !found {
		err = noTask("task")
	}
	return t, err
}

// TaskByUUID returns a task, else fault.NotFound.
func TaskByUUID(ctx context.Context, q db.Querier, id uuid.UUID) (Task, error) {
	t, err := taskWhere(ctx, q, "uuid = ?", id)
	if fault.Is(err, fault.NotFound) {
		err = noTask(id.String())
	}
	return t, err
}

// Tasks returns the tasks with these ids.
func Tasks(ctx context.Context, q db.Querier, ids []int64) (map[int64]Task, error) {
	out := make(map[int64]Task, len(ids))
	err := db.QueryIn(ctx, q, `SELECT `+taskColumns+` FROM `+tasks+` WHERE id IN (?...)`, ids, nil, func(r *db.Row) error {
		t, err := scanTask(r)
		out[t.ID] = t
		return err
	})
	return out, err
}

// TasksOf returns a page of the tasks of a user that bring something into libraries, the newest first, and how many there are
// in all. The user 0 is everybody.
func TasksOf(ctx context.Context, q db.Querier, by publishing.UserID, offset, limit int) (page []Task, count int, err error) {
	where, args := `EXISTS (SELECT 1 FROM `+migrations+` m WHERE m.task_status_id = t.id)`, []any{}
	if by != 0 {
		where, args = "t.user_id = ? AND "+where, append(args, by)
	}
	count, _, err = db.One(ctx, q, `SELECT count(*) FROM `+tasks+` t WHERE `+where, args, db.Value[int])
	if err != nil || count <= offset {
		return nil, count, err
	}
	page, err = db.All(ctx, q, `SELECT `+taskColumns+` FROM `+tasks+` t WHERE `+where+` ORDER BY id DESC LIMIT ? OFFSET ?`, append(args, limit, offset), scanTask)
	return page, count, err
}

// Unfinished returns those of Lectern's own tasks that have not ended, by id.
func Unfinished(ctx context.Context, q db.Querier) ([]Task, error) {
	return db.All(ctx, q, `SELECT `+taskColumns+` FROM `+tasks+` WHERE task_id LIKE ? AND state NOT IN (?, ?, ?) ORDER BY id`,
		[]any{ours + "%", Succeeded, Failed, Canceled}, scanTask)
}

// Resume takes up a task that waits for a worker, or whose worker is gone (T6): it returns its migrations, and how many of
// them are done. It is [ErrCanceled] where the task has ended.
func Resume(ctx context.Context, tx *db.Tx, t *Task) (ids []int64, done int, err error) {
	ids, err = db.All(ctx, tx, `SELECT id FROM `+migrations+` WHERE task_status_id = ? ORDER BY id`, []any{t.ID}, db.Value[int64])
	if err != nil {
		return nil, 0, err
	}
	state, attempts := Retrying, t.Attempts+1
	if t.State == Pending {
		state, attempts = before[0], t.Attempts
	}
	n, err := tx.Exec(ctx, `UPDATE `+tasks+` SET state = ?, attempts = ?, modified = ? WHERE id = ? AND state NOT IN (?, ?, ?)`,
		state, attempts, tx.Now(), t.ID, Succeeded, Failed, Canceled)
	if err == nil && n == 0 {
		err = ErrCanceled
	}
	t.State, t.Attempts = state, attempts
	return ids, doneSources(t.Completed), err
}

// tablesThere reports whether the database has the tables of migrations.
func tablesThere(ctx context.Context, q db.Querier) (bool, error) {
	have, err := inspect.Names(ctx, q)
	return have[blockRows] && have[tasks] && have[artifacts], err
}
