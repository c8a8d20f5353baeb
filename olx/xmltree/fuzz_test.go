package xmltree

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "<a/>", "<?xml version='1.0' encoding='UTF-8'?>\n<a b='&#10;&lt;'>x<!-- c --><![CDATA[y]]><?p q?></a>\n",
		`<a xmlns:p="u" p:b="1"><p:c xmlns="d"><e/></p:c></a>`, "\xEF\xBB\xBF<a>\r\n&#13;]]&gt;</a>", "<!DOCTYPE a><a/>",
		"<a><b>t<c/> </b>\n <d/></a>", "<é·/>", `<a b="1" b="2"/>`, "<a>&#x1F600;</a>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := Parse("f.xml", src, Limits{})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Rule == "" || e.Text == "" {
				t.Fatalf("%q: unfit error %#v", src, err)
			}
			return
		}
		if got := rejoin(t, d); got != string(bytes.TrimPrefix(src, []byte("\xEF\xBB\xBF"))) {
			t.Fatalf("%q: spans join to %q", src, got)
		}
		once := d.Root.Canonical()
		again, err := Parse("f.xml", once, Limits{})
		if err != nil {
			t.Fatalf("%q: canonical form %q does not parse: %v", src, once, err)
		}
		if twice := again.Root.Canonical(); !bytes.Equal(once, twice) {
			t.Fatalf("%q: canonical form %q, then %q", src, once, twice)
		}
		if a, b := content(d.Root), content(again.Root); a != b {
			t.Fatalf("%q: canonical form holds %q instead of %q", src, b, a)
		}
		check := func(n *Node) {
			moved, err := Parse("f.xml", []byte(n.Opaque()), Limits{})
			if err != nil {
				t.Fatalf("%q: opaque form %q does not parse: %v", src, n.Opaque(), err)
			}
			if a, b := content(n), content(moved.Root); a != b {
				t.Fatalf("%q: opaque form holds %q instead of %q", src, b, a)
			}
		}
		for n := range d.Root.Elements() {
			check(n)
		}
	})
}

// rejoin puts the source together again from the spans of the nodes, checking that they lie edge to edge.
func rejoin(t *testing.T, d *Document) string {
	t.Helper()
	var b strings.Builder
	var walk func(nodes []*Node, at int) int
	walk = func(nodes []*Node, at int) int {
		for _, n := range nodes {
			start, end := n.Span()
			innerStart, innerEnd := n.InnerSpan()
			if start != at || innerStart < start || innerEnd < innerStart || end < innerEnd {
				t.Fatalf("%q: node %q has span %d-%d, inner %d-%d, at %d", d.Src, n.Outer(), start, end, innerStart, innerEnd, at)
			}
			if line, _ := d.Position(start); line != n.Line() {
				t.Fatalf("%q: node %q on line %d, says %d", d.Src, n.Outer(), line, n.Line())
			}
			b.WriteString(d.Src[start:innerStart])
			if n.Kind == Element {
				if got := walk(n.Children, innerStart); got != innerEnd {
					t.Fatalf("%q: children of %q end at %d", d.Src, n.Outer(), got)
				}
			} else {
				b.WriteString(n.Inner())
			}
			b.WriteString(d.Src[innerEnd:end])
			at = end
		}
		return at
	}
	walk(d.Nodes, 0)
	return b.String()
}

// content tells what a subtree holds: resolved names, values and text; blank text counts only beside other text.
func content(n *Node) string {
	var b strings.Builder
	var walk func(n *Node, mixed bool)
	walk = func(n *Node, mixed bool) {
		mixed = mixed || n.HasText()
		b.WriteString("<{" + n.Name.Space + "}" + n.Name.Local)
		for _, a := range n.Attrs {
			b.WriteString(" {" + a.Name.Space + "}" + a.Name.Local + "=" + a.Value + "\x00")
		}
		b.WriteString(">")
		for _, c := range n.Children {
			switch {
			case c.Kind == Element:
				walk(c, mixed)
			case c.Kind == Comment || c.Kind == Instruction:
				b.WriteString("<!" + c.Text() + ">")
			case mixed:
				b.WriteString(strings.ReplaceAll(c.Text(), "<", "&"))
			}
		}
		b.WriteString("</>")
	}
	walk(n, false)
	return b.String()
}
