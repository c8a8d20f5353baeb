package archive

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openlectern/lectern/fault"
)

// Create starts an archive at a path: a gzip-compressed tar if it ends in .tar.gz or .tgz, a zip if in .zip, else a
// folder. It is written beside the path and takes its place when Close succeeds: a file that was there is replaced, a
// folder with anything in it is refused. modified is the time that every entry bears, cut to seconds.
//
// The caller must call Close or Discard; calling Discard after Close is harmless, so it can be deferred.
func Create(ctx context.Context, path string, modified time.Time) (*Writer, error) {
	path = filepath.Clean(path)
	w := newWriter(ctx)
	w.target = path
	format := formatOf(path)
	if err := checkTarget(path, format); err != nil {
		return nil, err
	}
	w.temp = filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()+".tmp")
	if format == formatFolder {
		if err := os.Mkdir(w.temp, 0o777); err != nil {
			return nil, unwritable(path, err)
		}
		w.pack = &folderPacker{root: w.temp, modified: modified}
		return w, nil
	}
	f, err := os.OpenFile(w.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, unwritable(path, err)
	}
	w.file = f
	w.start(f, format, modified)
	return w, nil
}

// checkTarget refuses a path that Close could not put the result at.
func checkTarget(path string, format format) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unwritable(path, err)
	case format != formatFolder && info.Mode().IsRegular():
		return nil
	case format != formatFolder:
		return fault.Errorf(fault.Conflict, path, "there is something other than a file").WithNext("choose another name")
	case !info.IsDir():
		return fault.Errorf(fault.Conflict, path, "there is a file").WithNext("choose another name, or one ending in .tar.gz or .zip")
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return unwritable(path, err)
	}
	if len(entries) > 0 {
		return fault.Errorf(fault.Conflict, path, "the folder is not empty").WithNext("choose another name, or empty the folder")
	}
	return nil
}

func unwritable(path string, err error) error {
	return fault.Errorf(fault.Unavailable, path, "cannot be written: %w", err)
}

// Result describes an archive that was written.
type Result struct {
	Files   int    // files, directories not counted
	Content int64  // bytes of all files together
	Bytes   int64  // bytes of the archive; of a folder, the same as Content
	SHA256  string // of the archive, in lower-case hexadecimal; empty for a folder
}

type format uint8

const (
	formatFolder format = iota
	formatTar
	formatZip
)

func formatOf(path string) format {
	name := strings.ToLower(filepath.Base(path))
	switch {
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return formatTar
	case strings.HasSuffix(name, ".zip"):
		return formatZip
	}
	return formatFolder
}

// digester counts and digests what is written through it.
type digester struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (d *digester) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	d.sum.Write(p[:n])
	d.n += int64(n)
	return n, err
}

// start sets up the way from entries to an archive in out.
func (w *Writer) start(out io.Writer, format format, modified time.Time) {
	w.digest = &digester{w: out, sum: sha256.New()}
	w.buffer = bufio.NewWriterSize(w.digest, 64<<10)
	if format == formatZip {
		w.pack = newZipPacker(w.buffer, modified)
	} else {
		w.pack = newTarPacker(w.buffer, modified)
	}
}

// Close completes the archive, puts it in its place and describes it. After a failed Add it removes everything and
// returns that failure.
func (w *Writer) Close() (Result, error) {
	if w.done {
		return Result{}, fmt.Errorf("%s: %w", w.target, os.ErrClosed)
	}
	err := w.err
	if err == nil {
		err = w.commit()
	}
	if err != nil {
		return Result{}, errors.Join(err, w.Discard())
	}
	w.done = true
	r := w.result
	r.Bytes = r.Content
	if w.digest != nil {
		r.Bytes, r.SHA256 = w.digest.n, hex.EncodeToString(w.digest.sum.Sum(nil))
	}
	return r, nil
}

func (w *Writer) commit() error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if err := w.pack.close(); err != nil {
		return w.broken(err)
	}
	if w.buffer != nil {
		if err := w.buffer.Flush(); err != nil {
			return w.broken(err)
		}
	}
	if w.temp == "" {
		return nil
	}
	if w.file != nil {
		if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
			return w.broken(err)
		}
		w.file = nil
	} else if err := os.Remove(w.target); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return w.broken(err) // an empty folder gives way, one that was filled meanwhile does not
	}
	if err := os.Rename(w.temp, w.target); err != nil {
		return w.broken(err)
	}
	w.temp = ""
	return syncDir(filepath.Dir(w.target))
}

// Discard removes what was written so far. After Close it does nothing.
func (w *Writer) Discard() error {
	if w.done {
		return nil
	}
	w.done = true
	var err error
	if w.file != nil {
		err = w.file.Close()
	}
	if p, ok := w.pack.(*folderPacker); ok {
		err = p.close()
	}
	if w.temp != "" {
		err = errors.Join(err, os.RemoveAll(w.temp))
	}
	return err
}

// broken tells an error of the disk or of whoever takes the archive.
func (w *Writer) broken(err error) error {
	if w.target == "" {
		return err
	}
	return unwritable(w.target, err)
}

// syncDir makes a rename survive a power cut, where the system can be asked for that.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil // a folder that may be written but not read; the rename itself is done
	}
	_ = d.Sync() // many systems do not sync folders, and say so
	return d.Close()
}
