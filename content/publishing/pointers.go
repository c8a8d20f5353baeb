package publishing

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// Branch is the pointer row of an entity on one branch. Version 0 with Exists is a deletion; the zero Branch means that
// the entity has no row: never drafted, or never published (content-model.md §4.1).
type Branch struct {
	Exists  bool
	Version VersionID
	Num     int
	Title   string
	Log     int64  // the log that touched the pointer last, 0 when none is known
	Digest  string // of the dependencies, as of that log
}

// Live reports whether the branch has a version.
func (b Branch) Live() bool { return b.Version != 0 }

// Pointers are both pointers of an entity.
type Pointers struct {
	Entity           EntityID
	Ref              string
	Draft, Published Branch
}

// Unpublished reports whether draft and published differ; what lies below the entity does not count.
func (p Pointers) Unpublished() bool { return p.Draft.Version != p.Published.Version }

// AllPointers returns both pointers of every entity of the package, in id order.
func AllPointers(ctx context.Context, q db.Querier, pkg PackageID) ([]Pointers, error) { panic("soon") }

// PointersOf returns both pointers of those of the entities that exist.
func PointersOf(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]Pointers, error) {
	panic("soon")
}

// DraftVersion returns the draft version of an entity, nil when there is none.
func DraftVersion(ctx context.Context, q db.Querier, e EntityID) (*Version, error) { panic("soon") }

// PublishedVersion returns the published version of an entity, nil when there is none.
func PublishedVersion(ctx context.Context, q db.Querier, e EntityID) (*Version, error) { panic("soon") }

// Unpublished returns the entities of the package whose draft differs from what is published, in id order; deleted
// drafts of published entities only withDeleted (content-model.md §16.1).
func Unpublished(ctx context.Context, q db.Querier, pkg PackageID, withDeleted bool) ([]Entity, error) {
	panic("soon")
}

// UnpublishedDeletes returns the entities of the package that are published and have no live draft, in id order.
func UnpublishedDeletes(ctx context.Context, q db.Querier, pkg PackageID) ([]Entity, error) {
	panic("soon")
}

// ContainsUnpublished reports for each entity whether its draft, or anything below it through dependencies, differs
// from what is published, by comparing digests (content-model.md §11.4). An unknown entity is fault.NotFound.
func ContainsUnpublished(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]bool, error) {
	panic("soon")
}

// EntityFilter narrows [FilterEntities]: nil does not care, else whether the branch has a live version; an absent row
// counts as no.
type EntityFilter struct{ HasDraft, HasPublished *bool }

// FilterEntities returns the entities of a package that pass the filter, in id order.
func FilterEntities(ctx context.Context, q db.Querier, pkg PackageID, f EntityFilter) ([]Entity, error) {
	panic("soon")
}
