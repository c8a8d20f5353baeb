package olx_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
)

// maker makes archives of decisions: the same bytes, the same archive.
type maker struct {
	data []byte
	open int // elements that may still be made
}

// below returns a number below n; 0 once the decisions are used up.
func (m *maker) below(n int) int {
	if len(m.data) == 0 {
		return 0
	}
	c := m.data[0]
	m.data = m.data[1:]
	return int(c) % n
}

func pick[T any](m *maker, list []T) T { return list[m.below(len(list))] }

var (
	tags = []string{
		"html", "problem", "vertical", "video", "poll", "odd", "sequential", "chapter", "conditional", "split_test", "library_content",
		"openassessment", "customtag", "book", "unit", "discussion", "done", "drag-and-drop-v2", "lti", "poll_question", "annotatable",
		"wrapper", "itembank", "x:odd", "course", "about", "static", "show", "wiki", "textbook", "meta", "word_cloud",
	}
	attrNames = []string{
		"display_name", "weight", "due", "graded", "odd", "group_access", "max_attempts", "graceperiod", "xblock-family", "slug", "name",
		"filename", "sources", "group_id_to_child", "user_partition_id", "youtube", "transcripts", "html5_sources", "track", "from",
		"answers", "question", "data", "markdown", "license", "tabs", "xml_attributes", "parent_url", "index_in_children_list", "impl",
		"title", "book_url", "src", "x:a", "show_tag_list", "wiki_slug", "textbooks", "download_track", "xml:lang", "advanced_modules",
		"language", "handout", "sub", "option:a", "none",
	}
	attrValues = []string{
		"a", "", "null", "true", "True", "1", "1.50", "&quot;x&quot;", "{}", "[]", "[1, {&quot;b&quot;: 1, &quot;a&quot;: null}]",
		"{&quot;0&quot;: &quot;i4x://o/c/vertical/v&quot;, &quot;b&quot;:2,&quot;a&quot;: &quot;x&quot;}", "2020-05-01", "soon", "2 hours", "xblock.v1",
		"xblock_asides.v1", "i4x://o/c/html/h; block-v1:o+c+r+type@html+block@p", "1.00:abc,0.75:&quot;d&quot;", "h", "p", "../x",
		"&#10; &#9;&#13;x", " ü😀&lt;&amp;", "'/c4x/o/c/asset/a.png'", "/asset-v1:o+c+r+type@asset+block@a.png", "00:00:10", "60",
		"{&quot;a&quot;: 1, &quot;a&quot;: 2}", "NaN", "&quot;null&quot;", "all-rights-reserved", "\n a \t",
	}
	texts = []string{
		"text", " ", "\n  ", "<!-- c -->", "<![CDATA[\nx\n]]>", "<![CDATA[<b>&]]>", "&lt;b&gt; &amp;", "<?pi x?>", "\"/c4x/o/c/asset/a.png\"",
		"{\"display_name\": \"M\", \"odd\": 1}", "\r\n", "]]&gt;", "<p>a<br/>b</p>", "<option:question none=\"true\"/>",
		"<option:odd>x<b/></option:odd>", "<option:answers>[2]</option:answers>", "<source src=\"s\"/>", "<transcript language=\"de\" src=\"t\"/>",
		"<aside xblock-family=\"xblock_asides.v1\"/>", "<show sources=\"i4x://o/c/html/h\"/>",
	}
	blockNames = []string{"p", "h", "v", "a:b", "a b", "p%", "..", ":", "problem_p_0123456789ab", "ü", "q", "dup"}
)

const spaces = ` xmlns:option="http://code.edx.org/xblock/option" xmlns:x="urn:x"`

func (m *maker) element(tag string, extra string) string {
	var b strings.Builder
	b.WriteString("<" + tag + extra)
	used := map[string]bool{}
	for range m.below(5) {
		if name := pick(m, attrNames); !used[name] && !strings.Contains(extra, " "+name+"=") {
			used[name] = true
			fmt.Fprintf(&b, ` %s="%s"`, name, pick(m, attrValues))
		}
	}
	if m.below(2) == 0 && !strings.Contains(extra, "url_name") {
		fmt.Fprintf(&b, ` url_name="%s"`, pick(m, blockNames))
	}
	if m.below(2) == 0 {
		b.WriteString("/>")
		return b.String()
	}
	b.WriteString(">")
	for range m.below(6) {
		if m.open--; m.open > 0 && m.below(2) == 0 {
			b.WriteString(m.child())
		} else {
			b.WriteString(pick(m, texts))
		}
	}
	b.WriteString("</" + tag + ">")
	return b.String()
}

// child is an element or, as often, a pointer.
func (m *maker) child() string {
	tag := pick(m, tags)
	if m.below(2) == 0 {
		return fmt.Sprintf(`<%s url_name="%s"/>`, tag, pick(m, blockNames))
	}
	return m.element(tag, "")
}

// archive makes a course, odd in as many ways as there are decisions.
func (m *maker) archive() files {
	m.open = 60
	var inside strings.Builder
	for range 1 + m.below(8) {
		inside.WriteString(m.child())
	}
	f := course(inside.String())
	f["course/vertical/v.xml"] = "<vertical" + spaces + ">" + inside.String() + "</vertical>"
	f["course/course/r.xml"] = m.element("course", spaces+` graded="true"`) // may lose the way to the rest
	if m.below(4) > 0 {
		f["course/course/r.xml"] = `<course display_name="C"` + spaces + `>` + pick(m, texts) + `<chapter url_name="ch"/>` + m.child() + "</course>"
	}
	for range m.below(10) {
		tag, name := pick(m, tags), strings.ReplaceAll(pick(m, blockNames), ":", "/")
		dir := pick(m, []string{"", "", "drafts/"})
		extra := spaces
		if dir != "" && m.below(2) == 0 {
			extra += fmt.Sprintf(` parent_url="i4x://o/c/%s" index_in_children_list="%d"`, pick(m, []string{"sequential/s", "vertical/v", "chapter/gone"}), m.below(4))
		}
		if name != ".." && name != "/" && !strings.Contains(tag, ":") {
			f["course/"+dir+tag+"/"+name+".xml"] = m.element(tag, extra)
		}
	}
	for range m.below(4) {
		f["course/"+pick(m, []string{"html/", "tabs/", "about/r/", "static/", "custom_tags/", "drafts/html/"})+pick(m, []string{"h.html", "p.html", "a.b.json", "c"})] = pick(m, texts)
	}
	for range m.below(3) {
		f["course/policies/r/policy.json"] = fmt.Sprintf(`{"course/r": {"%s": %s, "xml_attributes": {"odd": "y"}}, "html/h": {"%s": "x"}}`,
			pick(m, attrNames), strings.ReplaceAll(pick(m, attrValues[8:12]), "&quot;", `"`), pick(m, attrNames))
		f["course/policies/assets.json"] = `{"h.html": {"locked": true}, "odd": {}, "odd2": 1}`
	}
	return f
}

func FuzzArchive(f *testing.F) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 50+20*seed%700)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { oddArchive(t, (&maker{data: data}).archive()) })
}

// oddArchive checks what has to hold for every archive: law 68, and that each block can be stored and shown.
func oddArchive(t *testing.T, f files) {
	t.Helper()
	lenient := olx.ReadOptions{Lenient: true}
	r, err := olx.Read(t.Context(), f.open(t), lenient)
	if err != nil {
		var e *olx.Error
		if !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		return
	}
	trees := []*courseware.Course{r.State.Published}
	if r.State.Draft != nil {
		trees = append(trees, r.State.Draft)
	}
	for _, c := range trees {
		for id, b := range c.Blocks {
			if b.ID != id {
				t.Errorf("%v is kept as %v", b.ID, id)
			}
			if _, err := c.Key.Usage(id.Type, id.Name); err != nil {
				t.Errorf("%v is not fit for a key: %v", id, err)
			}
			stored(t, b)
			shown(t, b)
		}
	}
	once := write(t, r.State, olx.WriteOptions{})
	again, err := olx.Read(t.Context(), once.open(t), lenient)
	if err != nil {
		t.Fatalf("the export is refused: %v", err)
	}
	if diff := cmp.Diff(once, write(t, again.State, olx.WriteOptions{})); diff != "" {
		t.Errorf("a second round changes the export (-first +second):\n%s\nof %v", diff, f)
	}
	if _, err := olx.Read(t.Context(), f.open(t), olx.ReadOptions{}); err == nil {
		if _, err := olx.Read(t.Context(), once.open(t), olx.ReadOptions{}); err != nil {
			t.Errorf("the export of a good archive has errors: %v\nof %v", err, f)
		}
	}
}

// shown checks that a block comes back from the OLX it is shown as.
func shown(t *testing.T, b *courseware.Block) {
	t.Helper()
	if b.Opaque {
		return
	}
	p, err := olx.ParseBlock(printed(t, b), "b")
	if err != nil {
		t.Errorf("%s: %v\n%s", b.ID, err, printed(t, b))
		return
	}
	if again := printed(t, p); !bytes.Equal(again, printed(t, b)) {
		t.Errorf("%s is shown as\n%sand then as\n%s", b.ID, printed(t, b), again)
	}
}

func FuzzParseBlock(f *testing.F) {
	for _, s := range []string{
		"<html><![CDATA[\nx\n]]></html>", "<problem a='1' weight=\"x\"><p/></problem>", "<video youtube=\"1:a\"><track src=\"x\"/></video>",
		"<poll xmlns:option=\"http://code.edx.org/xblock/option\"><option:question none=\"true\"/>x</poll>", "<course tabs='[]'><wiki slug='x'/></course>",
		"<conditional sources=\"a; b\"><show sources=\"c\"/></conditional>", "<course_info items='[1]'/>", "<odd/>", "<book a=\"\"/>",
		"<lti>\n<a xblock-family=\"xblock_asides.v1\"/>\n</lti>",
	} {
		f.Add(s)
	}
	m := &maker{}
	r := rand.New(rand.NewPCG(7, 7))
	for range 60 {
		m.data, m.open = make([]byte, 200), 20
		for i := range m.data {
			m.data[i] = byte(r.Uint32())
		}
		f.Add(m.element(pick(m, tags), spaces))
	}
	f.Fuzz(func(t *testing.T, src string) {
		b, err := olx.ParseBlock([]byte(src), "x")
		if err != nil {
			return
		}
		stored(t, b)
		shown(t, b)
	})
}
