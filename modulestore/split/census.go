package split

import (
	"context"
	"time"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Census learns the shapes of all courses and libraries from one pass over indexes and structures, in any order. Not safe for
// concurrent use.
type Census struct {
	indexes    []Index
	rows       map[string]*modulestore.Tally // what is wrong with the rows, by name
	mirror     []Index
	heads      map[modulestore.ID]bool // nil until all are known
	infos      map[modulestore.ID]info
	outlines   map[modulestore.ID]*outline
	unreadable map[modulestore.ID]bool
	superseded map[modulestore.ID]bool // what structures name as their predecessor; kept until heads are known
	surveyor   *surveyor
}

// info is a structure without its blocks.
type info struct {
	previous modulestore.ID
	size     int32
	edited   time.Time
}

// NewCensus returns a census of nothing yet. mirror is the SQL index of the site, nil where there is none.
func NewCensus(mirror []Index) *Census {
	return &Census{rows: map[string]*modulestore.Tally{}, mirror: mirror, infos: map[modulestore.ID]info{}, outlines: map[modulestore.ID]*outline{},
		unreadable: map[modulestore.ID]bool{}, superseded: map[modulestore.ID]bool{}, surveyor: newSurveyor()}
}

// AddIndex takes notice of a row of the index in MongoDB.
func (c *Census) AddIndex(d bson.Doc) {
	x, problems := IndexOf(d)
	c.indexes = append(c.indexes, x)
	if len(problems.Problems()) > 0 {
		c.row(x.Name).Merge(problems)
	}
}

func (c *Census) row(name string) *modulestore.Tally {
	if c.rows[name] == nil {
		c.rows[name] = &modulestore.Tally{}
	}
	return c.rows[name]
}

// IndexesDone says that there are no more rows. From then on only heads are looked through; before, every structure is that
// no other one follows, as it may be a head.
func (c *Census) IndexesDone() {
	c.heads = map[modulestore.ID]bool{}
	all, _ := Merge(c.indexes, c.mirror)
	for i := range all {
		for _, h := range all[i].Heads() {
			c.heads[h.ID] = true
		}
	}
	for id := range c.outlines {
		if !c.heads[id] {
			delete(c.outlines, id)
		}
	}
	c.superseded = nil
}

// AddStructure takes notice of a structure.
func (c *Census) AddStructure(d bson.Doc) {
	h, err := headerOf(d)
	c.infos[h.id] = info{h.previous, int32(len(d)), h.editedOn}
	if c.heads == nil {
		c.superseded[h.previous] = true
		delete(c.outlines, h.previous)
		if c.superseded[h.id] {
			return
		}
	} else if !c.heads[h.id] {
		return
	}
	c.look(h, err)
}

func (c *Census) look(h header, err error) {
	var o *outline
	if err == nil {
		o, err = c.surveyor.outline(h)
	}
	if err != nil {
		c.unreadable[h.id] = true
		o = &outline{}
		o.problems.Add(modulestore.OldSchema, h.id.String())
	}
	c.outlines[h.id] = o
}

// Shape is a course or library without its content.
type Shape struct {
	Index Index
	// Blocks are those of the draft, or of a library; Drafts those of them that are not published as they are.
	Blocks, Drafts int
	Versions       int   // structures that the heads' histories lead to
	Bytes          int64 // of those structures
	Assets         int   // entries of asset metadata of the draft, or of a library
	LastEdit       time.Time
	Problems       modulestore.Tally
}

// Loose are structures that no course leads to: what deleted courses and writes that broke off leave behind.
type Loose struct {
	Structures int
	Bytes      int64
}

// Courses returns what was found, ordered by key. Heads that were passed by, because later structures follow them, are
// fetched from src.
func (c *Census) Courses(ctx context.Context, src modulestore.Source) ([]*Shape, Loose, error) {
	c.IndexesDone()
	missing := map[modulestore.ID]bool{}
	for id := range c.heads {
		if _, there := c.infos[id]; there && c.outlines[id] == nil {
			missing[id] = true
		}
	}
	err := src.Find(ctx, modulestore.CollectionStructures, missing, func(d bson.Doc) error {
		c.look(headerOf(d))
		return nil
	}, func(error) error { return nil }) // the pass has told of it
	if err != nil {
		return nil, Loose{}, err
	}
	all, problems := Merge(c.indexes, c.mirror)
	shapes := make([]*Shape, len(all))
	reached := make(map[modulestore.ID]bool, len(c.infos))
	for i := range all {
		shapes[i] = c.shape(&all[i], reached)
		if t := problems[all[i].Name]; t != nil {
			shapes[i].Problems.Merge(*t)
		}
		if t := c.rows[all[i].Name]; t != nil {
			shapes[i].Problems.Merge(*t)
		}
	}
	var loose Loose
	for id, in := range c.infos {
		if !reached[id] {
			loose.Structures++
			loose.Bytes += int64(in.size)
		}
	}
	return shapes, loose, nil
}

func (c *Census) shape(x *Index, reached map[modulestore.ID]bool) *Shape {
	s := &Shape{Index: *x, LastEdit: x.LastUpdate}
	x.missing(&s.Problems)
	outlines := map[string]*outline{}
	own := map[modulestore.ID]bool{}
	for _, h := range x.Heads() {
		if _, there := c.infos[h.ID]; !there {
			s.Problems.Add(modulestore.MissingHead, h.Branch+" at "+h.ID.String())
			continue
		}
		c.history(h, s, own)
		o := c.outlines[h.ID]
		if o == nil { // fetched in vain: it cannot be read a second time
			s.Problems.Add(modulestore.Unreadable, h.Branch+" at "+h.ID.String())
			continue
		}
		outlines[h.Branch] = o
		if h.Branch != PublishedBranch || x.Draft != x.Published {
			s.Problems.Merge(o.problems)
		}
	}
	for id := range own {
		reached[id] = true
	}
	draft, published := outlines[DraftBranch], outlines[PublishedBranch]
	switch {
	case outlines[LibraryBranch] != nil:
		s.Blocks, s.Assets = outlines[LibraryBranch].blocks, outlines[LibraryBranch].assets
	case draft != nil:
		s.Blocks, s.Drafts, s.Assets = draft.blocks, draft.blocks, draft.assets
		if published != nil && x.Draft == x.Published {
			s.Drafts = 0
		} else if published != nil {
			s.Drafts = without(draft.tokens, published.tokens)
			for range without(published.ids, draft.ids) { // which they are, their numbers do not tell
				s.Problems.Add(modulestore.NotInDraft, x.Name)
			}
		}
	case published != nil:
		s.Blocks, s.Assets = published.blocks, published.assets
	}
	return s
}

// history counts the structures that lead to a head.
func (c *Census) history(h Head, s *Shape, own map[modulestore.ID]bool) {
	for id := h.ID; !own[id]; {
		in, there := c.infos[id]
		if !there {
			s.Problems.Add(modulestore.TruncatedHistory, h.Branch+" before "+id.String())
			return
		}
		own[id] = true
		s.Versions++
		s.Bytes += int64(in.size)
		if in.edited.After(s.LastEdit) {
			s.LastEdit = in.edited
		}
		if id = in.previous; id.IsZero() {
			return
		}
	}
}

// without returns how many numbers of a list another one lacks.
func without(list, other []uint64) (n int) {
	there := make(map[uint64]bool, len(other))
	for _, x := range other {
		there[x] = true
	}
	for _, x := range list {
		if !there[x] {
			n++
		}
	}
	return n
}

// Indexes returns the rows that were noticed, joined with those of the mirror as [Merge] does it, nil where there is none, and
// what is wrong with them by name.
func (c *Census) Indexes(mirror []Index) ([]Index, map[string]*modulestore.Tally) {
	all, problems := Merge(c.indexes, mirror)
	for name, t := range c.rows {
		if problems[name] == nil {
			problems[name] = &modulestore.Tally{}
		}
		problems[name].Merge(*t)
	}
	return all, problems
}
