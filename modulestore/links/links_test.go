package links_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore/links"
)

func id(kind, name string) courseware.BlockID { return courseware.BlockID{Type: kind, Name: name} }

// course is an old course with the names that make trouble: one that begins another, dots and colons, letters of other scripts,
// a character that no new key has, the same name twice.
func course(t testing.TB) links.Course {
	t.Helper()
	from, err := keys.NewSlashCourse("Acme.U", "BIO-1", "2013_Spring")
	if err != nil {
		t.Fatal(err)
	}
	to, err := keys.NewCourse("Acme.U", "BIO-1", "2013_Spring")
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[courseware.BlockID]courseware.BlockID{id("course", "2013_Spring"): id("course", "course")}
	for _, b := range []courseware.BlockID{
		id("problem", "q1"), id("problem", "q10"), id("problem", "q1_b"), id("html", "intro"), id("html", "a.b:c"), id("html", "größe"),
		id("video", "twice"), id("html", "twice"), id("html", "x.y"), id("html", "x:y"), id("chapter", "Woche_1"), id("html", "dot."),
	} {
		blocks[b] = b
	}
	blocks[id("html", "50%")] = id("html", "50_")
	files := map[string]bool{"a.png": true, "images_a.png": true, "Über_uns.pdf": true, "two_words.pdf": true, "style.css": true}
	return links.Course{
		Org: "Acme.U", Course: "BIO-1", Run: "2013_Spring", From: from, To: to, Blocks: blocks,
		HasAsset: func(name string) bool { return files[name] }, Host: "lms.example.org",
	}
}

const key = "block-v1:Acme.U+BIO-1+2013_Spring+type@"

// cases: text, what it becomes ("" = itself), and the changes: the row, - where it stays, ! where there is something to say.
var cases = []struct{ name, in, want, changes string }{
	{"nothing", "plain <b>text</b>", "", ""},

	{"1", `<img src="/static/a.png">`, "", "1-"},
	{"1 cleaned", `url(/static/images/a.png)`, "", "1-"},
	{"1 escaped", `<a href='/static/%C3%9Cber%20uns.pdf?raw=1'>`, "", "1-"},
	{"1 blank in quotes", `<a href="/static/two words.pdf">`, "", "1-"},
	{"1 json", `{"a": "\/static\/a.png"}`, "", "1-"},
	{"1 missing", `"/static/b.png"`, "", "1-!"},
	{"1 no name", `"/static/" + name`, "", ""},
	{"1 elsewhere", `"https://cdn.example.com/static/b.png" mystatic/x`, "", ""},
	{"1 own host", `"https://lms.example.org/static/a.png"`, "", "10-"},

	{"2", `<img src="/c4x/Acme.U/BIO-1/asset/a.png"/>`, `<img src="/static/a.png"/>`, "2"},
	{"2 protocol", `c4x://Acme.U/BIO-1/asset/a.png`, `/static/a.png`, "2"},
	{"2 unquoted", `src=/c4x/Acme.U/BIO-1/asset/a.png>`, `src=/static/a.png>`, "2"},
	{"2 css", `url(/c4x/Acme.U/BIO-1/asset/style.css)`, `url(/static/style.css)`, "2"},
	{"2 json", `{"u":"\/c4x\/Acme.U\/BIO-1\/asset\/a.png"}`, `{"u":"\/static\/a.png"}`, "2"},
	{"2 percent", `?u=%2Fc4x%2FAcme.U%2FBIO-1%2Fasset%2Fa.png`, `?u=%2Fstatic%2Fa.png`, "2"},
	{"2 entity", `"&#47;c4x&#47;Acme.U&#47;BIO-1&#47;asset&#47;a.png"`, `"&#47;static&#47;a.png"`, "2"},
	{"2 hex entity", `"&#x2f;c4x&#x2F;Acme.U&#x2F;BIO-1&#x2F;asset&#x2F;a.png"`, `"&#x2F;static&#x2F;a.png"`, "2"},
	{"2 quote entity", `&quot;/c4x/Acme.U/BIO-1/asset/a.png&quot;`, `&quot;/static/a.png&quot;`, "2"},
	{"2 break in json", `"\n/c4x/Acme.U/BIO-1/asset/a.png"`, `"\n/static/a.png"`, "2"},
	{"2 missing", `"/c4x/Acme.U/BIO-1/asset/b.png"`, `"/static/b.png"`, "2!"},
	{"2 thumbnail", `"/c4x/Acme.U/BIO-1/thumbnail/a.jpg"`, `"/asset-v1:Acme.U+BIO-1+2013_Spring+type@thumbnail+block@a.jpg"`, "2"},
	{"2 other org", `"/c4x/Acme/BIO-1/asset/a.png"`, "", "2-!"},
	{"2 other course", `"/c4x/Acme.U/BIO-10/asset/a.png"`, "", "2-!"},
	{"2 other host", `"https://cdn.example.com/c4x/Acme.U/BIO-1/asset/a.png"`, "", "10-!"},
	{"2 variable", `${base}/c4x/Acme.U/BIO-1/asset/a.png`, "", "10-!"},
	{"2 no name", `"/c4x/Acme.U/BIO-1/asset/" + x`, "", ""},
	{"2 word", `abc4x://Acme.U/BIO-1/asset/a.png`, "", ""},

	{"3", `<a href="/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/BIO-1/html/intro">`, `<a href="/jump_to_id/intro">`, "3"},
	{"3 percent", `/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x%3A%2F%2FAcme.U%2FBIO-1%2Fhtml%2Fintro`, `/jump_to_id/intro`, "3"},
	{"3 renamed", `'/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/BIO-1/html/50%'`, `'/jump_to_id/50_'`, "3"},
	{"3 root", `'/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/BIO-1/course/2013_Spring'`, `'/jump_to_id/course'`, "3"},
	{"3 several", `'/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/BIO-1/html/twice'`, `'/jump_to_id/twice'`, "3!"},
	{"3 gone", `'/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/BIO-1/html/gone'`, `'/jump_to_id/gone'`, "3!"},
	{"3 other course", `'/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/CHEM/html/intro'`, "", "3-!"},
	{"3 other run", `'/courses/Acme.U/BIO-1/2014/jump_to/x'`, "", "5-!"},

	{"4", `"/jump_to_id/intro"`, "", "4-"},
	{"4 several", `"/jump_to_id/twice"`, "", "4-!"},
	{"4 nothing", `"/jump_to_id/gone"`, "", "4-!"},
	{"4 renamed", `"/jump_to_id/50%"`, `"/jump_to_id/50_"`, "4"},
	{"4 full stop", `see /jump_to_id/intro.`, "", "4-"},
	{"4 dots", `"/jump_to_id/a.b:c"`, "", "4-"},
	{"4 script", `"/jump_to_id/größe"`, "", "4-"},
	{"4 elsewhere", `"https://x.example.com/jump_to_id/gone"`, "", ""},

	{"5", `"/courses/Acme.U/BIO-1/2013_Spring/courseware/Woche_1/"`, `"/course/courseware/Woche_1/"`, "5"},
	{"5 bare", `"/courses/Acme.U/BIO-1/2013_Spring"`, `"/course/"`, "5"},
	{"5 query", `"/courses/Acme.U/BIO-1/2013_Spring?x=1"`, `"/course/?x=1"`, "5"},
	{"5 json", `"\/courses\/Acme.U\/BIO-1\/2013_Spring\/about"`, `"\/course\/about"`, "5"},
	{"5 longer run", `"/courses/Acme.U/BIO-1/2013_Spring2/about"`, "", "5-!"},
	{"5 other course", `"/courses/MITx/6.002x/2012_Fall/about"`, "", "5-!"},
	{"5 new key", `"/courses/course-v1:a+b+c/about/us"`, "", ""},
	{"5 then 4", `"/courses/Acme.U/BIO-1/2013_Spring/jump_to_id/intro"`, `"/course/jump_to_id/intro"`, "5 4-"},
	{"5 then 7", `"/courses/Acme.U/BIO-1/2013_Spring/xblock/i4x:;_;_Acme.U;_BIO-1;_problem;_q1/handler/get"`, `"/course/xblock/` + key + `problem+block@q1/handler/get"`, "5 7"},

	{"6", `<show sources="i4x://Acme.U/BIO-1/problem/q1;i4x://Acme.U/BIO-1/problem/q10"/>`, `<show sources="` + key + `problem+block@q1;` + key + `problem+block@q10"/>`, "6 6"},
	{"6 draft", `i4x://Acme.U/BIO-1/problem/q1@draft`, key + `problem+block@q1`, "6"},
	{"6 address", `i4x://Acme.U/BIO-1/problem/q1@drafty`, key + `problem+block@q1@drafty`, "6"},
	{"6 root", `"i4x://Acme.U/BIO-1/course/2013_Spring"`, `"` + key + `course+block@course"`, "6"},
	{"6 other run", `"i4x://Acme.U/BIO-1/course/2014"`, "", "6-!"},
	{"6 dots", `"i4x://Acme.U/BIO-1/html/a.b:c"`, `"` + key + `html+block@a.b:c"`, "6"},
	{"6 full stop", `see i4x://Acme.U/BIO-1/html/intro.`, "see " + key + "html+block@intro.", "6"},
	{"6 own stop", `see i4x://Acme.U/BIO-1/html/dot.`, "see " + key + "html+block@dot.", "6"},
	{"6 script", `i4x://Acme.U/BIO-1/html/größe`, key + "html+block@größe", "6"},
	{"6 percent script", `i4x://Acme.U/BIO-1/html/gr%C3%B6%C3%9Fe`, key + "html+block@größe", "6"},
	{"6 json script", `"i4x:\/\/Acme.U\/BIO-1\/html\/gr\u00f6\u00dfe"`, `"` + key + `html+block@größe"`, "6"},
	{"6 percent", `k=i4x%3A%2F%2FAcme.U%2FBIO-1%2Fproblem%2Fq1%22`, "k=block-v1%3AAcme.U%2BBIO-1%2B2013_Spring%2Btype%40problem%2Bblock%40q1%22", "6"},
	{"6 python's quote", `k=i4x%3A//Acme.U/BIO-1/problem/q1`, "k=block-v1%3AAcme.U%2BBIO-1%2B2013_Spring%2Btype%40problem%2Bblock%40q1", "6"},
	{"6 query", `/x?a=1&amp;usage=i4x://Acme.U/BIO-1/problem/q1`, `/x?a=1&amp;usage=block-v1:Acme.U%2BBIO-1%2B2013_Spring%2Btype@problem%2Bblock@q1`, "6"},
	{"6 gone", `i4x://Acme.U/BIO-1/html/gone%`, key + "html+block@gone_", "6!"},
	{"6 other course", `i4x://Acme.U/CHEM/html/intro`, "", "6-!"},
	{"6 word", `xi4x://Acme.U/BIO-1/html/intro i4x://Acme.U/BIO-1`, "", ""},
	{"6 too long", `i4x://Acme.U/BIO-1/html/` + strings.Repeat("n", 220), "", "6-!"},

	{"7", `i4x:;_;_Acme.U;_BIO-1;_problem;_q1/handler`, key + "problem+block@q1/handler", "7"},
	{"7 percent", `i4x%3A%3B_%3B_Acme.U%3B_BIO-1%3B_problem%3B_q1/`, "block-v1%3AAcme.U%2BBIO-1%2B2013_Spring%2Btype%40problem%2Bblock%40q1/", "7"},
	{"7 other course", `i4x:;_;_Acme.U;_CHEM;_problem;_q1`, "", "7-!"},

	{"8", `$("#i4x-Acme_U-BIO-1-problem-q1")`, `$("#q1")`, "8!"},
	{"8 longer", `i4x-Acme_U-BIO-1-problem-q10`, `q10`, "8!"},
	{"8 longest", `i4x-Acme_U-BIO-1-problem-q1_b_2_1`, `q1_b_2_1`, "8!"},
	{"8 not within", `i4x-Acme_U-BIO-1-problem-q100`, "", "8-!"},
	{"8 around", `input_i4x-Acme_U-BIO-1-problem-q1_2_1`, `input_q1_2_1`, "8!"},
	{"8 lossy", `#i4x-Acme_U-BIO-1-html-a_b_c .x`, `#a.b:c .x`, "8!"},
	{"8 clash", `i4x-Acme_U-BIO-1-html-x_y`, "", "8-!"},
	{"8 script", `i4x-Acme_U-BIO-1-html-größe`, `größe`, "8!"},
	{"8 raw dots", `i4x-Acme.U-BIO-1-problem-q1`, "", ""},
	{"8 other", `i4x-MITx-6_002x-problem-q1`, "", "8-!"},
	{"8 word", `xi4x-Acme_U-BIO-1-problem-q1`, "", ""},

	{"9", `{"course": "Acme.U/BIO-1/2013_Spring"}`, `{"course": "course-v1:Acme.U+BIO-1+2013_Spring"}`, "9"},
	{"9 json", `"Acme.U\/BIO-1\/2013_Spring"`, `"course-v1:Acme.U+BIO-1+2013_Spring"`, "9"},
	{"9 percent", `?c=Acme.U%2FBIO-1%2F2013_Spring&x`, `?c=course-v1%3AAcme.U%2BBIO-1%2B2013_Spring&x`, "9"},
	{"9 query", `?course_id=Acme.U/BIO-1/2013_Spring&x`, `?course_id=course-v1:Acme.U%2BBIO-1%2B2013_Spring&x`, "9"},
	{"9 full stop", `It is Acme.U/BIO-1/2013_Spring.`, `It is course-v1:Acme.U+BIO-1+2013_Spring.`, "9"},
	{"9 path", `/wiki/Acme.U/BIO-1/2013_Spring/x`, "", "9-!"},
	{"9 longer", `Acme.U/BIO-1/2013_Spring2 xAcme.U/BIO-1/2013_Spring`, "", ""},

	{"10 asset", `"https://lms.example.org/c4x/Acme.U/BIO-1/asset/a.png"`, `"https://lms.example.org/static/a.png"`, "10!"},
	{"10 page", `"http:\/\/LMS.example.org\/courses\/Acme.U\/BIO-1\/2013_Spring\/about"`, `"http:\/\/LMS.example.org\/course\/about"`, "10!"},
	{"10 jump", `//lms.example.org/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/BIO-1/html/intro`, `//lms.example.org/jump_to_id/intro`, "10!"},
	{"10 other host", `https://www.example.org/courses/Acme.U/BIO-1/2013_Spring/xblock/i4x:;_;_Acme.U;_BIO-1;_problem;_q1`, "", "10-!"},
	{"10 longer host", `https://xlms.example.org/courses/Acme.U/BIO-1/2013_Spring/about`, "", "10-!"},
}

func TestText(t *testing.T) {
	t.Parallel()
	r := links.New(course(t))
	for _, c := range cases {
		want := c.want
		if want == "" {
			want = c.in
		}
		got, changes := r.Text(c.in)
		var said []string
		for _, c := range changes {
			s := fmt.Sprint(c.Row)
			if c.Kept {
				s += "-"
			}
			if c.Why != "" {
				s += "!"
			}
			said = append(said, s)
			if c.Kept != (c.Found == c.Became) {
				t.Errorf("%+v says both", c)
			}
		}
		if got != want || strings.Join(said, " ") != c.changes {
			t.Errorf("%s: Text(%s)\n got %s %v %+v\nwant %s [%s]", c.name, c.in, got, said, changes, want, c.changes)
		}
		if again, _ := r.Text(got); again != got {
			t.Errorf("%s: Text again: %s", c.name, again)
		}
	}
}

// What was found and what it became are whole links, for the report.
func TestChange(t *testing.T) {
	t.Parallel()
	_, got := links.New(course(t)).Text(`<a href="/c4x/Acme.U/BIO-1/asset/b.png?x">x</a> i4x://Acme.U/BIO-1/html/intro@draft, "https://lms.example.org/courses/Acme.U/BIO-1/2013_Spring"`)
	want := []links.Change{
		{Row: 2, Found: "/c4x/Acme.U/BIO-1/asset/b.png?x", Became: "/static/b.png?x", Why: "the course has no file b.png"},
		{Row: 6, Found: "i4x://Acme.U/BIO-1/html/intro@draft", Became: key + "html+block@intro"},
		{Row: 10, Found: "//lms.example.org/courses/Acme.U/BIO-1/2013_Spring", Became: "//lms.example.org/course/", Why: "an address on the site's own host"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAssetName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"images/a.png": "images_a.png", "Über uns (1).pdf": "Über_uns__1_.pdf", "a__b.png": "a__b.png", "50%-x.csv": "50%-x.csv", "a~b:c": "a_b_c",
		"e\u0301.png": "e_.png",
	} {
		if got := links.AssetName(in); got != want {
			t.Errorf("AssetName(%q) = %q, want %q", in, got, want)
		}
	}
}
