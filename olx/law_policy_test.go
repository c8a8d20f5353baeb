package olx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/pyjson"
)

// The laws of olx.md §7 on policies and inheritance, references and links.

// policyOf returns the entry of the course in an export's policy file.
func policyOf(t *testing.T, f files) pyjson.Value {
	t.Helper()
	v, _, err := pyjson.Parse(f["course/policies/r/policy.json"])
	if err != nil {
		t.Fatal(err)
	}
	entry, ok := v.Lookup("course/r")
	if !ok || len(v.Keys) != 1 {
		t.Fatalf("the policy has the entries %v", v.Keys)
	}
	return entry
}

func TestLaw35And36PolicyWins(t *testing.T) {
	t.Parallel()
	f := course(`<html url_name="h" display_name="old">x</html><video url_name="vi" display_name="old"/><done url_name="d" xblock-family="xblock.v1"/>`)
	f["course/policies/r/policy.json"] = `{"course/r": {"display_name": "New", "start": "2021-01-01"}, "html/h": {"display_name": "N", "odd": [1]},
		"video/vi": {"display_name": "V"}, "sequential/s": {"due": "2022-01-01T00:00:00Z"}, "html/none": {}, "done/d": {"align": "x"}, "chapter/ch": 5}`
	r := f.read(t, olx.ReadOptions{})
	equal(t, "course", block(t, r, "course", "course").Title(), "New")
	equal(t, "rules", rules(r.Findings, courseware.Warning), []string{"BadEntry", "PolicyRefNotFound", "PolicyRefNotFound"})
	out := f.again(t, olx.ReadOptions{})
	equal(t, "course", out["course/course/r.xml"], "<course display_name=\"New\" start=\"2021-01-01T00:00:00Z\">\n  <chapter url_name=\"ch\"/>\n</course>\n")
	equal(t, "html", out["course/html/h.xml"], "<html filename=\"h\" display_name=\"N\" odd=\"[1]\"/>\n")
	equal(t, "video", out["course/video/vi.xml"], "<video url_name=\"vi\" display_name=\"V\"/>\n")
	equal(t, "sequential", out["course/sequential/s.xml"], "<sequential due=\"2022-01-01T00:00:00Z\">\n  <vertical url_name=\"v\"/>\n</sequential>\n")
	policyOf(t, out)
}

func TestLaw37OlderPolicyFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, older, want string }{
		{"", `{"course/r": {"display_name": "Older"}}`, "Older"},
		{"{}", `{"course/r": {"display_name": "Older"}}`, "Older"},
		{`{"x/y": {}}`, `{"course/r": {"display_name": "Older"}}`, "C"},
		{"{}", "", "C"},
	} {
		f := course("")
		delete(f, "course/policies/r/policy.json")
		if c.first != "" {
			f["course/policies/r/policy.json"] = c.first
		}
		if c.older != "" {
			f["course/policies/r.json"] = c.older
		}
		equal(t, c.first+c.older, block(t, f.read(t, olx.ReadOptions{}), "course", "course").Title(), c.want)
	}
}

func TestLaw38InvalidPolicy(t *testing.T) {
	t.Parallel()
	f := course("")
	f["course/policies/r/policy.json"] = "{\n\"course/r\": }"
	f["course/policies/r.json"] = `{"course/r": {"display_name": "Older"}}`
	errs := f.fails(t, olx.ReadOptions{})
	equal(t, "rules", rules(errs, courseware.Error), []string{"BadPolicy"})
	equal(t, "place", errs[0].File+":"+string(rune('0'+errs[0].Line)), "policies/r/policy.json:2")
	r := f.read(t, olx.ReadOptions{Lenient: true})
	equal(t, "rules", rules(r.Findings, courseware.Error), []string{"BadPolicy"})
	equal(t, "title", block(t, r, "course", "course").Title(), "C")

	f["course/policies/r/policy.json"] = "[]"
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"BadPolicyFormat"})
	f["course/policies/r/policy.json"] = "{}"
	f["course/policies/assets.json"] = "nope"
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"BadPolicy"})
}

func TestLaw39Inheritance(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="p"/>`, "problem/p.xml", `<problem display_name="P"/>`)
	f["course/sequential/s.xml"] = `<sequential due="2020-05-01T00:00:00Z" graded="true" format="HW"><vertical url_name="v"/></sequential>`
	r := f.read(t, olx.ReadOptions{})
	c := r.State.Published
	parents := olx.Parents(c)
	p := courseware.BlockID{Type: "problem", Name: "p"}
	for name, want := range map[string]string{
		"due": `"2020-05-01T00:00:00Z"`, "graded": "true", "format": "null", "display_name": `"P"`, "weight": "null", "showanswer": `"finished"`,
	} {
		equal(t, name, string(olx.Effective(c, parents, p, name)), want)
	}
	equal(t, "problem", f.again(t, olx.ReadOptions{})["course/problem/p.xml"], "<problem display_name=\"P\"/>\n")
}

func TestLaw40PolicyOnly(t *testing.T) {
	t.Parallel()
	f := course("")
	f["course/policies/r/policy.json"] = `{"course/r": {"tabs": [{"type": "b", "name": "x"}], "discussion_blackouts": [], "discussion_topics": {"B": {"id": "b"}, "A": {"id": "a"}}}}`
	out := f.again(t, olx.ReadOptions{})
	equal(t, "course", out["course/course/r.xml"], "<course display_name=\"C\">\n  <chapter url_name=\"ch\"/>\n</course>\n")
	equal(t, "policy", policyOf(t, out).Plain(), `{"discussion_blackouts": [], "discussion_topics": {"A": {"id": "a"}, "B": {"id": "b"}}, `+
		`"display_name": "C", "tabs": [{"name": "x", "type": "b"}], "xml_attributes": {"filename": ["course/r.xml", "course/r.xml"]}}`)
	root := block(t, f.read(t, olx.ReadOptions{}), "course", "course")
	stored(t, root)
	encoded, err := olx.EncodeBlock(root)
	if err != nil || len(encoded) != 2 || encoded[1].Path != olx.PolicyFile || strings.Contains(string(encoded[0].Data), "tabs") {
		t.Errorf("stored as %v, %v", encoded, err)
	}
}

func TestLaw41GradingPolicy(t *testing.T) {
	t.Parallel()
	f := course("")
	delete(f, "course/policies/r/grading_policy.json")
	out := f.again(t, olx.ReadOptions{})["course/policies/r/grading_policy.json"]
	v, _, err := pyjson.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	graders, _ := v.Lookup("GRADER")
	equal(t, "graders", len(graders.Items), 4)
	cutoffs, _ := v.Lookup("GRADE_CUTOFFS")
	equal(t, "cutoffs", cutoffs.Plain(), `{"Pass": 0.5}`)

	f["course/grading_policy.json"] = `{"GRADE_CUTOFFS": {"A": 0.9, "B": 0.50}, "odd": 1}`
	out = f.again(t, olx.ReadOptions{})["course/policies/r/grading_policy.json"]
	if !strings.Contains(out, "Midterm Exam") || !strings.Contains(out, "\"A\": 0.9,\n        \"B\": 0.50") || !strings.Contains(out, `"odd": 1`) {
		t.Errorf("got %s", out)
	}
	f["course/policies/r/grading_policy.json"] = "{"
	equal(t, "rules", rules(f.read(t, olx.ReadOptions{}).Findings, courseware.Info), []string{"GradingPolicyIssue"})
}

func TestLaw42And43References(t *testing.T) {
	t.Parallel()
	f := course(`<conditional url_name="c"/><split_test url_name="s"/>`,
		"conditional/c.xml", `<conditional sources=" i4x://o/c/problem/a ;block-v1:o+c+r+type@problem+block@b;o/c/html/s;i4x://x/c/problem/a;block-v1:o+c+other+type@problem+block@b" attempted="True">`+
			`<show sources="i4x://o/c/html/h; block-v1:o+c+r+type@html+block@i"/></conditional>`,
		"split_test/s.xml", `<split_test group_id_to_child="{&quot;0&quot;: &quot;i4x://o/c/vertical/a&quot;, &quot;1&quot;: &quot;block-v1:o+c+r+type@vertical+block@b&quot;, &quot;2&quot;: &quot;i4x://x/y/vertical/c&quot;}"/>`)
	r := f.read(t, olx.ReadOptions{Target: key(t, "course-v1:O+C+R")})
	out := write(t, r.State, olx.WriteOptions{})
	equal(t, "conditional", out["course/conditional/c.xml"],
		`<conditional sources="i4x://O/C/problem/a;block-v1:O+C+R+type@problem+block@b;i4x://O/C/html/s;i4x://x/c/problem/a;block-v1:o+c+other+type@problem+block@b" attempted="True">
  <show sources="i4x://O/C/html/h;block-v1:O+C+R+type@html+block@i"/>
</conditional>
`)
	equal(t, "split_test", out["course/split_test/s.xml"],
		`<split_test group_id_to_child="{&quot;0&quot;: &quot;i4x://O/C/vertical/a&quot;, &quot;1&quot;: &quot;block-v1:O+C+R+type@vertical+block@b&quot;, &quot;2&quot;: &quot;i4x://x/y/vertical/c&quot;}"/>`+"\n")
	// Writing under another key moves them as well, so the way back leads to the source.
	back := write(t, r.State, olx.WriteOptions{Key: key(t, "course-v1:o+c+r")})
	equal(t, "back", back["course/split_test/s.xml"], f["course/split_test/s.xml"]+"\n")

	f = course(`<split_test url_name="s"/>`, "split_test/s.xml", `<split_test group_id_to_child="nope"/>`)
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"InvalidSetting"})
	f.same(t, olx.ReadOptions{Lenient: true}, "course/split_test/s.xml")
}

func TestLaw44To46Links(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		`"/c4x/o.1/c/asset/a.png"`:                                                `"/static/a.png"`,
		`'/asset-v1:o.1+c+r+type@asset+block@a b.png'`:                            `'/static/a b.png'`,
		`\"/c4x/o.1/c/asset/a.png\"`:                                              `\"/static/a.png\"`,
		`&quot;/c4x/o.1/c/asset/a.png&quot;`:                                      `&quot;/static/a.png&quot;`,
		`'/courses/o.1/c/r/jump_to/i4x://o.1/c/html/h'`:                           `'/jump_to_id/h'`,
		`"/courses/course-v1:o.1+c+r/jump_to/block-v1:o.1+c+r+type@html+block@h"`: `"/jump_to_id/h"`,
		`"/c4x/o.1/c/asset/a"x"/c4x/o.1/c/asset/b"`:                               `"/static/a"x"/static/b"`,
		`"/c4x/o.1/c/asset/a.png'`:                                                "",
		`/c4x/o.1/c/asset/a.png`:                                                  "",
		`"/c4x/ox1/c/asset/a.png"`:                                                "",
		`"/c4x/o.1/d/asset/a.png"`:                                                "",
		"\"/c4x/o.1/c/asset/a\n.png\"":                                            "",
		`"https://x/c4x/o.1/c/asset/a.png"`:                                       "",
		`"/asset-v1:o.1+c+other+type@asset+block@a.png"`:                          "",
		`"/asset-v1:oo1+c+r+type@asset+block@a.png"`:                              "",
		`"/courses/o.1/c/x/jump_to/i4x://o.1/c/html/h"`:                           "",
		`"/courses/o.1/c/r/courseware"`:                                           "",
		`"/static/x" "/jump_to_id/y" %%COURSE_ID%%`:                               "",
	}
	var unit strings.Builder
	names := map[string]string{}
	f := files{}
	for from := range cases {
		name := fmt.Sprintf("b%02d", len(names))
		names[from] = name
		fmt.Fprintf(&unit, `<html url_name="%s"/><problem url_name="%s"/>`, name, name)
		f["course/html/"+name+".xml"] = `<html filename="` + name + `"/>`
		f["course/html/"+name+".html"] = from
		f["course/tabs/"+name+".html"] = from
		f["course/problem/"+name+".xml"] = "<problem>" + from + "</problem>"
	}
	for name, data := range course(unit.String()) {
		f[name] = strings.ReplaceAll(data, `org="o"`, `org="o.1"`)
	}
	out := f.again(t, olx.ReadOptions{})
	other := write(t, f.read(t, olx.ReadOptions{Target: key(t, "course-v1:x+y+z")}).State, olx.WriteOptions{})
	for from, to := range cases {
		if to == "" {
			to = from
		}
		name := names[from]
		equal(t, "html "+from, out["course/html/"+name+".html"], to)
		equal(t, "tab "+from, out["course/tabs/"+name+".html"], to)
		equal(t, "problem "+from, out["course/problem/"+name+".xml"], "<problem>"+to+"</problem>\n")
		equal(t, "other target "+from, other["course/html/"+name+".html"], to)
	}
}

func TestLinksInSettings(t *testing.T) {
	t.Parallel()
	own := "/asset-v1:o+c+r+type@asset+block@"
	f := course(`<drag-and-drop-v2 url_name="d" xblock-family="xblock.v1" data="{&quot;a&quot;: [&quot;`+own+`x.png&quot;, &quot;&lt;img src='`+own+`y.png'&gt; `+own+`z&quot;]}"/>`+
		`<openassessment url_name="o"><prompts>&lt;img src="`+own+`p.png"&gt;</prompts></openassessment>`+
		`<video url_name="v2" handout="`+own+`h.pdf" upstream="`+own+`keep"><track src="`+own+`t"/></video>`+
		`<html url_name="h" odd="'`+own+`extra'">x</html>`,
		"info/updates.items.json", `[{"content": "<img src=\"`+own+`u.png\">"}]`)
	f["course/policies/r/policy.json"] = `{"course/r": {"pdf_textbooks": [{"tab_title": "T", "chapters": [{"title": "1", "url": "/c4x/any/where/asset/b.pdf"}]}]}}`
	out := f.again(t, olx.ReadOptions{})
	unit := out["course/vertical/v.xml"]
	for _, want := range []string{`&quot;/static/x.png&quot;`, `src='/static/y.png'&gt; ` + own + "z", `src="/static/p.png"`} {
		if !strings.Contains(unit, want) {
			t.Errorf("no %s in %s", want, unit)
		}
	}
	equal(t, "video", out["course/video/v2.xml"], `<video url_name="v2" download_track="true" handout="/static/h.pdf" track="/static/t" upstream="`+own+`keep">
  <track src="/static/t"/>
  <handout src="/static/h.pdf"/>
</video>
`)
	equal(t, "unknown attribute", out["course/html/h.xml"], `<html filename="h" odd="'`+own+`extra'"/>`+"\n")
	if u := out["course/info/updates.items.json"]; !strings.Contains(u, `"<img src=\"/static/u.png\">"`) {
		t.Errorf("got %s", u)
	}
	books, _ := policyOf(t, out).Lookup("pdf_textbooks")
	if !strings.Contains(books.Plain(), `"/static/b.pdf"`) {
		t.Errorf("got %s", books.Plain())
	}
}

func TestLaw47Wiki(t *testing.T) {
	t.Parallel()
	for slug, want := range map[string]string{"c": "O.C.R", "o.c.r": "O.C.R", "own": "own", "": ""} {
		f := course("")
		f["course/course/r.xml"] = `<course display_name="C"><wiki slug="` + slug + `"/></course>`
		equal(t, slug, field(block(t, f.read(t, olx.ReadOptions{Target: key(t, "course-v1:O+C+R")}), "course", "course"), "wiki_slug"), `"`+want+`"`)
		equal(t, slug, field(block(t, f.read(t, olx.ReadOptions{}), "course", "course"), "wiki_slug"), `"`+slug+`"`)
	}
}

func TestRootDependsOnTree(t *testing.T) {
	t.Parallel()
	f := course("")
	f["course/course/r.xml"] = `<course entrance_exam_enabled="true" entrance_exam_id="i4x://o/c/chapter/old"><chapter url_name="ch"/><chapter url_name="exam" is_entrance_exam="true"/></course>`
	f["course/policies/r/policy.json"] = `{"course/r": {"discussion_topics": {}}}`
	root := block(t, f.read(t, olx.ReadOptions{Target: key(t, "course-v1:O+C+R")}), "course", "course")
	equal(t, "exam", field(root, "entrance_exam_id"), `"block-v1:O+C+R+type@chapter+block@exam"`)
	equal(t, "topics", field(root, "discussion_topics"), `{"General": {"id": "course"}}`)
	f.again(t, olx.ReadOptions{})
}
