package courseware

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"sync"
)

// Body is the body of a block: bytes in memory, or bytes that a [Spool] keeps and that are read when they are wanted.
// The zero Body is none, which is not the same as an empty one. Bodies may be used by several goroutines at once.
type Body struct {
	here []byte // nil: none, or away
	away *away
}

// away is where a body lies that is not in memory.
type away struct {
	spool *Spool
	at    int64
	size  int
	sum   [sha256.Size]byte
}

// Bytes returns a body in memory, none for nil. The bytes are not copied and must not be changed any more.
func Bytes(data []byte) Body { return Body{here: data} }

// None reports whether there is no body.
func (b Body) None() bool { return b.here == nil && b.away == nil }

// Len returns the length of the body in bytes.
func (b Body) Len() int {
	if b.away != nil {
		return b.away.size
	}
	return len(b.here)
}

// Read returns the bytes, nil for none. The caller must not change them. It fails only where a spool's file cannot be
// read.
func (b Body) Read() ([]byte, error) {
	if b.away == nil {
		return b.here, nil
	}
	data := make([]byte, b.away.size)
	if _, err := b.away.spool.file.ReadAt(data, b.away.at); err != nil {
		return nil, fmt.Errorf("temporary storage: %w", err)
	}
	return data, nil
}

// Equal reports whether two bodies are the same bytes, or both none. Nothing is read.
func (b Body) Equal(o Body) bool {
	switch {
	case b.None() || o.None():
		return b.None() && o.None()
	case b.Len() != o.Len():
		return false
	case b.away == nil && o.away == nil:
		return bytes.Equal(b.here, o.here)
	}
	return b.sum() == o.sum()
}

func (b Body) sum() [sha256.Size]byte {
	if b.away != nil {
		return b.away.sum
	}
	return sha256.Sum256(b.here)
}

const (
	// smallBody is the length up to which a body stays in memory whatever there is.
	smallBody = 512
	// spoolBudget is how many bytes of bodies a spool leaves in memory before it makes a file.
	spoolBudget = 4 << 20
)

// Spool keeps the bodies of a course, so that its text takes little memory however much there is: beyond a few megabytes
// they go into one temporary file, which has no name and is gone with the process or once nothing refers to it. The zero
// Spool is ready for use, by several goroutines at once.
type Spool struct {
	mu   sync.Mutex
	held int // bytes left in memory
	file *os.File
	end  int64
}

// Keep returns a body of these bytes, which must not be changed any more. It fails where temporary storage cannot be
// written.
func (s *Spool) Keep(data []byte) (Body, error) {
	if len(data) <= smallBody {
		return Bytes(bytes.Clone(data)), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held+len(data) <= spoolBudget {
		s.held += len(data)
		return Bytes(data), nil
	}
	if s.file == nil {
		file, err := os.CreateTemp("", "lectern-spool-")
		if err != nil {
			return Body{}, fmt.Errorf("temporary storage: %w", err)
		}
		// Without a name nothing is left behind, whatever becomes of the process. The file is closed with the last body.
		if err := os.Remove(file.Name()); err != nil {
			return Body{}, fmt.Errorf("temporary storage: %w", err)
		}
		s.file = file
	}
	if _, err := s.file.WriteAt(data, s.end); err != nil {
		return Body{}, fmt.Errorf("temporary storage: %w", err)
	}
	b := Body{away: &away{s, s.end, len(data), sha256.Sum256(data)}}
	s.end += int64(len(data))
	return b, nil
}
