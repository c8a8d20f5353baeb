package olx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

// pointed reads the block that a pointer names, from its definition file (olx.md §1.4).
func (t *tree) pointed(n *xmltree.Node, spec *fields.Block, id courseware.BlockID) (courseware.BlockID, bool) {
	written, _ := n.Attr("url_name")
	if n.HasComments() {
		t.l.note().warn(n.File(), n.Line(), rulePointer, "move the comment out of the element",
			"<%s> with nothing but a comment inside is read as a pointer", n.Name)
	}
	file, found := t.find(id.Type, written)
	id.Name = validID(written)
	if _, taken := t.files[id]; t.read[file] || taken && !found {
		if _, done := t.blocks[id]; taken && !done {
			t.l.fail(&problem{n.File(), n.Line(), ruleDuplicate, id.String() + " stands below itself", "remove the pointer"})
			return id, false
		}
		t.l.note().warn(n.File(), n.Line(), ruleDuplicate, "make a copy of the block under another name",
			"%s is used a second time; it stays at its first place only", id)
		return id, false
	}
	id.Name = t.valid(n, written)
	if !found {
		return t.notFound(n, spec, id, written, file)
	}
	root, data, p := t.l.xml(file)
	if _, taken := t.files[id]; taken { // by an inline block of that name: another content
		sum := data
		if root != nil {
			sum = root.Canonical()
		}
		id.Name = t.free(id, rename(id.Type, id.Name, sum))
		t.l.note().warn(n.File(), n.Line(), ruleDuplicate, "give every block a url_name of its own",
			"the name %s/%s is taken; the block in %s is now named %s", id.Type, written, file, id.Name)
	}
	t.files[id], t.read[file] = file, true
	if p == nil {
		p = t.file(root, spec, id, written)
	}
	if p != nil {
		t.l.fail(p)
		t.keep(id, courseware.FormFile, data, Place{file, p.line})
	}
	return id, true
}

// file reads a block from the root element of its definition file.
func (t *tree) file(root *xmltree.Node, spec *fields.Block, id courseware.BlockID, written string) *problem {
	if spec == nil {
		t.l.note().warn(root.File(), root.Line(), ruleUnknown, "nothing to do: the element is kept as it is",
			"<%s> is no block type known here; learners do not see it", id.Type)
		t.keep(id, courseware.FormFile, unplaced(root).File(), Place{root.File(), root.Line()})
		return nil
	}
	own, _ := root.Attr("url_name")
	if isPointer(root) && !(spec.Body == fields.Video && root.Name.String() == "video" && own == written) {
		return pointerInPointer(root, written)
	}
	if root.Name.String() != id.Type {
		t.l.note().warn(root.File(), root.Line(), ruleTag, "make it a <"+id.Type+"> element",
			"the file of a %s holds a <%s>", id.Type, root.Name)
	}
	def, p := t.definition(root, spec)
	if p == nil {
		p = t.finish(def, spec, id, written)
	}
	return p
}

// pointerInPointer refuses a definition file that defines nothing. A video without settings is no such file: its element
// always has its name (olx.md §1.4, §1.7).
func pointerInPointer(root *xmltree.Node, name string) *problem {
	p := &problem{file: root.File(), line: root.Line(), rule: rulePointedAt,
		text: "the file holds a pointer instead of a definition", remedy: "put the block itself into the file"}
	if own, _ := root.Attr("url_name"); own == name {
		p.rule, p.text = ruleSelf, "the file holds a pointer to itself instead of a definition"
	}
	return p
}

// reserved are the folders of the course directory that are not those of a block type.
var reserved = append(slices.Clone(known), "course", "library")

// find returns the definition file of a name as written, and whether the archive has it.
func (t *tree) find(tag, written string) (file string, ok bool) {
	name := namePath(written)
	file = t.dir + tag + "/" + name + ".xml"
	if t.dir == "" && slices.Contains(reserved, tag) {
		return file, false
	}
	candidates := []string{file}
	if tag == "problem" {
		candidates = append(candidates, t.dir+"problems/"+name+".xml", t.dir+name+".xml")
	}
	for _, c := range candidates {
		if t.l.has(c) {
			return c, true
		}
	}
	return file, false
}

// notFound is a pointer without its file: a pure XBlock without settings, or an error.
func (t *tree) notFound(
	n *xmltree.Node, spec *fields.Block, id courseware.BlockID, written, file string,
) (courseware.BlockID, bool) {
	switch {
	case t.dir != "" && t.l.course.Blocks[id] != nil && (spec == nil || spec.Class != fields.Assessment):
		t.published(id)
		return id, true
	case spec == nil:
		t.files[id] = ""
		t.unknown(n, id, written)
	case spec.Class == fields.Pure || spec.Class == fields.Assessment:
		t.l.note().warn(n.File(), n.Line(), ruleNoFile, "add the file, or write xblock-family=\"xblock.v1\" on the element",
			"the file %s is not in the archive; the %s is made without settings", file, id.Type)
		t.files[id] = ""
		t.blocks[id] = &courseware.Block{ID: id, Container: spec.Container()}
		t.places[id] = Place{n.File(), n.Line()}
	default:
		t.opaque(n, id, written, missing("definition file", file, n.File(), n.Line()))
	}
	return id, true
}

// definition returns the element that defines a block: n itself, or for a legacy block with a filename the root of that
// file with the attributes of n over its own (olx.md §1.6).
func (t *tree) definition(n *xmltree.Node, spec *fields.Block) (*xmltree.Node, *problem) {
	filename, ok := n.Attr("filename")
	if !ok || spec.Body == fields.HTML || spec.Class != fields.Legacy {
		return n, nil
	}
	if p := inside(n, filename); p != nil {
		return nil, p
	}
	file, ok := t.find(spec.Tag, filename)
	if !ok {
		return nil, missing("definition file", file, n.File(), n.Line())
	}
	if file == n.File() {
		return n, nil
	}
	root, _, p := t.l.xml(file)
	if p != nil {
		return nil, p
	}
	e := root.Start()
	for _, a := range n.Start().Attrs {
		e.Set(a.Name, a.Value)
	}
	e.Inner = root.Inner()
	doc, err := xmltree.Parse(file, e.Append(nil, 0), t.l.o.XML)
	if err != nil {
		return nil, &problem{file, root.Line(), ruleXML, err.Error(), "repair the XML"}
	}
	return doc.Root, nil
}

// inside refuses a file name that leads out of its folder (olx.md §5.3).
func inside(n *xmltree.Node, filename string) *problem {
	for part := range strings.SplitSeq(filename, "/") {
		if part == "" || part == "." || part == ".." || strings.Contains(part, `\`) {
			return &problem{n.File(), n.AttrLine("filename"), rulePointer,
				fmt.Sprintf("the filename %q does not name a file of its folder", filename),
				"name a file below the folder of the block's type"}
		}
	}
	return nil
}

// body reads the body file of an html block (olx.md §1.6).
func (t *tree) body(n *xmltree.Node, written, filename string) ([]byte, *problem) {
	if p := inside(n, filename); p != nil {
		return nil, p
	}
	dir := "html/"
	if i := strings.LastIndexByte(namePath(written), '/'); i >= 0 {
		dir += namePath(written)[:i+1]
	}
	for _, file := range bodyCandidates(dir + filename + ".html") {
		if t.l.has(t.dir + file) {
			data, p := t.l.text(t.dir + file)
			if p != nil && t.l.o.Lenient && data != nil {
				t.l.fail(p) // kept as it is
				p = nil
			}
			return nonNil(data), p
		}
	}
	return nil, missing("body file", t.dir+dir+filename+".html", n.File(), n.AttrLine("filename"))
}

// bodyCandidates returns where a body may be: at its path, with a doubled suffix repaired, with leading folders removed
// one by one, and each of these with .html in place of .xml.
func bodyCandidates(file string) []string {
	list := []string{file}
	if s, ok := strings.CutSuffix(file, ".html.xml"); ok {
		file = s + ".html"
	}
	if s, ok := strings.CutSuffix(file, ".html.html"); ok {
		file = s + ".html"
	}
	for ok := true; ok; _, file, ok = strings.Cut(file, "/") {
		if strings.Contains(file, "/") {
			list = append(list, file)
		}
	}
	for _, c := range list {
		if s, ok := strings.CutSuffix(c, ".xml.html"); ok {
			list = append(list, s+".html")
		}
		if s, ok := strings.CutSuffix(c, ".xml"); ok {
			list = append(list, s+".html")
		}
	}
	return list
}
