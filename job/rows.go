package job

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Table is the table of jobs, for who has to know whether a database has it.
const Table = "lectern_job"

// LogTable is the table of their logs.
const LogTable = "lectern_joblog"

const columns = "id, uuid, kind, thing, status, foreground, place, attempt, spare, cancel, worker, arguments, progress, result, files, " +
	"error, created, started, finished, created_by_id"

// scan reads a row of columns.
func scan(r *db.Row) (j Job, err error) {
	var arguments, progress, files string
	var result, failure *string
	var by *int64
	if err := r.Scan(&j.ID, &j.UUID, &j.Kind, &j.Thing, &j.Status, &j.Foreground, &j.Place, &j.Attempt, &j.Spare, &j.Cancel, &j.Worker,
		&arguments, &progress, &result, &files, &failure, &j.Created, &j.Started, &j.Finished, &by); err != nil {
		return j, err
	}
	if by != nil {
		j.By = *by
	}
	j.Arguments = json.RawMessage(arguments)
	if result != nil {
		j.Result = json.RawMessage(*result)
	}
	if err := json.Unmarshal([]byte(progress), &j.Progress); err != nil {
		return j, fmt.Errorf("progress of job %d: %w", j.ID, err)
	}
	if err := json.Unmarshal([]byte(files), &j.Files); err != nil {
		return j, fmt.Errorf("files of job %d: %w", j.ID, err)
	}
	if failure != nil {
		if err := json.Unmarshal([]byte(*failure), &j.Error); err != nil {
			return j, fmt.Errorf("error of job %d: %w", j.ID, err)
		}
	}
	return j, nil
}

// text is the JSON of a value that can always be written.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // a type of this package
	}
	return string(b)
}

func textOrNull[T any](v *T) any {
	if v == nil {
		return nil
	}
	return text(v)
}

func orNull(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

func rawOrNull(m json.RawMessage) any {
	if m == nil {
		return nil
	}
	return string(m)
}

// insert writes a new row.
func insert(ctx context.Context, tx *db.Tx, j *Job) error {
	cols := strings.Split(columns, ", ")[1:]
	ids, err := tx.InsertIDs(ctx, "lectern_job", cols, 1, func(_ int, v []any) {
		copy(v, []any{j.UUID, j.Kind, j.Thing, string(j.Status), j.Foreground, j.Place, j.Attempt, j.Spare, j.Cancel, j.Worker,
			string(j.Arguments), text(j.Progress), rawOrNull(j.Result), text(j.Files), textOrNull(j.Error), j.Created, j.Started, j.Finished,
			orNull(j.By)})
	})
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	j.ID = ids[0]
	return nil
}

// swap writes what changes in a job's life, if the row is still as was; ok tells.
func swap(ctx context.Context, tx *db.Tx, was, j *Job) (ok bool, err error) {
	n, err := tx.Exec(ctx, `UPDATE lectern_job SET status = ?, attempt = ?, spare = ?, cancel = ?, worker = ?, progress = ?, result = ?,
		files = ?, error = ?, started = ?, finished = ? WHERE id = ? AND status = ? AND attempt = ?`,
		string(j.Status), j.Attempt, j.Spare, j.Cancel, j.Worker, text(j.Progress), rawOrNull(j.Result), text(j.Files), textOrNull(j.Error),
		j.Started, j.Finished, j.ID, string(was.Status), was.Attempt)
	if err != nil {
		return false, fmt.Errorf("%s: %w", j.name(), err)
	}
	return n > 0, nil
}

// get reads one row.
func get(ctx context.Context, q db.Querier, id int64) (Job, error) {
	j, found, err := db.One(ctx, q, "SELECT "+columns+" FROM lectern_job WHERE id = ?", []any{id}, scan)
	switch {
	case err != nil:
		return j, fmt.Errorf("job %d: %w", id, err)
	case !found:
		return j, missing(id)
	}
	return j, nil
}

// Filter narrows [Queue.List]. The zero value is everything.
type Filter struct {
	By     int64    // only jobs of this person
	Status []Status // only those in one of these states
	Kind   string
	Before int64 // only jobs with a smaller id, for the next page
	Limit  int   // the newest so many; 0 means all
}

func (f Filter) list(ctx context.Context, q db.Querier) ([]Job, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if f.By != 0 {
		add("created_by_id = ?", f.By)
	}
	if f.Kind != "" {
		add("kind = ?", f.Kind)
	}
	if f.Before != 0 {
		add("id < ?", f.Before)
	}
	if len(f.Status) > 0 {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(f.Status)), ", ")
		values := make([]any, len(f.Status))
		for i, s := range f.Status {
			values[i] = string(s)
		}
		add("status IN ("+marks+")", values...)
	}
	sql := "SELECT " + columns + " FROM lectern_job WHERE " + strings.Join(where, " AND ") + " ORDER BY id DESC"
	if f.Limit > 0 {
		sql, args = sql+" LIMIT ?", append(args, f.Limit)
	}
	list, err := db.All(ctx, q, sql, args, scan)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return list, nil
}

// active reads the rows that a worker has to know, in one statement: jobs that run, and those that wait for a worker of
// these kinds at this place, the oldest first.
func active(ctx context.Context, q db.Querier, kinds []string, place string) (list []Job, err error) {
	const most = 200
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(kinds)), ", ")
	args := []any{string(Running), string(Queued), false, place}
	for _, k := range kinds {
		args = append(args, k)
	}
	sql := fmt.Sprintf(`SELECT * FROM (SELECT %[1]s FROM lectern_job WHERE status = ? ORDER BY id LIMIT %[2]d) a
		UNION ALL SELECT * FROM (SELECT %[1]s FROM lectern_job WHERE status = ? AND foreground = ? AND place IN ('', ?) AND kind IN (%[3]s)
		ORDER BY id LIMIT %[2]d) b`, columns, most, marks)
	if list, err = db.All(ctx, q, sql, args, scan); err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	slices.SortStableFunc(list, func(a, b Job) int { return int(a.ID - b.ID) })
	return list, nil
}

// addLines writes lines of a log.
func addLines(ctx context.Context, tx *db.Tx, id int64, lines []Line) error {
	err := tx.Insert(ctx, "lectern_joblog", []string{"job_id", "at", "line"}, len(lines), func(i int, v []any) {
		v[0], v[1], v[2] = id, lines[i].At, lines[i].Text
	})
	if err != nil {
		return fmt.Errorf("log of job %d: %w", id, err)
	}
	return nil
}

// lines reads the log of a job.
func lines(ctx context.Context, q db.Querier, id int64) ([]Line, error) {
	list, err := db.All(ctx, q, "SELECT at, line FROM lectern_joblog WHERE job_id = ? ORDER BY id", []any{id}, func(r *db.Row) (l Line, err error) {
		err = r.Scan(&l.At, &l.Text)
		return l, err
	})
	if err != nil {
		return nil, fmt.Errorf("log of job %d: %w", id, err)
	}
	return list, nil
}

// old is what the sweep has to know of a job.
type old struct {
	id   int64
	uuid uuid.UUID
}

// finishedBefore returns jobs that ended before a time, those whose files lie elsewhere only when that was long before.
func finishedBefore(ctx context.Context, q db.Querier, before, elsewhere time.Time, place string, limit int) ([]old, error) {
	list, err := db.All(ctx, q, `SELECT id, uuid FROM lectern_job WHERE finished < ? AND (place IN ('', ?) OR finished < ?) ORDER BY finished LIMIT ?`,
		[]any{before, place, elsewhere, limit}, func(r *db.Row) (o old, err error) {
			err = r.Scan(&o.id, &o.uuid)
			return o, err
		})
	if err != nil {
		return nil, fmt.Errorf("old jobs: %w", err)
	}
	return list, nil
}

// Known returns which of the uuids are those of jobs.
func Known(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	known := map[uuid.UUID]bool{}
	err := db.QueryIn(ctx, q, "SELECT uuid FROM lectern_job WHERE uuid IN (?...)", ids, nil, func(r *db.Row) error {
		var id uuid.UUID
		err := r.Scan(&id)
		known[id] = true
		return err
	})
	return known, err
}

// WithUUID returns the job of a uuid; found is false where there is none.
func WithUUID(ctx context.Context, q db.Querier, id uuid.UUID) (j Job, found bool, err error) {
	return db.One(ctx, q, "SELECT "+columns+" FROM lectern_job WHERE uuid = ?", []any{id}, scan)
}

// Live returns which of the uuids are those of jobs that wait or run.
func Live(ctx context.Context, q db.Querier, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	live := map[uuid.UUID]bool{}
	err := db.QueryIn(ctx, q, "SELECT uuid FROM lectern_job WHERE uuid IN (?...) AND status IN (?, ?)", ids, []any{string(Queued), string(Running)}, func(r *db.Row) error {
		var id uuid.UUID
		err := r.Scan(&id)
		live[id] = true
		return err
	})
	return live, err
}
