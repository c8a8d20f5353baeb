package olx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

// maxNesting is how deep blocks may be nested through pointers; each file by itself is bounded by the XML limits.
const maxNesting = 256

// tree reads one tree of blocks: the main one, or below drafts/ the drafted one.
type tree struct {
	l      *loader
	dir    string // where files are looked for: "" or "drafts/"
	blocks map[courseware.BlockID]*courseware.Block
	places map[courseware.BlockID]Place
	files  map[courseware.BlockID]string // the definition files of blocks, "" for inline ones; all taken ids are in it
	read   map[string]bool               // the definition files that are blocks of the tree
	copies map[courseware.BlockID]int    // the last number given to a copy of that name
	depth  int
}

func (l *loader) newTree(dir string) *tree {
	return &tree{
		l: l, dir: dir, blocks: l.course.Blocks, places: l.res.Places, files: map[courseware.BlockID]string{},
		read: map[string]bool{}, copies: map[courseware.BlockID]int{},
	}
}

// root reads the course or library from its root element down.
func (t *tree) root(n *xmltree.Node) error {
	l := t.l
	kind := n.Name.String()
	spec := fields.Lookup(kind)
	name := courseware.RootName
	if kind == "library" {
		name = "library"
	} else if file := "course/" + l.run + ".xml"; isCoursePointer(n) || n.Empty() && l.has(file) && onlyIdentity(n) {
		root, _, p := l.xml(file)
		switch {
		case !l.has(file):
			return missing("course file", file, n.File(), n.Line())
		case p != nil:
			return p
		case isCoursePointer(root) || isPointer(root):
			return pointerInPointer(root, l.run)
		}
		if root.Name.String() != kind {
			l.note().warn(file, root.Line(), ruleTag, "make it a <course> element", "the file of the course holds a <%s>", root.Name)
		}
		n = root
	}
	id := courseware.BlockID{Type: kind, Name: name}
	l.course.Root = id
	t.files[id] = n.File()
	b := t.define(n, spec, id, l.run, nil)
	l.finishRoot(b)
	return nil
}

// onlyIdentity reports whether a course element says nothing but which course it is.
func onlyIdentity(n *xmltree.Node) bool {
	for _, a := range n.Attrs {
		switch a.Name.String() {
		case "url_name", "slug", "name", "org", "course":
		default:
			return false
		}
	}
	return true
}

// define makes the block of an element that defines it, its children first, and puts it into the tree. written is the
// name that policies know it by, body what another file holds of it.
func (t *tree) define(n *xmltree.Node, spec *fields.Block, id courseware.BlockID, written string, body []byte) *courseware.Block {
	d := decoder{note: t.l.note()}
	b, inside := d.element(n, spec)
	b.ID = id
	if body != nil {
		b.Data = courseware.Bytes(body)
	}
	t.places[id] = Place{n.File(), n.Line()}
	t.depth++
	for _, c := range inside {
		if child, ok := t.child(c); ok {
			b.Children = append(b.Children, child)
		}
	}
	t.depth--
	if t.dir == "" && t.l.policy != nil {
		t.l.policy.apply(d, b, spec, written)
	}
	b = t.l.move.block(b)
	if data, _ := b.Data.Read(); data != nil { // in memory until here
		b.Data = t.l.keep(data)
	}
	t.blocks[id] = b
	return b
}

// child reads an element that is a child block and returns its id. ok is false for one that adds nothing to its parent.
func (t *tree) child(n *xmltree.Node) (id courseware.BlockID, ok bool) {
	tag := n.Name.String()
	if impl, ok := fields.Alias(tag); ok {
		n, tag = aliased(n, impl), "customtag"
	}
	id.Type = tag
	spec := partOfCourse(tag)
	if spec == nil {
		id.Type = validID(strings.ReplaceAll(tag, ":", "_"))
	}
	if t.l.ctx.Err() != nil {
		return id, false // Read fails with it
	}
	if t.depth > maxNesting {
		written := givenOr(n, id.Type)
		id.Name = t.free(id, validID(written))
		t.opaque(n, id, written, &problem{n.File(), n.Line(), ruleTooLarge,
			fmt.Sprintf("blocks nested more than %d deep", maxNesting), "nest blocks less deep"})
		return id, true
	}
	if isPointer(n) && (spec == nil || spec.Class != fields.Inline) {
		return t.pointed(n, spec, id)
	}
	return t.inline(n, spec, id), true
}

// partOfCourse returns the type of a block below the root, nil for a tag that is none.
func partOfCourse(tag string) *fields.Block {
	spec := fields.Lookup(tag)
	if spec != nil && (spec.Class == fields.Detached || tag == "course" || tag == "library") {
		return nil
	}
	return spec
}

func givenOr(n *xmltree.Node, tag string) string {
	if s := givenName(n); s != "" {
		return s
	}
	return tag + "_" + digest(n.Canonical())
}

// inline reads a block that its parent's file holds.
func (t *tree) inline(n *xmltree.Node, spec *fields.Block, id courseware.BlockID) courseware.BlockID {
	written := givenOr(n, id.Type)
	id.Name = t.valid(n, written)
	if _, taken := t.files[id]; taken {
		id.Name = t.free(id, rename(id.Type, id.Name, n.Canonical()))
		t.l.note().warn(n.File(), n.Line(), ruleDuplicate, "give every block a url_name of its own",
			"the name %s/%s is taken; the block is now named %s", id.Type, written, id.Name)
	}
	t.files[id] = ""
	if spec == nil {
		t.unknown(n, id, written)
		return id
	}
	def, p := t.definition(n, spec)
	if p == nil {
		p = t.finish(def, spec, id, written)
	}
	if p != nil {
		t.opaque(n, id, written, p)
	}
	return id
}

// valid returns the name under which a block is kept that the archive names so (olx.md §1.5).
func (t *tree) valid(n *xmltree.Node, written string) string {
	name := validID(written)
	if name != written {
		t.l.note().warn(n.File(), n.Line(), ruleName, "use letters, digits and _ - ~ . : in names",
			"the name %q cannot be the id of a block; the block is now named %s", written, name)
	}
	return name
}

// free returns name, or where that is taken too, name with a number: equal blocks have equal digests.
func (t *tree) free(id courseware.BlockID, name string) string {
	base := courseware.BlockID{Type: id.Type, Name: name}
	for id = base; ; id.Name = fmt.Sprintf("%s_%d", name, t.copies[base]) {
		if _, taken := t.files[id]; !taken {
			return id.Name
		}
		t.copies[base] = max(t.copies[base]+1, 2)
	}
}

// finish reads the body that is in another file, and the children, and puts the block into the tree. Where that cannot be
// done nothing is in the tree.
func (t *tree) finish(n *xmltree.Node, spec *fields.Block, id courseware.BlockID, written string) *problem {
	if p := check(n, spec); p != nil {
		return p
	}
	var body []byte
	if spec.Body == fields.HTML {
		if filename, ok := n.Attr("filename"); ok {
			var p *problem
			if body, p = t.body(n, written, filename); p != nil {
				return p
			}
		}
	}
	t.define(n, spec, id, written, body)
	return nil
}

// check finds what makes a block unusable though its XML is right.
func check(n *xmltree.Node, spec *fields.Block) *problem {
	if spec.Tag != "split_test" {
		return nil
	}
	text, _ := n.Attr("group_id_to_child")
	if v, _ := fields.ReadLegacy(fields.KeyMap, text); !strings.HasPrefix(string(v), "{") {
		return &problem{n.File(), n.AttrLine("group_id_to_child"), ruleSetting,
			"group_id_to_child of a split_test is missing or no JSON object", "map every group id to the key of a child"}
	}
	return nil
}

// unknown keeps an element of a type that is not known, as it is (olx.md §1.10).
func (t *tree) unknown(n *xmltree.Node, id courseware.BlockID, written string) {
	t.l.note().warn(n.File(), n.Line(), ruleUnknown, "nothing to do: the element is kept as it is",
		"<%s> is no block type known here; learners do not see it", n.Name)
	t.keep(id, courseware.FormInline, verbatim(n, id, written), Place{n.File(), n.Line()})
}

// opaque keeps an element that cannot be read as it is, in its place.
func (t *tree) opaque(n *xmltree.Node, id courseware.BlockID, written string, p *problem) {
	t.l.fail(p)
	t.keep(id, courseware.FormInline, verbatim(n, id, written), Place{n.File(), n.Line()})
}

// verbatim returns an element as it stands, but for where drafts belong; with its new name where the one it has would not
// lead to the block.
func verbatim(n *xmltree.Node, id courseware.BlockID, written string) []byte {
	e := unplaced(n)
	if validID(written) != id.Name {
		e.Set("url_name", id.Name)
	}
	return e.Append(nil, 0)
}

// unplaced returns an element to be written without the attributes that place a draft, its body as it stands.
func unplaced(n *xmltree.Node) *xmltree.Elem {
	e := n.Start()
	e.Inner = n.Inner()
	e.Attrs = slices.DeleteFunc(e.Attrs, func(a xmltree.ElemAttr) bool {
		return a.Name == "parent_url" || a.Name == "parent_sequential_url" || a.Name == "index_in_children_list"
	})
	return e
}

func (t *tree) keep(id courseware.BlockID, form courseware.Form, data []byte, at Place) {
	if _, taken := t.files[id]; !taken {
		t.files[id] = ""
	}
	t.blocks[id] = &courseware.Block{ID: id, Opaque: true, Form: form, Data: t.l.keep(data)}
	t.places[id] = at
}
