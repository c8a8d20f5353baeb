package courseware

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestWalk(t *testing.T) {
	t.Parallel()
	id := func(name string) BlockID { return BlockID{Type: "vertical", Name: name} }
	c := Course{Root: id("r"), Blocks: map[BlockID]*Block{}}
	for name, children := range map[string][]string{"r": {"a", "gone", "b"}, "a": {"c"}, "b": {"c", "r"}, "c": nil, "alone": nil} {
		b := &Block{ID: id(name)}
		for _, child := range children {
			b.Children = append(b.Children, id(child))
		}
		c.Blocks[b.ID] = b
	}
	var got []string
	for b := range c.Walk() {
		got = append(got, b.ID.Name)
	}
	if want := []string{"r", "a", "c", "b"}; !slices.Equal(got, want) {
		t.Errorf("walked %v, want %v", got, want)
	}
	for b := range c.Walk() {
		if b.ID != c.Root {
			t.Error("the walk starts elsewhere")
		}
		break
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	f := Fields{{"a", Text("x <ü>\n")}, {"b", "1"}}
	if s, ok := f.Text("a"); !ok || s != "x <ü>\n" {
		t.Errorf("got %q, %v", s, ok)
	}
	if _, ok := f.Text("b"); ok {
		t.Error("a number is a text")
	}
	if _, ok := f.Lookup("c"); ok {
		t.Error("found what is not set")
	}
	g := f.With("a", Null).With("c", "2").Without("b")
	if !slices.Equal(g, Fields{{"a", Null}, {"c", "2"}}) || len(f) != 2 || f[0].Value.IsNull() || !g[0].Value.IsNull() {
		t.Errorf("got %v of %v", g, f)
	}
	if title := (&Block{Fields: Fields{{"display_name", Text("T")}}}).Title(); title != "T" {
		t.Errorf("the title is %q", title)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	a := Block{ID: BlockID{"html", "h"}, Data: Bytes([]byte("x")), Nodes: [][]byte{[]byte("n")}, Extra: []Attr{{"a", "1"}}, Children: []BlockID{}}
	b := a
	b.Children, b.Data = nil, Bytes([]byte("x"))
	if !a.Equal(&b) {
		t.Error("equal blocks differ")
	}
	for name, change := range map[string]func(*Block){
		"data": func(b *Block) { b.Data = Bytes([]byte("y")) }, "no data": func(b *Block) { b.Data = Body{} },
		"children": func(b *Block) { b.Children = []BlockID{{"html", "i"}} }, "form": func(b *Block) { b.Form = FormFile },
		"nodes": func(b *Block) { b.Nodes = nil }, "extra": func(b *Block) { b.Extra = nil },
		"fields": func(b *Block) { b.Fields = Fields{{"a", "1"}} }, "id": func(b *Block) { b.ID.Name = "j" },
	} {
		b := a
		change(&b)
		if a.Equal(&b) {
			t.Errorf("blocks that differ in %s are equal", name)
		}
	}
	if !(BlockID{}).IsZero() || a.ID.Compare(BlockID{"html", "i"}) >= 0 || a.ID.Compare(BlockID{"about", "z"}) <= 0 {
		t.Error("ids")
	}
}

func TestFinding(t *testing.T) {
	t.Parallel()
	f := Finding{File: "a.xml", Line: 3, Rule: "R", Severity: Warning, Message: "m"}
	if got := f.String(); got != "a.xml:3: warning: R: m" {
		t.Errorf("got %q", got)
	}
	got, err := json.Marshal(f)
	if want := `{"file":"a.xml","line":3,"rule":"R","severity":"warning","message":"m","remedy":""}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}
