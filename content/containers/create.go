package containers

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Create makes containers without versions and returns their ids, aligned. A malformed code is fault.Invalid, a type
// that this program does not know fault.Refused, a code or ref that the package has already fault.Conflict.
func Create(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []NewContainer) ([]publishing.EntityID, error) {
	if len(list) == 0 {
		return nil, nil
	}
	entities := make([]publishing.NewEntity, len(list))
	var types []string
	seen := map[string]bool{}
	for i := range list {
		c := &list[i]
		if err := components.CheckCode("container code", c.Code); err != nil {
			return nil, err
		}
		if !seen[c.Type] {
			seen[c.Type] = true
			types = append(types, c.Type)
		}
		ref := c.Ref
		if ref == "" {
			ref = c.Code
		}
		entities[i] = publishing.NewEntity{Ref: ref, Created: c.Created, By: c.By, Dependent: c.Dependent}
	}
	typeOf, err := ensureTypes(ctx, tx, types)
	if err != nil {
		return nil, err
	}
	if err := findTaken(ctx, tx, pkg, list); err != nil {
		return nil, err
	}
	ids, err := publishing.CreateEntities(ctx, tx, pkg, entities)
	if err != nil {
		return nil, err
	}
	cols := []string{"publishable_entity_id", "container_type_id", "learning_package_id", "container_code"}
	err = tx.Insert(ctx, "openedx_content_container", cols, len(list), func(i int, v []any) {
		v[0], v[1], v[2], v[3] = int64(ids[i]), int64(typeOf[list[i].Type]), int64(pkg), list[i].Code
	})
	if err != nil {
		return nil, explain(err, tx.Engine(), list)
	}
	made := map[string][]publishing.EntityID{}
	for i := range list {
		made[list[i].Type] = append(made[list[i].Type], ids[i])
	}
	for _, s := range stock {
		if err := insertIDs(ctx, tx, s.table, "container_id", made[s.code]); err != nil {
			return nil, err
		}
	}
	born(tx, pkg, list, ids)
	return ids, nil
}

// stock are the types with tables of their own, in the order of their nesting.
var stock = []struct{ code, table, versions string }{
	{Unit, "openedx_content_unit", "openedx_content_unitversion"},
	{Subsection, "openedx_content_subsection", "openedx_content_subsectionversion"},
	{Section, "openedx_content_section", "openedx_content_sectionversion"},
}

// insertIDs adds rows to a table whose only column is a key.
func insertIDs[T ~int64](ctx context.Context, tx *db.Tx, table, col string, ids []T) error {
	return tx.Insert(ctx, table, []string{col}, len(ids), func(i int, v []any) { v[0] = int64(ids[i]) })
}

// few is how many containers are looked up by code before they are made, so that a person learns which one exists.
// Whoever makes more knows what there is; the unique constraint refuses the rest.
const few = 50

// findTaken reports a code of a small batch that exists, by the column's own comparison: where Django made it, the MySQL
// family may not tell letter case or accents apart (content-schema.md §5).
func findTaken(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []NewContainer) error {
	if len(list) > few {
		return nil
	}
	codes := make([]string, len(list))
	seen := map[string]bool{}
	for i := range list {
		codes[i] = list[i].Code
		if seen[codes[i]] {
			return taken(codes[i], codes[i], nil)
		}
		seen[codes[i]] = true
	}
	return db.QueryIn(ctx, tx, "SELECT container_code FROM openedx_content_container WHERE learning_package_id = ? AND container_code IN (?...)",
		codes, []any{int64(pkg)}, func(r *db.Row) error {
			var have string
			if err := r.Scan(&have); err != nil {
				return err
			}
			for _, c := range codes {
				if c == have || len(codes) == 1 {
					return taken(c, have, nil)
				}
			}
			for _, c := range codes {
				if strings.EqualFold(c, have) {
					return taken(c, have, nil)
				}
			}
			return taken(codes[0], have, nil)
		})
}

func taken(code, have string, cause error) error {
	e := fault.Errorf(fault.Conflict, fmt.Sprintf("container code %.100q", code), "the package has a container with this code already, perhaps deleted")
	if code != have {
		e.Text = fmt.Sprintf("the package has the container code %.100q, which this database does not tell from it", have)
	}
	e.Err = cause
	return e
}

// explain turns the engine's refusal of container rows into a failure that a person understands.
func explain(err error, e db.Engine, list []NewContainer) error {
	switch {
	case errors.Is(err, db.ErrDuplicate):
		if a, b, ok := alike(list); ok {
			return taken(b, a, err)
		}
		if len(list) == 1 {
			return taken(list[0].Code, list[0].Code, err)
		}
		f := fault.Errorf(fault.Conflict, fmt.Sprintf("%d containers", len(list)), "the package has one of their codes already")
		f.Err = err
		return f
	case errors.Is(err, db.ErrCheck):
		codes := make([]string, len(list))
		for i := range list {
			codes[i] = list[i].Code
		}
		return components.RefusedCode(err, e, "container code", codes)
	}
	return err
}

// alike finds two codes of a batch that differ by letter case at most.
func alike(list []NewContainer) (first, second string, ok bool) {
	seen := make(map[string]string, len(list))
	for _, c := range list {
		k := strings.ToLower(c.Code)
		if first, ok := seen[k]; ok {
			return first, c.Code, true
		}
		seen[k] = c.Code
	}
	return "", "", false
}
