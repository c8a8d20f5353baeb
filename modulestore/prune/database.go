package prune

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/split"
)

// Header is a structure or definition without its content.
type Header struct {
	ID, Previous, Original modulestore.ID
	Edited                 time.Time // zero where it is not known
	Size                   int       // in bytes, 0 where the source cannot tell without sending it
}

// when is how young a document counts as: by its id or by its edit, whichever is later (PR-3).
func (h Header) when() time.Time {
	if t := idTime(h.ID); !h.Edited.After(t) {
		return t
	}
	return h.Edited
}

// Reader is what planning reads of a Split database. Order is the source's own; nothing is handed over twice but by damaged
// dumps. Documents are valid during the call only. For one goroutine at a time.
type Reader interface {
	// Name says in a plan which database it is, without a password.
	Name() string
	// Indexes returns the rows of the index in MongoDB, those that name no legal key too.
	Indexes(ctx context.Context) ([]split.Index, error)
	// Structures and Definitions hand over the headers of all documents.
	Structures(ctx context.Context, each func(Header) error) error
	Definitions(ctx context.Context, each func(Header) error) error
	// Headers hands over those of some structures; a missing one is passed over.
	Headers(ctx context.Context, ids map[modulestore.ID]bool, each func(Header) error) error
	// Documents hands over whole documents of a collection; a missing one is passed over.
	Documents(ctx context.Context, collection string, ids map[modulestore.ID]bool, each func(bson.Doc) error) error
	// Kept hands over the structures that want chooses; ids yields the same ones, for a source that can ask for them.
	Kept(ctx context.Context, want func(modulestore.ID) (bool, error), ids func(yield func(modulestore.ID) error) error, each func(bson.Doc) error) error
	// Cuts hands over the notes of where pruning cut histories (PR-8).
	Cuts(ctx context.Context, each func(Cut) error) error
	// Damage is how many parts could not be read so far: what they were is not known.
	Damage() int
	// Weigh returns what the collections weigh, nothing for a source that cannot tell.
	Weigh(ctx context.Context) (map[string]Weight, error)
}

// Weight is the size of a collection as its server tells it.
type Weight struct {
	Documents int64 `json:"documents"`
	Bytes     int64 `json:"bytes"`    // of the documents
	Storage   int64 `json:"storage"`  // on disk, with the holes that deletes leave
	Reusable  int64 `json:"reusable"` // of Storage; compacting gives it back to the system
}

// Database is a Split database that can also be written to.
type Database interface {
	Reader
	// Delete removes documents by their ids; a missing one is no error. It returns how many there were.
	Delete(ctx context.Context, collection string, ids []modulestore.ID) (int, error)
	// Insert puts documents back as they were; one that is there is left. It returns how many were missing.
	Insert(ctx context.Context, collection string, docs []bson.Doc) (int, error)
	// Claim lets one holder write to the database for a while by the server's clock, or go on to. While another one may it is
	// fault.Conflict, which names it. It may be called beside the other methods.
	Claim(ctx context.Context, holder, by string, ttl time.Duration) error
	// Release ends the claim of a holder; one that it does not have is left.
	Release(ctx context.Context, holder string) error
	// Relink sets the predecessor of a structure if it is still from; a zero id stands for none.
	Relink(ctx context.Context, id, from, to modulestore.ID) error
}

// Progress is told how much of a step is done; total is 0 where it is not known. It may be nil.
type Progress func(step string, done, total int)

func (p Progress) tell(step string, done, total int) {
	if p != nil {
		p(step, done, total)
	}
}

// idTime returns the moment that an id embeds.
func idTime(id modulestore.ID) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint32(id[:4])), 0).UTC()
}

func parseID(text string) (modulestore.ID, error) {
	v, err := keys.ParseVersion(text)
	return modulestore.ID(v), err
}

func compareIDs(a, b modulestore.ID) int { return bytes.Compare(a[:], b[:]) }

func sortedIDs(set map[modulestore.ID]bool) []modulestore.ID {
	return slices.SortedFunc(maps.Keys(set), compareIDs)
}

// headerOf reads the header of a structure or definition; that of a definition has no predecessor.
func headerOf(d bson.Doc) Header {
	h := Header{Size: len(d)}
	for key, v := range d.All() {
		switch string(key) {
		case "_id":
			h.ID = modulestore.IDOf(v)
		case "previous_version":
			h.Previous = modulestore.IDOf(v)
		case "original_version":
			h.Original = modulestore.IDOf(v)
		case "edited_on":
			h.Edited, _ = v.Time()
		case "edit_info":
			in, _ := v.Doc()
			h.Edited, _ = in.Lookup("edited_on").Time()
		}
	}
	return h
}
