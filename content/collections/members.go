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
	pkg     publishing.PackageID
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
	members, err := memberRows(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	b := &batch{tx: tx, pkg: pkg, changes: make([]Change, len(list)), have: map[ID][]publishing.EntityID{}}
	for _, m := range members {
		b.have[m.Collection] = append(b.have[m.Collection], m.Entity)
	}
	now := make([]Collection, len(ids))
	for i, id := range ids {
		now[i] = found[id]
		b.changes[i].Collection = now[i]
	}
	return b, notice(ctx, tx, pkg, now, members)
}

// write stores the changes and marks all their collections as modified.
func (b *batch) write(ctx context.Context, by publishing.UserID) error {
	now := b.tx.Now()
	var added []member
	var log []Entry
	removed := map[member]bool{}
	for i := range b.changes {
		c := &b.changes[i]
		c.Collection.Modified = now
		log = append(log, c.Collection.memberEntries(Added, c.Added, now, by)...)
		log = append(log, c.Collection.memberEntries(Removed, c.Removed, now, by)...)
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
	if _, err := db.ExecIn(ctx, b.tx, "UPDATE openedx_content_collection SET modified = ? WHERE id IN (?...)", ids, []any{now}); err != nil {
		return err
	}
	if err := appendLog(ctx, b.tx, b.pkg, log); err != nil {
		return err
	}
	return tell(ctx, b.tx, by, b.changes...)
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

// memberRows returns the members of collections, by collection and entity id.
func memberRows(ctx context.Context, q db.Querier, ids []ID) ([]Member, error) {
	var out []Member
	err := db.QueryIn(ctx, q, "SELECT collection_id, entity_id, created, COALESCE(created_by_id, 0) FROM openedx_content_collectionpublishableentity"+
		" WHERE collection_id IN (?...) ORDER BY collection_id, entity_id", distinct(ids), nil, func(r *db.Row) error {
		m, err := scanMember(r)
		out = append(out, m)
		return err
	})
	return out, err
}

func scanMember(r *db.Row) (m Member, err error) {
	err = r.Scan(&m.Collection, &m.Entity, &m.Created, &m.By)
	return m, err
}

// membersOf returns the members of collections, in id order.
func membersOf(ctx context.Context, q db.Querier, ids []ID) (map[ID][]publishing.EntityID, error) {
	rows, err := memberRows(ctx, q, ids)
	out := make(map[ID][]publishing.EntityID, len(ids))
	for _, m := range rows {
		out[m.Collection] = append(out[m.Collection], m.Entity)
	}
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
