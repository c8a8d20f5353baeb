package media

import (
	"context"
	"hash"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// identity is what a package keeps once: a content under a type.
type identity struct {
	t   typeID
	sum sum
}

// want is a distinct media of a call: its identity, an item that gives its content, and how it is to be kept.
type want struct {
	identity
	digest string
	size   int64
	text   *string // to lie in the row
	file   *New    // to lie in a file, with the content of this item
	media  Media   // the result
}

// GetOrCreate finds or makes the media of a batch and returns them, aligned. Equal content of equal type is one media,
// within the batch and with what the package has (content-model.md law 57). A media that is there already is extended
// to what is asked for: text is added to the row, or the file is written; a file that is missing or incomplete is
// written again. Files may be nil when nothing of the batch is kept as a file.
//
// The package is locked, so that a sweep does not remove a file that the batch counts on. Content over the limit and
// a malformed type are fault.Invalid. What the caller rolls back may leave files without rows, for a later sweep.
func GetOrCreate(ctx context.Context, tx *db.Tx, files Files, pkg publishing.Package, list []New, o Options) ([]Media, error) {
	if len(list) == 0 {
		return nil, nil
	}
	if err := publishing.Lock(ctx, tx, pkg.ID); err != nil {
		return nil, err
	}
	b, err := collect(ctx, tx, list, o.limit())
	if err != nil {
		return nil, err
	}
	if err := b.find(ctx, tx, pkg.ID); err != nil {
		return nil, err
	}
	if err := b.keep(ctx, files, pkg, publishing.MadeIn(tx, pkg.ID)); err != nil {
		return nil, err
	}
	if o.Created.IsZero() {
		o.Created = tx.Now()
	}
	if err := b.write(ctx, tx, pkg.ID, o.Created); err != nil {
		return nil, err
	}
	b.note(tx, pkg.ID)
	known := madeIn(tx)
	for i := range b.wants {
		known[b.wants[i].media.ID] = pkg.ID
	}
	out := make([]Media, len(list))
	for i, w := range b.of {
		out[i] = b.wants[w].media
	}
	return out, nil
}

// batch is the work of one call.
type batch struct {
	wants []want
	of    []int // for each item the index of its want
	types map[typeID]Type
}

// collect digests every item and puts equal ones together.
func collect(ctx context.Context, tx *db.Tx, list []New, limit int64) (*batch, error) {
	typeOf, ids, types, err := resolve(ctx, tx, list)
	if err != nil {
		return nil, err
	}
	b := &batch{wants: make([]want, 0, len(list)), of: make([]int, len(list)), types: types}
	index := make(map[identity]int, len(list))
	h := newHash()
	for i := range list {
		n := &list[i]
		s, size, err := digestOf(ctx, h, n)
		if err != nil {
			return nil, err
		}
		if limit > 0 && size > limit {
			return nil, fault.Errorf(fault.Invalid, "media", "it has %d bytes, the limit is %d", size, limit)
		}
		k := identity{t: ids[typeOf[i]], sum: s}
		at, ok := index[k]
		if !ok {
			at = len(b.wants)
			index[k] = at
			b.wants = append(b.wants, want{identity: k, digest: s.String(), size: size})
		}
		b.of[i] = at
		w := &b.wants[at]
		row := n.Text != nil && fitsRow(*n.Text)
		if row && w.text == nil {
			w.text = n.Text
		}
		if w.file == nil && (!row || n.File) {
			w.file = n
		}
	}
	return b, nil
}

// resolve returns for each item an index into the row ids of the batch's distinct types.
func resolve(ctx context.Context, tx *db.Tx, list []New) (typeOf []int, ids []typeID, types map[typeID]Type, err error) {
	typeOf = make([]int, len(list))
	names := map[string]int{}
	var distinct []Type
	for i := range list {
		at, ok := names[list[i].Type]
		if !ok {
			t, err := ParseType(list[i].Type)
			if err != nil {
				return nil, nil, nil, err
			}
			at = len(distinct)
			names[list[i].Type] = at
			distinct = append(distinct, t)
		}
		typeOf[i] = at
	}
	rows, err := typeRows(ctx, tx, distinct)
	if err != nil {
		return nil, nil, nil, err
	}
	types = make(map[typeID]Type, len(rows))
	for _, r := range rows {
		ids = append(ids, r.id)
		types[r.id] = r.Type
	}
	return typeOf, ids, types, nil
}

// digestOf returns the digest and size of an item, using and resetting h.
func digestOf(ctx context.Context, h hash.Hash, n *New) (s sum, size int64, err error) {
	switch {
	case n.Text != nil:
		h.Reset()
		_, _ = h.Write(unsafe.Slice(unsafe.StringData(*n.Text), len(*n.Text))) // a hash neither fails nor writes there
		return sumOf(h), int64(len(*n.Text)), nil
	case n.Open == nil:
		h.Reset()
		_, _ = h.Write(n.Bytes)
		return sumOf(h), int64(len(n.Bytes)), nil
	case n.Digest != "":
		s, ok := parseSum(n.Digest)
		if !ok {
			return s, 0, fault.Errorf(fault.Internal, "media", "no digest: %s", quote(n.Digest))
		}
		return s, n.Size, nil
	}
	src, err := n.Open()
	if err != nil {
		return s, 0, err
	}
	defer func() { _ = src.Close() }() // read to its end or given up: nothing is lost when closing fails
	return copySum(ctx, discard{}, src)
}

// discard takes and forgets.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// fitsRow reports whether every engine keeps text in a row as it is, and today's limit allows it.
func fitsRow(text string) bool {
	if len(text) > MaxRowText && utf8.RuneCountInString(text) > MaxRowText {
		return false
	}
	return strings.IndexByte(text, 0) < 0 && utf8.ValidString(text)
}

// keep writes the files, before the rows that will name them. What is there already is looked at again: the row of a
// crashed or foreign writer may name a file that is incomplete. A fresh package is one that the transaction has made.
func (b *batch) keep(ctx context.Context, files Files, pkg publishing.Package, fresh bool) error {
	var blobs []Blob
	seen := map[sum]bool{}
	for i := range b.wants {
		w := &b.wants[i]
		if w.file == nil || seen[w.sum] { // another type may have the same bytes, in the same file
			continue
		}
		seen[w.sum] = true
		blob := Blob{Digest: w.digest, Size: w.size, Open: w.file.Open, Fresh: fresh}
		switch {
		case w.file.Text != nil:
			blob.Open = openKnown([]byte(*w.file.Text))
		case w.file.Open == nil:
			blob.Open = openKnown(w.file.Bytes)
		}
		blobs = append(blobs, blob)
	}
	if len(blobs) == 0 {
		return nil
	}
	if files == nil {
		return fault.Errorf(fault.Internal, "media", "there is no store for files")
	}
	return files.Put(ctx, pkg.UUID, blobs)
}

// write makes the rows that are missing and extends those that lack what was asked for.
func (b *batch) write(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, created time.Time) error {
	var fresh, texts, hasFiles []*want
	for i := range b.wants {
		w := &b.wants[i]
		switch {
		case w.media.ID == 0:
			fresh = append(fresh, w)
			continue
		case w.text != nil && !w.media.HasText:
			texts = append(texts, w)
		}
		if w.file != nil && !w.media.HasFile {
			hasFiles = append(hasFiles, w)
		}
	}
	if err := insert(ctx, tx, pkg, fresh, b.types, created); err != nil {
		return err
	}
	if len(texts) > 0 {
		err := tx.UpdateRows(ctx, "openedx_content_media", "id", []string{"text"}, len(texts), func(i int, v []any) {
			v[0], v[1] = texts[i].media.ID, *texts[i].text
			texts[i].media.HasText = true
		})
		if err != nil {
			return err
		}
	}
	if len(hasFiles) > 0 {
		return tx.UpdateRows(ctx, "openedx_content_media", "id", []string{"has_file"}, len(hasFiles), func(i int, v []any) {
			v[0], v[1] = hasFiles[i].media.ID, true
			hasFiles[i].media.HasFile = true
		})
	}
	return nil
}

// insert makes new rows.
func insert(ctx context.Context, tx *db.Tx, pkg publishing.PackageID, fresh []*want, types map[typeID]Type, created time.Time) error {
	if len(fresh) == 0 {
		return nil
	}
	cols := []string{"size", "hash_digest", "has_file", "text", "created", "learning_package_id", "media_type_id"}
	ids, err := tx.InsertIDs(ctx, "openedx_content_media", cols, len(fresh), func(i int, v []any) {
		w := fresh[i]
		v[0], v[1], v[2], v[3], v[4], v[5], v[6] = w.size, w.digest, w.file != nil, nil, created, int64(pkg), int64(w.t)
		if w.text != nil {
			v[3] = *w.text
		}
	})
	if err != nil {
		return err
	}
	for i, w := range fresh {
		w.media = Media{ID: ID(ids[i]), Package: pkg, Type: types[w.t], Digest: w.digest, Size: w.size,
			HasFile: w.file != nil, HasText: w.text != nil, Created: created}
	}
	return nil
}
