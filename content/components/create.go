package components

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Create makes components without versions and returns their ids, aligned. A malformed code or type is fault.Invalid, a
// code that the package has for the type already, or a ref that any entity of it has, is fault.Conflict.
func Create(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []NewComponent) ([]publishing.EntityID, error) {
	if len(list) == 0 {
		return nil, nil
	}
	entities := make([]publishing.NewEntity, len(list))
	types := make([]Type, 0, 1)
	seen := map[Type]bool{}
	for i := range list {
		c := &list[i]
		if err := CheckCode("component code", c.Code); err != nil {
			return nil, err
		}
		if !seen[c.Type] {
			seen[c.Type] = true
			types = append(types, c.Type)
		}
		ref := c.Ref
		if ref == "" {
			ref = c.Type.Namespace + ":" + c.Type.Name + ":" + c.Code
		}
		entities[i] = publishing.NewEntity{Ref: ref, Created: c.Created, By: c.By, Dependent: c.Dependent}
	}
	typeOf, err := ensureTypes(ctx, tx, types)
	if err != nil {
		return nil, err
	}
	if err := findTaken(ctx, tx, pkg, list, typeOf); err != nil {
		return nil, err
	}
	ids, err := publishing.CreateEntities(ctx, tx, pkg, entities)
	if err != nil {
		return nil, err
	}
	cols := []string{"publishable_entity_id", "component_code", "component_type_id", "learning_package_id"}
	err = tx.Insert(ctx, "openedx_content_component", cols, len(list), func(i int, v []any) {
		v[0], v[1], v[2], v[3] = int64(ids[i]), list[i].Code, int64(typeOf[list[i].Type]), int64(pkg)
	})
	if err != nil {
		return nil, explain(err, tx.Engine(), list)
	}
	born(tx, pkg, ids)
	return ids, nil
}

// few is how many components are looked up by code before they are made, so that a person learns which one exists.
// Whoever makes more knows what there is; the unique constraint refuses the rest.
const few = 50

// findTaken reports a code of a small batch that exists.
func findTaken(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []NewComponent, typeOf map[Type]typeID) error {
	if len(list) > few {
		return nil
	}
	codes := make([]string, len(list))
	for i := range list {
		codes[i] = list[i].Code
	}
	type key struct {
		t    typeID
		code string
	}
	have := map[key]bool{}
	// The types are named so that the index over all three columns is used to its end.
	err := db.QueryIn(ctx, tx, "SELECT component_type_id, component_code FROM openedx_content_component"+
		" WHERE learning_package_id = ? AND component_type_id IN ("+typesOf(list, typeOf)+") AND component_code IN (?...)", codes, []any{int64(pkg)}, func(r *db.Row) error {
		var id int64
		var code string
		err := r.Scan(&id, &code)
		have[key{typeID(id), code}] = true
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range list {
		k := key{typeOf[c.Type], c.Code}
		if have[k] {
			return taken(c, nil)
		}
		have[k] = true
	}
	return nil
}

// typesOf lists the row ids of the types in a batch, for a statement's text.
func typesOf(list []NewComponent, typeOf map[Type]typeID) string {
	var ids []string
	for i := range list {
		if id := strconv.FormatInt(int64(typeOf[list[i].Type]), 10); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, ",")
}

func taken(c NewComponent, cause error) error {
	e := fault.Errorf(fault.Conflict, "component "+quote(c.Type.String()+":"+c.Code), "the package has it already, perhaps deleted")
	e.Err = cause
	return e
}

// explain turns the engine's refusal of component rows into a failure that a person understands.
func explain(err error, e db.Engine, list []NewComponent) error {
	switch {
	case errors.Is(err, db.ErrDuplicate):
		if len(list) == 1 {
			return taken(list[0], err)
		}
		f := fault.Errorf(fault.Conflict, fmt.Sprintf("%d components", len(list)), "the package has one of them already")
		f.Err = err
		return f
	case errors.Is(err, db.ErrCheck):
		codes := make([]string, len(list))
		for i := range list {
			codes[i] = list[i].Code
		}
		return RefusedCode(err, e, "component code", codes)
	}
	return err
}
