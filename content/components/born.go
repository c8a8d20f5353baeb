package components

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// made remembers the components that a transaction has made, and in which package: their versions, made next, cost no
// reads then. Nobody else can have changed them.
type made map[publishing.EntityID]publishing.PackageID

type madeKey struct{}

func madeIn(tx *db.Tx) made {
	return tx.Local(madeKey{}, func() any { return made{} }).(made)
}

func born(tx *db.Tx, pkg publishing.PackageID, ids []publishing.EntityID) {
	m := madeIn(tx)
	for _, id := range ids {
		m[id] = pkg
	}
}

// mustBeComponents refuses entities that are no components of the package.
func mustBeComponents(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, ids []publishing.EntityID) error {
	wrong, err := NotIn(ctx, tx, pkg, ids)
	switch {
	case err != nil:
		return err
	case len(wrong) > 0:
		return fault.Errorf(fault.Invalid, fmt.Sprintf("entity %d", wrong[0]), "it is no component of the learning package")
	}
	return nil
}

// NotIn returns those of the entities that are no components of the package, in their order.
func NotIn(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, ids []publishing.EntityID) ([]publishing.EntityID, error) {
	m := madeIn(tx)
	var ask []publishing.EntityID
	for _, id := range ids {
		if m[id] != pkg {
			ask = append(ask, id)
		}
	}
	if len(ask) == 0 {
		return nil, nil
	}
	have := make(map[publishing.EntityID]bool, len(ask))
	err := db.QueryIn(ctx, tx, "SELECT publishable_entity_id FROM openedx_content_component WHERE learning_package_id = ?"+
		" AND publishable_entity_id IN (?...)", ask, []any{int64(pkg)}, func(r *db.Row) error {
		var id int64
		err := r.Scan(&id)
		have[publishing.EntityID(id)] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	var wrong []publishing.EntityID
	for _, id := range ask {
		if !have[id] {
			wrong = append(wrong, id)
		}
	}
	return wrong, nil
}
