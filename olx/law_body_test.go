package olx_test

import (
	"strings"
	"testing"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx"
)

// The laws of olx.md §7 on values in archives, and on bodies.

func TestLaw18And19UnreadableValues(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="p" graceperiod="2 hours" due="2020-05-01"/><problem url_name="q" graceperiod="soon" due="May 2020"/>`)
	r := f.read(t, olx.ReadOptions{})
	equal(t, "graceperiod", field(block(t, r, "problem", "p"), "graceperiod"), `"7200 seconds"`)
	equal(t, "due", field(block(t, r, "problem", "p"), "due"), `"2020-05-01T00:00:00Z"`)
	equal(t, "rules", rules(r.Findings, courseware.Warning), []string{"InvalidSetting", "InvalidSetting"})
	out := f.again(t, olx.ReadOptions{})
	equal(t, "p", out["course/problem/p.xml"], `<problem due="2020-05-01T00:00:00Z" graceperiod="7200 seconds"/>`+"\n")
	equal(t, "q", out["course/problem/q.xml"], `<problem due="May 2020" graceperiod="soon"/>`+"\n")
}

func TestLaw20LineEndsInAttributes(t *testing.T) {
	t.Parallel()
	f := course("<problem url_name=\"p\" display_name=\"a\nb&#10;c\td&#9;e\" odd=\"1\r\n2&#13;3\"/>")
	r := f.read(t, olx.ReadOptions{})
	equal(t, "title", block(t, r, "problem", "p").Title(), "a b\nc d\te")
	equal(t, "file", f.again(t, olx.ReadOptions{})["course/problem/p.xml"],
		"<problem odd=\"1 2&#13;3\" display_name=\"a b&#10;c d&#9;e\"/>\n")
}

func TestLaw21SetToDefault(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="p"/><poll url_name="q" xblock-family="xblock.v1" max_submissions="1"/>`,
		"problem/p.xml", `<problem display_name="Blank Problem" markdown="null" showanswer="finished"/>`)
	f.same(t, olx.ReadOptions{}, "course/problem/p.xml")
	if out := f.again(t, olx.ReadOptions{}); !strings.Contains(out["course/vertical/v.xml"], `xblock.v1" max_submissions="1"/>`) {
		t.Errorf("got %s", out["course/vertical/v.xml"])
	}
}

func TestLaw22And23JSONInAttributes(t *testing.T) {
	t.Parallel()
	f := course(`<html url_name="h"/><poll url_name="p" answers='{"b":0.10,"a":[123456789012345678901234567890, 1e-05]}' weird='{"b":1, "a":2}'/>`,
		"html/h.xml", `<html filename="h" group_access="{&quot;2&quot;: [1], &quot;1&quot;: []}"/>`, "html/h.html", "x")
	f.same(t, olx.ReadOptions{}, "course/html/h.xml")
	f = course(`<drag-and-drop-v2 url_name="p" data='{"b":0.10,"a":[123456789012345678901234567890, 1e-05]}' weird='{"b":1, "a":2}'/>`)
	equal(t, "unit", f.again(t, olx.ReadOptions{})["course/vertical/v.xml"], `<vertical>
  <drag-and-drop-v2 url_name="p" xblock-family="xblock.v1" data="{&#10;  &quot;a&quot;: [&#10;    123456789012345678901234567890,&#10;    1e-05&#10;  ],&#10;  &quot;b&quot;: 0.10&#10;}" weird="{&quot;b&quot;:1, &quot;a&quot;:2}"/>
</vertical>
`)
}

func TestLaw24UnknownAttributes(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="p"/><html url_name="h"/><video url_name="vi"/><poll url_name="q" xblock-family="xblock.v1" a="1" question="Q" b="2"/>`+
		`<openassessment url_name="o" strange="1" display_name="O" other="null"/><customtag impl="x" page="&#10;" url_name="t"/><lti url_name="l"/>`+
		`<conditional url_name="c"/><split_test url_name="s"/><unit url_name="u" xblock-family="xblock.v1" x="null"/>`,
		"problem/p.xml", `<problem b="1" a="&quot;null&quot;" xml:lang="de" display_name="x" weight="1.0"><p>y</p></problem>`,
		"html/h.xml", `<html filename="h" display_name="x" b="1" a=""/>`, "html/h.html", "",
		"video/vi.xml", `<video url_name="vi" display_name="x" b="1" a="2"/>`,
		"lti/l.xml", `<lti odd="null" lti_id="x"/>`,
		"conditional/c.xml", `<conditional display_name="x" message="m" odd="1" sources="" attempted="True"/>`,
		"split_test/s.xml", `<split_test group_id_to_child="{}" user_partition_id="1" display_name="x" odd="1"/>`)
	f["course/course/r.xml"] = "<course display_name=\"C\" odd=\"1\" foo:bar=\"2\" xmlns:foo=\"urn:foo\">\n  <chapter url_name=\"ch\"/>\n</course>"
	f["course/sequential/s.xml"] = "<sequential display_name=\"x\" z=\"1\" y=\"2\">\n  <vertical url_name=\"v\"/>\n</sequential>"
	f.same(t, olx.ReadOptions{}, "course/problem/p.xml", "course/html/h.xml", "course/video/vi.xml", "course/lti/l.xml",
		"course/conditional/c.xml", "course/split_test/s.xml", "course/sequential/s.xml")
	equal(t, "unit", f.again(t, olx.ReadOptions{})["course/vertical/v.xml"], `<vertical>
  <problem url_name="p"/>
  <html url_name="h"/>
  <video url_name="vi"/>
  <poll url_name="q" xblock-family="xblock.v1" a="1" question="Q" b="2"/>
  <openassessment url_name="o" strange="1" display_name="O" other="null"/>
  <customtag impl="x" page="&#10;" url_name="t"/>
  <lti url_name="l"/>
  <conditional url_name="c"/>
  <split_test url_name="s"/>
  <unit url_name="u" xblock-family="xblock.v1" x="null"/>
</vertical>
`)
	if c := f.again(t, olx.ReadOptions{})["course/course/r.xml"]; !strings.Contains(c, `odd="1"`) || !strings.Contains(c, `foo:bar="2"`) {
		t.Errorf("the course loses attributes: %s", c)
	}
}

func TestLaw25And73WhatIsNeverWritten(t *testing.T) {
	t.Parallel()
	f := course(`<problem url_name="p" filename="q" xml_attributes="{}" data_dir="x" parent_url="y" index_in_children_list="3"/>`,
		"problem/q.xml", `<problem display_name="Q" tabs="[]" org="o" course="c"/>`)
	f["course/course/r.xml"] = `<course display_name="C" tabs="[1]" grading_policy="{}" discussion_blackouts="[]" discussion_topics="{&quot;a&quot;: 1}"/>`
	f["course/policies/r/policy.json"] = `{"course/r": {"tabs": [{"type": "x"}], "xml_attributes": {"filename": ["a", "b"], "kept": "1"}}}`
	out := f.again(t, olx.ReadOptions{})
	equal(t, "course", out["course/course/r.xml"], "<course display_name=\"C\" kept=\"1\"/>\n")
	f = course(`<problem url_name="p" filename="q" xml_attributes="{}" data_dir="x" parent_url="y" index_in_children_list="3"/>`,
		"problem/q.xml", `<problem display_name="Q" tabs="[]" org="o" course="c"/>`)
	equal(t, "problem", f.again(t, olx.ReadOptions{})["course/problem/p.xml"], "<problem display_name=\"Q\"/>\n")
}

func TestLaw26HTMLBodies(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "a", "a\n", "a\r\nb\r\n", "<p>%%USER_ID%% & <b>open", "]]>", "\x00\x0b", "\ufeffx", " ", "<![CDATA[x]]>"} {
		f := course(`<html url_name="h"/>`, "html/h.xml", `<html filename="h" editor="raw"/>`, "html/h.html", body)
		if got := f.again(t, olx.ReadOptions{})["course/html/h.html"]; got != body {
			t.Errorf("the body %q becomes %q", body, got)
		}
		b := block(t, f.read(t, olx.ReadOptions{}), "html", "h")
		stored(t, b)
		if strings.ContainsAny(body, "\x00\x0b") {
			continue // no XML can show it
		}
		p, err := olx.ParseBlock(printed(t, b), "h")
		if err != nil {
			t.Errorf("the body %q is shown as %s: %v", body, printed(t, b), err)
		} else if again := bodyOf(t, p); again != body {
			t.Errorf("the body %q is shown as %s and read back as %q", body, printed(t, b), again)
		}
	}
}

func TestHTMLFileNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, filename, at string }{
		{"h", "x", "html/x.html"}, {"h", "x.html", "html/x.html"}, {"h", "x.xml", "html/x.html"}, {"h", "deep/x", "html/deep/x.html"},
		{"d:h", "x", "html/d/x.html"}, {"d:h", "x", "x.html/../html/x.html"}, {"d:h", "a/x", "a/x.html"}, {"h", "html/x", "html/x.html"},
	} {
		at := strings.TrimPrefix(c.at, "x.html/../")
		f := course(`<html url_name="`+c.name+`" filename="`+c.filename+`" display_name="t"/>`, at, "body")
		if c.at == "x.html/../html/x.html" {
			f.fails(t, olx.ReadOptions{}) // only leading folders are left out
			continue
		}
		if r, err := olx.Read(t.Context(), f.open(t), olx.ReadOptions{}); err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if got := bodyOf(t, block(t, r, "html", c.name)); got != "body" {
			t.Errorf("%+v: body %q", c, got)
		}
	}
}

func TestLaw27RawBodies(t *testing.T) {
	t.Parallel()
	body := "\n  <!-- c --><p>a &amp; b &#60; ü</p>\t<script type=\"loncapa/python\"><![CDATA[\nif a < b: pass\n]]></script>\r\n <?pi x?>  tail  "
	f := course(`<problem url_name="p"/><annotatable url_name="a"/><word_cloud url_name="w"/><poll_question url_name="q"/><lti url_name="l"/>`,
		"problem/p.xml", `<problem weight="1">`+body+`</problem>`, "annotatable/a.xml", "<annotatable>"+body+"</annotatable>",
		"word_cloud/w.xml", `<word_cloud num_inputs="3">`+body+`</word_cloud>`, "poll_question/q.xml", `<poll_question display_name="q">`+body+`</poll_question>`,
		"lti/l.xml", "<lti>\n</lti>")
	f.same(t, olx.ReadOptions{}, "course/problem/p.xml", "course/annotatable/a.xml", "course/word_cloud/w.xml", "course/poll_question/q.xml", "course/lti/l.xml")
	equal(t, "data", bodyOf(t, block(t, f.read(t, olx.ReadOptions{}), "problem", "p")), body)
}

func TestLaw28InlineHTML(t *testing.T) {
	t.Parallel()
	for inline, want := range map[string]string{
		`<html url_name="h"><p>a</p> b &amp; c</html>`:                      "<p>a</p> b &amp; c",
		`<html url_name="h">a &lt; b</html>`:                                "a < b",
		"<html url_name=\"h\"><![CDATA[\n<p>a & b</p>\n]]></html>":          "<p>a & b</p>",
		`<html url_name="h" display_name="x"/>`:                             "",
		`<html url_name="h">x<!-- c --><![CDATA[<&]]></html>`:               "x<!-- c -->&lt;&amp;",
		"<html url_name=\"h\"><![CDATA[a]]&gt;b]]]]><![CDATA[>\n]]></html>": "a]]&gt;b]]>\n",
	} {
		f := course(inline)
		equal(t, inline, bodyOf(t, block(t, f.read(t, olx.ReadOptions{}), "html", "h")), want)
		equal(t, inline, f.again(t, olx.ReadOptions{})["course/html/h.html"], want)
	}
}

func TestLaw29UnknownElements(t *testing.T) {
	t.Parallel()
	inline := "<mystery url_name=\"m\" a=\"1\">\n <problem url_name=\"inner\"/>  text &amp; <![CDATA[<]]>\n</mystery>"
	f := course("\n  <html url_name=\"h\"/>\n  "+inline+"\n  <riddle url_name=\"r\"/>\n  <odd/>\n  <html url_name=\"i\"/>\n",
		"html/h.xml", `<html filename="h"/>`, "html/h.html", "", "html/i.xml", `<html filename="i"/>`, "html/i.html", "",
		"riddle/r.xml", "<riddle url_name=\"r\"><x/></riddle>")
	f.same(t, olx.ReadOptions{}, "course/vertical/v.xml", "course/riddle/r.xml")
	r := f.read(t, olx.ReadOptions{})
	equal(t, "inline", bodyOf(t, block(t, r, "mystery", "m")), inline)
	equal(t, "opaque", block(t, r, "riddle", "r").Opaque, true)
	equal(t, "inner", r.State.Published.Blocks[courseware.BlockID{Type: "problem", Name: "inner"}] == nil, true)
	equal(t, "rules", rules(r.Findings, courseware.Info), []string{"UnknownBlock", "UnknownBlock", "UnknownBlock"})
	for _, b := range r.State.Published.Blocks {
		stored(t, b)
	}
}

func TestLaw30Video(t *testing.T) {
	t.Parallel()
	f := course(`<video url_name="a" youtube="1.00:ID"/><video url_name="b" youtube=""><source src="x"/></video><video url_name="c"><source src="x"/></video>` +
		`<video url_name="d" youtube="0.75:&quot;q&quot;,1.5:w,bad,2:z" from="60" to="0:02:00" name="ignored"><track src="t"/><handout src="h"/>` +
		`<transcript language="fr" src="f"/><transcript language="de" src="g"/></video>` +
		`<video url_name="e" youtube="1.00:x" youtube_id_1_0="y" transcripts="{&quot;b&quot;: &quot;1&quot;, &quot;a&quot;: &quot;2&quot;}">` +
		`<transcript language="a" src="2"/><transcript language="b" src="1"/></video>`)
	r := f.read(t, olx.ReadOptions{})
	equal(t, "a", field(block(t, r, "video", "a"), "youtube_id_1_0"), `"ID"`)
	equal(t, "a", field(block(t, r, "video", "a"), "youtube_id_1_5"), "unset")
	equal(t, "b", field(block(t, r, "video", "b"), "youtube_id_1_0"), `""`)
	equal(t, "b", field(block(t, r, "video", "b"), "html5_sources"), `["x"]`)
	equal(t, "c", field(block(t, r, "video", "c"), "youtube_id_1_0"), "unset")
	d := block(t, r, "video", "d")
	equal(t, "d", d.Fields, courseware.Fields{
		{Name: "transcripts", Value: `{"fr": "f", "de": "g"}`}, {Name: "download_track", Value: "true"},
		{Name: "end_time", Value: `"00:02:00"`}, {Name: "handout", Value: `"h"`},
		{Name: "start_time", Value: `"00:01:00"`}, {Name: "track", Value: `"t"`},
		{Name: "youtube_id_0_75", Value: `"q"`}, {Name: "youtube_id_1_5", Value: `"w"`},
	})
	equal(t, "e", field(block(t, r, "video", "e"), "youtube_id_1_0"), `"y"`)
	equal(t, "e", field(block(t, r, "video", "e"), "transcripts"), `{"b": "1", "a": "2"}`)
	equal(t, "rules", rules(r.Findings, courseware.Warning), []string{"InvalidSetting"})
	out := f.again(t, olx.ReadOptions{})
	equal(t, "d", out["course/video/d.xml"], `<video youtube="0.75:q,1.50:w" url_name="d" transcripts="{&quot;fr&quot;: &quot;f&quot;, &quot;de&quot;: &quot;g&quot;}" download_track="true" end_time="00:02:00" handout="h" start_time="00:01:00" track="t" youtube_id_0_75="q" youtube_id_1_5="w">
  <track src="t"/>
  <handout src="h"/>
  <transcript language="de" src="g"/>
  <transcript language="fr" src="f"/>
</video>
`)
	for _, b := range r.State.Published.Blocks {
		stored(t, b)
	}
	for _, canonical := range []string{
		`<video url_name="v"/>`,
		`<video youtube="1.00:a" url_name="v" sub="" transcripts="{&quot;de&quot;: &quot;x&quot;}" license="CC" display_name="V" edx_video_id="e" youtube_id_1_0="a">` +
			"\n  <transcript language=\"de\" src=\"x\"/>\n</video>",
		`<video youtube="1.00:a" url_name="v" license="CC" display_name="V" sub="a" track="" transcripts="{&quot;de&quot;: &quot;x&quot;}" youtube_id_1_0="a">` +
			"\n  <transcript language=\"de\" src=\"x\"/>\n</video>",
		`<video url_name="v" sub="" display_name="V" transcripts="{}"/>`,
	} {
		course(`<video url_name="v"/>`, "video/v.xml", canonical).same(t, olx.ReadOptions{}, "course/video/v.xml")
	}
}

func TestLaw31VideoAsset(t *testing.T) {
	t.Parallel()
	f := course(`<video url_name="v"/>`, "video/v.xml", "<video url_name=\"v\" transcripts=\"{&quot;en&quot;: &quot;x&quot;}\" edx_video_id=\"x\">\n  <video_asset client_video_id=\"c\" duration=\"0.0\" image=\"\">\n"+
		"    <encoded_video profile=\"p\" url=\"u\" file_size=\"1\" bitrate=\"2\"/>\n      <transcripts/>\n  </video_asset>\n  <transcript language=\"en\" src=\"x\"/>\n</video>")
	out := f.again(t, olx.ReadOptions{})["course/video/v.xml"]
	src := f["course/video/v.xml"]
	equal(t, "file", out, src+"\n")
}

func TestLaw32OldDiscussion(t *testing.T) {
	t.Parallel()
	f := course(`<discussion url_name="d"/>`, "discussion/d.xml", `<discussion discussion_category="A" discussion_id="x" for="y"/>`)
	f["course/policies/r/policy.json"] = `{"course/r": {}, "discussion/d": {"discussion_target": "T", "discussion_category": "B"}}`
	equal(t, "unit", f.again(t, olx.ReadOptions{})["course/vertical/v.xml"],
		"<vertical>\n  <discussion url_name=\"d\" xblock-family=\"xblock.v1\" discussion_category=\"B\" discussion_id=\"x\" for=\"y\" discussion_target=\"T\"/>\n</vertical>\n")
}

func TestLaw33Asides(t *testing.T) {
	t.Parallel()
	aside := `<tagging xblock-family="xblock_asides.v1" tags="x"/>`
	f := course(aside+`<html url_name="h"/><problem url_name="p">`+aside+"<p/></problem><problem url_name=\"q\"/>"+
		`<poll url_name="o" xblock-family="xblock.v1">`+aside+`</poll><video url_name="vi">`+aside+`<source src="s"/></video>`+
		`<html url_name="i">a`+aside+"b</html>",
		"html/h.xml", "<html filename=\"h\">\n  "+aside+"\n</html>", "html/h.html", "x",
		"problem/q.xml", "<problem>\n  <p/>\n  "+aside+"\n  "+aside+"\n</problem>")
	out := f.again(t, olx.ReadOptions{})
	f.same(t, olx.ReadOptions{}, "course/html/h.xml", "course/problem/q.xml")
	equal(t, "problem", out["course/problem/p.xml"], "<problem><p/>"+aside+"</problem>\n")
	equal(t, "video", out["course/video/vi.xml"], "<video url_name=\"vi\" html5_sources=\"[&quot;s&quot;]\">\n  <source src=\"s\"/>\n  "+aside+"\n</video>\n")
	equal(t, "inline html", out["course/html/i.html"], "ab")
	equal(t, "unit", out["course/vertical/v.xml"], `<vertical>
  <html url_name="h"/>
  <problem url_name="p"/>
  <problem url_name="q"/>
  <poll url_name="o" xblock-family="xblock.v1">
    `+aside+`
  </poll>
  <video url_name="vi"/>
  <html url_name="i"/>
  `+aside+`
</vertical>
`)
	r := f.read(t, olx.ReadOptions{})
	equal(t, "findings", len(r.Findings), 0)
	for _, b := range r.State.Published.Blocks {
		stored(t, b)
	}
}

func TestLaw34Comments(t *testing.T) {
	t.Parallel()
	plain := course(`<html url_name="h">x</html><problem url_name="p"/>`, "problem/p.xml", "<problem/>")
	noted := course(`<!-- a --><html url_name="h">x</html><?pi b?><!-- c --><problem url_name="p"/><!-- d -->`,
		"problem/p.xml", "<?xml version=\"1.0\"?>\n<!-- e -->\n<problem/>\n<!-- f -->\n")
	equal(t, "export", noted.again(t, olx.ReadOptions{}), plain.again(t, olx.ReadOptions{}))
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	option := `xmlns:option="http://code.edx.org/xblock/option"`
	f := course(`<poll url_name="p" xmlns:ns0="http://code.edx.org/xblock/option" xmlns:block="http://code.edx.org/xblock/block" xblock-family="xblock.v1" private_results="true">` +
		`<ns0:question none="true"/><ns0:answers>["x"]</ns0:answers><ns0:odd>kept<b/></ns0:odd><part/></poll>` +
		`<edx_sga url_name="s" xmlns:a="urn:a"><solution><a:b/></solution></edx_sga>`)
	out := f.again(t, olx.ReadOptions{})["course/vertical/v.xml"]
	equal(t, "unit", out, `<vertical>
  <poll url_name="p" xblock-family="xblock.v1" private_results="true" answers="[&#10;  &quot;x&quot;&#10;]"><option:question `+option+` none="true"/><part/><ns0:odd xmlns:ns0="http://code.edx.org/xblock/option">kept<b/></ns0:odd></poll>
  <edx_sga url_name="s" xblock-family="xblock.v1" xmlns:a="urn:a"><solution><a:b/></solution></edx_sga>
</vertical>
`)
	r := f.read(t, olx.ReadOptions{})
	equal(t, "null", field(block(t, r, "poll", "p"), "question"), "null")
	for _, b := range r.State.Published.Blocks {
		stored(t, b)
	}
	f = course("", "problem/p.xml", `<problem/>`)
	f["course/vertical/v.xml"] = `<vertical xmlns:m="urn:math"><problem url_name="q"><m:x/></problem><odd><m:y/></odd></vertical>`
	out = f.again(t, olx.ReadOptions{})["course/problem/q.xml"]
	equal(t, "problem", out, "<problem xmlns:m=\"urn:math\"><m:x/></problem>\n")
}

func TestCustomTag(t *testing.T) {
	t.Parallel()
	f := course(`<book page="1"/><customtag impl="slides" url_name="c"/>`, "custom_tags/book", "page $page")
	out := f.again(t, olx.ReadOptions{})
	if u := out["course/vertical/v.xml"]; !strings.Contains(u, `<customtag page="1" impl="book" url_name="customtag_`) ||
		!strings.Contains(u, `<customtag impl="slides" url_name="c"/>`) {
		t.Errorf("got %s", u)
	}
	equal(t, "template", out["course/custom_tags/book"], "page $page")
}

func TestMetaAndStrayText(t *testing.T) {
	t.Parallel()
	f := course(`<meta>{"display_name": "M", "odd": 1}</meta>stray<problem url_name="p"><meta>{"weight": 2.0}</meta><p/></problem><html url_name="h"><meta>{}</meta></html>`)
	r := f.read(t, olx.ReadOptions{})
	equal(t, "rules", rules(r.Findings, courseware.Warning), []string{"UnexpectedContent"})
	out := f.again(t, olx.ReadOptions{})
	if u := out["course/vertical/v.xml"]; !strings.HasPrefix(u, `<vertical display_name="M" odd="1">`) {
		t.Errorf("got %s", u)
	}
	equal(t, "problem", out["course/problem/p.xml"], "<problem weight=\"2.0\"><p/></problem>\n")
	equal(t, "html", out["course/html/h.html"], "<meta>{}</meta>")
}
