package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Webhook is somebody who wants to be told of events by HTTP.
type Webhook struct {
	ID       int64
	URL      string
	Secret   string // signs what is sent; "" signs nothing
	Types    []Type // wanted; none means all
	Package  int64  // wanted; 0 means all
	Active   bool   // while false nothing is sent, and new events are not kept for it
	Attempts int    // tries before an event is given up; 0 means never, so that what follows in its package waits
	Created  time.Time
}

// Wants reports whether an event is to be delivered to the webhook.
func (w *Webhook) Wants(e *Event) bool {
	return w.Active && (w.Package == 0 || w.Package == e.Package) && (len(w.Types) == 0 || slices.Contains(w.Types, e.Type))
}

// AddWebhook stores a webhook, which gets every event that is committed after this transaction, and returns its id. A type
// that there is none of is fault.Invalid. Within the transaction all older events are given to the webhooks there were,
// so call [RouteAll] shortly before to keep it short.
func AddWebhook(ctx context.Context, tx *db.Tx, w Webhook) (int64, error) {
	types := make([]string, len(w.Types))
	for i, t := range w.Types {
		if !slices.Contains(Types, t) {
			return 0, fault.Errorf(fault.Invalid, string(t), "there is no such type of event")
		}
		types[i] = string(t)
	}
	if err := routeRest(ctx, tx); err != nil {
		return 0, err
	}
	cols := []string{"url", "secret", "event_types", "learning_package_id", "active", "attempts", "created"}
	ids, err := tx.InsertIDs(ctx, "lectern_webhook", cols, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3], v[4], v[5], v[6] = w.URL, w.Secret, strings.Join(types, " "), null(w.Package), w.Active, w.Attempts, tx.Now()
	})
	if err != nil {
		return 0, fmt.Errorf("add webhook: %w", err)
	}
	return ids[0], nil
}

// Webhooks returns all webhooks in id order.
func Webhooks(ctx context.Context, q db.Querier) ([]Webhook, error) {
	list, err := db.All(ctx, q, `SELECT id, url, secret, event_types, COALESCE(learning_package_id, 0), active, attempts, created
		FROM lectern_webhook ORDER BY id`, nil, func(r *db.Row) (Webhook, error) {
		var w Webhook
		var types string
		err := r.Scan(&w.ID, &w.URL, &w.Secret, &types, &w.Package, &w.Active, &w.Attempts, &w.Created)
		for t := range strings.FieldsSeq(types) {
			w.Types = append(w.Types, Type(t))
		}
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return list, nil
}

// WebhookByID returns one webhook, else fault.NotFound.
func WebhookByID(ctx context.Context, q db.Querier, id int64) (Webhook, error) {
	all, err := Webhooks(ctx, q)
	if err != nil {
		return Webhook{}, err
	}
	for _, w := range all {
		if w.ID == id {
			return w, nil
		}
	}
	return Webhook{}, noWebhook(id)
}

func noWebhook(id int64) error {
	return fault.Errorf(fault.NotFound, fmt.Sprintf("webhook %d", id), "there is no such webhook").WithNext("list them with: lectern webhook list")
}

// RemoveWebhook removes a webhook and all that waited for it; an unknown one is fault.NotFound.
func RemoveWebhook(ctx context.Context, tx *db.Tx, id int64) error {
	_, err := tx.Exec(ctx, `DELETE FROM lectern_delivery WHERE webhook_id = ?`, id)
	if err != nil {
		return fmt.Errorf("remove webhook %d: %w", id, err)
	}
	n, err := tx.Exec(ctx, `DELETE FROM lectern_webhook WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("remove webhook %d: %w", id, err)
	}
	if n == 0 {
		return noWebhook(id)
	}
	return nil
}

// Activate lets a webhook have events again, or stops them: an inactive one is sent nothing, keeps what waits, and gets
// none of the events committed meanwhile. An unknown one is fault.NotFound.
func Activate(ctx context.Context, tx *db.Tx, id int64, active bool) error {
	if _, err := WebhookByID(ctx, tx, id); err != nil {
		return err
	}
	if err := routeRest(ctx, tx); err != nil { // what was committed before counts for the state before
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE lectern_webhook SET active = ? WHERE id = ?`, active, id); err != nil {
		return fmt.Errorf("webhook %d: %w", id, err)
	}
	return nil
}

// errYoung ends a walk over events.
var errYoung = errors.New("young")
