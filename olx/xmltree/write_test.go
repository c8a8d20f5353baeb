package xmltree

import (
	"strings"
	"testing"
)

func TestAppend(t *testing.T) {
	t.Parallel()
	if got, want := string(AppendAttr(nil, "a", "&<>\"'\n\t\r é😀\x00\x1b\uFFFE\xff")), " a=\"&amp;&lt;&gt;&quot;'&#10;&#9;&#13; é😀\""; got != want {
		t.Errorf("attribute %s, want %s", got, want)
	}
	if got, want := EscapeText("&<>\"'\n\t\r é]]>\x08\uFFFD"), "&amp;&lt;&gt;\"'\n\t&#13; é]]&gt;\uFFFD"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

func TestElem(t *testing.T) {
	t.Parallel()
	e := NewElem("vertical").Set("display_name", "A").Set("x", "1").Set("display_name", "B \"C\"")
	e.Add(NewElem("html").Set("url_name", "h")).
		Add(&Elem{Name: "poll", Inner: "x <b>y</b>\n  z"}).
		Add(&Elem{Verbatim: "<odd  a='1'>\n</odd>"}).
		Add(NewElem("a").Add(NewElem("b")))
	want := `<vertical display_name="B &quot;C&quot;" x="1">
  <html url_name="h"/>
  <poll>x <b>y</b>
  z</poll>
  <odd  a='1'>
</odd>
  <a>
    <b/>
  </a>
</vertical>
`
	if got := string(e.File()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, want string }{
		{"empty", "<a></a>", "<a/>"},
		{"blank", "<a> \n </a>", "<a/>"},
		{"attributes keep their order", `<a  c='3'
			b="2"/>`, `<a c="3" b="2"/>`},
		{"indent", "<a><b/>\n\n<c><d/></c></a>", "<a>\n  <b/>\n  <c>\n    <d/>\n  </c>\n</a>"},
		{"text only", "<a> x\n</a>", "<a> x\n</a>"},
		{"mixed is left alone inside", "<a><p>x <b> <i/> </b> y</p></a>", "<a>\n  <p>x <b> <i/> </b> y</p>\n</a>"},
		{"tail text counts", "<a><b/>x</a>", "<a><b/>x</a>"},
		{"CDATA is text", "<a><![CDATA[<&\"]]>x</a>", "<a>&lt;&amp;\"x</a>"},
		{"line ends", "<a>x\r\ny\rz&#13;</a>", "<a>x\ny\nz&#13;</a>"},
		{"comments and instructions", "<a><!-- c\r\nd --><?p q?><b/></a>", "<a>\n  <!-- c\nd -->\n  <?p q?>\n  <b/>\n</a>"},
		{"top level", "<?xml version='1.0'?><!-- c --><a/><!-- d -->", "<a/>"},
		{"newlines in values", "<a b='x&#10;y\nz'/>", `<a b="x&#10;y z"/>`},
		{"namespaces", `<a p:x="1" xmlns:p="u" xmlns="d"><p:b/></a>`, "<a xmlns:p=\"u\" xmlns=\"d\" p:x=\"1\">\n  <p:b/>\n</a>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := string(parse(t, tt.src).Root.Canonical())
			if got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if again := string(parse(t, got).Root.Canonical()); again != got {
				t.Errorf("not stable: %q, then %q", got, again)
			}
		})
	}
}

func TestBorrowedDeclarations(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, canonical, opaque string }{
		{"used below", `<r xmlns:p="u" xmlns:q="v"><e><p:x a="1"> </p:x></e></r>`,
			"<e xmlns:p=\"u\">\n  <p:x a=\"1\"/>\n</e>", `<e xmlns:p="u"><p:x a="1"> </p:x></e>`},
		{"used by an attribute", `<r xmlns:p="u"><e p:a="1"/></r>`, `<e xmlns:p="u" p:a="1"/>`, `<e xmlns:p="u" p:a="1"/>`},
		{"default", `<r xmlns="u"><e><f/></e></r>`, "<e xmlns=\"u\">\n  <f/>\n</e>", `<e xmlns="u"><f/></e>`},
		{"own", `<r xmlns:p="u"><p:e xmlns:p="v"/></r>`, `<p:e xmlns:p="v"/>`, `<p:e xmlns:p="v"/>`},
		{"shadowed, then used", `<r xmlns:p="u"><e><f xmlns:p="v"/><p:g/></e></r>`,
			"<e xmlns:p=\"u\">\n  <f xmlns:p=\"v\"/>\n  <p:g/>\n</e>", `<e xmlns:p="u"><f xmlns:p="v"/><p:g/></e>`},
		{"none", `<r xmlns:p="u"><e xml:lang="en"/></r>`, `<e xml:lang="en"/>`, `<e xml:lang="en"/>`},
		{"undone default", `<r xmlns="u"><e xmlns=""><f/></e></r>`, "<e xmlns=\"\">\n  <f/>\n</e>", `<e xmlns=""><f/></e>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := parse(t, tt.src).Root.Children[0]
			if got := string(e.Canonical()); got != tt.canonical {
				t.Errorf("canonical\n%s\nwant\n%s", got, tt.canonical)
			}
			if got := e.Opaque(); got != tt.opaque {
				t.Errorf("opaque %s, want %s", got, tt.opaque)
			}
			if a, b := names(e), names(parse(t, e.Opaque()).Root); a != b {
				t.Errorf("names %s, moved out %s", a, b)
			}
		})
	}
}

// names lists the resolved names of a subtree.
func names(n *Node) string {
	var b strings.Builder
	b.WriteString("{" + n.Name.Space + "}" + n.Name.Local)
	for _, a := range n.Attrs {
		b.WriteString(" {" + a.Name.Space + "}" + a.Name.Local)
	}
	for c := range n.Elements() {
		b.WriteString("(" + names(c) + ")")
	}
	return b.String()
}

func TestOpaqueKeepsInnerBytes(t *testing.T) {
	t.Parallel()
	inner := "\r\n <x  a='1'></x><!-- c --><![CDATA[ z ]]>&#65; "
	got := parse(t, "<p b='1\n'\tc=\"&#10;\" >"+inner+"</p >").Root.Opaque()
	if want := `<p b="1 " c="&#10;">` + inner + "</p>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNameAndCharacters(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a": true, "a-b.c_1": true, "p:a": true, "é": true, "_": true, "x·": true, "": false, "1": false, "-a": false,
		"p:": false, ":a": false, "a:b:c": false, "p:1": false, "a b": false, "×": false, "a\x00": false, "a\xff": false,
	} {
		if got := IsName(s); got != want {
			t.Errorf("IsName(%q) = %v", s, got)
		}
	}
	for s, want := range map[string]bool{
		"": true, "a\t\n\ré😀\x7f\uFFFD\U0001FFFE": true, "\x00": false, "\x1f": false, "\uFFFE": false, "\xff": false, "\xef\xbf": false,
	} {
		if got := IsLegal(s); got != want {
			t.Errorf("IsLegal(%q) = %v", s, got)
		}
	}
}
