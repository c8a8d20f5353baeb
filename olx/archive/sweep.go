package archive

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sweepAge keeps a folder safe between being made and being locked.
const sweepAge = time.Minute

// Sweep removes private folders that a killed process left in a temporary directory, os.TempDir() if empty. Those in use
// stay. Programs call it when they start; a new spool does so too.
func Sweep(tempDir string) error {
	if tempDir == "" {
		tempDir = os.TempDir()
	}
	entries, err := os.ReadDir(tempDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), spoolPrefix) || !e.IsDir() {
			continue
		}
		dir := filepath.Join(tempDir, e.Name())
		if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < sweepAge || inUse(dir) {
			continue
		}
		if err := os.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// inUse reports whether a process holds the spool of a folder. A folder of another user, which cannot be looked into,
// counts as in use.
func inUse(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "spool"))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	busy := lock(f) != nil
	return f.Close() != nil || busy
}
