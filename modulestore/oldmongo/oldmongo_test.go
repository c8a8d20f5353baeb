package oldmongo

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/expected"
)

type d = driver.D

func e(key string, value any) driver.E { return driver.E{Key: key, Value: value} }

// site is a collection of blocks in the making.
type site struct {
	tb testing.TB
	expected.Memory
}

func identDoc(of, block string, revision any) d {
	org, course, _ := strings.Cut(of, "/")
	kind, name, _ := strings.Cut(block, "/")
	return d{e("tag", "i4x"), e("org", org), e("course", course), e("category", kind), e("name", name), e("revision", revision)}
}

// doc adds a document; children as "type/name", or whole addresses.
func (s *site) doc(of, block string, revision any, more d, children ...string) {
	list := driver.A{}
	for _, c := range children {
		if !strings.Contains(c, "://") {
			c = "i4x://" + of + "/" + c
		}
		list = append(list, c)
	}
	s.raw(append(d{e("_id", identDoc(of, block, revision)), e("definition", d{e("data", d{}), e("children", list)}), e("metadata", d{})}, more...))
}

func (s *site) raw(doc d) {
	s.Docs = append(s.Docs, expected.Stored{Collection: modulestore.CollectionBlocks, Doc: expected.Doc(s.tb, doc)})
}

func (s *site) read(only *modulestore.OldCourse) *Store {
	s.tb.Helper()
	store, err := Read(s.tb.Context(), &s.Memory, only, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			s.tb.Error(err)
		}
	})
	return store
}

func rules(t modulestore.Tally) string {
	var all []string
	for _, p := range t.Problems() {
		all = append(all, fmt.Sprintf("%s×%d %s", p.Rule, p.Count, p.First))
	}
	return strings.Join(all, "\n")
}

func TestAnomalies(t *testing.T) {
	t.Parallel()
	const of = "O/C"
	for name, c := range map[string]struct {
		make func(s *site)
		want string
	}{
		"sound": {func(s *site) {
			s.doc(of, "course/r", nil, nil, "chapter/c", "vertical/later")
			s.doc(of, "chapter/c", nil, nil)
			s.doc(of, "vertical/later", "draft", nil)
			s.doc(of, "about/overview", nil, nil)
		}, ""},
		"shuffled and alone": {func(s *site) {
			s.doc(of, "course/r", nil, nil)
			s.raw(d{e("_id", d{e("org", "O"), e("tag", "i4x"), e("course", "C"), e("category", "about"), e("name", "x"), e("revision", nil)}), e("definition", d{}), e("metadata", d{})})
		}, "A1×1 about/x"},
		"revision missing beside one that is null": {func(s *site) {
			s.doc(of, "course/r", nil, nil)
			s.doc(of, "about/x", nil, nil)
			id := identDoc(of, "about/x", nil)
			s.raw(d{e("_id", id[:5]), e("definition", d{}), e("metadata", d{})})
		}, "OM-5×1 about/x\nOM-6×1 about/x"},
		"no root": {func(s *site) { s.doc(of, "about/x", nil, nil) }, "A13×1 O/C"},
		"loose ends": {func(s *site) {
			s.doc(of, "course/r", nil, nil, "chapter/gone", "i4x://Other/C/chapter/c", "nonsense://", "chapter/c", "chapter/c")
			s.doc(of, "chapter/c", nil, nil)
			s.doc(of, "vertical/alone", "draft", nil, "html/below")
			s.doc(of, "html/below", "draft", nil)
		}, "A2×2 course/r: nonsense://\nA3×1 course/r: i4x://Other/C/chapter/c\nA4×1 course/r: chapter/c\nL-70×1 vertical/alone (draft)"},
		"parents in the other view only": {func(s *site) {
			s.doc(of, "course/r", nil, nil, "vertical/d", "vertical/p")
			s.doc(of, "vertical/d", "draft", nil, "html/published")
			s.doc(of, "html/published", nil, nil)
			s.doc(of, "vertical/p", nil, nil, "html/draft")
			s.doc(of, "html/draft", "draft", nil)
		}, "A8×2 html/draft (draft)"},
		"several parents and cycles": {func(s *site) {
			s.doc(of, "course/r", nil, nil, "vertical/a", "vertical/b")
			s.doc(of, "vertical/a", nil, nil, "vertical/b")
			s.doc(of, "vertical/b", nil, nil, "vertical/a")
		}, "A5×2 vertical/a\nA6×1 vertical/b"},
		"both scopes, unknown, illegal and long": {func(s *site) {
			s.doc(of, "course/r", nil, nil, "mystery/a%b", "html/"+strings.Repeat("x", 250))
			s.raw(d{e("_id", identDoc(of, "mystery/a%b", nil)), e("definition", d{e("data", d{e("x", int32(1))})}), e("metadata", d{e("x", int32(2))})})
			s.doc(of, "html/"+strings.Repeat("x", 250), nil, nil)
		}, "A11×1 mystery/a%b\nA12×1 mystery/a%b\nCV-5×1 html/" + strings.Repeat("x", 250) + "\nOM-12×1 mystery/a%b, x"},
		"course that no key can name": {func(s *site) { s.doc("O O/C", "course/r", nil, nil) }, "CV-3×1 O O/C/r"},
		"data of other types": {func(s *site) {
			s.raw(d{e("_id", identDoc(of, "course/r", nil)), e("definition", d{e("data", nil), e("children", "none")}), e("metadata", driver.A{})})
		}, "OM-8×1 course/r"},
	} {
		s := &site{tb: t}
		c.make(s)
		store := s.read(nil)
		var got []string
		for _, shape := range store.Courses() {
			got = append(got, rules(shape.Problems))
			if _, err := store.Load(shape); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if diff := cmp.Diff(c.want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestRoot (DEP-22) keeps what the platform asks roots for: content from the one place, settings from the other, defaults where nothing
// is stored, and of two documents of one root those of the one that counts.
func TestRoot(t *testing.T) {
	t.Parallel()
	names := []string{"textbooks", "hide_progress_tab", "edxnotes", "allow_public_wiki_access", "no_such_field"}
	book := d{e("data", d{e("textbooks", driver.A{driver.A{"Book", "https://example.org/b/"}}), e("edxnotes", true)}), e("children", driver.A{})}
	metadata := d{e("hide_progress_tab", true), e("textbooks", driver.A{}), e("edxnotes", false)}
	id := identDoc("O/C", "course/r", nil)
	shuffled := d{id[1], id[0], id[2], id[3], id[4], id[5]}
	docs := []d{
		{e("_id", shuffled), e("definition", d{}), e("metadata", d{e("edxnotes", true)})},
		{e("_id", id), e("definition", book), e("metadata", metadata)},
		{e("_id", identDoc("O/C", "course/r", "draft")), e("definition", d{}), e("metadata", d{e("edxnotes", true)})},
	}
	want := courseware.Fields{{Name: "textbooks", Value: `[["Book", "https://example.org/b/"]]`}, {Name: "hide_progress_tab", Value: "true"}, {Name: "edxnotes", Value: "false"},
		{Name: "allow_public_wiki_access", Value: "false"}}
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}} {
		c := NewCensus(names...)
		for _, i := range order {
			c.Add(expected.Doc(t, docs[i]))
		}
		if diff := cmp.Diff(want, c.Courses()[0].Root); diff != "" {
			t.Errorf("in the order %v (-want +got):\n%s", order, diff)
		}
	}
	c := NewCensus()
	c.Add(expected.Doc(t, docs[1]))
	if got := c.Courses()[0].Root; got != nil {
		t.Errorf("nothing was asked for, and there is %v", got)
	}
}

func TestNoBlocks(t *testing.T) {
	t.Parallel()
	s := &site{tb: t}
	for _, id := range []any{"text", driver.A{}, d{e("tag", "c4x")}, identDoc("O/C", "html/x", "odd"), identDoc("O/", "html/x", nil), identDoc("edx/templates", "html/x", nil)} {
		s.raw(d{e("_id", id)})
	}
	store := s.read(nil)
	odd := store.Odd()
	if len(store.Courses()) > 0 || odd.Count(modulestore.OddDocument) != 5 {
		t.Errorf("%v, %s", store.Courses(), rules(odd))
	}
}

// TestValues reads every form in which blocks were stored over the years.
func TestValues(t *testing.T) {
	t.Parallel()
	const of = "O/C"
	s := &site{tb: t}
	s.doc(of, "course/r", nil, nil)
	s.raw(d{e("_id", identDoc(of, "html/text", nil)), e("definition", d{e("data", "<p>x</p>")}),
		e("metadata", d{e("display_name", "T"), e("published_by", int32(21)), e("published_date", driver.A{int32(2012), int32(9), int32(1), int32(13), int32(5), int32(0), int32(5), int32(245), int32(0)})})})
	s.raw(d{e("_id", identDoc(of, "html/null", nil)), e("definition", d{e("data", d{e("data", nil), e("x", nil)})}), e("metadata", d{e("display_name", nil)})})
	s.raw(d{e("_id", identDoc(of, "html/bare", nil))})
	s.raw(d{e("_id", identDoc(of, "problem/old", nil)), e("definition", d{e("data", "")}), e("metadata", d{e("name", "wins"), e("display_name", "loses"), e("slug", "s"),
		e("attempts", int32(3)), e("max_attempts", 9.0), e("rerandomize", "false"), e("published_date", driver.A{"odd"}), e("xml_attributes", d{e("parent_url", "x")})}),
		e("edit_info", d{e("edited_by", int64(-4)), e("edited_on", driver.DateTime(1000)), e("subtree_edited_by", 5.0), e("subtree_edited_on", driver.DateTime(2000)), e("published_by", nil), e("published_date", driver.DateTime(3000))})})
	s.raw(d{e("_id", identDoc(of, "html/old", nil)), e("definition", d{}), e("metadata", d{e("attempts", int32(1)), e("rerandomize", "true")})})
	store := s.read(&modulestore.OldCourse{Org: "O", Course: "C"})
	c, err := store.Load(store.Courses()[0])
	if err != nil {
		t.Fatal(err)
	}
	at := func(kind, name string) *modulestore.Block {
		return c.Published.Block(courseware.BlockID{Type: kind, Name: name})
	}
	text := at("html", "text")
	if !slices.Equal(text.Content, courseware.Fields{{Name: "data", Value: `"<p>x</p>"`}}) || len(text.Settings) != 1 ||
		!text.Edit.PublishedOn.Equal(time.Date(2012, 9, 1, 13, 5, 0, 0, time.UTC)) || *text.Edit.PublishedBy != 21 || text.Listed {
		t.Errorf("text: %+v", text)
	}
	if b := at("html", "null"); !slices.Equal(b.Content, courseware.Fields{{Name: "x", Value: "null"}}) || !b.Settings[0].Value.IsNull() {
		t.Errorf("null: %+v", b)
	}
	if b := at("html", "bare"); b == nil || b.Content != nil || b.Settings != nil {
		t.Errorf("bare: %+v", b)
	}
	old := at("problem", "old")
	want := courseware.Fields{{Name: "display_name", Value: `"wins"`}, {Name: "max_attempts", Value: "3"}, {Name: "rerandomize", Value: `"per_student"`},
		{Name: "xml_attributes", Value: `{"parent_url": "x"}`}, {Name: "url_name", Value: `"s"`}}
	if diff := cmp.Diff(want, old.Settings); diff != "" || old.Content[0].Value != `""` {
		t.Errorf("old (-want +got)\n%s", diff)
	}
	if e := old.Edit; *e.By != -4 || e.On.Unix() != 1 || *e.SubtreeBy != 5 || e.SubtreeOn.Unix() != 2 || e.PublishedBy != nil || e.PublishedOn.Unix() != 3 {
		t.Errorf("edits: %+v", e)
	}
	if b := at("html", "old"); len(b.Settings) != 2 || b.Settings[0].Name != "attempts" || b.Settings[1].Value != `"true"` {
		t.Errorf("other types keep their names: %v", b.Settings)
	}
}

// TestConcurrentChange edits one of two courses while they are read.
func TestConcurrentChange(t *testing.T) {
	t.Parallel()
	s := &site{tb: t}
	edited := func(n int64) d { return d{e("edit_info", d{e("edited_on", driver.DateTime(n))})} }
	s.doc("O/A", "course/r", nil, edited(1))
	s.doc("O/B", "course/r", nil, edited(1))
	s.Changes = func() {
		s.Docs = s.Docs[:1]
		s.doc("O/B", "course/r", nil, edited(2))
		s.Changes = func() {}
	}
	for _, shape := range s.read(nil).Courses() {
		if got := shape.Problems.Count(modulestore.MovedMeanwhile); got != map[string]int{"O/A/r": 0, "O/B/r": 1}[shape.Key()] {
			t.Errorf("%s: %s", shape.Key(), rules(shape.Problems))
		}
	}
}

// BenchmarkCensus looks through the documents of a course.
func BenchmarkCensus(b *testing.B) {
	s := &site{tb: b}
	var leaves []string
	total := 0
	for i := range 2000 {
		leaf := fmt.Sprintf("html/%032x", i)
		leaves = append(leaves, leaf)
		s.raw(d{e("_id", identDoc("O/C", leaf, nil)), e("definition", d{e("data", d{e("data", strings.Repeat("<p>Some text.</p>", 20))})}),
			e("metadata", d{e("display_name", "A text about something")}), e("edit_info", d{e("edited_on", driver.DateTime(1)), e("edited_by", int64(7))})})
	}
	s.doc("O/C", "vertical/v", nil, nil, leaves...)
	s.doc("O/C", "course/r", nil, nil, "vertical/v")
	for _, doc := range s.Docs {
		total += len(doc.Doc)
	}
	b.SetBytes(int64(total))
	for b.Loop() {
		c := NewCensus()
		for _, doc := range s.Docs {
			c.Add(doc.Doc)
		}
		if c.Courses()[0].Blocks != 2002 {
			b.Fatal(c.Courses()[0])
		}
	}
}
