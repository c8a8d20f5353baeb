package migrator

import (
	"context"
	"maps"
	"slices"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// namespace is that of the component types of blocks.
const namespace = "xblock.v1"

// Library is what a library holds, as far as it decides what becomes of a source.
type Library struct {
	entities map[publishing.EntityID]*entity
	codes    codes
	live     int // entities with a live draft
}

// entity is a component or container of a library.
type entity struct {
	container bool
	kind      string // block type of a component, type code of a container
	code      string
	live      bool // has a draft
	version   publishing.VersionID
	title     string
	offered   bool // was ever published

	files    map[string]string     // digests by path, of what may be updated
	children []publishing.EntityID // of a container that may be updated
	pinned   bool                  // some of them to a version
}

// NewLibrary returns a library without anything in it.
func NewLibrary() *Library {
	return &Library{entities: map[publishing.EntityID]*entity{}, codes: codes{}}
}

// Live returns how many entities have a live draft.
func (l *Library) Live() int { return l.live }

// LoadLibrary reads what a library holds now. The content of those that previous names is read too where a strategy updates
// it. The number of statements grows with that of entities by batches of some hundred only.
func LoadLibrary(ctx context.Context, q db.Querier, pkg publishing.PackageID, previous Previous, repeat Strategy) (*Library, error) {
	l := NewLibrary()
	leaves, err := components.Components(ctx, q, pkg, components.Filter{})
	if err != nil {
		return nil, err
	}
	for _, c := range leaves {
		if c.Type.Namespace != namespace {
			continue // their refs and codes are apart from those of blocks
		}
		l.entities[c.ID] = &entity{kind: c.Type.Name, code: c.Code}
		l.codes.add(c.Type.Name, c.Code)
	}
	boxes, err := containers.Containers(ctx, q, pkg, true)
	if err != nil {
		return nil, err
	}
	for _, c := range boxes {
		l.entities[c.ID] = &entity{container: true, kind: c.Type, code: c.Code}
		l.codes.add("", c.Code)
	}
	pointers, err := publishing.AllPointers(ctx, q, pkg)
	if err != nil {
		return nil, err
	}
	for _, p := range pointers {
		if p.Draft.Live() {
			l.live++
		}
		if e := l.entities[p.Entity]; e != nil {
			e.live, e.version, e.title, e.offered = p.Draft.Live(), p.Draft.Version, p.Draft.Title, p.Published.Exists
		}
	}
	if repeat != Update {
		return l, nil
	}
	return l, l.content(ctx, q, previous)
}

// content reads the files and children of what may be updated.
func (l *Library) content(ctx context.Context, q db.Querier, previous Previous) error {
	var leaves, boxes []publishing.VersionID
	of := map[publishing.VersionID]*entity{}
	for _, id := range slices.Sorted(maps.Values(previous)) {
		e := l.entities[id]
		if e == nil || !e.live || of[e.version] != nil {
			continue
		}
		of[e.version] = e
		if e.container {
			boxes = append(boxes, e.version)
			continue
		}
		e.files = map[string]string{}
		leaves = append(leaves, e.version)
	}
	for part := range slices.Chunk(leaves, 1000) {
		rows, err := components.Files(ctx, q, part, false)
		if err != nil {
			return err
		}
		for _, f := range rows {
			of[f.Version].files[f.Path] = f.Media.Digest
		}
	}
	for part := range slices.Chunk(boxes, 1000) {
		lists, err := containers.Children(ctx, q, part)
		if err != nil {
			return err
		}
		for v, list := range lists {
			for _, c := range list {
				of[v].children = append(of[v].children, c.Entity)
				of[v].pinned = of[v].pinned || c.Pin != 0
			}
		}
	}
	return nil
}
