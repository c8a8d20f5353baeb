package gridfs

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/md5" //nolint:gosec // what the store has digests of
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
	"github.com/openlectern/lectern/modulestore/links"
)

// fetch reads the bytes of files, until the test ends.
func fetch(t *testing.T, src modulestore.Source, files []*File) *Bytes {
	t.Helper()
	b, err := Fetch(t.Context(), src, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// exported reads the entries and the asset metadata of an archive that the reference wrote.
func exported(t *testing.T, file string) (entries map[string]map[string]any, metadata string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries, metadata
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasSuffix(h.Name, "/policies/assets.json"):
			if err := json.Unmarshal(data, &entries); err != nil {
				t.Fatal(err)
			}
		case strings.HasSuffix(h.Name, "/assets/assets.xml"):
			metadata = string(data)
		}
	}
}

// TestGoldenAssets compares the files of courses, and what is told of them, with what the reference stores and exports.
func TestGoldenAssets(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "dump/edxapp/fs.chunks.bson.gz") {
		src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
		if err != nil {
			t.Fatal(err)
		}
		c, docs := take(t, src)
		for _, course := range expected.Read(t, set).Courses {
			var mine []*File
			var to keys.Course
			if org, rest, old := strings.Cut(course.CourseKey, "/"); old {
				code, run, _ := strings.Cut(rest, "/")
				to, err = keys.NewCourse(org, code, run)
				for _, f := range c.Files() {
					if f.Old == (modulestore.OldCourse{Org: org, Course: code}) {
						mine = append(mine, f)
					}
				}
			} else {
				to, err = keys.ParseCourse(course.CourseKey)
				for _, f := range c.Files() {
					if f.Course == to {
						mine = append(mine, f)
					}
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			made := Assets(mine, to, fetch(t, src, mine))
			byName := map[string]*courseware.Asset{}
			for _, a := range made.Assets {
				byName[a.EntryKey] = a
				if links.AssetName(a.Path) != a.EntryKey {
					t.Errorf("%s is at %s", a.EntryKey, a.Path)
				}
			}
			if len(made.Left) > 0 || len(made.Assets)+made.Problems.Count(modulestore.JunkFile) != len(course.Files) {
				t.Errorf("%s: %d files of %d, left %v", course.CourseKey, len(made.Assets), len(course.Files), made.Left)
			}
			for _, w := range course.Files {
				name := w.AssetKey[strings.LastIndexAny(w.AssetKey, "/@")+1:]
				a := byName[name]
				if a == nil {
					if name != ".DS_Store" && !strings.HasPrefix(name, "._") {
						t.Errorf("%s is not there", w.AssetKey)
					}
					continue
				}
				if got := digest(t, a); a.Size != w.Length || got != text(w.MD5) {
					t.Errorf("%s: %d bytes with digest %s, want %d with %s", w.AssetKey, a.Size, got, w.Length, text(w.MD5))
				}
			}
			if strings.Contains(set, "small") && expected.Has(t, set, "export-course.tar.gz") && course.CourseKey == expected.Read(t, set).Courses[0].CourseKey {
				compareExport(t, set, to, byName, docs)
			}
		}
	}
}

func compareExport(t *testing.T, set string, to keys.Course, byName map[string]*courseware.Asset, docs []bson.Doc) {
	t.Helper()
	entries, metadata := exported(t, golden.Path(t, "modulestore/"+set+"/export-course.tar.gz"))
	for name, want := range entries {
		a := byName[name]
		if a == nil {
			continue // junk, which the exporter does not know
		}
		var got map[string]any
		if err := json.Unmarshal(a.Entry, &got); err != nil {
			t.Fatal(err)
		}
		if son := want["content_son"].(map[string]any); son["run"] == nil { // of the old store: under its new key
			son["run"], _ = to.Run()
			want["filename"] = to.String()[len("course-v1:"):]
			want["filename"] = "asset-v1:" + want["filename"].(string) + "+type@asset+block@" + name
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %s (-want +got)\n%s", set, name, diff)
		}
	}
	found := false
	for _, d := range docs {
		found = found || string(XML(AssetsOf(d.Lookup("assets")))) == metadata
	}
	if !found && metadata != "<assets/>" {
		t.Errorf("%s: no metadata is %s", set, metadata)
	}
}

func digest(t *testing.T, a *courseware.Asset) string {
	t.Helper()
	r, err := a.Open()
	if err != nil {
		t.Fatal(err)
	}
	sum := md5.New() //nolint:gosec // as above
	if _, err := io.Copy(sum, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// store is a source of files in memory.
type store struct{ expected.Memory }

func (s *store) row(t *testing.T, id any, length int64, more ...driver.E) *File {
	t.Helper()
	doc := expected.Doc(t, append(d{e("_id", id), e("length", length)}, more...))
	s.Docs = append(s.Docs, expected.Stored{Collection: modulestore.CollectionFiles, Doc: doc})
	f, _ := FileOf(doc)
	return &f
}

func (s *store) chunk(t *testing.T, id any, n int32, data string) {
	t.Helper()
	s.Docs = append(s.Docs, expected.Stored{Collection: modulestore.CollectionChunks,
		Doc: expected.Doc(t, d{e("files_id", id), e("n", n), e("data", driver.Binary{Data: []byte(data)})})})
}

func TestFetch(t *testing.T) {
	t.Parallel()
	var s store
	abc := e("md5", "900150983CD24FB0D6963F7D28E17F72")
	son := d{e("category", "asset"), e("name", "old.txt"), e("course", "C"), e("tag", "c4x"), e("org", "O"), e("revision", nil)}
	shuffled := d{e("tag", "c4x"), e("category", "asset"), e("name", "old.txt"), e("course", "C"), e("org", "O"), e("revision", nil)}
	key := func(name string) string { return "asset-v1:O+C+r+type@asset+block@" + name }
	files := map[string]*File{
		"whole": s.row(t, key("whole"), 3, abc), "other": s.row(t, key("other"), 3, abc), "short": s.row(t, key("short"), 4),
		"missing": s.row(t, key("missing"), 3), "empty": s.row(t, key("empty"), 0), "gap": s.row(t, key("gap"), 2), "twice": s.row(t, key("twice"), 2),
		"backwards": s.row(t, key("backwards"), 3, abc), "wrong": s.row(t, key("wrong"), 3, abc), "old": s.row(t, son, 3, abc), "shuffled": s.row(t, shuffled, 1),
	}
	for _, c := range []struct {
		name string
		n    int32
		data string
	}{
		{"whole", 0, "ab"}, {"backwards", 1, "c"}, {"other", 0, "abd"}, {"whole", 1, "c"}, {"short", 0, "abc"}, {"gap", 0, "a"}, {"gap", 2, "c"},
		{"twice", 0, "a"}, {"twice", 0, "a"}, {"backwards", 0, "ab"}, {"wrong", 1, "d"}, {"wrong", 0, "ab"}, {"nobody", 0, "x"},
	} {
		s.chunk(t, key(c.name), c.n, c.data)
	}
	s.chunk(t, son, 0, "abc")
	s.chunk(t, shuffled, 0, "x")
	var all []*File
	for _, f := range files {
		all = append(all, f)
	}
	b := fetch(t, &s, all)
	want := map[string]string{"whole": "abc", "other": "its bytes do not fit its digest", "short": "3 bytes instead of 4", "missing": "its bytes are missing",
		"empty": "", "gap": "chunks are missing or twice: 2 of 3", "twice": "chunks are missing or twice: 2 of 1", "backwards": "abc",
		"wrong": "its bytes do not fit its digest", "old": "abc", "shuffled": "x"}
	for name, f := range files {
		var bad *BadFile
		r, err := b.Open(f)
		got := ""
		if errors.As(err, &bad) {
			got = bad.Why
		} else if err != nil {
			t.Fatal(err)
		} else if err := iotest.TestReader(r, []byte(want[name])); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		} else {
			got = want[name]
		}
		if got != want[name] {
			t.Errorf("%s: got %q, want %q", name, got, want[name])
		}
	}
	stranger := s.row(t, key("stranger"), 0)
	if _, err := b.Open(stranger); err == nil || !strings.Contains(err.Error(), "were not read") {
		t.Errorf("got %v", err)
	}
	if none := fetch(t, &s, nil); none.Close() != nil {
		t.Error("nothing cannot be closed")
	}
}

// broken is a source that ends in the middle.
type broken struct{ *store }

func (b broken) Scan(ctx context.Context, p modulestore.Pass) error {
	return errors.Join(b.store.Scan(ctx, p), errors.New("gone"))
}

func TestFetchFromABrokenSource(t *testing.T) {
	var s store
	f := s.row(t, "asset-v1:O+C+r+type@asset+block@x", 1)
	s.chunk(t, "asset-v1:O+C+r+type@asset+block@x", 0, "x")
	if _, err := Fetch(t.Context(), broken{&s}, []*File{f}, nil); err == nil || err.Error() != "gone" {
		t.Errorf("got %v", err)
	}
	t.Setenv("TMPDIR", t.TempDir()+"/gone")
	if _, err := Fetch(t.Context(), &s, []*File{f}, nil); err == nil || !strings.Contains(err.Error(), "temporary storage") {
		t.Errorf("got %v", err)
	}
}

func TestAssetNames(t *testing.T) {
	t.Parallel()
	var s store
	to, err := keys.NewCourse("O", "C", "new")
	if err != nil {
		t.Fatal(err)
	}
	var files []*File
	add := func(name, from string, more ...driver.E) {
		son := d{e("category", "asset"), e("name", name), e("course", "C"), e("tag", "c4x"), e("org", "O"), e("revision", nil)}
		files = append(files, s.row(t, son, 0, append(more, e("import_path", from))...))
	}
	add("a_b.png", "a/b.png")
	add("c.png", "d.png")             // another's path
	add("e.png", "../e.png")          // out of the folder
	add("f g.png", "")                // a name of before 2012
	add("f_g.png", "")                // which is another's today
	add("h\ni.png", "")               //
	add(".DS_Store", "")              //
	add(strings.Repeat("x", 240), "") // too long for a key
	files = append(files, s.row(t, d{e("category", "thumbnail"), e("name", "t.jpg"), e("course", "C"), e("tag", "c4x"), e("org", "O"), e("revision", nil)}, 0))
	files = append(files, files[0])
	m := Assets(files, to, nil)
	got := map[string]string{}
	for _, a := range m.Assets {
		got[a.Path] = a.EntryKey
		if !strings.Contains(string(a.Entry), `"run": "new"`) {
			t.Errorf("the entry is %s", a.Entry)
		}
	}
	want := map[string]string{"a/b.png": "a_b.png", "c.png": "c.png", "e.png": "e.png", "f_g.png": "f_g.png", "f_g_c1eec3.png": "f_g_c1eec3.png", "h_i.png": "h_i.png"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if m.Thumbnails != 1 || m.Problems.Count(modulestore.JunkFile) != 1 || m.Problems.Count(modulestore.LongKey) != 1 || m.Problems.Count(modulestore.FileTwice) != 1 || len(m.Left) != 2 {
		t.Errorf("%+v", m)
	}
	if len(m.Keys) != 6 || m.Keys[0] != (Renamed{"/c4x/O/C/asset/a_b.png", "asset-v1:O+C+new+type@asset+block@a_b.png"}) {
		t.Errorf("%+v", m.Keys)
	}
	for name, p := range map[string]string{"images_a.png": "images/a.png", "a%b__1__c.txt": "a%b (1)+c.txt", "ü_é.x": "ü/é.x"} {
		if got := links.AssetName(p); got != name {
			t.Errorf("%s becomes %s", p, got)
		}
	}
}
