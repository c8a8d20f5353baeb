package olx_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/pyjson"
)

// sample returns the path of one of the sample archives, "" where they are not: $LECTERN_DATA_DIR, else ../shared/data
// beside the repository.
func sample(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("LECTERN_DATA_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	p := filepath.Join(dir, name)
	if _, err := os.Stat(p); err == nil {
		return p
	}
	if os.Getenv("LECTERN_DATA_DIR") != "" || os.Getenv("LECTERN_REQUIRE_GOLDEN") != "" {
		t.Fatalf("no sample archive %s", p)
	}
	return ""
}

// roundTrip imports and exports an archive under its own key.
func roundTrip(t *testing.T, p string) (r *olx.Result, before, after files) {
	t.Helper()
	a := openPath(t, p)
	before = content(t, a)
	r, err := olx.Read(t.Context(), a, olx.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r, before, write(t, r.State, olx.WriteOptions{})
}

// folderOf returns the folder of a file below the course directory.
func folderOf(name string) string {
	_, rest, _ := strings.Cut(name, "/")
	dir, _, ok := strings.Cut(rest, "/")
	if !ok {
		return rest
	}
	if dir == "html" {
		return dir + filepath.Ext(rest)
	}
	return dir
}

// TestGoldenDemoCourse holds the figures of olx.md §8.1.
func TestGoldenDemoCourse(t *testing.T) {
	t.Parallel()
	p := sample(t, "demo-course.tar.gz")
	if p == "" {
		testCommitted(t, "course")
		return
	}
	r, before, after := roundTrip(t, p)
	count := map[string]int{}
	for b := range r.State.Published.Walk() {
		count[b.ID.Type]++
	}
	equal(t, "blocks", count, map[string]int{
		"course": 1, "chapter": 6, "sequential": 17, "vertical": 58, "html": 266, "problem": 29, "video": 11,
		"openassessment": 2, "lti": 2, "drag-and-drop-v2": 1, "edx_sga": 1, "staffgradedxblock": 1, "done": 1,
		"library_content": 1, "annotatable": 1, "discussion": 1, "poll": 1, "survey": 1,
	})
	equal(t, "all blocks", len(r.State.Published.Blocks), 401+10+2)
	equal(t, "static files", len(r.State.Published.Assets), 124)
	equal(t, "drafts", r.State.Draft == nil, true)
	equal(t, "ignored", len(r.Ignored), 0)
	equal(t, "findings", len(r.Findings), 0)

	equalFiles, differ := map[string]int{}, map[string]bool{}
	for name, data := range before {
		if after[name] == data {
			equalFiles[folderOf(name)]++
		} else {
			differ[strings.TrimPrefix(name, "course/")] = true
		}
	}
	equal(t, "files", len(after), len(before))
	equal(t, "equal files", equalFiles, map[string]int{
		"chapter": 6, "sequential": 17, "vertical": 57, "html.xml": 266, "html.html": 266, "problem": 29, "annotatable": 1,
		"lti": 2, "library_content": 1, "video": 10, "about": 10, "info": 3, "static": 124, "assets": 1,
		"policies": 1, // grading_policy.json
	})
	equal(t, "other files", differ, map[string]bool{
		"course.xml": true, "course/DemoCourse.xml": true, "policies/DemoCourse/policy.json": true, "policies/assets.json": true,
		"vertical/f0aa93365d264e2fb14dc9c1b5efa976.xml": true, "video/078de40d92a54047b951a2e7a8e2a348.xml": true,
	})
	was := func(name string, pairs ...string) {
		t.Helper()
		equal(t, name, after["course/"+name], strings.NewReplacer(pairs...).Replace(before["course/"+name]))
	}
	was("course.xml", "/>\n", "/>")
	was("course/DemoCourse.xml", "thumbnail_demox.jpeg", "DemoX-Course-Card.png")
	own := "/asset-v1:OpenedX+DemoX+DemoCourse+type@asset+block@"
	was("vertical/f0aa93365d264e2fb14dc9c1b5efa976.xml", own, "/static/")
	was("video/078de40d92a54047b951a2e7a8e2a348.xml", own, "/static/")
	was("policies/DemoCourse/policy.json", "course/Demo_Course_v2.xml", "course/DemoCourse.xml", "}\n}\n", "}\n}")

	old, _, _ := pyjson.Parse(before["course/policies/assets.json"])
	now, _, _ := pyjson.Parse(after["course/policies/assets.json"])
	equal(t, "entries", len(now.Keys), len(old.Keys)+9)
	for i, k := range old.Keys {
		if v, _ := now.Lookup(k); !pyjson.Equal(v, old.Items[i]) {
			t.Errorf("the entry %s changes", k)
		}
	}
	codecOfAll(t, r.State.Published)
	secondRound(t, r, after)
}

// TestGoldenDemoLibrary holds the figures of olx.md §8.2.
func TestGoldenDemoLibrary(t *testing.T) {
	t.Parallel()
	p := sample(t, "demo-library.tar.gz")
	if p == "" {
		testCommitted(t, "library")
		return
	}
	r, before, after := roundTrip(t, p)
	equal(t, "files", after, before)
	equal(t, "key", r.Source.String(), "library-v1:OpenedX+DemoRespiratoryQuestions")
	root := block(t, r, "library", "library")
	equal(t, "title", root.Title(), "Respiratory System Question Bank 1")
	var order []string
	for _, id := range root.Children {
		order = append(order, id.Name[:4])
	}
	equal(t, "children", strings.Join(order, " "), "dd88 4e98 19c4 6b74 b759 5cd0")
	codecOfAll(t, r.State.Published)
}

// testCommitted is the test where the sample archives are not: a small one with the same kinds of things, in canonical
// form.
func testCommitted(t *testing.T, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	f := text(string(data))
	r := f.read(t, olx.ReadOptions{})
	for _, rule := range rules(r.Findings, courseware.Info) {
		if rule != "UnknownBlock" {
			t.Errorf("findings: %v", r.Findings)
		}
	}
	f.same(t, olx.ReadOptions{}, keysOf(f)...)
	codecOfAll(t, r.State.Published)
	secondRound(t, r, f)
}

// TestCommitted runs the small canonical archives where the large ones are too.
func TestCommitted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"course", "library"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testCommitted(t, name)
		})
	}
}

func keysOf(f files) []string {
	var out []string
	for name := range f {
		out = append(out, name)
	}
	return out
}

// codecOfAll checks that every block of a course survives being stored and being printed.
func codecOfAll(t *testing.T, c *courseware.Course) {
	t.Helper()
	for id, b := range c.Blocks {
		stored(t, b)
		if b.Opaque {
			continue
		}
		p, err := olx.ParseBlock(printed(t, b), "block")
		if err != nil {
			t.Errorf("%s: %v\n%s", id, err, printed(t, b))
			continue
		}
		p.Children = b.Children
		equal(t, id.String()+" printed and parsed", p, b)
	}
}

// stored checks that a block comes back from the files it is stored as, and these from it.
func stored(t *testing.T, b *courseware.Block) {
	t.Helper()
	f, err := olx.EncodeBlock(b)
	if err != nil {
		t.Errorf("%s: %v", b.ID, err)
		return
	}
	back, err := olx.DecodeBlock(b.ID, f, b.Children)
	if err != nil {
		t.Errorf("%s: %v\n%s", b.ID, err, f[0].Data)
		return
	}
	if !b.Equal(back) {
		equal(t, b.ID.String()+" stored and loaded", back, b)
	}
	again, err := olx.EncodeBlock(back)
	if err != nil {
		t.Errorf("%s: %v", b.ID, err)
	}
	equal(t, b.ID.String()+" stored twice", again, f)
}

// secondRound checks that an export imports to the same state, so that importing it changes nothing.
func secondRound(t *testing.T, r *olx.Result, export files) {
	t.Helper()
	again := export.read(t, olx.ReadOptions{})
	for id, b := range r.State.Published.Blocks {
		if other := again.State.Published.Blocks[id]; other == nil || !b.Equal(other) {
			t.Errorf("%s is another block after a round:\n%s", id, printed(t, b))
		}
	}
	for i, a := range r.State.Published.Assets {
		other := again.State.Published.Assets[i]
		if a.Path != other.Path || string(a.Entry) != string(other.Entry) || a.EntryKey != other.EntryKey {
			t.Errorf("the static file %s has another entry after a round:\n%s\n%s", a.Path, a.Entry, other.Entry)
		}
	}
	if string(r.State.Published.GradingPolicy) != string(again.State.Published.GradingPolicy) {
		t.Errorf("the grading policy is another after a round")
	}
}
