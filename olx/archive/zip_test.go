package archive

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/internal/zipdir"
)

// edit applies a change to the bytes at the n-th place of a signature.
func edit(data []byte, signature string, n, offset int, value ...byte) []byte {
	data = bytes.Clone(data)
	at := -1
	for range n + 1 {
		i := bytes.Index(data[at+1:], []byte(signature))
		if i < 0 {
			panic("no such signature")
		}
		at += 1 + i
	}
	copy(data[at+offset:], value)
	return data
}

func TestZipHostile(t *testing.T) {
	t.Parallel()
	plain := zipRaw(t, "a", "body", nil)
	unixMode := func(mode uint32, system uint16) func(*zip.FileHeader) {
		return func(h *zip.FileHeader) { h.CreatorVersion, h.ExternalAttrs = system<<8, mode<<16 }
	}
	local, central, end := zipdir.LocalSignature, zipdir.CentralSignature, zipdir.EndSignature
	described := zipBytes(t, member{name: "a", body: strings.Repeat("body", 100)})
	tests := []struct {
		name               string
		data               []byte
		rule, member, text string
	}{
		{"parent", zipRaw(t, "../x", "", nil), Unsafe, "../x", ".. in the path"},
		{"absolute", zipRaw(t, "/x", "", nil), Unsafe, "/x", "absolute"},
		{"backslash", zipRaw(t, `a\b`, "", nil), Unsafe, `a\b`, "backslash"},
		{"drive letter", zipRaw(t, "C:/x", "", nil), Unsafe, "C:/x", "drive"},
		{"NUL", zipRaw(t, "a\x00b", "", nil), Unsafe, "a\x00b", "control"},
		{"empty part", zipRaw(t, "a//b", "", nil), Unsafe, "a//b", "empty part"},
		{"empty name", zipRaw(t, "", "", nil), Unsafe, "", "empty name"},
		{"cp437 name", zipRaw(t, "M\x81ller", "", nil), BadEncoding, "M\x81ller", "not marked"},
		{"not UTF-8 though marked", zipRaw(t, "M\xFCller", "", func(h *zip.FileHeader) { h.Flags = zipdir.FlagUTF8 }), BadEncoding, "M\xFCller", "not UTF-8"},
		{"symbolic link", zipRaw(t, "l", "x", unixMode(0o120777, 3)), Unsafe, "l", "symbolic link"},
		{"symbolic link from elsewhere", zipRaw(t, "l", "x", unixMode(0o120777, 0)), Unsafe, "l", "symbolic link"},
		{"named pipe", zipRaw(t, "p", "", unixMode(0o010600, 3)), Unsafe, "p", "neither a file nor"},
		{"device", zipRaw(t, "p", "", unixMode(0o020600, 3)), Unsafe, "p", "neither a file nor"},
		{"directory without slash", zipRaw(t, "d", "", unixMode(0o040755, 3)), Unsafe, "d", "does not end in a slash"},
		{"directory with content", bytes.ReplaceAll(zipRaw(t, "dx", "y", nil), []byte("dx"), []byte("d/")), Unsafe, "d/", "directory with content"},
		{"encrypted", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.Flags = 1 }), Unsafe, "a", "encrypted"},
		{"strongly encrypted", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.Flags = 1 << 6 }), Unsafe, "a", "encrypted"},
		{"masked headers", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.Flags = 1 << 13 }), Unsafe, "a", "encrypted"},
		{"patch", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.Flags = 1 << 5 }), Unsafe, "a", "patch"},
		{"deflate64", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.Method = 9 }), Unsafe, "a", "method 9"},
		{"AES", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.Method = 99 }), Unsafe, "a", "method 99"},
		{"stored with two sizes", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.UncompressedSize64 = 5 }), Unsafe, "a", "two different sizes"},
		{"second name", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.Extra = []byte("\x75\x70\x06\x00\x01\x00\x00\x00\x00b") }), Unsafe, "a", "second, other name"},
		{"duplicate", zipBytes(t, files("a", "b", "a")...), DuplicateEntry, "a", "twice"},
		{"file and directory", zipBytes(t, member{name: "a"}, member{name: "a/"}), DuplicateEntry, "a/", "both"},
		{"file and file below", zipBytes(t, files("a/b", "a")...), DuplicateEntry, "a", "both"},

		{"other local name", edit(plain, local, 0, 30, 'b'), Unsafe, "a", "the name differs"},
		{"other local method", edit(plain, local, 0, 8, 8), Unsafe, "a", "the compression method differs"},
		{"local encryption flag", edit(plain, local, 0, 6, 1), Unsafe, "a", "the kind of coding differs"},
		{"local UTF-8 flag", edit(plain, local, 0, 7, 8), Unsafe, "a", "the kind of coding differs"},
		{"local descriptor flag", edit(plain, local, 0, 6, 8), Unsafe, "a", "the kind of coding differs"},
		{"other local checksum", edit(plain, local, 0, 14, 9), Unsafe, "a", "the checksum differs"},
		{"other local size", edit(plain, local, 0, 18, 3, 0, 0, 0, 3), Unsafe, "a", "the size differs"},
		{"other descriptor", edit(described, zipdir.DescriptorSignature, 0, 12, 9), Unsafe, "a", "record behind its data differs"},
		{"local size beside a descriptor", edit(described, local, 0, 22, 9), Unsafe, "a", "size or checksum differs"},
		{"local header elsewhere", edit(plain, central, 0, 42, 1), Damaged, "a", "no local header"},
		{"local header far away", edit(plain, central, 0, 42, 0, 0, 0, 0x7F), Damaged, "a", "cut short"},
		{"data reach into the directory", edit(edit(plain, central, 0, 20, 99, 0, 0, 0, 99), local, 0, 18, 99, 0, 0, 0, 99), Damaged, "a", "reaches into"},
		{"wrong content", edit(plain, local, 0, 30+1, 'B'), Damaged, "a", "checksum"},
		{"shared bytes", overlapping(t), Unsafe, "b", "shares bytes"},
		{"several parts", edit(plain, end, 0, 4, 1), Unsafe, "", "several parts"},
		{"member on another part", edit(plain, central, 0, 34, 1), Unsafe, "a", "several parts"},
		{"fewer entries than there are", edit(plain, end, 0, 8, 0, 0, 0, 0), Unsafe, "", "more than its 0 entries"},
		{"more entries than there are", edit(plain, end, 0, 8, 2, 0, 2, 0), Damaged, "", "too short"},
		{"directory elsewhere", edit(plain, end, 0, 16, 1), Unsafe, "", "not where the end record says"},
		{"no entry in the directory", edit(plain, central, 0, 0, 'X'), Damaged, "", "no entry"},
		{"data before", append([]byte(local), plain...), Unsafe, "", "not where"},
		{"data behind", append(bytes.Clone(plain), "x"...), Unsafe, "", "behind the end"},
		{"a second end record in the comment", withComment(plain, zipdir.EndSignature+strings.Repeat("\x00", 30)), Unsafe, "", "behind the end"},
		{"only a local header", []byte(local), Damaged, "", "cut short"},
		{"endless extra field", zipRaw(t, "a", "body", func(h *zip.FileHeader) { h.CompressedSize64 = 1 << 32; h.UncompressedSize64 = 1 << 32 }), Damaged, "a", "reaches into"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			refused(t, put(t, "x.zip", tt.data), Limits{File: 1 << 40, Total: 1 << 40}, tt.rule, tt.member, tt.text)
		})
	}
}

func withComment(data []byte, comment string) []byte {
	data = append(bytes.Clone(data), comment...)
	binary.LittleEndian.PutUint16(data[len(data)-len(comment)-2:], uint16(len(comment)))
	return data
}

// overlapping makes two members of which the second lies inside the data of the first, as zip bombs do that expand one
// kernel many times.
func overlapping(tb testing.TB) []byte {
	inner := zipRaw(tb, "b", "kernel", nil)
	inner = inner[:bytes.Index(inner, []byte(zipdir.CentralSignature))]
	data := zipRaw(tb, "a", string(inner), nil)
	second := zipRaw(tb, "b", "kernel", nil)
	from, to := bytes.Index(second, []byte(zipdir.CentralSignature)), bytes.Index(second, []byte(zipdir.EndSignature))
	record := bytes.Clone(second[from:to])
	binary.LittleEndian.PutUint32(record[42:], uint32(30+1))
	end := bytes.LastIndex(data, []byte(zipdir.EndSignature))
	out := append(bytes.Clone(data[:end]), record...)
	out = append(out, data[end:]...)
	out = edit(out, zipdir.EndSignature, 0, 8, 2, 0, 2, 0)
	size := binary.LittleEndian.AppendUint32(nil, uint32(len(record)+end-bytes.Index(data, []byte(zipdir.CentralSignature))))
	return edit(out, zipdir.EndSignature, 0, 12, size...)
}

func TestZipTruncated(t *testing.T) {
	t.Parallel()
	data := zipBytes(t, files("course/a.xml", "course/b.bin")...)
	for n := range len(data) {
		_, err := Open(context.Background(), put(t, "x.zip", data[:n]), Limits{}, Options{})
		if e := new(Error); !errors.As(err, &e) || e.Rule != Damaged {
			t.Errorf("cut to %d of %d bytes: %v", n, len(data), err)
		}
	}
}

func TestZipGood(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789", 10_000)
	data := zipBytes(t, member{name: "course/"}, member{name: "course/course.xml", body: "<course/>"}, member{name: "ü/zero"}, member{name: "big", body: big})
	for name, data := range map[string][]byte{
		"plain": data, "comment": withComment(data, "made by hand"),
		"stored": zipRaw(t, "course/course.xml", "<course/>", func(h *zip.FileHeader) { h.CreatorVersion, h.ExternalAttrs = 3<<8, 0o100644<<16 }),
		"python": zipRaw(t, "course/course.xml", "<course/>", func(h *zip.FileHeader) { h.CreatorVersion, h.ExternalAttrs = 3<<8, 0o600<<16 }),
	} {
		a := open(t, put(t, "x.zip", data), Limits{}, Options{})
		if got, err := a.ReadFile("course/course.xml", 0); err != nil || string(got) != "<course/>" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	a := open(t, put(t, "x.zip", data), Limits{}, Options{})
	if diff := cmp.Diff([]string{"big", "course/course.xml", "ü/zero"}, a.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"big": big, "ü/zero": ""} {
		if got, err := a.ReadFile(name, 0); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if got := open(t, put(t, "x.zip", zipBytes(t)), Limits{}, Options{}).Names(); len(got) != 0 {
		t.Errorf("empty zip: %q", got)
	}
}

// TestZipWide reads sizes in their 64-bit form and more members than the small end record can count.
func TestZipWide(t *testing.T) {
	t.Parallel()
	wide := func(h *zip.FileHeader) {
		h.Extra = []byte{1, 0, 16, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0}
	}
	data := zipRaw(t, "a", "body", wide)
	for _, signature := range []string{zipdir.LocalSignature, zipdir.CentralSignature} {
		at := map[string]int{zipdir.LocalSignature: 18, zipdir.CentralSignature: 20}[signature]
		data = edit(data, signature, 0, at, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF)
	}
	if got, err := open(t, put(t, "x.zip", data), Limits{}, Options{}).ReadFile("a", 0); err != nil || string(got) != "body" {
		t.Errorf("64-bit sizes: %q %v", got, err)
	}

	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range 66_000 {
		if _, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p := put(t, "x.zip", b.Bytes())
	if got := len(open(t, p, Limits{}, Options{}).Names()); got != 66_000 {
		t.Errorf("%d members", got)
	}
	refused(t, p, Limits{Entries: 65_999}, TooLarge, "", "more than 65999")
	end64 := bytes.LastIndex(b.Bytes(), []byte(zipdir.End64Signature))
	for offset, text := range map[int]string{32: "several parts", 4: "contradict", 48: "not where"} {
		refused(t, put(t, "x.zip", flip(b.Bytes(), end64+offset)), Limits{}, Unsafe, "", text)
	}
}

func TestZipBomb(t *testing.T) {
	t.Parallel()
	pack := func(names []string, size int64) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, n := range names {
			f, err := w.Create(n)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(f, zeros(size)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	limits := Limits{RatioWindow: 4 << 20}
	refused(t, put(t, "x.zip", pack([]string{"a"}, 8<<20)), limits, TooLarge, "a", "expands more than 200")
	refused(t, put(t, "x.zip", pack([]string{"a", "b", "c", "d", "e", "f"}, 1<<20)), limits, TooLarge, "d", "expands more than 200")
	// Headers that promise little are not believed when the content comes.
	lie := pack([]string{"a"}, 8<<20)
	size := []byte{16, 0, 0, 0}
	lie = edit(lie, zipdir.CentralSignature, 0, 24, size...)
	lie = edit(lie, zipdir.DescriptorSignature, 0, 12, size...)
	refused(t, put(t, "x.zip", lie), limits, Damaged, "a", "longer than announced")
}
