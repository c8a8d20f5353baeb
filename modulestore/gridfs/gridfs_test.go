package gridfs

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
)

// take makes a census of all files and chunks, and collects the documents with asset metadata.
func take(t *testing.T, src modulestore.Source) (c *Census, assets []bson.Doc) {
	t.Helper()
	c = NewCensus()
	err := src.Scan(t.Context(), modulestore.Pass{
		Want: func(name string) bool {
			return name == modulestore.CollectionFiles || name == modulestore.CollectionChunks || name == modulestore.CollectionAssets || name == modulestore.CollectionStructures
		},
		Doc: func(name string, d bson.Doc) error {
			switch name {
			case modulestore.CollectionFiles:
				c.AddFile(d)
			case modulestore.CollectionChunks:
				c.AddChunk(d)
			default:
				assets = append(assets, slices.Clone(d))
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, assets
}

func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "dump/edxapp/fs.files.bson.gz") {
		if !expected.Has(t, set, "expected.json.gz") {
			continue
		}
		src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
		if err != nil {
			t.Fatal(err)
		}
		c, docs := take(t, src)
		whole := expected.Has(t, set, "dump/edxapp/fs.chunks.bson.gz")
		byName := map[string]*File{}
		for _, f := range c.Files() {
			byName[f.Name] = f
			if f.Key.IsZero() || f.Key.String() != f.Name {
				t.Errorf("%s has the key %s", f.Name, f.Key)
			}
			if why := c.wrong(f); whole && why != "" {
				t.Errorf("%s: %s", f.Name, why)
			}
		}
		byKey, byOld, odd := c.Totals(whole)
		if len(odd.Problems()) > 0 {
			t.Errorf("%s: %v", set, odd.Problems())
		}
		n := 0
		for _, course := range expected.Read(t, set).Courses {
			files, junk := 0, 0
			var bytes int64
			for _, w := range course.Files {
				f := byName[w.AssetKey]
				if f == nil {
					t.Errorf("no file %s", w.AssetKey)
					continue
				}
				n++
				if f.IsJunk() {
					junk++
				} else {
					files, bytes = files+1, bytes+w.Length
				}
				var thumbnail []*string
				if err := json.Unmarshal(w.Thumbnail, &thumbnail); err != nil {
					t.Fatal(err)
				}
				got := []any{f.Length, f.ChunkSize, f.Locked, f.ContentType, f.DisplayName, f.ImportPath, f.MD5, f.Uploaded.UnixMicro(), f.Thumbnail, f.Category}
				want := []any{w.Length, w.ChunkSize, w.Locked, text(w.ContentType), text(w.DisplayName), text(w.ImportPath), text(w.MD5), w.UploadDate.UnixMicro(), "", "asset"}
				if len(thumbnail) > 4 {
					want[8] = *thumbnail[4]
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", w.AssetKey, diff)
				}
			}
			var total *Totals
			for k, v := range byKey {
				if k.String() == course.CourseKey {
					total = v
				}
			}
			for k, v := range byOld {
				if strings.HasPrefix(course.CourseKey, k.Org+"/"+k.Course+"/") {
					total = v
				}
			}
			if total == nil {
				total = &Totals{}
			}
			if total.Files != files || total.Bytes != bytes || total.Problems.Count(modulestore.JunkFile) != junk {
				t.Errorf("%s: %+v, want %d files, %d bytes, %d junk", course.CourseKey, total, files, bytes, junk)
			}
			compareAssets(t, docs, course)
		}
		t.Logf("%s: %d files", set, n)
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// compareAssets looks for a document with just the asset metadata that the store names.
func compareAssets(t *testing.T, docs []bson.Doc, course expected.Course) {
	t.Helper()
	if len(course.AssetMetadata) == 0 {
		return
	}
	for _, d := range docs {
		assets := AssetsOf(d.Lookup("assets"))
		same := len(assets) == len(course.AssetMetadata)
		for i := 0; same && i < len(assets); i++ {
			got := map[string]any{}
			for _, f := range assets[i].Fields {
				var v any
				if err := json.Unmarshal([]byte(f.Value), &v); err != nil {
					t.Fatal(err)
				}
				got[f.Name] = v
			}
			same = slices.ContainsFunc(course.AssetMetadata, func(w map[string]any) bool {
				key, _ := w["asset_key"].(string)
				return strings.HasSuffix(key, assets[i].Name) && subset(w, got)
			})
		}
		if same {
			return
		}
	}
	t.Errorf("%s: nothing has the asset metadata %v", course.CourseKey, course.AssetMetadata)
}

// subset reports whether what the store says is what was read, moments to the millisecond.
func subset(want, got map[string]any) bool {
	for name, v := range want {
		if name == "asset_key" {
			continue
		}
		a, isText := v.(string)
		b, _ := got[name].(string)
		if isText && strings.HasSuffix(name, "_on") && strings.TrimRight(strings.TrimSuffix(a, "Z"), "0") == strings.TrimRight(strings.TrimSuffix(b, "Z"), "0") {
			continue
		}
		if !cmp.Equal(v, got[name]) {
			return false
		}
	}
	return true
}

type d = driver.D

func e(key string, value any) driver.E { return driver.E{Key: key, Value: value} }

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	c := NewCensus()
	row := func(id any, length int64, more ...driver.E) {
		c.AddFile(expected.Doc(t, append(d{e("_id", id), e("length", length)}, more...)))
	}
	chunk := func(id any, n int32, data string) {
		c.AddChunk(expected.Doc(t, d{e("files_id", id), e("n", n), e("data", driver.Binary{Data: []byte(data)})}))
	}
	key := func(name string) string { return "asset-v1:O+C+r+type@asset+block@" + name }
	old := func(name string) d {
		return d{e("category", "asset"), e("name", name), e("course", "C"), e("tag", "c4x"), e("org", "O"), e("revision", nil)}
	}
	digest := e("md5", "900150983CD24FB0D6963F7D28E17F72") // of abc
	row(key("whole"), 3, digest)
	chunk(key("whole"), 0, "ab")
	chunk(key("whole"), 1, "c")
	row(key("other"), 3, digest)
	chunk(key("other"), 0, "abd")
	row(key("short"), 4)
	chunk(key("short"), 0, "abc")
	row(key("missing"), 3)
	row(key("empty"), 0)
	row(key("gap"), 3)
	chunk(key("gap"), 0, "a")
	chunk(key("gap"), 2, "c")
	row(key("twice"), 2)
	chunk(key("twice"), 0, "a")
	chunk(key("twice"), 0, "a")
	row(key("shuffled"), 3, digest)
	chunk(key("shuffled"), 1, "c")
	chunk(key("shuffled"), 0, "ab")
	chunk(key("nobody's"), 0, "x")
	row(old("old.png"), 1, e("filename", "/c4x/Elsewhere/X/asset/old.png"))
	chunk(old("old.png"), 0, "x")
	row(old("._junk"), 0)
	row(key("._junk"), 0, e("content_son", append(old("._junk"), e("run", "r"))))
	row("nothing", 0)
	row(d{e("tag", "other")}, 0)
	row("asset-v1:O O+C+r+type@asset+block@x", 0, e("content_son", append(d{e("org", "O"), e("tag", "c4x"), e("category", "asset"), e("course", "C"), e("name", "a\nb")}, e("run", "r"))))
	got := map[string]string{}
	for _, f := range c.Files() {
		if why := c.wrong(f); why != "" {
			got[strings.TrimPrefix(f.Name, key(""))] = why
		}
	}
	want := map[string]string{"other": "its bytes do not fit its digest", "short": "3 bytes instead of 4", "missing": "its bytes are missing",
		"gap": "chunks are missing or twice: 2 of 3", "twice": "chunks are missing or twice: 2 of 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	byKey, byOld, odd := c.Totals(true)
	if odd.Count(modulestore.LostFile) != 1 || odd.Count(modulestore.BadKey) != 2 || len(byKey) != 1 || len(byOld) != 1 {
		t.Errorf("%v, %v, %v", odd.Problems(), byKey, byOld)
	}
	for _, total := range byKey {
		if total.Files != 9 || total.Problems.Count(modulestore.BadFile) != 5 || total.Problems.Count(modulestore.JunkFile) != 1 || total.Problems.Count(modulestore.BadKey) != 1 {
			t.Errorf("%+v", total)
		}
	}
	for _, total := range byOld {
		if total.Files != 1 || total.Bytes != 1 || total.Problems.Count(modulestore.JunkFile) != 1 {
			t.Errorf("%+v", total)
		}
	}
	// Without chunks nothing can be missed.
	byKey, _, _ = c.Totals(false)
	for _, total := range byKey {
		if total.Problems.Count(modulestore.BadFile) > 0 {
			t.Errorf("%+v", total)
		}
	}
}

func TestAssetsOf(t *testing.T) {
	t.Parallel()
	doc := expected.Doc(t, d{e("none", driver.A{}), e("odd", d{e("asset", driver.A{"x", d{e("filename", "f"), e("locked", true)}})})})
	if got := AssetsOf(doc.Lookup("none")); got != nil {
		t.Errorf("an empty list is %v", got)
	}
	if got := AssetsOf(doc.Lookup("odd")); len(got) != 1 || got[0].Name != "f" || got[0].Type != "asset" || len(got[0].Fields) != 1 {
		t.Errorf("got %+v", got)
	}
}
