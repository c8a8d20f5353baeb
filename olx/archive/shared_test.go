package archive

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// demoCourse returns the path of the Open edX demo course, from $LECTERN_DATA_DIR or ../shared/data beside the repository,
// and whether it is there. Without it tests run on an archive of their own, unless LECTERN_REQUIRE_GOLDEN asks for it.
func demoCourse(tb testing.TB) (path string, ok bool) {
	tb.Helper()
	dir := os.Getenv("LECTERN_DATA_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path = filepath.Join(dir, "demo-course.tar.gz")
	if _, err := os.Stat(path); err == nil {
		return path, true
	}
	if os.Getenv("LECTERN_REQUIRE_GOLDEN") == "1" {
		tb.Fatalf("LECTERN_REQUIRE_GOLDEN is set and %s is missing", path)
	}
	path = filepath.Join(tb.TempDir(), "small.tar.gz")
	w, err := Create(context.Background(), path, someDay)
	if err != nil {
		tb.Fatal(err)
	}
	fill(tb, w, sample())
	return path, false
}

// TestGoldenDemoCourse opens the demo course, writes it again in every format, and reads it back (olx.md §8.1).
func TestGoldenDemoCourse(t *testing.T) {
	t.Parallel()
	path, whole := demoCourse(t)
	a := open(t, path, Limits{}, Options{})
	var size int64
	for _, n := range a.Names() {
		info, _ := a.Stat(n)
		size += info.Size
	}
	files, want := len(sample()), int64(0)
	for _, m := range sample() {
		want += int64(len(m.body))
	}
	if whole {
		files, want = 800, 20_354_746
	}
	if len(a.Names()) != files || size != want {
		t.Errorf("%d files with %d bytes, want %d with %d", len(a.Names()), size, files, want)
	}
	if dir, rivals, ok := FindRoot(a.Names(), "course.xml"); whole && (dir != "course" || len(rivals) != 0 || !ok) {
		t.Errorf("root %q, rivals %q", dir, rivals)
	}
	if whole && len(a.Dirs()) != 17 {
		t.Errorf("%d directories, want 17", len(a.Dirs()))
	}
	for _, name := range []string{"x.tar.gz", "x.zip", "folder"} {
		target := filepath.Join(t.TempDir(), name)
		copyTo(t, a, target)
		b := open(t, target, Limits{}, Options{})
		if len(b.Names()) != files {
			t.Errorf("%s: %d files", name, len(b.Names()))
		}
		for _, n := range a.Names() {
			want, err := a.ReadFile(n, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := b.ReadFile(n, 0); err != nil || string(got) != string(want) {
				t.Errorf("%s: %s differs, %v", name, n, err)
			}
		}
	}
}

func copyTo(tb testing.TB, a *Archive, target string) Result {
	tb.Helper()
	w, err := Create(context.Background(), target, someDay)
	if err != nil {
		tb.Fatal(err)
	}
	for _, n := range a.Names() {
		info, _ := a.Stat(n)
		if err := w.Add(n, info.Size, func() (io.ReadCloser, error) { return a.Open(n) }); err != nil {
			tb.Fatal(err)
		}
	}
	r, err := w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func BenchmarkOpen(b *testing.B) {
	path, _ := demoCourse(b)
	for name, memory := range map[string]int64{"memory": 0, "spool": -1} {
		b.Run(name, func(b *testing.B) {
			temp := b.TempDir()
			for b.Loop() {
				a, err := Open(context.Background(), path, Limits{}, Options{TempDir: temp, Memory: memory})
				if err != nil {
					b.Fatal(err)
				}
				if err := a.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	path, _ := demoCourse(b)
	a, err := Open(context.Background(), path, Limits{}, Options{TempDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	for _, name := range []string{"x.tar.gz", "x.zip"} {
		b.Run(name, func(b *testing.B) {
			target := filepath.Join(b.TempDir(), name)
			for b.Loop() {
				r := copyTo(b, a, target)
				b.SetBytes(r.Content)
			}
		})
	}
}
