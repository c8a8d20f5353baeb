package publishing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// NewEntity describes an entity to create. Dependent says that it was made as part of a container and has no meaning
// alone (can_stand_alone = false). Created is the transaction's clock when zero.
type NewEntity struct {
	Ref       string
	Created   time.Time
	By        UserID
	Dependent bool
}

// Entity is the stable identity of something with versions. Ref is opaque and unique in its package.
type Entity struct {
	ID            EntityID
	UUID          uuid.UUID
	Package       PackageID
	Ref           string
	Created       time.Time
	By            UserID
	CanStandAlone bool
}

// CreateEntities creates entities without versions and returns their ids, aligned. A ref that the package has already
// is fault.Conflict.
func CreateEntities(ctx context.Context, tx *db.Tx, pkg PackageID, list []NewEntity) ([]EntityID, error) {
	panic("soon")
}

// EntityByRef returns the entity of a package with exactly this ref, else fault.NotFound.
func EntityByRef(ctx context.Context, q db.Querier, pkg PackageID, ref string) (Entity, error) {
	panic("soon")
}

// EntityByID returns an entity by its row id, else fault.NotFound.
func EntityByID(ctx context.Context, q db.Querier, id EntityID) (Entity, error) { panic("soon") }

// EntitiesByRef returns those entities of a package whose ref is in refs.
func EntitiesByRef(ctx context.Context, q db.Querier, pkg PackageID, refs []string) (map[string]Entity, error) {
	panic("soon")
}

// EntitiesByID returns those entities whose id is in ids, whatever their package.
func EntitiesByID(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]Entity, error) {
	panic("soon")
}

// Entities returns all entities of a package in id order, deleted ones included.
func Entities(ctx context.Context, q db.Querier, pkg PackageID) ([]Entity, error) { panic("soon") }
