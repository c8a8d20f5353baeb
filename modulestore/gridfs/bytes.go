package gridfs

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // what the store has digests of
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// BadFile is the error of a file whose bytes are not all there, or not those that they were (GF-15). Others are not affected.
type BadFile struct{ Name, Why string }

func (e *BadFile) Error() string { return e.Name + ": " + e.Why }

// Bytes holds the bytes of files in one temporary file, which has no name and is gone with the process or with
// [Bytes.Close]. Files may be opened by several goroutines at once.
type Bytes struct {
	file  *os.File // nil while there are none
	end   int64
	files map[string]*held
}

// held is where the bytes of one file lie.
type held struct {
	of    *File
	parts []part
	sum   hash.Hash // of the parts as they came, nil once they came out of order
	why   string    // what is wrong, "" for nothing
}

type part struct {
	n    int64
	at   int64
	size int
}

// Fetch reads the bytes of files in one pass over the chunks, into temporary storage that has room for them, and looks whether
// they are what they were. What is wrong with a file is told by [Bytes.Open]. bad is as in [modulestore.Pass].
func Fetch(ctx context.Context, src modulestore.Source, files []*File, bad func(collection string, err error) error) (*Bytes, error) {
	b := &Bytes{files: make(map[string]*held, len(files))}
	ids := make([]bson.Value, len(files))
	for i, f := range files {
		b.files[f.id] = &held{of: f, sum: md5.New()} //nolint:gosec // as above
		ids[i] = f.ID()
	}
	var err error
	if len(files) > 0 {
		err = src.Scan(ctx, modulestore.Pass{
			Want: func(collection string) bool { return collection == modulestore.CollectionChunks }, Files: ids, Bad: bad,
			Doc: func(_ string, d bson.Doc) error { return b.add(d) },
		})
	}
	for _, f := range files {
		if err == nil {
			err = b.check(b.files[f.id])
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

func (b *Bytes) add(d bson.Doc) error {
	id := d.Lookup("files_id")
	h := b.files[string(byte(id.Type))+string(id.Raw())]
	if h == nil {
		return nil
	}
	data, _ := d.Lookup("data").Bytes()
	n, _ := d.Lookup("n").Int()
	if b.file == nil {
		file, err := os.CreateTemp("", "lectern-files-")
		if err != nil {
			return fmt.Errorf("temporary storage: %w", err)
		}
		b.file = file
		// Without a name nothing is left behind, whatever becomes of the process.
		if err := os.Remove(file.Name()); err != nil {
			return fmt.Errorf("temporary storage: %w", err)
		}
	}
	if _, err := b.file.WriteAt(data, b.end); err != nil {
		return fmt.Errorf("temporary storage: %w", err)
	}
	switch {
	case h.sum != nil && n == int64(len(h.parts)):
		h.sum.Write(data) // a hash never fails
	default:
		h.sum = nil
	}
	h.parts = append(h.parts, part{n, b.end, len(data)})
	b.end += int64(len(data))
	return nil
}

// check finds out whether the bytes of a file are complete (GF-15).
func (b *Bytes) check(h *held) error {
	slices.SortStableFunc(h.parts, func(x, y part) int { return cmp.Compare(x.n, y.n) })
	size := int64(0)
	for i, p := range h.parts {
		if p.n != int64(i) {
			h.why = fmt.Sprintf("chunks are missing or twice: %d of %d", len(h.parts), h.parts[len(h.parts)-1].n+1)
			return nil
		}
		size += int64(p.size)
	}
	switch {
	case len(h.parts) == 0 && h.of.Length != 0:
		h.why = "its bytes are missing"
	case size != h.of.Length:
		h.why = fmt.Sprintf("%d bytes instead of %d", size, h.of.Length)
	case h.of.MD5 != "":
		sum := h.sum
		if sum == nil {
			sum = md5.New() //nolint:gosec // as above
			if _, err := io.Copy(sum, &reader{b: b, parts: h.parts}); err != nil {
				return err
			}
		}
		if hex.EncodeToString(sum.Sum(nil)) != strings.ToLower(h.of.MD5) {
			h.why = "its bytes do not fit its digest"
		}
	}
	h.sum = nil
	return nil
}

// Open opens a file from its start, as often as wanted, until the bytes are closed. A file that is not complete, or was not
// fetched, is a [*BadFile].
func (b *Bytes) Open(f *File) (io.ReadCloser, error) {
	if err := b.Check(f); err != nil {
		return nil, err
	}
	return &reader{b: b, parts: b.files[f.id].parts}, nil
}

// Check returns the error that opening a file would give.
func (b *Bytes) Check(f *File) error {
	switch h := b.files[f.id]; {
	case h == nil:
		return &BadFile{f.Name, "its bytes were not read"}
	case h.why != "":
		return &BadFile{f.Name, h.why}
	}
	return nil
}

// Close gives the storage back. Nothing can be read any more.
func (b *Bytes) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// reader reads parts one after the other.
type reader struct {
	b     *Bytes
	parts []part
	at    int // in the first of parts
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.parts) > 0 && r.at == r.parts[0].size {
		r.parts, r.at = r.parts[1:], 0
	}
	if len(r.parts) == 0 {
		return 0, io.EOF
	}
	if left := r.parts[0].size - r.at; len(p) > left {
		p = p[:left]
	}
	n, err := r.b.file.ReadAt(p, r.parts[0].at+int64(r.at))
	r.at += n
	if n == len(p) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("temporary storage: %w", err)
	}
	return n, err
}

func (r *reader) Close() error { return nil }
