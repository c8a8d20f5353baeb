package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// These tests set the environment, so none of them is parallel.

// fakeTB records the failure that a helper reports, which then ends only the goroutine that caught runs.
type fakeTB struct {
	testing.TB
	failed string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// caught returns the message with which fn failed its test, "" when it did not.
func caught(t *testing.T, fn func(tb testing.TB)) string {
	t.Helper()
	f := &fakeTB{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(f)
	}()
	<-done
	return f.failed
}

// full makes a full set with one file and names it.
func full(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "shelf"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "shelf", "rows.jsonl"), []byte("{\"n\":3}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LECTERN_GOLDEN", dir)
	return dir
}

func lines(tb testing.TB, name string) (got []string) {
	Lines(tb, name, func(line []byte) { got = append(got, string(line)) })
	return got
}

func TestFullSetBeforeSubset(t *testing.T) {
	t.Setenv("LECTERN_REQUIRE_GOLDEN", "")
	dir := full(t)
	if got := Dir(t); got != dir {
		t.Errorf("Dir = %q, want %q", got, dir)
	}
	if diff := cmp.Diff([]string{`{"n":3}`}, lines(t, "shelf/rows.jsonl")); diff != "" {
		t.Errorf("lines of the full set (-want +got):\n%s", diff)
	}
	if got, want := Path(t, "shelf/a[1].txt"), filepath.Join(subset, "shelf", "a[1].txt"); got != want {
		t.Errorf("a file that only the subset has: Path = %q, want %q", got, want)
	}
}

func TestSubset(t *testing.T) {
	t.Setenv("LECTERN_REQUIRE_GOLDEN", "")
	t.Setenv("LECTERN_GOLDEN", t.TempDir())
	if diff := cmp.Diff([]string{`{"n":1}`, `{"n":2}`}, lines(t, "shelf/rows.jsonl")); diff != "" {
		t.Errorf("lines of the subset (-want +got):\n%s", diff)
	}
	if got := string(ReadGz(t, "shelf/hello.txt.gz")); got != "hello" {
		t.Errorf("ReadGz = %q, want hello", got)
	}
	if got := string(Read(t, "shelf/a[1].txt")); got != "kept\n" {
		t.Errorf("Read = %q, want kept", got)
	}
	want := []string{filepath.Join(subset, "shelf", "a[1].txt"), filepath.Join(subset, "shelf", "hello.txt.gz")}
	if diff := cmp.Diff(want, Glob(t, "shelf/*.txt*")); diff != "" {
		t.Errorf("Glob (-want +got):\n%s", diff)
	}
}

func TestFailures(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		name, golden, require string
		run                   func(tb testing.TB)
		want                  string
	}{
		{"file in neither place", empty, "", func(tb testing.TB) { Path(tb, "shelf/none") }, "no golden file shelf/none"},
		{"pattern without match", empty, "", func(tb testing.TB) { Glob(tb, "none/*") }, "no golden file none/*"},
		{"bad pattern", empty, "", func(tb testing.TB) { Glob(tb, "[") }, "syntax error in pattern"},
		{"subset only, full set required", empty, "1", func(tb testing.TB) { Path(tb, "shelf/rows.jsonl") }, "no golden file shelf/rows.jsonl"},
		{"named folder missing", filepath.Join(empty, "gone"), "", func(tb testing.TB) { Dir(tb) }, "LECTERN_GOLDEN"},
		{"named folder is a file", filepath.Join("internal", "golden", "golden.go"), "", func(tb testing.TB) { Dir(tb) }, "is not a folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("LECTERN_GOLDEN", c.golden)
			t.Setenv("LECTERN_REQUIRE_GOLDEN", c.require)
			if got := caught(t, c.run); !strings.Contains(got, c.want) {
				t.Errorf("failed with %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestNoFullSet(t *testing.T) {
	// A repository of its own, with nothing beside it.
	repo := filepath.Join(t.TempDir(), "repo")
	if err := os.MkdirAll(filepath.Join(repo, "pkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo, "go.mod"), []byte("module "+modulePath+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(repo, "pkg"))
	t.Setenv("LECTERN_GOLDEN", "")
	t.Setenv("LECTERN_REQUIRE_GOLDEN", "")
	if got := Dir(t); got != "" {
		t.Errorf("Dir = %q, want none", got)
	}
	t.Setenv("LECTERN_REQUIRE_GOLDEN", "1")
	if got := caught(t, func(tb testing.TB) { Dir(tb) }); !strings.Contains(got, "there are no golden files") {
		t.Errorf("failed with %q, want a word on missing golden files", got)
	}
	beside := filepath.Join(filepath.Dir(repo), "shared", "golden")
	if err := os.MkdirAll(beside, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Dir(t); got != beside {
		t.Errorf("Dir = %q, want %q", got, beside)
	}
}
