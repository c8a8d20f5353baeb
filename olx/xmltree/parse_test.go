package xmltree

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
)

func parse(t *testing.T, src string) *Document {
	t.Helper()
	d, err := Parse("f.xml", []byte(src), Limits{})
	if err != nil {
		t.Fatalf("Parse(%q): %v", src, err)
	}
	return d
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, rule, place, text string }{
		{"empty file", "", InvalidXML, "1:1", "no element"},
		{"blank file", " \n ", InvalidXML, "2:2", "no element"},
		{"only a comment", "<!-- c -->", InvalidXML, "1:11", "no element"},
		{"doctype", "<!DOCTYPE a>\n<a/>", InvalidXML, "1:1", "DOCTYPE"},
		{"doctype with entities", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, InvalidXML, "1:1", "DOCTYPE"},
		{"external entity", `<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, InvalidXML, "1:1", "DOCTYPE"},
		{"entity declaration alone", `<!ENTITY b "c"><a/>`, InvalidXML, "1:1", "unknown markup"},
		{"undeclared entity", "<a>\n&nbsp;</a>", InvalidXML, "2:1", "&nbsp;"},
		{"undeclared entity in a value", `<a b="&nbsp;"/>`, InvalidXML, "1:7", "&nbsp;"},
		{"bare ampersand", "<a>x & y</a>", InvalidXML, "1:6", "ampersand"},
		{"reference to NUL", "<a>&#0;</a>", InvalidXML, "1:4", "&#0;"},
		{"reference to a control character", "<a>&#x1;</a>", InvalidXML, "1:4", "&#x1;"},
		{"reference to a surrogate", "<a>&#xD800;</a>", InvalidXML, "1:4", "&#xD800;"},
		{"reference past Unicode", "<a>&#x110000;</a>", InvalidXML, "1:4", "&#x110000;"},
		{"reference with capital X", "<a>&#X41;</a>", InvalidXML, "1:4", "&#X41;"},
		{"reference with a sign", "<a>&#+65;</a>", InvalidXML, "1:4", "&#+65;"},
		{"empty reference", "<a>&;</a>", InvalidXML, "1:4", "&;"},
		{"NUL", "<a>x\x00</a>", InvalidXML, "1:5", "U+0000"},
		{"control character", "<a>\x0B</a>", InvalidXML, "1:4", "U+000B"},
		{"U+FFFE", "<a>\uFFFE</a>", InvalidXML, "1:4", "U+FFFE"},
		{"U+FFFF", "<a>\uFFFF</a>", InvalidXML, "1:4", "U+FFFF"},
		{"encoded surrogate", "<a>\xED\xA0\x80</a>", BadEncoding, "1:4", "0xED"},
		{"Latin-1 bytes", "<a>\nM\xFCller</a>", BadEncoding, "2:2", "0xFC"},
		{"UTF-16", "\xFF\xFE<\x00a\x00/\x00>\x00", BadEncoding, "1:1", "UTF-16"},
		{"UTF-16 without mark", "<\x00a\x00/\x00>\x00", BadEncoding, "1:1", "UTF-16"},
		{"declared ISO-8859-1", `<?xml version="1.0" encoding="ISO-8859-1"?><a/>`, BadEncoding, "1:1", "iso-8859-1"},
		{"US-ASCII with more", `<?xml version="1.0" encoding="us-ascii"?><a>é</a>`, BadEncoding, "1:45", "US-ASCII"},
		{"malformed declaration", `<?xml encoding="UTF-8" version="1.0"?><a/>`, InvalidXML, "1:1", "declaration"},
		{"version 2", `<?xml version="2.0"?><a/>`, InvalidXML, "1:1", "declaration"},
		{"late declaration", ` <?xml version="1.0"?><a/>`, InvalidXML, "1:2", "not at the start"},
		{"declaration inside", `<a><?XML version="1.0"?></a>`, InvalidXML, "1:4", "not at the start"},
		{"duplicate attribute", `<a b="1" b="2"/>`, InvalidXML, "1:10", "twice"},
		{"duplicate by namespace", `<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`, InvalidXML, "1:36", "twice"},
		{"duplicate declaration", `<a xmlns:p="u" xmlns:p="v"/>`, InvalidXML, "1:16", "twice"},
		{"many attributes, one twice", "<a" + manyAttrs(20) + ` a7=""/>`, InvalidXML, "1:134", "twice"},
		{"undeclared prefix", `<a><p:b/></a>`, InvalidXML, "1:4", "prefix"},
		{"undeclared prefix of an attribute", `<a p:b=""/>`, InvalidXML, "1:4", "prefix"},
		{"prefix out of scope", `<a><b xmlns:p="u"/><p:c/></a>`, InvalidXML, "1:20", "prefix"},
		{"prefix declared as nothing", `<a xmlns:p=""/>`, InvalidXML, "1:4", "nothing"},
		{"prefix xmlns declared", `<a xmlns:xmlns="u"/>`, InvalidXML, "1:4", "not allowed"},
		{"prefix xml misdeclared", `<a xmlns:xml="u"/>`, InvalidXML, "1:4", "not allowed"},
		{"two colons", `<a:b:c/>`, InvalidXML, "1:2", "colon"},
		{"colon first", `<:b/>`, InvalidXML, "1:2", "expected"},
		{"second root", "<a/><b/>", InvalidXML, "1:5", "second root"},
		{"text after the root", "<a/>\n x", InvalidXML, "2:2", "after the root"},
		{"reference after the root", "<a/>&#32;", InvalidXML, "1:5", "after the root"},
		{"CDATA after the root", "<a/><![CDATA[ ]]>", InvalidXML, "1:5", "CDATA"},
		{"text before the root", "x<a/>", InvalidXML, "1:1", "before the root"},
		{"unclosed", "<a>\n<b></b>", InvalidXML, "2:8", "opened on line 1"},
		{"crossed tags", "<a><b></a></b>", InvalidXML, "1:7", "</b>"},
		{"stray end tag", "</a>", InvalidXML, "1:1", "end tag"},
		{"cut in a tag", "<a b", InvalidXML, "1:5", "inside a tag"},
		{"cut in a value", `<a b="`, InvalidXML, "1:6", "does not end"},
		{"cut in a comment", "<a><!-- ", InvalidXML, "1:4", "-->"},
		{"cut in CDATA", "<a><![CDATA[", InvalidXML, "1:4", "]]>"},
		{"cut in an instruction", "<a><?b ", InvalidXML, "1:4", "?>"},
		{"no space between attributes", `<a b="1"c="2"/>`, InvalidXML, "1:9", "white space"},
		{"unquoted value", `<a b=1/>`, InvalidXML, "1:6", "quoted"},
		{"attribute without value", `<a b/>`, InvalidXML, "1:5", "="},
		{"< in a value", `<a b="<"/>`, InvalidXML, "1:7", "&lt;"},
		{"]]> in text", "<a>]]></a>", InvalidXML, "1:4", "]]>"},
		{"-- in a comment", "<a><!-- x -- y --></a>", InvalidXML, "1:11", "--"},
		{"comment ending in --->", "<a><!-- x ---></a>", InvalidXML, "1:11", "--"},
		{"name starting with a digit", "<1a/>", InvalidXML, "1:2", "expected"},
		{"space before the name", "< a/>", InvalidXML, "1:2", "expected"},
		{"instruction without name", "<a><? x?></a>", InvalidXML, "1:4", "without a name"},
		{"instruction with a bad name", "<a><?x&y?></a>", InvalidXML, "1:7", "unexpected"},
		{"garbage in an end tag", "<a></a b>", InvalidXML, "1:8", "end tag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("f.xml", []byte(tt.src), Limits{})
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Parse(%q) = %v, want an *Error", tt.src, err)
			}
			if place := fmt.Sprintf("%d:%d", e.Line, e.Column); e.Rule != tt.rule || place != tt.place || !strings.Contains(e.Text, tt.text) {
				t.Errorf("Parse(%q): %s at %s: %q, want %s at %s with %q", tt.src, e.Rule, place, e.Text, tt.rule, tt.place, tt.text)
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("kind of %v is not invalid", err)
			}
		})
	}
}

func manyAttrs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

func TestLimits(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	tests := []struct {
		name, src string
		limits    Limits
		ok        bool
	}{
		{"256 deep", deep(256), Limits{}, true},
		{"257 deep", deep(257), Limits{}, false},
		{"100,000 deep", deep(100_000), Limits{}, false},
		{"deeper than the cap by request", deep(257), Limits{Depth: 1000}, false},
		{"a million nodes", "<a>" + strings.Repeat("<b/>", 999_999) + "</a>", Limits{}, true},
		{"one node more", "<a>" + strings.Repeat("<b/>", 1_000_000) + "</a>", Limits{}, false},
		{"10,000 attributes", "<a" + manyAttrs(10_000) + "/>", Limits{}, true},
		{"10,001 attributes", "<a" + manyAttrs(10_001) + "/>", Limits{}, false},
		{"value of the limit", `<a b="` + strings.Repeat("x", 16<<20) + `"/>`, Limits{}, true},
		{"longer value", `<a b="` + strings.Repeat("x", 16<<20+1) + `"/>`, Limits{}, false},
		{"file of the limit", "<a/>", Limits{Size: 4}, true},
		{"larger file", "<a/> ", Limits{Size: 4}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f.xml", []byte(tt.src), tt.limits)
			if (err == nil) != tt.ok {
				t.Errorf("error %v, want success %v", err, tt.ok)
			}
			if e := new(Error); err != nil && (!errors.As(err, &e) || e.Rule != InvalidXML) {
				t.Errorf("error %v, want InvalidXML", err)
			}
		})
	}
}

func TestInertMarkup(t *testing.T) {
	t.Parallel()
	d := parse(t, `<?xml version='1.0' encoding='utf-8' standalone='yes' ?><?xml-stylesheet href="file:///etc/passwd"?>`+
		`<a xmlns:xi="http://www.w3.org/2001/XInclude" xml:base="http://example.com/"><xi:include href="/etc/passwd"/></a>`)
	if got := d.Root.Children[0].Name; got != (Name{"http://www.w3.org/2001/XInclude", "xi", "include"}) {
		t.Errorf("name %+v", got)
	}
	if base, ok := d.Root.AttrIn(xmlSpace, "base"); !ok || base != "http://example.com/" {
		t.Errorf("xml:base %q %v", base, ok)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"a\tb\nc\rd\r\ne", "a b c d e"},
		{"a&#9;b&#10;c&#13;d&#13;&#10;e&#xA;", "a\tb\nc\rd\r\ne\n"},
		{"&lt;&gt;&amp;&quot;&apos;", `<>&"'`},
		{"&amp;#10;", "&#10;"},
		{"é😀&#x1F600;&#128512;&#0000065;", "é😀😀😀A"},
		{"  two  spaces  ", "  two  spaces  "},
		{"> ]]> ok", "> ]]> ok"},
	}
	for _, tt := range tests {
		d := parse(t, `<x a="`+tt.src+`"/>`)
		if got, _ := d.Root.Attr("a"); got != tt.want {
			t.Errorf("value %q reads %q, want %q", tt.src, got, tt.want)
		}
		// What was read is written so that it reads the same again, twice over.
		again := parse(t, string(d.Root.Canonical()))
		if got, _ := again.Root.Attr("a"); got != tt.want {
			t.Errorf("value %q reads %q after writing", tt.src, got)
		}
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	src := "\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<!-- c -->\n<v a='1'\n   b=\"2\" xmlns:o='urn:o'>\n text&#33;\r\n<![CDATA[<&]]><o:c o:d=\"3\">in</o:c><?pi x?><e/>\n</v>\n"
	d := parse(t, src)
	v := d.Root
	type view struct {
		Kind  Kind
		Name  string
		Line  int
		Outer string
		Text  string
	}
	var got []view
	for _, c := range v.Children {
		got = append(got, view{c.Kind, c.Name.String(), c.Line(), c.Outer(), c.Text()})
	}
	want := []view{
		{Text, "", 4, "\n text&#33;\r\n", "\n text!\n"},
		{CData, "", 6, "<![CDATA[<&]]>", "<&"},
		{Element, "o:c", 6, `<o:c o:d="3">in</o:c>`, "in"},
		{Instruction, "pi", 6, "<?pi x?>", "pi x"},
		{Element, "e", 6, "<e/>", ""},
		{Text, "", 6, "\n", "\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	if v.Line() != 3 || v.AttrLine("b") != 4 || v.AttrLine("none") != 3 {
		t.Errorf("lines %d %d %d", v.Line(), v.AttrLine("b"), v.AttrLine("none"))
	}
	if v.Inner() != d.Src[v.innerStart:v.innerEnd] || !strings.HasPrefix(v.Inner(), "\n text") || !strings.HasSuffix(v.Inner(), "<e/>\n") {
		t.Errorf("inner %q", v.Inner())
	}
	if c := v.Children[2]; c.Name.Space != "urn:o" || c.Attrs[0].Name.Space != "urn:o" || c.Inner() != "in" {
		t.Errorf("child %+v", c)
	}
	if len(v.Attrs) != 2 || len(v.Spaces) != 1 || !v.HasComments() || !v.HasText() || !v.HasElements() || v.Empty() {
		t.Errorf("properties of the root are wrong")
	}
	if got := v.DeepText(); got != "\n text!\n<&in\n" {
		t.Errorf("DeepText %q", got)
	}
	if line, column := d.Position(strings.Index(d.Src, "<o:c")); line != 6 || column != 15 {
		t.Errorf("position %d:%d", line, column)
	}
}

func TestEmpty(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src             string
		empty, comments bool
	}{
		{"<a/>", true, false},
		{"<a></a>", true, false},
		{"<a> \n\t&#32;<![CDATA[ ]]></a>", true, false},
		{"<a><!-- c --> </a>", true, true},
		{"<a><?pi?></a>", true, true},
		{"<a>x</a>", false, false},
		{"<a><![CDATA[x]]></a>", false, false},
		{"<a><b/></a>", false, false},
	}
	for _, tt := range tests {
		n := parse(t, tt.src).Root
		if n.Empty() != tt.empty || n.HasComments() != tt.comments {
			t.Errorf("%s: empty %v, comments %v", tt.src, n.Empty(), n.HasComments())
		}
	}
}

func TestRecode(t *testing.T) {
	t.Parallel()
	tests := []struct{ src, want string }{
		{"<?xml version='1.0' encoding='ISO-8859-1'?>\n<a>\xFC\x80</a>", "\u00fc\u0080"},
		{"<?xml version='1.0' encoding=\"windows-1252\" standalone='no'?><a>\xFC\x80</a>", "ü€"},
		{"<?xml version='1.0' encoding='UTF-8'?><a>ü</a>", "ü"},
		{"<a>ü</a>", "ü"},
	}
	for _, tt := range tests {
		d, err := Parse("f", Recode([]byte(tt.src)), Limits{})
		if err != nil {
			t.Errorf("%q: %v", tt.src, err)
		} else if got := d.Root.Text(); got != tt.want {
			t.Errorf("%q: text %q, want %q", tt.src, got, tt.want)
		}
	}
}
