package modulestore

import (
	"fmt"
	"os"

	"github.com/openlectern/lectern/modulestore/bson"
)

const (
	// shelfBudget is how many bytes of documents a shelf leaves in memory before it makes a file.
	shelfBudget = 32 << 20
	// shelfChunk is how much memory is taken at a time, and how much is written to the file at a time.
	shelfChunk = 1 << 20
)

// Shelf keeps documents that a pass came by, to be read again in another order: beyond some megabytes they go into one
// temporary file, which has no name and is gone with the process or with [Shelf.Close]. The zero Shelf is empty and ready.
// Not safe for concurrent use.
type Shelf struct {
	chunks [][]byte // documents in memory, none across two of them
	held   int      // their bytes
	file   *os.File
	end    int64  // of what is in the file
	tail   []byte // what follows there and is not written yet
}

// Slot is where a document lies on a shelf.
type Slot struct {
	at int64 // in memory the chunk, then 32 bits of the place in it; in the file the complement of the place
	n  int
}

// Put keeps a copy of a document. It fails where temporary storage cannot be written.
func (s *Shelf) Put(d bson.Doc) (Slot, error) {
	if s.held+len(d) <= shelfBudget {
		last := len(s.chunks) - 1
		if last < 0 || len(s.chunks[last])+len(d) > cap(s.chunks[last]) {
			s.chunks = append(s.chunks, make([]byte, 0, max(shelfChunk, len(d))))
			last++
		}
		slot := Slot{int64(last)<<32 | int64(len(s.chunks[last])), len(d)}
		s.chunks[last] = append(s.chunks[last], d...)
		s.held += len(d)
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
	slot := Slot{^(s.end + int64(len(s.tail))), len(d)}
	s.tail = append(s.tail, d...)
	if len(s.tail) < shelfChunk {
		return slot, nil
	}
	return slot, s.flush()
}

func (s *Shelf) flush() error {
	n, err := s.file.WriteAt(s.tail, s.end)
	if err != nil {
		return fmt.Errorf("temporary storage: %w", err)
	}
	s.end, s.tail = s.end+int64(n), s.tail[:0]
	return nil
}

// Doc returns a document that was put onto the shelf. It does not change any more. It fails where temporary storage
// cannot be read.
func (s *Shelf) Doc(slot Slot) (bson.Doc, error) {
	if slot.at >= 0 {
		start := int(slot.at & (1<<32 - 1))
		return bson.Doc(s.chunks[slot.at>>32][start : start+slot.n]), nil
	}
	d, at := make(bson.Doc, slot.n), ^slot.at
	if at >= s.end {
		copy(d, s.tail[at-s.end:])
		return d, nil
	}
	if _, err := s.file.ReadAt(d, at); err != nil {
		return nil, fmt.Errorf("temporary storage: %w", err)
	}
	return d, nil
}

// Close gives the storage back. No document can be read any more.
func (s *Shelf) Close() error {
	s.chunks, s.tail = nil, nil
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
