package app

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/openlectern/lectern/fault"
)

// whole is a file that takes its place when it is complete, and not before. commit or discard must be called.
type whole struct {
	target, temp string
	f            *os.File // nil in a dry run
	buffer       *bufio.Writer
	sum          hash.Hash
	n            int64
}

// createWhole starts a file at path; in a dry run one that is written nowhere.
func createWhole(path string, dryRun bool) (*whole, error) {
	w := &whole{target: filepath.Clean(path), sum: sha256.New()}
	if dryRun {
		w.buffer = bufio.NewWriter(io.Discard)
		return w, nil
	}
	switch info, err := os.Stat(w.target); {
	case err == nil && !info.Mode().IsRegular():
		return nil, fault.Errorf(fault.Conflict, path, "there is something other than a file").WithNext("choose another name")
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, w.broken(err)
	}
	w.temp = filepath.Join(filepath.Dir(w.target), "."+filepath.Base(w.target)+"."+rand.Text()+".tmp")
	f, err := os.OpenFile(w.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, w.broken(err)
	}
	w.f, w.buffer = f, bufio.NewWriterSize(f, 256<<10)
	return w, nil
}

// Write appends to the file.
func (w *whole) Write(p []byte) (int, error) {
	n, err := w.buffer.Write(p)
	w.sum.Write(p[:n])
	w.n += int64(n)
	if err != nil {
		err = w.broken(err)
	}
	return n, err
}

func (w *whole) broken(err error) error {
	return fault.Errorf(fault.Unavailable, w.target, "cannot be written: %w", err)
}

// digest returns the SHA-256 of what was written, in hexadecimal.
func (w *whole) digest() string { return hex.EncodeToString(w.sum.Sum(nil)) }

// commit puts the file in its place, durable.
func (w *whole) commit() error {
	if w.f == nil {
		return nil
	}
	err := w.buffer.Flush()
	if err == nil {
		err = w.f.Sync()
	}
	if err = errors.Join(err, w.f.Close()); err == nil {
		err = os.Rename(w.temp, w.target)
	}
	if err != nil {
		return errors.Join(w.broken(err), os.Remove(w.temp))
	}
	if dir, err := os.Open(filepath.Dir(w.target)); err == nil {
		_ = dir.Sync() // many systems do not sync folders, and say so
		return dir.Close()
	}
	return nil
}

// discard removes what was written.
func (w *whole) discard() error {
	if w.f == nil {
		return nil
	}
	return errors.Join(w.f.Close(), os.Remove(w.temp))
}

// writeManifest writes a manifest as a file.
func (a *App) writeManifest(path string, m *Manifest) error {
	w, err := createWhole(path, a.dryRun)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return errors.Join(err, w.discard())
	}
	return w.commit()
}
