package containers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// typeID is the row id of a container type.
type typeID int64

// maxType is the width of a type code, in characters.
const maxType = 100

// known says whether containers of a type can be made and changed by this program.
func known(code string) bool {
	switch code {
	case Unit, Subsection, Section:
		return true
	}
	return strings.HasPrefix(code, Prefix)
}

// tag gives the OLX element of a stock type.
var tag = map[string]string{Unit: "vertical", Subsection: "sequential", Section: "chapter"}

// Tag returns the OLX element that stands for a container type, "" when it has none of its own.
func Tag(code string) string { return tag[code] }

// checkType refuses a type code that this program does not implement or that has other characters than [a-z0-9-_.].
func checkType(code string) error {
	thing := fmt.Sprintf("container type %.100q", code)
	if !known(code) {
		return fault.Errorf(fault.Refused, thing, "this program has no implementation of it").
			WithNext("use unit, subsection, section or a type that begins with " + Prefix)
	}
	if len(code) > maxType {
		return fault.Errorf(fault.Invalid, thing, "a type code has at most 100 characters")
	}
	for i := range len(code) {
		if c := code[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fault.Errorf(fault.Invalid, thing, "a type code holds only a-z, 0-9, “-”, “_” and “.”")
		}
	}
	return nil
}

// ensureTypes returns the row ids of types, making those that are missing.
func ensureTypes(ctx context.Context, tx *db.Tx, codes []string) (map[string]typeID, error) {
	have, err := typeIDs(ctx, tx)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, c := range codes {
		if err := checkType(c); err != nil {
			return nil, err
		}
		if _, ok := have[c]; !ok {
			have[c] = 0
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return have, nil
	}
	// Types belong to no package, so the lock of one does not keep another writer from making the same row now.
	err = tx.Upsert(ctx, "openedx_content_containertype", []string{"type_code"}, nil, len(missing), func(i int, v []any) {
		v[0] = missing[i]
	})
	if errors.Is(err, db.ErrCheck) {
		return nil, fault.Errorf(fault.Invalid, "container type "+missing[0], "the %s database refuses a type code: %w", tx.Engine(), err)
	}
	if err != nil {
		return nil, err
	}
	return typeIDs(ctx, tx)
}

func typeIDs(ctx context.Context, q db.Querier) (map[string]typeID, error) {
	ids := map[string]typeID{}
	err := eachType(ctx, q, func(id typeID, code string) { ids[code] = id })
	return ids, err
}

func typesByID(ctx context.Context, q db.Querier) (map[typeID]string, error) {
	codes := map[typeID]string{}
	err := eachType(ctx, q, func(id typeID, code string) { codes[id] = code })
	return codes, err
}

func eachType(ctx context.Context, q db.Querier, fn func(typeID, string)) error {
	return q.Query(ctx, "SELECT id, type_code FROM openedx_content_containertype", nil, func(r *db.Row) error {
		var id int64
		var code string
		if err := r.Scan(&id, &code); err != nil {
			return err
		}
		fn(typeID(id), code)
		return nil
	})
}
