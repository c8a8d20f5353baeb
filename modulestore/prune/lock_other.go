//go:build !unix

package prune

import (
	"io"
	"os"
	"path/filepath"

	"github.com/openlectern/lectern/fault"
)

// lockFolder opens a file only: such systems do not let go of locks with the process in the same way.
func lockFolder(dir string) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, dir, "%w", err)
	}
	return f, nil
}
