package containers

import (
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// CreateVersions makes versions of containers, which become their drafts, and returns their ids and numbers, aligned.
//
// Refused as fault.Invalid are: an entity that is no container of the package, a child of another package or of a kind
// that the container's type does not take, a pin to a version of another entity, a Base of another container, a
// malformed path, media of another package, and children through which a container would hold itself. A container of a
// type that this program does not know is fault.Refused, an unknown child, version or media fault.NotFound, a number
// that exists fault.Conflict.
func CreateVersions(ctx context.Context, cs *publishing.ChangeSet, list []NewVersion) ([]publishing.VersionID, []int, error) {
	for i := range list {
		for _, f := range list[i].Files {
			if err := components.CheckPath(f.Path); err != nil {
				return nil, nil, err
			}
		}
	}
	return createVersions(ctx, cs, list)
}

// plan is a version to be made, with what its list comes to.
type plan struct {
	*NewVersion
	kind     string // type code of the container
	children []Child
	list     int64 // of Base, or of its own
}

func createVersions(ctx context.Context, cs *publishing.ChangeSet, list []NewVersion) ([]publishing.VersionID, []int, error) {
	if len(list) == 0 {
		return nil, nil, nil
	}
	plans, err := makePlans(ctx, cs, list)
	if err != nil {
		return nil, nil, err
	}
	if err := checkChildren(ctx, cs, plans); err != nil {
		return nil, nil, err
	}
	files, owner, err := checkFiles(ctx, cs, list)
	if err != nil {
		return nil, nil, err
	}
	if err := writeLists(ctx, cs.Tx(), plans); err != nil {
		return nil, nil, err
	}
	versions := make([]publishing.NewVersion, len(plans))
	for i, p := range plans {
		versions[i] = publishing.NewVersion{Entity: p.Entity, Num: p.Num, Title: p.Title, Dependencies: unpinned(p.children), Created: p.Created, By: p.By}
	}
	ids, nums, err := cs.CreateVersions(ctx, versions)
	if err != nil {
		return nil, nil, err
	}
	if err := writeRows(ctx, cs.Tx(), plans, ids); err != nil {
		return nil, nil, err
	}
	cols := []string{"path", "container_version_id", "media_id"}
	err = cs.Tx().Insert(ctx, "lectern_containerversionmedia", cols, len(files), func(i int, v []any) {
		v[0], v[1], v[2] = files[i].Path, int64(ids[owner[i]]), int64(files[i].Media)
	})
	if err != nil {
		return nil, nil, err
	}
	if err := checkPins(ctx, cs, plans, ids); err != nil {
		return nil, nil, err
	}
	return ids, nums, nil
}

// makePlans finds the type of each container and the list of each base.
func makePlans(ctx context.Context, cs *publishing.ChangeSet, list []NewVersion) ([]plan, error) {
	entities := make([]publishing.EntityID, len(list))
	var bases []publishing.VersionID
	for i := range list {
		entities[i] = list[i].Entity
		if b := list[i].Base; b != 0 {
			bases = append(bases, b)
		}
	}
	kindOf, err := mustChange(ctx, cs.Tx(), cs.Package(), entities)
	if err != nil {
		return nil, err
	}
	lists, err := listsOf(ctx, cs.Tx(), bases)
	if err != nil {
		return nil, err
	}
	rows, err := Children(ctx, cs.Tx(), bases)
	if err != nil {
		return nil, err
	}
	plans := make([]plan, len(list))
	for i := range list {
		v := &list[i]
		plans[i] = plan{NewVersion: v, kind: kindOf[v.Entity], children: v.Children}
		if v.Base == 0 {
			continue
		}
		l, ok := lists[v.Base]
		switch {
		case !ok:
			return nil, fault.Errorf(fault.NotFound, fmt.Sprintf("container version %d", v.Base), "there is no such version")
		case l.container != v.Entity:
			return nil, fault.Errorf(fault.Invalid, fmt.Sprintf("container version %d", v.Base), "it is a version of another container")
		case len(v.Children) > 0:
			return nil, fault.Errorf(fault.Internal, fmt.Sprintf("entity %d", v.Entity), "both a base and children are given")
		}
		plans[i].children, plans[i].list = rows[v.Base], l.list
	}
	return plans, nil
}

// checkFiles gathers the settings files of all versions, with the index of the version that each belongs to.
func checkFiles(ctx context.Context, cs *publishing.ChangeSet, list []NewVersion) (files []components.File, owner []int, err error) {
	for i := range list {
		seen := make(map[string]bool, len(list[i].Files))
		for _, f := range list[i].Files {
			if seen[f.Path] {
				return nil, nil, fault.Errorf(fault.Invalid, fmt.Sprintf("path %.100q", f.Path), "a version has it twice")
			}
			seen[f.Path] = true
			files = append(files, f)
			owner = append(owner, i)
		}
	}
	return files, owner, components.CheckMedia(ctx, cs, files)
}

// writeLists makes the lists that are not shared with a base.
func writeLists(ctx context.Context, tx *db.Tx, plans []plan) error {
	var own []*plan
	rows := 0
	for i := range plans {
		if plans[i].Base == 0 {
			own = append(own, &plans[i])
			rows += len(plans[i].children)
		}
	}
	ids, err := tx.InsertIDs(ctx, "openedx_content_entitylist", nil, len(own), func(int, []any) {})
	if err != nil {
		return err
	}
	for i, p := range own {
		p.list = ids[i]
	}
	at, order := 0, 0 // the row being written: rows are asked for in order
	cols := []string{"order_num", "entity_id", "entity_list_id", "entity_version_id"}
	return tx.Insert(ctx, "openedx_content_entitylistrow", cols, rows, func(i int, v []any) {
		if i == 0 {
			at, order = 0, 0
		}
		for order == len(own[at].children) {
			at, order = at+1, 0
		}
		c := own[at].children[order]
		v[0], v[1], v[2], v[3] = int64(order), int64(c.Entity), own[at].list, nil
		if c.Pin != 0 {
			v[3] = int64(c.Pin)
		}
		order++
	})
}

// writeRows makes the subtype rows of versions.
func writeRows(ctx context.Context, tx *db.Tx, plans []plan, ids []publishing.VersionID) error {
	cols := []string{"publishable_entity_version_id", "container_id", "entity_list_id"}
	err := tx.Insert(ctx, "openedx_content_containerversion", cols, len(plans), func(i int, v []any) {
		v[0], v[1], v[2] = int64(ids[i]), int64(plans[i].Entity), plans[i].list
	})
	if err != nil {
		return err
	}
	typed := map[string][]publishing.VersionID{}
	for i, p := range plans {
		typed[p.kind] = append(typed[p.kind], ids[i])
	}
	for _, s := range stock {
		if err := insertIDs(ctx, tx, s.versions, "container_version_id", typed[s.code]); err != nil {
			return err
		}
	}
	return nil
}

// unpinned returns the dependencies of a list of children, without duplicates.
func unpinned(children []Child) []publishing.EntityID {
	if len(children) == 0 {
		return nil
	}
	ids := make([]publishing.EntityID, 0, len(children))
	for _, c := range children {
		if c.Pin == 0 {
			ids = append(ids, c.Entity)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
