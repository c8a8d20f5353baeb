// Package golden finds the golden files: what the reference implementations did, recorded once, against which tests
// named TestGolden… compare what this program does.
//
// The full set is a folder outside the repository: $LECTERN_GOLDEN (a relative path counts from the top of the
// repository), else ../shared/golden beside the repository. Where a file is not there, a test runs on the small subset
// committed under testdata/golden of its own package, in the same layout. A test never skips: a file found in neither
// place fails it, and with LECTERN_REQUIRE_GOLDEN=1 so does a file that the full set lacks, because a run on the
// subset must not pass for the whole.
//
// Everything here reads only and is safe for parallel tests.
package golden

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// modulePath marks the go.mod at the top of the repository; nested modules have other names.
const modulePath = "github.com/openlectern/lectern"

// subset is the committed subset, seen from the folder a package's tests run in.
var subset = filepath.Join("testdata", "golden")

// maxLine bounds one line of a JSON-lines file; a scenario of publishing.jsonl is a few hundred kilobytes.
const maxLine = 64 << 20

// Dir returns the folder with the full golden set, or "" where there is none. It fails the test when LECTERN_GOLDEN
// names a folder that does not exist, and when there is none although LECTERN_REQUIRE_GOLDEN=1 asks for it.
func Dir(tb testing.TB) string {
	tb.Helper()
	dir, ok := os.LookupEnv("LECTERN_GOLDEN")
	named := ok && dir != ""
	if !named {
		dir = filepath.Join("..", "shared", "golden")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root(tb), dir)
	}
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		return dir
	case named && err != nil:
		tb.Fatalf("LECTERN_GOLDEN: %v", err)
	case named:
		tb.Fatalf("LECTERN_GOLDEN: %s is not a folder", dir)
	case required():
		tb.Fatalf("LECTERN_REQUIRE_GOLDEN is set and there are no golden files: name their folder in LECTERN_GOLDEN, or put it at %s", dir)
	}
	return ""
}

// Path returns where the golden file (or folder) with this slash-separated name is: in the full set, else in the
// committed subset of the calling package. It fails the test when it is in neither.
func Path(tb testing.TB, name string) string {
	tb.Helper()
	found := Glob(tb, escape(name))
	return found[0]
}

// Glob returns the golden files whose slash-separated names match a pattern of [filepath.Match], in the order of their
// names: those of the full set if it has any, else those of the committed subset. It fails the test when there is none.
func Glob(tb testing.TB, pattern string) []string {
	tb.Helper()
	full := Dir(tb)
	dirs := []string{subset}
	switch {
	case full != "" && required():
		dirs = []string{full}
	case full != "":
		dirs = []string{full, subset}
	}
	for _, dir := range dirs {
		names, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			tb.Fatalf("golden pattern %q: %v", pattern, err)
		}
		if len(names) == 0 {
			continue
		}
		for i, n := range names {
			names[i] = filepath.Join(dir, filepath.FromSlash(n))
		}
		return names
	}
	tb.Fatalf("no golden file %s in %s", pattern, strings.Join(dirs, " or "))
	return nil
}

// Read returns the content of a golden file.
func Read(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(Path(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// OpenGz opens a gzip'd golden file and returns a reader of what is inside, which is closed with the test.
func OpenGz(tb testing.TB, name string) io.Reader {
	tb.Helper()
	f, err := os.Open(Path(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = f.Close() }) // opened for reading: nothing is lost when closing fails
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		tb.Fatalf("%s: %v", f.Name(), err)
	}
	return z
}

// ReadGz returns what is inside a gzip'd golden file.
func ReadGz(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := io.ReadAll(OpenGz(tb, name))
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return b
}

// Lines calls fn for every line of a golden JSON-lines file that is not blank, in order. The line is only valid during
// the call. It fails the test when the file has no lines, because a test over nothing proves nothing.
func Lines(tb testing.TB, name string, fn func(line []byte)) {
	tb.Helper()
	path := Path(tb, name)
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost when closing fails
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 0, 1<<16), maxLine)
	n := 0
	for s.Scan() {
		if line := bytes.TrimSpace(s.Bytes()); len(line) > 0 {
			fn(line)
			n++
		}
	}
	if err := s.Err(); err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	if n == 0 {
		tb.Fatalf("%s has no lines", path)
	}
}

func required() bool {
	v := os.Getenv("LECTERN_REQUIRE_GOLDEN")
	return v != "" && v != "0"
}

// root returns the top of the repository: the nearest folder above the working folder whose go.mod is this module's.
func root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && bytes.HasPrefix(mod, []byte("module "+modulePath+"\n")) {
			return dir
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			tb.Fatal(err)
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatalf("no go.mod of %s above the working folder", modulePath)
		}
		dir = up
	}
}

// escape makes a pattern that matches exactly this name.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}
