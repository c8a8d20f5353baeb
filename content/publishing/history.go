package publishing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Entry is a record of one entity with the head of its log, as the history functions list it.
type Entry struct {
	Log            int64
	LogUUID        uuid.UUID
	At             time.Time
	By             UserID
	Message        string // of publish logs
	Record         RecordID
	Old, New       VersionID
	OldNum, NewNum int
	Direct         *bool // of publish logs
}

// entries reads all draft or publish records of an entity, newest first.
func entries(ctx context.Context, q db.Querier, b *branch, e EntityID) ([]Entry, error) {
	message, by, direct := `''`, `changed_by_id`, `NULL`
	from := ` FROM openedx_content_draftchangelogrecord r JOIN openedx_content_draftchangelog l ON l.id = r.draft_change_log_id`
	if b.direct {
		message, by, direct = `l.message`, `published_by_id`, `r.direct`
		from = ` FROM openedx_content_publishlogrecord r JOIN openedx_content_publishlog l ON l.id = r.publish_log_id`
	}
	list, err := db.All(ctx, q, `SELECT l.id, l.uuid, l.`+b.time+`, l.`+by+`, `+message+`, r.id, r.old_version_id, r.new_version_id,
		o.version_num, n.version_num, `+direct+from+`
		LEFT JOIN openedx_content_publishableentityversion o ON o.id = r.old_version_id
		LEFT JOIN openedx_content_publishableentityversion n ON n.id = r.new_version_id
		WHERE r.entity_id = ? ORDER BY l.`+b.time+` DESC, l.id DESC`, []any{e}, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("history of entity %d: %w", e, err)
	}
	return list, nil
}

func scanEntry(r *db.Row) (Entry, error) {
	var x Entry
	var record int64
	var by, old, now, oldNum, newNum *int64
	err := r.Scan(&x.Log, &x.LogUUID, &x.At, &by, &x.Message, &record, &old, &now, &oldNum, &newNum, &x.Direct)
	x.By, x.Record, x.Old, x.New = orZero[UserID](by), RecordID(record), orZero[VersionID](old), orZero[VersionID](now)
	x.OldNum, x.NewNum = int(orZero[int64](oldNum)), int(orZero[int64](newNum))
	return x, err
}

// DraftHistory returns the changes of an entity's draft since it was last published or reset, newest first. Like the
// other three it answers as the reference does, which takes a side effect for a reset (content-model.md §21).
func DraftHistory(ctx context.Context, q db.Querier, e EntityID) ([]Entry, error) {
	list, err := entries(ctx, q, &drafts, e)
	if err != nil {
		return nil, err
	}
	now, published, err := db.One(ctx, q, `SELECT l.published_at, p.version_id FROM openedx_content_published p
		JOIN openedx_content_publishlogrecord r ON r.id = p.publish_log_record_id
		JOIN openedx_content_publishlog l ON l.id = r.publish_log_id WHERE p.entity_id = ?`, []any{e}, func(r *db.Row) (x Entry, err error) {
		var v *int64
		err = r.Scan(&x.At, &v)
		x.New = orZero[VersionID](v)
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("history of entity %d: %w", e, err)
	}
	if !published {
		return list, nil
	}
	return afterReset(list, now.At, time.Time{}, now.New), nil
}

// afterReset returns the entries of a newest-first list in the window (from, to], a zero bound meaning none, and of
// those only what is later than the last that led to version base, if any did.
func afterReset(list []Entry, from, to time.Time, base VersionID) []Entry {
	var reset time.Time
	var in []Entry
	for _, x := range list {
		if !from.IsZero() && !x.At.After(from) || !to.IsZero() && x.At.After(to) {
			continue
		}
		if reset.IsZero() && x.New == base {
			reset = x.At
		}
		if reset.IsZero() || x.At.After(reset) {
			in = append(in, x)
		}
	}
	// What has the time of the reset itself is not after it.
	return slices.DeleteFunc(in, func(x Entry) bool { return !reset.IsZero() && !x.At.After(reset) })
}

// PublishHistory returns every publish record of an entity, side effects included, newest first.
func PublishHistory(ctx context.Context, q db.Querier, e EntityID) ([]Entry, error) {
	return entries(ctx, q, &published, e)
}

// PublishEntries returns the draft changes that a publish brought out: those since the entity's publish before, or since
// the last reset in between, newest first. A log without the entity is fault.NotFound.
func PublishEntries(ctx context.Context, q db.Querier, e EntityID, log uuid.UUID) ([]Entry, error) {
	publishes, err := entries(ctx, q, &published, e)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(publishes, func(x Entry) bool { return x.LogUUID == log })
	if at < 0 {
		return nil, fault.Errorf(fault.NotFound, log.String(), "is no publish of entity %d", e)
	}
	list, err := entries(ctx, q, &drafts, e)
	if err != nil {
		return nil, err
	}
	var before Entry
	if at+1 < len(publishes) {
		before = publishes[at+1]
	}
	return afterReset(list, before.At, publishes[at].At, before.New), nil
}

// Contributors returns the users who made versions of the entity with numbers in (from, to], latest contribution first;
// to nil means all above from, and deletions of a version not below from. From 0 counts from the beginning.
func Contributors(ctx context.Context, q db.Querier, e EntityID, from int, to *int) ([]UserID, error) {
	list, err := entries(ctx, q, &drafts, e)
	if err != nil {
		return nil, err
	}
	var users []UserID
	for _, x := range list {
		made := x.New != 0 && x.NewNum > from && (to == nil || x.NewNum <= *to)
		deleted := to == nil && x.New == 0 && x.Old != 0 && x.OldNum >= from
		if (made || deleted) && x.By != 0 && !slices.Contains(users, x.By) {
			users = append(users, x.By)
		}
	}
	return users, nil
}
