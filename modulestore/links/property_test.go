package links_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore/links"
)

// parts are what texts with links are made of, and what is next to them.
var parts = []string{
	"/", `\/`, "%2F", "&#47;", ":", "%3A", ";_", "@draft", "\"", "'", `\"`, "&quot;", " ", "\n", `\n`, "=", "?a=", "&", ".", "_", "-", "+", "%", "i4x", "i4x-", "i4x://", "c4x",
	"/c4x/", "c4x://", "/static/", "/courses/", "/course/", "/jump_to/", "/jump_to_id/", "asset", "thumbnail", "Acme.U", "BIO-1", "2013_Spring", "Acme_U",
	"Acme.U/BIO-1/2013_Spring", "/c4x/Acme.U/BIO-1/asset/", "i4x://Acme.U/BIO-1/", "i4x-Acme_U-BIO-1-", "problem-", "problem/", "html/", "course/", "q1", "q10", "a.png",
	"a.b:c", "größe", "gr%C3%B6%C3%9Fe", "50%", "https:", "//lms.example.org", "//x.org", "lms.example.org", "i4x:;_;_Acme.U;_BIO-1;_", "\xff", "\u00a0",
	"block-v1:Acme.U+BIO-1+2013_Spring+type@html+block@", "course-v1:Acme.U+BIO-1+2013_Spring", "asset-v1:Acme.U+BIO-1+2013_Spring+type@asset+block@", "lib-",
}

func randomText(rng *rand.Rand) string {
	var b strings.Builder
	for range rng.IntN(12) {
		b.WriteString(parts[rng.IntN(len(parts))])
	}
	return b.String()
}

// Whatever a text is made of, what is written once stays (CV-10): also under names that look like links themselves.
func TestSettles(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(8, 10))
	for range 60 {
		c := course(t)
		if rng.IntN(2) == 0 { // a course of today that gets another key
			c.From, c.To = c.To, other(t)
		}
		for range rng.IntN(5) {
			name := randomText(rng)
			c.Blocks[id("html", name)] = id("html", randomText(rng))
		}
		r := links.New(c)
		for range 500 {
			s := randomText(rng)
			settled(t, r, s)
		}
	}
}

func other(t testing.TB) keys.Course {
	t.Helper()
	k, err := keys.NewCourse("Acme.U", "BIO-1", "2014")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// settled fails where a text changes twice, or where the changes do not account for it.
func settled(t *testing.T, r *links.Rewriter, s string) {
	t.Helper()
	once, changes := r.Text(s)
	if twice, _ := r.Text(once); twice != once {
		t.Errorf("Text(%q) = %q, and then %q", s, once, twice)
	}
	rewritten := false
	for _, c := range changes {
		rewritten = rewritten || !c.Kept
		if c.Row < 1 || c.Row > 10 || c.Found == "" || c.Kept != (c.Found == c.Became) {
			t.Errorf("Text(%q): %+v", s, c)
		}
	}
	if rewritten != (once != s) {
		t.Errorf("Text(%q) = %q with %+v", s, once, changes)
	}
}

func FuzzText(f *testing.F) {
	for _, c := range cases {
		f.Add(c.in)
	}
	old := links.New(course(f))
	c := course(f)
	c.From, c.To = c.To, other(f)
	moved := links.New(c)
	f.Fuzz(func(t *testing.T, s string) {
		settled(t, old, s)
		settled(t, moved, s)
	})
}

// A course of today that gets another key has its links in the new spelling rewritten; one that keeps its key has not.
func TestMoved(t *testing.T) {
	t.Parallel()
	c := course(t)
	c.From, c.To = c.To, other(t)
	r := links.New(c)
	for in, want := range map[string]string{
		`"/asset-v1:Acme.U+BIO-1+2013_Spring+type@asset+block@a.png"`:                                                          `"/static/a.png"`,
		`asset-v1:Acme.U+BIO-1+2013_Spring+type@asset+block@a.png`:                                                             `asset-v1:Acme.U+BIO-1+2014+type@asset+block@a.png`,
		`/courses/course-v1:Acme.U+BIO-1+2013_Spring/jump_to/block-v1:Acme.U+BIO-1+2013_Spring+type@html+block@intro`:          `/jump_to_id/intro`,
		`/courses/course-v1:Acme.U+BIO-1+2013_Spring/about`:                                                                    `/course/about`,
		`block-v1:Acme.U+BIO-1+2013_Spring+type@html+block@50%`:                                                                `block-v1:Acme.U+BIO-1+2014+type@html+block@50%`,
		`block-v1:Acme.U+BIO-1+2013_Spring+branch@draft-branch+type@html+block@intro`:                                          `block-v1:Acme.U+BIO-1+2014+type@html+block@intro`,
		`block-v1%3AAcme.U%2BBIO-1%2B2013_Spring%2Btype%40html%2Bblock%40intro`:                                                `block-v1%3AAcme.U%2BBIO-1%2B2014%2Btype%40html%2Bblock%40intro`,
		`"course-v1:Acme.U+BIO-1+2013_Spring"`:                                                                                 `"course-v1:Acme.U+BIO-1+2014"`,
		`"course-v1:Acme.U+BIO-1+2013_Spring2", block-v1:Acme.U+BIO-1+2013_Spring2+type@html+block@intro xcourse-v1:a+b+c`:     ``,
		`xblock-v1:Acme.U+BIO-1+2013_Spring+type@html+block@intro lib-block-v1:Acme.U+BIO-1+2013_Spring+type@html+block@intro`: ``,
	} {
		if want == "" {
			want = in
		}
		if got, changes := r.Text(in); got != want {
			t.Errorf("Text(%s) = %s, want %s; %+v", in, got, want, changes)
		}
	}
	c = course(t)
	c.From = c.To
	same := "/asset-v1:Acme.U+BIO-1+2013_Spring+type@asset+block@a.png block-v1:Acme.U+BIO-1+2013_Spring+type@html+block@intro"
	if got, changes := links.New(c).Text(same); got != same || changes != nil {
		t.Errorf("a course that stays: %s %v", got, changes)
	}
}

// A legacy library that gets another key.
func TestLibrary(t *testing.T) {
	t.Parallel()
	from, err := keys.ParseCourse("library-v1:Acme+LIB")
	if err != nil {
		t.Fatal(err)
	}
	to, err := keys.ParseCourse("library-v1:Acme+LIB2")
	if err != nil {
		t.Fatal(err)
	}
	r := links.New(links.Course{Org: "Acme", Course: "LIB", From: from, To: to, Blocks: map[courseware.BlockID]courseware.BlockID{id("html", "a"): id("html", "b")}})
	in, want := "lib-block-v1:Acme+LIB+type@html+block@a 'library-v1:Acme+LIB'", "lib-block-v1:Acme+LIB2+type@html+block@b 'library-v1:Acme+LIB2'"
	if got, _ := r.Text(in); got != want {
		t.Errorf("Text(%s) = %s, want %s", in, got, want)
	}
}

// Texts that are made to be looked at often end as well: where time grew with the square of their
// length, this test would not.
func TestLinear(t *testing.T) {
	t.Parallel()
	r := links.New(course(t))
	for _, p := range []string{
		"i4x-", "i4x-Acme_U-BIO-1-", "i4x-Acme_U-BIO-1-q1_", "/static/", "/static/x", "/c4x/Acme.U/BIO-1/asset/", "i4x://Acme.U/BIO-1/", "Acme.U/BIO-1/2013_Spring", "Acme.U/",
		"/courses/", "/jump_to_id/x", "c4x/", "i4x:;_;_", `"/static/a `, "%2F", "i4x-a-b-c-d-",
	} {
		s := strings.Repeat(p, 1<<17/len(p))
		if out, _ := r.Text(s); len(out) > 2*len(s) {
			t.Errorf("%s grows", p)
		}
	}
}

func BenchmarkTextWithout(b *testing.B) {
	r := links.New(course(b))
	s := strings.Repeat("<p>The mitochondrion is the powerhouse of the cell; see the static charge / the courses.</p>\n", 1<<20/90)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		r.Text(s)
	}
}

func BenchmarkTextWith(b *testing.B) {
	r := links.New(course(b))
	s := strings.Repeat(`<p>Some words of an introduction, then <img src="/c4x/Acme.U/BIO-1/asset/a.png"/> and more of them, `+
		`and <a href="/courses/Acme.U/BIO-1/2013_Spring/jump_to/i4x://Acme.U/BIO-1/html/intro">a link</a>.</p>`+"\n", 1<<20/200)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		r.Text(s)
	}
}
