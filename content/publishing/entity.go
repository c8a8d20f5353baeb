package publishing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
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
	if len(list) == 0 {
		return nil, nil
	}
	for i := range list {
		if err := checkRef("entity ref", list[i].Ref); err != nil {
			return nil, err
		}
	}
	ids := uuids(len(list))
	rows, err := tx.InsertIDs(ctx, "openedx_content_publishableentity",
		[]string{"uuid", "entity_ref", "created", "created_by_id", "learning_package_id", "can_stand_alone"},
		len(list), func(i int, v []any) {
			n := &list[i]
			v[0], v[1], v[2], v[3], v[4], v[5] = ids[i], n.Ref, moment(tx, n.Created), null(n.By), pkg, !n.Dependent
		})
	if err != nil {
		return nil, fmt.Errorf("create entities: %w", takenRef(list, err))
	}
	made := make([]EntityID, len(rows))
	for i, id := range rows {
		made[i] = EntityID(id)
	}
	unitOf(tx).born(made, pkg)
	return made, nil
}

// takenRef says of a violated uniqueness which ref it was, where that can be told without the database, whose
// transaction may be lost.
func takenRef(list []NewEntity, err error) error {
	if len(list) == 1 {
		return conflict(err, list[0].Ref, "the learning package has an entity with this ref already")
	}
	seen := make(map[string]bool, len(list))
	for i := range list {
		if seen[list[i].Ref] {
			return conflict(err, list[i].Ref, "this ref is given twice")
		}
		seen[list[i].Ref] = true
	}
	return conflict(err, fmt.Sprintf("%d entities", len(list)), "the learning package has an entity with one of their refs already")
}

const selectEntity = `SELECT e.id, e.uuid, e.learning_package_id, e.entity_ref, e.created, e.created_by_id, e.can_stand_alone
	FROM openedx_content_publishableentity e`

func scanEntity(r *db.Row) (e Entity, err error) {
	var by *int64
	err = r.Scan(&e.ID, &e.UUID, &e.Package, &e.Ref, &e.Created, &by, &e.CanStandAlone)
	e.By = orZero[UserID](by)
	return e, err
}

// listEntities runs a query that starts with selectEntity.
func listEntities(ctx context.Context, q db.Querier, sql string, args ...any) ([]Entity, error) {
	var list []Entity
	err := q.Query(ctx, sql, args, func(r *db.Row) error {
		e, err := scanEntity(r)
		list = append(list, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("entities: %w", err)
	}
	return list, nil
}

// EntityByRef returns the entity of a package with exactly this ref, else fault.NotFound.
func EntityByRef(ctx context.Context, q db.Querier, pkg PackageID, ref string) (Entity, error) {
	e, ok, err := db.One(ctx, q, selectEntity+` WHERE e.learning_package_id = ? AND e.entity_ref = ?`, []any{pkg, ref}, scanEntity)
	switch {
	case err != nil:
		return Entity{}, fmt.Errorf("entity %s: %w", ref, err)
	case !ok || e.Ref != ref: // a padded comparison may find a neighbour
		return Entity{}, fault.Errorf(fault.NotFound, ref, "there is no such entity in the learning package")
	}
	return e, nil
}

// EntityByID returns an entity by its row id, else fault.NotFound.
func EntityByID(ctx context.Context, q db.Querier, id EntityID) (Entity, error) {
	e, ok, err := db.One(ctx, q, selectEntity+` WHERE e.id = ?`, []any{id}, scanEntity)
	switch {
	case err != nil:
		return Entity{}, fmt.Errorf("entity %d: %w", id, err)
	case !ok:
		return Entity{}, noEntity(id)
	}
	return e, nil
}

// EntityByUUID returns an entity by its UUID, else fault.NotFound.
func EntityByUUID(ctx context.Context, q db.Querier, id uuid.UUID) (Entity, error) {
	e, ok, err := db.One(ctx, q, selectEntity+` WHERE e.uuid = ?`, []any{id}, scanEntity)
	switch {
	case err != nil:
		return Entity{}, fmt.Errorf("entity %s: %w", id, err)
	case !ok:
		return Entity{}, fault.Errorf(fault.NotFound, id.String(), "there is no such entity")
	}
	return e, nil
}

func noEntity(id EntityID) error {
	return fault.Errorf(fault.NotFound, fmt.Sprintf("entity %d", id), "does not exist")
}

// EntitiesByRef returns those entities of a package whose ref is in refs.
func EntitiesByRef(ctx context.Context, q db.Querier, pkg PackageID, refs []string) (map[string]Entity, error) {
	found := make(map[string]Entity, len(refs))
	err := db.QueryIn(ctx, q, selectEntity+` WHERE e.learning_package_id = ? AND e.entity_ref IN (?...)`, refs, []any{pkg}, func(r *db.Row) error {
		e, err := scanEntity(r)
		found[e.Ref] = e
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("entities: %w", err)
	}
	return found, nil
}

// EntitiesByID returns those entities whose id is in ids, whatever their package.
func EntitiesByID(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]Entity, error) {
	found := make(map[EntityID]Entity, len(ids))
	err := db.QueryIn(ctx, q, selectEntity+` WHERE e.id IN (?...)`, ids, nil, func(r *db.Row) error {
		e, err := scanEntity(r)
		found[e.ID] = e
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("entities: %w", err)
	}
	return found, nil
}

// Entities returns all entities of a package in id order, deleted ones included.
func Entities(ctx context.Context, q db.Querier, pkg PackageID) ([]Entity, error) {
	return listEntities(ctx, q, selectEntity+` WHERE e.learning_package_id = ? ORDER BY e.id`, pkg)
}
