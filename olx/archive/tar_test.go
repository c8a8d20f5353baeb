package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/zipdir"
)

func crc(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }

func TestTarHostile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("d/", 600) + "x"
	sparse := paxRecord("GNU.sparse.major", "1") + paxRecord("GNU.sparse.minor", "0") +
		paxRecord("GNU.sparse.name", "s") + paxRecord("GNU.sparse.realsize", "4")
	tests := []struct {
		name               string
		data               []byte
		rule, member, text string
	}{
		{"parent", tgz(t, member{name: "../x"}), Unsafe, "../x", ".. in the path"},
		{"absolute", tgz(t, member{name: "/etc/passwd"}), Unsafe, "/etc/passwd", "absolute"},
		{"parent inside", tgz(t, member{name: "a/../../x"}), Unsafe, "a/../../x", ".. in the path"},
		{"parent that stays inside", tgz(t, member{name: "a/../x"}), Unsafe, "a/../x", ".. in the path"},
		{"dot inside", tgz(t, member{name: "a/./x"}), Unsafe, "a/./x", ". in the path"},
		{"parent directory", tgz(t, member{name: "../", kind: tar.TypeDir}), Unsafe, "../", ".. in the path"},
		{"parent behind dot", tgz(t, member{name: "./../x"}), Unsafe, "./../x", ".. in the path"},
		{"backslash", tgz(t, member{name: `C:\x`}), Unsafe, `C:\x`, "backslash"},
		{"backslash parent", tgz(t, member{name: `..\x`}), Unsafe, `..\x`, "backslash"},
		{"drive letter", tgz(t, member{name: "c:/x"}), Unsafe, "c:/x", "drive"},
		{"NUL", gz(tarEnd(rawTar("x", 'x', paxRecord("path", "a\x00b")), rawTar("y", '0', ""))), Damaged, "", "tar header"},
		{"control character", tgz(t, member{name: "a\nb"}), Unsafe, "a\nb", "control character"},
		{"C1 control character", tgz(t, member{name: "a\u0085b"}), Unsafe, "a\u0085b", "control character"},
		{"not UTF-8", gz(tarEnd(rawTar("M\xFCller", '0', ""))), BadEncoding, "M\xFCller", "UTF-8"},
		{"empty part", tgz(t, member{name: "a//b"}), Unsafe, "a//b", "empty part"},
		{"empty name", gz(tarEnd(rawTar("", '0', ""))), Unsafe, "", "empty name"},
		{"file ending in a slash", gz(tarEnd(rawTar("a/", '0', "x"))), Unsafe, "a/", "slash"},
		{"long name", tgz(t, member{name: long}), Unsafe, long, "longer than 1024"},
		{"long part", tgz(t, member{name: strings.Repeat("x", 256)}), Unsafe, strings.Repeat("x", 256), "longer than 255"},
		{"deep", tgz(t, member{name: strings.Repeat("a/", 32) + "b"}), Unsafe, strings.Repeat("a/", 32) + "b", "32 levels"},
		{"symbolic link", tgz(t, member{name: "l", kind: tar.TypeSymlink, link: "x"}), Unsafe, "l", "symbolic link"},
		{"hard link", tgz(t, member{name: "x"}, member{name: "l", kind: tar.TypeLink, link: "x"}), Unsafe, "l", "hard link"},
		{"named pipe", tgz(t, member{name: "p", kind: tar.TypeFifo}), Unsafe, "p", "named pipe"},
		{"character device", tgz(t, member{name: "d", kind: tar.TypeChar}), Unsafe, "d", "device"},
		{"block device", tgz(t, member{name: "d", kind: tar.TypeBlock}), Unsafe, "d", "device"},
		{"contiguous file", gz(tarEnd(rawTar("c", '7', ""))), Unsafe, "c", "unknown type"},
		{"vendor type", gz(tarEnd(rawTar("v", 'Z', ""))), Unsafe, "v", "unknown type"},
		{"PAX sparse", gz(tarEnd(rawTar("x", 'x', sparse), rawTar("s", '0', "1\n0\n4\n"+strings.Repeat("\x00", 506)+"abcd"))), Unsafe, "s", "sparse"},
		{"old sparse", gz(tarEnd(oldSparse())), Unsafe, "s", "sparse"},
		{"duplicate", tgz(t, files("a", "b", "a")...), DuplicateEntry, "a", "twice"},
		{"duplicate behind ./", tgz(t, files("a", "./a")...), DuplicateEntry, "./a", "twice"},
		{"duplicate directory", tgz(t, member{name: "d/", kind: tar.TypeDir}, member{name: "d/", kind: tar.TypeDir}), DuplicateEntry, "d/", "twice"},
		{"file, then directory", tgz(t, member{name: "d"}, member{name: "d/", kind: tar.TypeDir}), DuplicateEntry, "d/", "both a file and a directory"},
		{"directory, then file", tgz(t, member{name: "d/", kind: tar.TypeDir}, member{name: "d"}), DuplicateEntry, "d", "both a file and a directory"},
		{"file, then file below", tgz(t, files("d", "d/x")...), DuplicateEntry, "d/x", "d is both"},
		{"file below, then file", tgz(t, files("d/x", "d")...), DuplicateEntry, "d", "both a file and a directory"},
		{"trailing garbage", append(tgz(t, files("a")...), "garbage"...), Unsafe, "", "behind the end of the archive"},
		{"trailing zero bytes", append(tgz(t, files("a")...), 0, 0), Unsafe, "", "behind the end of the archive"},
		{"second gzip member", append(tgz(t, files("a")...), gz(nil)...), Unsafe, "", "second gzip member"},
		{"archive in two members", append(gz(tarBytes(t, files("a")...)[:512]), gz(tarBytes(t, files("a")...)[512:])...), Damaged, "a", "cut short"},
		{"data behind the tar", gz(append(tarBytes(t, files("a")...), "more"...)), Unsafe, "", "behind the end of the tar"},
		{"no tar", gz([]byte(strings.Repeat("text", 200))), Damaged, "", "tar header"},
		{"wrong checksum of gzip", flip(tgz(t, files("a")...), -8), Damaged, "", "checksum"},
		{"empty file", nil, Damaged, "", "empty"},
		{"not an archive", []byte("<course/>"), Damaged, "", "neither"},
		{"gzip magic alone", []byte("\x1f\x8b"), Damaged, "", "cut short"},
		{"member of negative size", gz(tarEnd(negative())), Damaged, "", "tar header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, put(t, "x.tar.gz", tt.data), Limits{}, tt.rule, tt.member, tt.text)
		})
	}
}

// flip changes the byte at an offset, from the end if negative.
func flip(data []byte, offset int) []byte {
	data = bytes.Clone(data)
	if offset < 0 {
		offset += len(data)
	}
	data[offset] ^= 0xFF
	return data
}

// checksum repairs the checksum of a tar header that was changed.
func checksum(b []byte) []byte {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func oldSparse() []byte {
	b := rawTar("s", 'S', "abcd")
	copy(b[257:], "ustar  \x00")
	copy(b[386:], "00000000000\x0000000000004\x00")
	copy(b[483:], "00000000004\x00")
	return checksum(b)
}

func negative() []byte {
	b := rawTar("n", '0', "")
	copy(b[124:136], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	return checksum(b)
}

func TestTarTruncated(t *testing.T) {
	t.Parallel()
	data := tgz(t, member{name: "course/", kind: tar.TypeDir}, member{name: "course/a.xml", body: strings.Repeat("<a/>\n", 300)},
		member{name: "course/b.bin", body: strings.Repeat("\x00\x01", 900)})
	temp := t.TempDir()
	for n := range len(data) {
		p := put(t, "x.tar.gz", data[:n])
		_, err := Open(context.Background(), p, Limits{}, Options{TempDir: temp, Memory: -1})
		var e *Error
		if !errors.As(err, &e) || e.Rule != Damaged {
			t.Errorf("cut to %d of %d bytes: %v", n, len(data), err)
		}
		empty(t, temp)
	}
}

func TestTarGood(t *testing.T) {
	t.Parallel()
	data := tgz(t,
		member{kind: tar.TypeXGlobalHeader},
		member{name: "./", kind: tar.TypeDir},
		member{name: "./course/", kind: tar.TypeDir},
		member{name: "./course/static/ü (1).png", body: "png"},
		member{name: "course/empty", kind: tar.TypeDir},
		member{name: "course/course.xml", body: "<course/>"},
		member{name: "course/zero"},
		member{name: strings.Repeat("p/", 31) + "q", body: "deep"},
	)
	for _, memory := range []int64{-1, 5, 0} {
		t.Run(fmt.Sprint(memory), func(t *testing.T) {
			t.Parallel()
			a := open(t, put(t, "x.tgz", data), Limits{}, Options{Memory: memory})
			deep := strings.Repeat("p/", 31) + "q"
			if diff := cmp.Diff([]string{"course/course.xml", "course/static/ü (1).png", "course/zero", deep}, a.Names()); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			for name, want := range map[string]string{"course/static/ü (1).png": "png", "course/course.xml": "<course/>", "course/zero": "", deep: "deep"} {
				got, err := a.ReadFile(name, 100)
				if err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", name, got, err)
				}
				if info, ok := a.Stat(name); !ok || info.Size != int64(len(want)) {
					t.Errorf("%s: %+v", name, info)
				}
			}
			if got := a.Dirs()[:3]; !cmp.Equal(got, []string{"course", "course/empty", "course/static"}) {
				t.Errorf("directories %q", got)
			}
			if len(a.Warnings()) != 0 {
				t.Errorf("warnings %v", a.Warnings())
			}
		})
	}
}

func TestAlike(t *testing.T) {
	t.Parallel()
	a := open(t, put(t, "x.tgz", tgz(t, files("a/B.png", "a/b.png", "Straße", "STRASSE", "e\u0301", "é", "other")...)), Limits{}, Options{})
	var got []string
	for _, w := range a.Warnings() {
		got = append(got, w.Rule+" "+w.Member)
	}
	if diff := cmp.Diff([]string{"DuplicateEntry Straße", "DuplicateEntry a/b.png", "DuplicateEntry é"}, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// zeros delivers n bytes of zeros.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestLimits(t *testing.T) {
	t.Parallel()
	kilo := strings.Repeat("0123456789abcdef", 64)
	three := []member{{name: "a.xml", body: kilo}, {name: "b.bin", body: kilo}, {name: "c.html", body: kilo}}
	tests := []struct {
		name    string
		limits  Limits
		members []member
		member  string
		text    string
	}{
		{"compressed", Limits{Compressed: 20}, three, "", "archive is larger"},
		{"total", Limits{Total: 3000}, three, "c.html", "more than 3000"},
		{"file", Limits{File: 1000}, three, "a.xml", "larger than 1000"},
		{"text", Limits{Text: 1000}, three, "a.xml", "XML, JSON or HTML file larger"},
		{"all text", Limits{TextTotal: 2000}, three, "c.html", "XML, JSON and HTML files"},
		{"entries", Limits{Entries: 2}, three, "", "more than 2 entries"},
		{"implied directories", Limits{Entries: 3}, files("a/b/c/d/x"), "a/b/c/d/x", "more than 3 directories"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, data := range []struct {
				name string
				data []byte
			}{{"x.tgz", tgz(t, tt.members...)}, {"x.zip", zipBytes(t, tt.members...)}} {
				refused(t, put(t, data.name, data.data), tt.limits, TooLarge, tt.member, tt.text)
			}
			if tt.name != "compressed" {
				dir := t.TempDir()
				for _, m := range tt.members {
					write(t, dir, m.name, m.body)
				}
				_, err := Open(context.Background(), dir, tt.limits, Options{})
				if e := new(Error); !errors.As(err, &e) || e.Rule != TooLarge {
					t.Errorf("folder: %v", err)
				}
			}
			open(t, put(t, "x.tgz", tgz(t, tt.members...)), Limits{Compressed: 2000, Total: 3072, File: 1024, Text: 1024, TextTotal: 2048, Entries: 4}, Options{})
		})
	}
}

// TestBomb shows that an archive which would fill the disk is stopped after one window.
func TestBomb(t *testing.T) {
	t.Parallel()
	const size = 96 << 20
	var b bytes.Buffer
	w := newTarPacker(&b, time.Unix(0, 0))
	out, err := w.file("static/bomb", size)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, zeros(size)); err != nil {
		t.Fatal(err)
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	refused(t, put(t, "x.tgz", b.Bytes()), Limits{}, TooLarge, "static/bomb", "expands more than 200 times")
}

// TestManyEntries packs more empty members than an archive may have, which is noticed before the rest is read.
func TestManyEntries(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := newTarPacker(&b, time.Unix(0, 0))
	for i := range 6000 {
		if _, err := w.file(fmt.Sprintf("f%d", i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	refused(t, put(t, "x.tgz", b.Bytes()), Limits{Entries: 5000}, TooLarge, "", "more than 5000 entries")
}

func TestEndlessHeaders(t *testing.T) {
	t.Parallel()
	// Extended headers are not members; a tar of nothing else is stopped by the bound on the whole stream.
	one := rawTar("x", 'x', paxRecord("comment", strings.Repeat("c", 100_000)))
	refused(t, put(t, "x.tgz", gz(tarEnd(bytes.Repeat(one, 40)))), Limits{Total: 1000, Entries: 10}, TooLarge, "", "expands to more than 1000")
}

func TestRatioWindow(t *testing.T) {
	t.Parallel()
	l := Limits{Ratio: 10, RatioWindow: 6400}.withDefaults()
	tests := []struct {
		name string
		adds [][2]int64
		ok   bool
	}{
		{"even", [][2]int64{{1000, 10_000}, {1000, 10_000}}, true},
		{"too much at once", [][2]int64{{100, 10_000}}, false},
		{"short of a window", [][2]int64{{0, 6399}}, true},
		{"a whole window", [][2]int64{{0, 6400}}, false},
		{"a bomb behind much that is not", [][2]int64{{100_000, 100_000}, {10, 6500}}, false},
		{"in small steps", repeat([2]int64{1, 11}, 600), false},
		{"in small steps, less", repeat([2]int64{1, 9}, 2000), true},
	}
	for _, tt := range tests {
		r := zipdir.NewRatio(l.Ratio, l.RatioWindow)
		ok := true
		for _, a := range tt.adds {
			ok = ok && r.Add(a[0], a[1])
		}
		if ok != tt.ok {
			t.Errorf("%s: %v, want %v", tt.name, ok, tt.ok)
		}
	}
}

func repeat(step [2]int64, n int) [][2]int64 {
	var all [][2]int64
	for range n {
		all = append(all, step)
	}
	return all
}

func TestTimeAndCancel(t *testing.T) {
	t.Parallel()
	p := put(t, "x.tgz", tgz(t, files("a")...))
	refused(t, p, Limits{Time: 1}, TooLarge, "", "not read within 1ns")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, path := range []string{p, put(t, "x.zip", zipBytes(t, files("a")...)), t.TempDir()} {
		_, err := Open(ctx, path, Limits{}, Options{})
		if !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Interrupted {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	_, err := Open(context.Background(), t.TempDir()+"/none.tar.gz", Limits{}, Options{})
	if !errors.Is(err, fs.ErrNotExist) || !fault.Is(err, fault.NotFound) {
		t.Errorf("missing archive: %v", err)
	}
	a := open(t, put(t, "x.tgz", tgz(t, files("d/a")...)), Limits{}, Options{})
	for _, name := range []string{"b", "d", "d/", "./d/a", "d/../d/a", "../x", "", "/d/a"} {
		if _, err := a.Open(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Open(%q): %v", name, err)
		}
	}
	if _, err := a.ReadFile("d/a", 3); err == nil || !strings.Contains(err.Error(), "larger than 3") {
		t.Errorf("ReadFile beyond its limit: %v", err)
	}
}

func TestSpoolIsPrivateAndSwept(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	opts := Options{TempDir: temp, Memory: -1}
	p := put(t, "x.tgz", tgz(t, files("a", "b")...))
	a, err := Open(context.Background(), p, Limits{}, opts)
	if err != nil {
		t.Fatal(err)
	}
	dir := onlyEntry(t, temp)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("spool folder: %v %v", info.Mode(), err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(dir, long, long); err != nil {
		t.Fatal(err)
	}
	// In use, it survives a sweep; left by a killed process, which holds no lock, it does not.
	if err := Sweep(temp); err != nil {
		t.Fatal(err)
	}
	if got, err := a.ReadFile("a", 0); err != nil || string(got) != "content of a" {
		t.Errorf("after a sweep: %q %v", got, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ReadFile("a", 0); err == nil {
		t.Error("a closed archive can be read")
	}
	empty(t, temp)
	if err := a.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	stale := write(t, temp, spoolPrefix+"123/spool", "old")
	if err := os.Chtimes(strings.TrimSuffix(stale, "/spool"), long, long); err != nil {
		t.Fatal(err)
	}
	b, err := Open(context.Background(), p, Limits{}, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	empty(t, temp)
}
