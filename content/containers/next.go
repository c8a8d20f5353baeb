package containers

import (
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/fault"
)

// NextVersions makes versions that start from the latest ones, see [NextVersion]; each container may occur once. Results
// and errors are those of [CreateVersions]; what a first version cannot do is fault.Invalid.
func NextVersions(ctx context.Context, cs *publishing.ChangeSet, list []NextVersion) ([]publishing.VersionID, []int, error) {
	entities := make([]publishing.EntityID, len(list))
	seen := make(map[publishing.EntityID]bool, len(list))
	for i := range list {
		entities[i] = list[i].Entity
		if seen[list[i].Entity] {
			return nil, nil, fault.Errorf(fault.Internal, "next versions", "entity %d occurs twice", list[i].Entity)
		}
		seen[list[i].Entity] = true
	}
	latest, err := publishing.LatestVersions(ctx, cs.Tx(), entities)
	if err != nil {
		return nil, nil, err
	}
	var changed, kept []publishing.VersionID // whose children, whose files are needed
	for i := range list {
		base, ok := latest[list[i].Entity]
		if !ok {
			continue
		}
		if a := list[i].Action; a == Append || a == Remove {
			changed = append(changed, base.ID)
		}
		if !list[i].Fresh {
			kept = append(kept, base.ID)
		}
	}
	rows, err := Children(ctx, cs.Tx(), changed)
	if err != nil {
		return nil, nil, err
	}
	files, err := filesOf(ctx, cs.Tx(), kept)
	if err != nil {
		return nil, nil, err
	}
	next := make([]NewVersion, len(list))
	for i := range list {
		base, ok := latest[list[i].Entity]
		if next[i], err = follow(&list[i], base, ok, rows[base.ID], files[base.ID]); err != nil {
			return nil, nil, err
		}
	}
	return createVersions(ctx, cs, next)
}

// follow works out a next version from the latest, of which there may be none.
func follow(n *NextVersion, base publishing.Version, exists bool, children []Child, files []components.File) (NewVersion, error) {
	thing := fmt.Sprintf("entity %d", n.Entity)
	v := NewVersion{Entity: n.Entity, Num: n.Num, Title: base.Title, Created: n.Created, By: n.By}
	if v.Num == 0 && exists {
		v.Num = base.Num + 1
	}
	switch {
	case n.Title != nil:
		v.Title = *n.Title
	case !exists:
		return v, fault.Errorf(fault.Invalid, thing, "the first version of a container needs a title")
	}
	switch n.Action {
	case Keep:
		if len(n.Children) > 0 {
			return v, fault.Errorf(fault.Internal, thing, "children are given, and the list is to be kept")
		}
		v.Base = base.ID // 0 for the first: an empty list of its own
	case Replace:
		v.Children = n.Children
	case Append, Remove:
		if !exists {
			return v, fault.Errorf(fault.Invalid, thing, "a container without a version has no children to add to or remove from")
		}
		if n.Action == Append {
			v.Children = slices.Concat(children, n.Children)
			break
		}
		// An unpinned reference stands for all unpinned rows of its entity, a pinned one for those with just that pin,
		// which is what equality of rows says.
		gone := make(map[Child]bool, len(n.Children))
		for _, c := range n.Children {
			gone[c] = true
		}
		v.Children = slices.DeleteFunc(slices.Clone(children), func(c Child) bool { return gone[c] })
	default:
		return v, fault.Errorf(fault.Internal, thing, "no such action: %d", n.Action)
	}
	var err error
	v.Files, err = components.Merge(files, n.Files)
	return v, err
}
