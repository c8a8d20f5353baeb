package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
)

var someDay = time.Date(2026, 5, 15, 12, 34, 56, 789, time.UTC)

// sample is a course-like set of files in bytewise order.
func sample() []member {
	m := []member{
		{name: "course-a/x", body: "before the slash"},
		{name: "course.xml", body: "in between"},
		{name: "course/about/empty.html"},
		{name: "course/course.xml", body: `<course org="o"/>`},
		{name: "course/static/a b (1).png", body: strings.Repeat("\x00\x01\x02", 50_000)},
		{name: "course/static/" + strings.Repeat("long/", 20) + strings.Repeat("n", 200), body: "long"},
		{name: "course/static/é😀.txt", body: "unicode"},
	}
	slices.SortFunc(m, func(a, b member) int { return strings.Compare(a.name, b.name) })
	return m
}

func fill(tb testing.TB, w *Writer, members []member) Result {
	tb.Helper()
	for _, m := range members {
		open := func() (io.ReadCloser, error) {
			return io.NopCloser(iotest.OneByteReader(iotest.DataErrReader(strings.NewReader(m.body)))), nil
		}
		if len(m.body) > 1000 {
			open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(m.body)), nil }
		}
		if err := w.Add(m.name, int64(len(m.body)), open); err != nil {
			tb.Fatal(err)
		}
	}
	r, err := w.Close()
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestWriteAndRead(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x.tar.gz", "X.TGZ", "x.zip", "folder", "folder.d/"} {
		t.Run(strings.Trim(name, "/"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			target := filepath.Join(dir, name)
			w, err := Create(context.Background(), target, someDay)
			if err != nil {
				t.Fatal(err)
			}
			r := fill(t, w, sample())
			if err := w.Discard(); err != nil {
				t.Errorf("Discard after Close: %v", err)
			}
			onlyEntry(t, dir)
			var size int64
			for _, m := range sample() {
				size += int64(len(m.body))
			}
			if r.Files != len(sample()) || r.Content != size {
				t.Errorf("result %+v, want %d files with %d bytes", r, len(sample()), size)
			}
			if data, err := os.ReadFile(target); err == nil {
				sum := sha256.Sum256(data)
				if r.SHA256 != hex.EncodeToString(sum[:]) || r.Bytes != int64(len(data)) {
					t.Errorf("result %+v for %d bytes", r, len(data))
				}
			} else if r.SHA256 != "" || r.Bytes != r.Content {
				t.Errorf("result %+v for a folder", r)
			}
			a := open(t, filepath.Clean(target), Limits{}, Options{})
			var names []string
			for _, m := range sample() {
				names = append(names, m.name)
				if got, err := a.ReadFile(m.name, 0); err != nil || string(got) != m.body {
					t.Errorf("%s: %d bytes, %v", m.name, len(got), err)
				}
			}
			if diff := cmp.Diff(names, a.Names()); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeterministic(t *testing.T) {
	t.Parallel()
	for _, start := range []func(context.Context, io.Writer, time.Time) *Writer{NewTarGz, NewZip} {
		var first []byte
		for _, when := range []time.Time{someDay, someDay.Add(time.Millisecond).In(time.FixedZone("X", 7200))} {
			var b bytes.Buffer
			r := fill(t, start(context.Background(), &b, when), sample())
			if r.Bytes != int64(b.Len()) {
				t.Errorf("%d bytes, result %+v", b.Len(), r)
			}
			if first != nil && !bytes.Equal(first, b.Bytes()) {
				t.Error("equal content gave other bytes")
			}
			first = b.Bytes()
		}
	}
}

func TestTarHeaders(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	fill(t, NewTarGz(context.Background(), &b, someDay), sample())
	z, err := gzip.NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || z.Comment != "" || !z.ModTime.IsZero() || len(z.Extra) != 0 {
		t.Errorf("gzip header %+v", z.Header)
	}
	var got []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		mode := map[byte]int64{tar.TypeDir: 0o755, tar.TypeReg: 0o644}[h.Typeflag]
		if h.Mode != mode || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(someDay.Truncate(time.Second)) {
			t.Errorf("header %+v", h)
		}
		if strings.HasSuffix(h.Name, "/") != (h.Typeflag == tar.TypeDir) {
			t.Errorf("%s has type %c", h.Name, h.Typeflag)
		}
		if !strings.Contains(h.Name, "long/") {
			got = append(got, h.Name)
		}
	}
	want := []string{"course-a/", "course-a/x", "course.xml", "course/", "course/about/", "course/about/empty.html", "course/course.xml",
		"course/static/", "course/static/a b (1).png", "course/static/é😀.txt"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(got) {
		t.Error("entries are not sorted bytewise")
	}
}

func TestTimesOutOfRange(t *testing.T) {
	t.Parallel()
	for _, when := range []time.Time{{}, time.Unix(-5, 0), time.Date(1979, 1, 1, 0, 0, 0, 0, time.UTC)} {
		for _, name := range []string{"x.zip", "x.tgz", "folder"} {
			w, err := Create(context.Background(), filepath.Join(t.TempDir(), name), when)
			if err != nil {
				t.Fatal(err)
			}
			fill(t, w, files("a"))
		}
	}
}

func TestAddRefused(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	reader := func(r io.Reader, err error) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) { return io.NopCloser(r), err }
	}
	tests := []struct {
		name string
		add  func(w *Writer) error
		text string
	}{
		{"unsafe name", func(w *Writer) error { return w.AddBytes("../x", nil) }, ".. in the path"},
		{"out of order", func(w *Writer) error { return w.AddBytes("b/a", nil) }, "added after"},
		{"twice", func(w *Writer) error { return w.AddBytes("b/b", nil) }, "added after"},
		{"below a file", func(w *Writer) error { return w.AddBytes("b/b/c", nil) }, "both a file and a directory"},
		{"too long", func(w *Writer) error { return w.Add("c", 1, reader(strings.NewReader("xx"), nil)) }, "longer than"},
		{"too short", func(w *Writer) error { return w.Add("c", 3, reader(strings.NewReader("xx"), nil)) }, "2 bytes where 3"},
		{"cannot be opened", func(w *Writer) error { return w.Add("c", 3, reader(nil, broken)) }, "c: broken"},
		{"cannot be read", func(w *Writer) error { return w.Add("c", 3, reader(iotest.ErrReader(broken), nil)) }, "c: broken"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"x.tar.gz", "x.zip", "folder"} {
				dir := t.TempDir()
				w, err := Create(context.Background(), filepath.Join(dir, name), someDay)
				if err != nil {
					t.Fatal(err)
				}
				if err := w.AddBytes("b/b", []byte("x")); err != nil {
					t.Fatal(err)
				}
				err = tt.add(w)
				if err == nil || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("%s: error %v, want %q", name, err, tt.text)
				}
				if again := w.AddBytes("z", nil); again != err {
					t.Errorf("%s: later Add: %v", name, again)
				}
				if _, got := w.Close(); !errors.Is(got, err) {
					t.Errorf("%s: Close: %v", name, got)
				}
				empty(t, dir)
			}
		})
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full := filepath.Join(dir, "full")
	write(t, full, "a", "x")
	file := write(t, dir, "file", "x")
	for _, target := range []string{full, file, filepath.Join(dir, "full.zip")} {
		if target == filepath.Join(dir, "full.zip") {
			if err := os.Mkdir(target, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Create(context.Background(), target, someDay); !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", target, err)
		}
	}
	if _, err := Create(context.Background(), filepath.Join(dir, "none", "x.zip"), someDay); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing parent: %v", err)
	}

	// An empty folder gives way and an old file is replaced, but only by Close.
	vacant := filepath.Join(dir, "vacant")
	if err := os.Mkdir(vacant, 0o700); err != nil {
		t.Fatal(err)
	}
	old := write(t, dir, "old.zip", "old")
	for _, target := range []string{vacant, old} {
		w, err := Create(context.Background(), target, someDay)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AddBytes("a", []byte("new")); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(old); target == old && string(got) != "old" {
			t.Errorf("replaced before Close: %q", got)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := open(t, target, Limits{}, Options{}).ReadFile("a", 0); err != nil || string(got) != "new" {
			t.Errorf("%s: %q, %v", target, got, err)
		}
	}
	if _, err := (&Writer{done: true}).Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

func TestFilledMeanwhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "out")
	w, err := Create(context.Background(), target, someDay)
	if err != nil {
		t.Fatal(err)
	}
	write(t, target, "mine", "kept")
	if err := w.AddBytes("a", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err == nil {
		t.Error("a folder that was filled meanwhile was replaced")
	}
	onlyEntry(t, dir)
	if got, _ := os.ReadFile(filepath.Join(target, "mine")); string(got) != "kept" {
		t.Errorf("content %q", got)
	}
}

func TestCancelledWrite(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x.tgz", "x.zip", "folder"} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		w, err := Create(ctx, filepath.Join(dir, name), someDay)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.AddBytes("a", []byte("x")); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := w.AddBytes("b", []byte("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("Add: %v", err)
		}
		if _, err := w.Close(); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
		empty(t, dir)
	}
}
