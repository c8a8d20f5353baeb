package publishing

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
)

// PublishMeta says when, by whom and why something is published. At is the transaction's clock when zero, Kind is
// KindPublish when empty.
type PublishMeta struct {
	At      time.Time
	By      UserID
	Message string // at most 500 characters
	Kind    Kind
	Source  string // at most 500 characters
}

// PublishAll publishes every draft of the package that differs from what is published, deletions included. Nothing to
// publish still makes a log, without records (content-model.md §9). Inside a change set of the package it is
// fault.Refused.
func PublishAll(ctx context.Context, tx *db.Tx, pkg PackageID, m PublishMeta) (*PublishLog, error) {
	panic("soon")
}

// Publish publishes the drafts of the given entities, changed or not, and with dependencies everything changed below
// them, see [Closure]. Without, it is fault.Invalid if anything directly below has a draft and was never published.
// An entity of another package, or a dependency cycle among published versions that would come of it, is
// fault.Invalid; an entity that never had a draft is fault.NotFound (content-model.md §9).
func Publish(ctx context.Context, tx *db.Tx, pkg PackageID, list []EntityID, dependencies bool, m PublishMeta) (*PublishLog, error) {
	panic("soon")
}

// Closure returns what [Publish] with dependencies would take along besides the given entities, layer by layer: whatever
// is reachable through dependencies of draft versions and has unpublished changes.
func Closure(ctx context.Context, q db.Querier, pkg PackageID, list []EntityID) ([]EntityID, error) {
	panic("soon")
}
