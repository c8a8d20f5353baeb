package authz

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
)

// How long lists of changes are kept: a process that has not looked for longer loads all rules anew.
const (
	keepChanges   = 24 * time.Hour
	keepMost      = 1000
	forgetAtATime = 500
	forgetEvery   = 64 // one in so many changes forgets, which its random version decides
)

// forget deletes lists of changes that nobody needs any more, a bounded number each time, which is more than are added.
// It leaves the newest.
func forget(ctx context.Context, tx *db.Tx) error {
	old := map[int64]bool{}
	note := func(r *db.Row) error {
		id, err := db.Value[int64](r)
		old[id] = true
		return err
	}
	err := tx.Query(ctx, "SELECT id FROM "+changeTable+" WHERE created < ? ORDER BY created LIMIT ?", []any{tx.Now().Add(-keepChanges), forgetAtATime}, note)
	if err != nil {
		return err
	}
	err = tx.Query(ctx, "SELECT id FROM "+changeTable+" ORDER BY created DESC, id DESC LIMIT ? OFFSET ?", []any{forgetAtATime, keepMost}, note)
	if err != nil {
		return err
	}
	_, err = db.ExecIn(ctx, tx, "DELETE FROM "+changeTable+" WHERE id IN (?...)", sortedKeys(old), nil)
	return err
}
