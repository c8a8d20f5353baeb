package convert_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
)

// grower makes courses of an old store, with everything that may be wrong about one.
type grower struct {
	*rand.Rand
	old bool
	all []courseware.BlockID
}

func pick[T any](g *grower, list ...T) T { return list[g.IntN(len(list))] }

func (g *grower) id(blockType string, i int) courseware.BlockID {
	name := fmt.Sprintf("%s_%d", pick(g, "a", "Über", "b.c", "x-1", "q"), i)
	if g.old && g.IntN(8) == 0 {
		name = pick(g, "50%_", "a b", "x/y", "..", "a%") + fmt.Sprint(i)
	}
	return courseware.BlockID{Type: blockType, Name: name}
}

// source makes a course of up to n blocks.
func (g *grower) source(n int) convert.Source {
	src := convert.Source{Name: "Org/C1/R1", Old: modulestore.OldCourse{Org: "Org", Course: "C1"}, Run: "R1"}
	root := courseware.BlockID{Type: "course", Name: "R1"}
	if !g.old {
		key, err := keys.NewCourse("Org", "C1", "R1")
		if err != nil {
			panic(err)
		}
		src = convert.Source{Name: key.String(), Key: key}
		root.Name = "course"
	}
	g.all = []courseware.BlockID{root}
	for i := range n {
		g.all = append(g.all, g.id(pick(g, "chapter", "sequential", "vertical", "vertical", "html", "problem", "video", "discussion", "conditional",
			"split_test", "library_content", "poll_question", "word_cloud", "lti", "openassessment", "mystery", "about", "static_tab", "course_info",
			"problem-builder", "randomize", "book"), i))
	}
	draft, published := []*modulestore.Block{}, []*modulestore.Block{}
	for i, id := range g.all {
		b := g.block(id)
		switch k := g.IntN(6); {
		case i == 0 || k < 2 || modulestore.IsDetached(id.Type):
			draft, published = append(draft, b), append(published, b)
		case k < 4:
			draft, published = append(draft, b), append(published, g.block(id))
		case k == 4:
			draft = append(draft, b)
		default:
			published = append(published, b)
			if g.old { // the draft view falls back to what is published
				draft = append(draft, b)
			}
		}
	}
	src.Draft = modulestore.NewBranch(root, modulestore.ID{}, draft)
	src.Published = modulestore.NewBranch(root, modulestore.ID{}, published)
	return src
}

func (g *grower) key() string {
	id := pick(g, g.all...)
	if g.old {
		return "i4x://Org/C1/" + id.Type + "/" + id.Name
	}
	return "block-v1:Org+C1+R1+type@" + id.Type + "+block@" + id.Name
}

func (g *grower) text() string {
	return pick(g, "", "plain", "true", "3.5", `"q"`, "null", "a < b & c", "two\nlines\t", "\r\n", "é\U0001F600", "[1]", "/c4x/Org/C1/asset/a.png",
		`<a href="/courses/Org/C1/R1/about">x</a>`, "<p>unclosed", "<p>fine</p><!-- c -->", "\x01\x00", "2014-02-03T09:30:00Z", "not a date", g.key(), "]]>")
}

func (g *grower) value() courseware.Value {
	return pick(g, courseware.Null, "true", "false", "3", "2.50", `[1, "b"]`, `{"k": "v", "a": 1}`, "[]", "{}", courseware.Text(g.text()), courseware.Text(g.text()))
}

func (g *grower) block(id courseware.BlockID) *modulestore.Block {
	b := &modulestore.Block{ID: id}
	content := func(name string, v courseware.Value) {
		b.Content = append(b.Content, courseware.Field{Name: name, Value: v})
	}
	seen := map[string]bool{}
	for range g.IntN(5) {
		name := pick(g, "display_name", "start", "due", "graded", "graceperiod", "max_attempts", "weight", "unknown_one", "rerandomize", "xqa_key",
			"xml_attributes", "bad name", "group_access", "format", "visible_to_staff_only", "url_name", "user_partitions")
		if !seen[name] {
			seen[name] = true
			b.Settings = append(b.Settings, courseware.Field{Name: name, Value: g.value()})
		}
	}
	if g.IntN(6) == 0 {
		b.Defaults = courseware.Fields{{Name: pick(g, "weight", "max_attempts", "display_name"), Value: "4"}}
	}
	if g.IntN(8) == 0 {
		b.Asides = []modulestore.Aside{{Type: "note", Fields: courseware.Fields{{Name: "text", Value: courseware.Text(g.text())}}}}
	}
	switch id.Type {
	case "html", "about", "static_tab":
		content("data", courseware.Text(g.text()))
	case "problem", "word_cloud", "lti", "openassessment", "mystery", "book":
		content("data", courseware.Text(pick(g, "", g.text(), "<"+id.Type+" a='1'><p>x</p> tail</"+id.Type+">", "<other><b/></other>")))
	case "poll_question":
		content("question", courseware.Text(g.text()))
		content("answers", `[{"id": "y", "text": "<Yes>"}]`)
	case "conditional":
		content("sources_list", courseware.Value(`["`+g.key()+`"]`))
		content("show_tag_list", courseware.Value(`["`+g.key()+`", "i4x://Other/X/html/z"]`))
	case "split_test":
		content("group_id_to_child", courseware.Value(`{"0": "`+g.key()+`"}`))
	case "course_info":
		content("items", `[{"id": 1, "content": "<p>x</p>"}]`)
	case "course":
		content("grading_policy", pick(g, courseware.Value(`{"GRADER": [], "GRADE_CUTOFFS": {}}`), `{"GRADE_CUTOFFS": {"Pass": 0.5}}`))
	}
	switch id.Type {
	case "course", "chapter", "sequential", "vertical", "conditional", "split_test", "library_content", "randomize", "mystery", "problem-builder":
		for range g.IntN(5) {
			b.Children = append(b.Children, pick(g, g.all...))
		}
		if g.IntN(6) == 0 {
			b.Children = append(b.Children, courseware.BlockID{Type: "html", Name: "nowhere"})
		}
	}
	return b
}

// TestAnyCourse converts courses with everything wrong about them: the conversion is proven, also by what a store gives back,
// keys stay apart, no block is lost, and the second time there is nothing to do.
func TestAnyCourse(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, tables)
	files := media.NewDir(t.TempDir())
	seeds, stored := uint64(40), uint64(9)
	if os.Getenv("LECTERN_TEST_ALL") == "1" {
		seeds, stored = 2000, 200
	}
	for seed := range seeds {
		g := &grower{rand.New(rand.NewPCG(seed, 7)), seed%2 == 0, nil}
		src := g.source(4 + g.IntN(30))
		o := convert.Options{}
		if seed%3 == 0 {
			var err error
			if o.To, err = keys.NewCourse("New", "C9", fmt.Sprint("r", seed)); err != nil {
				t.Fatal(err)
			}
		}
		r, err := convert.Convert(src, o)
		if err != nil {
			t.Fatalf("%d: %v", seed, err)
		}
		if left := unproven(convert.Compare(src, r, r.State)); len(left) > 0 {
			t.Fatalf("%d: %d differences, the first %+v", seed, len(left), left[0])
		}
		again, err := convert.Convert(src, o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(dumped(t, r), dumped(t, again)); diff != "" {
			t.Fatalf("%d: converted twice\n%s", seed, diff)
		}
		news := map[string]string{}
		for _, m := range r.Keys {
			if was, twice := news[m.New]; twice {
				t.Fatalf("%d: %s and %s become %s", seed, was, m.Old, m.New)
			}
			news[m.New] = m.Old
		}
		if seed%3 != 0 || seed > stored {
			continue
		}
		store(t, d, files, r)
		if left := unproven(convert.Compare(src, r, loadState(t, d, files, r))); len(left) > 0 {
			t.Fatalf("%d: stored: %d differences, the first %+v", seed, len(left), left[0])
		}
		if once := store(t, d, files, again); once.ChangeLog != nil || once.DraftsLog != nil {
			t.Fatalf("%d: stored again: %+v", seed, once)
		}
	}
}
