package media_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/media/filetest"
)

// TestDirIsFiles runs the suite of stores of files on folders.
func TestDirIsFiles(t *testing.T) {
	t.Parallel()
	filetest.Run(t, func(t *testing.T) filetest.Place {
		root := t.TempDir()
		return filetest.Place{
			Store: media.NewDir(root),
			Age: func(by time.Duration) {
				files, err := filepath.Glob(filepath.Join(root, "content", "*", "*"))
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range files {
					info, err := os.Stat(name)
					if err != nil {
						t.Fatal(err)
					}
					if err := os.Chtimes(name, time.Time{}, info.ModTime().Add(-by)); err != nil {
						t.Fatal(err)
					}
				}
			},
			Cut: func(pkg uuid.UUID, digest string, n int) {
				if err := os.Truncate(filepath.Join(root, "content", pkg.String(), digest), int64(n)); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}
