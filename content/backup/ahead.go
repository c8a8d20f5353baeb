package backup

import (
	"io"
	"sync"
)

// ahead reads a file in larger pieces than it is asked for, where it is asked for what follows: an archive's members are
// small and are read in the order in which they lie, so that nearly all of them cost no call of the system. It is safe for
// concurrent use. The file must not change.
type ahead struct {
	f    io.ReaderAt
	skip int64 // bytes that may lie between two reads of which one follows the other

	mu   sync.Mutex // guards the following
	held []byte     // a piece of the file
	at   int64      // where it begins
	next int64      // behind the last read
}

const (
	aheadSize = 256 << 10
	aheadSkip = 4 << 10  // names, and padding
	indexSkip = 12 << 10 // from one local header to the next: to read so many bytes costs what another call does
)

// ReadAt implements [io.ReaderAt].
func (a *ahead) ReadAt(p []byte, off int64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	follows := off >= a.next && off <= a.next+a.skip
	a.next = off + int64(len(p))
	if in := off - a.at; in >= 0 && in+int64(len(p)) <= int64(len(a.held)) {
		return copy(p, a.held[in:]), nil
	}
	if !follows || len(p) > aheadSize/2 {
		return a.f.ReadAt(p, off)
	}
	if cap(a.held) == 0 {
		a.held = make([]byte, 0, aheadSize)
	}
	n, err := a.f.ReadAt(a.held[:aheadSize], off)
	a.held, a.at = a.held[:n], off
	if got := copy(p, a.held); got < len(p) {
		if err == nil {
			err = io.ErrUnexpectedEOF // which no ReaderAt does
		}
		return got, err
	}
	return len(p), nil
}
