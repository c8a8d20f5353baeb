//go:build unix

package prune

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/openlectern/lectern/fault"
)

// lockFolder keeps a second run away from an archive. The lock goes with the process.
func lockFolder(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, dir, "%w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fault.Errorf(fault.Conflict, dir, "another run works with this archive: %w", err).WithNext("wait for it, or stop it"), f.Close())
	}
	return folderLock{f}, nil
}

type folderLock struct{ *os.File }

// Close gives the lock back in so many words: a child that is about to be started by another part of the process has the file open for
// a moment too, and would keep the lock for as long.
func (l folderLock) Close() error {
	return errors.Join(syscall.Flock(int(l.Fd()), syscall.LOCK_UN), l.File.Close())
}
