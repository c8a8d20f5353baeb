package validate

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/xmltree"
)

// linkAttrs are the attributes that links are looked for in.
var linkAttrs = []string{"link", "src", "href", "img", "icon", "preprocessorsrc"}

// linkIndex is what links can lead to.
type linkIndex struct {
	files map[string]bool // keys and paths of static files
	names map[string]bool // of blocks
}

// links checks HTML and links: stages 1 and 8 of olx.md §4.
func (c *checker) links() {
	c.index = linkIndex{map[string]bool{}, map[string]bool{}}
	for _, a := range c.course.Assets {
		if a.Size >= 0 {
			c.index.files[a.Path] = true
			c.index.files[olx.AssetKey(a.Path)] = true
		}
	}
	for _, course := range [...]*courseware.Course{c.course, c.res.State.Draft} {
		if course != nil {
			for id := range course.Blocks {
				c.index.names[id.Name] = true
			}
		}
	}
	c.courseImage()
	seen := map[string]bool{}
	for _, e := range c.elements {
		if c.ctx.Err() != nil {
			return
		}
		spec := fields.Lookup(e.tag)
		if e.pointer() || spec == nil || spec.Container() {
			continue
		}
		if spec.Body == fields.HTML {
			c.htmlBody(e, seen)
			continue
		}
		c.nodeLinks(e.Node)
	}
	for _, b := range c.course.Blocks {
		if file := detachedFile(b.ID); file != "" && b.Data.Len() > 0 {
			if data, err := b.Data.Read(); err == nil {
				c.htmlLinks(file, 1, data)
			}
		}
	}
}

// detachedFile returns where a detached block of HTML is.
func detachedFile(id courseware.BlockID) string {
	switch id.Type {
	case courseware.TypeAbout:
		return "about/" + id.Name + ".html"
	case courseware.TypeCourseInfo:
		return "info/" + id.Name + ".html"
	case courseware.TypeStaticTab:
		return "tabs/" + id.Name + ".html"
	}
	return ""
}

// htmlBody checks the body of an html block, which is in a file of its own or in the element.
func (c *checker) htmlBody(e *element, seen map[string]bool) {
	if filename, ok := e.Attr("filename"); ok {
		file := bodyFile(e, filename)
		data, err := c.a.ReadFile(file, 0)
		if err == nil && !seen[file] {
			seen[file] = true
			c.html(file, 1, data)
		}
		return
	}
	start, _ := e.InnerSpan()
	line, _ := e.Document().Position(start)
	data := e.Inner()
	if !e.HasElements() {
		data = e.Text()
	}
	if !e.Empty() { // EmptyTag has said so
		c.html(e.File(), line, []byte(data))
	}
}

// html checks an HTML text that starts on a line of a file. One fault leads to others, so the first stands for all.
func (c *checker) html(file string, first int, data []byte) {
	faults := c.htmlLinks(file, first, data)
	if len(faults) == 0 {
		return
	}
	text := faults[0].text
	if n := len(faults) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more, the next on line %d)", n, first+faults[1].line)
	}
	c.add(courseware.Warning, file, first+faults[0].line, invalidHTML, "correct the HTML", "%s", text)
}

func (c *checker) htmlLinks(file string, first int, data []byte) []fault {
	return readHTML(data, func(line int, name, value string) { c.attr(file, first+line, name, value) })
}

// nodeLinks checks the links of an XML element and of all below it.
func (c *checker) nodeLinks(n *xmltree.Node) {
	for _, a := range n.Attrs {
		c.attr(n.File(), n.AttrLine(a.Name.Local), strings.ToLower(a.Name.Local), a.Value)
	}
	for child := range n.Elements() {
		c.nodeLinks(child)
	}
}

func (c *checker) attr(file string, line int, name, value string) {
	if slices.Contains(linkAttrs, name) {
		c.link(file, line, strings.TrimSpace(value))
	}
}

// link checks one link.
func (c *checker) link(file string, line int, link string) {
	if name, ok := c.static(link); ok {
		if !c.index.files[name] && !c.index.files[olx.AssetKey(name)] {
			c.add(courseware.Warning, file, line, missingFile, "add the file below static/, or correct the link", "there is no static file %q", name)
		}
		return
	}
	if name, ok := c.jump(link); ok {
		if !c.index.names[name] {
			c.add(courseware.Warning, file, line, badJumpToLink, "name a block of this course", "a link jumps to %q, which is no block of this course", name)
		}
		return
	}
	if path, ok := strings.CutPrefix(bare(link), "/course/courseware/"); ok {
		if !c.courseware(path) {
			c.add(courseware.Warning, file, line, badCourseLink, "name a chapter and a sequential of this course",
				"the link /course/courseware/%s leads nowhere in this course", path)
		}
		return
	}
	if other, ok := c.foreign(link); ok {
		c.add(courseware.Info, file, line, foreignLink, "make sure that learners of this course may follow it", "a link into another course, %s", other)
	}
}

// bare returns a link without query and fragment, its escapes resolved.
func bare(link string) string {
	link, _, _ = strings.Cut(link, "#")
	link, _, _ = strings.Cut(link, "?")
	if s, err := url.PathUnescape(link); err == nil {
		return s
	}
	return link
}

// static returns the static file that a link names: portably, or by the course's own keys (olx.md §2.4).
func (c *checker) static(link string) (name string, ok bool) {
	own := c.res.Source
	prefixes := []string{"/static/", "/c4x/" + own.Org() + "/" + own.Code() + "/asset/"}
	if run, ok := own.Run(); ok {
		prefixes = append(prefixes, "/asset-v1:"+own.Org()+"+"+own.Code()+"+"+run+"+type@asset+block@")
	}
	link = bare(link)
	for _, p := range prefixes {
		if name, ok = strings.CutPrefix(link, p); ok {
			return name, name != "" && !strings.HasSuffix(name, "/")
		}
	}
	return "", false
}

// jump returns the name of the block that a link jumps to.
func (c *checker) jump(link string) (name string, ok bool) {
	if name, ok = strings.CutPrefix(bare(link), "/jump_to_id/"); ok {
		name, _, _ = strings.Cut(name, "/")
	}
	return name, ok
}

// courseware reports whether a path of chapter and sequential leads somewhere.
func (c *checker) courseware(path string) bool {
	at := c.course.Blocks[c.course.Root]
	for i, name := range strings.Split(strings.Trim(path, "/"), "/") {
		if i > 1 || at == nil || name == "" {
			break
		}
		child := slices.IndexFunc(at.Children, func(id courseware.BlockID) bool { return id.Name == name })
		if child < 0 {
			return false
		}
		at = c.course.Blocks[at.Children[child]]
	}
	return true
}

// foreign returns the key of another course that a link leads into.
func (c *checker) foreign(link string) (other string, ok bool) {
	link = bare(link)
	own := c.res.Source
	for _, lead := range [...]string{"/c4x/", "i4x://"} {
		if _, rest, found := strings.Cut(link, lead); found {
			if parts := strings.SplitN(rest, "/", 3); len(parts) == 3 && (parts[0] != own.Org() || parts[1] != own.Code()) {
				return parts[0] + "/" + parts[1], true
			}
			return "", false
		}
	}
	for _, lead := range [...]string{"course-v1:", "asset-v1:", "block-v1:", "library-v1:"} {
		i := strings.Index(link, lead)
		if i < 0 {
			continue
		}
		text, _, _ := strings.Cut(link[i:], "/")
		course, ok := courseOf(text)
		return course.String(), ok && course != own
	}
	if rest, found := strings.CutPrefix(link, "/courses/"); found {
		if parts := strings.SplitN(rest, "/", 4); len(parts) == 4 && !strings.Contains(rest, ":") {
			run, _ := own.Run()
			return strings.Join(parts[:3], "/"), parts[0] != own.Org() || parts[1] != own.Code() || parts[2] != run
		}
	}
	return "", false
}

// courseOf returns the course of a key as text.
func courseOf(text string) (keys.Course, bool) {
	if course, err := keys.ParseCourse(text); err == nil {
		return course, true
	}
	if u, err := keys.ParseUsage(text); err == nil {
		return u.Course()
	}
	if a, err := keys.ParseAsset(text); err == nil {
		return a.Course()
	}
	return keys.Course{}, false
}

// courseImage checks that the picture of the course is there.
func (c *checker) courseImage() {
	root := c.course.Blocks[c.course.Root]
	if root == nil || !c.res.Source.IsCourse() {
		return
	}
	image, _ := root.Fields.Text("course_image")
	if image == "" || c.index.files[image] || c.index.files[olx.AssetKey(image)] {
		return
	}
	place := c.res.Places[root.ID]
	file, line := c.where(block{Block: root, place: place, element: c.at[place], course: c.course}, "course_image")
	c.add(courseware.Warning, file, line, missingFile, "add the file below static/, or name another one", "there is no static file %q, the course_image", image)
}
