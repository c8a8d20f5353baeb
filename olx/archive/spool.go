package archive

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// spool holds the files of a tar one behind the other: in memory up to a budget, beyond it in one file in a private
// folder.
type spool struct {
	tempDir string
	budget  int64
	size    int64

	mem     [][]byte      // blocks of blockSize, all full but the last: growing one slice would take twice the budget
	spilled bool          // content is in the file, not in mem
	out     *bufio.Writer // to the file, while it is written

	mu   sync.Mutex // guards dir and file once writing is over
	dir  string
	file *os.File // nil before it is made and after close
}

// Write appends to the spool.
func (s *spool) Write(p []byte) (int, error) {
	if !s.spilled && s.size+int64(len(p)) > s.budget {
		if err := s.spill(); err != nil {
			return 0, fmt.Errorf("temporary storage: %w", err)
		}
	}
	s.size += int64(len(p))
	if !s.spilled {
		s.keep(p)
		return len(p), nil
	}
	n, err := s.out.Write(p)
	if err != nil {
		err = fmt.Errorf("temporary storage: %w", err)
	}
	return n, err
}

const blockSize = 256 << 10

// keep appends to the blocks in memory.
func (s *spool) keep(p []byte) {
	for len(p) > 0 {
		last := len(s.mem) - 1
		if last < 0 || len(s.mem[last]) == blockSize {
			s.mem = append(s.mem, make([]byte, 0, blockSize))
			last++
		}
		n := min(len(p), blockSize-len(s.mem[last]))
		s.mem[last] = append(s.mem[last], p[:n]...)
		p = p[n:]
	}
}

// ReadAt reads what is kept in memory.
func (s *spool) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		block, from := (at+int64(n))/blockSize, (at+int64(n))%blockSize
		if block >= int64(len(s.mem)) || from >= int64(len(s.mem[block])) {
			return n, io.EOF
		}
		n += copy(p[n:], s.mem[block][from:])
	}
	return n, nil
}

// spill moves on from memory to a file.
func (s *spool) spill() error {
	if err := Sweep(s.tempDir); err != nil {
		return err
	}
	dir, file, err := makeSpool(s.tempDir)
	if err != nil {
		return err
	}
	s.dir, s.file, s.spilled = dir, file, true
	s.out = bufio.NewWriterSize(file, 256<<10)
	for i, block := range s.mem {
		if _, err := s.out.Write(block); err != nil {
			return err
		}
		s.mem[i] = nil
	}
	s.mem = nil
	return nil
}

// finish ends writing.
func (s *spool) finish() error {
	if !s.spilled {
		return nil
	}
	err := s.out.Flush()
	s.out = nil
	if err != nil {
		return fmt.Errorf("temporary storage: %w", err)
	}
	return nil
}

func (s *spool) open(_ string, e entry) (io.ReadCloser, error) {
	if !s.spilled {
		return io.NopCloser(io.NewSectionReader(s, e.at, e.size)), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil, os.ErrClosed
	}
	return io.NopCloser(io.NewSectionReader(s.file, e.at, e.size)), nil
}

func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.file.Close(), os.RemoveAll(s.dir))
	s.file = nil
	return err
}

// spoolPrefix starts the names of private folders.
const spoolPrefix = "lectern-archive-"

// makeSpool makes a private folder of unpredictable name with a locked file in it; the lock says that it is in use.
func makeSpool(tempDir string) (dir string, file *os.File, err error) {
	if dir, err = os.MkdirTemp(tempDir, spoolPrefix); err != nil { // mode 0700
		return "", nil, err
	}
	file, err = os.OpenFile(filepath.Join(dir, "spool"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		if err = lock(file); err == nil {
			return dir, file, nil
		}
		err = errors.Join(err, file.Close())
	}
	return "", nil, errors.Join(err, os.RemoveAll(dir))
}
