package publishing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
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

// DraftHistory returns the changes of an entity's draft since it was last published or reset, newest first. Like the
// other three it answers as the reference does, which takes a side effect for a reset (content-model.md §21).
func DraftHistory(ctx context.Context, q db.Querier, e EntityID) ([]Entry, error) { panic("soon") }

// PublishHistory returns every publish record of an entity, side effects included, newest first.
func PublishHistory(ctx context.Context, q db.Querier, e EntityID) ([]Entry, error) { panic("soon") }

// PublishEntries returns the draft changes that a publish brought out, newest first. A log without the entity is
// fault.NotFound.
func PublishEntries(ctx context.Context, q db.Querier, e EntityID, log uuid.UUID) ([]Entry, error) {
	panic("soon")
}

// Contributors returns the users who made versions of the entity with numbers in (from, to], latest first; to nil means
// all above from and deletions. From 0 counts from the beginning.
func Contributors(ctx context.Context, q db.Querier, e EntityID, from int, to *int) ([]UserID, error) {
	panic("soon")
}
