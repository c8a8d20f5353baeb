package olx

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

// draftRoot is the file of a block that is drafted under a parent of the published tree (olx.md §1.15).
type draftRoot struct {
	file    string
	node    *xmltree.Node
	written string // its name by its file
	id      courseware.BlockID
	parent  courseware.BlockID
	index   int
}

// readDrafts reads the draft tree, which is the published one with the roots below drafts/ over it (olx.md §2.6).
func (l *loader) readDrafts() {
	roots, bad := l.draftRoots()
	if len(roots)+len(bad) == 0 {
		return
	}
	pub := l.course
	draft := *pub
	draft.Blocks = maps.Clone(pub.Blocks)
	t := l.newTree("drafts/")
	t.blocks, t.places = map[courseware.BlockID]*courseware.Block{}, map[courseware.BlockID]Place{}
	isRoot := map[courseware.BlockID]bool{}
	for _, r := range roots {
		isRoot[r.id] = true
	}
	l.sortRoots(roots)
	l.moveRoots(&draft, roots)
	// First those under blocks that are no roots, whose descendants may be roots too; then what these did not name.
	for _, nested := range [...]bool{false, true} {
		for _, r := range roots {
			if l.ctx.Err() == nil && !t.read[r.file] && isRoot[r.parent] == nested {
				l.readDraft(t, &draft, r)
			}
		}
	}
	for _, p := range bad {
		if !t.read[p.file] { // or it is a part of a draft, which has only the word in it
			l.fail(p)
		}
	}
	for id, b := range t.blocks {
		old := pub.Blocks[id]
		if old != nil && old.Equal(b) {
			continue
		}
		draft.Blocks[id] = b
		if old == nil {
			l.res.Places[id] = t.places[id]
		}
	}
	l.finishDraft(&draft)
}

// draftRoots returns the files below drafts/ that are roots, and those that would be if they were right.
func (l *loader) draftRoots() (roots []draftRoot, bad []*problem) {
	for _, file := range l.a.Under("drafts") {
		if isJunk(path.Base(file)) || path.Ext(file) != ".xml" {
			continue
		}
		data, p := l.read(file)
		delete(l.used, file)
		if p != nil || !bytes.Contains(data, []byte("index_in_children_list")) {
			continue
		}
		n, _, p := l.xml(file)
		if p == nil {
			var r draftRoot
			if r, p = l.draftRoot(file, n); p == nil {
				roots = append(roots, r)
			}
		}
		if p != nil {
			bad = append(bad, p)
		}
	}
	return roots, bad
}

func (l *loader) draftRoot(file string, n *xmltree.Node) (draftRoot, *problem) {
	r := draftRoot{file: file, node: n}
	r.id.Type = n.Name.String()
	if impl, ok := fields.Alias(r.id.Type); ok {
		r.node, r.id.Type = aliased(n, impl), "customtag"
	}
	if partOfCourse(r.id.Type) == nil {
		r.id.Type = validID(strings.ReplaceAll(r.id.Type, ":", "_"))
	}
	_, name, ok := strings.Cut(strings.TrimPrefix(file, "drafts/"), "/")
	if !ok {
		name = path.Base(file)
	}
	r.written = strings.ReplaceAll(strings.TrimSuffix(name, ".xml"), "/", ":")
	r.id.Name = validID(r.written)
	parent, ok := n.Attr("parent_url")
	if !ok {
		parent, _ = n.Attr("parent_sequential_url")
	}
	u, err := keys.ParseUsage(parent)
	if err != nil {
		return r, &problem{file, n.Line(), ruleDangling, "the draft has no parent_url that names a block", "name the parent's usage key"}
	}
	r.parent = courseware.BlockID{Type: u.Type(), Name: validID(u.ID())}
	if u.Type() == "course" {
		r.parent = l.course.Root
	}
	if l.course.Blocks[r.parent] == nil && !l.has("drafts/"+definitionPath(r.parent)) {
		return r, &problem{file, n.AttrLine("parent_url"), ruleDangling,
			fmt.Sprintf("the parent of the draft, %s, is not in the archive", r.parent), "add the parent, or remove the draft"}
	}
	if !isDraftable(r.id.Type) && l.course.Blocks[r.id] != nil {
		return r, &problem{file, n.Line(), ruleElement,
			fmt.Sprintf("a %s that is published cannot be drafted otherwise", r.id.Type), "put the change into the published file"}
	}
	text, _ := n.Attr("index_in_children_list")
	if r.index, err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
		r.index = math.MaxInt
		l.note().warn(file, n.AttrLine("index_in_children_list"), ruleSetting, "write the place among the children, from 0",
			"the draft's index_in_children_list is no number; it goes to the end")
	}
	return r, nil
}

// sortRoots puts roots into the order of their parents in the course, then of their indexes, then of their files.
func (l *loader) sortRoots(roots []draftRoot) {
	order := map[courseware.BlockID]int{}
	for b := range l.course.Walk() {
		order[b.ID] = len(order)
	}
	place := func(r draftRoot) int {
		if at, ok := order[r.parent]; ok {
			return at
		}
		return len(order)
	}
	slices.SortStableFunc(roots, func(x, y draftRoot) int {
		return cmp.Or(cmp.Compare(place(x), place(y)), cmp.Compare(x.index, y.index), strings.Compare(x.file, y.file))
	})
}

// moveRoots takes roots that are drafted under another parent than the published one from that.
func (l *loader) moveRoots(draft *courseware.Course, roots []draftRoot) {
	parents := Parents(l.course)
	for _, r := range roots {
		old, ok := parents[r.id]
		if to := draft.Blocks[r.parent]; !ok || old == r.parent || to == nil || !to.Container {
			continue
		}
		changed := *draft.Blocks[old]
		changed.Children = slices.DeleteFunc(slices.Clone(changed.Children), func(id courseware.BlockID) bool { return id == r.id })
		draft.Blocks[old] = &changed
	}
}

// readDraft reads a root with what is below it, and puts it among the children of its parent where it is not there.
func (l *loader) readDraft(t *tree, draft *courseware.Course, r draftRoot) {
	parent := cmp.Or(t.blocks[r.parent], draft.Blocks[r.parent])
	if parent == nil || !parent.Container {
		l.fail(&problem{r.file, r.node.Line(), ruleDangling,
			fmt.Sprintf("the parent of the draft, %s, holds no blocks", r.parent), "repair the parent, or remove the draft"})
		return
	}
	if _, taken := t.files[r.id]; taken {
		l.fail(&problem{r.file, r.node.Line(), ruleDuplicate,
			fmt.Sprintf("the name %s is taken by another draft", r.id), "give every block a url_name of its own"})
		return
	}
	t.files[r.id], t.read[r.file] = r.file, true
	l.used[r.file] = true
	if spec := partOfCourse(r.id.Type); spec == nil {
		t.keep(r.id, courseware.FormFile, unplaced(r.node).File(), Place{r.file, r.node.Line()})
	} else if p := t.file(r.node, spec, r.id, r.written); p != nil {
		l.fail(p)
		t.keep(r.id, courseware.FormFile, []byte(r.node.Document().Src), Place{r.file, p.line})
	}
	if slices.Contains(parent.Children, r.id) {
		return
	}
	changed := *parent
	changed.Children = slices.Insert(slices.Clone(parent.Children), min(max(r.index, 0), len(parent.Children)), r.id)
	if t.blocks[r.parent] != nil {
		t.blocks[r.parent] = &changed
	} else {
		draft.Blocks[r.parent] = &changed
	}
}

// published takes a block of the published tree, with all below it, as a part of the draft tree: an archive that leaves
// out the unchanged parts of a draft.
func (t *tree) published(id courseware.BlockID) {
	b := t.l.course.Blocks[id]
	if _, taken := t.files[id]; taken || b == nil {
		return
	}
	t.files[id] = ""
	t.blocks[id] = b
	for _, child := range b.Children {
		t.published(child)
	}
}

// finishDraft keeps of the draft tree what can be reached, every block at its first place, and takes it over where it
// differs from the published one.
func (l *loader) finishDraft(draft *courseware.Course) {
	pub := l.course
	blocks := map[courseware.BlockID]*courseware.Block{}
	for id, b := range draft.Blocks {
		if spec := fields.Lookup(id.Type); spec != nil && spec.Class == fields.Detached && !b.Opaque {
			blocks[id] = b
		}
	}
	var visit func(id courseware.BlockID)
	visit = func(id courseware.BlockID) {
		b := draft.Blocks[id]
		blocks[id] = b
		children := make([]courseware.BlockID, 0, len(b.Children))
		for _, child := range b.Children {
			if draft.Blocks[child] == nil || blocks[child] != nil {
				at := l.res.Places[child]
				l.note().warn(at.File, at.Line, ruleDuplicate, "make a copy of the block under another name",
					"%s is in the drafts a second time; it stays at its first place only", child)
				continue
			}
			children = append(children, child)
			visit(child)
		}
		if len(children) < len(b.Children) {
			changed := *b
			changed.Children = children
			blocks[id] = &changed
		}
	}
	visit(draft.Root)
	draft.Blocks = blocks
	for id, b := range blocks {
		if b != pub.Blocks[id] {
			l.res.State.Draft = draft
			return
		}
	}
	if len(blocks) != len(pub.Blocks) {
		l.res.State.Draft = draft
	}
}

// isDraftable reports whether a published block of a type can be drafted otherwise in an archive (olx.md §1.15).
func isDraftable(blockType string) bool {
	switch blockType {
	case "course", "chapter", "sequential":
		return false
	}
	return true
}
