package publishing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Log is the head of a draft log or of a publish log.
type Log struct {
	Publish bool
	ID      int64
	UUID    uuid.UUID
	Package PackageID
	At      time.Time
	By      UserID
	Kind    Kind // KindOther for a log that another program made
	Message string
	Source  string
	Changes int // entities whose version changed; side effects do not count
}

// LogFilter narrows [Logs].
type LogFilter struct {
	Entities      []EntityID // only logs with a record of one of them; nil means any
	Direct        bool       // with Entities: only where the version of one of them changed, or it was asked for
	Limit         int        // at most so many; 0 means all
	Before        *Log       // only logs that come after this one in the listing; a cursor
	OnlyDrafts    bool
	OnlyPublishes bool
}

// Logs returns draft and publish logs of a package, newest first: by time, at the same time publishes before drafts,
// then by descending id.
func Logs(ctx context.Context, q db.Querier, pkg PackageID, f LogFilter) ([]Log, error) {
	panic("soon")
}

// LogByUUID returns the log of a package with this UUID, of either kind, else fault.NotFound.
func LogByUUID(ctx context.Context, q db.Querier, pkg PackageID, id uuid.UUID) (Log, error) {
	panic("soon")
}

// LogRecord is a record of a stored log. Direct is nil for publish records older than the column, and for draft records
// tells whether the version changed.
type LogRecord struct {
	ID             RecordID
	Log            int64
	Entity         EntityID
	Ref            string
	Old, New       VersionID
	OldNum, NewNum int
	Digest         string
	Direct         *bool
}

// Records returns the records of draft logs, or with publish of publish logs, by log and record id.
func Records(ctx context.Context, q db.Querier, publish bool, logs []int64) ([]LogRecord, error) {
	panic("soon")
}

// LastPublish returns the publish log of the package with the greatest id, nil when it was never published.
func LastPublish(ctx context.Context, q db.Querier, pkg PackageID) (*Log, error) { panic("soon") }

// LastPublishOf returns the publish log that touched the published pointer of an entity last, side effects included;
// nil when the entity was never published.
func LastPublishOf(ctx context.Context, q db.Querier, e EntityID) (*Log, error) { panic("soon") }
