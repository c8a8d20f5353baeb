//go:build unix && !solaris && !aix

package archive

import (
	"os"
	"syscall"
)

// lock takes the lock of a file, which ends with the process, and fails if another holds it.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
