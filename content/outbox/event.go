package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Type says what happened: the event's type without [Prefix] (content-model.md §19).
type Type string

// The types of event.
const (
	PackageCreated    Type = "publishing.lp_created.v1"
	PackageUpdated    Type = "publishing.lp_updated.v1"
	PackageDeleted    Type = "publishing.lp_deleted.v1"
	DraftsChanged     Type = "publishing.entities_draft_changed.v1"
	Published         Type = "publishing.entities_published.v1"
	CollectionChanged Type = "collections.collection_changed.v1"
)

// Prefix comes before a Type wherever other programs see it.
const Prefix = "org.openedx.content."

// Types are all of them.
var Types = []Type{PackageCreated, PackageUpdated, PackageDeleted, DraftsChanged, Published, CollectionChanged}

// Event is one event as it is stored. Package, By and Log are row ids that may name nothing any more.
type Event struct {
	ID      int64 // greater than that of every earlier event of the package
	UUID    uuid.UUID
	Package int64
	Type    Type
	At      time.Time // of the operation (content-model.md §19)
	By      int64     // user, 0 for nobody
	Title   string    // of the package, when it happened
	Log     int64     // draft or publish log, for events about one
	Data    string    // JSON: for collections the change, for logs the changes once they are frozen; else empty
	Created time.Time // when the transaction took place
}

// Append stores events, in order, as part of what tx does. The caller holds the locks of their packages. ID, UUID and
// Created are given here. It takes one statement a batch, and nobody needs to listen.
func Append(ctx context.Context, tx *db.Tx, list ...Event) error {
	cols := []string{"uuid", "learning_package_id", "event_type", "event_time", "changed_by_id", "title", "log_id", "data", "routed", "created"}
	err := tx.Insert(ctx, "lectern_event", cols, len(list), func(i int, v []any) {
		e := &list[i]
		v[0], v[1], v[2], v[3], v[4] = uuid.Must(uuid.NewV7()), e.Package, string(e.Type), e.At, null(e.By)
		v[5], v[6], v[7], v[8], v[9] = e.Title, null(e.Log), nil, false, tx.Now()
		if e.Data != "" {
			v[7] = e.Data
		}
	})
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	return nil
}

func null(id int64) any {
	if id == 0 {
		return nil
	}
	return id
}

// heads are the columns of an event but its data, which may be long.
const heads = `e.id, e.uuid, e.learning_package_id, e.event_type, e.event_time, e.changed_by_id, e.title, e.log_id, e.created`

func scanHead(r *db.Row) (Event, error) { return scanEvent(r) }

func scanEvent(r *db.Row, more ...any) (Event, error) {
	var e Event
	var kind string
	var by, log *int64
	err := r.Scan(append([]any{&e.ID, &e.UUID, &e.Package, &kind, &e.At, &by, &e.Title, &log, &e.Created}, more...)...)
	e.Type = Type(kind)
	if by != nil {
		e.By = *by
	}
	if log != nil {
		e.Log = *log
	}
	return e, err
}

// Get returns an event with its data; found is false when there is none, or not any more.
func Get(ctx context.Context, q db.Querier, id int64) (e Event, found bool, err error) {
	e, found, err = db.One(ctx, q, `SELECT `+heads+`, e.data FROM lectern_event e WHERE e.id = ?`, []any{id}, func(r *db.Row) (Event, error) {
		var data sql.Null[string]
		e, err := scanEvent(r, &data)
		e.Data = data.V
		return e, err
	})
	if err != nil {
		err = fmt.Errorf("event %d: %w", id, err)
	}
	return e, found, err
}

// Filter narrows [List].
type Filter struct {
	Package int64     // only of this one; 0 means any
	Since   time.Time // only events created at this time or later
	After   int64     // only greater ids
	Limit   int       // at most so many, of the newest; 0 means all
}

// List returns events without their data, in id order.
func List(ctx context.Context, q db.Querier, f Filter) ([]Event, error) {
	where, args := `e.id > ?`, []any{f.After}
	if f.Package != 0 {
		where, args = where+` AND e.learning_package_id = ?`, append(args, f.Package)
	}
	if !f.Since.IsZero() {
		where, args = where+` AND e.created >= ?`, append(args, f.Since.UTC())
	}
	stmt := `SELECT ` + heads + ` FROM lectern_event e WHERE ` + where + ` ORDER BY e.id DESC`
	if f.Limit > 0 {
		stmt, args = stmt+` LIMIT ?`, append(args, f.Limit)
	}
	list, err := db.All(ctx, q, stmt, args, scanHead)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list, nil
}

// Thawed returns the events of a package that are about a log, are yet to be delivered to somebody and have no data of
// their own, in id order: those to [Freeze] before their logs go. Nobody listening, there are none.
func Thawed(ctx context.Context, tx *db.Tx, pkg int64) ([]Event, error) {
	list, err := db.All(ctx, tx, `SELECT `+heads+` FROM lectern_event e
		WHERE e.learning_package_id = ? AND e.log_id IS NOT NULL AND e.data IS NULL
		AND (EXISTS (SELECT 1 FROM lectern_delivery d WHERE d.event_id = e.id)
			OR e.routed = ? AND EXISTS (SELECT 1 FROM lectern_webhook w WHERE w.active = ?))
		ORDER BY e.id`, []any{pkg, false, true}, scanHead)
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return list, nil
}

// Freeze stores what an event about a log says, so that the log can go. data is a JSON array, the event's changes.
func Freeze(ctx context.Context, tx *db.Tx, id int64, data string) error {
	if _, err := tx.Exec(ctx, `UPDATE lectern_event SET data = ? WHERE id = ?`, data, id); err != nil {
		return fmt.Errorf("event %d: %w", id, err)
	}
	return nil
}

// Sweep removes events older than keep that were given to the webhooks and that no delivery names, oldest first and at
// most limit of them, and returns how many went. It stops at the first event that is young.
func Sweep(ctx context.Context, d *db.DB, keep time.Duration, limit int) (removed int64, err error) {
	err = d.Update(ctx, func(tx *db.Tx) error {
		removed = 0
		before := tx.Now().Add(-keep)
		var ids []int64
		err := tx.Query(ctx, `SELECT e.id, e.created FROM lectern_event e WHERE e.routed = ?
			AND NOT EXISTS (SELECT 1 FROM lectern_delivery d WHERE d.event_id = e.id) ORDER BY e.id LIMIT ?`,
			[]any{true, limit}, func(r *db.Row) error {
				var id int64
				var created time.Time
				if err := r.Scan(&id, &created); err != nil {
					return err
				}
				if !created.Before(before) {
					return errYoung
				}
				ids = append(ids, id)
				return nil
			})
		if err != nil && err != errYoung {
			return err
		}
		removed, err = db.ExecIn(ctx, tx, `DELETE FROM lectern_event WHERE id IN (?...)`, ids, nil)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("sweep events: %w", err)
	}
	return removed, nil
}
