package collections

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// RestoreTo makes the collections of a package what they were at a moment: titles, descriptions, members, and which are
// enabled. What was erased since is made again under its code; what did not exist then is deleted softly. It returns
// what changed, by code where collections are new, and appends to the log like any other change. The number of
// statements does not depend on that of collections or members.
func RestoreTo(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, m Moment, by publishing.UserID) ([]Change, error) {
	if _, err := Reconcile(ctx, tx, pkg); err != nil {
		return nil, err
	}
	then, err := AsOf(ctx, tx, pkg, m)
	if err != nil {
		return nil, err
	}
	now, err := Collections(ctx, tx, pkg, All)
	if err != nil {
		return nil, err
	}
	have := make(map[string]Collection, len(now))
	for _, c := range now {
		have[c.Code] = c
	}
	var fresh []New
	wanted := map[string]State{}
	for _, s := range then {
		wanted[s.Code] = s
		if _, ok := have[s.Code]; !ok {
			fresh = append(fresh, New{Code: s.Code, Title: s.Title, Description: s.Description, Disabled: !s.Enabled, By: by})
		}
	}
	made, err := restoreErased(ctx, tx, pkg, fresh)
	if err != nil {
		return nil, err
	}
	for _, c := range made {
		have[c.Collection.Code] = c.Collection
	}
	turned, err := turn(ctx, tx, pkg, now, wanted, by)
	if err != nil {
		return nil, err
	}
	moved, err := refill(ctx, tx, pkg, then, have, by)
	if err != nil {
		return nil, err
	}
	return append(append(made, turned...), moved...), nil
}

// restoreErased makes collections again. A title may have become blank, which a new one's may not.
func restoreErased(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, list []New) ([]Change, error) {
	blank := map[string]bool{}
	for i := range list {
		if list[i].Title == "" {
			blank[list[i].Code], list[i].Title = true, list[i].Code
		}
	}
	made, err := Create(ctx, tx, pkg, list)
	if err != nil || len(blank) == 0 {
		return made, err
	}
	var log []Entry
	for i := range made {
		c := &made[i].Collection
		if !blank[c.Code] {
			continue
		}
		c.Title = ""
		if _, err := tx.Exec(ctx, "UPDATE openedx_content_collection SET title = '' WHERE id = ?", int64(c.ID)); err != nil {
			return nil, fmt.Errorf("restore collections: %w", err)
		}
		log = append(log, c.entry(Edited, tx.Now(), 0))
	}
	return made, appendLog(ctx, tx, pkg, log)
}

// turn sets titles, descriptions and enabled of collections that exist.
func turn(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, now []Collection, wanted map[string]State, by publishing.UserID) ([]Change, error) {
	var out []Change
	var log []Entry
	for _, c := range now {
		s, ok := wanted[c.Code]
		if !ok {
			s.Collection = c
			s.Enabled = false
		}
		ch := Change{Collection: c}
		ch.MetadataModified = c.Title != s.Title || c.Description != s.Description
		ch.Created, ch.Deleted = s.Enabled && !c.Enabled, !s.Enabled && c.Enabled
		if !ch.MetadataModified && !ch.Created && !ch.Deleted {
			continue
		}
		n := &ch.Collection
		n.Title, n.Description, n.Enabled, n.Modified = s.Title, s.Description, s.Enabled, tx.Now()
		kind := Edited
		switch {
		case ch.Created:
			kind = Restored
		case ch.Deleted:
			kind = Deleted
		}
		log = append(log, n.entry(kind, tx.Now(), by))
		out = append(out, ch)
	}
	if len(out) == 0 {
		return nil, nil
	}
	if err := withMembers(ctx, tx, out); err != nil {
		return nil, err
	}
	err := tx.UpdateRows(ctx, "openedx_content_collection", "id", []string{"title", "description", "enabled", "modified"}, len(out), func(i int, v []any) {
		c := &out[i].Collection
		v[0], v[1], v[2], v[3], v[4] = int64(c.ID), c.Title, c.Description, c.Enabled, c.Modified
	})
	if err != nil {
		return nil, fmt.Errorf("restore collections: %w", err)
	}
	if err := appendLog(ctx, tx, pkg, log); err != nil {
		return nil, err
	}
	return out, tell(ctx, tx, by, out...)
}

// withMembers notes in changes that delete or restore a collection its members, which come and go with it.
func withMembers(ctx context.Context, tx *db.Tx, list []Change) error {
	ids := make([]ID, len(list))
	for i, c := range list {
		ids[i] = c.Collection.ID
	}
	members, err := membersOf(ctx, tx, ids)
	if err != nil {
		return err
	}
	for i := range list {
		switch c := &list[i]; {
		case c.Created:
			c.Added = members[c.Collection.ID]
		case c.Deleted:
			c.Removed = members[c.Collection.ID]
		}
	}
	return nil
}

// refill gives collections the members they had.
func refill(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, then []State, have map[string]Collection, by publishing.UserID) ([]Change, error) {
	list := make([]Members, len(then))
	for i, s := range then {
		list[i] = Members{Collection: have[s.Code].ID, Entities: s.Members}
	}
	b, err := begin(ctx, tx, pkg, list, false)
	if err != nil {
		return nil, err
	}
	keep := b.changes[:0]
	for i, m := range list {
		c := b.changes[i]
		c.Added, c.Removed = without(m.Entities, b.have[m.Collection]), without(b.have[m.Collection], m.Entities)
		if len(c.Added)+len(c.Removed) > 0 {
			keep = append(keep, c)
		}
	}
	b.changes = keep
	return b.changes, b.write(ctx, by)
}
