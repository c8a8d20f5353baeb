// Package inventory says what there is at an old site: every course and library of both stores, with its size, its files and what is
// wrong with it, from one pass over the source.
//
// What a pass keeps in memory does not grow with the content: some 200 bytes for each block of the old store, for each
// structure of the versioned one and for each file, and sixteen for each block of a head. A full one goes on to fetch the
// heads' definitions onto disk and to read all bytes of files.
package inventory

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/gridfs"
	"github.com/openlectern/lectern/modulestore/oldmongo"
	"github.com/openlectern/lectern/modulestore/split"
)

// The stores of Open edX.
const (
	OldMongo = "oldmongo"
	Split    = "split"
)

// Course is a course or library of an old site.
type Course struct {
	// Key is the key that the site knows it by. Where parts of it are no legal key it is their text all the same.
	Key   string
	Store string
	// Today is the key that the course has in a store of today, none where there is no legal one (modulestore.md §5.3).
	Today keys.Course
	// Blocks are those of the draft, Drafts those of them that differ from what is published.
	Blocks, Drafts int
	// Versions are the structures of its history; the old store keeps none.
	Versions int
	// Bytes are those of documents with blocks, FileBytes those of the files, thumbnails left out.
	Bytes, FileBytes int64
	Files            int
	Assets           int // entries of asset metadata
	LastEdit         time.Time
	Problems         modulestore.Tally
	// Root are those of [Options.Root] of a course of the old store, with its values or their defaults.
	Root courseware.Fields

	old modulestore.OldCourse // of a course of the old store
}

// Report is what was found.
type Report struct {
	Courses  []*Course // ordered by key
	Problems modulestore.Tally
	Loose    split.Loose
	// Documents and Bytes are what was read, unpacked.
	Documents int
	Bytes     int64
}

// Options say how to look.
type Options struct {
	// Mirror is the SQL index of the site, nil where there is none (modulestore.md SP-5).
	Mirror []split.Index
	// Full also looks into definitions and into the bytes of files.
	Full bool
	// Root are names of fields whose values at the roots of courses of the old store are wanted (modulestore.md DEP-22).
	Root []string
	// Progress, if not nil, is told now and then how many bytes were read.
	Progress func(bytes int64)
}

// tellEvery is how many bytes are read between two words about progress.
const tellEvery = 1 << 20

// Take looks through a source. Parts that cannot be read are problems of the report, not errors.
func Take(ctx context.Context, src modulestore.Source, o Options) (*Report, error) {
	t := &taker{Options: o, Report: &Report{}, old: oldmongo.NewCensus(o.Root...), split: split.NewCensus(o.Mirror), files: gridfs.NewCensus(), assets: map[string]int{}}
	if err := src.Scan(ctx, modulestore.Pass{Want: t.want, Doc: t.doc, Done: t.done, Bad: t.bad}); err != nil {
		return nil, err
	}
	shapes, loose, err := t.split.Courses(ctx, src)
	if err != nil {
		return nil, err
	}
	t.Loose = loose
	olds := t.old.Courses()
	if err := t.old.LookAgain(ctx, src, olds); err != nil {
		return nil, err
	}
	for _, s := range olds {
		t.Courses = append(t.Courses, t.oldCourse(s))
	}
	t.Problems.Merge(t.old.Odd())
	for _, s := range shapes {
		t.Courses = append(t.Courses, splitCourse(s))
	}
	if o.Full {
		if err := t.definitions(ctx, src, shapes); err != nil {
			return nil, err
		}
	}
	t.addFiles()
	slices.SortStableFunc(t.Courses, func(a, b *Course) int { return strings.Compare(a.Key, b.Key) })
	return t.Report, nil
}

// taker is one under way.
type taker struct {
	Options
	*Report
	old    *oldmongo.Census
	split  *split.Census
	files  *gridfs.Census
	assets map[string]int // entries of asset metadata by the key of an old course
	told   int64
}

func (t *taker) want(collection string) bool {
	switch collection {
	case modulestore.CollectionBlocks, modulestore.CollectionAssets, modulestore.CollectionLocationMap, modulestore.CollectionIndexes,
		modulestore.CollectionStructures, modulestore.CollectionFiles:
		return true
	case modulestore.CollectionChunks:
		return t.Full
	}
	return false
}

func (t *taker) doc(collection string, d bson.Doc) error {
	t.Documents++
	t.Bytes += int64(len(d))
	if t.Progress != nil && t.Bytes-t.told >= tellEvery {
		t.told = t.Bytes
		t.Progress(t.Bytes)
	}
	switch collection {
	case modulestore.CollectionBlocks:
		t.old.Add(d)
	case modulestore.CollectionAssets:
		t.assets[d.Lookup("course_id").String()] += len(gridfs.AssetsOf(d.Lookup("assets")))
	case modulestore.CollectionLocationMap:
		if t.Problems.Count(modulestore.LocationMap) == 0 {
			t.Problems.Add(modulestore.LocationMap, collection)
		}
	case modulestore.CollectionIndexes:
		t.split.AddIndex(d)
	case modulestore.CollectionStructures:
		t.split.AddStructure(d)
	case modulestore.CollectionFiles:
		t.files.AddFile(d)
	case modulestore.CollectionChunks:
		t.files.AddChunk(d)
	}
	return nil
}

func (t *taker) done(collection string) {
	if collection == modulestore.CollectionIndexes {
		t.split.IndexesDone()
	}
}

func (t *taker) bad(_ string, err error) error {
	t.Problems.Add(modulestore.Unreadable, err.Error())
	return nil
}

func (t *taker) oldCourse(s *oldmongo.Shape) *Course {
	c := &Course{Key: s.Key(), Store: OldMongo, Blocks: s.Blocks, Drafts: s.Drafts, Bytes: s.Bytes, LastEdit: s.LastEdit, Assets: t.assets[s.Key()],
		Problems: s.Problems, Root: s.Root, old: s.Of}
	if s.Run != "" {
		c.Today, _ = keys.NewCourse(s.Of.Org, s.Of.Course, s.Run) // where it is none, that is a problem already
	}
	return c
}

func splitCourse(s *split.Shape) *Course {
	return &Course{Key: s.Index.Name, Store: Split, Today: s.Index.Key, Blocks: s.Blocks, Drafts: s.Drafts, Versions: s.Versions, Bytes: s.Bytes,
		Assets: s.Assets, LastEdit: s.LastEdit, Problems: s.Problems}
}

// addFiles gives each course its files; all runs of a course of the old store share theirs (GF-4).
func (t *taker) addFiles() {
	byKey, byOld, odd := t.files.Totals(t.Full)
	t.Problems.Merge(odd)
	used := map[*gridfs.Totals]bool{}
	for _, c := range t.Courses {
		var total *gridfs.Totals
		if c.Store == OldMongo {
			total = byOld[c.old]
		} else {
			total = byKey[c.Today]
		}
		if total == nil {
			continue
		}
		used[total] = true
		c.Files, c.FileBytes = total.Files, total.Bytes
		c.Problems.Merge(total.Problems)
	}
	var left []string
	for key, total := range byKey {
		if !used[total] {
			left = append(left, key.String())
		}
	}
	for of, total := range byOld {
		if !used[total] {
			left = append(left, of.Org+"/"+of.Course)
		}
	}
	slices.Sort(left)
	for _, course := range left {
		t.Problems.Add(modulestore.LeftFiles, course)
	}
}

// definitions loads all heads, for what only shows when content and structure come together.
func (t *taker) definitions(ctx context.Context, src modulestore.Source, shapes []*split.Shape) (err error) {
	var heads []modulestore.ID
	for _, s := range shapes {
		for _, h := range s.Index.Heads() {
			heads = append(heads, h.ID)
		}
	}
	store, err := split.Read(ctx, src, heads, func(collection string, err error) error {
		if collection != modulestore.CollectionDefinitions { // the pass has told of the others
			return nil
		}
		return t.bad(collection, err)
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	byKey := make(map[string]*Course, len(t.Courses))
	for _, c := range t.Courses {
		if c.Store == Split {
			byKey[c.Key] = c
		}
	}
	for _, s := range shapes {
		seen := map[modulestore.ID]bool{}
		for _, h := range s.Index.Heads() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if seen[h.ID] {
				continue
			}
			seen[h.ID] = true
			b, err := store.Load(s.Index.Key, h.ID)
			switch {
			case fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
				continue // the head is missing or too old, which is a problem already
			case err != nil:
				return err
			}
			byKey[s.Index.Name].Problems.Merge(b.Content)
		}
	}
	return nil
}
