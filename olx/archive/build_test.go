package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openlectern/lectern/fault"
)

// member is one entry of an archive that a test builds.
type member struct {
	name string
	body string
	kind byte // a tar type flag; 0 is a plain file
	link string
}

func files(names ...string) []member {
	var m []member
	for _, n := range names {
		m = append(m, member{name: n, body: "content of " + n})
	}
	return m
}

// tarBytes packs members as they are, however unfit.
func tarBytes(tb testing.TB, members ...member) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Linkname: m.link, Mode: 0o644, Size: int64(len(m.body))}
		switch m.kind {
		case 0:
			h.Typeflag = tar.TypeReg
		case tar.TypeXGlobalHeader:
			h = &tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "x"}}
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatalf("header of %q: %v", m.name, err)
		}
		if _, err := io.WriteString(w, m.body); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// rawTar is one tar block and padded content, written by hand for what the standard library refuses to write.
func rawTar(name string, kind byte, body string) []byte {
	b := make([]byte, 512, 1024+len(body))
	copy(b, name)
	copy(b[100:], "0000644\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x00%011o\x00", len(body), 0))
	b[156] = kind
	copy(b[257:], "ustar\x0000")
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	b = append(b, body...)
	return append(b, make([]byte, -len(body)&511)...)
}

func paxRecord(key, value string) string {
	n := len(key) + len(value) + 3
	for len(fmt.Sprint(n))+len(key)+len(value)+3 != n {
		n = len(fmt.Sprint(n)) + len(key) + len(value) + 3
	}
	return fmt.Sprintf("%d %s=%s\n", n, key, value)
}

func tarEnd(parts ...[]byte) []byte { return append(bytes.Join(parts, nil), make([]byte, 1024)...) }

func gz(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Bytes()
}

func tgz(tb testing.TB, members ...member) []byte { tb.Helper(); return gz(tarBytes(tb, members...)) }

func zipBytes(tb testing.TB, members ...member) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if strings.HasSuffix(m.name, "/") {
			h.Method = zip.Store
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(f, m.body); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// zipRaw packs one plain member whose sizes and checksum stand in both headers, with no descriptor, so that tests can
// change single bytes.
func zipRaw(tb testing.TB, name, body string, change func(*zip.FileHeader)) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name, CRC32: crc(body), CompressedSize64: uint64(len(body)), UncompressedSize64: uint64(len(body))}
	if change != nil {
		change(h)
	}
	f, err := w.CreateRaw(h)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := io.WriteString(f, body); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// put writes an archive to a file of a new folder and returns its path.
func put(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	p := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(p, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return p
}

// open opens an archive that must be good.
func open(tb testing.TB, path string, limits Limits, opts Options) *Archive {
	tb.Helper()
	if opts.TempDir == "" {
		opts.TempDir = tb.TempDir()
	}
	a, err := Open(context.Background(), path, limits, opts)
	if err != nil {
		tb.Fatalf("Open: %v", err)
	}
	tb.Cleanup(func() {
		if err := a.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
		empty(tb, opts.TempDir)
	})
	return a
}

// refused opens an archive that must be refused by a rule, and shows that nothing was left behind: neither in the
// temporary folder nor beside the archive.
func refused(tb testing.TB, path string, limits Limits, rule, member, text string) {
	tb.Helper()
	for _, memory := range []int64{-1, 0} { // spooled to disk and kept in memory
		temp := tb.TempDir()
		a, err := Open(context.Background(), path, limits, Options{TempDir: temp, Memory: memory})
		if err == nil {
			for _, n := range a.Names() { // a zip shows some faults only when its files are read
				if _, err = a.ReadFile(n, 0); err != nil {
					break
				}
			}
			_ = a.Close()
		}
		var e *Error
		if !errors.As(err, &e) {
			tb.Fatalf("error %v, want an *Error", err)
		}
		if e.Rule != rule || e.Member != member || !strings.Contains(e.Text, text) || e.Archive != path {
			tb.Errorf("%s, member %q: %q (archive %q); want %s, member %q with %q", e.Rule, e.Member, e.Text, e.Archive, rule, member, text)
		}
		if !fault.Is(err, fault.Invalid) {
			tb.Errorf("kind of %v is not invalid", err)
		}
		empty(tb, temp)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
				tb.Errorf("files beside the archive: %v", entries)
			}
		}
	}
}

func empty(tb testing.TB, dir string) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Error(err)
	}
	for _, e := range entries {
		tb.Errorf("left behind: %s", e.Name())
	}
}
