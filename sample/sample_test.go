package sample

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/validate"
)

// TestCanonical shows that reading and writing changes no byte, so that the samples are good examples of the format.
func TestCanonical(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files fs.FS
		key   string
	}{
		"course": {Course(), CourseKey}, "library": {Library(), LibraryKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			in, out := filepath.Join(t.TempDir(), name), filepath.Join(t.TempDir(), "out")
			if err := os.CopyFS(in, c.files); err != nil {
				t.Fatal(err)
			}
			a, err := archive.Open(ctx, in, archive.Limits{}, archive.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			read, err := olx.Read(ctx, a, olx.ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if len(read.Findings)+len(read.Ignored) > 0 {
				t.Errorf("findings %v, ignored %v; want none", read.Findings, read.Ignored)
			}
			if got := read.Source.String(); got != c.key {
				t.Errorf("the key is %s, want %s", got, c.key)
			}
			w, err := archive.Create(ctx, out, time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			if err := olx.Write(ctx, w, read.State, olx.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(content(t, c.files), content(t, os.DirFS(filepath.Join(out, name)))); diff != "" {
				t.Errorf("written again (-was +is):\n%s", diff)
			}
		})
	}
}

// TestValid shows that the course is one that others could learn from.
func TestValid(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "course")
	if err := os.CopyFS(dir, Course()); err != nil {
		t.Fatal(err)
	}
	r, err := validate.Path(context.Background(), dir, archive.Limits{}, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Severity != courseware.Info {
			t.Error(f)
		}
	}
}

func content(t *testing.T, files fs.FS) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
