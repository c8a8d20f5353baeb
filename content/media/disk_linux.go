package media

import (
	"os"

	"golang.org/x/sys/unix"
)

// Barrier opens the folder at once, as the system tells of writes that failed only since then.
func (osDisk) Barrier(dir string) (barrier, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return fileSystem{f}, nil
}

type fileSystem struct{ *os.File }

func (f fileSystem) Sync() error { return unix.Syncfs(int(f.Fd())) }
