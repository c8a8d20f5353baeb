package course

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/slug"
	"github.com/openlectern/lectern/olx"
)

// writer turns wanted nodes into entities and versions of one course, whole sets at a time.
type writer struct {
	tx       *db.Tx
	media    media.Files
	course   *Course
	entities map[string]publishing.EntityID // by ref, live or not: those that know was asked for
	progress func(done, total int)          // of the nodes that get a new version; may be nil
	codes    *codes                         // of the package; nil until they are wanted
	// drafts, where not nil, gets what apply makes of the drafts: each node as it is stored, nil for one that is deleted.
	drafts map[string]*node
}

// codes are those in use: containers share one set over all types, components one a type (content-model.md law 73).
type codes struct {
	containers slug.Taken
	components map[components.Type]slug.Taken
}

func newWriter(tx *db.Tx, files media.Files, c *Course) *writer {
	return &writer{tx: tx, media: files, course: c, entities: map[string]publishing.EntityID{}}
}

// know reads the entities of everything that the nodes of trees are or list.
func (w *writer) know(ctx context.Context, trees ...*tree) error {
	var ask []string
	for _, t := range trees {
		for n := range t.live() {
			switch _, known := w.entities[n.ref]; {
			case known:
			case n.entity != 0:
				w.entities[n.ref] = n.entity
			default:
				ask = append(ask, n.ref)
			}
		}
	}
	for _, t := range trees {
		for n := range t.live() {
			for _, list := range [][]string{n.children, n.stored} {
				for _, ref := range list {
					if _, known := w.entities[ref]; !known {
						ask = append(ask, ref)
					}
				}
			}
		}
	}
	slices.Sort(ask)
	found, err := publishing.EntitiesByRef(ctx, w.tx, w.course.Package.ID, slices.Compact(ask))
	for ref, e := range found {
		w.entities[ref] = e.ID
	}
	return err
}

// apply moves the drafts of the course from current to want: nodes that already are as wanted are left alone, nodes that
// are so in one of others get that version again, all else gets a new version, and what want lacks is deleted, apart
// from the refs in keep.
func (w *writer) apply(ctx context.Context, cs *publishing.ChangeSet, want, current *tree, keep map[string]bool, others ...*tree) error {
	if err := w.know(ctx, current, want); err != nil {
		return err
	}
	var fresh, missing []*node
	var pointers []publishing.Pointer
	for n := range want.live() {
		ref := n.ref
		if now := current.nodes[ref]; now != nil && sameIn(want, n, now) {
			continue
		}
		if _, exists := w.entities[ref]; !exists {
			missing = append(missing, n)
			fresh = append(fresh, n)
			continue
		}
		if old := nodeIn(want, n, others); old != nil {
			pointers = append(pointers, publishing.Pointer{Entity: w.entities[ref], Version: old.version})
			w.draft(ref, old)
			continue
		}
		fresh = append(fresh, n)
	}
	for now := range current.live() {
		if want.nodes[now.ref] == nil && !keep[now.ref] {
			pointers = append(pointers, publishing.Pointer{Entity: now.entity})
			w.draft(now.ref, nil)
		}
	}
	if err := w.create(ctx, missing, cs.By()); err != nil {
		return err
	}
	if err := w.version(ctx, cs, want, fresh); err != nil {
		return err
	}
	return cs.SetDrafts(ctx, pointers)
}

// draft notes what a draft is now.
func (w *writer) draft(ref string, n *node) {
	if w.drafts != nil {
		w.drafts[ref] = n
	}
}

// nodeIn returns the node of one of trees that already is as n, nil when there is none.
func nodeIn(want *tree, n *node, trees []*tree) *node {
	for _, t := range trees {
		if old := t.nodes[n.ref]; old != nil && old.version != 0 && sameIn(want, n, old) {
			return old
		}
	}
	return nil
}

// withDeleted returns the list to store for n: its children, and where n was read from the store the deleted ones of its
// old list in their places, so that undoing a deletion brings the block back where it was.
func withDeleted(want *tree, n *node) []string {
	if n.stored == nil {
		return n.children
	}
	behind := map[string][]string{} // live child, or "" for the start → the deleted ones after it
	last := ""
	for _, child := range n.stored {
		switch {
		case !want.has(child):
			behind[last] = append(behind[last], child)
		case slices.Contains(n.children, child):
			last = child
		}
	}
	list := slices.Clone(behind[""])
	for _, child := range n.children {
		list = append(append(list, child), behind[child]...)
	}
	return list
}

// create makes the entities of nodes that have none yet and remembers their ids.
func (w *writer) create(ctx context.Context, nodes []*node, by publishing.UserID) error {
	if len(nodes) == 0 {
		return nil
	}
	if err := w.codesInUse(ctx); err != nil {
		return err
	}
	var boxes []containers.NewContainer
	var leaves []components.NewComponent
	var boxRefs, leafRefs []string
	for _, n := range nodes {
		if id, ok := refBlock(n.ref); ok && n.container {
			boxes = append(boxes, containers.NewContainer{Type: containerType(id.Type), Code: w.codes.containers.Add(id.Name),
				Ref: n.ref, Created: w.tx.Now(), By: by})
			boxRefs = append(boxRefs, n.ref)
			continue
		}
		kind, name := componentType(n.ref)
		if w.codes.components[kind] == nil {
			w.codes.components[kind] = slug.Taken{}
		}
		leaves = append(leaves, components.NewComponent{Type: kind, Code: w.codes.components[kind].Add(name),
			Ref: n.ref, Created: w.tx.Now(), By: by})
		leafRefs = append(leafRefs, n.ref)
	}
	boxIDs, err := containers.Create(ctx, w.tx, w.course.Package.ID, boxes)
	if err != nil {
		return err
	}
	leafIDs, err := components.Create(ctx, w.tx, w.course.Package.ID, leaves)
	if err != nil {
		return err
	}
	for i, ref := range boxRefs {
		w.entities[ref] = boxIDs[i]
	}
	for i, ref := range leafRefs {
		w.entities[ref] = leafIDs[i]
	}
	return nil
}

// componentType splits a leaf's ref into its component type and the name its code is made of.
func componentType(ref string) (components.Type, string) {
	if id, ok := refBlock(ref); ok {
		return components.Type{Namespace: blockNamespace, Name: id.Type}, id.Name
	}
	path, _ := refAsset(ref)
	return components.Type{Namespace: assetNamespace, Name: assetType}, path
}

// codesInUse reads the codes of the package, once: it is locked, so nobody else makes any.
func (w *writer) codesInUse(ctx context.Context) error {
	if w.codes != nil {
		return nil
	}
	used := &codes{slug.Taken{}, map[components.Type]slug.Taken{}}
	have, err := containers.Containers(ctx, w.tx, w.course.Package.ID, true)
	if err != nil {
		return err
	}
	for _, c := range have {
		used.containers[slug.Fold(c.Code)] = true
	}
	typed, err := components.Components(ctx, w.tx, w.course.Package.ID, components.Filter{})
	if err != nil {
		return err
	}
	for _, c := range typed {
		if used.components[c.Type] == nil {
			used.components[c.Type] = slug.Taken{}
		}
		used.components[c.Type][slug.Fold(c.Code)] = true
	}
	w.codes = used
	return nil
}

// What is turned into rows at a time, which bounds the memory that takes.
const (
	batch      = 2000    // nodes
	batchBytes = 4 << 20 // of their text
)

// batchText returns how many of nodes make the next batch, at least one: of those whose text is read or written.
func batchText(nodes []*node) int {
	text := int64(0)
	for i, n := range nodes[:min(batch, len(nodes))] {
		for _, f := range n.files {
			if !strings.HasPrefix(f.path, filesStatic) {
				text += f.size
			}
		}
		if text > batchBytes && i > 0 {
			return i
		}
	}
	return min(batch, len(nodes))
}

// version gives every node of want that is named its next version, which becomes its draft.
func (w *writer) version(ctx context.Context, cs *publishing.ChangeSet, want *tree, nodes []*node) error {
	for done := 0; done < len(nodes); {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := nodes[done : done+batchText(nodes[done:])]
		if err := w.versionBatch(ctx, cs, want, part); err != nil {
			return err
		}
		done += len(part)
		if w.progress != nil {
			w.progress(done, len(nodes))
		}
	}
	return nil
}

func (w *writer) versionBatch(ctx context.Context, cs *publishing.ChangeSet, want *tree, nodes []*node) error {
	files, err := w.store(ctx, nodes)
	if err != nil {
		return err
	}
	var boxes []containers.NewVersion
	var leaves []components.NewVersion
	var asBoxes, asLeaves []*node
	for i, n := range nodes {
		now := n.as(w.entities[n.ref], files[i])
		at, by := n.author(cs.At())
		if !n.container {
			leaves = append(leaves, components.NewVersion{Entity: now.entity, Title: n.title, Files: files[i], Created: at, By: by})
			asLeaves = append(asLeaves, now)
			continue
		}
		v := containers.NewVersion{Entity: now.entity, Title: n.title, Files: files[i], Created: at, By: by}
		children := withDeleted(want, n)
		now.stored, asBoxes = children, append(asBoxes, now)
		if n.version != 0 && slices.Equal(children, n.stored) {
			v.Base = n.version // the same children: share the list (content-model.md law 50)
			boxes = append(boxes, v)
			continue
		}
		for _, child := range children {
			id, ok := w.entities[child]
			if !ok {
				return fault.Errorf(fault.Internal, n.ref, "child %s has no entity", child)
			}
			v.Children = append(v.Children, containers.Child{Entity: id})
		}
		boxes = append(boxes, v)
	}
	leafIDs, leafNums, err := components.CreateVersions(ctx, cs, leaves)
	if err != nil {
		return err
	}
	boxIDs, boxNums, err := containers.CreateVersions(ctx, cs, boxes)
	if err != nil {
		return err
	}
	w.made(asLeaves, leafIDs, leafNums)
	w.made(asBoxes, boxIDs, boxNums)
	return nil
}

// as returns the node that the store will have for a wanted one, without its version and children.
func (n *node) as(entity publishing.EntityID, files []components.File) *node {
	out := &node{ref: n.ref, title: n.title, container: n.container, entity: entity, files: make([]file, len(files))}
	for i, f := range n.files {
		out.files[i] = file{path: f.path, digest: f.digest, size: f.size, media: files[i].Media}
	}
	return out
}

// author returns when and by whom a version of a wanted node was written, zeros for the change set's own. Years that not every
// engine keeps say nothing.
func (n *node) author(now time.Time) (at time.Time, by publishing.UserID) {
	if n.written.At.Year() < 1970 || n.written.At.After(now) {
		return at, 0
	}
	if by = n.written.By; by == 0 {
		by = publishing.Nobody
	}
	return n.written.At, by
}

// made notes the versions of nodes.
func (w *writer) made(nodes []*node, ids []publishing.VersionID, nums []int) {
	for i, n := range nodes {
		n.version, n.num = ids[i], nums[i]
		w.draft(n.ref, n)
	}
}

// store makes media of the files of nodes and returns them as the files of versions, aligned.
func (w *writer) store(ctx context.Context, nodes []*node) ([][]components.File, error) {
	out := make([][]components.File, len(nodes))
	var content []media.New
	var to []*components.File
	for i, n := range nodes {
		out[i] = make([]components.File, len(n.files))
		var encoded []olx.File
		for j, f := range n.files {
			out[i][j] = components.File{Path: f.path, Media: f.media}
			if f.media != 0 {
				continue
			}
			if f.data == nil && f.open == nil && encoded == nil {
				var err error
				if encoded, err = olx.EncodeBlock(n.block); err != nil {
					return nil, fmt.Errorf("encode %s: %w", n.ref, err)
				}
			}
			content = append(content, n.content(f, encoded))
			to = append(to, &out[i][j])
		}
	}
	stored, err := media.GetOrCreate(ctx, w.tx, w.media, w.course.Package, content, media.Options{Limit: -1})
	if err != nil {
		return nil, err
	}
	for i, m := range stored {
		to[i].Media = m.ID
	}
	return out, nil
}

// content describes a wanted file to package media: text in the row where that can hold it, static files on disk.
func (n *node) content(f file, encoded []olx.File) media.New {
	id, _ := refBlock(n.ref)
	mime := fileType(id.Type, f.path)
	if f.open != nil {
		return media.New{Type: mime, Open: f.open, Size: f.size, Digest: f.digest}
	}
	data := f.data
	if i := slices.IndexFunc(encoded, func(e olx.File) bool { return e.Path == f.path }); data == nil && i >= 0 {
		data = encoded[i].Data
	}
	text := string(data)
	return media.New{Type: mime, Text: &text}
}

// refs returns the set of refs in t for which is returns true.
func (t *tree) refs(is func(*node) bool) map[string]bool {
	out := map[string]bool{}
	for ref, n := range t.nodes {
		if is(n) {
			out[ref] = true
		}
	}
	return out
}

// equal reports whether two trees hold the same, apart from refs in keep that only b has.
func equal(want, have *tree, keep map[string]bool) bool {
	for ref, n := range want.nodes {
		if old := have.nodes[ref]; old == nil || !sameIn(want, n, old) {
			return false
		}
	}
	for ref := range have.nodes {
		if want.nodes[ref] == nil && !keep[ref] {
			return false
		}
	}
	return true
}
