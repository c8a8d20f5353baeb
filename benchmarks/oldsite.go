package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	olddump "github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/inventory"
	"github.com/openlectern/lectern/modulestore/split"
)

// benchScan lists a dumped old site of n courses, half of them in either store (job 12).
func benchScan(b *bench) error {
	folder := b.oldDump()
	blocks, size := 0, int64(0)
	l, err := b.measure("scan", b.n, func(ctx context.Context) (err error) {
		src, err := olddump.Open(folder, "")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, src.Close()) }()
		r, err := inventory.Take(ctx, src, inventory.Options{})
		if err != nil {
			return err
		}
		if len(r.Courses) != b.n {
			return fmt.Errorf("%d courses, want %d", len(r.Courses), b.n)
		}
		size = r.Bytes
		for _, c := range r.Courses {
			blocks += c.Blocks
		}
		return nil
	})
	if err == nil {
		l.Check, l.Bytes = blocks, size
	}
	return err
}

// benchStructure reads one course of the versioned store with n blocks and the content of each (job 13).
func benchStructure(b *bench) error {
	folder := b.oldDump()
	key, err := keys.ParseCourse("course-v1:O+C+1")
	if err != nil {
		return err
	}
	set := 0
	l, err := b.measure("structure", b.n, func(ctx context.Context) (err error) {
		src, err := olddump.Open(folder, "")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, src.Close()) }()
		all, _, err := split.Indexes(ctx, src, nil)
		if err != nil {
			return err
		}
		head := all[0].Draft
		store, err := split.Read(ctx, src, []modulestore.ID{head}, nil)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		branch, err := store.Load(key, head)
		if err != nil {
			return err
		}
		for block := range branch.Blocks() {
			set += len(block.Content) + len(block.Settings) + len(block.Children)
		}
		return nil
	})
	if err == nil {
		l.Check = set
	}
	return err
}

// oldDump returns the folder of a dumped site of n courses, for the job structure of one with n blocks.
func (b *bench) oldDump() string { return filepath.Join(b.cache, fmt.Sprintf("oldsite-%d", b.n)) }

func (b *bench) oldCourses() (string, error) {
	folder := b.oldDump()
	return folder, writeDump(folder, func(w *oldWriter) error {
		for i := range b.n {
			if i%2 == 0 {
				w.oldCourse(i, 25, 9)
			} else {
				w.splitCourse(i, 25, 9, 3, false)
			}
		}
		return w.err
	})
}

func (b *bench) oldStructure() (string, error) {
	folder := b.oldDump()
	return folder, writeDump(folder, func(w *oldWriter) error {
		w.splitCourse(1, (b.n-1)/10, 9, 1, true)
		return w.err
	})
}

// oldWriter writes the collections of a dump.
type oldWriter struct {
	folder string
	files  map[string]*os.File
	to     map[string]*bufio.Writer
	err    error
}

func writeDump(folder string, fill func(*oldWriter) error) (err error) {
	w := &oldWriter{folder: filepath.Join(folder, "edxapp"), files: map[string]*os.File{}, to: map[string]*bufio.Writer{}}
	if err := os.MkdirAll(w.folder, 0o755); err != nil {
		return err
	}
	err = fill(w)
	for name, f := range w.files {
		err = errors.Join(err, w.to[name].Flush(), f.Close())
	}
	return err
}

func (w *oldWriter) put(collection string, d bson.D) {
	if w.err != nil {
		return
	}
	if w.files[collection] == nil {
		f, err := os.Create(filepath.Join(w.folder, collection+".bson"))
		if err != nil {
			w.err = err
			return
		}
		w.files[collection], w.to[collection] = f, bufio.NewWriter(f)
	}
	doc, err := bson.Marshal(d)
	if err == nil {
		_, err = w.to[collection].Write(doc)
	}
	w.err = errors.Join(w.err, err)
}

// The moment of every edit.
var oldMoment = bson.NewDateTimeFromTime(time.Date(2015, 3, 1, 12, 0, 0, 0, time.UTC))

var oldText = strings.Repeat("<p>Some text of a block.</p>", 40)

func oldID(n int) bson.ObjectID {
	return bson.ObjectID{8: byte(n >> 24), 9: byte(n >> 16), 10: byte(n >> 8), 11: byte(n)}
}

func oldLeaf(unit, i int) string { return fmt.Sprintf("%032x", unit*1000+i) }
func oldUnit(unit int) string    { return fmt.Sprintf("%032x", unit) }

// oldCourse writes a course of the old store: units of the course's root with html blocks in each.
func (w *oldWriter) oldCourse(i, units, leaves int) {
	of := fmt.Sprintf("i4x://O/C%d/", i)
	block := func(kind, name string, data bson.D, children bson.A) {
		definition := bson.D{{Key: "data", Value: data}}
		if children != nil {
			definition = append(definition, bson.E{Key: "children", Value: children})
		}
		w.put(modulestore.CollectionBlocks, bson.D{
			{Key: "_id", Value: bson.D{{Key: "tag", Value: "i4x"}, {Key: "org", Value: "O"}, {Key: "course", Value: fmt.Sprintf("C%d", i)},
				{Key: "category", Value: kind}, {Key: "name", Value: name}, {Key: "revision", Value: nil}}},
			{Key: "definition", Value: definition}, {Key: "metadata", Value: bson.D{{Key: "display_name", Value: "A title"}}},
			{Key: "edit_info", Value: bson.D{{Key: "edited_on", Value: oldMoment}, {Key: "edited_by", Value: int64(7)},
				{Key: "subtree_edited_on", Value: oldMoment}, {Key: "subtree_edited_by", Value: int64(7)}}},
		})
	}
	var all bson.A
	for u := range units {
		var in bson.A
		for l := range leaves {
			in = append(in, of+"html/"+oldLeaf(u, l))
			block("html", oldLeaf(u, l), bson.D{{Key: "data", Value: oldText}}, nil)
		}
		all = append(all, of+"vertical/"+oldUnit(u))
		block("vertical", oldUnit(u), bson.D{}, in)
	}
	block("course", "r", bson.D{}, all)
}

// splitCourse writes a course of the versioned store with so many structures; with contents also a definition for each block.
func (w *oldWriter) splitCourse(i, units, leaves, versions int, contents bool) {
	first, made := i*8, i*8
	entry := func(kind, name string, children bson.A) bson.D {
		definition, fields := oldID(first), bson.D{{Key: "display_name", Value: "A text about something"}}
		if contents {
			made++
			definition = oldID(made)
			in := bson.D{}
			if children == nil {
				in = bson.D{{Key: "data", Value: oldText}}
			}
			w.put(modulestore.CollectionDefinitions, bson.D{{Key: "_id", Value: definition}, {Key: "block_type", Value: kind}, {Key: "fields", Value: in},
				{Key: "edit_info", Value: bson.D{{Key: "edited_by", Value: int64(7)}, {Key: "edited_on", Value: oldMoment}, {Key: "previous_version", Value: nil},
					{Key: "original_version", Value: definition}}}, {Key: "schema_version", Value: int32(1)}})
		}
		if children != nil {
			fields = append(fields, bson.E{Key: "children", Value: children})
		}
		return bson.D{{Key: "block_type", Value: kind}, {Key: "block_id", Value: name}, {Key: "definition", Value: definition}, {Key: "fields", Value: fields},
			{Key: "defaults", Value: bson.D{}}, {Key: "asides", Value: bson.A{}},
			{Key: "edit_info", Value: bson.D{{Key: "edited_on", Value: oldMoment}, {Key: "edited_by", Value: int64(7)}, {Key: "update_version", Value: oldID(first)},
				{Key: "previous_version", Value: nil}, {Key: "source_version", Value: nil}, {Key: "original_usage", Value: nil}, {Key: "original_usage_version", Value: nil}}}}
	}
	var blocks, all bson.A
	for u := range units {
		var in bson.A
		for l := range leaves {
			in = append(in, bson.A{"html", oldLeaf(u, l)})
			blocks = append(blocks, entry("html", oldLeaf(u, l), nil))
		}
		all = append(all, bson.A{"vertical", oldUnit(u)})
		blocks = append(blocks, entry("vertical", oldUnit(u), in))
	}
	blocks = append(blocks, entry("course", "course", all))
	var previous any
	for v := range versions {
		w.put(modulestore.CollectionStructures, bson.D{{Key: "_id", Value: oldID(first + v)}, {Key: "root", Value: bson.A{"course", "course"}},
			{Key: "previous_version", Value: previous}, {Key: "original_version", Value: oldID(first)}, {Key: "edited_by", Value: int64(7)},
			{Key: "edited_on", Value: oldMoment}, {Key: "schema_version", Value: int32(1)}, {Key: "blocks", Value: blocks}})
		previous = oldID(first + v)
	}
	head := oldID(first + versions - 1)
	w.put(modulestore.CollectionIndexes, bson.D{{Key: "_id", Value: oldID(first + versions)}, {Key: "org", Value: "O"}, {Key: "course", Value: "C"},
		{Key: "run", Value: fmt.Sprint(i)}, {Key: "versions", Value: bson.D{{Key: "draft-branch", Value: head}, {Key: "published-branch", Value: head}}}})
}
