package dump

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc64"
	"io"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// The frame of an archive (modulestore.md OM-35).
const (
	magic      = 0x8199e26d
	terminator = 0xffffffff
)

// archive is a file in which the documents of all collections come interleaved.
type archive struct {
	path string
	db   string // the one chosen, "" for the only one
}

func openArchive(path, database string) (modulestore.Source, error) {
	in, err := open(path)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	defer func() { _ = in.Close() }() // opened for reading: nothing is lost when closing fails
	is, err := isArchive(in)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	if !is {
		return nil, fault.Errorf(fault.Invalid, path, "no archive of mongodump").
			WithNext("name the folder or the --archive file that mongodump wrote")
	}
	a := &archive{path, database}
	has := map[string][]string{}
	if err := a.prelude(bson.NewReader(in, path), func(db, collection string) { has[db] = append(has[db], collection) }); err != nil {
		if e := (*bson.Error)(nil); errors.As(err, &e) {
			e.File = "" // the fault names it
		}
		return nil, fault.Errorf(fault.Invalid, path, "%w", err).WithNext("dump the site again")
	}
	return a, choose(path, database, has)
}

// prelude reads what stands before the documents: what wrote the archive, then each collection.
func (a *archive) prelude(r *bson.Reader, collection func(db, collection string)) error {
	if _, err := r.Next(); err != nil {
		return early(a.path, r, err)
	}
	for {
		end, err := r.Frame(terminator)
		if err != nil {
			return early(a.path, r, err)
		}
		if end {
			return nil
		}
		d, err := r.Next()
		if err != nil {
			return early(a.path, r, err)
		}
		collection(d.Lookup("db").String(), d.Lookup("collection").String())
	}
}

// early makes an error of an end in the wrong place.
func early(path string, r *bson.Reader, err error) error {
	if err == io.EOF {
		err = &bson.Error{File: path, Offset: r.Offset(), Reason: "the archive breaks off here", Lost: true, Err: io.ErrUnexpectedEOF}
	}
	// What frames documents has to be whole: without it nobody knows whose the following ones are.
	if e := (*bson.Error)(nil); errors.As(err, &e) {
		e.Lost = true
	}
	return broken{err}
}

// stream is one collection of an archive while it is read.
type stream struct {
	crc    hash.Hash64
	damage bool // something of it was already told of
	closed bool
}

// Scan reads the archive from start to end.
func (a *archive) Scan(ctx context.Context, p modulestore.Pass) (err error) {
	in, err := open(a.path)
	if err != nil {
		return fault.Errorf(fault.Unavailable, a.path, "%w", err)
	}
	defer func() { _ = in.Close() }() // opened for reading: nothing is lost when closing fails
	is, err := isArchive(in)
	if err != nil || !is {
		return fault.Errorf(fault.Invalid, a.path, "no archive of mongodump any more")
	}
	r := bson.NewReader(in, a.path)
	streams := map[string]*stream{}
	err = a.prelude(r, func(db, collection string) {
		if a.chosen(db) && p.Want(collection) {
			streams[collection] = &stream{crc: crc64.New(table)}
		}
	})
	if err == nil {
		err = a.bodies(ctx, r, streams, p)
	}
	if rest := (broken{}); errors.As(err, &rest) {
		return bad(p, "", rest.error)
	}
	return err
}

// broken is an error after which nothing of the archive can be read.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

var table = crc64.MakeTable(crc64.ECMA)

func (a *archive) chosen(db string) bool {
	return a.db == db || a.db == "" && db != "admin" && db != "config" && db != "local"
}

// bodies reads blocks of documents until the archive ends.
func (a *archive) bodies(ctx context.Context, r *bson.Reader, streams map[string]*stream, p modulestore.Pass) error {
	for {
		header, err := r.Next()
		switch {
		case err == io.EOF:
			return a.unfinished(r, streams, p)
		case err != nil:
			return early(a.path, r, err)
		}
		collection := header.Lookup("collection").String()
		s := streams[collection]
		if !a.chosen(header.Lookup("db").String()) {
			s = nil
		}
		if end, _ := header.Lookup("EOF").Bool(); end && s != nil {
			s.closed = true
			if p.Done != nil {
				p.Done(collection)
			}
			want, _ := header.Lookup("CRC").Int()
			if !s.damage && uint64(want) != s.crc.Sum64() {
				e := &bson.Error{File: a.path, Offset: r.Offset(), Field: "CRC", Reason: fmt.Sprintf("the bytes of %s are not those that were dumped", collection)}
				if err := bad(p, collection, e); err != nil {
					return err
				}
			}
		}
		if err := a.block(ctx, r, collection, s, p); err != nil {
			return err
		}
	}
}

// block reads the documents of one collection up to the next terminator.
func (a *archive) block(ctx context.Context, r *bson.Reader, collection string, s *stream, p modulestore.Pass) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		end, err := r.Frame(terminator)
		if err != nil {
			return early(a.path, r, err)
		}
		if end {
			return nil
		}
		if s == nil {
			if err := r.Skip(); err != nil {
				return early(a.path, r, err)
			}
			continue
		}
		d, err := r.Next()
		if err != nil && lost(err) {
			return early(a.path, r, err)
		}
		s.crc.Write(r.Last())
		if err == nil {
			if err := p.Doc(collection, d); err != nil {
				return err
			}
			continue
		}
		s.damage = true
		if err := bad(p, collection, err); err != nil {
			return err
		}
	}
}

// unfinished tells of collections that the archive announces and does not close.
func (a *archive) unfinished(r *bson.Reader, streams map[string]*stream, p modulestore.Pass) error {
	for _, c := range names(streams) {
		if streams[c].closed {
			continue
		}
		e := &bson.Error{File: a.path, Offset: r.Offset(), Reason: "the archive ends before the end of " + c, Lost: true, Err: io.ErrUnexpectedEOF}
		if err := bad(p, c, e); err != nil {
			return err
		}
	}
	return nil
}

// Find looks through the whole archive.
func (a *archive) Find(ctx context.Context, collection string, ids map[modulestore.ID]bool, doc func(bson.Doc) error, bad func(error) error) error {
	return find(ctx, a, collection, ids, doc, bad)
}

// Live is false: a file stays as it is.
func (a *archive) Live() bool { return false }

// Close has nothing to give back.
func (a *archive) Close() error { return nil }
