package publishing

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Pointer says which version the draft of an entity is to be; 0 deletes the draft, which any later pointer undoes.
type Pointer struct {
	Entity  EntityID
	Version VersionID
}

// SetDrafts moves drafts to versions that exist. Where the draft is that version already nothing happens and nothing
// is logged; an entity that never had a draft gets a Draft row all the same (content-model.md §5). A version of another
// entity or an entity of another package is fault.Invalid, an unknown one fault.NotFound.
func (c *ChangeSet) SetDrafts(ctx context.Context, list []Pointer) error {
	if c.closed {
		return errClosed
	}
	entities := make([]EntityID, len(list))
	want := map[VersionID]EntityID{}
	var ask []VersionID
	for i, p := range list {
		entities[i] = p.Entity
		if p.Version == 0 {
			continue
		}
		if e, ok := want[p.Version]; ok && e != p.Entity {
			return mismatch(p.Version, p.Entity)
		} else if !ok {
			want[p.Version] = p.Entity
			ask = append(ask, p.Version)
		}
	}
	if err := c.u.load(ctx, c.tx, entities); err != nil {
		return err
	}
	if err := c.own(entities, "entity %d belongs to another learning package"); err != nil {
		return err
	}
	var wrong error
	err := db.QueryIn(ctx, c.tx, `SELECT id, entity_id FROM openedx_content_publishableentityversion WHERE id IN (?...)`, ask, nil, func(r *db.Row) error {
		var v, e int64
		err := r.Scan(&v, &e)
		if want[VersionID(v)] != EntityID(e) && want[VersionID(v)] != 0 && wrong == nil {
			wrong = mismatch(VersionID(v), want[VersionID(v)])
		}
		delete(want, VersionID(v))
		return err
	})
	if err != nil {
		return fmt.Errorf("versions: %w", err)
	}
	if wrong != nil {
		return wrong
	}
	for v := range want {
		return fault.Errorf(fault.NotFound, fmt.Sprintf("version %d", v), "does not exist")
	}
	for _, p := range list {
		c.touch(p.Entity, c.u.states[p.Entity], p.Version)
	}
	return nil
}

func mismatch(v VersionID, e EntityID) error {
	return fault.Errorf(fault.Invalid, fmt.Sprintf("version %d", v), "is not a version of entity %d", e)
}

// Reset moves drafts back to what is published: all of the package, or with only those of the given entities. What was
// never published is deleted, what was deleted is restored; no version is made or removed (content-model.md §10).
func (c *ChangeSet) Reset(ctx context.Context, only []EntityID) error {
	if err := c.Flush(ctx); err != nil {
		return err
	}
	const selectMoves = `SELECT d.entity_id, p.version_id FROM openedx_content_publishableentity e
		JOIN openedx_content_draft d ON d.entity_id = e.id
		LEFT JOIN openedx_content_published p ON p.entity_id = d.entity_id
		WHERE COALESCE(d.version_id, 0) <> COALESCE(p.version_id, 0)`
	var list []Pointer
	scan := func(r *db.Row) error {
		var e int64
		var v *int64
		err := r.Scan(&e, &v)
		list = append(list, Pointer{EntityID(e), orZero[VersionID](v)})
		return err
	}
	var err error
	if only == nil {
		err = c.tx.Query(ctx, selectMoves+` AND e.learning_package_id = ? ORDER BY e.id`, []any{c.pkg}, scan)
	} else {
		only = unique(only)
		if err := c.u.locate(ctx, c.tx, only); err != nil {
			return err
		}
		if err := c.own(only, "entity %d belongs to another learning package"); err != nil {
			return err
		}
		err = db.QueryIn(ctx, c.tx, selectMoves+` AND e.id IN (?...) ORDER BY e.id`, only, nil, scan)
	}
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	entities := make([]EntityID, len(list))
	for i, p := range list {
		entities[i] = p.Entity
	}
	if err := c.u.load(ctx, c.tx, entities); err != nil {
		return err
	}
	for _, p := range list {
		c.touch(p.Entity, c.u.states[p.Entity], p.Version)
	}
	return nil
}

// Reset is [ChangeSet.Reset] as a change set of its own; nil only means the whole package, an empty list nothing. Inside
// a change set of the same package it joins that one, ignores m and returns nil.
func Reset(ctx context.Context, tx *db.Tx, pkg PackageID, m Meta, only []EntityID) (*ChangeLog, error) {
	if c := unitOf(tx).active(pkg); c != nil {
		return nil, c.Reset(ctx, only)
	}
	return Change(ctx, tx, pkg, m, func(c *ChangeSet) error { return c.Reset(ctx, only) })
}
