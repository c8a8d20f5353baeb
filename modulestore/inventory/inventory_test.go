package inventory

import (
	"context"
	"errors"
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

// TestGoldenCourses compares a full inventory of every golden site with what the real stores say, from a folder and, where
// there is one, from an archive.
func TestGoldenCourses(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "expected.json.gz") {
		for _, form := range []string{"dump", "archive.gz"} {
			if !expected.Has(t, set, form) {
				continue
			}
			src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/"+form), "")
			if err != nil {
				t.Fatal(err)
			}
			whole := expected.Has(t, set, "dump/edxapp/fs.chunks.bson.gz") // without bytes, none of them are looked for
			r, err := Take(t.Context(), src, Options{Full: whole})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, set+"/"+form, r, expected.Read(t, set))
		}
	}
}

func compare(t *testing.T, set string, r *Report, want *expected.Database) {
	t.Helper()
	byKey := map[string]*Course{}
	for _, c := range r.Courses {
		byKey[c.Key] = c
	}
	all := append(want.Courses, want.Libraries...)
	if len(byKey) != len(all) || r.Documents == 0 || r.Bytes == 0 || r.Problems.Count(modulestore.Unreadable) > 0 {
		t.Errorf("%s: %d courses, want %d; %v", set, len(byKey), len(all), r.Problems.Problems())
	}
	for _, w := range all {
		c := byKey[w.CourseKey]
		if c == nil {
			t.Errorf("%s: no course %s", set, w.CourseKey)
			continue
		}
		blocks := len(w.Branches["draft"].Blocks) + len(w.Branches["library"].Blocks)
		var files int
		var bytes int64
		for _, f := range w.Files {
			if name := f.AssetKey[strings.LastIndexAny(f.AssetKey, "/@")+1:]; name != ".DS_Store" && !strings.HasPrefix(name, "._") {
				files, bytes = files+1, bytes+f.Length
			}
		}
		store := Split
		if !strings.Contains(w.CourseKey, ":") {
			store = OldMongo
		}
		if c.Blocks != blocks || c.Files != files || c.FileBytes != bytes || c.Assets != len(w.AssetMetadata) || c.Store != store || c.Today.IsZero() || c.LastEdit.IsZero() ||
			(c.Versions > 0) != (store == Split) {
			t.Errorf("%s: %s: %+v, want %d blocks, %d files of %d bytes, %d assets", set, w.CourseKey, c, blocks, files, bytes, len(w.AssetMetadata))
		}
		for _, rule := range []modulestore.Rule{modulestore.MissingHead, modulestore.MissingDefinition, modulestore.BadFile} {
			if c.Problems.Count(rule) > 0 {
				t.Errorf("%s: %s: %s: %v", set, w.CourseKey, rule, c.Problems.Problems())
			}
		}
	}
}

type d = driver.D

func e(key string, value any) driver.E { return driver.E{Key: key, Value: value} }

func oid(n byte) driver.ObjectID { return driver.ObjectID{n} }

func file(org, course, run, name string) d {
	son := d{e("category", "asset"), e("name", name), e("course", course), e("tag", "c4x"), e("org", org), e("revision", nil)}
	if run == "" {
		return d{e("_id", son), e("length", int64(10))}
	}
	return d{e("_id", name+run), e("content_son", append(son, e("run", run))), e("length", int64(5))}
}

// site is a database with something of everything, and much of it amiss.
func site(t testing.TB) *expected.Memory {
	m := &expected.Memory{}
	add := func(collection string, doc d) {
		m.Docs = append(m.Docs, expected.Stored{Collection: collection, Doc: expected.Doc(t, doc)})
	}
	structure := d{e("_id", oid(1)), e("root", driver.A{"course", "course"}), e("blocks", driver.A{
		d{e("block_type", "course"), e("block_id", "course"), e("definition", oid(9)), e("fields", d{})}})}
	add(modulestore.CollectionStructures, structure)
	add(modulestore.CollectionIndexes, d{e("_id", oid(5)), e("org", "O"), e("course", "C"), e("run", "s"), e("versions", d{e("draft-branch", oid(1)), e("published-branch", oid(1))})})
	add(modulestore.CollectionBlocks, d{e("_id", d{e("tag", "i4x"), e("org", "O"), e("course", "C"), e("category", "course"), e("name", "r"), e("revision", nil)}), e("definition", d{}), e("metadata", d{})})
	add(modulestore.CollectionBlocks, d{e("_id", "odd")})
	add(modulestore.CollectionAssets, d{e("_id", oid(7)), e("course_id", "O/C/r"), e("assets", d{e("asset", driver.A{d{e("filename", "a")}, d{e("filename", "b")}})})})
	add(modulestore.CollectionLocationMap, d{e("_id", oid(1))})
	add(modulestore.CollectionLocationMap, d{e("_id", oid(2))})
	add(modulestore.CollectionFiles, file("O", "C", "", "old.png"))
	add(modulestore.CollectionFiles, file("O", "C", "s", "new.png"))
	add(modulestore.CollectionFiles, file("Gone", "C", "", "x"))
	add(modulestore.CollectionFiles, file("Gone", "C", "r", "x"))
	add("something else", d{e("_id", oid(1))})
	return m
}

func problems(t *modulestore.Tally) (all []string) {
	for _, p := range t.Problems() {
		all = append(all, string(p.Rule)+" "+p.First)
	}
	return all
}

func TestTake(t *testing.T) {
	t.Parallel()
	for _, full := range []bool{false, true} {
		r, err := Take(t.Context(), site(t), Options{Full: full})
		if err != nil || len(r.Courses) != 2 || r.Documents != 11 {
			t.Fatalf("%+v, %v", r, err)
		}
		old, split := r.Courses[0], r.Courses[1]
		if old.Key != "O/C/r" || old.Today.String() != "course-v1:O+C+r" || old.Assets != 2 || old.Files != 1 || old.FileBytes != 10 || old.Store != OldMongo {
			t.Errorf("old: %+v", old)
		}
		if split.Key != "course-v1:O+C+s" || split.Today.String() != split.Key || split.Blocks != 1 || split.Drafts != 0 || split.Files != 1 || split.FileBytes != 5 || split.Versions != 1 {
			t.Errorf("split: %+v", split)
		}
		if diff := cmp.Diff([]string{"5.2 modulestore.location_map", "L-80 Gone/C", `OM-1 "odd"`}, problems(&r.Problems)); diff != "" {
			t.Errorf("the site (-want +got)\n%s", diff)
		}
		var want []string
		if full {
			want = []string{"GF-15 asset-v1:O+C+s+type@asset+block@new.png: its bytes are missing", "SP-20 course/course"}
		}
		if diff := cmp.Diff(want, problems(&split.Problems)); diff != "" {
			t.Errorf("full %v (-want +got)\n%s", full, diff)
		}
	}
}

// breaking is a source of which something cannot be read.
type breaking struct{ *expected.Memory }

func (b breaking) Scan(ctx context.Context, p modulestore.Pass) error {
	if err := b.Memory.Scan(ctx, p); err != nil {
		return err
	}
	return p.Bad(modulestore.CollectionBlocks, &bson.Error{File: "x.bson", Offset: 7, Reason: "ends here", Lost: true})
}

func TestUnreadableParts(t *testing.T) {
	t.Parallel()
	var told int64
	r, err := Take(t.Context(), breaking{site(t)}, Options{Progress: func(n int64) { told = n }})
	if err != nil || r.Problems.Count(modulestore.Unreadable) != 1 || len(r.Courses) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if told != 0 {
		t.Errorf("told of %d bytes, which are not worth a word", told)
	}
	gone := errors.New("gone")
	if _, err := Take(t.Context(), failing{site(t), gone}, Options{}); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
}

// failing is a source that is gone when documents are looked for.
type failing struct {
	*expected.Memory
	err error
}

func (f failing) Find(context.Context, string, map[modulestore.ID]bool, func(bson.Doc) error, func(error) error) error {
	return f.err
}
