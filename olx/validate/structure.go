package validate

import (
	"path"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
)

// structure checks every element by itself and against its parent: stages 1 and 3 of olx.md §4.
func (c *checker) structure() {
	bodies := map[string]*element{}
	for _, e := range c.elements {
		switch {
		case e.parent != nil:
			c.place(e)
		case !e.pointer():
			c.fileRoot(e)
		}
		if !e.pointer() {
			c.content(e)
			c.htmlName(e, bodies)
		}
	}
}

// fileRoot checks the root element of a definition file.
func (c *checker) fileRoot(e *element) {
	own, ok := e.Attr("url_name")
	if e.File() != c.rootFile && ok && own != e.name {
		c.add(courseware.Warning, e.File(), e.AttrLine("url_name"), urlNameMismatch, "remove the url_name, or rename the file",
			"the url_name %q differs from the name of the file, which counts", own)
	}
}

// allowed says which of the types in known may stand in which containers. Other types may stand anywhere.
var (
	known = []string{
		"course", "chapter", "sequential", "vertical", "html", "video", "discussion", "problem", "lti", "lti_consumer",
		"drag-and-drop-v2", "openassessment", "wiki",
	}
	allowed = map[string][]string{
		"course":     {"chapter"},
		"chapter":    {"sequential"},
		"sequential": {"vertical"},
		"vertical": {
			"html", "video", "discussion", "problem", "lti", "lti_consumer", "drag-and-drop-v2", "openassessment",
		},
	}
)

// place checks an element inside a container.
func (c *checker) place(e *element) {
	if may := allowed[e.parent.tag]; may != nil && slices.Contains(known, e.tag) && !slices.Contains(may, e.tag) {
		c.add(courseware.Error, e.File(), e.Line(), unexpectedTag, "move it to where its type belongs",
			"a <%s> may not stand in a <%s>", e.tag, e.parent.tag)
	}
	_, named := e.Attr("url_name")
	if strings.Contains(e.name, ":") {
		c.add(courseware.Warning, e.File(), e.AttrLine("url_name"), nonFlatURLName, "use a name without colon",
			"the url_name %q names a file in a folder", e.name)
	}
	if spec := fields.Lookup(e.tag); !named && spec != nil && spec.Class != fields.Inline && e.tag != "discussion" {
		c.add(courseware.Warning, e.File(), e.Line(), missingURLName, "add a url_name attribute",
			"the <%s> has no url_name; it gets one that changes with its content or title", e.tag)
	}
}

// empties are the types of which an empty element says nothing. Of other types the attributes are all there is, or
// children may come later.
var empties = []string{
	"course", "chapter", "sequential", "vertical", "wrapper", "html", "problem", "annotatable", "poll_question",
	"openassessment", "conditional", "randomize", "split_test",
}

// content checks what is in an element that is no pointer.
func (c *checker) content(e *element) {
	_, filed := e.Attr("filename")
	own, named := e.Attr("url_name")
	file := e.draft() + e.tag + "/" + strings.ReplaceAll(own, ":", "/") + ".xml"
	if root := e.parent == nil; root && e.File() == c.rootFile {
		if c.isRootPointer(e) {
			return
		}
		named = named && c.contains(file) // else the course is just empty
	} else if root {
		named = false
	}
	switch nothing := e.Empty() && slices.Contains(empties, e.tag) && !filed; {
	case nothing && named:
		c.add(courseware.Error, e.File(), e.Line(), invalidPointer, "leave url_name alone on the element and move the rest to "+file,
			"the <%s> has more than a url_name, so it is the block itself, which is empty", e.tag)
	case nothing:
		c.add(courseware.Warning, e.File(), e.Line(), emptyTag, "fill it or remove it", "the <%s> is empty", e.tag)
	case named && e.parent != nil && c.contains(file):
		c.add(courseware.Warning, e.File(), e.Line(), possiblePointer, "make it a pointer, or remove "+file,
			"the <%s> is defined here, although there is a file %s", e.tag, file)
	}
}

// isRootPointer reports whether the root element points to the file of the run.
func (c *checker) isRootPointer(e *element) bool {
	if e.tag != "course" || !e.Empty() {
		return false
	}
	for _, a := range e.Attrs {
		if !slices.Contains([]string{"url_name", "slug", "name", "org", "course"}, a.Name.String()) {
			return false
		}
	}
	run, _ := c.res.Source.Run()
	return c.contains("course/" + run + ".xml")
}

// htmlName checks the name of the body file of an html block.
func (c *checker) htmlName(e *element, bodies map[string]*element) {
	filename, ok := e.Attr("filename")
	if !ok || e.tag != "html" {
		return
	}
	if strings.Contains(filename, ":") {
		c.add(courseware.Warning, e.File(), e.AttrLine("filename"), nonFlatFilename, "use a name without colon",
			"the filename %q has a colon", filename)
	}
	body := bodyFile(e, filename)
	if first := bodies[body]; first != nil {
		c.add(courseware.Info, e.File(), e.AttrLine("filename"), duplicateHTMLName, "make a copy of the file if the two should differ",
			"the body %s is also that of the html block in %s:%d", body, first.File(), first.Line())
		return
	}
	bodies[body] = e
}

// bodyFile returns where the body of an html element is (olx.md §1.6).
func bodyFile(e *element, filename string) string {
	dir := "html/"
	if i := strings.LastIndexByte(e.name, ':'); i >= 0 {
		dir += strings.ReplaceAll(e.name[:i], ":", "/") + "/"
	}
	return path.Clean(e.draft() + dir + filename + ".html")
}
