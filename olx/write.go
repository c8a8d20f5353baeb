package olx

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// WriteOptions says how an archive is written.
type WriteOptions struct {
	// Key names the course or library in the archive; zero means that of the published tree.
	Key keys.Course
	// Skipped is told of each block whose draft the archive cannot hold: the format has no drafts of pages, of the settings
	// and order of a course and of chapters and sequentials that are published, nor of deletions. It may be nil.
	Skipped func(courseware.BlockID)
	// Progress is called as files are written. It may be nil.
	Progress func(done, total int)
}

// Write writes the canonical archive of a course or a library (olx.md §3): the published tree, drafts/ for the units that
// are drafted otherwise, policies and static files. The same state gives the same files. The writer is neither closed
// nor discarded.
//
// Errors are of kind fault.Invalid where a block cannot be named in an archive, and fault.Refused where nothing is
// published.
func Write(ctx context.Context, w *archive.Writer, st courseware.State, o WriteOptions) error {
	if st.Published == nil || st.Published.Blocks[st.Published.Root] == nil {
		return fault.Errorf(fault.Refused, o.Key.String(), "nothing is published").
			WithNext("publish first, or export the drafts by themselves")
	}
	if o.Key.IsZero() {
		o.Key = st.Published.Key
	}
	x := &exporter{
		course: st.Published, key: o.Key, move: mover{from: st.Published.Key, to: o.Key},
		files: map[string]courseware.Body{}, written: map[courseware.BlockID]bool{}, blocks: st.Published.Blocks,
	}
	x.published()
	if st.Draft != nil {
		x.drafts(st.Draft, o.Skipped)
	}
	if x.err != nil {
		return x.err
	}
	return x.flush(ctx, w, o.Progress)
}

// exporter collects the files of an archive in a spool, static ones by how they are opened.
type exporter struct {
	course  *courseware.Course
	key     keys.Course
	move    mover
	files   map[string]courseware.Body // from the course directory
	spool   courseware.Spool
	dir     string // "" or "drafts/"
	blocks  map[courseware.BlockID]*courseware.Block
	written map[courseware.BlockID]bool // in this tree
	err     error                       // the first
}

func (x *exporter) add(name string, data []byte) {
	if err := archive.CheckName(name); err != nil && x.err == nil {
		x.err = fault.Errorf(fault.Invalid, name, "cannot be the name of a file in an archive: %w", err).
			WithNext("give the block or the file another name")
	}
	if _, again := x.files[name]; again && x.err == nil {
		x.err = fault.Errorf(fault.Invalid, name, "two things would be this file").WithNext("give one of them another name")
	}
	if data == nil {
		data = []byte{}
	}
	body, err := x.spool.Keep(data)
	x.fail(err)
	x.files[name] = body
}

// fail remembers the first error.
func (x *exporter) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// data returns the body of a block.
func (x *exporter) data(b *courseware.Block) []byte {
	data, err := b.Data.Read()
	x.fail(err)
	return data
}

// element returns the element of a block with its child blocks.
func (x *exporter) element(b *courseware.Block, spec *fields.Block) *xmltree.Elem {
	e, err := printer{}.element(x.moved(b), spec)
	x.fail(err)
	return e.join(x.children(b))
}

// published adds everything but drafts.
func (x *exporter) published() {
	c := x.course
	root := c.Blocks[c.Root]
	spec := fields.Lookup(c.Root.Type)
	if spec == nil {
		x.err = fault.Errorf(fault.Invalid, c.Root.String(), "a course or a library is expected at the root")
		return
	}
	x.written[c.Root] = true
	e := x.element(root, spec)
	x.add(assetsFile, assetEntries(c, x.move))
	if c.Root.Type == "library" {
		e.Attrs = slices.Insert(e.Attrs, 0, xmltree.ElemAttr{Name: "url_name", Value: "library"})
		e.Set("org", x.key.Org()).Set("library", x.key.Code())
		x.add("library.xml", e.File())
		return
	}
	run, _ := x.key.Run()
	pointer := xmltree.NewElem("course").Set("url_name", run).Set("org", x.key.Org()).Set("course", x.key.Code())
	x.add("course.xml", pointer.Append(nil, 0))
	x.add("course/"+run+".xml", e.File())
	x.add("policies/"+run+"/policy.json", x.policy(x.moved(root), spec, run))
	x.add("policies/"+run+"/grading_policy.json", GradingPolicy(c.GradingPolicy))
	if c.AssetsXML != nil {
		x.add(assetsXMLFile, c.AssetsXML)
	} else {
		x.add(assetsXMLFile, []byte(noAssets))
	}
	x.detached()
}

// policy returns the policy file: all settings of the course, content left out (olx.md §1.11).
func (x *exporter) policy(b *courseware.Block, spec *fields.Block, run string) []byte {
	file := pyjson.Str("course/" + run + ".xml")
	extra := pyjson.Value{Kind: pyjson.Object}.With("filename", pyjson.Value{Kind: pyjson.Array, Items: []pyjson.Value{file, file}})
	for _, a := range b.Extra {
		extra = extra.With(a.Name, pyjson.Str(a.Value))
	}
	settings := pyjson.Value{Kind: pyjson.Object}.With("xml_attributes", extra)
	for _, bf := range b.Fields {
		if f, _ := spec.Field(bf.Name); !f.Content {
			settings = settings.With(bf.Name, fields.Parse(fields.Normal(f.Type, bf.Value)))
		}
	}
	return pyjson.Value{Kind: pyjson.Object}.With("course/"+run, settings).File()
}

func (x *exporter) moved(b *courseware.Block) *courseware.Block {
	return Move(b, x.move.from, x.move.to)
}

// children returns the elements of the child blocks: pointers for those that have files of their own.
func (x *exporter) children(b *courseware.Block) []*xmltree.Elem {
	var list []*xmltree.Elem
	for _, id := range b.Children {
		if child := x.blocks[id]; child != nil && !x.written[id] {
			x.written[id] = true
			list = append(list, x.child(child))
		}
	}
	return list
}

// child writes the file of a block where it has one, and returns the element that stands for it in its parent.
func (x *exporter) child(b *courseware.Block) *xmltree.Elem {
	spec := fields.Lookup(b.ID.Type)
	pointer := xmltree.NewElem(b.ID.Type).Set("url_name", b.ID.Name)
	switch {
	case (b.Opaque || spec == nil) && b.Form == courseware.FormFile:
		x.add(x.dir+definitionPath(b.ID), x.data(b))
		return pointer
	case b.Opaque || spec == nil:
		if b.Data.Len() == 0 {
			return pointer
		}
		return &xmltree.Elem{Verbatim: string(x.data(b))}
	}
	if !validName(b.ID.Name) && x.err == nil {
		x.err = fault.Errorf(fault.Invalid, b.ID.String(), "an archive cannot hold a block of this name").
			WithNext("give the block another name")
	}
	e := x.definition(b, spec)
	if spec.Class != fields.Legacy {
		return e
	}
	x.add(x.dir+definitionPath(b.ID), e.File())
	return pointer
}

// definition returns the element that defines a block, with its name where the format has it there, and writes the body of
// an html block.
func (x *exporter) definition(b *courseware.Block, spec *fields.Block) *xmltree.Elem {
	e := x.element(b, spec)
	name := xmltree.ElemAttr{Name: "url_name", Value: b.ID.Name}
	switch {
	case spec.Body == fields.HTML:
		p := "html/" + namePath(b.ID.Name)
		e.Attrs = slices.Insert(e.Attrs, 0, xmltree.ElemAttr{Name: "filename", Value: p[strings.LastIndexByte(p, '/')+1:]})
		x.add(x.dir+p+".html", x.data(b))
	case spec.Body == fields.Video:
		at := 0
		if len(e.Attrs) > 0 && e.Attrs[0].Name == "youtube" {
			at = 1
		}
		e.Attrs = slices.Insert(e.Attrs, at, name)
	case spec.Class == fields.Inline:
		e.Attrs = append(e.Attrs, name)
	case spec.Class != fields.Legacy:
		e.Attrs = slices.Insert(e.Attrs, 0, name)
	}
	return e
}

// drafts adds the units that are drafted otherwise than published, whole (olx.md §1.15, §3.1).
func (x *exporter) drafts(draft *courseware.Course, skipped func(courseware.BlockID)) {
	pub := x.course.Blocks
	x.dir, x.blocks, x.written = "drafts/", draft.Blocks, map[courseware.BlockID]bool{draft.Root: true}
	skip := func(id courseware.BlockID) {
		if skipped != nil {
			skipped(id)
		}
	}
	parents := Parents(x.course)
	var visit func(b *courseware.Block)
	visit = func(b *courseware.Block) {
		if old := pub[b.ID]; old != b && (!sameSettings(old, b) || !sameOrder(old.Children, b.Children)) {
			skip(b.ID)
		}
		for i, id := range b.Children {
			child := draft.Blocks[id]
			switch {
			case child == nil || x.written[id]:
			case !isDraftable(id.Type) && pub[id] != nil:
				if x.written[id] = true; parents[id] != b.ID {
					skip(id)
				}
				visit(child)
			case parents[id] == b.ID && !x.differs(child, map[courseware.BlockID]bool{}):
			case !x.draftRoot(child, b.ID, i):
				skip(id)
			}
		}
	}
	if root := draft.Blocks[draft.Root]; root != nil && pub[draft.Root] != nil {
		visit(root)
	}
	drafted := Parents(draft)
	for _, id := range slices.SortedFunc(maps.Keys(pub), courseware.BlockID.Compare) {
		old, now := pub[id], draft.Blocks[id]
		_, below := parents[id]
		switch page := isDetached(id.Type); {
		case now == nil && (page || !isDraftable(id.Type) || below && !isDraftable(parents[id].Type) && draft.Blocks[parents[id]] != nil):
			skip(id) // a deletion; one inside a draft unit is that unit's list
		case now != nil && below && !isDraftable(parents[id].Type) && isDraftable(drafted[id].Type):
			skip(id) // a unit moved into another: no draft takes it out of its published list
		case now != nil && page && old != now && !old.Equal(now):
			skip(id)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(draft.Blocks), courseware.BlockID.Compare) {
		if isDetached(id.Type) && pub[id] == nil {
			skip(id)
		}
	}
}

// sameOrder reports whether the ids that two lists share stand in the same order in both.
func sameOrder(a, b []courseware.BlockID) bool {
	shared := func(list, other []courseware.BlockID) []courseware.BlockID {
		in := make(map[courseware.BlockID]bool, len(other))
		for _, id := range other {
			in[id] = true
		}
		return slices.DeleteFunc(slices.Clone(list), func(id courseware.BlockID) bool { return !in[id] })
	}
	return slices.Equal(shared(a, b), shared(b, a))
}

// isDetached reports whether blocks of the type are files beside the tree.
func isDetached(blockType string) bool {
	spec := fields.Lookup(blockType)
	return spec != nil && spec.Class == fields.Detached
}

// sameSettings reports whether two blocks differ in their children at most.
func sameSettings(a, b *courseware.Block) bool {
	c := *b
	c.Children = a.Children
	return a.Equal(&c)
}

// differs reports whether a drafted block or one below it is not as it is published.
func (x *exporter) differs(b *courseware.Block, seen map[courseware.BlockID]bool) bool {
	if seen[b.ID] {
		return false
	}
	seen[b.ID] = true
	old := x.course.Blocks[b.ID]
	if old == nil || old != b && !old.Equal(b) {
		return true
	}
	for _, id := range b.Children {
		if child := x.blocks[id]; child != nil && x.differs(child, seen) {
			return true
		}
	}
	return false
}

// draftRoot writes a draft with what is below it, and where it belongs. It reports false for one that cannot say where: what
// is no XML.
func (x *exporter) draftRoot(b *courseware.Block, parent courseware.BlockID, index int) bool {
	u, err := x.key.Usage(parent.Type, parent.Name)
	if err != nil {
		return false
	}
	var e *xmltree.Elem
	if spec := fields.Lookup(b.ID.Type); !b.Opaque && spec != nil {
		x.written[b.ID] = true
		e = x.definition(b, spec)
	} else {
		doc, err := xmltree.Parse(b.ID.String(), x.data(b), xmltree.Limits{})
		if err != nil {
			return false
		}
		x.written[b.ID] = true
		e = doc.Root.Start()
		e.Inner = doc.Root.Inner()
	}
	e.Set("parent_url", u.String()).Set("index_in_children_list", strconv.Itoa(index))
	x.add("drafts/"+definitionPath(b.ID), e.File())
	return true
}

// flush writes the files in their order, static ones as they are opened.
func (x *exporter) flush(ctx context.Context, w *archive.Writer, progress func(done, total int)) error {
	type entry struct {
		name string
		size int64
		open func() (io.ReadCloser, error)
		data courseware.Body
	}
	folder := x.course.Root.Type + "/"
	list := make([]entry, 0, len(x.files)+len(x.course.Assets))
	for name, data := range x.files {
		list = append(list, entry{name: folder + name, data: data})
	}
	for _, a := range x.course.Assets {
		if a.Size >= 0 {
			list = append(list, entry{name: folder + "static/" + a.Path, size: a.Size, open: a.Open})
		}
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	for i, e := range list {
		err := ctx.Err()
		switch {
		case err != nil:
		case e.open == nil:
			var data []byte
			if data, err = e.data.Read(); err == nil {
				err = w.AddBytes(e.name, data)
			}
		default:
			err = w.Add(e.name, e.size, e.open)
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", e.name, err)
		}
		if progress != nil {
			progress(i+1, len(list))
		}
	}
	return nil
}
