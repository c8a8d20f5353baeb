package backup

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
)

// raw makes a zip of tiny and one more entry, whose header may be changed.
func raw(t testing.TB, name string, content string, change func(*zip.FileHeader)) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	add := func(name, content string, change func(*zip.FileHeader)) {
		h := &zip.FileHeader{Name: name, CRC32: crc32.ChecksumIEEE([]byte(content)),
			CompressedSize64: uint64(len(content)), UncompressedSize64: uint64(len(content))}
		if change != nil {
			change(h)
		}
		w, err := z.CreateRaw(h)
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range tiny() {
		add(name, content, nil)
	}
	add(name, content, change)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb is a component file of very many zeros.
func bomb(t testing.TB, size int) []byte {
	t.Helper()
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	crc, zeros := crc32.NewIEEE(), make([]byte, 1<<20)
	for range size / len(zeros) {
		crc.Write(zeros)
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return raw(t, introV1+"static/zeros", packed.String(), func(h *zip.FileHeader) {
		h.Method, h.CRC32, h.UncompressedSize64 = zip.Deflate, crc.Sum32(), uint64(size)
	})
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	good := pack(t, tiny())
	nested := pack(t, map[string]string{"inner.zip": string(good)})
	for name, c := range map[string]struct {
		content []byte
		member  string
		code    string
	}{
		"bomb":          {bomb(t, 128<<20), introV1 + "static/zeros", CodeTooLarge},
		"dot dot":       {raw(t, introV1+"../../../../../../up.txt", "x", nil), introV1 + "../../../../../../up.txt", CodePath},
		"dot":           {raw(t, introV1+"./x", "x", nil), introV1 + "./x", CodePath},
		"absolute":      {raw(t, "/etc/cron.d/x", "x", nil), "/etc/cron.d/x", CodePath},
		"twice":         {raw(t, introV1+"block.xml", "<other/>", nil), introV1 + "block.xml", CodeDuplicate},
		"NUL":           {raw(t, introV1+"static/a.png\x00.txt", "x", nil), introV1 + "static/a.png\x00.txt", CodePath},
		"symbolic link": {raw(t, introV1+"static/link", "/etc/passwd", func(h *zip.FileHeader) { h.SetMode(fs.ModeSymlink | 0o777) }), introV1 + "static/link", CodeInvalid},
		"not UTF-8":     {raw(t, introV1+"static/M\xfcller", "x", nil), introV1 + "static/M\xfcller", CodeEncoding},
		"truncated":     {good[:len(good)*2/3], "", CodeDamaged},
		"nested":        {nested, packageFile, CodeMissing},
		"encrypted":     {raw(t, introV1+"static/x", "x", func(h *zip.FileHeader) { h.Flags = 1 }), introV1 + "static/x", CodeInvalid},
		"empty":         {nil, "", CodeDamaged},
		"long name":     {raw(t, introV1+strings.Repeat("long/", 1000), "", nil), introV1 + strings.Repeat("long/", 1000), CodePath},
		"other method":  {raw(t, introV1+"static/x", "x", func(h *zip.FileHeader) { h.Method = 12 }), introV1 + "static/x", CodeInvalid},
		"deep brackets": {pack(t, changed(t, introFile, "[entity]", "a = "+strings.Repeat("[", 1<<20)+"\n[entity]")), introFile, CodeTOML},
		"backslash":     {raw(t, introV1+`static\win.txt`, "x", nil), introV1 + `static\win.txt`, CodePath},
		"data behind":   {append(bytes.Clone(good), "more"...), "", CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, db.SQLite)
			before := s.rows()
			_, _, err := s.restore(put(t, "x.zip", c.content), "lib:x:y", ReadOptions{})
			var p *Problems
			if !errors.As(err, &p) {
				t.Fatalf("error %v, want problems", err)
			}
			if p.List[0].File != c.member || p.List[0].Code != c.code {
				t.Errorf("%+v, want %s in %q", p.List[0], c.code, c.member)
			}
			if diff := cmp.Diff(before, s.rows()); diff != "" {
				t.Errorf("left behind (-before +after):\n%s", diff)
			}
		})
	}
}

// TestExpansionIsBounded reads a bomb under a limit that lets its announced size pass.
func TestExpansionIsBounded(t *testing.T) {
	t.Parallel()
	a, err := Open(t.Context(), put(t, "x.zip", bomb(t, 128<<20)), Limits{File: 1 << 30})
	if err != nil {
		var p *Problems
		if !errors.As(err, &p) || p.List[0].Code != CodeTooLarge {
			t.Error(err)
		}
		return
	}
	defer a.Close()
	t.Error("opened")
}

// TestAMillionEntries shows that a directory of a million files is refused in little memory and time. With the race
// detector, which takes minutes for it, there are fewer, under a lower limit.
func TestAMillionEntries(t *testing.T) {
	t.Parallel()
	n, l, text := 1_000_000, Limits{}, "more than 900000 files"
	if raceEnabled {
		n, l, text = 20_000, Limits{Files: 18_000}, "more than 18000 files"
	}
	// All have the same headers but for the digits of their names and where they lie.
	const name = "entities/f0000000"
	var one bytes.Buffer
	z, err := newZipWriter(&one)
	if err != nil {
		t.Fatal(err)
	}
	if err := z.file(name, loadTime, nil); err != nil {
		t.Fatal(err)
	}
	if err := z.close(); err != nil {
		t.Fatal(err)
	}
	const localLen, centralLen = 30 + len(name), 46 + len(name)
	local, central := one.Bytes()[:localLen:localLen], one.Bytes()[localLen:localLen+centralLen:localLen+centralLen]
	var all, directory []byte
	for i := range n {
		digits := fmt.Appendf(nil, "%07d", i)
		copy(local[localLen-7:], digits)
		copy(central[centralLen-7:], digits)
		le.PutUint32(central[42:], uint32(len(all)))
		all, directory = append(all, local...), append(directory, central...)
	}
	end := &zipWriter{out: io.Discard, entries: int64(n), at: int64(len(all)), centralSize: int64(len(directory))}
	path := put(t, "x.zip", append(append(all, directory...), end.tail(int64(len(all)), int64(len(all)+len(directory)))...))
	_, err = Open(t.Context(), path, l)
	var p *Problems
	if !errors.As(err, &p) || p.List[0].Code != CodeTooLarge || p.List[0].Text != text {
		t.Errorf("error %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	path := put(t, "x.zip", pack(t, tiny()))
	for name, l := range map[string]Limits{
		"archive": {Archive: 100}, "files": {Files: 3}, "total": {Total: 100}, "path": {Path: 20}, "file": {File: 5}, "toml": {TOML: 100},
	} {
		a, err := Open(t.Context(), path, l)
		if err == nil {
			_, err = a.Read(t.Context(), ReadOptions{})
			if cerr := a.Close(); cerr != nil {
				t.Error(cerr)
			}
		}
		var p *Problems
		if !errors.As(err, &p) || p.List[0].Code != CodeTooLarge && p.List[0].Code != CodePath {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestZip64 writes an archive with more entries than a small zip can have, and reads it.
func TestZip64(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z, err := newZipWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 70_000 {
		if err := z.dir(fmt.Sprintf("entities/d%d/", i), time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range tiny() {
		if err := z.file(name, loadTime, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	large := strings.Repeat("0123456789abcdef", 1<<17)
	if err := z.stream(introV2+"static/large", loadTime, strings.NewReader(large)); err != nil {
		t.Fatal(err)
	}
	if err := z.close(); err != nil {
		t.Fatal(err)
	}
	names, files := entries(t, b.Bytes())
	if len(names) != 70_000+len(tiny())+1 || body(t, files[introV2+"static/large"]) != large {
		t.Errorf("%d entries", len(names))
	}
	s := newStand(t, db.SQLite)
	s.mustRestore(put(t, "x.zip", b.Bytes()), "lib:x:y", ReadOptions{Strict: true})
	content, sum := s.backup("lib:x:y", WriteOptions{})
	_, again := entries(t, content)
	if body(t, again[introV2+"static/large"]) != large || sum.Content != int64(len(large))+19+18+3+10 {
		t.Errorf("%d bytes", sum.Content)
	}
	runtime.KeepAlive(files)
}

// FuzzRead reads whatever is in one of the files of an archive.
func FuzzRead(f *testing.F) {
	for name, content := range tiny() {
		if strings.HasSuffix(name, ".toml") {
			f.Add(name, []byte(content))
		}
	}
	f.Add(lecternFile, []byte("[lectern]\nformat_version = 1\n[course]\nkey = \"x\""))
	f.Add(lecternContainer+"week-1-9f3c2a.toml", []byte("[entity]\nkey = \"week-1-9f3c2a\"\ncode = \"x\"\n[[version]]\nversion_num = 3\npins = [1, 0]"))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		files := tiny()
		files[lecternFile] = "[lectern]\nformat_version = 1\n"
		files[name] = string(content)
		a, err := Open(t.Context(), put(t, "x.zip", pack(t, files)), Limits{TOML: 1 << 20})
		if err != nil {
			var p *Problems
			if !errors.As(err, &p) {
				t.Fatal(err)
			}
			return
		}
		defer a.Close()
		p, err := a.Read(t.Context(), ReadOptions{})
		var bad *Problems
		switch {
		case errors.As(err, &bad):
			if bad.Len() == 0 {
				t.Fatal("an error without problems")
			}
		case err != nil:
			t.Fatal(err)
		default:
			if again, err := Compare(t.Context(), p, p); err != nil || len(again) > 0 {
				t.Fatalf("it differs from itself: %v, %v", again, err)
			}
		}
	})
}

// FuzzOpen reads whatever is in an archive.
func FuzzOpen(f *testing.F) {
	f.Add(pack(f, tiny()))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := Open(t.Context(), put(t, "x.zip", content), Limits{Total: 1 << 24})
		var p *Problems
		if err != nil {
			if !errors.As(err, &p) {
				t.Fatal(err)
			}
			return
		}
		defer a.Close()
		if _, err := a.Read(t.Context(), ReadOptions{}); err != nil && !errors.As(err, &p) {
			t.Fatal(err)
		}
	})
}

// FuzzEmit shows that what is written is read again as it was.
func FuzzEmit(f *testing.F) {
	f.Add("a \"b\" \\ \t\r\n\x00\x7f\u0085 ü 🙂")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "")
		var e emitter
		e.table("[" + bareKey(s) + "]")
		e.str("text", s)
		e.inline("list", []string{s, s})
		e.lines("lines", []string{s})
		var p Problems
		got, ok := decode(e.b, "x", &p)
		in := table(got, s)
		if !ok || in["text"] != s || in["list"].([]any)[1] != s || in["lines"].([]any)[0] != s {
			t.Fatalf("%q: %v, %v", e.b, got, p.List)
		}
	})
}
