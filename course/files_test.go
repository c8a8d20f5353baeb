package course

import (
	"slices"
	"testing"
)

func TestStaticNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`<img src="/static/a.png">`, "a.png"},
		{`<img src="/static/a b/ü(1).png">`, "a_b_ü_1_.png"},
		{`<a href='/static/it is.pdf'>`, "it_is.pdf"},
		{`<a href="/static/x%20y.pdf#page=2">`, "x_y.pdf"},
		{`{"url": "/static/sub/t.js?v=1"}`, "sub_t.js"},
		{`[\"/static/in json.txt\"]`, "in_json.txt"},
		{`background: url(/static/bg.gif) x`, "bg.gif"},
		{`&quot;/static/q.css&quot;`, "q.css"},
		{`"/static/one.png" and '/static/two.png'`, "two.png"},
	} {
		if got := staticNames([]byte(c.text)); !slices.Contains(got, c.want) {
			t.Errorf("%s names %q, want %s among them", c.text, got, c.want)
		}
	}
}

func TestNamesFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`<video transcripts="{&quot;en&quot;: &quot;words.srt&quot;}"/>`: true,
		`<transcript language="de" src="words.srt"/>`:                    true,
		`{"course_image": "words.srt"}`:                                  true,
		`<video sub="words"/>`:                                           false,
		`<video display_name="about words.srt"/>`:                        false,
		`<transcript src="other-words.srt"/>`:                            false,
		`words.srt`:                                                      false,
	} {
		if got := namesFile([]byte(text), "words.srt"); got != want {
			t.Errorf("%s names the file: %v", text, got)
		}
	}
	if !namesFile([]byte(`<video sub="AbC"/>`), "subs_AbC.srt.sjson") || namesFile([]byte(`<video sub="AbCd"/>`), "subs_AbC.srt.sjson") {
		t.Error("captions")
	}
}
