package publishing

import (
	"context"
	"fmt"
	"time"

	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Removal notes that moments of a branch were removed: those from log First up to, not including, log Next, which took
// their records in. No state between the two is known any more.
type Removal struct {
	Publish     bool
	First, Next int64
	At          time.Time // of the earliest log removed
	Logs        int
	Removed     time.Time
	By          string // name of who approved it, "" for nobody
}

var removalRows = trash.Rows("lectern_pruned", `id int, learning_package_id int, publish bool, first_log int, next_log int,
	first_at time, logs int, created time, created_by text`)

// noteRemoval stores a removal.
func noteRemoval(ctx context.Context, tx *db.Tx, j *trash.Journal, pkg PackageID, r Removal) error {
	return j.Insert(ctx, tx, removalRows, []string{"learning_package_id", "publish", "first_log", "next_log", "first_at", "logs",
		"created", "created_by"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] = pkg, r.Publish, r.First, r.Next, r.At, r.Logs, r.Removed, r.By
	})
}

const selectRemoval = `SELECT x.publish, x.first_log, x.next_log, x.first_at, x.logs, x.created, x.created_by FROM lectern_pruned x`

func scanRemoval(r *db.Row) (x Removal, err error) {
	err = r.Scan(&x.Publish, &x.First, &x.Next, &x.At, &x.Logs, &x.Removed, &x.By)
	return x, err
}

// Removals returns what was removed of a package, in the order of the logs.
func Removals(ctx context.Context, q db.Querier, pkg PackageID) ([]Removal, error) {
	list, err := db.All(ctx, q, selectRemoval+` WHERE x.learning_package_id = ? ORDER BY x.first_log, x.id`, []any{pkg}, scanRemoval)
	if err != nil {
		return nil, fmt.Errorf("removed moments: %w", err)
	}
	return list, nil
}

// refuse is the refusal of a moment that was removed.
func (r Removal) refuse(thing string) error {
	by := ""
	if r.By != "" {
		by = " by " + r.By
	}
	return fault.Errorf(fault.NotFound, thing, "was pruned on %s UTC%s", r.Removed.UTC().Format("2006-01-02 15:04:05"), by).
		WithNext("name a moment that was kept, or put it back with: lectern store prune undo")
}

// removedLog refuses a log of the packages selected by of, with one argument, that was removed, or that lies where logs
// were removed.
func removedLog(ctx context.Context, q db.Querier, publish bool, log int64, of string, arg any) error {
	r, found, err := db.One(ctx, q, selectRemoval+` WHERE x.`+of+` AND x.publish = ? AND x.first_log <= ? AND x.next_log > ? ORDER BY x.id LIMIT 1`,
		[]any{arg, publish, log, log}, scanRemoval)
	if err != nil {
		return fmt.Errorf("removed moments: %w", err)
	}
	if !found {
		return nil
	}
	return r.refuse(LogName(publish, log))
}

// removedSince refuses a time at which the last log of the packages selected by of was one that is removed by now: log is
// the last that is left.
func removedSince(ctx context.Context, q db.Querier, publish bool, log int64, at time.Time, of string, arg any) error {
	r, found, err := db.One(ctx, q, selectRemoval+` WHERE x.`+of+` AND x.publish = ? AND x.first_log > ? AND x.first_at <= ? ORDER BY x.id LIMIT 1`,
		[]any{arg, publish, log, at.UTC()}, scanRemoval)
	if err != nil {
		return fmt.Errorf("removed moments: %w", err)
	}
	if !found {
		return nil
	}
	return r.refuse("the state at " + at.UTC().Format(time.RFC3339))
}

// LogName is a log as people write it: c12 or p45.
func LogName(publish bool, log int64) string {
	if publish {
		return fmt.Sprintf("p%d", log)
	}
	return fmt.Sprintf("c%d", log)
}

// CheckKept refuses a log of a package that was removed as fault.NotFound, saying when and by whom.
func CheckKept(ctx context.Context, q db.Querier, pkg PackageID, publish bool, log int64) error {
	return removedLog(ctx, q, publish, log, `learning_package_id = ?`, pkg)
}

// CheckKeptAt refuses a time at which the state of a branch was one that was removed; log is the last one left whose time
// is not after it.
func CheckKeptAt(ctx context.Context, q db.Querier, pkg PackageID, publish bool, log int64, at time.Time) error {
	return removedSince(ctx, q, publish, log, at, `learning_package_id = ?`, pkg)
}
