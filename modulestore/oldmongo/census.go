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
	last   *group
	types  map[string]blockType
	odd    modulestore.Tally
	root   []string // fields of roots that are kept
}

// blockType is a type of blocks.
type blockType struct {
	name                    string
	known, direct, detached bool
}

// NewCensus returns a census of nothing yet. It keeps the values that these fields have at the roots of courses (DEP-22).
func NewCensus(root ...string) *Census {
	return &Census{groups: map[modulestore.OldCourse]*group{}, types: map[string]blockType{}, root: root}
}

// group is what shares organisation and course code: one course, most of the time. Its blocks have numbers, also those that are
// only in lists of children.
type group struct {
	of      modulestore.OldCourse
	nodes   []node
	names   []name
	numbers map[courseware.BlockID]int32
	lists   []int32 // the children of all nodes, one after the other
	tally   modulestore.Tally
	// moments tell whether anything was edited between two looks.
	moments uint64
	// roots are the fields that were asked for, by run.
	roots map[string]rootFields
}

// name is a block by its number.
type name struct {
	id courseware.BlockID
	blockType
	legal  bool
	listed int32 // the last node that listed it, from 1
}

// rootFields are fields of a root, from a document whose key is in the order of today or not.
type rootFields struct {
	ordered bool
	values  courseware.Fields
}

// node is a document without its fields.
type node struct {
	block    int32
	size     int32
	draft    bool
	ordered  bool
	edited   time.Time
	children []int32
	slot     modulestore.Slot
}

// parts are what a census looks at in a document.
type parts struct {
	id, definition, metadata, editedOn bson.Value
}

func partsOf(d bson.Doc) (p parts) {
	for key, v := range d.All() {
		switch string(key) {
		case "_id":
			p.id = v
		case "definition":
			p.definition = v
		case "metadata":
			p.metadata = v
		case "edit_info":
			in, _ := v.Doc()
			p.editedOn = in.Lookup("edited_on")
		}
	}
	return p
}

// Add takes notice of a document.
func (c *Census) Add(d bson.Doc) {
	c.add(d)
}

// add returns the node, for the caller to note where the document lies; nil for what is no block of a course.
func (c *Census) add(d bson.Doc) *node {
	p := partsOf(d)
	id, ok := identOf(p.id)
	if !ok {
		text, _ := bson.AppendJSON(nil, p.id)
		c.odd.Add(modulestore.OddDocument, string(text))
		return nil
	}
	if id.isOf(modulestore.OldCourse{Org: "edx", Course: "templates"}) { // templates of 2012, no course (OM-7)
		return nil
	}
	g := c.group(&id)
	n := node{block: c.number(g, id.kind, id.name), size: int32(len(d)), draft: id.draft, ordered: id.ordered}
	is := &g.names[n.block]
	where := func() string { return g.where(&n) }
	if !id.ordered && id.revision {
		g.tally.Add(modulestore.ShuffledID, where())
	}
	if !id.revision {
		g.tally.Add(modulestore.NoRevision, where())
	}
	if !is.known {
		g.tally.Add(modulestore.UnknownType, where())
	}
	if !is.legal {
		g.tally.Add(modulestore.IllegalName, where())
	}
	if !d.Clean() {
		g.tally.Add(modulestore.UncleanText, where())
	}
	definition, ok := p.definition.Doc()
	if !ok {
		g.tally.Add(modulestore.NoDefinition, where())
	}
	metadata, ok := p.metadata.Doc()
	if !ok {
		g.tally.Add(modulestore.NoMetadata, where())
	}
	var data, children bson.Value
	for key, v := range definition.All() {
		switch string(key) {
		case "data":
			data = v
		case "children":
			children = v
		}
	}
	content, _ := data.Doc()
	var inner bson.Value
	for key, v := range content.All() {
		if string(key) == "data" {
			inner = v
		}
		if metadata.Has(key) {
			g.tally.Add(modulestore.BothScopes, where()+", "+string(key))
		}
	}
	if data.Exists() && data.IsNull() || inner.Exists() && inner.IsNull() {
		g.tally.Add(modulestore.NullData, where())
	}
	n.edited, ok = p.editedOn.Time()
	if !ok && (metadata.Lookup("published_date").Exists() || metadata.Lookup("published_by").Exists()) {
		g.tally.Add(modulestore.OldEditInfo, where())
		n.edited = listedTime(metadata.Lookup("published_date"))
	}
	g.moments += moment(&p)
	if len(c.root) > 0 && is.name == "course" && !n.draft {
		g.keepRoot(c.root, &n, d)
	}
	n.children = c.children(g, children, where)
	g.nodes = append(g.nodes, n)
	return &g.nodes[len(g.nodes)-1]
}

// group returns that of a block; documents of a course most often stand together.
func (c *Census) group(id *ident) *group {
	if c.last == nil || !id.isOf(c.last.of) {
		of := id.of()
		g := c.groups[of]
		if g == nil {
			g = &group{of: of, numbers: map[courseware.BlockID]int32{}}
			c.groups[of] = g
		}
		c.last = g
	}
	return c.last
}

// number returns that of a block in its group.
func (c *Census) number(g *group, kind, called []byte) int32 {
	if n, seen := g.numbers[courseware.BlockID{Type: string(kind), Name: string(called)}]; seen {
		return n
	}
	t, seen := c.types[string(kind)]
	if !seen {
		t.name = string(kind)
		_, alias := fields.Alias(t.name)
		t.known = alias || fields.Lookup(t.name) != nil
		t.direct, t.detached = modulestore.IsDirectOnly(t.name), modulestore.IsDetached(t.name)
		c.types[t.name] = t
	}
	id, n := courseware.BlockID{Type: t.name, Name: string(called)}, int32(len(g.names))
	g.numbers[id] = n
	g.names = append(g.names, name{id: id, blockType: t, legal: isLegal(id)})
	return n
}

// keepRoot keeps fields of a root, as the platform reads them: what is not stored has its default. Of two documents of one
// root it keeps those of the one that counts (OM-6).
func (g *group) keepRoot(names []string, n *node, d bson.Doc) {
	run := g.names[n.block].id.Name
	if old, twice := g.roots[run]; twice && (old.ordered || !n.ordered) {
		return
	}
	b := blockOf(g.names[n.block].id, nil, d)
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
	g.roots[run] = root
}

// children reads the list of children of the next document and counts what is wrong with it alone.
func (c *Census) children(g *group, v bson.Value, where func() string) []int32 {
	from, me := len(g.lists), int32(len(g.nodes))+1
	list, _ := v.Doc()
	for _, v := range list.All() {
		text, _ := v.Text()
		kind, called, here, ok := childOf(text, g.of)
		switch {
		case !ok:
			g.tally.Add(modulestore.DanglingChild, where()+": "+string(text))
			continue
		case !here:
			g.tally.Add(modulestore.ForeignChild, where()+": "+string(text))
			continue
		}
		block := c.number(g, kind, called)
		is := &g.names[block]
		switch {
		case is.listed == me:
			g.tally.Add(modulestore.ChildTwice, where()+": "+is.id.String())
		case is.detached:
			g.tally.Add(modulestore.DetachedChild, where()+": "+is.id.String())
		}
		is.listed = me
		g.lists = append(g.lists, block)
	}
	return g.lists[from:len(g.lists):len(g.lists)]
}

// where names a document: its block, and whether it is the draft.
func (g *group) where(n *node) string {
	if n.draft {
		return g.names[n.block].id.String() + " (draft)"
	}
	return g.names[n.block].id.String()
}

// compare orders documents by block, a draft behind its published twin.
func (g *group) compare(a, b *node) int {
	if a.block != b.block {
		return g.names[a.block].id.Compare(g.names[b.block].id)
	}
	switch {
	case a.draft == b.draft:
		return 0
	case a.draft:
		return 1
	}
	return -1
}

// ids returns the blocks that have these numbers, nil for none.
func (g *group) ids(numbers []int32) (ids []courseware.BlockID) {
	for _, n := range numbers {
		ids = append(ids, g.names[n].id)
	}
	return ids
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
