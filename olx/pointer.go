package olx

import (
	"github.com/openlectern/lectern/olx/xmltree"
)

// isPointer reports whether an element stands for the definition file of its name: no attribute but url_name, nothing
// inside but comments and blank text (olx.md §1.4, §1.17).
func isPointer(n *xmltree.Node) bool {
	_, named := n.Attr("url_name")
	return named && len(n.Attrs) == 1 && n.Empty()
}

// isCoursePointer is the same for the root element of a course, which has its org and number besides.
func isCoursePointer(n *xmltree.Node) bool {
	for _, name := range [...]string{"url_name", "org", "course"} {
		if _, ok := n.Attr(name); !ok {
			return false
		}
	}
	return len(n.Attrs) == 3 && n.Empty()
}

// aliased returns another name of customtag as what it stands for: <book page="1"/> is <customtag page="1" impl="book"/>
// (olx.md §6.4).
func aliased(n *xmltree.Node, impl string) *xmltree.Node {
	e := n.Start()
	e.Name, e.Inner = "customtag", n.Inner()
	e.Set("impl", impl)
	doc, err := xmltree.Parse(n.File(), e.Append(nil, 0), xmltree.Limits{})
	if err != nil {
		return n // n itself was read, so what it says can be read
	}
	return doc.Root
}
