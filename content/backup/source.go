package backup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// source is a package as it is written: what every entity is, by ref. Versions are read a batch at a time.
type source struct {
	q     db.Querier
	pkg   publishing.Package
	items []item // by the bytes of their refs, on every engine
	refs  map[publishing.EntityID]string
}

// item is an entity and what kind it is.
type item struct {
	publishing.Entity
	container string          // type code, "" for a component
	component components.Type // of a component
	code      string
	place     place
}

// batchSize is how many entities are read at a time: their text is in memory.
const batchSize = 128

// readSource reads which entities a package has. Those that are neither component nor container are not of a backup;
// their refs are returned.
func readSource(ctx context.Context, q db.Querier, pkg publishing.Package) (*source, []string, error) {
	entities, err := publishing.Entities(ctx, q, pkg.ID)
	if err != nil {
		return nil, nil, err
	}
	leaves, err := components.Components(ctx, q, pkg.ID, components.Filter{})
	if err != nil {
		return nil, nil, err
	}
	parents, err := containers.Containers(ctx, q, pkg.ID, true)
	if err != nil {
		return nil, nil, err
	}
	s := &source{q: q, pkg: pkg, items: make([]item, 0, len(entities)), refs: make(map[publishing.EntityID]string, len(entities))}
	var other []string
	// All three lists are in id order.
	for _, e := range entities {
		for len(leaves) > 0 && leaves[0].ID < e.ID {
			leaves = leaves[1:]
		}
		for len(parents) > 0 && parents[0].ID < e.ID {
			parents = parents[1:]
		}
		switch {
		case len(leaves) > 0 && leaves[0].ID == e.ID:
			s.items = append(s.items, item{Entity: e, component: leaves[0].Type, code: leaves[0].Code})
		case len(parents) > 0 && parents[0].ID == e.ID:
			s.items = append(s.items, item{Entity: e, container: parents[0].Type, code: parents[0].Code})
		default:
			other = append(other, e.Ref)
			continue
		}
		s.refs[e.ID] = e.Ref
	}
	slices.SortFunc(s.items, func(a, b item) int { return strings.Compare(a.Ref, b.Ref) })
	slices.Sort(other)
	return s, other, nil
}

// isContainer reports whether the item is one; components have no type code.
func (it *item) isContainer() bool { return it.container != "" }

// stock reports whether the format can tell what the item is: a container of one of the three types whose ref is its
// code, or a component whose ref is made of its type and code.
func (it *item) stock() bool {
	if it.isContainer() {
		return stockType(it.container) && it.Ref == it.code
	}
	t := it.component
	n := len(t.Namespace) + len(t.Name) + 2
	return len(it.Ref) == n+len(it.code) && it.Ref[n:] == it.code && it.Ref[:n-1] == t.String() && it.Ref[n-1] == ':'
}

func stockType(code string) bool {
	return code == containers.Unit || code == containers.Subsection || code == containers.Section
}

// loaded is an item with its versions.
type loaded struct {
	*item
	branches publishing.Pointers
	versions []loadedVersion // the draft, then what is published if that is another
}

type loadedVersion struct {
	publishing.Version
	files    []components.FileRow // of a component
	settings []components.FileRow // of a container
	children []containers.Child
}

// load reads the versions of a few items: those that the branches name, or the given ones as well.
func (s *source) load(ctx context.Context, items []item, more map[publishing.EntityID][]publishing.VersionID, text bool) ([]loaded, error) {
	ids := make([]publishing.EntityID, len(items))
	for i := range items {
		ids[i] = items[i].ID
	}
	pointers, err := publishing.PointersOf(ctx, s.q, ids)
	if err != nil {
		return nil, err
	}
	var wanted, leaves, parents []publishing.VersionID
	want := func(it *item, v publishing.VersionID) {
		wanted = append(wanted, v)
		if it.isContainer() {
			parents = append(parents, v)
		} else {
			leaves = append(leaves, v)
		}
	}
	for i := range items {
		p := pointers[items[i].ID]
		if p.Draft.Live() {
			want(&items[i], p.Draft.Version)
		}
		if p.Published.Live() && p.Published.Version != p.Draft.Version {
			want(&items[i], p.Published.Version)
		}
		for _, v := range more[items[i].ID] {
			want(&items[i], v)
		}
	}
	rows, err := publishing.Versions(ctx, s.q, wanted)
	if err != nil {
		return nil, err
	}
	byID := make(map[publishing.VersionID]publishing.Version, len(rows))
	for _, v := range rows {
		byID[v.ID] = v
	}
	files, err := components.Linked(ctx, s.q, leaves, text)
	if err != nil {
		return nil, err
	}
	settings, err := containers.Files(ctx, s.q, parents, text)
	if err != nil {
		return nil, err
	}
	children, err := containers.Children(ctx, s.q, parents)
	if err != nil {
		return nil, err
	}
	out := make([]loaded, len(items))
	for i := range items {
		out[i] = loaded{item: &items[i], branches: pointers[items[i].ID]}
	}
	// Versions and files come in the order in which they were asked for.
	at := 0
	take := func(it *item, v publishing.VersionID) (loadedVersion, error) {
		row, ok := byID[v]
		if !ok {
			return loadedVersion{}, fmt.Errorf("version %d of %s is missing", v, it.Ref)
		}
		l := loadedVersion{Version: row, children: children[v]}
		l.files, files = cutFiles(files, v)
		if it.isContainer() {
			l.settings, settings = cutFiles(settings, v)
		}
		return l, nil
	}
	for i := range out {
		n := 0
		p := out[i].branches
		if p.Draft.Live() {
			n++
		}
		if p.Published.Live() && p.Published.Version != p.Draft.Version {
			n++
		}
		for range n + len(more[items[i].ID]) {
			v, err := take(&items[i], wanted[at])
			if err != nil {
				return nil, err
			}
			out[i].versions = append(out[i].versions, v)
			at++
		}
	}
	return out, nil
}

// cutFiles takes the files of a version from the front of a list.
func cutFiles(list []components.FileRow, v publishing.VersionID) (of, rest []components.FileRow) {
	n := 0
	for n < len(list) && list[n].Version == v {
		n++
	}
	return list[:n:n], list[n:]
}

// refsOf returns the refs of children, in order.
func (s *source) refsOf(children []containers.Child) []string {
	out := make([]string, 0, len(children))
	for _, c := range children {
		if ref, ok := s.refs[c.Entity]; ok {
			out = append(out, ref)
		}
	}
	return out
}

// pinned reports whether one of the children is.
func pinned(children []containers.Child) bool {
	return slices.ContainsFunc(children, func(c containers.Child) bool { return c.Pin != 0 })
}

// set is a collection with the refs of its members.
type set struct {
	collections.Collection
	members []string
}

// sets reads the enabled collections in id order.
func (s *source) sets(ctx context.Context) ([]set, error) {
	list, err := collections.Collections(ctx, s.q, s.pkg.ID, collections.Enabled)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	members, err := collections.AllMembers(ctx, s.q, s.pkg.ID)
	if err != nil {
		return nil, err
	}
	out := make([]set, len(list))
	index := make(map[collections.ID]int, len(list))
	for i, c := range list {
		out[i].Collection = c
		index[c.ID] = i
	}
	for _, m := range members {
		if i, ok := index[m.Collection]; ok {
			if ref, ok := s.refs[m.Entity]; ok {
				out[i].members = append(out[i].members, ref)
			}
		}
	}
	for i := range out {
		slices.Sort(out[i].members)
	}
	slices.SortFunc(out, func(a, b set) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}
