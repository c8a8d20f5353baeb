package olx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/olx/xmltree"
)

// The laws of olx.md §7 on export and security.

// messy is a course that says everything in the odd ways that the format allows.
func messy() files {
	f := course(`<!-- x --><html>inline <b>body</b></html><problem display_name='P &amp; "q"' max_attempts="3"  zzz="1"><p>1</p></problem>`+
		`<problem url_name="p"/><problem url_name="p"/><book page="2"/><odd   a='1'><problem url_name="in"/></odd><odd/>`+
		`<discussion url_name="d"/><poll url_name="po" answers='[1, {"b": 1, "a": 2}]' question=" x "/>`+
		`<video youtube="1.00:a" from="10"><source src="s"/><track src="t"/></video>`+
		`<conditional sources="i4x://o/c/problem/p" submitted="True"><show sources="i4x://o/c/html/h"/><html url_name="h">x</html></conditional>`+
		`<openassessment submission_start="2001"><title>T</title></openassessment><vertical display_name="nested unit"><wrapper/></vertical>`,
		"problem/p.xml", "<problem slug=\"x\"><p>a</p>\r\n</problem>\n<!-- end -->", "discussion/d.xml", `<discussion for="y"/>`,
		"tabs/t.html", "tab", "about/overview.html", "<section>", "info/r/handouts.html", "h", "custom_tags/book", "$page",
		"static/a b.png", "1", "static/sub/c.txt", "2", "policies/assets.json", `{"x": {"locked": true}, "a_b.png": {"locked": true}}`,
		"drafts/vertical/v.xml", `<vertical parent_sequential_url="i4x://o/c/sequential/s" index_in_children_list="0"><html>draft</html><odd/></vertical>`,
		"drafts/vertical/w.xml", draft(5, `<done url_name="dd"/>`))
	f["course/course/r.xml"] = `<course start="2020-01-01" odd="1"><textbook title="a" book_url="b"/><chapter name="Intro"><sequential url_name="s"/></chapter>` +
		`<textbook title="c" book_url="d"><x/></textbook><wiki slug="c"/></course>`
	return f
}

func TestLaw67Deterministic(t *testing.T) {
	t.Parallel()
	st := messy().read(t, olx.ReadOptions{}).State
	var first []byte
	for range 3 {
		var out bytes.Buffer
		w := archive.NewTarGz(t.Context(), &out, time.Unix(1e9, 0))
		if err := olx.Write(t.Context(), w, st, olx.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = out.Bytes()
		}
		equal(t, "bytes", bytes.Equal(out.Bytes(), first), true)
		st = messy().read(t, olx.ReadOptions{}).State
	}
}

func TestLaw68And70And71And73(t *testing.T) {
	t.Parallel()
	r := messy().read(t, olx.ReadOptions{})
	for _, tree := range []*courseware.Course{r.State.Published, r.State.Draft} {
		for _, b := range tree.Blocks {
			stored(t, b)
		}
	}
	out := messy().again(t, olx.ReadOptions{})
	pointers := map[string]int{}
	for name, data := range out {
		rest := strings.TrimPrefix(name, "course/")
		dir := ""
		if after, ok := strings.CutPrefix(rest, "drafts/"); ok {
			rest, dir = after, "drafts/"
		}
		if !strings.HasSuffix(name, ".xml") || rest == "course.xml" || rest == "assets/assets.xml" {
			continue
		}
		doc, err := xmltree.Parse(name, []byte(data), xmltree.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		countPointers(doc.Root, dir, pointers)
		if strings.Contains(data, "filename=") != strings.HasPrefix(rest, "html/") || strings.Contains(data, "tabs=") {
			t.Errorf("%s holds what no archive may: %s", name, data)
		}
		if strings.Contains(data, "index_in_children_list") {
			pointers[dir+rest]++
		}
	}
	for name := range out {
		rest := strings.TrimPrefix(name, "course/")
		dir := strings.Split(strings.TrimPrefix(rest, "drafts/"), "/")[0]
		if strings.HasSuffix(rest, ".xml") && dir != "course" && dir != "assets" && dir != "course.xml" && pointers[rest] != 1 {
			t.Errorf("%s is pointed at %d times", name, pointers[rest])
		}
		delete(pointers, rest)
	}
	equal(t, "pointers without files", pointers, map[string]int{})
	root := out["course/course/r.xml"]
	equal(t, "root", root, `<course start="2020-01-01T00:00:00Z" odd="1">
  <chapter url_name="Intro"/>
  <textbook title="a" book_url="b"/>
  <wiki slug="c"/>
  <textbook title="c" book_url="d"><x/></textbook>
</course>
`)
}

func countPointers(n *xmltree.Node, dir string, to map[string]int) {
	for c := range n.Elements() {
		if name, ok := c.Attr("url_name"); ok && len(c.Attrs) == 1 && c.Empty() {
			to[dir+c.Name.String()+"/"+strings.ReplaceAll(name, ":", "/")+".xml"]++
			continue
		}
		if c.Name.String() != "odd" {
			countPointers(c, dir, to)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	st := course("").read(t, olx.ReadOptions{}).State
	bad := *st.Published
	bad.Blocks = map[courseware.BlockID]*courseware.Block{}
	for id, b := range st.Published.Blocks {
		bad.Blocks[id] = b
	}
	dots := courseware.BlockID{Type: "problem", Name: "a:..:b"}
	bad.Blocks[dots] = &courseware.Block{ID: dots}
	unit := *st.Published.Blocks[courseware.BlockID{Type: "vertical", Name: "v"}]
	unit.Children = []courseware.BlockID{dots, {Type: "html", Name: "unknown"}}
	bad.Blocks[unit.ID] = &unit
	for name, c := range map[string]struct {
		state courseware.State
		kind  fault.Kind
	}{
		"nothing": {courseware.State{}, fault.Refused}, "no root": {courseware.State{Published: &courseware.Course{}}, fault.Refused},
		"a name that leads out": {courseware.State{Published: &bad}, fault.Invalid},
	} {
		var out bytes.Buffer
		err := olx.Write(t.Context(), archive.NewZip(t.Context(), &out, time.Now()), c.state, olx.WriteOptions{})
		if !fault.Is(err, c.kind) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := olx.Write(ctx, archive.NewZip(t.Context(), &out, time.Now()), st, olx.WriteOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := olx.Read(ctx, course("<html>x</html>").open(t), olx.ReadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLaw77DeepXML(t *testing.T) {
	t.Parallel()
	const deep = 100_000
	f := course(strings.Repeat("<a>", deep) + strings.Repeat("</a>", deep))
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"InvalidXML"})

	// Nesting through pointers: each file is flat.
	f = course(`<vertical url_name="n0"/>`)
	for i := range 300 {
		f[fmt.Sprintf("course/vertical/n%d.xml", i)] = fmt.Sprintf(`<vertical display_name="n"><vertical url_name="n%d"/></vertical>`, i+1)
	}
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"ArchiveTooLarge"})
	f.again(t, olx.ReadOptions{Lenient: true})
}

func TestLaw78FileNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../../policies/r/policy", "..", "/etc/passwd", `..\x`, "a//b", "./x", ""} {
		for _, tag := range []string{"html", "problem"} {
			f := course(`<`+tag+` url_name="x" filename="`+name+`"/>`, "html/policies.html", "", "problem/x.xml", "<problem/>")
			equal(t, tag+" "+name, rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"InvalidPointer"})
		}
	}
	f := course(`<problem url_name="..:..:policies:r:policy"/>`, "policies/r/policy.xml", "<problem/>")
	equal(t, "url_name", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"FileDoesNotExist"})
}

func TestLaw79Encoding(t *testing.T) {
	t.Parallel()
	for name, inside := range map[string]string{
		"problem/x.xml": "<problem>\n\xfc</problem>", "html/x.html": "a\n\xfc",
	} {
		f := course(`<problem url_name="x"/><html url_name="x"/>`, "problem/x.xml", "<problem/>", "html/x.xml", `<html filename="x"/>`, "html/x.html", "")
		f["course/"+name] = inside
		errs := f.fails(t, olx.ReadOptions{})
		equal(t, name, rules(errs, courseware.Error), []string{"BadEncoding"})
		equal(t, name, errs[0].File, name)
		equal(t, name, errs[0].Line, 2)
		f.same(t, olx.ReadOptions{Lenient: true}, "course/"+name)
	}
}

func TestLaw76And80BadXML(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		`<problem a="1" a="2"/>`, "<problem/><problem/>", "<problem/>text", `<!DOCTYPE problem><problem/>`, "<problem>&nbsp;</problem>",
		`<!DOCTYPE p [<!ENTITY a "b">]><problem>&a;</problem>`, `<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]><problem>&a;</problem>`,
		"<problem>", "", "<problem>\x01</problem>", "<?xml version='1.0' encoding='utf-16'?><problem/>",
	} {
		f := course(`<problem url_name="x"/>`, "problem/x.xml", bad)
		errs := f.fails(t, olx.ReadOptions{})
		if len(errs) != 1 || errs[0].Rule != "InvalidXML" && errs[0].Rule != "BadEncoding" || errs[0].File != "problem/x.xml" || errs[0].Line == 0 {
			t.Errorf("%q: %+v", bad, errs)
		}
		f.same(t, olx.ReadOptions{Lenient: true}, "course/problem/x.xml")
	}
}

func TestLaw81Secrets(t *testing.T) {
	t.Parallel()
	const secret = "hush4711"
	for _, passports := range []string{
		`["id:key:` + secret + `"]`, `["id:key:` + secret + `"`, `{"` + secret + `": 1}`, secret, `["` + secret + `", "` + secret + `"]`,
		`[{"a": "` + secret + `", "a": "` + secret + `"}]`,
	} {
		f := course("")
		f["course/course/r.xml"] = `<course lti_passports='` + passports + `' due="` + secret + `" xqa_key="` + secret + `"><chapter url_name="ch"/></course>`
		f["course/policies/r/policy.json"] = `{"course/r": {"lti_passports": ` + passports + `, "matlab_api_key": "` + secret + `", "graceperiod": "` + secret + `"}}`
		for _, lenient := range []bool{false, true} {
			r, err := olx.Read(t.Context(), f.open(t), olx.ReadOptions{Lenient: lenient})
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells the secret: %v", err)
			}
			for _, finding := range r.Findings {
				if strings.Contains(finding.String()+finding.Remedy, secret) {
					t.Errorf("a finding tells the secret: %v", finding)
				}
			}
		}
	}
}

func TestLibrary(t *testing.T) {
	t.Parallel()
	f := files{
		"lib/library.xml":   `<library org="o" library="l" url_name="odd" display_name="L" xblock-family="xblock.v1"><problem url_name="p"/><html>x</html></library>`,
		"lib/problem/p.xml": "<problem/>", "lib/static/a.png": "1", "lib/policies/x.json": "{}",
	}
	r := f.read(t, olx.ReadOptions{})
	equal(t, "key", r.State.Published.Key.String(), "library-v1:o+l")
	equal(t, "root", r.State.Published.Root, courseware.BlockID{Type: "library", Name: "library"})
	equal(t, "rules", rules(r.Findings, courseware.Info), []string(nil))
	out := f.again(t, olx.ReadOptions{})
	if !strings.HasPrefix(out["library/library.xml"],
		`<library url_name="library" xblock-family="xblock.v1" display_name="L" org="o" library="l">`+"\n  <problem url_name=\"p\"/>\n") {
		t.Errorf("got %s", out["library/library.xml"])
	}
	moved := write(t, f.read(t, olx.ReadOptions{Target: must(keys.NewLegacyLibrary("x", "y"))}).State, olx.WriteOptions{})
	if !strings.Contains(moved["library/library.xml"], `org="x" library="y"`) || moved["library/static/a.png"] != "1" {
		t.Errorf("got %v", moved)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
