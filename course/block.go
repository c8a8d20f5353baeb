package course

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/slug"
	"github.com/openlectern/lectern/olx"
)

// BlockState says how a block's draft stands to what is published.
type BlockState string

// The states (cli.md, course show).
const (
	StateNew       BlockState = "new"
	StateChanged   BlockState = "changed"
	StatePublished BlockState = "published"
	StateDeleted   BlockState = "deleted" // and the deletion is not published yet
)

// BlockView is one block for people: its OLX without child blocks, and where it stands.
type BlockView struct {
	Key     string     `json:"key"`
	Version int        `json:"version"`
	OLX     string     `json:"olx"`
	State   BlockState `json:"state"`
	Parent  *string    `json:"parent"` // null for the root and for pages
	Index   *int       `json:"index"`
}

// Stale is the data of a Conflict: what the edit started from and what the draft is by now.
type Stale struct {
	Base  Side `json:"base"`
	Draft Side `json:"draft"`
}

// Side is one side of a conflict.
type Side struct {
	Version int    `json:"version"`
	OLX     string `json:"olx"`
}

// Block shows a block as it was at a moment; NotFound when it was not there.
func (c *Course) Block(ctx context.Context, q db.Querier, files media.Files, id courseware.BlockID, m Moment) (*BlockView, error) {
	if m.now { // the usual case, whatever the size of the course
		return c.blockNow(ctx, q, files, id, m)
	}
	t, err := c.snapshot(ctx, q, m.state())
	if err != nil {
		return nil, err
	}
	published, err := c.publishedAt(ctx, q, m)
	if err != nil {
		return nil, err
	}
	return c.view(ctx, q, files, t, published, id)
}

func (c *Course) blockNow(ctx context.Context, q db.Querier, files media.Files, id courseware.BlockID, m Moment) (*BlockView, error) {
	ref := blockRef(id)
	parent, err := c.parent(ctx, q, ref, m.Published)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	t, err := c.part(ctx, q, m.state(), ref, parent)
	if err != nil {
		return nil, err
	}
	published, err := c.part(ctx, q, publishing.Published(), ref)
	if err != nil {
		return nil, err
	}
	return c.view(ctx, q, files, t, published, id)
}

// near reads the drafts of refs and of their parents; the whole drafts where one of refs holds other blocks, for what is
// done to it may concern everything below.
func (c *Course) near(refs ...string) func(context.Context, db.Querier) (*tree, error) {
	return func(ctx context.Context, q db.Querier) (*tree, error) {
		t, err := c.part(ctx, q, publishing.Draft(), refs...)
		if err != nil {
			return nil, err
		}
		with := refs
		for n := range t.live() {
			if n.container {
				return c.whole(ctx, q)
			}
			parent, err := c.parent(ctx, q, n.ref, false)
			if err != nil {
				return nil, err
			}
			with = append(with, parent)
		}
		return c.part(ctx, q, publishing.Draft(), with...)
	}
}

// only reads the drafts of refs.
func (c *Course) only(refs ...string) func(context.Context, db.Querier) (*tree, error) {
	return func(ctx context.Context, q db.Querier) (*tree, error) {
		return c.part(ctx, q, publishing.Draft(), refs...)
	}
}

func blockRefs(ids []courseware.BlockID) []string {
	refs := make([]string, len(ids))
	for i, id := range ids {
		refs[i] = blockRef(id)
	}
	return refs
}

func (c *Course) view(ctx context.Context, q db.Querier, files media.Files, t, published *tree, id courseware.BlockID) (*BlockView, error) {
	n := t.nodes[blockRef(id)]
	if n == nil {
		return nil, fault.Errorf(fault.NotFound, c.blockKey(id), "no such block at that moment").
			WithNext("see the blocks with: lectern course show " + c.Key.String())
	}
	text, err := c.print(ctx, q, files, id, n)
	if err != nil {
		return nil, err
	}
	v := &BlockView{Key: c.blockKey(id), Version: n.num, OLX: text, State: stateOf(n, published)}
	if parent, ok := t.parents()[n.ref]; ok {
		key, index := c.refKey(parent), t.index(parent, n.ref)
		v.Parent, v.Index = &key, &index
	}
	return v, nil
}

func stateOf(n *node, published *tree) BlockState {
	switch was := published.nodes[n.ref]; {
	case was == nil:
		return StateNew
	case was.version != n.version:
		return StateChanged
	}
	return StatePublished
}

func (c *Course) print(ctx context.Context, q db.Querier, files media.Files, id courseware.BlockID, n *node) (string, error) {
	content, err := c.readNodes(ctx, q, files, []*node{n})
	if err != nil {
		return "", err
	}
	b, err := decode(id, n, content)
	if err != nil {
		return "", err
	}
	text, err := olx.PrintBlock(b)
	return string(text), err
}

// Author says who changes blocks and why, for the log.
type Author struct {
	By      publishing.UserID
	Message string
}

func (a Author) meta(kind publishing.Kind) publishing.Meta {
	return publishing.Meta{By: a.By, Kind: kind, Message: a.Message}
}

// Edit replaces the OLX of a block, which keeps its children. With base not nil the edit is a Conflict, with both sides
// as data, when the draft is no longer the version with that number. An edit that changes nothing writes nothing.
func (c *Course) Edit(ctx context.Context, tx *db.Tx, files media.Files, id courseware.BlockID, src []byte, base *int, a Author) (*Report, error) {
	ref := blockRef(id)
	return c.rework(ctx, tx, files, a.meta(publishing.KindEdit), c.only(ref), nil, func(now *tree) (*tree, error) {
		n := now.nodes[ref]
		if n == nil {
			return nil, c.noDraft(id)
		}
		if base != nil && *base != n.num {
			return nil, c.stale(ctx, tx, files, id, n, *base)
		}
		edited, err := c.edited(ctx, tx, files, id, n, src)
		if err != nil {
			return nil, err
		}
		want := now.clone()
		want.put(edited)
		return want, nil
	})
}

func (c *Course) noDraft(id courseware.BlockID) error {
	return fault.Errorf(fault.NotFound, c.blockKey(id), "no such block in the draft").
		WithNext("see the blocks with: lectern course show " + c.Key.String())
}

// edited returns n with the content of src.
func (c *Course) edited(ctx context.Context, q db.Querier, files media.Files, id courseware.BlockID, n *node, src []byte) (*node, error) {
	content, err := c.readNodes(ctx, q, files, []*node{n})
	if err != nil {
		return nil, err
	}
	old, err := decode(id, n, content)
	if err != nil {
		return nil, err
	}
	b, err := parse(src, id)
	if err != nil {
		return nil, err
	}
	b.ID, b.Container, b.Children, b.Form, b.Path = id, old.Container, old.Children, old.Form, old.Path
	encoded, err := olx.EncodeBlock(b)
	if err != nil {
		return nil, err
	}
	out := n.copy()
	out.title = cut(b.Title(), maxTitle)
	out.files = slices.DeleteFunc(out.files, func(f file) bool { return f.path != fileGrading && f.path != fileAssetsXML })
	for _, f := range encoded {
		out.files = append(out.files, memoryFile(f.Path, f.Data))
	}
	sortFiles(out.files)
	return out, nil
}

// parse reads the OLX of one block and checks that it is of the block meant: its tag is the type, and its url_name, when
// it has one, the name.
func parse(src []byte, id courseware.BlockID) (*courseware.Block, error) {
	b, err := olx.ParseBlock(src, id.String())
	if err != nil {
		return nil, err
	}
	switch {
	case b.ID.Type != id.Type:
		return nil, fault.Errorf(fault.Invalid, id.String(), "the OLX is of a %s", b.ID.Type)
	case b.ID.Name != "" && id.Name != "" && b.ID.Name != id.Name && b.ID.Type != "course":
		return nil, fault.Errorf(fault.Invalid, id.String(), "the OLX has the url_name %q", b.ID.Name).
			WithNext("leave url_name out, or make another block with: lectern block create")
	}
	return b, nil
}

// stale tells of an edit whose base is no longer the draft.
func (c *Course) stale(ctx context.Context, q db.Querier, files media.Files, id courseware.BlockID, n *node, base int) error {
	draft, err := c.print(ctx, q, files, id, n)
	if err != nil {
		return err
	}
	both := Stale{Base: Side{Version: base}, Draft: Side{n.num, draft}}
	v, err := publishing.VersionByNum(ctx, q, n.entity, base)
	switch {
	case fault.Is(err, fault.NotFound):
		return fault.Errorf(fault.NotFound, c.blockKey(id), "it has no version %d", base)
	case err != nil:
		return err
	}
	old, err := c.versionNode(ctx, q, n, v)
	if err != nil {
		return err
	}
	if both.Base.OLX, err = c.print(ctx, q, files, id, old); err != nil {
		return err
	}
	e := fault.Errorf(fault.Conflict, c.blockKey(id), "the draft is version %d by now, not %d", n.num, base).
		WithNext("bring both sides together and edit again with --base " + itoa(n.num))
	e.Data = both
	return e
}

// Place to put a block: under a parent at an index among its children, -1 for the end.
type Position struct {
	Parent courseware.BlockID
	Index  int
}

// Create adds a block to the draft, under a parent unless it is a page. With an empty name in id the OLX's url_name is
// taken, else 32 new hex digits. A block that exists, also one that is deleted, is a Conflict: ids are never reused.
func (c *Course) Create(ctx context.Context, tx *db.Tx, files media.Files, id courseware.BlockID, src []byte, at Position, a Author) (courseware.BlockID, *Report, error) {
	name := "the OLX"
	if !id.IsZero() {
		name = id.String()
	}
	b, err := olx.ParseBlock(src, name)
	if err != nil {
		return id, nil, err
	}
	if id.IsZero() {
		id = b.ID
	}
	if b, err = parse(src, id); err != nil {
		return id, nil, err
	}
	if id.Type == "course" || id.Type == "library" {
		return id, nil, fault.Errorf(fault.Invalid, id.String(), "a %s is never inside another", id.Type).
			WithNext("bring it in as a course of its own with: lectern " + id.Type + " import")
	}
	if id.Name == "" {
		id.Name = newName()
	}
	b.ID = id
	report, err := c.rework(ctx, tx, files, a.meta(publishing.KindEdit), c.only(blockRef(id), blockRef(at.Parent)), nil, func(now *tree) (*tree, error) {
		if err := c.free(ctx, tx, now, id); err != nil {
			return nil, err
		}
		want := now.clone()
		state := &courseware.Course{Key: c.Key, Blocks: map[courseware.BlockID]*courseware.Block{}}
		if err := want.wantBlock(state, b); err != nil {
			return nil, err
		}
		if detachedTypes[id.Type] {
			return want, nil
		}
		return want, c.insert(want, blockRef(id), at)
	})
	return id, report, err
}

var detachedTypes = map[string]bool{
	courseware.TypeAbout: true, courseware.TypeCourseInfo: true, courseware.TypeStaticTab: true, courseware.TypeCustomTagTemplate: true,
}

func newName() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// free refuses ids that are in use, or differ from one in use by case or accents alone (content-schema.md §5).
func (c *Course) free(ctx context.Context, q db.Querier, now *tree, id courseware.BlockID) error {
	entities, err := publishing.Entities(ctx, q, c.Package.ID)
	if err != nil {
		return err
	}
	ref := blockRef(id)
	for _, e := range entities {
		switch {
		case e.Ref == ref && now.nodes[ref] == nil:
			return fault.Errorf(fault.Conflict, c.blockKey(id), "the course had this block and it is deleted").
				WithNext("bring it back with: lectern course restore " + c.Key.String() + " --at MOMENT " + c.blockKey(id))
		case e.Ref == ref:
			return fault.Errorf(fault.Conflict, c.blockKey(id), "the block exists").WithNext("choose another name, or use: lectern block edit")
		case len(e.Ref) > len(blockPrefix) && slug.Fold(e.Ref) == slug.Fold(ref):
			return fault.Errorf(fault.Conflict, c.blockKey(id), "%s differs from it by case or accents alone", c.refKey(e.Ref)).
				WithNext("choose another name")
		}
	}
	return nil
}

// insert puts ref among the children of a parent in t.
func (c *Course) insert(t *tree, ref string, at Position) error {
	if at.Parent.IsZero() {
		return fault.Errorf(fault.Usage, c.refKey(ref), "the block needs a parent").WithNext("name it with --parent KEY")
	}
	p := t.nodes[blockRef(at.Parent)]
	switch {
	case p == nil:
		return c.noDraft(at.Parent)
	case !p.container:
		return fault.Errorf(fault.Invalid, c.blockKey(at.Parent), "a %s holds no other blocks", at.Parent.Type).WithNext("name a parent that does")
	case at.Index > len(p.children):
		return fault.Errorf(fault.Usage, c.blockKey(at.Parent), "it has %d children, so there is no index %d", len(p.children), at.Index).
			WithNext(fmt.Sprintf("name an index from 0 to %d, or none for the end", len(p.children)))
	}
	p = p.copy()
	if at.Index < 0 {
		at.Index = len(p.children)
	}
	p.children = slices.Insert(p.children, at.Index, ref)
	t.put(p)
	return nil
}

// Move puts blocks, in the order given, under a parent from an index on; with no parent each stays under its own. A block
// cannot go below itself.
func (c *Course) Move(ctx context.Context, tx *db.Tx, files media.Files, ids []courseware.BlockID, at Position, base *int, a Author) (*Report, error) {
	target := blockRef(at.Parent)
	read := func(ctx context.Context, q db.Querier) (*tree, error) {
		t, err := c.near(blockRefs(ids)...)(ctx, q)
		if err != nil || t.nodes[t.root] != nil || at.Parent.IsZero() {
			return t, err
		}
		return c.part(ctx, q, publishing.Draft(), append(slices.Clone(t.order), target)...)
	}
	return c.rework(ctx, tx, files, a.meta(publishing.KindEdit), read, nil, func(now *tree) (*tree, error) {
		want := now.clone()
		for i, id := range ids {
			ref := blockRef(id)
			up, ok := now.parents()[ref]
			switch {
			case slices.Contains(ids[:i], id):
				return nil, fault.Errorf(fault.Usage, c.blockKey(id), "the block is named twice").WithNext("name each block once")
			case now.nodes[ref] == nil:
				return nil, c.noDraft(id)
			case base != nil && *base != now.nodes[ref].num:
				return nil, c.stale(ctx, tx, files, id, now.nodes[ref], *base)
			case !ok:
				return nil, fault.Errorf(fault.Refused, c.blockKey(id), "it stands under no parent, so it cannot move").
					WithNext("move the blocks in it instead")
			case slices.Contains(now.below(ref), target):
				return nil, fault.Errorf(fault.Invalid, c.blockKey(at.Parent), "a block cannot go below itself: it is in %s", c.blockKey(id)).
					WithNext("name a parent that is not in it")
			}
			p := want.nodes[up].copy()
			p.children = slices.DeleteFunc(p.children, func(r string) bool { return r == ref })
			want.put(p)
		}
		for i, id := range ids {
			next := at
			if at.Index >= 0 {
				next.Index += i
			}
			if at.Parent.IsZero() {
				next.Parent, _ = refBlock(now.parents()[blockRef(id)])
			}
			if err := c.insert(want, blockRef(id), next); err != nil {
				return nil, err
			}
		}
		return want, nil
	})
}

// Delete takes blocks, with everything below them, out of the draft. Their parents' lists stay as they are, so that
// undoing brings them back in their places (design.md §4).
func (c *Course) Delete(ctx context.Context, tx *db.Tx, files media.Files, ids []courseware.BlockID, base *int, a Author) (*Report, error) {
	return c.rework(ctx, tx, files, a.meta(publishing.KindDelete), c.near(blockRefs(ids)...), nil, func(now *tree) (*tree, error) {
		want := now.clone()
		for _, id := range ids {
			ref := blockRef(id)
			switch n := now.nodes[ref]; {
			case n == nil:
				return nil, c.noDraft(id)
			case id == c.RootID():
				return nil, fault.Errorf(fault.Refused, c.blockKey(id), "the root of a course cannot be deleted").
					WithNext("delete the course with: lectern course delete " + c.Key.String())
			case base != nil && *base != n.num:
				return nil, c.stale(ctx, tx, files, id, n, *base)
			}
			for _, r := range now.below(ref) {
				delete(want.nodes, r)
			}
		}
		want.prune(nil)
		return want, nil
	})
}
