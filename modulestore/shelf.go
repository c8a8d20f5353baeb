package modulestore

import (
	"fmt"
	"os"

	"github.com/openlectern/lectern/modulestore/bson"
)

// shelfBudget is how many bytes of documents a shelf leaves in memory before it makes a file.
const shelfBudget = 16 << 20

// Shelf keeps documents that a pass came by, to be read again in another order: beyond some megabytes they go into one
// temporary file, which has no name and is gone with the process or with [Shelf.Close]. The zero Shelf is empty and ready.
// Not safe for concurrent use.
type Shelf struct {
	here []byte // from the start of the shelf, up to shelfBudget
	file *os.File
	end  int64
}

// Slot is where a document lies on a shelf.
type Slot struct {
	at int64
	n  int
}

// Put keeps a copy of a document. It fails where temporary storage cannot be written.
func (s *Shelf) Put(d bson.Doc) (Slot, error) {
	slot := Slot{s.end, len(d)}
	if s.file == nil && s.end+int64(len(d)) <= shelfBudget {
		s.here = append(s.here, d...)
		s.end += int64(len(d))
		return slot, nil
	}
	if s.file == nil {
		file, err := os.CreateTemp("", "lectern-shelf-")
		if err != nil {
			return Slot{}, fmt.Errorf("temporary storage: %w", err)
		}
		// Without a name nothing is left behind, whatever becomes of the process.
		if err := os.Remove(file.Name()); err != nil {
			return Slot{}, fmt.Errorf("temporary storage: %w", err)
		}
		s.file = file
	}
	if _, err := s.file.WriteAt(d, s.end); err != nil {
		return Slot{}, fmt.Errorf("temporary storage: %w", err)
	}
	s.end += int64(len(d))
	return slot, nil
}

// Doc returns a document that was put onto the shelf. It does not change any more. It fails where temporary storage
// cannot be read.
func (s *Shelf) Doc(slot Slot) (bson.Doc, error) {
	if slot.at+int64(slot.n) <= int64(len(s.here)) {
		return bson.Doc(s.here[slot.at : slot.at+int64(slot.n)]), nil
	}
	d := make(bson.Doc, slot.n)
	if _, err := s.file.ReadAt(d, slot.at); err != nil {
		return nil, fmt.Errorf("temporary storage: %w", err)
	}
	return d, nil
}

// Close gives the storage back.
func (s *Shelf) Close() error {
	s.here = nil
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
