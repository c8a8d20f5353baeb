package split

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/expected"
)

type d = driver.D

func e(key string, value any) driver.E { return driver.E{Key: key, Value: value} }

// site is a database in the making.
type site struct {
	tb testing.TB
	expected.Memory
}

func (s *site) add(collection string, doc d) {
	s.Docs = append(s.Docs, expected.Stored{Collection: collection, Doc: expected.Doc(s.tb, doc)})
}

func oid(n byte) driver.ObjectID { return driver.ObjectID{11: n} }

func id(n byte) modulestore.ID { return modulestore.ID(oid(n)) }

func pair(kind, name string) driver.A { return driver.A{kind, name} }

// block is an entry of a structure, children as "type/name".
func block(name string, more d, children ...string) d {
	kind, name, _ := strings.Cut(name, "/")
	list := driver.A{}
	for _, c := range children {
		kind, name, _ := strings.Cut(c, "/")
		list = append(list, pair(kind, name))
	}
	return append(d{e("block_type", kind), e("block_id", name), e("fields", d{e("children", list)})}, more...)
}

func (s *site) structure(n byte, previous any, blocks ...d) {
	list := driver.A{}
	for _, b := range blocks {
		list = append(list, b)
	}
	s.add(modulestore.CollectionStructures, d{e("_id", oid(n)), e("root", pair("course", "course")), e("previous_version", previous), e("original_version", oid(1)),
		e("edited_on", driver.DateTime(int64(n)*1000)), e("blocks", list)})
}

func (s *site) index(run string, versions d) {
	s.add(modulestore.CollectionIndexes, d{e("_id", oid(byte(100+len(s.Docs)))), e("org", "O"), e("course", "C"), e("run", run), e("versions", versions)})
}

func rules(t modulestore.Tally) string {
	var all []string
	for _, p := range t.Problems() {
		all = append(all, fmt.Sprintf("%s×%d %s", p.Rule, p.Count, p.First))
	}
	return strings.Join(all, "\n")
}

// damaged is a structure with every anomaly that one can have.
func damaged(s *site, n byte) {
	s.structure(n, oid(99),
		block("course/course", nil, "chapter/a", "chapter/a", "chapter/gone", "about/overview"),
		block("chapter/a", nil, "sequential/s", "html/two"),
		block("sequential/s", nil, "vertical/v", "html/two"),
		block("vertical/v", d{e("definition", oid(77))}, "sequential/s"),
		block("html/two", nil), block("html/two", d{e("edit_info", d{e("update_version", oid(5))})}),
		block("about/overview", nil), block("course/other", nil), block("mystery/m\x00", nil))
}

func TestCensusCountsDamage(t *testing.T) {
	t.Parallel()
	s := &site{tb: t}
	damaged(s, 9)
	s.index("r", d{e("draft-branch", oid(9))})
	s.index("old", d{e("draft-branch", oid(3)), e("published-branch", oid(44))})
	s.add(modulestore.CollectionStructures, d{e("_id", oid(3)), e("root", "course"), e("blocks", d{e("course", d{})})})
	s.add(modulestore.CollectionIndexes, d{e("_id", oid(50)), e("org", "O"), e("offering", "C.r")})
	s.add(modulestore.CollectionIndexes, d{e("_id", oid(51)), e("org", "O O"), e("course", "C"), e("run", "library"), e("versions", d{})})
	shapes, loose := take(t, &s.Memory, nil)
	got := map[string]string{}
	for _, shape := range shapes {
		got[shape.Index.Name] = rules(shape.Problems)
	}
	want := map[string]string{
		"course-v1:O+C+r": "A4×1 course/course: chapter/a\nA5×2 html/two\nA6×1 vertical/v\n4.8×1 course/other\nA12×1 mystery/m\x00\nA15×1 mystery/m\x00\nA18×1 course/course: about/overview\n" +
			"L-70×2 course/other\nL-72×1 course/course: chapter/gone\nSP-1×1 published-branch\nPR-7b×1 draft-branch before " + id(99).String() + "\nSP-12×1 html/two",
		"course-v1:O+C+old":       "PR-7×1 published-branch at " + id(44).String() + "\nSP-17×1 " + id(3).String(),
		"O+C.r":                   "2.1×1 O+C.r\nSP-1×1 draft-branch",
		"course-v1:O O+C+library": "CV-3×1 course-v1:O O+C+library\nSP-1×1 draft-branch",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if loose != (Loose{}) {
		t.Errorf("%+v", loose)
	}
}

// TestCensusInAnyOrder checks that nothing depends on what comes first, also where heads are no last versions.
func TestCensusInAnyOrder(t *testing.T) {
	t.Parallel()
	s := &site{tb: t}
	leaf := func(version, source any) d {
		return block("html/h", d{e("edit_info", d{e("update_version", version), e("source_version", source)})})
	}
	root := block("course/course", nil, "html/h")
	s.structure(1, nil, root, leaf(oid(1), nil))
	s.structure(2, oid(1), root, leaf(oid(2), nil), block("html/new", nil))
	s.structure(3, oid(2), root, leaf(oid(3), nil))
	s.structure(4, nil, root, leaf(oid(4), oid(2)), block("html/gone", nil))
	s.structure(5, nil, root)
	s.index("a", d{e("draft-branch", oid(2)), e("published-branch", oid(4))}) // rolled back: 3 follows 2
	s.index("b", d{e("draft-branch", oid(3)), e("published-branch", oid(3))})
	want := "course-v1:O+C+a: 3 blocks, 1 drafts, 3 versions at 4s: L-70×2 html/new\nL-73×1 course-v1:O+C+a\n" +
		"course-v1:O+C+b: 2 blocks, 0 drafts, 3 versions at 3s: \nloose: 1"
	for name, order := range map[string][]int{"indexes last": {0, 1, 2, 3, 4, 5, 6}, "indexes first": {5, 6, 4, 3, 2, 1, 0}, "backwards": {6, 4, 3, 2, 1, 0, 5}} {
		var m expected.Memory
		for _, i := range order {
			m.Docs = append(m.Docs, s.Docs[i])
		}
		shapes, loose := take(t, &m, nil)
		var got []string
		for _, s := range shapes {
			got = append(got, fmt.Sprintf("%s: %d blocks, %d drafts, %d versions at %v: %s", s.Index.Name, s.Blocks, s.Drafts, s.Versions, time.Duration(s.LastEdit.UnixNano()), rules(s.Problems)))
		}
		got = append(got, fmt.Sprintf("loose: %d", loose.Structures))
		if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if m.Finds != 1 {
			t.Errorf("%s: looked for structures %d times, want once", name, m.Finds)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	s := &site{tb: t}
	s.structure(1, nil,
		block("course/course", d{e("fields", d{e("start", driver.DateTime(0)), e("display_name", "T"), e("children", driver.A{pair("split_test", "st"), pair("conditional", "c"), "odd"})})}),
		block("split_test/st", d{e("fields", d{e("group_id_to_child", d{e("0", pair("vertical", "v")), e("1", "kept")})}), e("asides", d{})}),
		block("conditional/c", d{e("definition", oid(20)), e("asides", driver.A{d{e("aside_type", "a"), e("fields", d{e("x", int32(1))})}})}),
		block("library_content/lc", nil, "problem/p"),
		block("problem/p", d{e("definition", oid(21)), e("defaults", d{e("weight", 2.0), e("max_attempts", int32(5)), e("display_name", "D")}),
			e("edit_info", d{e("original_usage", "lib-block-v1:O+L+type@problem+block@x"), e("original_usage_version", oid(7)), e("edited_by", int64(-1))})}),
		block("course/library", nil), block("html/mis%s", d{e("definition", oid(99))}),
	)
	s.add(modulestore.CollectionDefinitions, d{e("_id", oid(20)), e("fields", d{e("show_tag_list", driver.A{pair("html", "a%b"), pair("html", "h")}), e("sources_list", nil)}),
		e("aside_fields", d{e("old", d{e("y", true)})})})
	s.add(modulestore.CollectionDefinitions, d{e("_id", oid(21)), e("fields", d{e("data", "bad \xff"), e("weight", 1.0)})})
	store := read(t, &s.Memory, []modulestore.ID{id(1), id(2)})
	key, err := keys.ParseCourse("course-v1:O+C+r")
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Load(key, id(1))
	if err != nil {
		t.Fatal(err)
	}
	at := func(kind, name string) *modulestore.Block { return b.Block(courseware.BlockID{Type: kind, Name: name}) }
	if got := at("course", "course"); len(got.Children) != 2 || !got.Listed || len(got.Settings) != 2 || got.Settings[0].Value != `"1970-01-01T00:00:00Z"` {
		t.Errorf("the root is %+v", got)
	}
	if got := at("split_test", "st").Settings; got[0].Value != `{"0": "block-v1:O+C+r+type@vertical+block@v", "1": "kept"}` {
		t.Errorf("references: %v", got)
	}
	c := at("conditional", "c")
	if got := c.Content; got[0].Value != `[["html", "a%b"], "block-v1:O+C+r+type@html+block@h"]` || !got[1].Value.IsNull() {
		t.Errorf("references: %v", got)
	}
	if len(c.Asides) != 2 || c.Asides[0].Type != "a" || c.Asides[1].Type != "old" || c.Asides[1].Fields[0].Value != "true" {
		t.Errorf("asides: %+v", c.Asides)
	}
	p := at("problem", "p")
	if p.Edit.Original == "" || p.Edit.OriginalVersion != id(7) || *p.Edit.By != -1 || p.Edit.Definition != id(21) {
		t.Errorf("edits: %+v", p.Edit)
	}
	for name, want := range map[string]courseware.Value{"weight": "2.0", "max_attempts": "5", "display_name": `"D"`, "showanswer": `"finished"`} {
		if got := b.Setting(p.ID, name); got != want {
			t.Errorf("%s counts with %s, want %s", name, got, want)
		}
	}
	if b.Content.Count(modulestore.MissingDefinition) != 1 || b.Content.Count(modulestore.UncleanText) != 1 || b.Structure.Count(modulestore.ManyRoots) != 1 {
		t.Errorf("%v, %v", b.Structure.Problems(), b.Content.Problems())
	}
	if _, err := store.Load(key, id(2)); !fault.Is(err, fault.NotFound) {
		t.Errorf("a structure that is not there: %v", err)
	}
}

func TestLoadRefusesTheOldSchema(t *testing.T) {
	t.Parallel()
	s := &site{tb: t}
	s.add(modulestore.CollectionStructures, d{e("_id", oid(1)), e("root", "course"), e("blocks", d{e("course", d{})})})
	s.structure(2, nil, d{e("category", "course"), e("children", driver.A{})})
	store := read(t, &s.Memory, []modulestore.ID{id(1), id(2)})
	key, _ := keys.ParseCourse("course-v1:O+C+r")
	for n := range byte(2) {
		if _, err := store.Load(key, id(n+1)); !errors.Is(err, ErrOldSchema) || !fault.Is(err, fault.Invalid) {
			t.Errorf("structure %d: %v", n+1, err)
		}
	}
}

func TestMirrorRefuses(t *testing.T) {
	t.Parallel()
	head := "id,objectid,course_id,org,draft_version,published_version,library_version,wiki_slug,base_store,edited_by_id,edited_on,last_update\n"
	for text, want := range map[string]string{
		"":                             "no line with the names of the columns",
		"a,b\n":                        "no column objectid",
		head + "1,,nothing,,,,,,,,,\n": "line 2: ",
		head + "1,,course-v1:a+b+c,,xyz,,,,,,,\n":       "line 2: draft_version: ",
		head + "1,,course-v1:a+b+c,,,,,,,x,,\n":         "line 2: edited_by_id: ",
		head + "1,,course-v1:a+b+c,,,,,,,,yesterday,\n": "line 2: edited_on: \"yesterday\" is no moment",
		head + "1,,course-v1:a+b+c,,,,,,,,\"x\n":        "parse error on line 2",
	} {
		if _, err := ReadMirror(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	mirror, err := ReadMirror(strings.NewReader(head + "1,,course-v1:a+b+c,,,,,,,,2020-01-02T03:04:05Z,\n"))
	if err != nil || len(mirror) != 1 || mirror[0].EditedOn.Year() != 2020 {
		t.Errorf("got %+v, %v", mirror, err)
	}
	_, problems := Merge([]Index{{Name: "x"}}, mirror)
	if len(problems) != 2 {
		t.Errorf("rows that only one has: %v", problems)
	}
}

// large is a course of n leaf blocks in units of ten, with definitions.
func large(tb testing.TB, n int) *site {
	tb.Helper()
	s := &site{tb: tb}
	definition := func(i int) driver.ObjectID { return driver.ObjectID{1, byte(i >> 16), byte(i >> 8), byte(i)} }
	name := func(i int) string { return fmt.Sprintf("%032x", i) }
	var blocks []d
	var units []string
	for i := 0; i < n; i += 10 {
		var leaves []string
		for j := range min(10, n-i) {
			leaf := "html/" + name(i+j)
			leaves = append(leaves, leaf)
			blocks = append(blocks, d{e("block_type", "html"), e("block_id", name(i+j)), e("definition", definition(i+j)), e("fields", d{e("display_name", "A text about something")}), e("defaults", d{}), e("asides", driver.A{}),
				e("edit_info", d{e("edited_on", driver.DateTime(0)), e("edited_by", int64(7)), e("update_version", oid(1)), e("previous_version", oid(2)), e("source_version", nil), e("original_usage", nil), e("original_usage_version", nil)})})
			s.add(modulestore.CollectionDefinitions, d{e("_id", definition(i+j)), e("block_type", "html"), e("fields", d{e("data", strings.Repeat("<p>Some text.</p>", 20))}), e("schema_version", int32(1))})
		}
		units = append(units, "vertical/"+name(i))
		blocks = append(blocks, block(units[len(units)-1], nil, leaves...))
	}
	blocks = append(blocks, block("course/course", nil, units...))
	s.structure(1, nil, blocks...)
	return s
}

// BenchmarkLoad reads a course of 20,000 blocks whose documents are at hand (SC-11: under 300 ms).
func BenchmarkLoad(b *testing.B) {
	store := readLarge(b)
	key, err := keys.ParseCourse("course-v1:O+C+r")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	before, n := cpu(b), 0
	for b.Loop() {
		n++
		branch, err := store.Load(key, id(1))
		if err != nil || branch.Len() < 20000 {
			b.Fatal(branch.Len(), err)
		}
	}
	b.ReportMetric(float64((cpu(b)-before).Milliseconds())/float64(n), "cpu-ms/op")
}

// cpu returns the processor time that the process has taken, which a busy machine does not change.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func readLarge(b *testing.B) *Store {
	store, err := Read(b.Context(), &large(b, 18200).Memory, []modulestore.ID{id(1)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	return store
}

// BenchmarkCensus looks through structures that may all be heads.
func BenchmarkCensus(b *testing.B) {
	s := large(b, 5000)
	doc := s.Docs[len(s.Docs)-1].Doc
	b.SetBytes(int64(len(doc)))
	c := NewCensus(nil)
	for b.Loop() {
		if err := bson.Check(doc); err != nil {
			b.Fatal(err)
		}
		c.AddStructure(doc)
	}
}
