package components

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// typeID is the row id of a component type.
type typeID int64

// maxTypePart is the width of both columns of a type, in characters.
const maxTypePart = 100

// check refuses types that a ref could not be read with, or that engines would not keep apart.
func (t Type) check() error {
	for _, p := range []string{t.Namespace, t.Name} {
		switch {
		case strings.Contains(p, ":"):
			return fault.Errorf(fault.Invalid, "component type "+quote(t.String()), "neither part can hold a colon")
		case !utf8.ValidString(p), strings.IndexByte(p, 0) >= 0, strings.HasSuffix(p, " "):
			return fault.Errorf(fault.Invalid, "component type "+quote(t.String()), "a part is not UTF-8, holds NUL or ends in a space")
		case utf8.RuneCountInString(p) > maxTypePart:
			return fault.Errorf(fault.Invalid, "component type "+quote(t.String()), "a part is over 100 characters")
		}
	}
	return nil
}

// ensureTypes returns the row ids of types, making those that are missing.
func ensureTypes(ctx context.Context, tx *db.Tx, types []Type) (map[Type]typeID, error) {
	have, err := typeIDs(ctx, tx)
	if err != nil {
		return nil, err
	}
	var missing []Type
	for _, t := range types {
		if _, ok := have[t]; !ok {
			if err := t.check(); err != nil {
				return nil, err
			}
			have[t] = 0
			missing = append(missing, t)
		}
	}
	if len(missing) == 0 {
		return have, nil
	}
	// Types belong to no package, so the lock of one does not keep another writer from making the same row now.
	err = tx.Upsert(ctx, "openedx_content_componenttype", []string{"namespace", "name"}, nil, len(missing), func(i int, v []any) {
		v[0], v[1] = missing[i].Namespace, missing[i].Name
	})
	if err != nil {
		return nil, err
	}
	return typeIDs(ctx, tx)
}

// typeIDs returns all component types. The table has a few dozen rows for a whole site.
func typeIDs(ctx context.Context, q db.Querier) (map[Type]typeID, error) {
	ids := map[Type]typeID{}
	err := eachType(ctx, q, func(id typeID, t Type) { ids[t] = id })
	return ids, err
}

// typesByID is typeIDs the other way round.
func typesByID(ctx context.Context, q db.Querier) (map[typeID]Type, error) {
	types := map[typeID]Type{}
	err := eachType(ctx, q, func(id typeID, t Type) { types[id] = t })
	return types, err
}

func eachType(ctx context.Context, q db.Querier, fn func(typeID, Type)) error {
	return q.Query(ctx, "SELECT id, namespace, name FROM openedx_content_componenttype", nil, func(r *db.Row) error {
		var id int64
		var t Type
		if err := r.Scan(&id, &t.Namespace, &t.Name); err != nil {
			return err
		}
		fn(typeID(id), t)
		return nil
	})
}
