package olx_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/olx"
)

// The laws of olx.md §7 on roots, pointers and names.

func TestLaw1RootAtAnyDepth(t *testing.T) {
	t.Parallel()
	shallow := course(`<html url_name="h">hi</html>`)
	deep := files{"README": "x"}
	for name, data := range shallow {
		deep["a/b/"+strings.TrimPrefix(name, "course/")] = data
	}
	equal(t, "export", deep.again(t, olx.ReadOptions{}), shallow.again(t, olx.ReadOptions{}))
}

func TestLaw2And3RootOfTheTargetsKind(t *testing.T) {
	t.Parallel()
	library := files{"library/library.xml": `<library org="o" library="l"/>`}
	for _, c := range []struct {
		files  files
		target string
	}{
		{files{"x/y.xml": "<y/>"}, ""},
		{library, "course-v1:o+c+r"},
		{course(""), "library-v1:o+l"},
	} {
		var o olx.ReadOptions
		if c.target != "" {
			o.Target = key(t, c.target)
		}
		equal(t, "rules", rules(c.files.fails(t, o), courseware.Error), []string{"CourseXMLDoesNotExist"})
		o.Lenient = true
		equal(t, "rules", rules(c.files.fails(t, o), courseware.Error), []string{"CourseXMLDoesNotExist"})
	}
}

func TestLaw4InlineRoot(t *testing.T) {
	t.Parallel()
	pointed := course(`<html url_name="h">hi</html>`)
	inline := course(`<html url_name="h">hi</html>`)
	delete(inline, "course/course/r.xml")
	inline["course/course.xml"] = `<course url_name="r" org="o" course="c" display_name="C"><chapter url_name="ch"/></course>`
	equal(t, "export", inline.again(t, olx.ReadOptions{}), pointed.again(t, olx.ReadOptions{}))
}

func TestLaw5MissingIdentity(t *testing.T) {
	t.Parallel()
	f := course("")
	f["course/course.xml"] = `<course url_name="r" course="c"/>`
	r := f.read(t, olx.ReadOptions{})
	equal(t, "source", r.Source.String(), "course-v1:edx+c+r")
	equal(t, "warnings", len(r.Findings), 1)
	equal(t, "blocks", ids(r.State.Published), []string{"course/course", "chapter/ch", "sequential/s", "vertical/v"})

	f["course/course.xml"] = `<course slug="r" org="o"/>`
	equal(t, "source", f.read(t, olx.ReadOptions{}).Source.String(), "course-v1:o+course+r")

	f["course/course.xml"] = `<course org="o" course="c" name="R 1"/>`
	equal(t, "source", f.read(t, olx.ReadOptions{}).Source.String(), "course-v1:o+c+R_1")

	f["course/course.xml"] = `<course org="o" course="c"/>`
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{Lenient: true}), courseware.Error), []string{"NoRunName"})

	f["course/course.xml"] = `<course url_name="r" org="o+p" course="c"/>`
	f.fails(t, olx.ReadOptions{})
}

func TestLaw6TargetKey(t *testing.T) {
	t.Parallel()
	r := course("").read(t, olx.ReadOptions{Target: key(t, "course-v1:x+y+z")})
	equal(t, "key", r.State.Published.Key.String(), "course-v1:x+y+z")
	equal(t, "source", r.Source.String(), "course-v1:o+c+r")
	out := write(t, r.State, olx.WriteOptions{})
	equal(t, "course.xml", out["course/course.xml"], `<course url_name="z" org="x" course="y"/>`)
	if out["course/course/z.xml"] == "" || out["course/policies/z/policy.json"] == "" {
		t.Errorf("the run names no files: %v", out)
	}
}

func TestLaw7Pointer(t *testing.T) {
	t.Parallel()
	r := course(`<problem url_name="p"/><problem url_name="q" weight="1"/><problem url_name="c"><!-- note --></problem>`,
		"problem/p.xml", `<problem display_name="P"/>`, "problem/q.xml", `<problem display_name="Q"/>`,
		"problem/c.xml", `<problem display_name="C"/>`).read(t, olx.ReadOptions{})
	equal(t, "p", block(t, r, "problem", "p").Title(), "P")
	equal(t, "q", block(t, r, "problem", "q").Title(), "")
	equal(t, "c", block(t, r, "problem", "c").Title(), "C")
	equal(t, "rules", rules(r.Findings, courseware.Warning), []string{"InvalidPointer"})
	equal(t, "ignored", r.Ignored, []string{"problem/q.xml"})
}

func TestLaw8ColonIsASlash(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="a:b"/><html url_name="x:y:z"/>`, "problem/a/b.xml", `<problem weight="2"/>`,
		"html/x/y/z.xml", `<html filename="z"/>`, "html/x/y/z.html", "<p>")
	f.same(t, olx.ReadOptions{}, "course/problem/a/b.xml", "course/html/x/y/z.xml", "course/html/x/y/z.html")
}

func TestLaw9MissingFile(t *testing.T) {
	t.Parallel()
	f := course(`<html url_name="h">a</html><problem url_name="gone"/><html url_name="i">b</html>`)
	errs := f.fails(t, olx.ReadOptions{})
	equal(t, "rules", rules(errs, courseware.Error), []string{"FileDoesNotExist"})
	if e := errs[0]; e.File != "vertical/v.xml" || !strings.Contains(e.Message, "problem/gone.xml") || e.Line != 1 {
		t.Errorf("the error does not name both files: %+v", e)
	}
	lenient := olx.ReadOptions{Lenient: true}
	r := f.read(t, lenient)
	equal(t, "children", children(block(t, r, "vertical", "v")), "h gone i")
	equal(t, "opaque", block(t, r, "problem", "gone").Opaque, true)
	equal(t, "unit", f.again(t, lenient)["course/vertical/v.xml"],
		"<vertical>\n  <html url_name=\"h\"/>\n  <problem url_name=\"gone\"/>\n  <html url_name=\"i\"/>\n</vertical>\n")
}

func TestLaw10PointerInPointer(t *testing.T) {
	t.Parallel()
	for inside, rule := range map[string]string{
		`<problem url_name="p"/>`: "SelfPointer", `<problem url_name="q"/>`: "PointerAlreadyPointedAt",
		"<problem url_name=\"p\">\n<!-- x -->\n</problem>": "SelfPointer",
	} {
		f := course(`<problem url_name="p"/>`, "problem/p.xml", inside, "problem/q.xml", "<problem/>")
		equal(t, inside, rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{rule})
		f.same(t, olx.ReadOptions{Lenient: true}, "course/problem/p.xml")
	}
	self := course("")
	self["course/course/r.xml"] = self["course/course.xml"]
	equal(t, "course", rules(self.fails(t, olx.ReadOptions{Lenient: true}), courseware.Error), []string{"SelfPointer"})
	loop := course(`<vertical url_name="v"/>`)
	equal(t, "loop", rules(loop.fails(t, olx.ReadOptions{}), courseware.Error), []string{"DuplicateURLName"})
	equal(t, "loop", children(block(t, loop.read(t, olx.ReadOptions{Lenient: true}), "vertical", "v")), "")
}

func TestLaw11NameOfATitle(t *testing.T) {
	t.Parallel()
	f := course(`<problem display_name="Über uns!"/><problem name="a b" display_name="c"/><problem slug="s" name="n"/>`)
	for range 2 {
		r := f.read(t, olx.ReadOptions{})
		equal(t, "names", children(block(t, r, "vertical", "v")), "Über_uns_ a_b s")
	}
	f.again(t, olx.ReadOptions{})
}

func TestLaw12NameOfContent(t *testing.T) {
	t.Parallel()
	name := func(inside string) string {
		return children(block(t, course(inside).read(t, olx.ReadOptions{}), "vertical", "v"))
	}
	got := name("<problem  weight='1'><p>x</p></problem>")
	if !regexp.MustCompile(`^problem_[0-9a-f]{12}$`).MatchString(got) {
		t.Errorf("got the name %q", got)
	}
	equal(t, "the same in another spelling", name(`<problem weight="1"><p>x</p></problem>`), got)
	equal(t, "on every machine", got, "problem_bce61878018f")
	if other := name("<problem weight='2'><p>x</p></problem>"); other == got {
		t.Errorf("another content has the same name %q", got)
	}
}

func TestLaw13EqualNames(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="p">1</problem><problem url_name="p">2</problem>`)
	r := f.read(t, olx.ReadOptions{})
	list := block(t, r, "vertical", "v").Children
	if len(list) != 2 || list[0].Name != "p" || !regexp.MustCompile(`^problem_p_[0-9a-f]{12}$`).MatchString(list[1].Name) {
		t.Errorf("got %v", list)
	}
	equal(t, "data", bodyOf(t, r.State.Published.Blocks[list[1]]), "2")
	equal(t, "rules", rules(r.Findings, courseware.Warning), []string{"DuplicateURLName"})
	f.again(t, olx.ReadOptions{})

	// Equal blocks, names that look like one made before, unknown elements, an inline block and a pointer.
	f = course(`<problem url_name="p"/><problem url_name="p">1</problem><problem url_name="p">1</problem><problem url_name="p">1</problem>`+
		`<problem url_name="problem_x_0123456789ab">1</problem><problem url_name="problem_x_0123456789ab">2</problem>`+
		`<odd url_name="u">1</odd><odd url_name="u">2</odd><odd/><odd/><html url_name="h">1</html><html url_name="h"/><html url_name="h"/>`,
		"problem/p.xml", "<problem>0</problem>", "html/h.xml", "<html>2</html>")
	r = f.read(t, olx.ReadOptions{})
	equal(t, "children", len(block(t, r, "vertical", "v").Children), 12)
	f.again(t, olx.ReadOptions{})
}

func TestLaw14NamesFitForIds(t *testing.T) {
	t.Parallel()
	valid := regexp.MustCompile(`^[\p{L}\p{N}_\-~.:]+$`)
	f := course(`<problem url_name="a b%"/><html url_name="x+y@z">1</html><problem url_name=".."/><problem url_name="a::b"/>`+
		`<problem url_name=":"/><problem url_name="`+strings.Repeat("long ", 100)+`">1</problem><odd url_name="a b"/><html display_name="50% off"/>`+
		`<a:b xmlns:a="urn:a" url_name="q r"/>`,
		"problem/a b%.xml", "<problem>found</problem>", "tabs/a b.html", "tab", "problem/a/b.xml", "<problem/>")
	r := f.read(t, olx.ReadOptions{Lenient: true})
	for id := range r.State.Published.Blocks {
		if !valid.MatchString(id.Name) || !valid.MatchString(id.Type) {
			t.Errorf("the id %v is not fit for a key", id)
		}
		if _, err := r.State.Published.Key.Usage(id.Type, id.Name); err != nil {
			t.Errorf("the id %v is not fit for a key: %v", id, err)
		}
	}
	equal(t, "data", bodyOf(t, block(t, r, "problem", "a_b_")), "found")
	equal(t, "data", bodyOf(t, block(t, r, "static_tab", "a_b")), "tab")
	f.again(t, olx.ReadOptions{Lenient: true})
}

func TestBarePureXBlock(t *testing.T) {
	t.Parallel()
	f := course(`<done url_name="d"/><poll url_name="p"/>`, "poll/p.xml", `<poll question="Q"/>`)
	r := f.read(t, olx.ReadOptions{})
	equal(t, "rules", rules(r.Findings, courseware.Warning), []string{"FileDoesNotExist"})
	equal(t, "unit", f.again(t, olx.ReadOptions{})["course/vertical/v.xml"], `<vertical>
  <done url_name="d" xblock-family="xblock.v1"/>
  <poll url_name="p" xblock-family="xblock.v1" question="Q"/>
</vertical>
`)
}

func TestErrorsAreListedTogether(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="a"/><problem url_name="b"/><html url_name="h"/><html url_name="i" filename="../x"/>`,
		"problem/b.xml", "<problem>\n<p>\n</problem>", "html/h.xml", `<html filename="h"/>`)
	_, err := olx.Read(t.Context(), f.open(t), olx.ReadOptions{})
	if !fault.Is(err, fault.Invalid) {
		t.Fatalf("got %v of kind %v", err, fault.KindOf(err))
	}
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error),
		[]string{"FileDoesNotExist", "FileDoesNotExist", "InvalidPointer", "InvalidXML"})
	for _, e := range f.fails(t, olx.ReadOptions{}) {
		if e.File == "" || e.Line == 0 || e.Remedy == "" || !strings.Contains(err.Error(), e.String()) {
			t.Errorf("the error does not say what to do where: %+v", e)
		}
	}
	r := f.read(t, olx.ReadOptions{Lenient: true})
	equal(t, "children", children(block(t, r, "vertical", "v")), "a b h i")
	out := f.again(t, olx.ReadOptions{Lenient: true})
	equal(t, "broken file", out["course/problem/b.xml"], f["course/problem/b.xml"])
	equal(t, "place", r.Places[courseware.BlockID{Type: "problem", Name: "b"}], olx.Place{File: "problem/b.xml", Line: 3})
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	r := course(`<html url_name="h">1</html>`, "src/a.py", "", "src/b/c.py", "", "LICENSE", "", "tags.csv", "", "html/orphan.xml", "<html/>",
		"static/._a", "", "static/b~", "", "info/x.y.z.json", "", "about/deep/er/x.html", "", "problem/x.xml", "",
		"drafts/vertical/x.xml", "<vertical/>").read(t, olx.ReadOptions{})
	equal(t, "ignored", r.Ignored, []string{
		"LICENSE", "about/deep/er/x.html", "drafts/vertical/x.xml", "html/", "info/x.y.z.json", "problem/", "src/", "static/._a",
		"static/b~", "tags.csv",
	})
	if !slices.IsSorted(r.Ignored) || cmp.Equal(r.Ignored, nil) {
		t.Error("not sorted")
	}
}
