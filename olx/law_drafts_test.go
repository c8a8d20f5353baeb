package olx_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
)

// The laws of olx.md §7 on drafts.

// draft makes the file of a draft unit below sequential s.
func draft(index int, inside string) string {
	return fmt.Sprintf(`<vertical display_name="D" parent_url="block-v1:o+c+r+type@sequential+block@s" index_in_children_list="%d">%s</vertical>`, index, inside)
}

// sequence makes a course with these published units.
func sequence(units string, more ...string) files {
	f := course("")
	delete(f, "course/vertical/v.xml")
	for i := 0; i < len(more); i += 2 {
		f["course/"+more[i]] = more[i+1]
	}
	var list strings.Builder
	for unit := range strings.FieldsSeq(units) {
		fmt.Fprintf(&list, `<vertical url_name="%s"/>`, unit)
		if _, ok := f["course/vertical/"+unit+".xml"]; !ok {
			f["course/vertical/"+unit+".xml"] = `<vertical display_name="P"/>`
		}
	}
	f["course/sequential/s.xml"] = "<sequential>" + list.String() + "</sequential>"
	return f
}

func units(c *courseware.Course) string {
	return children(c.Blocks[courseware.BlockID{Type: "sequential", Name: "s"}])
}

func TestLaw53GoldenOrder(t *testing.T) {
	t.Parallel()
	f := sequence("5a second", "drafts/vertical/a.xml", draft(2, ""), "drafts/vertical/b.xml", draft(4, ""), "drafts/vertical/c.xml", draft(6, ""),
		"drafts/vertical/d.xml", draft(5, ""), "drafts/vertical/z.xml", draft(0, ""))
	r := f.read(t, olx.ReadOptions{})
	equal(t, "published", units(r.State.Published), "5a second")
	equal(t, "draft", units(r.State.Draft), "z 5a a second b d c")
	again := f.again(t, olx.ReadOptions{}).read(t, olx.ReadOptions{})
	equal(t, "draft again", units(again.State.Draft), "z 5a a second b d c")
}

func TestLaw54DraftOnly(t *testing.T) {
	t.Parallel()
	f := sequence("v", "drafts/vertical/new.xml", draft(1, `<html url_name="h"/>`),
		"drafts/html/h.xml", `<html filename="h"/>`, "drafts/html/h.html", "x", "drafts/html/loose.xml", "<html/>", "drafts/._x.xml", "index_in_children_list")
	r := f.read(t, olx.ReadOptions{})
	equal(t, "published", ids(r.State.Published), []string{"course/course", "chapter/ch", "sequential/s", "vertical/v"})
	equal(t, "draft", ids(r.State.Draft), []string{"course/course", "chapter/ch", "sequential/s", "vertical/v", "vertical/new", "html/h"})
	equal(t, "ignored", r.Ignored, []string{"drafts/._x.xml", "drafts/html/loose.xml"})
	equal(t, "place", r.Places[courseware.BlockID{Type: "html", Name: "h"}], olx.Place{File: "drafts/html/h.xml", Line: 1})
	for id, b := range r.State.Draft.Blocks {
		if id.Type != "sequential" && r.State.Published.Blocks[id] != nil && r.State.Published.Blocks[id] != b {
			t.Errorf("%s is not shared", id)
		}
	}
}

func TestLaw55And56BothForms(t *testing.T) {
	t.Parallel()
	f := sequence("v w", "vertical/v.xml", `<vertical display_name="P"><html url_name="h"/><problem url_name="p"/></vertical>`,
		"html/h.xml", `<html filename="h"/>`, "html/h.html", "published", "problem/p.xml", "<problem/>",
		"drafts/vertical/v.xml", draft(0, `<html url_name="h"/><html url_name="i"/>`),
		"drafts/html/h.xml", `<html filename="h"/>`, "drafts/html/h.html", "drafted", "drafts/html/i.xml", `<html filename="i"/>`, "drafts/html/i.html", "new",
		"drafts/vertical/w.xml", `<vertical display_name="P" parent_url="i4x://o/c/sequential/s" index_in_children_list="1"/>`)
	r := f.read(t, olx.ReadOptions{})
	h := courseware.BlockID{Type: "html", Name: "h"}
	equal(t, "published", bodyOf(t, r.State.Published.Blocks[h]), "published")
	equal(t, "draft", bodyOf(t, r.State.Draft.Blocks[h]), "drafted")
	equal(t, "published unit", block(t, r, "vertical", "v").Title(), "P")
	equal(t, "draft tree", ids(r.State.Draft), []string{
		"course/course", "chapter/ch", "sequential/s", "vertical/v", "html/h", "html/i", "vertical/w",
	})
	out := f.again(t, olx.ReadOptions{})
	var drafts []string
	for name := range out {
		if strings.HasPrefix(name, "course/drafts/") {
			drafts = append(drafts, strings.TrimPrefix(name, "course/drafts/"))
		}
	}
	equal(t, "draft files", len(drafts), 5) // w is drafted as it is published
	equal(t, "root", out["course/drafts/vertical/v.xml"], `<vertical display_name="D" parent_url="block-v1:o+c+r+type@sequential+block@s" index_in_children_list="0">
  <html url_name="h"/>
  <html url_name="i"/>
</vertical>
`)
	equal(t, "descendant", out["course/drafts/html/h.xml"], "<html filename=\"h\"/>\n")
	equal(t, "published file", out["course/html/h.html"], "published")

	// A unit is a root when only something below it differs.
	f["course/drafts/vertical/v.xml"] = strings.ReplaceAll(draft(0, `<html url_name="h"/><problem url_name="p"/>`), `"D"`, `"P"`)
	f["course/drafts/problem/p.xml"] = "<problem/>"
	out = f.again(t, olx.ReadOptions{})
	if out["course/drafts/vertical/v.xml"] == "" || out["course/drafts/problem/p.xml"] == "" {
		t.Error("the unit with a drafted component is no root, or not complete")
	}
}

func TestLaw57IndexAndParent(t *testing.T) {
	t.Parallel()
	f := sequence("v", "drafts/vertical/far.xml", draft(99, ""), "drafts/vertical/first.xml", draft(-1, ""),
		"drafts/vertical/odd.xml", strings.Replace(draft(1, ""), `"1"`, `"x"`, 1))
	r := f.read(t, olx.ReadOptions{})
	equal(t, "draft", units(r.State.Draft), "first v far odd")
	f.again(t, olx.ReadOptions{})

	f["course/drafts/vertical/lost.xml"] = strings.Replace(draft(0, ""), "block@s", "block@gone", 1)
	f["course/drafts/vertical/none.xml"] = `<vertical index_in_children_list="0"/>`
	errs := f.fails(t, olx.ReadOptions{})
	equal(t, "rules", rules(errs, courseware.Error), []string{"DanglingReference", "DanglingReference"})
	r = f.read(t, olx.ReadOptions{Lenient: true})
	equal(t, "draft", units(r.State.Draft), "first v far odd")
}

func TestLaw58NoDrafts(t *testing.T) {
	t.Parallel()
	f := sequence("v w")
	r := f.read(t, olx.ReadOptions{})
	equal(t, "draft", r.State.Draft == nil, true)
	for name := range f.again(t, olx.ReadOptions{}) {
		if strings.HasPrefix(name, "course/drafts/") {
			t.Errorf("wrote %s", name)
		}
	}
	// Drafts that say what is published are none.
	f["course/drafts/vertical/v.xml"] = `<vertical display_name="P" parent_url="block-v1:o+c+r+type@sequential+block@s" index_in_children_list="0"/>`
	equal(t, "draft", f.read(t, olx.ReadOptions{}).State.Draft == nil, true)
}

func TestNestedDrafts(t *testing.T) {
	t.Parallel()
	f := sequence("v", "vertical/v.xml", `<vertical><split_test url_name="sp"/></vertical>`,
		"split_test/sp.xml", `<split_test group_id_to_child="{}"/>`,
		"drafts/vertical/n.xml", draft(1, `<html url_name="h"/><problem url_name="kept"/>`),
		"drafts/html/h.xml", `<html parent_url="block-v1:o+c+r+type@vertical+block@n" index_in_children_list="0">inner</html>`,
		"drafts/problem/extra.xml", `<problem parent_url="block-v1:o+c+r+type@vertical+block@n" index_in_children_list="0"/>`,
		"drafts/vertical/x/in.xml", `<vertical parent_url="block-v1:other+c+r+type@split_test+block@sp" index_in_children_list="0"/>`)
	f["course/sequential/s.xml"] = `<sequential><vertical url_name="v"/><problem url_name="kept"/></sequential>`
	f["course/problem/kept.xml"] = "<problem/>"
	r := f.read(t, olx.ReadOptions{})
	equal(t, "draft", ids(r.State.Draft), []string{
		"course/course", "chapter/ch", "sequential/s", "vertical/v", "split_test/sp", "vertical/x:in", "vertical/n", "problem/extra", "html/h", "problem/kept",
	})
	f.again(t, olx.ReadOptions{})
}

func TestMovedDraft(t *testing.T) {
	t.Parallel()
	f := sequence("u v w", "sequential/s2.xml", `<sequential><vertical url_name="x"/></sequential>`, "vertical/x.xml", "<vertical/>",
		"drafts/vertical/u.xml", strings.Replace(draft(1, ""), "block@s", "block@s2", 1), "drafts/vertical/y.xml", draft(2, ""))
	f["course/chapter/ch.xml"] = `<chapter><sequential url_name="s"/><sequential url_name="s2"/></chapter>`
	r := f.read(t, olx.ReadOptions{})
	equal(t, "from", units(r.State.Draft), "v w y")
	equal(t, "to", children(r.State.Draft.Blocks[courseware.BlockID{Type: "sequential", Name: "s2"}]), "x u")
	equal(t, "published", units(r.State.Published), "u v w")
	again := f.again(t, olx.ReadOptions{}).read(t, olx.ReadOptions{})
	equal(t, "again", ids(again.State.Draft), ids(r.State.Draft))
}

func TestBrokenDraft(t *testing.T) {
	t.Parallel()
	f := sequence("v", "drafts/vertical/v.xml", "<vertical index_in_children_list=", "drafts/vertical/w.xml", draft(1, `<problem url_name="gone"/>`),
		"drafts/vertical/u.xml", draft(0, `<html url_name="h"/>`), "drafts/html/h.xml", "<html")
	equal(t, "rules", rules(f.fails(t, olx.ReadOptions{}), courseware.Error), []string{"FileDoesNotExist", "InvalidXML", "InvalidXML"})
	lenient := olx.ReadOptions{Lenient: true}
	r := f.read(t, lenient)
	equal(t, "draft", ids(r.State.Draft), []string{
		"course/course", "chapter/ch", "sequential/s", "vertical/u", "html/h", "vertical/w", "problem/gone", "vertical/v",
	})
	equal(t, "broken", f.again(t, lenient)["course/drafts/html/h.xml"], "<html")
}

// TestDraftsBeyondUnits is about drafts that other programs do not make: a chapter that is not published yet goes along,
// what differs in a published one or in the course itself cannot.
func TestDraftsBeyondUnits(t *testing.T) {
	t.Parallel()
	st := sequence("v").read(t, olx.ReadOptions{}).State
	d := *st.Published
	d.Blocks = maps.Clone(st.Published.Blocks)
	st.Draft = &d
	change := func(id courseware.BlockID, fn func(b *courseware.Block)) {
		b := courseware.Block{ID: id, Container: true}
		if old := d.Blocks[id]; old != nil {
			b = *old
		}
		fn(&b)
		d.Blocks[id] = &b
	}
	chapter, unit := courseware.BlockID{Type: "chapter", Name: "new"}, courseware.BlockID{Type: "vertical", Name: "new"}
	change(unit, func(*courseware.Block) {})
	change(chapter, func(b *courseware.Block) { b.Children = []courseware.BlockID{unit} })
	change(d.Root, func(b *courseware.Block) { b.Children = append(slices.Clone(b.Children), chapter) })
	sequential := courseware.BlockID{Type: "sequential", Name: "s"}
	change(sequential, func(b *courseware.Block) { b.Fields = b.Fields.With("display_name", `"New"`) })

	var skipped []courseware.BlockID
	out := write(t, st, olx.WriteOptions{Skipped: func(id courseware.BlockID) { skipped = append(skipped, id) }})
	equal(t, "skipped", skipped, []courseware.BlockID{sequential})
	equal(t, "root", out["course/drafts/chapter/new.xml"], `<chapter parent_url="block-v1:o+c+r+type@course+block@course" index_in_children_list="1">
  <vertical url_name="new"/>
</chapter>
`)
	again := out.read(t, olx.ReadOptions{})
	equal(t, "published", ids(again.State.Published), ids(st.Published))
	equal(t, "draft", ids(again.State.Draft), ids(st.Draft))

	out["course/drafts/sequential/s.xml"] = `<sequential parent_url="i4x://o/c/chapter/ch" index_in_children_list="0"/>`
	equal(t, "rules", rules(out.fails(t, olx.ReadOptions{}), courseware.Error), []string{"UnexpectedTag"})
}
