package olx_test

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
)

func TestParseBlock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		src, id, data, printed string
	}{
		{"<html url_name=\"h\" display_name=\"T\"><![CDATA[\n<p>a & b</p>\n]]></html>", "html/h", "<p>a & b</p>",
			"<html url_name=\"h\" display_name=\"T\"><![CDATA[\n<p>a & b</p>\n]]></html>\n"},
		{"<html><p>x</p></html>", "html/", "<p>x</p>", "<html><![CDATA[\n<p>x</p>\n]]></html>\n"},
		{"<html/>", "html/", "", "<html/>\n"},
		{"<html><![CDATA[\na]]]]><![CDATA[>b\r\n\n]]></html>", "html/", "a]]>b\n", "<html><![CDATA[\na]]]]><![CDATA[>b\n\n]]></html>\n"},
		{`<problem url_name="p" x-is-pointer-node="no" weight="1" odd="2"><p/></problem>`, "problem/p", "<p/>",
			"<problem url_name=\"p\" odd=\"2\" weight=\"1\"><p/></problem>\n"},
		{`<vertical url_name="v" display_name="V"/>`, "vertical/v", "", "<vertical url_name=\"v\" display_name=\"V\"/>\n"},
		{`<course display_name="C" tabs="[1]"><wiki slug="w"/></course>`, "course/", "",
			"<course display_name=\"C\" tabs=\"[1]\">\n  <wiki slug=\"w\"/>\n</course>\n"},
		{`<image src="x"/>`, "customtag/", "", "<customtag src=\"x\" impl=\"image\"/>\n"},
		{`<mystery url_name="m"><a/></mystery>`, "mystery/m", `<mystery url_name="m"><a/></mystery>`, "<mystery url_name=\"m\"><a/></mystery>\n"},
		{`<static_tab url_name="t"><![CDATA[` + "\n<b>\n" + `]]></static_tab>`, "static_tab/t", "<b>", "<static_tab url_name=\"t\"><![CDATA[\n<b>\n]]></static_tab>\n"},
		{`<video url_name="v"><source src="s"/></video>`, "video/v", "", "<video url_name=\"v\" html5_sources=\"[&quot;s&quot;]\">\n  <source src=\"s\"/>\n</video>\n"},
	} {
		b, err := olx.ParseBlock([]byte(c.src), "x.xml")
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		equal(t, c.src, b.ID.String(), c.id)
		equal(t, c.src, bodyOf(t, b), c.data)
		equal(t, c.src, string(printed(t, b)), c.printed)
		again, err := olx.ParseBlock(printed(t, b), "x.xml")
		if err != nil {
			t.Errorf("%s: %v", c.printed, err)
			continue
		}
		equal(t, c.src, again, b)
	}
}

func TestParseBlockRefuses(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		"<vertical>\n  <html/>\n</vertical>": "x.xml:2: <html> is a child block",
		`<html url_name="a b"/>`:             "x.xml:1: the url_name \"a b\" cannot be the id of a block",
		`<html filename="h"/>`:               `x.xml:1: a block by itself has its content inside, not in the file "h"`,
		`<a:b xmlns:a="u"/>`:                 "x.xml:1: the element a:b cannot be the type of a block",
		"<html>":                             "x.xml:1:",
		"":                                   "x.xml:1:",
		`<html a="1" a="2"/>`:                "x.xml:1:",
	} {
		_, err := olx.ParseBlock([]byte(src), "x.xml")
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", src, err, want)
		}
	}
}

func TestDecodeBlockRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		blockType string
		files     []olx.File
	}{
		{"problem", nil}, {"mystery", nil},
		{"problem", []olx.File{{Path: olx.BlockFile, Data: []byte("<html/>")}}},
		{"problem", []olx.File{{Path: olx.BlockFile, Data: []byte("<problem")}}},
		{"vertical", []olx.File{{Path: olx.BlockFile, Data: []byte("<vertical><html/></vertical>")}}},
		{"course", []olx.File{{Path: olx.BlockFile, Data: []byte("<course/>")}, {Path: olx.PolicyFile, Data: []byte("[]")}}},
		{"mystery", []olx.File{{Path: olx.BlockFile, Data: []byte("<mystery/>")}, {Path: olx.SourceFile, Data: []byte("nope")}}},
		{"course_info", []olx.File{{Path: "items.json", Data: []byte("nope")}}},
	} {
		id := courseware.BlockID{Type: c.blockType, Name: "x"}
		if _, err := olx.DecodeBlock(id, c.files, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s %s: got %v", c.blockType, c.files, err)
		}
	}
	if _, err := olx.EncodeBlock(&courseware.Block{}); err == nil {
		t.Error("a block without type is stored")
	}
}

// TestForeignComponents reads components that another program has stored: an html body in CDATA, an element of an unknown
// type.
func TestForeignComponents(t *testing.T) {
	t.Parallel()
	b, err := olx.DecodeBlock(courseware.BlockID{Type: "html", Name: "x"},
		[]olx.File{{Path: olx.BlockFile, Data: []byte("<html display_name=\"T\"><![CDATA[\nbody\n]]></html>\n")}}, nil)
	if err != nil || bodyOf(t, b) != "body" || b.Title() != "T" {
		t.Errorf("got %+v, %v", b, err)
	}
	b, err = olx.DecodeBlock(courseware.BlockID{Type: "mystery", Name: "x"},
		[]olx.File{{Path: olx.BlockFile, Data: []byte("<mystery/>\n")}, {Path: "static/a.png", Data: []byte("x")}}, nil)
	if err != nil || !b.Opaque || b.Form != courseware.FormInline || bodyOf(t, b) != "<mystery/>" {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestMove(t *testing.T) {
	t.Parallel()
	b, err := olx.ParseBlock([]byte(`<conditional sources="block-v1:o+c+r+type@html+block@h"><show sources="i4x://o/c/html/h"/></conditional>`), "x")
	if err != nil {
		t.Fatal(err)
	}
	before := string(printed(t, b))
	moved := olx.Move(b, key(t, "course-v1:o+c+r"), key(t, "course-v1:O+C+R"))
	equal(t, "moved", string(printed(t, moved)),
		"<conditional sources=\"block-v1:O+C+R+type@html+block@h\">\n  <show sources=\"i4x://O/C/html/h\"/>\n</conditional>\n")
	equal(t, "the block itself", string(printed(t, b)), before)
	if olx.Move(moved, key(t, "course-v1:o+c+r"), key(t, "course-v1:x+y+z")) != moved {
		t.Error("a block without keys of the course is copied")
	}
}

// TestPageTitle: the title of a page is text in an attribute, as of any other block.
func TestPageTitle(t *testing.T) {
	t.Parallel()
	b, err := olx.ParseBlock([]byte(`<static_tab display_name="Tab"><![CDATA[<p>x</p>]]></static_tab>`), "tab.xml")
	if err != nil {
		t.Fatal(err)
	}
	if b.Title() != "Tab" {
		t.Errorf("title = %q, want Tab", b.Title())
	}
	if out := string(printed(t, b)); !strings.Contains(out, `display_name="Tab"`) {
		t.Errorf("printed as\n%s", out)
	}
}

// TestMoveWiki: law 47 for a course that is copied.
func TestMoveWiki(t *testing.T) {
	t.Parallel()
	from, to := courseKey(t, "course-v1:O+C+R1"), courseKey(t, "course-v1:O+C+R2")
	for slug, want := range map[string]string{"O.C.R1": "O.C.R2", "C": "O.C.R2", "own": "own"} {
		b := &courseware.Block{ID: courseware.BlockID{Type: "course", Name: "course"}, Container: true,
			Fields: courseware.Fields{{Name: "wiki_slug", Value: courseware.Text(slug)}}}
		got, _ := olx.Move(b, from, to).Fields.Text("wiki_slug")
		if got != want {
			t.Errorf("wiki %s becomes %s, want %s", slug, got, want)
		}
		if was, _ := b.Fields.Text("wiki_slug"); was != slug {
			t.Errorf("the block itself was changed to %s", was)
		}
	}
}

func courseKey(t *testing.T, s string) keys.Course {
	t.Helper()
	k, err := keys.ParseCourse(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
