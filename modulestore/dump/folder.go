package dump

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// first are the collections to read before others, so that a reader knows early what the large ones are about.
var first = []string{modulestore.CollectionIndexes, modulestore.CollectionBlocks, modulestore.CollectionFiles}

// ordered returns the collections in the order to read them.
func ordered(files map[string]string) []string {
	var order []string
	for _, c := range first {
		if files[c] != "" {
			order = append(order, c)
		}
	}
	for _, c := range names(files) {
		if !slices.Contains(first, c) {
			order = append(order, c)
		}
	}
	return order
}

// Scan reads the files one after the other.
func (f *folder) Scan(ctx context.Context, p modulestore.Pass) error {
	for _, c := range f.order {
		if !p.Want(c) {
			continue
		}
		if err := f.scanFile(ctx, c, p); err != nil {
			return err
		}
		if p.Done != nil {
			p.Done(c)
		}
	}
	return nil
}

func (f *folder) scanFile(ctx context.Context, collection string, p modulestore.Pass) (err error) {
	path := f.files[collection]
	in, err := open(path)
	if err != nil {
		return bad(p, collection, &bson.Error{File: path, Reason: "cannot be read: " + err.Error(), Lost: true, Err: err})
	}
	defer func() { _ = in.Close() }() // opened for reading: nothing is lost when closing fails
	r := bson.NewReader(in, path)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch d, err := r.Next(); {
		case err == io.EOF:
			return nil
		case err != nil:
			if told := bad(p, collection, err); told != nil || lost(err) {
				return told
			}
		default:
			if err := p.Doc(collection, d); err != nil {
				return err
			}
		}
	}
}

// Find looks through the file of the collection until all are found.
func (f *folder) Find(ctx context.Context, collection string, ids map[modulestore.ID]bool, doc func(bson.Doc) error, bad func(error) error) error {
	return find(ctx, f, collection, ids, doc, bad)
}

// Live is false: files stay as they are.
func (f *folder) Live() bool { return false }

// Close has nothing to give back.
func (f *folder) Close() error { return nil }

// errFound ends a pass when there is nothing more to find.
var errFound = errors.New("all found")

func find(ctx context.Context, s modulestore.Source, collection string, ids map[modulestore.ID]bool, doc func(bson.Doc) error, bad func(error) error) error {
	if len(ids) == 0 {
		return nil
	}
	seen := make(map[modulestore.ID]bool, len(ids))
	err := s.Scan(ctx, modulestore.Pass{
		Want: func(c string) bool { return c == collection },
		Doc: func(_ string, d bson.Doc) error {
			id := modulestore.IDOf(d.Lookup("_id"))
			if !ids[id] || seen[id] {
				return nil
			}
			seen[id] = true
			if err := doc(d); err != nil {
				return err
			}
			if len(seen) == len(ids) {
				return errFound
			}
			return nil
		},
		Bad: func(_ string, err error) error {
			if bad == nil {
				return err
			}
			return bad(err)
		},
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

// bad tells the pass of something that cannot be read.
func bad(p modulestore.Pass, collection string, err error) error {
	if p.Bad == nil {
		return err
	}
	return p.Bad(collection, err)
}

// lost reports whether nothing more can be read after an error.
func lost(err error) bool {
	var e *bson.Error
	return !errors.As(err, &e) || e.Lost
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// escape makes a pattern that matches exactly this path.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
