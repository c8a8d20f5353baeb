package collections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Create makes empty collections and returns them, aligned. A malformed code and a title that is blank or over 500
// characters are fault.Invalid, a code that the package has already fault.Conflict.
func Create(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []New) ([]Change, error) {
	if len(list) == 0 {
		return nil, nil
	}
	codes := make([]string, len(list))
	for i := range list {
		n := &list[i]
		if err := CheckCode(n.Code); err != nil {
			return nil, err
		}
		thing := "title of collection " + n.Code
		if n.Title == "" {
			return nil, fault.Errorf(fault.Invalid, thing, "it is blank")
		}
		if err := errors.Join(checkText(thing, n.Title, maxTitle), checkText("description of collection "+n.Code, n.Description, 0)); err != nil {
			return nil, err
		}
		codes[i] = n.Code
	}
	if err := publishing.Lock(ctx, tx, pkg); err != nil {
		return nil, err
	}
	if err := mustBeFree(ctx, tx, pkg, codes); err != nil {
		return nil, err
	}
	out := make([]Change, len(list))
	for i, n := range list {
		created, modified := or(n.Created, tx.Now()), or(n.Modified, tx.Now())
		out[i] = Change{Created: !n.Disabled, Collection: Collection{Package: pkg, Code: n.Code, Title: n.Title, Description: n.Description,
			Enabled: !n.Disabled, Created: created, Modified: modified, By: n.By}}
	}
	cols := []string{"collection_code", "title", "description", "enabled", "created", "modified", "created_by_id", "learning_package_id"}
	ids, err := tx.InsertIDs(ctx, "openedx_content_collection", cols, len(out), func(i int, v []any) {
		c := &out[i].Collection
		v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] = c.Code, c.Title, c.Description, c.Enabled, c.Created, c.Modified, user(c.By), int64(pkg)
	})
	switch {
	case errors.Is(err, db.ErrDuplicate):
		return nil, fault.Errorf(fault.Conflict, "collections", "the package has one of their codes already: %w", err)
	case err != nil:
		return nil, err
	}
	for i, id := range ids {
		out[i].Collection.ID = ID(id)
	}
	log := make([]Entry, len(out))
	for i := range out {
		log[i] = out[i].Collection.entry(Made, tx.Now(), out[i].Collection.By)
	}
	if err := appendLog(ctx, tx, pkg, log); err != nil {
		return nil, err
	}
	return out, createdEvents(ctx, tx, out)
}

// mustBeFree refuses codes that exist or that are given twice.
func mustBeFree(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, codes []string) error {
	taken := func(code string) error {
		return fault.Errorf(fault.Conflict, "collection code "+code, "the package has a collection with this code already, perhaps deleted")
	}
	seen := make(map[string]bool, len(codes))
	for _, c := range codes {
		if seen[c] {
			return taken(c)
		}
		seen[c] = true
	}
	return db.QueryIn(ctx, tx, "SELECT collection_code FROM openedx_content_collection WHERE learning_package_id = ? AND collection_code IN (?...)",
		codes, []any{int64(pkg)}, func(r *db.Row) error {
			var code string
			if err := r.Scan(&code); err != nil {
				return err
			}
			return taken(code)
		})
}

// Update changes the title or description of a collection, a deleted one too, and with them when it was modified. With
// nothing named nothing changes. The title may become blank, as in the reference.
func Update(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, code string, e Edit) (Change, error) {
	c, _, err := locked(ctx, tx, pkg, code)
	if err != nil {
		return Change{}, err
	}
	if e.Title == nil && e.Description == nil {
		return Change{Collection: c}, nil
	}
	if e.Title != nil {
		c.Title = *e.Title
	}
	if e.Description != nil {
		c.Description = *e.Description
	}
	if err := errors.Join(checkText("title of collection "+code, c.Title, maxTitle), checkText("description of collection "+code, c.Description, 0)); err != nil {
		return Change{}, err
	}
	c.Modified = tx.Now()
	_, err = tx.Exec(ctx, "UPDATE openedx_content_collection SET title = ?, description = ?, modified = ? WHERE id = ?",
		c.Title, c.Description, c.Modified, int64(c.ID))
	if err != nil {
		return Change{}, err
	}
	ch := Change{Collection: c, MetadataModified: true}
	if err := appendLog(ctx, tx, pkg, []Entry{c.entry(Edited, tx.Now(), 0)}); err != nil {
		return Change{}, err
	}
	return ch, tell(ctx, tx, 0, ch)
}

// Delete deletes a collection softly: it is disabled and keeps its members. One that is disabled stays as it is, and the
// change says nothing happened.
func Delete(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, code string) (Change, error) {
	c, members, err := locked(ctx, tx, pkg, code)
	if err != nil || !c.Enabled {
		return Change{Collection: c}, err
	}
	return enable(ctx, tx, c, members, false)
}

// Restore enables a collection again, with the members it had. When it was modified changes also for an enabled one.
func Restore(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, code string) (Change, error) {
	c, members, err := locked(ctx, tx, pkg, code)
	if err != nil {
		return Change{}, err
	}
	return enable(ctx, tx, c, members, true)
}

func enable(ctx context.Context, tx *db.Tx, c Collection, members []publishing.EntityID, on bool) (Change, error) {
	kind := Deleted
	if on {
		kind = Restored
	}
	was := c.Enabled
	c.Enabled, c.Modified = on, tx.Now()
	_, err := tx.Exec(ctx, "UPDATE openedx_content_collection SET enabled = ?, modified = ? WHERE id = ?", on, c.Modified, int64(c.ID))
	if err == nil && was != on {
		err = appendLog(ctx, tx, c.Package, []Entry{c.entry(kind, tx.Now(), 0)})
	}
	if err != nil {
		return Change{}, err
	}
	ch := Change{Collection: c, Deleted: true, Removed: members}
	if on {
		ch = Change{Collection: c, Created: true, Added: members}
	}
	return ch, tell(ctx, tx, 0, ch)
}

// Erase removes a collection and its members' rows for good. Deleted is false when it was disabled before: nobody needs
// to be told then.
func Erase(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, code string) (Change, error) {
	c, members, err := locked(ctx, tx, pkg, code)
	if err != nil {
		return Change{}, err
	}
	ch := Change{Collection: c}
	if c.Enabled {
		ch.Deleted, ch.Removed = true, members
	}
	for _, sql := range []string{
		"DELETE FROM openedx_content_collectionpublishableentity WHERE collection_id = ?",
		"DELETE FROM openedx_content_collection WHERE id = ?",
	} {
		if _, err := tx.Exec(ctx, sql, int64(c.ID)); err != nil {
			return Change{}, fmt.Errorf("erase collection %s: %w", code, err)
		}
	}
	if err := appendLog(ctx, tx, pkg, []Entry{c.entry(Erased, tx.Now(), 0)}); err != nil || !ch.Deleted {
		return ch, err
	}
	return ch, tell(ctx, tx, 0, ch)
}

// Add puts entities into collections; those that are in one stay as they are. When a collection was modified changes
// even if nothing is new. A disabled collection and entities of another package are fault.Invalid, an unknown collection
// or entity fault.NotFound. A collection may occur once.
func Add(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []Members, by publishing.UserID) ([]Change, error) {
	b, err := begin(ctx, tx, pkg, list, true)
	if err != nil {
		return nil, err
	}
	for i, m := range list {
		if c := b.changes[i].Collection; !c.Enabled {
			return nil, fault.Errorf(fault.Invalid, "collection "+c.Code, "it is deleted, so nothing can be added").WithNext("restore it first")
		}
		b.changes[i].Added = without(m.Entities, b.have[m.Collection])
	}
	return b.changes, b.write(ctx, by)
}

// Remove takes entities out of collections, disabled ones too. When a collection was modified changes even if none was
// in it. An unknown collection is fault.NotFound.
func Remove(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []Members) ([]Change, error) {
	b, err := begin(ctx, tx, pkg, list, false)
	if err != nil {
		return nil, err
	}
	for i, m := range list {
		b.changes[i].Removed = both(m.Entities, b.have[m.Collection])
	}
	return b.changes, b.write(ctx, 0)
}

// SetOf makes the collections that an entity is in exactly these, disabled ones included, and returns those that
// gained or lost it, in id order; only they count as modified. A collection or entity of another package is
// fault.Invalid, an unknown one fault.NotFound.
func SetOf(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, entity publishing.EntityID, want []ID, by publishing.UserID) ([]Change, error) {
	if err := publishing.Lock(ctx, tx, pkg); err != nil {
		return nil, err
	}
	in, err := db.All(ctx, tx, "SELECT collection_id FROM openedx_content_collectionpublishableentity WHERE entity_id = ?",
		[]any{int64(entity)}, db.Value[ID])
	if err != nil {
		return nil, err
	}
	gained, lost := without(want, in), without(in, want)
	list := make([]Members, 0, len(gained)+len(lost))
	for _, id := range slices.Sorted(slices.Values(slices.Concat(gained, lost))) {
		list = append(list, Members{Collection: id, Entities: []publishing.EntityID{entity}})
	}
	// Also what stays is looked at: naming a collection of another package is a mistake in any case.
	if _, err := byID(ctx, tx, pkg, want); err != nil {
		return nil, err
	}
	if err := mustBeOf(ctx, tx, pkg, []publishing.EntityID{entity}); err != nil {
		return nil, err
	}
	b, err := begin(ctx, tx, pkg, list, false)
	if err != nil {
		return nil, err
	}
	for i, m := range list {
		if slices.Contains(gained, m.Collection) {
			b.changes[i].Added = m.Entities
		} else {
			b.changes[i].Removed = m.Entities
		}
	}
	return b.changes, b.write(ctx, by)
}

func or(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t.UTC().Truncate(time.Microsecond)
}

// user gives a user id as a statement argument.
func user(id publishing.UserID) any {
	if id == 0 {
		return nil
	}
	return int64(id)
}
