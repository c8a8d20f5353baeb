package roleshift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

const (
	runTable = "openedx_authz_authzcourseauthoringmigrationrun"
	askTable = "lectern_authzrun"
)

// Status is what a run came to.
type Status string

// The statuses, as Open edX knows them (authz-migration.md §8).
const (
	Running   Status = "running"
	Completed Status = "completed"
	Partial   Status = "partial_success"
	Failed    Status = "failed"
	Skipped   Status = "skipped"
)

// Run is a row of the table of runs.
type Run struct {
	ID        int64
	Direction Direction
	Kind      string // course or org
	Key       string
	Status    Status
	Started   time.Time
	Finished  *time.Time
	Metadata  json.RawMessage
	Moves     *Moves // of a run that was just made
	// What Lectern keeps besides; Ours is false for the runs of others.
	Ours                        bool
	Moved, Merged, Left, Errors int64
	Derived, NotEligible        int64 // of a run in batches that was just made
	Batches                     bool  // it was made in batches, as far as that is known
	Truncated                   bool  // Moves has some of the rows only
	Step                        string
	Done, Total                 int64 // of a run in batches that is at work: the step, and how far it is
	Actor                       user.ID
	ask                         string
}

// Track is [Move] with a row in the table of runs. A scope at which another run works, or an organization with a course at
// which one does, is a *[Busy].
func Track(ctx context.Context, tx *db.Tx, ask Ask) (*Run, error) {
	if err := ask.check(); err != nil {
		return nil, err
	}
	// The turn comes before the look: a run in batches that begins at the same time is seen, or sees this one's end.
	if err := alone(ctx, tx); err != nil {
		return nil, err
	}
	if err := authz.Hold(ctx, tx); err != nil {
		return nil, err
	}
	if err := free(ctx, tx, ask, false); err != nil {
		return nil, err
	}
	r, err := start(ctx, tx, ask, Running)
	if err != nil {
		return nil, err
	}
	r.Moves, err = Move(ctx, tx, ask, r.ID)
	if err != nil {
		return r, err
	}
	r.Status = Completed
	if r.Moves.Count(Error) > 0 {
		r.Status = Partial
	}
	return r, r.finish(ctx, tx, summary(ask, r.Moves))
}

// start adds a row.
func start(ctx context.Context, tx *db.Tx, ask Ask, s Status) (*Run, error) {
	text, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	r := &Run{Direction: ask.Direction, Kind: ask.kind(), Key: ask.key(), Status: s, Started: tx.Now(), Ours: true, Actor: ask.Actor, ask: string(text)}
	if err := db.CheckIdentifier(r.Key, 255); err != nil {
		return nil, err
	}
	ids, err := tx.InsertIDs(ctx, runTable, []string{"migration_type", "scope_type", "scope_key", "status", "created_at", "updated_at", "completed_at", "metadata"}, 1,
		func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] = string(r.Direction), r.Kind, r.Key, string(s), tx.Now(), tx.Now(), nil, "{}"
		})
	if err != nil {
		return nil, db.Raced(err)
	}
	r.ID = ids[0]
	return r, nil
}

// finish gives a run its last status. It never changes again (M-47).
func (r *Run) finish(ctx context.Context, tx *db.Tx, metadata map[string]any) error {
	text, err := json.Marshal(metadata)
	if err != nil {
		return err
	}
	now := tx.Now()
	r.Finished, r.Metadata = &now, text
	if _, err := tx.Exec(ctx, "UPDATE "+runTable+" SET status = ?, updated_at = ?, completed_at = ?, metadata = ? WHERE id = ?",
		string(r.Status), now, now, string(text), r.ID); err != nil {
		return err
	}
	if m := r.Moves; m != nil {
		r.Moved, r.Merged, r.Left, r.Errors = int64(m.Count(Moved)), int64(m.Count(Merged)), int64(m.Count(Left)), int64(m.Count(Error))
	}
	return r.keepAsk(ctx, tx)
}

// keepAsk writes what was asked, and what came of it so far.
func (r *Run) keepAsk(ctx context.Context, tx *db.Tx) error {
	var actor *int64
	if r.Actor != 0 {
		id := int64(r.Actor)
		actor = &id
	}
	return tx.Upsert(ctx, askTable, []string{"run_id"}, []string{"ask", "moved", "merged", "left_alone", "errors", "actor_id"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3], v[4], v[5], v[6] = r.ID, r.ask, r.Moved, r.Merged, r.Left, r.Errors, actor
	})
}

// maxStack is how much of a stack a run keeps, in bytes (M-49).
const maxStack = 16 << 10

// Fail writes, in a transaction of its own, that a run has failed, after everything that it did was undone: why, at which
// step, and what would have become of each row as far as it was known.
func Fail(ctx context.Context, tx *db.Tx, ask Ask, moves *Moves, cause error) (*Run, error) {
	r, err := start(ctx, tx, ask, Failed)
	if err != nil {
		return nil, err
	}
	m := map[string]any{}
	step, class := "move", string(className(cause))
	refusal, refused := errors.AsType[*Refusal](cause)
	if refused {
		moves, step, class = refusal.Moves, "check", "refused"
		refusal.Run = r.ID
	}
	if moves != nil {
		m = summary(ask, moves)
		for i := range moves.Records {
			if rec := &moves.Records[i]; rec.Outcome == "" {
				rec.Outcome, rec.Reason, rec.Text = Error, "database", "not reached"
			}
		}
		if err := saveDetails(ctx, tx, r.ID, moves.Records, false); err != nil {
			return nil, err
		}
	}
	m["error"], m["error_class"], m["step"] = cause.Error(), class, step
	stack := debug.Stack()
	m["traceback"] = strings.ToValidUTF8(string(stack[:min(len(stack), maxStack)]), "")
	r.Moves = moves
	return r, r.finish(ctx, tx, m)
}

// className names a cause by the class of what the database said, or the kind of failure.
func className(err error) string {
	for _, c := range []struct {
		is   error
		name string
	}{{db.ErrRetry, "retry"}, {db.ErrUnavailable, "unavailable"}, {db.ErrReadOnly, "read_only"}, {db.ErrText, "text"}} {
		if errors.Is(err, c.is) {
			return "database: " + c.name
		}
	}
	return fault.KindOf(err).Code()
}

// Skip writes that a run did not begin, and why (M-44).
func Skip(ctx context.Context, tx *db.Tx, ask Ask, busy *Busy) (*Run, error) {
	r, err := start(ctx, tx, ask, Skipped)
	if err != nil {
		return nil, err
	}
	return r, r.finish(ctx, tx, map[string]any{"skip_reason": busy.Error()})
}

// Busy is the error of a scope at which another run works.
type Busy struct {
	Run       int64 // 0 where it has none yet
	Abandoned bool  // it is a run in batches at which nobody works any more: it can be taken up, or taken back
	err       *fault.Error
}

func (e *Busy) Error() string { return e.err.Error() }

// Unwrap returns the fault, of kind Conflict: it may go well a little later.
func (e *Busy) Unwrap() error { return e.err }

// alone waits for transactions that have a run which others do not see yet, as Python's have, and keeps new ones waiting: who
// takes its turn to change the policy after that sees how they have ended. It comes before that turn, as in Python's runs, or
// the two would wait for each other. SQLite has one writer at a time anyway.
func alone(ctx context.Context, tx *db.Tx) error {
	switch e := tx.Engine(); {
	case e == db.PostgreSQL:
		_, err := tx.Exec(ctx, "LOCK TABLE "+runTable+" IN SHARE ROW EXCLUSIVE MODE")
		return err
	case e.MySQLFamily():
		return tx.Query(ctx, "SELECT id FROM "+runTable+" WHERE status = ? FOR UPDATE", []any{string(Running)}, func(r *db.Row) error {
			_, err := db.Value[int64](r)
			return err
		})
	}
	return nil
}

// free refuses a scope at which a run works: the same one, an organization of which it is a course, or a course of it (M-42).
// holding says that the caller has the lease of the organization, so that whoever worked at it in batches does no more.
func free(ctx context.Context, q db.Querier, ask Ask, holding bool) error {
	active, err := db.All(ctx, q, "SELECT id, scope_type, scope_key FROM "+runTable+" WHERE status = ?", []any{string(Running)}, func(r *db.Row) (a Run, err error) {
		return a, r.Scan(&a.ID, &a.Kind, &a.Key)
	})
	if err != nil {
		return err
	}
	for _, a := range active {
		if !ask.meets(a.Kind, a.Key) {
			continue
		}
		b := &Busy{Run: a.ID, err: fault.Errorf(fault.Conflict, ask.String(), "run %d works at %s %s", a.ID, a.Kind, a.Key).
			WithNext(fmt.Sprintf("wait until it is done; if nothing runs there any more: lectern authz runs %d --close", a.ID))}
		of := Ask{Org: a.Key}
		if a.Kind == "course" {
			of = Ask{Courses: []string{a.Key}}
		}
		if b.Abandoned, err = abandoned(ctx, q, a.ID, of, holding); err != nil {
			return err
		}
		return b
	}
	return nil
}

// meets reports whether the ask and a run of that scope touch the same roles.
func (a Ask) meets(kind, key string) bool {
	switch {
	case a.Org != "" && kind == "org":
		return strings.EqualFold(a.Org, key)
	case a.Org != "":
		return strings.EqualFold(a.Org, legacy.OrgOf(key))
	}
	for _, c := range a.Courses {
		if kind == "course" && strings.EqualFold(c, key) || kind == "org" && strings.EqualFold(legacy.OrgOf(c), key) {
			return true
		}
	}
	return false
}
