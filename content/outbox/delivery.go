package outbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID       int64
	Webhook  int64
	Event    int64
	Package  int64
	Dead     bool
	Attempts int       // begun so far
	Due      time.Time // of the next attempt; while one is under way, when another deliverer may take over
	Error    string    // of the last attempt that failed
	holder   string
}

const deliveryColumns = `d.id, d.webhook_id, d.event_id, d.learning_package_id, d.dead, d.attempts, d.due, d.error`

func scanDelivery(r *db.Row) (Delivery, error) {
	var d Delivery
	err := r.Scan(&d.ID, &d.Webhook, &d.Event, &d.Package, &d.Dead, &d.Attempts, &d.Due, &d.Error)
	return d, err
}

// dueBatch is how many heads of lanes [Due] looks at in one statement.
const dueBatch = 500

// Due returns the deliveries of a webhook that may be claimed at a time, at most one a package and limit in all, the
// oldest event first. It asks for the heads of all lanes first, which an index answers: left to join them by itself,
// SQLite would look for them anew with every delivery.
func Due(ctx context.Context, q db.Querier, webhook int64, now time.Time, limit int) (list []Delivery, err error) {
	heads, err := db.All(ctx, q, `SELECT MIN(event_id) FROM lectern_delivery WHERE webhook_id = ? AND dead = ? GROUP BY learning_package_id`,
		[]any{webhook, false}, db.Value[int64])
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	slices.Sort(heads)
	for part := range slices.Chunk(heads, dueBatch) {
		err := db.QueryIn(ctx, q, `SELECT `+deliveryColumns+` FROM lectern_delivery d
			WHERE d.webhook_id = ? AND d.dead = ? AND d.due <= ? AND d.event_id IN (?...)`,
			part, []any{webhook, false, now.UTC()}, func(r *db.Row) error {
				d, err := scanDelivery(r)
				list = append(list, d)
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("deliveries: %w", err)
		}
		if len(list) >= limit {
			break
		}
	}
	slices.SortFunc(list, func(a, b Delivery) int { return cmp.Compare(a.Event, b.Event) })
	return list[:min(len(list), limit)], nil
}

// Claim makes the caller the only one to send a delivery for the length of lease, and counts an attempt. claimed is nil
// when another was first. The transaction has to be committed before anything is sent.
func Claim(ctx context.Context, tx *db.Tx, d Delivery, lease time.Duration) (claimed *Delivery, err error) {
	token := uuid.New()
	d.holder = fmt.Sprintf("%x", token[:])
	now := tx.Now()
	n, err := tx.Exec(ctx, `UPDATE lectern_delivery SET holder = ?, attempts = attempts + 1, due = ?
		WHERE id = ? AND dead = ? AND due <= ? AND attempts = ?`, d.holder, now.Add(lease), d.ID, false, now, d.Attempts)
	if err != nil {
		return nil, fmt.Errorf("delivery %d: %w", d.ID, err)
	}
	if n == 0 {
		return nil, nil
	}
	d.Attempts++
	d.Due = now.Add(lease)
	return &d, nil
}

// Next returns the delivery after d of its webhook and package that may be claimed now, found false if there is none.
func Next(ctx context.Context, tx *db.Tx, d *Delivery) (next Delivery, found bool, err error) {
	next, found, err = db.One(ctx, tx, `SELECT `+deliveryColumns+` FROM lectern_delivery d
		WHERE d.webhook_id = ? AND d.dead = ? AND d.learning_package_id = ? ORDER BY d.event_id LIMIT 1`,
		[]any{d.Webhook, false, d.Package}, scanDelivery)
	if err != nil {
		return next, false, fmt.Errorf("deliveries: %w", err)
	}
	return next, found && !next.Due.After(tx.Now()), nil
}

// Done removes a claimed delivery: the event arrived. It does nothing if the claim has passed to another.
func Done(ctx context.Context, tx *db.Tx, d *Delivery) error {
	if _, err := tx.Exec(ctx, `DELETE FROM lectern_delivery WHERE id = ? AND holder = ?`, d.ID, d.holder); err != nil {
		return fmt.Errorf("delivery %d: %w", d.ID, err)
	}
	return nil
}

// maxError is how much of a failure is kept, in bytes.
const maxError = 1000

// Failed notes why a claimed delivery did not arrive. It is due again after pause, or with dead never, until [Revive].
// It does nothing if the claim has passed to another.
func Failed(ctx context.Context, tx *db.Tx, d *Delivery, reason string, pause time.Duration, dead bool) error {
	_, err := tx.Exec(ctx, `UPDATE lectern_delivery SET holder = '', error = ?, due = ?, dead = ? WHERE id = ? AND holder = ?`,
		clean(reason), tx.Now().Add(pause), dead, d.ID, d.holder)
	if err != nil {
		return fmt.Errorf("delivery %d: %w", d.ID, err)
	}
	return nil
}

// Release gives a claim back as if it had not been made.
func Release(ctx context.Context, tx *db.Tx, d *Delivery) error {
	_, err := tx.Exec(ctx, `UPDATE lectern_delivery SET holder = '', attempts = attempts - 1, due = ? WHERE id = ? AND holder = ?`,
		tx.Now(), d.ID, d.holder)
	if err != nil {
		return fmt.Errorf("delivery %d: %w", d.ID, err)
	}
	return nil
}

// Dead is a delivery that was given up, with its event.
type Dead struct {
	Delivery
	What Event // without data
}

// DeadLetters returns the deliveries that were given up, by id.
func DeadLetters(ctx context.Context, q db.Querier) ([]Dead, error) {
	list, err := db.All(ctx, q, `SELECT `+heads+`, `+deliveryColumns+`
		FROM lectern_delivery d JOIN lectern_event e ON e.id = d.event_id WHERE d.dead = ? ORDER BY d.id`, []any{true}, func(r *db.Row) (Dead, error) {
		var x Dead
		d := &x.Delivery
		e, err := scanEvent(r, &d.ID, &d.Webhook, &d.Event, &d.Package, &d.Dead, &d.Attempts, &d.Due, &d.Error)
		x.What = e
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	return list, nil
}

// Revive makes dead letters due again, with all attempts before them, and Drop removes them for good; ids nil means all.
// Both return how many there were; a named one that is not dead is fault.NotFound. A revived event arrives after later
// ones of its package which were delivered meanwhile, and before those that were not.
func Revive(ctx context.Context, tx *db.Tx, ids []int64) (int64, error) {
	return eachDead(ctx, tx, ids, `UPDATE lectern_delivery SET dead = ?, attempts = 0, due = ? WHERE dead = ?`, false, tx.Now(), true)
}

// Drop is described with [Revive].
func Drop(ctx context.Context, tx *db.Tx, ids []int64) (int64, error) {
	return eachDead(ctx, tx, ids, `DELETE FROM lectern_delivery WHERE dead = ?`, true)
}

func eachDead(ctx context.Context, tx *db.Tx, ids []int64, stmt string, args ...any) (n int64, err error) {
	if ids == nil {
		n, err = tx.Exec(ctx, stmt, args...)
	}
	for _, id := range ids {
		one, err := tx.Exec(ctx, stmt+` AND id = ?`, append(args[:len(args):len(args)], id)...)
		if err != nil {
			return 0, fmt.Errorf("dead letters: %w", err)
		}
		if one == 0 {
			return 0, fault.Errorf(fault.NotFound, fmt.Sprintf("dead letter %d", id), "there is no such dead letter").
				WithNext("list them with: lectern events dead list")
		}
		n += one
	}
	if err != nil {
		return 0, fmt.Errorf("dead letters: %w", err)
	}
	return n, nil
}

// Waiting is how much is yet to be delivered to a webhook.
type Waiting struct {
	Webhook       int64
	Pending, Dead int64
}

// Queue returns how much waits for each webhook that anything waits for.
func Queue(ctx context.Context, q db.Querier) (map[int64]Waiting, error) {
	all := map[int64]Waiting{}
	err := q.Query(ctx, `SELECT webhook_id, dead, COUNT(*) FROM lectern_delivery GROUP BY webhook_id, dead`, nil, func(r *db.Row) error {
		var id, n int64
		var dead bool
		err := r.Scan(&id, &dead, &n)
		w := all[id]
		if w.Webhook = id; dead {
			w.Dead = n
		} else {
			w.Pending = n
		}
		all[id] = w
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	return all, nil
}
