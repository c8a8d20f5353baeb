package pyjson

import (
	"slices"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ src, line, plain, indented string }{
		{`null`, "null", "null", "null"},
		{` [ ] `, "[]", "[]", "[]"},
		{`{"b":1,"a":[1.0,-0.50,1E5,12345678901234567890123]}`,
			`{"b": 1, "a": [1.0, -0.50, 1E5, 12345678901234567890123]}`,
			`{"b": 1, "a": [1.0, -0.50, 1E5, 12345678901234567890123]}`,
			"{\n  \"a\": [\n    1.0,\n    -0.50,\n    1E5,\n    12345678901234567890123\n  ],\n  \"b\": 1\n}"},
		{`"ü\u00fc😀\ud83d\ude00\n\t\b\f\r\u0001\u007f\/\"\\"`,
			`"\u00fc\u00fc\ud83d\ude00\ud83d\ude00\n\t\b\f\r\u0001\u007f/\"\\"`,
			"\"üü😀😀\\n\\t\\b\\f\\r\\u0001\x7f/\\\"\\\\\"",
			`"\u00fc\u00fc\ud83d\ude00\ud83d\ude00\n\t\b\f\r\u0001\u007f/\"\\"`},
		{`"\ud800x\udc00\udc00\ud83d\ud83d\ude00"`, `"\ud800x\udc00\udc00\ud83d\ud83d\ude00"`,
			`"\ud800x\udc00\udc00\ud83d😀"`, `"\ud800x\udc00\udc00\ud83d\ud83d\ude00"`},
		{"[NaN, Infinity, -Infinity, true, false]", "[NaN, Infinity, -Infinity, true, false]",
			"[NaN, Infinity, -Infinity, true, false]", "[\n  NaN,\n  Infinity,\n  -Infinity,\n  true,\n  false\n]"},
		{"\ufeff{}", "{}", "{}", "{}"},
	} {
		v, twice, err := Parse(c.src)
		if err != nil || twice != nil {
			t.Errorf("Parse(%q): %v, %v", c.src, twice, err)
			continue
		}
		if got := v.Line(); got != c.line {
			t.Errorf("%q: line %s, want %s", c.src, got, c.line)
		}
		if got := v.Plain(); got != c.plain {
			t.Errorf("%q: plain %s, want %s", c.src, got, c.plain)
		}
		if got := v.Indented(2); got != c.indented {
			t.Errorf("%q: indented %s, want %s", c.src, got, c.indented)
		}
	}
}

func TestTwice(t *testing.T) {
	t.Parallel()
	v, twice, err := Parse(`{"a": 1, "b": {"c": 1, "c": 2, "c": 3}, "a": 2}`)
	if err != nil || !slices.Equal(twice, []string{"c", "a"}) || v.Plain() != `{"a": 2, "b": {"c": 3}}` {
		t.Errorf("got %s, %v, %v", v.Plain(), twice, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		"", " ", "nul", "01", "1.", ".5", "1e", "+1", "-", "[1,]", "[1 2]", "{,}", `{"a"}`, `{"a":}`, `{a: 1}`, `{"a": 1,}`, `{1: 1}`,
		`"`, `"\x"`, `"\u12"`, `"\ud800\u12"`, "\"a\nb\"", "'a'", "1 2", "[", "{", `{"a"`, "\xff", "\"\xed\xa0\x80\"", "/* */ 1", "--1",
		strings.Repeat("[", MaxDepth+2) + strings.Repeat("]", MaxDepth+2), strings.Repeat("[", 1_000_000),
	} {
		if v, _, err := Parse(src); err == nil {
			t.Errorf("Parse(%.20q) = %s", src, v.Plain())
		} else if len(src) > 3 && strings.Contains(err.Error(), src) {
			t.Errorf("the error quotes its input: %v", err)
		}
	}
	if _, _, err := Parse(strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)); err != nil {
		t.Error(err)
	}
	if _, _, err := Parse("{\n\"a\":\n x}"); err == nil || err.Error() != "line 3: a value is expected" {
		t.Errorf("got %v", err)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	parse := func(s string) Value {
		v, _, err := Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := parse(`{"a": [1, {"x": "s"}], "b": null}`)
	if !Equal(v, parse(`{"b": null, "a": [1, {"x": "s"}]}`)) || Equal(v, parse(`{"a": [1, {"x": "t"}], "b": null}`)) ||
		Equal(v, parse(`{"a": [1, {"x": "s"}], "c": null}`)) || Equal(parse("1"), parse("1.0")) || Equal(parse("[1]"), parse("[1, 1]")) {
		t.Error("Equal")
	}
	if w := v.With("b", Num("2")).With("c", Boolean(true)); w.Plain() != `{"a": [1, {"x": "s"}], "b": 2, "c": true}` {
		t.Errorf("With: %s", w.Plain())
	}
	if w, changed := v.Strings(strings.ToUpper); !changed || w.Plain() != `{"a": [1, {"x": "S"}], "b": null}` {
		t.Errorf("Strings: %s", w.Plain())
	}
	if _, changed := v.Strings(func(s string) string { return s }); changed || v.Plain() != `{"a": [1, {"x": "s"}], "b": null}` {
		t.Errorf("changed: %s", v.Plain())
	}
	if got, ok := v.Lookup("b"); !ok || got.Kind != Null {
		t.Error("Lookup")
	}
	if _, ok := v.Lookup("z"); ok || !Boolean(true).IsTrue() || Boolean(false).IsTrue() {
		t.Error("Lookup")
	}
	if string(v.File()) != "{\n    \"a\": [\n        1,\n        {\n            \"x\": \"s\"\n        }\n    ],\n    \"b\": null\n}" {
		t.Errorf("File: %s", v.File())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a": [1.0, "\ud800", "ü"]}`, `[NaN]`, `"\u0001"`, `{"a": 1, "a": 2}`, "[[[[", `-0.5e+3`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		v, _, err := Parse(src)
		if err != nil {
			return
		}
		for name, text := range map[string]string{"line": v.Line(), "plain": v.Plain(), "indented": v.Indented(4)} {
			back, twice, err := Parse(text)
			if err != nil || twice != nil || !Equal(back, v) {
				t.Errorf("%s of %q is %q: %v", name, src, text, err)
			}
			if name != "plain" && strings.ContainsFunc(text, func(r rune) bool { return r >= 0x7F }) {
				t.Errorf("%s of %q is not ASCII: %q", name, src, text)
			}
		}
	})
}
