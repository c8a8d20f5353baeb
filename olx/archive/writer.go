package archive

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// Writer writes a deterministic archive (olx.md §3.3): the same files, added in the same order with the same time, give
// the same bytes. Directories are made as files need them. It is not safe for concurrent use.
type Writer struct {
	ctx    context.Context
	target string // "" if the archive goes to a caller's writer
	temp   string // what becomes the target, "" once it has
	file   *os.File
	digest *digester
	buffer *bufio.Writer
	pack   packer

	last   string          // name of the last file
	files  map[string]bool // names that cannot become directories
	dirs   []string        // the directories that the last file is in, outermost first
	result Result
	copied []byte // buffer for copying
	err    error  // the first failure of Add
	done   bool
}

// packer puts entries into one kind of archive. Names have no final slash.
type packer interface {
	dir(name string) error
	file(name string, size int64) (io.Writer, error) // valid until the next call
	close() error
}

func newWriter(ctx context.Context) *Writer {
	return &Writer{ctx: ctx, files: map[string]bool{}, copied: make([]byte, 64<<10)}
}

// NewZip starts a zip that is written to out as files are added. Close completes it but does not close out.
func NewZip(ctx context.Context, out io.Writer, modified time.Time) *Writer {
	w := newWriter(ctx)
	w.start(out, formatZip, modified)
	return w
}

// NewTarGz is like NewZip for a gzip-compressed tar.
func NewTarGz(ctx context.Context, out io.Writer, modified time.Time) *Writer {
	w := newWriter(ctx)
	w.start(out, formatTar, modified)
	return w
}

// Add appends a file of which the size is known. Names have to come in bytewise order and be fit for an archive; see
// [CheckName]. open is called once, before Add returns, and what it returns is read to its end and closed. After an error
// the archive cannot be completed.
func (w *Writer) Add(name string, size int64, open func() (io.ReadCloser, error)) error {
	switch {
	case w.done:
		return fmt.Errorf("%s: %w", w.target, os.ErrClosed)
	case w.err != nil:
		return w.err
	}
	w.err = w.add(name, size, open)
	return w.err
}

// AddBytes appends a file given as bytes; see Add.
func (w *Writer) AddBytes(name string, content []byte) error {
	return w.Add(name, int64(len(content)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
}

func (w *Writer) add(name string, size int64, open func() (io.ReadCloser, error)) (err error) {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if err := checkName(name); err != nil {
		err.Archive = w.target
		return err
	}
	if name <= w.last {
		return fmt.Errorf("archive: %s added after %s", printable(name), printable(w.last))
	}
	if err := w.enter(name); err != nil {
		return err
	}
	w.last = name
	w.files[name] = true

	r, err := open()
	if err != nil {
		return fmt.Errorf("%s: %w", printable(name), err)
	}
	defer func() {
		if e := r.Close(); err == nil && e != nil {
			err = fmt.Errorf("%s: %w", printable(name), e)
		}
	}()
	out, err := w.pack.file(name, size)
	if err != nil {
		return w.broken(err)
	}
	return w.copy(out, r, name, size)
}

// copy writes the content of a file and checks its size.
func (w *Writer) copy(out io.Writer, r io.Reader, name string, size int64) error {
	var copied int64
	for {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		n, err := r.Read(w.copied)
		if copied += int64(n); copied > size {
			return fmt.Errorf("%s: longer than the %d bytes announced", printable(name), size)
		}
		if _, err := out.Write(w.copied[:n]); err != nil {
			return w.broken(err)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", printable(name), err)
		}
	}
	if copied < size {
		return fmt.Errorf("%s: %d bytes where %d were announced", printable(name), copied, size)
	}
	w.result.Files++
	w.result.Content += size
	return nil
}

// enter makes the directories that a file is in. In bytewise order all files of a directory come together, so those of
// the last file are all that needs to be known.
func (w *Writer) enter(name string) error {
	depth := 0
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		dir := name[:i]
		if depth < len(w.dirs) && w.dirs[depth] == dir {
			depth++
			continue
		}
		w.dirs = append(w.dirs[:depth], dir)
		depth++
		if w.files[dir] {
			return &Error{Archive: w.target, Member: name, Rule: DuplicateEntry, Text: printable(dir) + " is both a file and a directory"}
		}
		if err := w.pack.dir(dir); err != nil {
			return w.broken(err)
		}
	}
	w.dirs = w.dirs[:depth]
	return nil
}
