package content

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Moment is a point in the life of a package: of its entities, and of its collections, which have a log of their own as
// Open edX versions them with nothing. The zero Moment is now.
type Moment struct {
	Entities    publishing.Moment
	Collections collections.Moment
}

// Snapshot is a package as of a moment.
type Snapshot struct {
	Entities    []Entity            // live ones, by id
	Collections []collections.State // by id, deleted ones too
}

// Entity is a live entity in a [Snapshot].
type Entity struct {
	publishing.Head
	Kind     string               // "xblock.v1:html" or a container's type code; "" for one that is neither
	Files    []components.FileRow // of a component, or the settings of a container, by path
	Children []containers.Child   // of a container, in order, pins as stored
}

// At reads a package as of a moment, in a number of queries that grows by one with each 512 entities. With text, media
// have the text of their rows.
func At(ctx context.Context, q db.Querier, pkg publishing.PackageID, m Moment, text bool) (*Snapshot, error) {
	heads, err := publishing.Heads(ctx, q, pkg, m.Entities)
	if err != nil {
		return nil, err
	}
	kinds, err := kindsOf(ctx, q, pkg)
	if err != nil {
		return nil, err
	}
	var leaves, nodes []publishing.VersionID
	s := &Snapshot{Entities: make([]Entity, len(heads))}
	at := make(map[publishing.VersionID]*Entity, len(heads))
	for i, h := range heads {
		k := kinds[h.Entity]
		s.Entities[i] = Entity{Head: h, Kind: k.name}
		at[h.Version] = &s.Entities[i]
		switch {
		case k.container:
			nodes = append(nodes, h.Version)
		case k.name != "":
			leaves = append(leaves, h.Version)
		}
	}
	files, err := components.Files(ctx, q, leaves, text)
	if err != nil {
		return nil, err
	}
	settings, err := containers.Files(ctx, q, nodes, text)
	if err != nil {
		return nil, err
	}
	for _, f := range append(files, settings...) {
		e := at[f.Version]
		e.Files = append(e.Files, f)
	}
	children, err := containers.Children(ctx, q, nodes)
	if err != nil {
		return nil, err
	}
	for v, list := range children {
		at[v].Children = list
	}
	s.Collections, err = collections.AsOf(ctx, q, pkg, m.Collections)
	return s, err
}

type kind struct {
	name      string
	container bool
}

func kindsOf(ctx context.Context, q db.Querier, pkg publishing.PackageID) (map[publishing.EntityID]kind, error) {
	out := map[publishing.EntityID]kind{}
	leaves, err := components.Components(ctx, q, pkg, components.Filter{})
	if err != nil {
		return nil, err
	}
	for _, c := range leaves {
		out[c.ID] = kind{name: c.Type.String()}
	}
	nodes, err := containers.Containers(ctx, q, pkg, true)
	for _, c := range nodes {
		out[c.ID] = kind{name: c.Type, container: true}
	}
	return out, err
}

// Restored is what [Restore] did.
type Restored struct {
	Log         *publishing.ChangeLog // nil when no draft was another
	Collections []collections.Change
}

// Restore makes the drafts and collections of a package what they were at a moment. It is an ordinary change: old
// versions become drafts again, nothing is published, and nothing is lost. Collections that did not exist then are
// deleted softly. Meta's kind is a restore unless it says otherwise.
func Restore(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, m Moment, meta publishing.Meta) (Restored, error) {
	if meta.Kind == "" {
		meta.Kind = publishing.KindRestore
	}
	var r Restored
	var err error
	r.Log, err = publishing.Change(ctx, tx, pkg, meta, func(c *publishing.ChangeSet) error {
		return c.Restore(ctx, m.Entities, nil)
	})
	if err != nil {
		return Restored{}, fmt.Errorf("restore drafts: %w", err)
	}
	if r.Collections, err = collections.RestoreTo(ctx, tx, pkg, m.Collections, meta.By); err != nil {
		return Restored{}, fmt.Errorf("restore collections: %w", err)
	}
	return r, nil
}

// Difference is how an entity differs between two snapshots: From 0 is one that is new, To 0 one that is gone.
type Difference struct {
	Entity   publishing.EntityID
	Ref      string
	From, To int      // version numbers
	Title    bool     // the titles differ
	Children bool     // the rows differ
	Paths    []string // files that differ, are new or gone
}

// Diff compares the entities of two snapshots of a package, by id. Two versions with the same content differ in their
// numbers alone.
func Diff(from, to *Snapshot) []Difference {
	old := make(map[publishing.EntityID]*Entity, len(from.Entities))
	for i := range from.Entities {
		old[from.Entities[i].Head.Entity] = &from.Entities[i]
	}
	var out []Difference
	for i := range to.Entities {
		e := &to.Entities[i]
		was := old[e.Head.Entity]
		delete(old, e.Head.Entity)
		if was == nil {
			was = &Entity{}
		}
		if was.Version != e.Version {
			d := differ(was, e)
			d.Entity, d.Ref = e.Head.Entity, e.Ref
			out = append(out, d)
		}
	}
	for _, was := range old {
		d := differ(was, &Entity{})
		d.Entity, d.Ref = was.Head.Entity, was.Ref
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Difference) int { return cmp.Compare(a.Entity, b.Entity) })
	return out
}

func differ(was, is *Entity) Difference {
	d := Difference{From: was.Num, To: is.Num, Title: was.Title != is.Title, Children: !slices.Equal(was.Children, is.Children)}
	type content struct{ digest, kind string }
	have := map[string]content{}
	for _, f := range was.Files {
		have[f.Path] = content{f.Media.Digest, f.Media.Type.String()}
	}
	for _, f := range is.Files {
		if have[f.Path] != (content{f.Media.Digest, f.Media.Type.String()}) {
			d.Paths = append(d.Paths, f.Path)
		}
		delete(have, f.Path)
	}
	for path := range have {
		d.Paths = append(d.Paths, path)
	}
	slices.Sort(d.Paths)
	return d
}

// CollectionDifference is how a collection differs between two snapshots.
type CollectionDifference struct {
	Code           string
	Was, Is        bool // it was enabled, it is
	Title          bool // titles or descriptions differ
	Added, Removed []publishing.EntityID
}

// DiffCollections compares the collections of two snapshots, by code. One that does not exist counts as not enabled and
// empty.
func DiffCollections(from, to *Snapshot) []CollectionDifference {
	was, is := map[string]collections.State{}, map[string]collections.State{}
	var codes []string
	for _, c := range from.Collections {
		was[c.Code] = c
		codes = append(codes, c.Code)
	}
	for _, c := range to.Collections {
		is[c.Code] = c
		codes = append(codes, c.Code)
	}
	slices.Sort(codes)
	var out []CollectionDifference
	for _, code := range slices.Compact(codes) {
		a, b := was[code], is[code]
		d := CollectionDifference{Code: code, Was: a.Enabled, Is: b.Enabled, Title: a.Title != b.Title || a.Description != b.Description,
			Added: missing(b.Members, a.Members), Removed: missing(a.Members, b.Members)}
		if d.Was != d.Is || d.Title || len(d.Added)+len(d.Removed) > 0 {
			out = append(out, d)
		}
	}
	return out
}

// missing returns what of a sorted list is not in another.
func missing(list, other []publishing.EntityID) (out []publishing.EntityID) {
	for _, e := range list {
		if _, ok := slices.BinarySearch(other, e); !ok {
			out = append(out, e)
		}
	}
	return out
}
