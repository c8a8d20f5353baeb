package events

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// inMemory is how much of one event is kept in memory, in bytes; a longer one goes to a temporary file.
const inMemory = 1 << 20

// spool holds the text of one event while it is sent. It is not safe for concurrent use.
type spool struct {
	buf  bytes.Buffer
	file *os.File
	size int64
}

// Write adds to the text.
func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil && s.buf.Len()+len(p) <= inMemory {
		return s.buf.Write(p)
	}
	if s.file == nil {
		f, err := os.CreateTemp("", "lectern-event-")
		if err != nil {
			return 0, err
		}
		s.file = f
	}
	// Pages arrive in small pieces: the buffer collects them.
	if s.buf.Len()+len(p) > inMemory {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	return s.buf.Write(p)
}

func (s *spool) spill() error {
	_, err := s.file.Write(s.buf.Bytes())
	s.buf.Reset()
	return err
}

// reader returns the whole text, which must be complete.
func (s *spool) reader() (io.Reader, error) {
	if s.file == nil {
		return bytes.NewReader(s.buf.Bytes()), nil
	}
	if err := s.spill(); err != nil {
		return nil, err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.NopCloser(io.LimitReader(s.file, s.size)), nil // the client must not close the file
}

// close removes the file.
func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Close(), os.Remove(s.file.Name()))
}
