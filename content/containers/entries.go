package containers

import (
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// branch gives the moment of a branch and which pointer that is.
func branch(p publishing.Pointers, published bool) publishing.Branch {
	if published {
		return p.Published
	}
	return p.Draft
}

func moment(published bool) publishing.Moment {
	if published {
		return publishing.Published()
	}
	return publishing.Draft()
}

// version returns the version of a container on a branch, else fault.NotFound.
func version(ctx context.Context, q db.Querier, id publishing.EntityID, published bool) (publishing.VersionID, error) {
	if list, err := ByID(ctx, q, []publishing.EntityID{id}); err != nil {
		return 0, err
	} else if _, ok := list[id]; !ok {
		return 0, fault.Errorf(fault.NotFound, fmt.Sprintf("container %d", id), "there is no such container")
	}
	list, err := publishing.PointersOf(ctx, q, []publishing.EntityID{id})
	if err != nil {
		return 0, err
	}
	v := branch(list[id], published).Version
	if v == 0 {
		name := "draft"
		if published {
			name = "published"
		}
		return 0, fault.Errorf(fault.NotFound, fmt.Sprintf("container %d", id), "it has no %s version", name)
	}
	return v, nil
}

// EntitiesIn returns the children of a container's draft or published version in order: pinned ones at their pin, others
// at their own version on that branch, left out where they have none (content-model.md §11.4). A container without a
// version there is fault.NotFound.
func EntitiesIn(ctx context.Context, q db.Querier, container publishing.EntityID, published bool) ([]Entry, error) {
	v, err := version(ctx, q, container, published)
	if err != nil {
		return nil, err
	}
	all, err := Entries(ctx, q, []publishing.VersionID{v}, moment(published))
	return all[v], err
}

// Entries resolves the children of container versions as of a moment, in order: pinned ones at their pin, others at
// their head, left out where they have none.
func Entries(ctx context.Context, q db.Querier, ids []publishing.VersionID, m publishing.Moment) (map[publishing.VersionID][]Entry, error) {
	rows, err := Children(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	var unpinned []publishing.EntityID
	var pins []publishing.VersionID
	for _, children := range rows {
		for _, c := range children {
			if c.Pin == 0 {
				unpinned = append(unpinned, c.Entity)
			} else {
				pins = append(pins, c.Pin)
			}
		}
	}
	heads, err := publishing.HeadsOf(ctx, q, distinct(unpinned), m)
	if err != nil {
		return nil, err
	}
	current := make(map[publishing.EntityID]Entry, len(heads))
	for _, h := range heads {
		current[h.Entity] = Entry{Entity: h.Entity, Version: h.Version, Num: h.Num, Title: h.Title}
	}
	versions, err := publishing.Versions(ctx, q, distinct(pins))
	if err != nil {
		return nil, err
	}
	fixed := make(map[publishing.VersionID]Entry, len(versions))
	for _, v := range versions {
		fixed[v.ID] = Entry{Entity: v.Entity, Version: v.ID, Num: v.Num, Title: v.Title, Pinned: true}
	}
	out := make(map[publishing.VersionID][]Entry, len(rows))
	for id, children := range rows {
		entries := make([]Entry, 0, len(children))
		for _, c := range children {
			e, ok := current[c.Entity]
			if c.Pin != 0 {
				e, ok = fixed[c.Pin]
			}
			if ok {
				entries = append(entries, e)
			}
		}
		out[id] = entries
	}
	return out, nil
}

// AsOf returns a container's version and children as of a publish log. Without a version then it returns 0 and nothing,
// which is no error (content-model.md §11.4).
func AsOf(ctx context.Context, q db.Querier, container publishing.EntityID, publishLog int64) (publishing.VersionID, []Entry, error) {
	return At(ctx, q, container, publishing.AfterPublish(publishLog))
}

// CountChildren counts the rows of a container's version on a branch whose entity is live there. For pinned rows that
// differs from what [EntitiesIn] lists, as it does in the reference. A container without a version there is
// fault.NotFound.
func CountChildren(ctx context.Context, q db.Querier, container publishing.EntityID, published bool) (int, error) {
	v, err := version(ctx, q, container, published)
	if err != nil {
		return 0, err
	}
	rows, err := Children(ctx, q, []publishing.VersionID{v})
	if err != nil {
		return 0, err
	}
	ids := make([]publishing.EntityID, len(rows[v]))
	for i, c := range rows[v] {
		ids[i] = c.Entity
	}
	live, err := publishing.PointersOf(ctx, q, distinct(ids))
	if err != nil {
		return 0, err
	}
	n := 0
	for _, id := range ids {
		if branch(live[id], published).Live() {
			n++
		}
	}
	return n, nil
}

// With returns the containers whose version on a branch lists the entity directly, each once, in id order. With
// ignorePinned only unpinned rows count.
func With(ctx context.Context, q db.Querier, entity publishing.EntityID, ignorePinned, published bool) ([]Container, error) {
	sql := "SELECT DISTINCT v.publishable_entity_version_id, v.container_id FROM openedx_content_entitylistrow r" +
		" JOIN openedx_content_containerversion v ON v.entity_list_id = r.entity_list_id WHERE r.entity_id = ?"
	if ignorePinned {
		sql += " AND r.entity_version_id IS NULL"
	}
	lists := map[publishing.VersionID]bool{}
	var ids []publishing.EntityID
	err := q.Query(ctx, sql, []any{int64(entity)}, func(r *db.Row) error {
		var v, c int64
		err := r.Scan(&v, &c)
		lists[publishing.VersionID(v)] = true
		ids = append(ids, publishing.EntityID(c))
		return err
	})
	if err != nil {
		return nil, err
	}
	ids = distinct(ids)
	pointers, err := publishing.PointersOf(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(ids, func(id publishing.EntityID) bool { return !lists[branch(pointers[id], published).Version] })
	found, err := ByID(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Container, len(ids))
	for i, id := range ids {
		out[i] = found[id]
	}
	return out, nil
}

// Descendants returns the entities other than containers that are reached from a container through draft children, in
// id order. A pinned child counts whatever its entity's state; what is deleted leads nowhere.
func Descendants(ctx context.Context, q db.Querier, container publishing.EntityID) ([]publishing.EntityID, error) {
	var out []publishing.EntityID
	seen := map[publishing.EntityID]bool{container: true}
	for layer := []publishing.EntityID{container}; len(layer) > 0; {
		heads, err := publishing.HeadsOf(ctx, q, layer, publishing.Draft())
		if err != nil {
			return nil, err
		}
		ids := make([]publishing.VersionID, len(heads))
		for i, h := range heads {
			ids[i] = h.Version
		}
		all, err := Entries(ctx, q, ids, publishing.Draft())
		if err != nil {
			return nil, err
		}
		var next []publishing.EntityID
		for _, entries := range all {
			for _, e := range entries {
				if !seen[e.Entity] {
					seen[e.Entity] = true
					next = append(next, e.Entity)
				}
			}
		}
		nested, err := ByID(ctx, q, next)
		if err != nil {
			return nil, err
		}
		layer = layer[:0:0]
		for _, id := range next {
			if _, ok := nested[id]; ok {
				layer = append(layer, id)
			} else {
				out = append(out, id)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}
