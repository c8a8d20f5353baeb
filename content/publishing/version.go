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

const selectVersion = `SELECT v.id, v.uuid, v.entity_id, v.version_num, v.title, v.created, v.created_by_id
	FROM openedx_content_publishableentityversion v`

func scanVersion(r *db.Row) (v Version, err error) {
	var by *int64
	err = r.Scan(&v.ID, &v.UUID, &v.Entity, &v.Num, &v.Title, &v.Created, &by)
	v.By = orZero[UserID](by)
	return v, err
}

// Versions returns the versions with these ids, in id order; unknown ids are left out.
func Versions(ctx context.Context, q db.Querier, ids []VersionID) ([]Version, error) {
	list := make([]Version, 0, len(ids))
	err := db.QueryIn(ctx, q, selectVersion+` WHERE v.id IN (?...) ORDER BY v.id`, unique(ids), nil, func(r *db.Row) error {
		v, err := scanVersion(r)
		list = append(list, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("versions: %w", err)
	}
	return list, nil
}

// VersionsOf returns all versions of an entity in the order of their numbers.
func VersionsOf(ctx context.Context, q db.Querier, e EntityID) ([]Version, error) {
	list, err := db.All(ctx, q, selectVersion+` WHERE v.entity_id = ? ORDER BY v.version_num`, []any{e}, scanVersion)
	if err != nil {
		return nil, fmt.Errorf("versions of entity %d: %w", e, err)
	}
	return list, nil
}

// VersionByNum returns the version of an entity with this number, else fault.NotFound.
func VersionByNum(ctx context.Context, q db.Querier, e EntityID, num int) (Version, error) {
	v, ok, err := db.One(ctx, q, selectVersion+` WHERE v.entity_id = ? AND v.version_num = ?`, []any{e, num}, scanVersion)
	switch {
	case err != nil:
		return Version{}, fmt.Errorf("version %d of entity %d: %w", num, e, err)
	case !ok:
		return Version{}, fault.Errorf(fault.NotFound, fmt.Sprintf("version %d of entity %d", num, e), "does not exist")
	}
	return v, nil
}

// VersionByUUID returns a version by its UUID, else fault.NotFound.
func VersionByUUID(ctx context.Context, q db.Querier, id uuid.UUID) (Version, error) {
	v, ok, err := db.One(ctx, q, selectVersion+` WHERE v.uuid = ?`, []any{id}, scanVersion)
	switch {
	case err != nil:
		return Version{}, fmt.Errorf("version %s: %w", id, err)
	case !ok:
		return Version{}, fault.Errorf(fault.NotFound, id.String(), "there is no such version")
	}
	return v, nil
}

// LatestVersions returns for each entity that has versions the one with the highest number, which need be neither the
// draft nor the published one.
func LatestVersions(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]Version, error) {
	found := make(map[EntityID]Version, len(ids))
	err := db.QueryIn(ctx, q, selectVersion+` WHERE v.entity_id IN (?...) AND v.version_num =
		(SELECT MAX(x.version_num) FROM openedx_content_publishableentityversion x WHERE x.entity_id = v.entity_id)`, ids, nil, func(r *db.Row) error {
		v, err := scanVersion(r)
		found[v.Entity] = v
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("latest versions: %w", err)
	}
	return found, nil
}

// Dependencies returns for each version that has dependencies the entities it depends on, in id order.
func Dependencies(ctx context.Context, q db.Querier, ids []VersionID) (map[VersionID][]EntityID, error) {
	found := map[VersionID][]EntityID{}
	err := db.QueryIn(ctx, q, `SELECT referring_version_id, referenced_entity_id
		FROM openedx_content_publishableentityversiondependency WHERE referring_version_id IN (?...)`, unique(ids), nil, func(r *db.Row) error {
		var v, e int64
		err := r.Scan(&v, &e)
		found[VersionID(v)] = append(found[VersionID(v)], EntityID(e))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dependencies: %w", err)
	}
	for _, list := range found {
		slices.Sort(list)
	}
	return found, nil
}
