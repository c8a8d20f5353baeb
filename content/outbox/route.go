package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/openlectern/lectern/db"
)

// routeBatch is how many events one transaction gives to the webhooks.
const routeBatch = 500

// Route gives up to a batch of new events to the webhooks that want them, in one transaction, and returns how many events
// it took; fewer than a batch means that no more are there. Several may run at the same time: what one takes the others
// leave.
func Route(ctx context.Context, d *db.DB) (n int, err error) {
	var id int64
	if id, err = firstNew(ctx, d); err != nil || id == 0 {
		return 0, err // nothing to write, so no lock is taken
	}
	for range 3 {
		err = d.Update(ctx, func(tx *db.Tx) (err error) {
			n, err = route(ctx, tx)
			return err
		})
		if !errors.Is(err, db.ErrForeignKey) { // else a webhook was removed meanwhile
			break
		}
	}
	return n, err
}

// RouteAll gives all new events to the webhooks that want them.
func RouteAll(ctx context.Context, d *db.DB) error {
	for {
		n, err := Route(ctx, d)
		if err != nil || n < routeBatch {
			return err
		}
	}
}

// routeRest is RouteAll inside a transaction.
func routeRest(ctx context.Context, tx *db.Tx) error {
	for {
		n, err := route(ctx, tx)
		if err != nil || n < routeBatch {
			return err
		}
	}
}

func firstNew(ctx context.Context, q db.Querier) (int64, error) {
	id, _, err := db.One(ctx, q, `SELECT e.id FROM lectern_event e WHERE e.routed = ? ORDER BY e.id LIMIT 1`, []any{false}, db.Value[int64])
	if err != nil {
		return 0, fmt.Errorf("new events: %w", err)
	}
	return id, nil
}

// route is Route inside a transaction. The mark is set first and only where it is not set: of two that do this at the
// same time one waits for the other and then finds fewer events to mark than it read. It must not make deliveries of the
// others without the first, which could break the order of a package, so its transaction runs again.
func route(ctx context.Context, tx *db.Tx) (int, error) {
	list, err := db.All(ctx, tx, `SELECT `+heads+` FROM lectern_event e WHERE e.routed = ? ORDER BY e.id LIMIT ?`,
		[]any{false, routeBatch}, scanHead)
	if err != nil {
		return 0, fmt.Errorf("new events: %w", err)
	}
	if len(list) == 0 {
		return 0, nil
	}
	ids := make([]int64, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	n, err := db.ExecIn(ctx, tx, `UPDATE lectern_event SET routed = ? WHERE routed = ? AND id IN (?...)`, ids, []any{true, false})
	if err != nil {
		return 0, fmt.Errorf("new events: %w", err)
	}
	if n != int64(len(list)) {
		return 0, fmt.Errorf("new events: taken by another: %w", db.ErrRetry)
	}
	// The webhooks are read after the events: one that was there when an event was committed is seen.
	webhooks, err := Webhooks(ctx, tx)
	if err != nil {
		return 0, err
	}
	type pair struct {
		webhook int64
		event   *Event
	}
	var due []pair
	for i := range list {
		for k := range webhooks {
			if webhooks[k].Wants(&list[i]) {
				due = append(due, pair{webhooks[k].ID, &list[i]})
			}
		}
	}
	if len(due) == 0 {
		return len(list), nil
	}
	cols := []string{"webhook_id", "event_id", "learning_package_id", "dead", "attempts", "due", "holder", "error"}
	if err := tx.Insert(ctx, "lectern_delivery", cols, len(due), func(i int, v []any) {
		v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] = due[i].webhook, due[i].event.ID, due[i].event.Package, false, 0, tx.Now(), "", ""
	}); err != nil {
		return 0, fmt.Errorf("deliveries: %w", err)
	}
	return len(list), nil
}
