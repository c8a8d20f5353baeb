package collections

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// batch is a change of the members of some collections.
type batch struct {
	tx      *db.Tx
	changes []Change // aligned with the caller's list
	have    map[ID][]publishing.EntityID
}

// begin locks the package and reads the collections and their members; with check the entities must be the package's.
func begin(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []Members, check bool) (*batch, error) {
	if err := publishing.Lock(ctx, tx, pkg); err != nil {
		return nil, err
	}
	ids := make([]ID, len(list))
	var entities []publishing.EntityID
	for i, m := range list {
		ids[i] = m.Collection
		entities = append(entities, m.Entities...)
	}
	if len(distinct(ids)) != len(ids) {
		return nil, fault.Errorf(fault.Internal, "collections", "one occurs twice")
	}
	found, err := byID(ctx, tx, pkg, ids)
	if err != nil {
		return nil, err
	}
	if check {
		if err := mustBeOf(ctx, tx, pkg, distinct(entities)); err != nil {
			return nil, err
		}
	}
	have, err := membersOf(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	b := &batch{tx: tx, changes: make([]Change, len(list)), have: have}
	for i, id := range ids {
		b.changes[i].Collection = found[id]
	}
	return b, nil
}

// write stores the changes and marks all their collections as modified.
func (b *batch) write(ctx context.Context, by publishing.UserID) error {
	now := b.tx.Now()
	var added []member
	removed := map[member]bool{}
	for i := range b.changes {
		c := &b.changes[i]
		c.Collection.Modified = now
		for _, e := range c.Added {
			added = append(added, member{c.Collection.ID, e})
		}
		for _, e := range c.Removed {
			removed[member{c.Collection.ID, e}] = true
		}
	}
	if err := insertMembers(ctx, b.tx, added, now, by); err != nil {
		return err
	}
	if err := deleteMembers(ctx, b.tx, removed); err != nil {
		return err
	}
	ids := make([]int64, len(b.changes))
	for i, c := range b.changes {
		ids[i] = int64(c.Collection.ID)
	}
	_, err := db.ExecIn(ctx, b.tx, "UPDATE openedx_content_collection SET modified = ? WHERE id IN (?...)", ids, []any{now})
	return err
}

// member is what a row is about.
type member struct {
	collection ID
	entity     publishing.EntityID
}

func insertMembers(ctx context.Context, tx *db.Tx, list []member, now time.Time, by publishing.UserID) error {
	cols := []string{"created", "collection_id", "created_by_id", "entity_id"}
	return tx.Insert(ctx, "openedx_content_collectionpublishableentity", cols, len(list), func(i int, v []any) {
		v[0], v[1], v[2], v[3] = now, int64(list[i].collection), user(by), int64(list[i].entity)
	})
}

// deleteMembers finds the rows' ids first, so that it takes as few statements for one entity in many collections as for
// many entities in one.
func deleteMembers(ctx context.Context, tx *db.Tx, gone map[member]bool) error {
	var of []ID
	for m := range gone {
		of = append(of, m.collection)
	}
	var ids []int64
	err := db.QueryIn(ctx, tx, "SELECT id, collection_id, entity_id FROM openedx_content_collectionpublishableentity WHERE collection_id IN (?...)",
		distinct(of), nil, func(r *db.Row) error {
			var id, c, e int64
			err := r.Scan(&id, &c, &e)
			if gone[member{ID(c), publishing.EntityID(e)}] {
				ids = append(ids, id)
			}
			return err
		})
	if err != nil {
		return err
	}
	_, err = db.ExecIn(ctx, tx, "DELETE FROM openedx_content_collectionpublishableentity WHERE id IN (?...)", ids, nil)
	return err
}

// mustBeOf refuses entities of another package.
func mustBeOf(ctx context.Context, q db.Querier, pkg publishing.PackageID, ids []publishing.EntityID) error {
	found, err := publishing.EntitiesByID(ctx, q, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		switch e, ok := found[id]; {
		case !ok:
			return fault.Errorf(fault.NotFound, fmt.Sprintf("entity %d", id), "there is no such entity")
		case e.Package != pkg:
			return fault.Errorf(fault.Invalid, fmt.Sprintf("entity %.100q", e.Ref), "it is of another learning package than the collection")
		}
	}
	return nil
}

// membersOf returns the members of collections, in id order.
func membersOf(ctx context.Context, q db.Querier, ids []ID) (map[ID][]publishing.EntityID, error) {
	out := make(map[ID][]publishing.EntityID, len(ids))
	err := db.QueryIn(ctx, q, "SELECT collection_id, entity_id FROM openedx_content_collectionpublishableentity WHERE collection_id IN (?...)"+
		" ORDER BY collection_id, entity_id", distinct(ids), nil, func(r *db.Row) error {
		var c, e int64
		err := r.Scan(&c, &e)
		out[ID(c)] = append(out[ID(c)], publishing.EntityID(e))
		return err
	})
	return out, err
}

// without returns the distinct elements of a that are not in b, in order.
func without[T cmp.Ordered](a, b []T) []T {
	gone := make(map[T]bool, len(b))
	for _, x := range b {
		gone[x] = true
	}
	return slices.DeleteFunc(distinct(a), func(x T) bool { return gone[x] })
}

// both returns the distinct elements of a that are in b, in order.
func both[T cmp.Ordered](a, b []T) []T {
	in := make(map[T]bool, len(b))
	for _, x := range b {
		in[x] = true
	}
	return slices.DeleteFunc(distinct(a), func(x T) bool { return !in[x] })
}

// distinct returns a sorted and without duplicates, as a new slice.
func distinct[T cmp.Ordered](a []T) []T {
	a = slices.Clone(a)
	slices.Sort(a)
	return slices.Compact(a)
}
