package media

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// typeID is the row id of a media type.
type typeID int32

// typeKey returns what two types have in common that are one row on this engine: the columns ignore letter case on
// SQLite and MySQL and do not on PostgreSQL (content-model.md §3). ParseType has refused whatever else engines differ on.
func typeKey(e db.Engine, t Type) Type {
	if e == db.PostgreSQL {
		return t
	}
	return Type{Type: strings.ToLower(t.Type), SubType: strings.ToLower(t.SubType), Suffix: strings.ToLower(t.Suffix)}
}

// typeRow is a media type with its row.
type typeRow struct {
	id typeID
	Type
}

// typeRows returns the rows of media types, aligned, making those that are missing. A row may differ from the type
// asked for in letter case. The table has a few dozen rows for a whole site, so it is read as a whole.
func typeRows(ctx context.Context, tx *db.Tx, list []Type) ([]typeRow, error) {
	have, err := storedTypes(ctx, tx)
	if err != nil {
		return nil, err
	}
	var missing []Type
	seen := map[Type]bool{}
	for _, t := range list {
		k := typeKey(tx.Engine(), t)
		if _, ok := have[k]; !ok && !seen[k] {
			seen[k] = true
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		// Types belong to no package, so the lock of one does not keep another writer from making the same row now.
		cols := []string{"type", "sub_type", "suffix"}
		err := tx.Upsert(ctx, "openedx_content_mediatype", cols, nil, len(missing), func(i int, v []any) {
			v[0], v[1], v[2] = missing[i].Type, missing[i].SubType, missing[i].Suffix
		})
		if err != nil {
			return nil, err
		}
		if have, err = storedTypes(ctx, tx); err != nil {
			return nil, err
		}
	}
	out := make([]typeRow, len(list))
	for i, t := range list {
		out[i] = have[typeKey(tx.Engine(), t)]
	}
	return out, nil
}

// storedTypes returns all media types by key.
func storedTypes(ctx context.Context, q db.Querier) (map[Type]typeRow, error) {
	have := map[Type]typeRow{}
	err := q.Query(ctx, "SELECT id, type, sub_type, suffix FROM openedx_content_mediatype", nil, func(r *db.Row) error {
		var t typeRow
		if err := r.Scan(&t.id, &t.Type.Type, &t.SubType, &t.Suffix); err != nil {
			return err
		}
		have[typeKey(q.Engine(), t.Type)] = t
		return nil
	})
	return have, err
}
