package oldmongo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/olx/fields"
)

// Census learns the shapes of all courses from one pass over the collection of blocks. Not safe for concurrent use.
type Census struct {
	groups map[modulestore.OldCourse]*group
	texts  map[string]string
	known  map[string]bool // types of blocks
	odd    modulestore.Tally
	root   []string // fields of roots that are kept
}

// NewCensus returns a census of nothing yet. It keeps the values that these fields have at the roots of courses (DEP-22).
func NewCensus(root ...string) *Census {
	return &Census{groups: map[modulestore.OldCourse]*group{}, texts: map[string]string{}, known: map[string]bool{}, root: root}
}

// group is what shares organisation and course code: one course, most of the time.
type group struct {
	of    modulestore.OldCourse
	nodes []node
	tally modulestore.Tally
	// moments tell whether anything was edited between two looks.
	moments uint64
	// roots are the fields that were asked for, by run.
	roots map[string]rootFields
}

// rootFields are fields of a root, from a document whose key is in the order of today or not.
type rootFields struct {
	ordered bool
	values  courseware.Fields
}

// node is a document without its fields.
type node struct {
	id       courseware.BlockID
	draft    bool
	ordered  bool
	revision bool
	size     int
	edited   time.Time
	children []courseware.BlockID
	slot     modulestore.Slot
}

// Add takes notice of a document.
func (c *Census) Add(d bson.Doc) {
	c.add(d)
}

// add returns the node, for the caller to note where the document lies; nil for what is no block of a course.
func (c *Census) add(d bson.Doc) *node {
	id, ok := identOf(d.Lookup("_id"))
	if !ok {
		text, _ := bson.AppendJSON(nil, d.Lookup("_id"))
		c.odd.Add(modulestore.OddDocument, string(text))
		return nil
	}
	if id.of == (modulestore.OldCourse{Org: "edx", Course: "templates"}) { // templates of 2012, no course (OM-7)
		return nil
	}
	g := c.groups[id.of]
	if g == nil {
		g = &group{of: id.of}
		c.groups[id.of] = g
	}
	n := node{id: courseware.BlockID{Type: c.text(id.block.Type), Name: c.text(id.block.Name)}, draft: id.draft, ordered: id.ordered, revision: id.revision, size: len(d)}
	where := n.where
	if !id.ordered && id.revision {
		g.tally.Add(modulestore.ShuffledID, where())
	}
	if !id.revision {
		g.tally.Add(modulestore.NoRevision, where())
	}
	if !c.knows(n.id.Type) {
		g.tally.Add(modulestore.UnknownType, where())
	}
	if !isLegal(n.id) {
		g.tally.Add(modulestore.IllegalName, where())
	}
	if !modulestore.IsClean(d) {
		g.tally.Add(modulestore.UncleanText, where())
	}
	definition, ok := d.Lookup("definition").Doc()
	if !ok {
		g.tally.Add(modulestore.NoDefinition, where())
	}
	metadata, ok := d.Lookup("metadata").Doc()
	if !ok {
		g.tally.Add(modulestore.NoMetadata, where())
	}
	content, _ := definition.Lookup("data").Doc()
	if v := definition.Lookup("data"); v.Exists() && v.IsNull() || content.Lookup("data").Exists() && content.Lookup("data").IsNull() {
		g.tally.Add(modulestore.NullData, where())
	}
	for key := range content.All() {
		if metadata.Lookup(string(key)).Exists() {
			g.tally.Add(modulestore.BothScopes, where()+", "+string(key))
		}
	}
	n.edited, ok = d.Lookup("edit_info", "edited_on").Time()
	if !ok && (metadata.Lookup("published_date").Exists() || metadata.Lookup("published_by").Exists()) {
		g.tally.Add(modulestore.OldEditInfo, where())
		n.edited = listedTime(metadata.Lookup("published_date"))
	}
	g.moments += moment(d)
	if len(c.root) > 0 && n.id.Type == "course" && !n.draft {
		g.keepRoot(c.root, &n, d)
	}
	n.children = c.children(g, definition, where)
	g.nodes = append(g.nodes, n)
	return &g.nodes[len(g.nodes)-1]
}

// keepRoot keeps fields of a root, as the platform reads them: what is not stored has its default. Of two documents of one
// root it keeps those of the one that counts (OM-6).
func (g *group) keepRoot(names []string, n *node, d bson.Doc) {
	if old, twice := g.roots[n.id.Name]; twice && (old.ordered || !n.ordered) {
		return
	}
	b := blockOf(n, d)
	root := rootFields{ordered: n.ordered}
	for _, name := range names {
		f, ok := fields.Lookup("course").Field(name)
		if !ok {
			continue
		}
		stored := b.Settings
		if f.Content {
			stored = b.Content
		}
		value := f.Default
		if v, ok := stored.Lookup(f.Name); ok {
			value = fields.Normal(f.Type, v)
		}
		root.values = root.values.With(f.Name, value)
	}
	if g.roots == nil {
		g.roots = map[string]rootFields{}
	}
	g.roots[n.id.Name] = root
}

// children reads the list of children of a document and counts what is wrong with it alone.
func (c *Census) children(g *group, definition bson.Doc, where func() string) (ids []courseware.BlockID) {
	list, _ := definition.Lookup("children").Doc()
	var seen map[courseware.BlockID]bool
	for _, v := range list.All() {
		id, here, ok := childOf(v.String(), g.of)
		switch {
		case !ok:
			g.tally.Add(modulestore.DanglingChild, where()+": "+v.String())
			continue
		case !here:
			g.tally.Add(modulestore.ForeignChild, where()+": "+v.String())
			continue
		case seen[id]:
			g.tally.Add(modulestore.ChildTwice, where()+": "+id.String())
		case modulestore.IsDetached(id.Type):
			g.tally.Add(modulestore.DetachedChild, where()+": "+id.String())
		}
		if seen == nil {
			seen = map[courseware.BlockID]bool{}
		}
		seen[id] = true
		ids = append(ids, courseware.BlockID{Type: c.text(id.Type), Name: c.text(id.Name)})
	}
	return ids
}

// knows reports whether a type of blocks is known here.
func (c *Census) knows(blockType string) bool {
	known, seen := c.known[blockType]
	if !seen {
		_, alias := fields.Alias(blockType)
		known = alias || fields.Lookup(blockType) != nil
		c.known[blockType] = known
	}
	return known
}

// text returns one string for all that are equal: names come twice or more, types thousands of times.
func (c *Census) text(s string) string {
	if old, ok := c.texts[s]; ok {
		return old
	}
	s = strings.Clone(s)
	c.texts[s] = s
	return s
}

func (n *node) where() string {
	if n.draft {
		return n.id.String() + " (draft)"
	}
	return n.id.String()
}

// Odd returns the documents that are no blocks, counted.
func (c *Census) Odd() modulestore.Tally { return c.odd }

// Courses returns what was found, ordered by organisation, code and run: a [Shape] for each course root, and one without a
// run for blocks that have none (A13). It is asked once, after the last document.
func (c *Census) Courses() []*Shape {
	var all []*Shape
	folded := map[string]int{}
	for _, of := range slices.SortedFunc(maps.Keys(c.groups), compareCourses) {
		folded[fold(of)]++
		all = append(all, c.groups[of].shapes()...)
	}
	for _, s := range all {
		if folded[fold(s.Of)] > 1 {
			s.Problems.Add(modulestore.CaseTwin, s.Of.Org+"/"+s.Of.Course)
		}
	}
	return all
}

func compareCourses(a, b modulestore.OldCourse) int {
	return cmp.Or(cmp.Compare(a.Org, b.Org), cmp.Compare(a.Course, b.Course))
}

func fold(of modulestore.OldCourse) string { return strings.ToLower(of.Org + "/" + of.Course) }
