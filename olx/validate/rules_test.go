package validate

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/archive"
)

// sound is a course with nothing to be said against it.
var sound = map[string]string{
	"course.xml":   `<course url_name="r" org="o" course="c"/>`,
	"course/r.xml": `<course display_name="Course" start="2030-01-01T00:00:00Z" course_image="c.png"><chapter url_name="a"/></course>`,
	"chapter/a.xml": `<chapter display_name="Chapter">
  <sequential url_name="s"/>
</chapter>`,
	"sequential/s.xml":               `<sequential display_name="Sequential"><vertical url_name="v"/></sequential>`,
	"vertical/v.xml":                 "<vertical display_name=\"Unit\">\n  <html url_name=\"h\"/>\n  <problem url_name=\"p\"/>\n</vertical>",
	"html/h.xml":                     `<html filename="h" display_name="Text"/>`,
	"html/h.html":                    `<p>Text</p>`,
	"problem/p.xml":                  `<problem display_name="Problem"><p/></problem>`,
	"policies/r/policy.json":         `{"course/r": {"tabs": []}}`,
	"policies/r/grading_policy.json": `{"GRADER": [{"type": "Homework", "min_count": 1, "drop_count": 0, "weight": 1.0}], "GRADE_CUTOFFS": {"Pass": 0.5}}`,
	"static/c.png":                   "png",
}

// put packs files into an archive and returns its path.
func put(tb testing.TB, files map[string]string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "x.tar.gz")
	pack(tb, path, files)
	return path
}

func validate(tb testing.TB, path string) *Report {
	tb.Helper()
	temp := tb.TempDir()
	r, err := Path(context.Background(), path, archive.Limits{File: 64 << 20}, archive.Options{TempDir: temp, Memory: -1})
	if err != nil {
		tb.Fatal(err)
	}
	if entries, _ := os.ReadDir(temp); len(entries) > 0 {
		tb.Errorf("left behind: %v", entries)
	}
	for _, f := range r.Findings {
		if f.Rule == "" || f.Message == "" || f.File == "" || f.Severity > courseware.Info && f.Remedy == "" && f.Rule != "DuplicateEntry" {
			tb.Errorf("incomplete finding %+v", f)
		}
	}
	return r
}

// lines renders findings as "file:line severity rule".
func lines(r *Report) []string {
	list := []string{}
	for _, f := range r.Findings {
		place, _, _ := strings.Cut(f.String(), ": ")
		list = append(list, place+" "+f.Severity.String()+" "+f.Rule)
	}
	return list
}

func TestSound(t *testing.T) {
	t.Parallel()
	r := validate(t, put(t, sound))
	if len(r.Findings) != 0 || r.Failed() || r.Blocks != 6 || r.Files != len(sound) {
		t.Errorf("findings %v, %d blocks, %d files", r.Findings, r.Blocks, r.Files)
	}
}

// with changes files of the sound course: names and contents in turn; an empty content takes the file away.
func with(changes ...string) map[string]string {
	files := maps.Clone(sound)
	for i := 0; i < len(changes); i += 2 {
		if files[changes[i]] = changes[i+1]; changes[i+1] == "" {
			delete(files, changes[i])
		}
	}
	return files
}

// unit puts something into the unit, on line 2.
func unit(inside string, more ...string) map[string]string {
	return with(append([]string{"vertical/v.xml", "<vertical display_name=\"Unit\">\n" + inside + "\n</vertical>"}, more...)...)
}

// TestRules has for every rule of olx.md §4 archives that break it and no other (law 83).
func TestRules(t *testing.T) {
	t.Parallel()
	const pol, grade = "policies/r/policy.json", "policies/r/grading_policy.json"
	grader := func(item string) map[string]string {
		return with(grade, `{"GRADER": [`+item+`],`+"\n"+`"GRADE_CUTOFFS": {"Pass": 0.5}}`)
	}
	cutoffs := func(item string) map[string]string {
		return with(grade, `{"GRADER": [{"type": "H", "min_count": 1, "drop_count": 0, "weight": 1}],`+"\n"+`"GRADE_CUTOFFS": `+item+`}`)
	}
	problem := func(attrs string) map[string]string {
		return with("problem/p.xml", `<problem display_name="P" `+attrs+`><p/></problem>`)
	}
	course := func(attrs string) string {
		return `<course display_name="Course" course_image="c.png" ` + attrs + `><chapter url_name="a"/></course>`
	}
	const ora = `<openassessment url_name="x" submission_start="2030-02-01" submission_due="2030-03-01"><rubric/></openassessment>`
	const lti = `<lti display_name="L" lti_id="i" launch_url="http://example.com/"/>`
	const ltiCourse = `start="2030-01-01" advanced_modules="[&quot;lti&quot;, &quot;lti_consumer&quot;]"`

	tests := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"no root", with("course.xml", ""), []string{"ARCHIVE error CourseXMLDoesNotExist"}},
		{"root under another name", with("course.xml", "", "mycourse.xml", sound["course.xml"]), []string{"mycourse.xml:1 error CourseXMLName"}},
		{"broken XML", with("problem/p.xml", "<problem>\n<p></problem>"), []string{"problem/p.xml:2 error InvalidXML"}},
		{"DOCTYPE", with("problem/p.xml", "<!DOCTYPE problem><problem/>"), []string{"problem/p.xml:1 error InvalidXML"}},
		{"Latin-1", with("problem/p.xml", "<problem>\n\xfc</problem>"), []string{"problem/p.xml:2 error BadEncoding"}},
		{"Latin-1 in a body", with("html/h.html", "<p>\n\xfc</p>"), []string{"html/h.html:2 error BadEncoding"}},
		{"stray end tag", with("html/h.html", "<p>Text</p>\n</td>"), []string{"html/h.html:2 warning InvalidHTML"}},
		{"unknown tag", with("html/h.html", "<blonk>Text</blonk>"), []string{"html/h.html:1 warning InvalidHTML"}},
		{"unclosed tag", with("html/h.html", "<div>\n<b>Text</div>"), []string{"html/h.html:2 warning InvalidHTML"}},
		{"blank body", with("html/h.html", "\n"), []string{"html/h.html:1 warning InvalidHTML"}},
		{"other tag", with("problem/p.xml", `<html display_name="T">Text</html>`), []string{"problem/p.xml:1 error TagMismatch"}},
		{"no definition file", with("problem/p.xml", ""), []string{"vertical/v.xml:3 error FileDoesNotExist"}},
		{"no body file", with("html/h.html", ""), []string{"html/h.xml:1 error FileDoesNotExist"}},
		{"pointer to itself", with("problem/p.xml", `<problem url_name="p"/>`), []string{"problem/p.xml:1 error SelfPointer"}},
		{"pointer to another", with("problem/p.xml", `<problem url_name="q"/>`), []string{"problem/p.xml:1 error PointerAlreadyPointedAt"}},
		{"one attribute too many", unit(`<problem url_name="p" weight="1" display_name="P"/>`), []string{"vertical/v.xml:2 error InvalidPointer"}},
		{"comment in a pointer", unit(`<problem url_name="p"><!-- c --></problem>`), []string{"vertical/v.xml:2 warning InvalidPointer"}},
		{"file name that leads out", with("html/h.xml", `<html filename="../../policies/r/policy" display_name="T"/>`), []string{"html/h.xml:1 error InvalidPointer"}},
		{"other url_name in the file", with("problem/p.xml", `<problem url_name="q" display_name="P"><p/></problem>`), []string{"problem/p.xml:1 warning URLNameMismatch"}},
		{"empty problem", with("problem/p.xml", `<problem display_name="P"/>`), []string{"problem/p.xml:1 warning EmptyTag"}},
		{"empty unit", with("vertical/v.xml", `<vertical display_name="Unit"/>`), []string{"vertical/v.xml:1 warning EmptyTag"}},
		{"problem in a sequential", with("sequential/s.xml", "<sequential display_name=\"S\">\n<problem url_name=\"p\"/></sequential>"),
			[]string{"sequential/s.xml:2 error UnexpectedTag"}},
		{"chapter in a unit", unit(`<chapter url_name="b" display_name="C"><sequential url_name="q"/></chapter>`,
			"sequential/q.xml", `<sequential display_name="S"><vertical url_name="w"/></sequential>`,
			"vertical/w.xml", `<vertical display_name="V"><problem url_name="p"/></vertical>`), []string{"vertical/v.xml:2 error UnexpectedTag"}},
		{"text in a unit", unit(`text`), []string{"vertical/v.xml:1 error UnexpectedContent"}},
		{"inline beside a file", unit(`<problem url_name="p" display_name="P"><p/></problem>`), []string{"vertical/v.xml:2 warning PossiblePointer"}},
		{"html with file and body", with("html/h.xml", `<html filename="h" display_name="T">body</html>`), []string{"html/h.xml:1 warning PossibleHTMLPointer"}},
		{"colon in a name", unit(`<problem url_name="d:p"/>`, "problem/d/p.xml", sound["problem/p.xml"]), []string{"vertical/v.xml:2 warning NonFlatURLName"}},
		{"colon in a file name", with("html/h.xml", `<html filename="a:b" display_name="T"/>`, "html/a:b.html", "x"), []string{"html/h.xml:1 warning NonFlatFilename"}},
		{"two of one body", unit("<html url_name=\"h\"/>\n<html url_name=\"i\"/>", "html/i.xml", "<html\n filename=\"h\" display_name=\"T\"/>"),
			[]string{"html/i.xml:2 info DuplicateHTMLName"}},
		{"no run", with("course.xml", `<course org="o" course="c"/>`), []string{"course.xml:1 error NoRunName"}},
		{"no policy", with(pol, ""), []string{pol + " error PolicyNotFound"}},
		{"no grading policy", with(grade, ""), []string{"grading_policy.json error PolicyNotFound"}},
		{"policy that is no JSON", with(pol, "{\n,}"), []string{pol + ":2 error BadPolicy"}},
		{"grading policy that is no JSON", with(grade, "{\n,}"), []string{grade + ":2 error BadPolicy"}},
		{"no name", unit(`<problem display_name="P"><p/></problem>`), []string{"vertical/v.xml:2 warning MissingURLName"}},
		{"one name twice", unit("<problem url_name=\"x\" display_name=\"P\"><p/></problem>\n<problem url_name=\"x\" display_name=\"P\"><b/></problem>"),
			[]string{"vertical/v.xml:3 error DuplicateURLName"}},
		{"one pointer twice", unit("<problem url_name=\"p\"/>\n<problem url_name=\"p\"/>"), []string{"vertical/v.xml:3 error DuplicateURLName"}},
		{"one name for two types", unit("<problem url_name=\"h\"/>\n<html url_name=\"h\"/>", "problem/h.xml", sound["problem/p.xml"]), nil},
		{"policy that is a list", with(pol, `[]`), []string{pol + ":1 error BadPolicyFormat"}},
		{"entry without a block", with(pol, "{\n\"problem/none\": {}}"), []string{pol + ":2 warning PolicyRefNotFound"}},
		{"entry of another type", with(pol, "{\n\"html/p\": {}}"), []string{pol + ":2 error WrongObjectType"}},
		{"entry that is a list", with(pol, `{"problem/p": []}`), []string{pol + " error BadEntry"}},
		{"setting twice, differing", with(pol, `{"problem/p": {"display_name": "Q"}}`), []string{"problem/p.xml:1 warning SettingOverride"}},
		{"setting twice, the same", with(pol, `{"problem/p": {"display_name": "Problem"}}`), []string{"problem/p.xml:1 info SettingOverride"}},

		{"grading policy that is a list", with(grade, `[]`), []string{grade + " error GradingPolicyIssue"}},
		{"no graders", grader(``), []string{grade + ":1 error GradingPolicyIssue"}},
		{"grader that is a list", grader(`[]`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"no cutoffs", cutoffs(`{}`), []string{grade + ":2 error GradingPolicyIssue"}},
		{"no type", grader(`{"min_count": 1, "drop_count": 0, "weight": 1}`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"type twice", grader(`{"type": "H", "min_count": 1, "drop_count": 0, "weight": 0.5}, {"type": "H", "min_count": 1, "drop_count": 0, "weight": 0.5}`),
			[]string{grade + ":1 error GradingPolicyIssue"}},
		{"negative drop_count", grader(`{"type": "H", "min_count": 1, "drop_count": -1, "weight": 1}`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"broken min_count", grader(`{"type": "H", "min_count": 1.5, "drop_count": 0, "weight": 1}`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"min_count of zero", grader(`{"type": "H", "min_count": 0, "drop_count": 0, "weight": 1}`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"short_label that is a number", grader(`{"type": "H", "short_label": 1, "min_count": 1, "drop_count": 0, "weight": 1}`),
			[]string{grade + ":1 error GradingPolicyIssue"}},
		{"weight that is text", grader(`{"type": "H", "min_count": 1, "drop_count": 0, "weight": "1"}`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"weight over 1", grader(`{"type": "H", "min_count": 1, "drop_count": 0, "weight": 2}`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"weights of 0.9", grader(`{"type": "H", "min_count": 1, "drop_count": 0, "weight": 0.9}`), []string{grade + ":1 error GradingPolicyIssue"}},
		{"unknown grade", cutoffs(`{"E": 0.5, "A": 0.9, "B": 0.6}`), []string{grade + ":2 error GradingPolicyIssue"}},
		{"cutoff over 1", cutoffs(`{"Pass": 1.5}`), []string{grade + ":2 error GradingPolicyIssue"}},
		{"negative Pass", cutoffs(`{"Pass": -1}`), nil},
		{"Pass and letters", cutoffs(`{"Pass": 0.5, "A": 0.9}`), []string{grade + ":2 error GradingPolicyIssue"}},
		{"only A", cutoffs(`{"A": 0.5}`), []string{grade + ":2 error GradingPolicyIssue"}},
		{"no A", cutoffs(`{"B": 0.5, "C": 0.4}`), []string{grade + ":2 error GradingPolicyIssue"}},
		{"rising cutoffs", cutoffs(`{"A": 0.5, "B": 0.5}`), []string{grade + ":2 error GradingPolicyIssue"}},
		{"letters", cutoffs(`{"D": 0.5, "A": 0.9, "C": 0.6, "B": 0.8}`), nil},

		{"bad showanswer", problem(`showanswer="sometimes"`), []string{"problem/p.xml:1 error InvalidSetting"}},
		{"bad rerandomize", problem(`rerandomize="sometimes"`), []string{"problem/p.xml:1 error InvalidSetting"}},
		{"bad show_correctness", problem(`show_correctness="sometimes"`), []string{"problem/p.xml:1 error InvalidSetting"}},
		{"good values", problem(`showanswer="past_due" rerandomize="onreset" show_correctness="never" max_attempts="1" weight="0" graceperiod="2 hours"`), nil},
		{"bad value in the policy", with(pol, "{\"problem/p\":\n{\"showanswer\": \"sometimes\"}}"), []string{pol + ":2 error InvalidSetting"}},
		{"bad date", problem(`due="soon"`), []string{"problem/p.xml:1 error InvalidSetting"}},
		{"bad grace period", problem(`graceperiod="soon"`), []string{"problem/p.xml:1 error InvalidSetting"}},
		{"no attempts", problem(`max_attempts="0"`), []string{"problem/p.xml:1 error InvalidSetting"}},
		{"negative weight", problem(`weight="-1"`), []string{"problem/p.xml:1 error InvalidSetting"}},
		{"no org", with("course.xml", `<course url_name="r" course="c"/>`), []string{"course.xml:1 error InvalidSetting"}},
		{"no number", with("course.xml", `<course url_name="r" org="o"/>`), []string{"course.xml:1 error InvalidSetting"}},
		{"no start", with("course/r.xml", course("")), []string{"course/r.xml:1 error InvalidSetting"}},
		{"no picture", with("course/r.xml", `<course display_name="C" start="2030-01-01"><chapter url_name="a"/></course>`),
			[]string{"course/r.xml:1 error InvalidSetting"}},
		{"timed exam", with("sequential/s.xml", `<sequential display_name="S" is_time_limited="true"><vertical url_name="v"/></sequential>`),
			[]string{"sequential/s.xml:1 error InvalidSetting"}},
		{"timed exam, enabled", with("sequential/s.xml", `<sequential display_name="S" is_time_limited="true"><vertical url_name="v"/></sequential>`,
			"course/r.xml", course(`start="2030-01-01" enable_timed_exams="true"`)), nil},
		{"discussion without category", unit(`<discussion url_name="d" xblock-family="xblock.v1" display_name="D" discussion_target="t"/>`),
			[]string{"vertical/v.xml:2 error InvalidSetting"}},
		{"lti without id", unit(`<lti url_name="l"/>`, "lti/l.xml", `<lti display_name="L" launch_url="x"/>`, "course/r.xml", course(ltiCourse)),
			[]string{"lti/l.xml:1 error InvalidSetting", "lti/l.xml:1 info Obsolete"}},
		{"drag and drop with a list", unit(`<drag-and-drop-v2 url_name="d" xblock-family="xblock.v1" display_name="D" data="[]"/>`),
			[]string{"vertical/v.xml:2 error InvalidSetting"}},
		{"openassessment without dates", unit(`<openassessment url_name="x" submission_start="2030-02-01"><rubric/></openassessment>`),
			[]string{"vertical/v.xml:2 error InvalidSetting"}},
		{"openassessment with a bad date", unit(strings.Replace(ora, "2030-03-01", "soon", 1)), []string{"vertical/v.xml:2 error InvalidSetting"}},
		{"step with a bad date", unit(strings.Replace(ora, "<rubric/>", "\n<assessments><assessment name=\"self-assessment\" due=\"soon\"/></assessments>", 1)),
			[]string{"vertical/v.xml:3 error InvalidSetting"}},

		{"course that ends first", with("course/r.xml", course(`start="2030-01-01" end="2029-01-01"`)), []string{"course/r.xml:1 warning DateOrdering"}},
		{"start before the course", with("chapter/a.xml", `<chapter display_name="C" start="2029-01-01"><sequential url_name="s"/></chapter>`),
			[]string{"chapter/a.xml:1 warning DateOrdering"}},
		{"start after the course", with("course/r.xml", course(`start="2030-01-01" end="2031-01-01"`),
			"problem/p.xml", `<problem display_name="P" start="2032-01-01"><p/></problem>`), []string{"problem/p.xml:1 warning DateOrdering"}},
		{"due before the course", problem(`due="2029-01-01"`), []string{"problem/p.xml:1 warning DateOrdering"}},
		{"due before its start", problem(`start="2030-03-01" due="2030-02-01"`), []string{"problem/p.xml:1 warning DateOrdering"}},
		{"due after the course", with("course/r.xml", course(`start="2030-01-01" end="2031-01-01"`),
			"problem/p.xml", `<problem display_name="P" due="2032-01-01"><p/></problem>`), []string{"problem/p.xml:1 warning DateOrdering"}},
		{"openassessment before the course", unit(strings.Replace(ora, "2030-02-01", "2029-01-01", 1)), []string{"vertical/v.xml:2 warning DateOrdering"}},
		{"step due before the course", unit(strings.Replace(ora, "<rubric/>", "\n<assessments><assessment name=\"self-assessment\" due=\"2029-01-01\"/></assessments>", 1)),
			[]string{"vertical/v.xml:3 warning DateOrdering"}},

		{"lti without passport", unit(`<lti_consumer url_name="l" xblock-family="xblock.v1" display_name="L" lti_id="i"/>`, "course/r.xml", course(ltiCourse)),
			[]string{"vertical/v.xml:2 error LTIError"}},
		{"lti that is not enabled", unit(`<lti_consumer url_name="l" xblock-family="xblock.v1" display_name="L"/>`), []string{"vertical/v.xml:2 error LTIError"}},
		{"lti", unit(`<lti url_name="l"/>`, "lti/l.xml", lti, "course/r.xml", course(ltiCourse+` lti_passports="[&quot;i:k:s&quot;]"`)),
			[]string{"course/r.xml:1 info SecretInArchive", "lti/l.xml:1 info Obsolete"}},
		{"discussion in a file", unit(`<discussion url_name="d"/>`, "discussion/d.xml", `<discussion display_name="D" discussion_category="c" discussion_target="t"/>`),
			[]string{"discussion/d.xml:1 info Obsolete"}},
		{"missing picture", with("static/c.png", ""), []string{"course/r.xml:1 warning MissingFile"}},
		{"missing static file", with("html/h.html", "\n<img src='/static/none.png'>"), []string{"html/h.html:2 warning MissingFile"}},
		{"missing static file of a problem", with("problem/p.xml", "<problem display_name='P'>\n<img src='/static/none.png'/></problem>"),
			[]string{"problem/p.xml:2 warning MissingFile"}},
		{"static files by key, path and own address", with("static/a b/ç(1).png", "x", "html/h.html",
			`<img src="/static/a_b_ç_1_.png"><img src="/static/a%20b/ç(1).png?x#y"><img src="/asset-v1:o+c+r+type@asset+block@c.png"><a href="/c4x/o/c/asset/c.png">x</a>`), nil},
		{"no title", with("problem/p.xml", `<problem><p/></problem>`), []string{"problem/p.xml:1 warning MissingDisplayName"}},
		{"blank title", with("problem/p.xml", `<problem display_name=" "><p/></problem>`), []string{"problem/p.xml:1 warning MissingDisplayName"}},
		{"title by policy", with("problem/p.xml", `<problem><p/></problem>`, pol, `{"problem/p": {"display_name": "P"}}`), nil},
		{"title of an openassessment", unit(strings.Replace(ora, "submission_start", `display_name="O" submission_start`, 1)), []string{"vertical/v.xml:2 warning ExtraDisplayName"}},
		{"discussion id twice", unit(`<discussion url_name="d" xblock-family="xblock.v1" display_name="D" discussion_id="i" discussion_category="c" discussion_target="t"/>` + "\n" +
			`<discussion url_name="e" xblock-family="xblock.v1" display_name="D" discussion_id="i" discussion_category="c" discussion_target="t"/>`),
			[]string{"vertical/v.xml:3 error DuplicateID"}},
		{"jump nowhere", with("html/h.html", `<a href="/jump_to_id/none#x">x</a>`), []string{"html/h.html:1 warning BadJumpToLink"}},
		{"jump", with("html/h.html", `<a href="/jump_to_id/p">x</a>`), nil},
		{"courseware nowhere", with("html/h.html", `<a href="/course/courseware/a/none/">x</a>`), []string{"html/h.html:1 warning BadCourseLink"}},
		{"courseware", with("html/h.html", `<a href="/course/courseware/a/s/1?x">x</a>`), nil},

		{"unknown block", unit(`<blonk url_name="b" x="1"/>`), []string{"vertical/v.xml:2 warning UnknownBlock"}},
		{"sources that are not there", unit(`<conditional url_name="q" display_name="C" sources="i4x://o/c/problem/none; i4x://o/c/problem/p"><problem url_name="p"/></conditional>`),
			[]string{"vertical/v.xml:2 warning DanglingReference"}},
		{"children of a test that are not there", unit(`<split_test url_name="q" display_name="S" user_partition_id="1" group_id_to_child="{&quot;0&quot;: &quot;block-v1:o+c+r+type@vertical+block@none&quot;}"><problem url_name="p"/></split_test>`),
			[]string{"vertical/v.xml:2 warning DanglingReference"}},
		{"draft without parent", with("drafts/vertical/x.xml",
			`<vertical display_name="V" parent_url="i4x://o/c/sequential/none" index_in_children_list="0"><problem url_name="p"/></vertical>`),
			[]string{"drafts/vertical/x.xml:1 error DanglingReference"}},
		{"draft", with("drafts/vertical/x.xml", `<vertical display_name="V" parent_url="i4x://o/c/sequential/s" index_in_children_list="0"><html url_name="d"/></vertical>`,
			"drafts/html/d.xml", `<html filename="d"/>`, "drafts/html/d.html", "</b>"),
			[]string{"drafts/html/d.html:1 warning InvalidHTML", "drafts/html/d.xml:1 warning MissingDisplayName"}},
		{"draft of a unit that is published", with("drafts/vertical/v.xml", `<vertical display_name="" parent_url="i4x://o/c/sequential/s" index_in_children_list="0"><html url_name="h"/></vertical>`),
			[]string{"drafts/vertical/v.xml warning MissingDisplayName"}},
		{"library", map[string]string{
			"library.xml":   `<library url_name="library" xblock-family="xblock.v1" display_name="L" org="o" library="l"><problem url_name="p"/></library>`,
			"problem/p.xml": `<problem showanswer="sometimes"><p/></problem>`,
		}, []string{"problem/p.xml:1 error InvalidSetting", "problem/p.xml:1 warning MissingDisplayName"}},
		{"other courses", with("html/h.html", "<a href='/c4x/a/b/asset/x.png'>x</a>\n<a href='https://example.com/courses/course-v1:a+b+c/about'>x</a>\n"+
			"<a href='/courses/a/b/c/info'>x</a>\n<a href='/courses/course-v1:o+c+r/info'>x</a>"),
			[]string{"html/h.html:1 info ForeignLink", "html/h.html:2 info ForeignLink", "html/h.html:3 info ForeignLink"}},
		{"secrets", with("course/r.xml", course(`start="2030-01-01" lti_passports="[&quot;i:k:s&quot;]"`)), []string{"course/r.xml:1 info SecretInArchive"}},
		{"names alike", with("static/C.png", "x"), []string{"static/c.png warning DuplicateEntry"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := put(t, tt.files)
			r := validate(t, path)
			want := slices.Clone(tt.want)
			for i := range want {
				want[i] = strings.Replace(want[i], "ARCHIVE", path, 1)
			}
			if diff := cmp.Diff(append([]string{}, want...), lines(r)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v", diff, r.Findings)
			}
			if failed := strings.Contains(strings.Join(want, "\n"), " error "); r.Failed() != failed {
				t.Errorf("Failed() = %v", r.Failed())
			}
		})
	}
}

// TestArchives shows that an archive that is refused is a report too.
func TestArchives(t *testing.T) {
	t.Parallel()
	packTar := func(headers ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil && headers[0].Size == 0 {
			t.Fatal(err)
		}
		return gz(t, b.Bytes())
	}
	var z bytes.Buffer
	zw := zip.NewWriter(&z)
	for range 2 {
		if _, err := zw.Create("course.xml"); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, want string
		data       []byte
	}{
		{"unsafe", "../x error ArchiveUnsafe", packTar(tar.Header{Name: "../x", Typeflag: tar.TypeReg})},
		{"encoding", "\xff error BadEncoding", packTar(tar.Header{Name: "\xff", Typeflag: tar.TypeReg, Format: tar.FormatGNU})},
		{"too large", "big error ArchiveTooLarge", packTar(tar.Header{Name: "big", Typeflag: tar.TypeReg, Size: 64<<20 + 1})},
		{"duplicate", "course.xml error DuplicateEntry", z.Bytes()},
		{"damaged", "ARCHIVE error ArchiveDamaged", []byte("no archive")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{strings.Replace(tt.want, "ARCHIVE", path, 1)}, lines(validate(t, path))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := Path(context.Background(), filepath.Join(t.TempDir(), "none"), archive.Limits{}, archive.Options{}); err == nil {
		t.Error("a missing archive is validated")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Path(ctx, put(t, sound), archive.Limits{}, archive.Options{}); err == nil {
		t.Error("a cancelled validation reports")
	}
}

func gz(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}
