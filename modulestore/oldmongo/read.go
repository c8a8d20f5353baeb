package oldmongo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/maphash"
	"slices"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Store holds the courses of a source, ready to be loaded one by one. Not safe for concurrent use.
type Store struct {
	shelf   modulestore.Shelf
	courses []*Shape
	odd     modulestore.Tally
}

// Read reads the blocks of all courses, or of one, in one pass. Of a live source it looks a second time at the moments of
// the last edits; courses that changed meanwhile are told of in their problems (OM-33). bad hears of what cannot be read, as
// in [modulestore.Pass].
func Read(ctx context.Context, src modulestore.Source, only *modulestore.OldCourse, bad func(collection string, err error) error) (*Store, error) {
	s := &Store{}
	c := NewCensus()
	err := src.Scan(ctx, modulestore.Pass{
		Want: wantBlocks, Old: only, Bad: bad,
		Doc: func(_ string, d bson.Doc) error {
			if !chosen(d, only) {
				return nil
			}
			n := c.add(d)
			if n == nil {
				return nil
			}
			var err error
			n.slot, err = s.shelf.Put(d)
			return err
		},
	})
	if err == nil {
		s.courses, s.odd = c.Courses(), c.Odd()
		err = c.LookAgain(ctx, src, s.courses)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func wantBlocks(collection string) bool { return collection == modulestore.CollectionBlocks }

func chosen(d bson.Doc, only *modulestore.OldCourse) bool {
	if only == nil {
		return true
	}
	id, ok := identOf(d.Lookup("_id"))
	return ok && id.isOf(*only)
}

// LookAgain looks a second time at the moments of the last edits, if the source is a live one. Courses that changed since they
// were read are told so in their problems (OM-33).
func (c *Census) LookAgain(ctx context.Context, src modulestore.Source, courses []*Shape) error {
	if !src.Live() {
		return nil
	}
	again := map[modulestore.OldCourse]uint64{}
	err := src.Scan(ctx, modulestore.Pass{
		Want: wantBlocks,
		Doc: func(_ string, d bson.Doc) error {
			if id, ok := identOf(d.Lookup("_id")); ok {
				p := partsOf(d)
				again[id.of()] += moment(&p)
			}
			return nil
		},
		Bad: func(string, error) error { return nil }, // it was told of the first time
	})
	for _, s := range courses {
		if c.groups[s.Of].moments != again[s.Of] {
			s.Problems.Add(modulestore.MovedMeanwhile, s.Of.Org+"/"+s.Of.Course)
		}
	}
	return err
}

// moment is a number for a document and the moment of its last edit, another one in every process. Those of a course are added
// up, in any order.
func moment(p *parts) uint64 {
	return maphash.Bytes(seed, p.id.Raw()) ^ maphash.Bytes(seed, p.editedOn.Raw())*0x9E3779B97F4A7C15
}

var seed = maphash.MakeSeed()

// Courses returns what was found, as [Census.Courses] does.
func (s *Store) Courses() []*Shape { return s.courses }

// Odd returns the documents that are no blocks, counted.
func (s *Store) Odd() modulestore.Tally { return s.odd }

// Close gives the shelf back. What was loaded stays.
func (s *Store) Close() error { return s.shelf.Close() }

// Course is a course with the fields of its blocks.
type Course struct {
	Draft, Published *modulestore.Branch
}

// Load reads the fields of a course of this store. A block that both views share is one [modulestore.Block].
func (s *Store) Load(shape *Shape) (*Course, error) {
	read := make(map[*node]*modulestore.Block, shape.Blocks)
	branch := func(v view) (*modulestore.Branch, error) {
		blocks := make([]*modulestore.Block, 0, shape.Blocks)
		for _, n := range v {
			if n == nil {
				continue
			}
			b := read[n]
			if b == nil {
				d, err := s.shelf.Doc(n.slot)
				if err != nil {
					return nil, err
				}
				b = blockOf(shape.in.names[n.block].id, shape.in.ids(n.children), d)
				read[n] = b
			}
			blocks = append(blocks, b)
		}
		return modulestore.NewBranch(shape.root, modulestore.ID{}, blocks), nil
	}
	published, err := branch(shape.published)
	if err != nil {
		return nil, err
	}
	draft, err := branch(shape.draft)
	if err != nil {
		return nil, err
	}
	return &Course{draft, published}, nil
}

// Digest adds up the documents that a course is read from, byte for byte and in an order of their own, in 64 hexadecimal
// digits: where two are the same nothing was edited between (CV-31).
func (s *Store) Digest(shape *Shape) (string, error) {
	h := sha256.New()
	nodes := read(shape.draft, shape.published)
	slices.SortFunc(nodes, shape.in.compare)
	for _, n := range nodes {
		d, err := s.shelf.Doc(n.slot)
		if err != nil {
			return "", err
		}
		h.Write(d)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Orphans returns the blocks that no document lists, a draft or a published one, courses and pages left out, ordered by type
// and id. What hangs below one of them is not itself one (OM-28).
func (c *Course) Orphans() (ids []courseware.BlockID) {
	listed := map[courseware.BlockID]bool{}
	for _, b := range []*modulestore.Branch{c.Draft, c.Published} {
		for block := range b.Blocks() {
			for _, id := range block.Children {
				listed[id] = true
			}
		}
	}
	for block := range c.Draft.Blocks() {
		if id := block.ID; !listed[id] && id.Type != "course" && !modulestore.IsDetached(id.Type) {
			ids = append(ids, id)
		}
	}
	return ids
}
