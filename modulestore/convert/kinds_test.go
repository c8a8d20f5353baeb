package convert_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/olx"
)

func id(s string) courseware.BlockID {
	blockType, name, _ := strings.Cut(s, "/")
	return courseware.BlockID{Type: blockType, Name: name}
}

// set makes fields of pairs of names and JSON values.
func set(pairs ...string) (f courseware.Fields) {
	for i := 0; i < len(pairs); i += 2 {
		f = append(f, courseware.Field{Name: pairs[i], Value: courseware.Value(pairs[i+1])})
	}
	return f
}

// old makes a course of the old store, whose root lists all blocks that stand before a nil.
func old(blocks ...*modulestore.Block) convert.Source {
	root := &modulestore.Block{ID: id("course/R")}
	all, listed := []*modulestore.Block{root}, true
	for _, b := range blocks {
		if b == nil {
			listed = false
			continue
		}
		if all = append(all, b); listed {
			root.Children = append(root.Children, b.ID)
		}
	}
	branch := modulestore.NewBranch(root.ID, modulestore.ID{}, all)
	return convert.Source{Name: "O/C/R", Old: modulestore.OldCourse{Org: "O", Course: "C"}, Run: "R", Draft: branch, Published: branch}
}

// TestKinds checks what becomes of a block of each kind, as its OLX.
func TestKinds(t *testing.T) {
	t.Parallel()
	raw := func(data string) courseware.Fields { return set("data", string(courseware.Text(data))) }
	for _, c := range []struct {
		name string
		b    modulestore.Block
		want string
	}{
		{"problem", modulestore.Block{ID: id("problem/p"), Content: raw(`<problem x="1" max_attempts="2"><p>a</p></problem>`), Settings: set("weight", "2.0")},
			`<problem url_name="p" x="1" weight="2.0"><p>a</p></problem>`},
		{"problem under another tag", modulestore.Block{ID: id("problem/p"), Content: raw(`<div><p>a</p></div>`)}, `<problem url_name="p"><p>a</p></problem>`},
		{"problem that is no XML", modulestore.Block{ID: id("problem/p"), Content: raw(`<p>a`), Settings: set("display_name", `"T"`)},
			`<problem url_name="p" display_name="T">&lt;p&gt;a</problem>`},
		{"problem without data", modulestore.Block{ID: id("problem/p")}, `<problem url_name="p"/>`},
		{"html", modulestore.Block{ID: id("html/h"), Content: raw("<p>&nbsp;")}, "<html url_name=\"h\"><![CDATA[\n<p>&nbsp;\n]]></html>"},
		{"poll", modulestore.Block{ID: id("poll_question/q"), Content: set("question", `"<b>Q</b>?"`, "answers", `[{"id": "y", "text": "a<b"}]`)},
			`<poll_question url_name="q"><b>Q</b>?<answer id="y">a&lt;b</answer></poll_question>`},
		{"conditional", modulestore.Block{ID: id("conditional/c"), Content: set("sources_list", `["i4x://O/C/problem/p"]`, "conditional_attr", `"attempted"`)},
			`<conditional url_name="c" sources="block-v1:O+C+R+type@problem+block@p" attempted="True" message="You must complete {link} before you can access this unit."/>`},
		{"leftovers", modulestore.Block{ID: id("sequential/s"), Settings: set("xml_attributes", `{"filename": ["a", "b"], "parent_url": "x", "mine": "1"}`)},
			`<sequential url_name="s" mine="1"/>`},
		{"unknown field", modulestore.Block{ID: id("vertical/v"), Settings: set("nobody_knows", `{"a": [1]}`)}, `<vertical url_name="v" nobody_knows="{&quot;a&quot;: [1]}"/>`},
		{"video of 2012", modulestore.Block{ID: id("video/v"), Content: raw(`<video youtube="1.00:abc" from="00:00:05"/>`), Settings: set("display_name", `"V"`)},
			`<video url_name="v" youtube="1.00:abc" display_name="V" start_time="00:00:05" youtube_id_1_0="abc"/>`},
		{"track", modulestore.Block{ID: id("video/v"), Settings: set("track", `"/c4x/O/C/asset/t.srt"`)},
			"<video url_name=\"v\" download_track=\"true\" track=\"/static/t.srt\">\n  <track src=\"/static/t.srt\"/>\n</video>"},
		{"discussion", modulestore.Block{ID: id("discussion/d")},
			`<discussion url_name="d" xblock-family="xblock.v1" discussion_id="942133753c977a8098b464d37ef30521610ae5b2"/>`},
		{"unknown type", modulestore.Block{ID: id("gadget/g"), Content: set("n", "3", "s", `"t"`, "z", "null")},
			"<gadget url_name=\"g\" xblock-family=\"xblock.v1\" n=\"3\" s=\"t\">\n  <option:z xmlns:option=\"http://code.edx.org/xblock/option\" none=\"true\"/>\n</gadget>"},
		{"unknown type kept as XML", modulestore.Block{ID: id("gadget/g"), Content: raw(`<gadget a="1"><b/></gadget>`), Settings: set("display_name", `"G"`)},
			`<gadget a="1" display_name="G"><b/></gadget>`},
		{"another name of customtag", modulestore.Block{ID: id("book/b"), Content: raw(`<book page="3"/>`)}, `<customtag url_name="b" page="3" impl="book"/>`},
		{"openassessment", modulestore.Block{ID: id("openassessment/o"), Content: set(
			"title", `"T"`, "prompt", `"[{\"description\": \"a < b\"}]"`, "text_response_raw", `"required"`, "white_listed_file_types", `["pdf", "png"]`,
			"rubric_criteria", `[{"order_num": 1, "name": "second", "options": []}, {"order_num": 0, "name": "first", "feedback": "optional",
				"options": [{"order_num": 0, "points": 3, "name": "Good", "explanation": "e"}]}]`,
			"rubric_assessments", `[{"name": "student-training", "examples": [{"answer": {"parts": [{"text": "x"}]}, "options_selected": [{"criterion": "first", "option": "Good"}]}]},
				{"name": "peer-assessment", "must_grade": 5, "start": null, "enable_flexible_grading": true}]`), Settings: set("submission_due", `"2030-01-01T00:00:00"`, "allow_latex", "true")},
			`<openassessment url_name="o" text_response="required" allow_latex="True" submission_due="2030-01-01T00:00:00" white_listed_file_types="pdf,png"><title>T</title><assessments>
  <assessment name="student-training">
    <example>
      <answer>
        <part>x</part>
      </answer>
      <select criterion="first" option="Good"/>
    </example>
  </assessment>
  <assessment name="peer-assessment" must_grade="5" enable_flexible_grading="True"/>
</assessments><prompts>
  <prompt>
    <description>a &lt; b</description>
  </prompt>
</prompts><rubric>
  <criterion feedback="optional">
    <name>first</name>
    <option points="3">
      <name>Good</name>
      <explanation>e</explanation>
    </option>
  </criterion>
  <criterion>
    <name>second</name>
  </criterion>
</rubric></openassessment>`},
		{"aside", modulestore.Block{ID: id("html/h"), Content: raw("x"), Asides: []modulestore.Aside{{Type: "tags", Fields: set("t", `"v"`)}}},
			"<html url_name=\"h\"><![CDATA[\nx\n]]><tags xblock-family=\"xblock_asides.v1\" t=\"v\"/></html>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src := old(&c.b)
			r := toConvert(t, src)
			for bid, b := range r.State.Published.Blocks {
				if bid == r.State.Published.Root {
					continue
				}
				got, err := olx.PrintBlock(b)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, strings.TrimSuffix(string(got), "\n")); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
			}
			if left := unproven(convert.Compare(src, r, r.State)); len(left) > 0 {
				t.Errorf("%+v", left)
			}
		})
	}
}

// TestCopies checks that what came with a copy from a library goes on counting, and no further than it did (SP-28).
func TestCopies(t *testing.T) {
	t.Parallel()
	lc := &modulestore.Block{ID: id("library_content/l"), Settings: set("max_attempts", "9"), Children: []courseware.BlockID{id("problem/a"), id("problem/b")}}
	a := &modulestore.Block{ID: id("problem/a"), Defaults: set("max_attempts", "2", "weight", "3.0", "display_name", `"A"`), Settings: set("weight", "1.0")}
	b := &modulestore.Block{ID: id("problem/b")}
	src := old(lc, nil, a, b)
	r := toConvert(t, src)
	got := r.State.Published.Blocks[id("problem/a")].Fields
	if diff := cmp.Diff(set("display_name", `"A"`, "max_attempts", "2", "weight", "1.0"), got); diff != "" {
		t.Error(diff)
	}
	if got := r.State.Published.Blocks[id("problem/b")].Fields; len(got) != 0 {
		t.Errorf("the other one has %v", got)
	}
}

// TestFold checks that children of a type that holds no blocks become parts of it, whole.
func TestFold(t *testing.T) {
	t.Parallel()
	for _, parent := range []string{"problem-builder/p", "gadget/p"} {
		src := old(
			&modulestore.Block{ID: id(parent), Children: []courseware.BlockID{id("html/h"), id("vertical/v")}}, nil,
			&modulestore.Block{ID: id("html/h"), Content: set("data", `"<b>hi</b>"`)},
			&modulestore.Block{ID: id("vertical/v"), Children: []courseware.BlockID{id("html/i")}},
			&modulestore.Block{ID: id("html/i"), Content: set("data", `"in"`)},
		)
		r := toConvert(t, src)
		if n := len(r.State.Published.Blocks); n != 2 || r.Report.Blocks.Inside != 3 {
			t.Errorf("%s: %d blocks, %d inside", parent, n, r.Report.Blocks.Inside)
		}
		text, err := olx.PrintBlock(r.State.Published.Blocks[id(parent)])
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`<html url_name="h"><![CDATA[`, "<b>hi</b>", `<vertical url_name="v"><html url_name="i">`} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s: no %s in\n%s", parent, part, text)
			}
		}
		if left := unproven(convert.Compare(src, r, r.State)); len(left) > 0 {
			t.Errorf("%s: %+v", parent, left)
		}
	}
}

// TestNames checks CV-3 to CV-6.
func TestNames(t *testing.T) {
	t.Parallel()
	src := old(
		&modulestore.Block{ID: id("html/a%b")}, &modulestore.Block{ID: id("html/a_b")}, &modulestore.Block{ID: id("html/a b")},
		&modulestore.Block{ID: id("video/a%b")}, &modulestore.Block{ID: id("html/Größe.1-x")}, &modulestore.Block{ID: id("html/größe.1-x")},
		&modulestore.Block{ID: id("html/..")},
	)
	r := toConvert(t, src)
	var got []string
	for _, m := range r.Keys {
		got = append(got, strings.TrimPrefix(m.Old, "i4x://O/C/")+" → "+strings.TrimPrefix(m.New, "block-v1:O+C+R+type@")+", "+m.Reason)
	}
	want := []string{
		"O/C/R → course-v1:O+C+R, course", "course/R → course+block@course, root",
		"html/.. → html+block@_..~5ec1f7, name", "html/Größe.1-x → html+block@Größe.1-x, kept", "html/a b → html+block@a_b~c8687a, name",
		"html/a%b → html+block@a_b~c6332f, name", "html/a_b → html+block@a_b, kept", "html/größe.1-x → html+block@größe.1-x, kept",
		"video/a%b → video+block@a_b, name",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !slices.Contains(r.Report.CaseTwins, "html/Größe.1-x and html/größe.1-x") || r.Report.Renamed != 4 {
		t.Errorf("twins %v, %d renamed", r.Report.CaseTwins, r.Report.Renamed)
	}
}

// TestRefused checks what is not converted.
func TestRefused(t *testing.T) {
	t.Parallel()
	slash, err := keys.NewSlashCourse("O", "C", "R")
	if err != nil {
		t.Fatal(err)
	}
	library, err := keys.NewLegacyLibrary("O", "C")
	if err != nil {
		t.Fatal(err)
	}
	rootless := old()
	rootless.Draft = modulestore.NewBranch(id("course/R"), modulestore.ID{}, nil)
	for name, c := range map[string]struct {
		src  convert.Source
		o    convert.Options
		kind fault.Kind
	}{
		"a key that is too long":     {old(&modulestore.Block{ID: id("html/" + strings.Repeat("x", 230))}), convert.Options{}, fault.Refused},
		"a key of the old form":      {old(), convert.Options{To: slash}, fault.Refused},
		"a library made of a course": {old(), convert.Options{To: library}, fault.Refused},
		"no root":                    {rootless, convert.Options{}, fault.Invalid},
	} {
		if _, err := convert.Convert(c.src, c.o); fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNeverPublished checks that a course with drafts alone says so.
func TestNeverPublished(t *testing.T) {
	t.Parallel()
	src := old(&modulestore.Block{ID: id("chapter/c")})
	src.Published = nil
	r := toConvert(t, src)
	if !r.DraftsOnly || r.State.Draft != nil || len(r.State.Published.Blocks) != 2 || r.Keys[0].View != "draft" {
		t.Errorf("%+v", r.Keys)
	}
	if left := unproven(convert.Compare(src, r, r.State)); len(left) > 0 {
		t.Errorf("%+v", left)
	}
}

// TestWiki checks whom the wiki belongs to (modulestore.md §5.5).
func TestWiki(t *testing.T) {
	t.Parallel()
	to, err := keys.NewCourse("N", "D", "S")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		set, want string
		remap     bool
	}{
		{"", "C", false}, {`"mine"`, "mine", true}, {"", "N.D.S", true}, {`"O.C.R"`, "N.D.S", true}, {`"O.C.R"`, "O.C.R", false},
	} {
		root := &modulestore.Block{ID: id("course/R")}
		if c.set != "" {
			root.Content = set("wiki_slug", c.set)
		}
		src := old()
		src.Draft = modulestore.NewBranch(root.ID, modulestore.ID{}, []*modulestore.Block{root})
		src.Published = src.Draft
		r, err := convert.Convert(src, convert.Options{To: to, RemapWiki: c.remap})
		if err != nil {
			t.Fatal(err)
		}
		f := r.State.Published.Blocks[r.State.Published.Root].Fields
		if got, _ := f.Text("wiki_slug"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		if topics, _ := f.Lookup("discussion_topics"); topics != `{"General": {"id": "i4x-O-C-course-R"}}` {
			t.Errorf("topics are %s", topics)
		}
		if left := unproven(convert.Compare(src, r, r.State)); len(left) > 0 {
			t.Errorf("%+v", left)
		}
	}
}

// TestMissingFiles checks that files are looked for where there are some.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	src := old(
		&modulestore.Block{ID: id("html/h"), Content: set("data", `"<img src='/static/images/a.png'/> <img src='/c4x/O/C/asset/b.png'/> <img src='/static/c.png'/>"`)},
		&modulestore.Block{ID: id("video/v"), Settings: set("transcripts", `{"de": "de.srt"}`)},
	)
	if r := toConvert(t, src); len(r.Report.Missing) > 0 {
		t.Errorf("without files: %v", r.Report.Missing)
	}
	src.Assets = []*courseware.Asset{{Path: "images/a.png", EntryKey: "images_a.png"}, {Path: "de.srt", EntryKey: "de.srt"}}
	r := toConvert(t, src)
	if diff := cmp.Diff([]string{"b.png", "c.png"}, r.Report.Missing); diff != "" {
		t.Error(diff)
	}
	want := convert.Mapping{Old: "/c4x/O/C/asset/de.srt", New: "asset-v1:O+C+R+type@asset+block@de.srt", View: "both", Reason: convert.ReasonFile}
	if !slices.Contains(r.Keys, want) {
		t.Errorf("%+v", r.Keys)
	}
}

// TestBreaks checks the list of what does not go on as before.
func TestBreaks(t *testing.T) {
	t.Parallel()
	r := toConvert(t, old(
		&modulestore.Block{ID: id("lti/l"), Settings: set("has_score", "true")}, &modulestore.Block{ID: id("gadget/g")},
		&modulestore.Block{ID: id("openassessment/o")}, &modulestore.Block{ID: id("discussion/d")},
		&modulestore.Block{ID: id("html/h"), Content: set("data", `"<script>$('#input_i4x-O-C-html-h_2_1')</script>"`)},
	))
	got := map[string]int{}
	for _, b := range r.Report.Breaks {
		if b.Count != nil {
			got[b.What] = *b.Count
		}
	}
	want := map[string]int{"lti_grades": 1, "forum_threads": 1, "wiki": 1, "html_ids": 1, "static_asset_path": 0, "block_types": 1, "jump_links": 0, "anonymous_ids": 2}
	if diff := cmp.Diff(want, got); diff != "" || len(r.Report.Breaks) != 13 {
		t.Errorf("%d breaks %s", len(r.Report.Breaks), diff)
	}
}
