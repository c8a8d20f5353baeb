package media

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// disk is the part of the file system that [Dir] uses: the seam where tests make steps fail.
type disk interface {
	MkdirAll(dir string) error
	CreateTemp(dir, prefix string) (diskFile, error)
	Create(name string) (diskFile, error) // fs.ErrExist when it is there
	Open(name string) (io.ReadCloser, error)
	Stat(name string) (fs.FileInfo, error)
	ReadDir(dir string) ([]fs.DirEntry, error)
	Rename(from, to string) error
	Touch(name string, at time.Time) error
	Remove(name string) error
	SyncDir(dir string) error
	Barrier(dir string) (barrier, error)
}

// barrier makes everything durable that was written to a file system since the barrier was made: one wait for many
// files, where each file's own sync would be one. A system without it has nil.
type barrier interface {
	Sync() error
	Close() error
}

// diskFile is a file being written.
type diskFile interface {
	io.WriteCloser
	Name() string
	Share() error // lets other users of the host read it
	Sync() error
}

// osDisk is the real one.
type osDisk struct{}

type osFile struct{ *os.File }

// shared are the rights that the reference's file storage gives: a Python process or a web server beside us reads the
// same folder.
const shared = 0o644

// Share gives those rights where the user's umask took some away.
func (f osFile) Share() error {
	switch info, err := f.Stat(); {
	case err != nil:
		return err
	case info.Mode().Perm() == shared: // nearly always, and to look costs a tenth of a change
		return nil
	}
	return f.Chmod(shared)
}

func (osDisk) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o755) }

// CreateTemp is not os.CreateTemp, whose files have no rights for others.
func (d osDisk) CreateTemp(dir, prefix string) (diskFile, error) {
	for {
		f, err := d.Create(filepath.Join(dir, prefix+strconv.FormatUint(rand.Uint64(), 36)))
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

func (osDisk) Create(name string) (diskFile, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, shared)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) Open(name string) (io.ReadCloser, error)   { return os.Open(name) }
func (osDisk) Stat(name string) (fs.FileInfo, error)     { return os.Stat(name) }
func (osDisk) ReadDir(dir string) ([]fs.DirEntry, error) { return os.ReadDir(dir) }
func (osDisk) Rename(from, to string) error              { return os.Rename(from, to) }
func (osDisk) Touch(name string, at time.Time) error     { return os.Chtimes(name, at, at) }
func (osDisk) Remove(name string) error                  { return os.Remove(name) }

// SyncDir makes renames in dir durable.
func (osDisk) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // a file system that cannot sync a folder has nothing more to promise
	}
	return errors.Join(err, d.Close())
}
