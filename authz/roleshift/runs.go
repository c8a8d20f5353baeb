package roleshift

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/user"
)

// Filter says which runs are asked for. Empty fields are no condition.
type Filter struct {
	ID        int64
	Direction Direction
	Kind, Key string // of the scope: course or org, and its key
	Status    Status
	Limit     int // at most so many, 0 for 100
}

// Runs returns runs, newest first, those of others too (M-53).
func Runs(ctx context.Context, q db.Querier, f Filter) ([]Run, error) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(column, value string) {
		if value != "" {
			where, args = append(where, "r."+column+" = ?"), append(args, value)
		}
	}
	if f.ID != 0 {
		where, args = append(where, "r.id = ?"), append(args, f.ID)
	}
	add("migration_type", string(f.Direction))
	add("scope_type", f.Kind)
	add("scope_key", f.Key)
	add("status", string(f.Status))
	if f.Limit <= 0 {
		f.Limit = 100
	}
	return db.All(ctx, q, "SELECT r.id, r.migration_type, r.scope_type, r.scope_key, r.status, r.created_at, r.completed_at, r.metadata, a.ask, a.moved, a.merged, a.left_alone, a.errors, a.actor_id, p.step, p.done, p.total FROM "+
		runTable+" r LEFT JOIN "+askTable+" a ON a.run_id = r.id LEFT JOIN "+paceTable+" p ON p.run_id = r.id WHERE "+strings.Join(where, " AND ")+" ORDER BY r.id DESC LIMIT ?", append(args, f.Limit), scanRun)
}

func scanRun(r *db.Row) (run Run, err error) {
	var direction, status, metadata string
	var ask *string
	var moved, merged, left, errs, actor, done, total *int64
	var at *string
	err = r.Scan(&run.ID, &direction, &run.Kind, &run.Key, &status, &run.Started, &run.Finished, &metadata, &ask, &moved, &merged, &left, &errs, &actor, &at, &done, &total)
	run.Direction, run.Status, run.Metadata = Direction(direction), Status(status), json.RawMessage(metadata)
	if ask != nil {
		run.Ours, run.ask = true, *ask
		run.Moved, run.Merged, run.Left, run.Errors = *moved, *merged, *left, *errs
	}
	if at != nil {
		run.Batches, run.Step, run.Done, run.Total = true, step(*at).text(), *done, *total
	}
	if actor != nil {
		run.Actor = user.ID(*actor)
	}
	return run, err
}

// Find returns one run. One that there is not is NotFound.
func Find(ctx context.Context, q db.Querier, id int64) (Run, error) {
	list, err := Runs(ctx, q, Filter{ID: id})
	if err != nil {
		return Run{}, err
	}
	if len(list) == 0 {
		return Run{}, fault.Errorf(fault.NotFound, fmt.Sprintf("run %d", id), "there is no such run").WithNext("list them: lectern authz runs")
	}
	return list[0], nil
}

// Ask returns what was asked of a run, for asking again: of one that went on though rows could not move only these rows. Runs
// of others, and those of which nothing failed, are Refused.
func (r Run) Ask(ctx context.Context, q db.Querier) (a Ask, err error) {
	thing := fmt.Sprintf("run %d", r.ID)
	switch {
	case !r.Ours:
		return a, fault.Errorf(fault.Refused, thing, "another program made it").WithNext("move the roles of its scope: lectern authz migrate, or rollback")
	case r.Status == Completed || r.Status == Running:
		return a, fault.Errorf(fault.Refused, thing, "nothing of it has failed")
	}
	if err := json.Unmarshal([]byte(r.ask), &a); err != nil {
		return a, fmt.Errorf("%s: %w", thing, err)
	}
	if r.Status == Partial {
		a.Only = map[int64]bool{}
		err = q.Query(ctx, "SELECT row_id FROM "+detailTable+" WHERE run_id = ? AND outcome = ?", []any{r.ID, string(Error)}, func(in *db.Row) error {
			id, err := db.Value[int64](in)
			a.Only[id] = true
			return err
		})
	}
	return a, err
}

// Close ends by hand a run that is said to work and does not: the clock alone never closes the run of another program.
func Close(ctx context.Context, tx *db.Tx, id int64) error {
	r, err := Find(ctx, tx, id)
	if err != nil {
		return err
	}
	if r.Status != Running {
		return fault.Errorf(fault.Refused, fmt.Sprintf("run %d", id), "it is %s, and stays so", r.Status)
	}
	m := map[string]any{}
	if err := json.Unmarshal(r.Metadata, &m); err != nil {
		m = map[string]any{}
	}
	m["error"], m["abandoned"] = "closed by hand", true
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE "+runTable+" SET status = ?, updated_at = ?, completed_at = ?, metadata = ? WHERE id = ? AND status = ?",
		string(Failed), tx.Now(), tx.Now(), string(text), id, string(Running))
	if err == nil {
		_, err = tx.Exec(ctx, "DELETE FROM "+paceTable+" WHERE run_id = ?", id)
	}
	return err
}

// Stale returns a run in batches that is said to work at the scope of an ask, or at one that has it or is of it, and at which
// nobody works any more. An ask without scope means any.
func Stale(ctx context.Context, q db.Querier, ask Ask) (run Run, found bool, err error) {
	active, err := Runs(ctx, q, Filter{Status: Running, Limit: 1000})
	if err != nil {
		return run, false, err
	}
	for _, a := range active {
		if !a.Batches || (ask.Org != "" || len(ask.Courses) > 0) && !ask.meets(a.Kind, a.Key) {
			continue
		}
		of := Ask{Org: a.Key}
		if a.Kind == "course" {
			of = Ask{Courses: []string{a.Key}}
		}
		if left, err := abandoned(ctx, q, a.ID, of, false); left || err != nil {
			return a, left, err
		}
	}
	return run, false, nil
}

// Continues reports whether a run in batches that stands still makes this change of the flag, so that to take it up is to make
// it.
func (r Run) Continues(scope flags.Scope, c flags.Change, keepGoing bool) bool {
	var was Ask
	if r.Status != Running || json.Unmarshal([]byte(r.ask), &was) != nil || was.Turn == nil {
		return false
	}
	t := was.Turn
	return t.Course == scope.Course() && t.Org == scope.Org() && t.Drop == c.Drop && (t.Drop || t.On == c.On) && was.KeepGoing == keepGoing
}
