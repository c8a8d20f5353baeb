package containers

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// kind is what a new version must know of its container.
type kind struct {
	pkg  publishing.PackageID
	code string // type code
}

// made remembers the containers that a transaction has made: their versions, made next, cost no reads then. Nobody else
// can have changed them.
type made map[publishing.EntityID]kind

type madeKey struct{}

func madeIn(tx *db.Tx) made {
	return tx.Local(madeKey{}, func() any { return made{} }).(made)
}

func born(tx *db.Tx, pkg publishing.PackageID, list []NewContainer, ids []publishing.EntityID) {
	m := madeIn(tx)
	for i, id := range ids {
		m[id] = kind{pkg, list[i].Type}
	}
}

// kinds returns the type codes of those of the entities that are containers of the package.
func kinds(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, ids []publishing.EntityID) (map[publishing.EntityID]string, error) {
	m := madeIn(tx)
	out := make(map[publishing.EntityID]string, len(ids))
	var ask []publishing.EntityID
	for _, id := range ids {
		switch k, ok := m[id]; {
		case !ok:
			ask = append(ask, id)
		case k.pkg == pkg:
			out[id] = k.code
		}
	}
	if len(ask) == 0 {
		return out, nil
	}
	list, err := ByID(ctx, tx, ask)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.Package == pkg {
			out[c.ID] = c.Type
		}
	}
	return out, nil
}

// mustChange returns the types of containers that are to get a version, refusing entities that are none of the package
// and types that this program does not know.
func mustChange(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, ids []publishing.EntityID) (map[publishing.EntityID]string, error) {
	of, err := kinds(ctx, tx, pkg, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		code, ok := of[id]
		if !ok {
			return nil, fault.Errorf(fault.Invalid, fmt.Sprintf("entity %d", id), "it is no container of the learning package")
		}
		if err := checkType(code); err != nil {
			return nil, err
		}
	}
	return of, nil
}
