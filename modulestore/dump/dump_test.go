package dump

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/expected"
)

// heard is what a pass was told: the documents of each collection, and what could not be read.
type heard struct {
	docs map[string][]string
	bad  []string
}

func scan(t *testing.T, s modulestore.Source, want func(string) bool) heard {
	t.Helper()
	h := heard{docs: map[string][]string{}}
	err := s.Scan(t.Context(), modulestore.Pass{
		Want: want,
		Doc: func(c string, d bson.Doc) error {
			text, _ := bson.AppendJSON(nil, d.Lookup("_id"))
			h.docs[c] = append(h.docs[c], fmt.Sprintf("%s %d", text, len(d)))
			return nil
		},
		Bad: func(c string, err error) error {
			h.bad = append(h.bad, c+": "+err.Error())
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func everything(string) bool { return true }

// TestGoldenForms checks that a folder and an archive of the same database say the same, whatever is asked for.
func TestGoldenForms(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "archive.gz") {
		folder, err := Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
		if err != nil {
			t.Fatal(err)
		}
		archive, err := Open(golden.Path(t, "modulestore/"+set+"/archive.gz"), "edxapp")
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]func(string) bool{"all": func(c string) bool { return expected.Has(t, set, "dump/edxapp/"+c+".bson.gz") }, "one": func(c string) bool { return strings.HasPrefix(c, modulestore.CollectionBlocks) }} {
			a, b := scan(t, folder, want), scan(t, archive, want)
			if diff := cmp.Diff(a, b, cmp.AllowUnexported(heard{})); diff != "" || len(a.docs) == 0 || len(a.bad) > 0 {
				t.Errorf("%s, %s: %d collections, bad: %q (-folder +archive)\n%s", set, name, len(a.docs), a.bad, diff)
			}
		}
		if folder.Live() || archive.Live() || folder.Close() != nil || archive.Close() != nil {
			t.Error("a dump is not live and has nothing to close")
		}
	}
}

func marshal(tb testing.TB, d driver.D) []byte {
	tb.Helper()
	b, err := driver.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// numbered is a document of which only the id matters.
func numbered(tb testing.TB, n byte) []byte {
	return marshal(tb, driver.D{{Key: "_id", Value: driver.ObjectID{n}}, {Key: "text", Value: strings.Repeat("x", int(n))}})
}

// packed is what an archive holds; documents by "db.collection", two of each collection in a block.
func packed(tb testing.TB, collections ...string) []byte {
	tb.Helper()
	var out bytes.Buffer
	word := func(n uint32) { out.Write(binary.LittleEndian.AppendUint32(nil, n)) }
	word(magic)
	out.Write(marshal(tb, driver.D{{Key: "version", Value: "0.1"}}))
	for _, name := range collections {
		db, c, _ := strings.Cut(name, ".")
		out.Write(marshal(tb, driver.D{{Key: "db", Value: db}, {Key: "collection", Value: c}, {Key: "metadata", Value: "{}"}}))
	}
	word(terminator)
	header := func(name string, end bool, crc uint64) {
		db, c, _ := strings.Cut(name, ".")
		out.Write(marshal(tb, driver.D{{Key: "db", Value: db}, {Key: "collection", Value: c}, {Key: "EOF", Value: end}, {Key: "CRC", Value: int64(crc)}}))
	}
	for round := range byte(2) {
		for i, name := range collections {
			header(name, false, 0)
			out.Write(numbered(tb, byte(10*i)+2*round+1))
			out.Write(numbered(tb, byte(10*i)+2*round+2))
			word(terminator)
		}
	}
	for i, name := range collections {
		h := crc64.New(crc64.MakeTable(crc64.ECMA))
		for n := range byte(4) {
			h.Write(numbered(tb, byte(10*i)+n+1))
		}
		header(name, true, h.Sum64())
		word(terminator)
	}
	return out.Bytes()
}

func write(tb testing.TB, path string, data []byte) string {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

func squeeze(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestDamagedArchive(t *testing.T) {
	t.Parallel()
	whole := packed(t, "edxapp.modulestore", "edxapp.fs.files")
	text := bytes.Index(whole, []byte("xxxxxxxxxxx")) // in the first document of fs.files
	changed := bytes.Clone(whole)
	changed[text] = 'y'
	typeless := bytes.Clone(whole)
	typeless[bytes.Index(typeless, []byte("\x02text"))] = 0x44
	noHeader := bytes.Clone(whole)
	copy(noHeader[len(noHeader)-4:], "\x07\x00\x00\x00")
	header := bytes.LastIndex(whole, []byte("\x02db\x00"))
	oddHeader := bytes.Clone(whole)
	oddHeader[header] = 0x44
	for name, c := range map[string]struct {
		data []byte
		docs int
		want []string
	}{
		"whole":                 {whole, 8, nil},
		"packed and whole":      {squeeze(t, whole), 8, nil},
		"changed byte":          {changed, 8, []string{"fs.files: %s: byte %d: field \"CRC\": the bytes of fs.files are not those that were dumped"}},
		"bad document":          {typeless, 7, []string{"modulestore: %s: byte %d: field \"text\": of no known type"}},
		"cut in a document":     {whole[:text], 2, []string{": %s: byte %d: ends within a document of"}},
		"cut after a block":     {whole[:header-4], 8, []string{"fs.files: %s: byte %d: the archive ends before the end of fs.files"}},
		"cut in the last frame": {whole[:len(whole)-2], 8, []string{": %s: byte %d: ends within the length of a document"}},
		"no frame at the end":   {noHeader, 8, []string{": %s: byte %d: ends within a document of 7 bytes"}},
		"odd header":            {oddHeader, 8, []string{": %s: byte %d: field \"db\": of no known type"}},
		"packed and cut":        {squeeze(t, whole)[:12], 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, filepath.Join(t.TempDir(), "site.archive"), c.data)
			s, err := Open(path, "")
			if name == "packed and cut" {
				if !fault.Is(err, fault.Invalid) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			h := scan(t, s, everything)
			n := 0
			for _, docs := range h.docs {
				n += len(docs)
			}
			if n != c.docs || len(h.bad) != len(c.want) {
				t.Fatalf("%d documents, want %d; bad: %q", n, c.docs, h.bad)
			}
			for i, want := range c.want {
				before, after, _ := strings.Cut(fmt.Sprintf(strings.Replace(want, "%d", "…", 1), path), "…")
				if !strings.HasPrefix(h.bad[i], before) || !strings.Contains(h.bad[i], after) {
					t.Errorf("told %q, want %s", h.bad[i], want)
				}
			}
			// Without anybody to tell, the pass ends.
			err = s.Scan(t.Context(), modulestore.Pass{Want: everything, Doc: func(string, bson.Doc) error { return nil }})
			if (err == nil) != (c.want == nil) {
				t.Errorf("alone: %v", err)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	two := append(numbered(t, 1), numbered(t, 2)...)
	write(t, filepath.Join(dir, "edxapp", "modulestore.bson"), two)
	write(t, filepath.Join(dir, "edxapp", "modulestore.structures.bson.gz"), squeeze(t, two))
	write(t, filepath.Join(dir, "edxapp", "modulestore%20old.bson"), two[:len(two)-3])
	write(t, filepath.Join(dir, "edxapp", "modulestore.definitions.bson.gz"), squeeze(t, two)[:30])
	write(t, filepath.Join(dir, "edxapp", "modulestore.metadata.json"), []byte("{}"))
	write(t, filepath.Join(dir, "edxapp", "system.views.bson"), two)
	write(t, filepath.Join(dir, "admin", "modulestore.bson"), two)
	write(t, filepath.Join(dir, "content", "fs.files.bson"), nil)
	for _, path := range []string{dir, filepath.Join(dir, "edxapp")} {
		s, err := Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		h := scan(t, s, everything)
		if len(h.docs["modulestore"]) != 2 || len(h.docs["modulestore.structures"]) != 2 || len(h.docs["modulestore old"]) != 1 || len(h.docs["system.views"]) != 0 {
			t.Errorf("read %v", h.docs)
		}
		if len(h.bad) != 2 || !strings.Contains(h.bad[0], "modulestore old: ") || !strings.Contains(h.bad[1], "modulestore.definitions.bson.gz: byte 0: ends within") {
			t.Errorf("told %q", h.bad)
		}
		var found []byte
		err = s.Find(t.Context(), "modulestore.structures", map[modulestore.ID]bool{{2}: true, {9}: true}, func(d bson.Doc) error {
			found = append(found, d[0])
			return nil
		}, nil)
		if err != nil || len(found) != 1 {
			t.Errorf("found %d, %v", len(found), err)
		}
		full := errors.New("full")
		if err := s.Find(t.Context(), "modulestore", map[modulestore.ID]bool{{1}: true}, func(bson.Doc) error { return full }, nil); err != full {
			t.Errorf("the caller's error is %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Scan(ctx, modulestore.Pass{Want: everything}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	two := write(t, filepath.Join(dir, "two.archive"), packed(t, "edxapp.modulestore", "other.modulestore"))
	for _, db := range []string{"a", "b"} {
		write(t, filepath.Join(dir, "both", db, "modulestore.bson"), nil)
	}
	write(t, filepath.Join(dir, "twice", "edxapp", "modulestore.bson"), nil)
	write(t, filepath.Join(dir, "twice", "edxapp", "modulestore.bson.gz"), nil)
	for name, c := range map[string]struct {
		path, db string
		kind     fault.Kind
		want     string
	}{
		"missing":         {filepath.Join(dir, "gone"), "", fault.NotFound, "no such file or folder"},
		"empty folder":    {t.TempDir(), "", fault.Invalid, "there are no .bson files"},
		"another file":    {write(t, filepath.Join(dir, "x.txt"), []byte("hello")), "", fault.Invalid, "no archive of mongodump"},
		"empty file":      {write(t, filepath.Join(dir, "empty"), nil), "", fault.Invalid, "no archive of mongodump"},
		"two databases":   {two, "", fault.Usage, "the databases edxapp and other both have modulestore"},
		"two folders":     {filepath.Join(dir, "both"), "", fault.Usage, "the databases a and b both have modulestore"},
		"another one":     {two, "third", fault.NotFound, "there is no database third in it"},
		"packed and not":  {filepath.Join(dir, "twice"), "", fault.Invalid, "is there twice"},
		"cut in prelude":  {write(t, filepath.Join(dir, "cut"), packed(t, "edxapp.modulestore")[:30]), "", fault.Invalid, "cut: byte 22: ends within a document"},
		"cut before that": {write(t, filepath.Join(dir, "cut2"), packed(t, "edxapp.modulestore")[:6]), "", fault.Invalid, "ends within"},
	} {
		_, err := Open(c.path, c.db)
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	s, err := Open(two, "other")
	if err != nil {
		t.Fatal(err)
	}
	if h := scan(t, s, everything); len(h.docs["modulestore"]) != 4 || len(h.bad) > 0 {
		t.Errorf("the other database: %v, %q", h.docs, h.bad)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(packed(f, "edxapp.modulestore", "edxapp.fs.files"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Open(write(t, filepath.Join(t.TempDir(), "x"), data), "")
		if err != nil {
			return
		}
		scan(t, s, everything)
	})
}
