package collections

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Unlogged returns what the log of a package's collections lacks: what another program did to them since the last change
// here, as the entries that [Reconcile] would append.
func Unlogged(ctx context.Context, q db.Querier, pkg publishing.PackageID) ([]Entry, error) {
	said, err := replay(ctx, q, ` AND l.learning_package_id = ?`, []any{int64(pkg)}, nil)
	if err != nil {
		return nil, err
	}
	now, err := Collections(ctx, q, pkg, All)
	if err != nil {
		return nil, err
	}
	members, err := AllMembers(ctx, q, pkg)
	if err != nil {
		return nil, err
	}
	list := compare(said, now, members)
	// What the log knows and the tables do not was erased; when, nobody has noted.
	exist := make(map[ID]bool, len(now))
	for _, c := range now {
		exist[c.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(said)) {
		if !exist[id] {
			e := said[id].about
			e.ID, e.Kind, e.Noticed, e.By = 0, Erased, true, 0
			list = append(list, e)
		}
	}
	return list, clamp(ctx, q, pkg, list)
}

// LogTable is the table of the log.
const LogTable = "lectern_collectionlog"

// Reconcile appends what the log lacks and returns it. The package is locked.
func Reconcile(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) ([]Entry, error) {
	if err := publishing.Lock(ctx, tx, pkg); err != nil {
		return nil, err
	}
	list, err := Unlogged(ctx, tx, pkg)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list, appendLog(ctx, tx, pkg, list)
}

// notice appends what the log lacks about some collections, before they are changed.
func notice(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, now []Collection, members []Member) error {
	if len(now) == 0 {
		return nil
	}
	ids := make([]ID, len(now))
	for i, c := range now {
		ids[i] = c.ID
	}
	said, err := replay(ctx, tx, ` AND l.collection_id IN (?...)`, nil, ids)
	if err != nil {
		return err
	}
	return appendLog(ctx, tx, pkg, compare(said, now, members))
}

// compare returns the entries that lead from what the log says to what is now.
func compare(said known, now []Collection, members []Member) []Entry {
	var list []Entry
	of := map[ID]map[publishing.EntityID]Member{}
	for _, m := range members {
		if of[m.Collection] == nil {
			of[m.Collection] = map[publishing.EntityID]Member{}
		}
		of[m.Collection][m.Entity] = m
	}
	for _, c := range now {
		l := said[c.ID]
		var e Entry
		switch {
		case l == nil:
			e = c.entry(Made, c.Created, c.By)
			l = &logged{}
		case l.about.Enabled && !c.Enabled:
			e = c.entry(Deleted, c.Modified, 0)
		case !l.about.Enabled && c.Enabled:
			e = c.entry(Restored, c.Modified, 0)
		case l.about.Title != c.Title || l.about.Text != c.Description:
			e = c.entry(Edited, c.Modified, 0)
		}
		if e.Kind != "" {
			list = append(list, e)
		}
		var added []Member
		for e, m := range of[c.ID] {
			if !l.members[e] {
				added = append(added, m)
			}
		}
		slices.SortFunc(added, func(a, b Member) int { return cmp.Compare(a.Entity, b.Entity) })
		for _, m := range added {
			list = append(list, c.memberEntries(Added, []publishing.EntityID{m.Entity}, m.Created, m.By)...)
		}
		var removed []publishing.EntityID
		for e := range l.members {
			if _, ok := of[c.ID][e]; !ok {
				removed = append(removed, e)
			}
		}
		slices.Sort(removed)
		list = append(list, c.memberEntries(Removed, removed, c.Modified, 0)...)
	}
	for i := range list {
		list[i].Noticed = true
	}
	return list
}

// clamp moves the times of entries behind that of the last entry, as the log's times never go back: a moment given by a
// time is the last entry not after it.
func clamp(ctx context.Context, q db.Querier, pkg publishing.PackageID, list []Entry) error {
	last, ok, err := db.One(ctx, q, `SELECT logged_at FROM lectern_collectionlog WHERE learning_package_id = ? ORDER BY id DESC LIMIT 1`,
		[]any{int64(pkg)}, db.Value[time.Time])
	if err != nil {
		return fmt.Errorf("log of collections: %w", err)
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return a.At.Compare(b.At) })
	for i := range list {
		if ok && list[i].At.Before(last) {
			list[i].At = last
		}
	}
	return nil
}
