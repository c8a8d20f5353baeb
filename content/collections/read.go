package collections

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

const columns = "id, learning_package_id, collection_code, title, description, enabled, created, modified, COALESCE(created_by_id, 0)"

func scan(r *db.Row) (Collection, error) {
	var c Collection
	var id, pkg, by int64
	err := r.Scan(&id, &pkg, &c.Code, &c.Title, &c.Description, &c.Enabled, &c.Created, &c.Modified, &by)
	c.ID, c.Package, c.By = ID(id), publishing.PackageID(pkg), publishing.UserID(by)
	return c, err
}

// ByCode returns the collection of a package with exactly this code, a disabled one too, else fault.NotFound.
func ByCode(ctx context.Context, q db.Querier, pkg publishing.PackageID, code string) (Collection, error) {
	c, found, err := db.One(ctx, q, "SELECT "+columns+" FROM openedx_content_collection WHERE learning_package_id = ? AND collection_code = ?",
		[]any{int64(pkg), code}, scan)
	if err == nil && (!found || c.Code != code) { // the MySQL family ignores spaces at the end
		err = fault.Errorf(fault.NotFound, fmt.Sprintf("collection %.100q", code), "the package has no such collection")
	}
	return c, err
}

// locked is ByCode for a writer: the package is locked first, so that nobody changes what was read, and the log is made
// to say what was read.
func locked(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, code string) (Collection, []publishing.EntityID, error) {
	if err := publishing.Lock(ctx, tx, pkg); err != nil {
		return Collection{}, nil, err
	}
	c, err := ByCode(ctx, tx, pkg, code)
	if err != nil {
		return Collection{}, nil, err
	}
	rows, err := memberRows(ctx, tx, []ID{c.ID})
	if err != nil {
		return Collection{}, nil, err
	}
	var members []publishing.EntityID
	for _, m := range rows {
		members = append(members, m.Entity)
	}
	return c, members, notice(ctx, tx, pkg, []Collection{c}, rows)
}

// byID returns collections by id: an unknown one is fault.NotFound, one of another package fault.Invalid.
func byID(ctx context.Context, q db.Querier, pkg publishing.PackageID, ids []ID) (map[ID]Collection, error) {
	out := make(map[ID]Collection, len(ids))
	err := db.QueryIn(ctx, q, "SELECT "+columns+" FROM openedx_content_collection WHERE id IN (?...)", distinct(ids), nil, func(r *db.Row) error {
		c, err := scan(r)
		out[c.ID] = c
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		switch c, ok := out[id]; {
		case !ok:
			return nil, fault.Errorf(fault.NotFound, fmt.Sprintf("collection %d", id), "there is no such collection")
		case c.Package != pkg:
			return nil, fault.Errorf(fault.Invalid, "collection "+c.Code, "it is of another learning package")
		}
	}
	return out, nil
}

// Which picks collections by whether they are enabled.
type Which uint8

// The choices of [Collections].
const (
	Enabled Which = iota
	Disabled
	All
)

// Collections returns the collections of a package in id order.
func Collections(ctx context.Context, q db.Querier, pkg publishing.PackageID, w Which) ([]Collection, error) {
	sql, args := "SELECT "+columns+" FROM openedx_content_collection WHERE learning_package_id = ?", []any{int64(pkg)}
	if w != All {
		sql, args = sql+" AND enabled = ?", append(args, w == Enabled)
	}
	return db.All(ctx, q, sql+" ORDER BY id", args, scan)
}

// AllMembers returns every member of every collection of a package, disabled ones included, by collection and entity id.
func AllMembers(ctx context.Context, q db.Querier, pkg publishing.PackageID) ([]Member, error) {
	return db.All(ctx, q, "SELECT m.collection_id, m.entity_id, m.created, COALESCE(m.created_by_id, 0) FROM openedx_content_collectionpublishableentity m"+
		" JOIN openedx_content_collection c ON c.id = m.collection_id WHERE c.learning_package_id = ? ORDER BY m.collection_id, m.entity_id",
		[]any{int64(pkg)}, scanMember)
}

// Entities returns the members of a collection in id order, whether it is enabled or not and whatever their drafts.
func Entities(ctx context.Context, q db.Querier, pkg publishing.PackageID, code string) ([]publishing.EntityID, error) {
	c, err := ByCode(ctx, q, pkg, code)
	if err != nil {
		return nil, err
	}
	all, err := membersOf(ctx, q, []ID{c.ID})
	return all[c.ID], err
}

// Components returns those members of a collection that are components, in id order, deleted ones included.
func Components(ctx context.Context, q db.Querier, pkg publishing.PackageID, code string) ([]components.Component, error) {
	ids, err := Entities(ctx, q, pkg, code)
	if err != nil {
		return nil, err
	}
	found, err := components.ByID(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	out := make([]components.Component, 0, len(found))
	for _, id := range ids {
		if c, ok := found[id]; ok {
			out = append(out, c)
		}
	}
	return out, nil
}

// Of returns the enabled collections that an entity of the package is in, in id order; fault.NotFound when there is no
// such entity.
func Of(ctx context.Context, q db.Querier, pkg publishing.PackageID, entityRef string) ([]Collection, error) {
	e, err := publishing.EntityByRef(ctx, q, pkg, entityRef)
	if err != nil {
		return nil, err
	}
	return db.All(ctx, q, "SELECT "+columns+" FROM openedx_content_collection WHERE enabled = ? AND id IN"+
		" (SELECT collection_id FROM openedx_content_collectionpublishableentity WHERE entity_id = ?) ORDER BY id",
		[]any{true, int64(e.ID)}, scan)
}

// Purge removes the collections of a package and their members' rows, for the deletion of the package.
func Purge(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	for _, sql := range []string{
		"DELETE FROM openedx_content_collectionpublishableentity WHERE collection_id IN" +
			" (SELECT id FROM openedx_content_collection WHERE learning_package_id = ?)",
		"DELETE FROM openedx_content_collection WHERE learning_package_id = ?",
		"DELETE FROM lectern_collectionlog WHERE learning_package_id = ?",
	} {
		if _, err := tx.Exec(ctx, sql, int64(pkg)); err != nil {
			return fmt.Errorf("remove the collections of package %d: %w", pkg, err)
		}
	}
	return nil
}
