package modulestore

import (
	"context"

	"github.com/openlectern/lectern/modulestore/bson"
)

// The collections of a site under their usual names (modulestore.md §1.1, §2, §3).
const (
	CollectionBlocks      = "modulestore"
	CollectionAssets      = "assetstore"
	CollectionLocationMap = "modulestore.location_map"
	CollectionIndexes     = "modulestore.active_versions"
	CollectionStructures  = "modulestore.structures"
	CollectionCuts        = "lectern.truncated" // ours: where pruning cut histories (modulestore.md PR-8)
	CollectionDefinitions = "modulestore.definitions"
	CollectionFiles       = "fs.files"
	CollectionChunks      = "fs.chunks"
)

// Source is the database of an old site, live or dumped. It can only be read. A Source is for one goroutine at a time.
type Source interface {
	// Scan reads whole collections, each document once. The order of collections is the source's own, and those of an
	// archive come interleaved (modulestore.md OM-37).
	Scan(ctx context.Context, p Pass) error
	// Find hands over the documents of one collection that have one of these ids, in any order, each once; an id that
	// is not there is passed over. It may read the whole collection, so callers ask for many at a time. bad is told of what
	// cannot be read, as [Pass.Bad] is, and where it is nil that ends the search.
	Find(ctx context.Context, collection string, ids map[ID]bool, doc func(bson.Doc) error, bad func(error) error) error
	// Live reports whether documents may change while they are read.
	Live() bool
	// Close gives back what the source holds.
	Close() error
}

// Pass says what one reading of a source is to hand over.
type Pass struct {
	// Want chooses the collections.
	Want func(collection string) bool
	// Old, if not nil, lets a source that can choose leave out the blocks of other courses of the old store.
	Old *OldCourse
	// Files, if not nil, lets a source that can choose leave out the chunks of other files: the raw ids of the files wanted
	// (modulestore.md GF-3).
	Files []bson.Value
	// Doc is given each document, which is valid during the call only. An error of it ends the pass.
	Doc func(collection string, d bson.Doc) error
	// Done, if not nil, is told when a collection has been read to its end. A source that reads collections one after the other
	// begins with the small ones that say what is in the large ones: the course indexes come before the structures.
	Done func(collection string)
	// Bad is told of documents and parts of files that cannot be read; the pass goes on with what can. Where it is nil,
	// or returns an error, the pass ends with that error.
	Bad func(collection string, err error) error
}

// OldCourse is what blocks of the old store are told apart by: they know no run (modulestore.md OM-3).
type OldCourse struct{ Org, Course string }

// ID is the ObjectId of a document; of a structure or definition it is its version.
type ID [12]byte

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// String returns 24 hexadecimal digits, "" for no id.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 2*len(id))
	for _, b := range id {
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}

// IDOf returns the id that a value holds, none for null and for other types.
func IDOf(v bson.Value) ID {
	id, _ := v.ID()
	return ID(id)
}
