package publishing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Version is the head of one immutable version of an entity. Num counts within the entity, with gaps.
type Version struct {
	ID      VersionID
	UUID    uuid.UUID
	Entity  EntityID
	Num     int
	Title   string
	Created time.Time
	By      UserID
}

// Versions returns the versions with these ids, in id order; unknown ids are left out.
func Versions(ctx context.Context, q db.Querier, ids []VersionID) ([]Version, error) { panic("soon") }

// VersionsOf returns all versions of an entity in the order of their numbers.
func VersionsOf(ctx context.Context, q db.Querier, e EntityID) ([]Version, error) { panic("soon") }

// VersionByNum returns the version of an entity with this number, else fault.NotFound.
func VersionByNum(ctx context.Context, q db.Querier, e EntityID, num int) (Version, error) {
	panic("soon")
}

// LatestVersions returns for each entity that has versions the one with the highest number, which need be neither the
// draft nor the published one.
func LatestVersions(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]Version, error) {
	panic("soon")
}

// Dependencies returns for each version that has dependencies the entities it depends on, in id order.
func Dependencies(ctx context.Context, q db.Querier, ids []VersionID) (map[VersionID][]EntityID, error) {
	panic("soon")
}
