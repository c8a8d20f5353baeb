package validate

import (
	"path"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

const draftsDir = "drafts/"

// element is an element that stands for a block, as a file has it.
type element struct {
	*xmltree.Node
	tag    string
	name   string // by its file, or by its url_name; "" for none
	parent *element
}

// pointer reports whether the element stands for the file of its name (olx.md §1.4). A file must not hold a pointer, but
// for a video without settings, which has its name in any case.
func (e *element) pointer() bool {
	_, named := e.Attr("url_name")
	return named && len(e.Attrs) == 1 && e.Empty() && (e.parent != nil || e.tag != "video")
}

// draft returns where files that belong to the element are looked for: below drafts/ or at the top.
func (e *element) draft() string {
	if strings.HasPrefix(e.File(), draftsDir) {
		return draftsDir
	}
	return ""
}

// survey collects the elements of all files that define blocks. The importer has found out which those are.
func (c *checker) survey() {
	c.at = map[olx.Place]*element{}
	c.named = map[courseware.BlockID]*element{}
	for _, file := range c.definitions() {
		if c.ctx.Err() != nil {
			return
		}
		data, err := c.a.ReadFile(file, 0)
		if err != nil {
			continue // the importer has said so
		}
		doc, err := xmltree.Parse(file, data, xmltree.Limits{})
		if err != nil {
			continue
		}
		c.walk(doc.Root, nil, fileName(file))
	}
}

// definitions returns the files that define blocks, sorted.
func (c *checker) definitions() []string {
	set := map[string]bool{c.rootFile: true}
	for _, p := range c.res.Places {
		if path.Ext(p.File) == ".xml" {
			set[p.File] = true
		}
	}
	for _, file := range c.a.Under(strings.TrimSuffix(draftsDir, "/")) {
		if path.Ext(file) == ".xml" && !slices.Contains(c.res.Ignored, file) {
			set[file] = true
		}
	}
	files := make([]string, 0, len(set))
	for file := range set {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// fileName returns the url_name that a definition file belongs to.
func fileName(file string) string {
	file = strings.TrimSuffix(strings.TrimPrefix(file, draftsDir), ".xml")
	if _, name, ok := strings.Cut(file, "/"); ok {
		file = name
	}
	return strings.ReplaceAll(file, "/", ":")
}

func (c *checker) walk(n *xmltree.Node, parent *element, name string) {
	e := &element{Node: n, tag: n.Name.String(), name: name, parent: parent}
	c.elements = append(c.elements, e)
	if at := (olx.Place{File: n.File(), Line: n.Line()}); c.at[at] == nil {
		c.at[at] = e
	}
	if e.pointer() {
		return
	}
	if id := (courseware.BlockID{Type: e.tag, Name: name}); name != "" && e.draft() == "" && c.named[id] == nil {
		c.named[id] = e
	}
	if spec := fields.Lookup(e.tag); spec == nil || !spec.Container() {
		return
	}
	for child := range n.Elements() {
		if isBlock(e.tag, child) {
			name, _ := child.Attr("url_name")
			c.walk(child, e, name)
		}
	}
}

// isBlock reports whether a child element of a container is a block, not something else that containers hold (olx.md
// §1.7, §1.9, §1.17).
func isBlock(parent string, n *xmltree.Node) bool {
	family, _ := n.Attr("xblock-family")
	switch tag := n.Name.String(); {
	case family == "xblock_asides.v1", n.Name.Space == "http://code.edx.org/xblock/option", tag == "meta":
		return false
	case parent == "course":
		return tag != "wiki" && tag != "textbook"
	case parent == "conditional":
		return tag != "show"
	}
	return true
}

// contains reports whether the course directory has a file.
func (c *checker) contains(name string) bool {
	_, ok := c.a.Stat(name)
	return ok
}
