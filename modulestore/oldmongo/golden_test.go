package oldmongo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
)

// inheritable are the fields that blocks take from above, by what the store may say of them (modulestore.md §4.7).
var inheritable = strings.Fields(`graded start due relative_weeks_due visible_to_staff_only course_edit_method giturl xqa_key graceperiod
	group_access showanswer show_correctness rerandomize days_early_for_beta static_asset_path use_latex_compiler max_attempts
	matlab_api_key user_partitions video_speed_optimizations video_auto_advance video_bumper show_reset_button edxnotes
	in_entrance_exam self_paced`)

// expected is what the real store answered.
type expected struct {
	Courses []struct {
		CourseKey string                    `json:"course_key"`
		Branches  map[string]expectedBranch `json:"branches"`
	} `json:"courses"`
}

type expectedBranch struct {
	Root     string            `json:"root"`
	Blocks   []expectedBlock   `json:"blocks"`
	Preorder []json.RawMessage `json:"preorder"`
	Orphans  []string          `json:"orphans"`
}

type expectedBlock struct {
	UsageKey  string                                `json:"usage_key"`
	Type      string                                `json:"type"`
	ID        string                                `json:"id"`
	Children  []string                              `json:"children"`
	Parent    *string                               `json:"parent"`
	Fields    map[string]map[string]json.RawMessage `json:"fields"`
	Effective map[string]json.RawMessage            `json:"effective_inheritable_non_default"`

	EditedBy        *int64     `json:"edited_by"`
	EditedOn        *time.Time `json:"edited_on"`
	SubtreeEditedBy *int64     `json:"subtree_edited_by"`
	SubtreeEditedOn *time.Time `json:"subtree_edited_on"`
	PublishedBy     *int64     `json:"published_by"`
	PublishedOn     *time.Time `json:"published_on"`
	HasPublished    bool       `json:"has_published_version"`
}

func open(t *testing.T, set string) *Store {
	t.Helper()
	src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Read(t.Context(), src, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func i4x(of modulestore.OldCourse, id courseware.BlockID) string {
	return fmt.Sprintf("i4x://%s/%s/%s/%s", of.Org, of.Course, id.Type, id.Name)
}

func TestGoldenBlocks(t *testing.T) {
	t.Parallel()
	for _, set := range []string{"oldmongo-small", "oldmongo-demo"} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			var want expected
			if err := json.Unmarshal(golden.ReadGz(t, "modulestore/"+set+"/expected.json.gz"), &want); err != nil {
				t.Fatal(err)
			}
			s := open(t, set)
			if len(s.Courses()) != len(want.Courses) || len(want.Courses) == 0 {
				t.Fatalf("%d courses, want %d", len(s.Courses()), len(want.Courses))
			}
			for _, w := range want.Courses {
				i := slices.IndexFunc(s.Courses(), func(s *Shape) bool { return s.Of.Org+"/"+s.Of.Course+"/"+s.Run == w.CourseKey })
				if i < 0 {
					t.Fatalf("no course %s", w.CourseKey)
				}
				shape := s.Courses()[i]
				c, err := s.Load(shape)
				if err != nil {
					t.Fatal(err)
				}
				compareBranch(t, shape, c, c.Draft, w.Branches["draft"])
				compareBranch(t, shape, c, c.Published, w.Branches["published"])
			}
		})
	}
}

func compareBranch(t *testing.T, shape *Shape, c *Course, b *modulestore.Branch, want expectedBranch) {
	t.Helper()
	if got := i4x(shape.Of, b.Root); got != want.Root {
		t.Errorf("the root is %s, want %s", got, want.Root)
	}
	var ids, wantIDs []string
	for block := range b.Blocks() {
		ids = append(ids, i4x(shape.Of, block.ID))
	}
	for _, w := range want.Blocks {
		wantIDs = append(wantIDs, w.UsageKey)
	}
	slices.Sort(ids)
	slices.Sort(wantIDs)
	if diff := cmp.Diff(wantIDs, ids); diff != "" {
		t.Errorf("blocks (-want +got)\n%s", diff)
	}
	reached := map[string]bool{}
	for block := range b.Walk() {
		reached[i4x(shape.Of, block.ID)] = true
	}
	for _, w := range want.Blocks {
		block := b.Block(courseware.BlockID{Type: w.Type, Name: w.ID})
		if block == nil {
			continue
		}
		var children []string
		for _, id := range block.Children {
			children = append(children, i4x(shape.Of, id))
		}
		if diff := cmp.Diff(w.Children, children); diff != "" && len(w.Children)+len(children) > 0 {
			t.Errorf("%s: children (-want +got)\n%s", w.UsageKey, diff)
		}
		compareFields(t, w.UsageKey, "content", w.Type, w.Fields["content"], block.Content)
		compareFields(t, w.UsageKey, "settings", w.Type, w.Fields["settings"], block.Settings)
		if got := c.Published.Block(block.ID) != nil; got != w.HasPublished {
			t.Errorf("%s: published is %v", w.UsageKey, got)
		}
		e := block.Edit
		for what, same := range map[string]bool{
			"edited": samePerson(e.By, w.EditedBy) && sameMoment(e.On, w.EditedOn), "published": samePerson(e.PublishedBy, w.PublishedBy) && sameMoment(e.PublishedOn, w.PublishedOn),
			"subtree edited": samePerson(e.SubtreeBy, w.SubtreeEditedBy) && sameMoment(e.SubtreeOn, w.SubtreeEditedOn),
		} {
			if !same {
				t.Errorf("%s: %s is not as in %+v", w.UsageKey, what, w)
			}
		}
		for _, name := range inheritable {
			want, set := w.Effective[name]
			f, _ := fields.Inherited(name)
			got := b.Setting(block.ID, name)
			if !set {
				want = json.RawMessage(ownDefault(w.Type, f))
			}
			if !sameValue(f.Type, got, courseware.Value(want)) && !twinAbove(c, b, block.ID) {
				t.Errorf("%s: %s counts with %s, want %s", w.UsageKey, name, got, want)
			}
		}
		parent := ""
		if w.Parent != nil {
			parent = *w.Parent
		}
		// The store takes parents that are orphans themselves, or list the block in the other view; by L-7 they are none.
		if id, ok := b.Parent(block.ID); ok && i4x(shape.Of, id) != parent || !ok && parent != "" && reached[parent] && lists(b, parent, w.UsageKey, shape.Of) {
			t.Errorf("%s: the parent is %v, want %s", w.UsageKey, id, parent)
		}
	}
	var orphans []string
	for _, id := range c.Orphans() {
		orphans = append(orphans, i4x(shape.Of, id))
	}
	slices.Sort(orphans)
	slices.Sort(want.Orphans)
	if !slices.Equal(orphans, want.Orphans) {
		t.Errorf("orphans %v, want %v", orphans, want.Orphans)
	}
	var order, wantOrder []string
	for block, depth := range b.Walk() {
		order = append(order, fmt.Sprint(depth, " ", i4x(shape.Of, block.ID)))
	}
	for _, raw := range want.Preorder {
		var pair []any
		if err := json.Unmarshal(raw, &pair); err != nil {
			t.Fatal(err)
		}
		// The store names children that are not in the view too (OM-20).
		if slices.Contains(ids, pair[1].(string)) {
			wantOrder = append(wantOrder, fmt.Sprint(pair[0], " ", pair[1]))
		}
	}
	if diff := cmp.Diff(wantOrder, order); diff != "" {
		t.Errorf("preorder (-want +got)\n%s", diff)
	}
}

// twinAbove reports whether what a block inherits may come from the wrong view in the real store: a block above it has two
// documents (OM-30), or only the other view has its parent.
func twinAbove(c *Course, b *modulestore.Branch, id courseware.BlockID) bool {
	if b == c.Published {
		return false
	}
	parent, ok := b.Parent(id)
	if !ok {
		return true
	}
	for ; ok; parent, ok = b.Parent(parent) {
		if p := c.Published.Block(parent); p != nil && p != b.Block(parent) {
			return true
		}
	}
	return false
}

func samePerson(a, b *int64) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

func sameMoment(a time.Time, b *time.Time) bool {
	return b == nil && a.IsZero() || b != nil && a.Equal(*b)
}

// ownDefault is the default that a type has for an inheritable field.
func ownDefault(blockType string, f fields.Field) courseware.Value {
	if spec := fields.Lookup(blockType); spec != nil {
		f, _ = spec.Field(f.Name)
	}
	return f.Default
}

// lists reports whether a block of the view has another one as a child.
func lists(b *modulestore.Branch, parent, child string, of modulestore.OldCourse) bool {
	for block := range b.Blocks() {
		if i4x(of, block.ID) == parent {
			return slices.ContainsFunc(block.Children, func(id courseware.BlockID) bool { return i4x(of, id) == child })
		}
	}
	return false
}

// compareFields compares values as package fields understands them.
func compareFields(t *testing.T, where, scope, blockType string, want map[string]json.RawMessage, got courseware.Fields) {
	t.Helper()
	kind := func(name string) fields.Type {
		if spec := fields.Lookup(blockType); spec != nil {
			if f, ok := spec.Field(name); ok {
				return f.Type
			}
		}
		return fields.String
	}
	for name, raw := range want {
		v, ok := got.Lookup(name)
		if !ok {
			t.Errorf("%s: no %s %s", where, scope, name)
			continue
		}
		if !sameValue(kind(name), v, courseware.Value(raw)) {
			t.Errorf("%s: %s %s is %s, want %s", where, scope, name, v, raw)
		}
	}
	for _, f := range got {
		if _, ok := want[f.Name]; !ok {
			t.Errorf("%s: %s has %s as %s, which the store does not", where, scope, f.Name, f.Value)
		}
	}
}

func sameValue(kind fields.Type, a, b courseware.Value) bool {
	plain := func(v courseware.Value) string {
		if kind == fields.Date || kind == fields.Timedelta || kind == fields.RelativeTime {
			v = fields.Normal(kind, v)
		}
		p, _, err := pyjson.Parse(string(v))
		if err != nil {
			return string(v)
		}
		return p.Sorted().Plain()
	}
	return plain(a) == plain(b)
}

// TestGoldenAnomalies checks that every anomaly is met where it was put.
func TestGoldenAnomalies(t *testing.T) {
	t.Parallel()
	var want struct {
		Documents  int
		MainCourse string `json:"main_course"`
		Anomalies  []struct {
			Code string
			IDs  []struct{ Org, Course, Category, Name string }
		}
	}
	if err := json.Unmarshal(golden.Read(t, "modulestore/oldmongo-anomalies-handmade/anomalies.json"), &want); err != nil {
		t.Fatal(err)
	}
	s := open(t, "oldmongo-anomalies-handmade")
	met := map[modulestore.Rule]string{}
	for _, shape := range s.Courses() {
		for _, p := range shape.Problems.Problems() {
			met[p.Rule] += shape.Of.Org + "/" + shape.Of.Course + " " + p.First + "; "
		}
		t.Logf("%v/%s: %d blocks, %d drafts, %v", shape.Of, shape.Run, shape.Blocks, shape.Drafts, shape.Problems.Problems())
	}
	for _, a := range want.Anomalies {
		for _, code := range strings.Split(a.Code, "/OM-") {
			rule := modulestore.Rule(code)
			if !strings.HasPrefix(code, "A") && !strings.HasPrefix(code, "OM-") {
				rule = modulestore.Rule("OM-" + code)
			}
			if rule.Text() == "" { // OM-7, OM-13 to OM-15: not counted, see below
				continue
			}
			if met[rule] == "" {
				t.Errorf("%s was not met", rule)
			}
		}
	}
	if slices.ContainsFunc(s.Courses(), func(s *Shape) bool { return s.Of.Org == "edx" }) {
		t.Error("the templates are a course (OM-7)")
	}
	i := slices.IndexFunc(s.Courses(), func(s *Shape) bool { return s.Of.Org+"/"+s.Of.Course+"/"+s.Run == want.MainCourse })
	if i < 0 {
		t.Fatal("no main course")
	}
	c, err := s.Load(s.Courses()[i])
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind, name string) *modulestore.Block {
		b := c.Draft.Block(courseware.BlockID{Type: kind, Name: name})
		if b == nil {
			t.Fatalf("no %s %s", kind, name)
		}
		return b
	}
	if b := block("html", "h_str"); !slices.Equal(b.Content, courseware.Fields{{Name: "data", Value: `"<p>string data</p>"`}}) ||
		!b.Edit.PublishedOn.Equal(time.Date(2012, 9, 1, 13, 5, 0, 0, time.UTC)) || b.Edit.PublishedBy == nil || *b.Edit.PublishedBy != 21 || len(b.Settings) != 1 {
		t.Errorf("h_str is %+v", b)
	}
	if b := block("html", "h_null"); len(b.Content) > 0 || !slices.Equal(b.Settings, courseware.Fields{{Name: "display_name", Value: "null"}}) {
		t.Errorf("h_null is %+v", b)
	}
	wantOld := courseware.Fields{{Name: "display_name", Value: `"Old name"`}, {Name: "max_attempts", Value: "3"}, {Name: "rerandomize", Value: `"always"`},
		{Name: "weight", Value: "2.0"}, {Name: "graceperiod", Value: `"1 day 5 hours"`}, {Name: "due", Value: `"March 4"`}, {Name: "start", Value: "1346486400000"},
		{Name: "xml_attributes", Value: `{"filename": ["problem/p.xml", "problem/p.xml"], "parent_url": "x", "index_in_children_list": 2}`}, {Name: "url_name", Value: `"old-slug"`}}
	if diff := cmp.Diff(wantOld, block("problem", "p_old").Settings); diff != "" {
		t.Errorf("p_old (-want +got)\n%s", diff)
	}
	if title, _ := block("html", "shuf").Settings.Text("display_name"); title != "Right" {
		t.Errorf("of the twins %q counts", title)
	}
	if title, _ := block("sequential", "s1").Settings.Text("display_name"); title != "S1" {
		t.Errorf("a draft of a sequential counts: %q", title)
	}
	if c.Draft.Block(courseware.BlockID{Type: "course", Name: "2012_Fall_b"}) != nil {
		t.Error("the other root is part of this course")
	}
	if got := block("html", "badutf").Content; len(got) != 1 || !strings.Contains(string(got[0].Value), "\uFFFD") {
		t.Errorf("badutf is %v", got)
	}
}

// TestGoldenJournal checks the number of documents that the journal ends with, and that a census says the same as a reading.
// What the journal says of single blocks is overtaken by its later steps.
func TestGoldenJournal(t *testing.T) {
	t.Parallel()
	var steps []struct {
		Documents int
	}
	if err := json.Unmarshal(golden.Read(t, "modulestore/oldmongo-small/journal.json"), &steps); err != nil {
		t.Fatal(err)
	}
	s := open(t, "oldmongo-small")
	docs := 0
	c := NewCensus()
	src, err := dump.Open(golden.Path(t, "modulestore/oldmongo-small/dump"), "")
	if err != nil {
		t.Fatal(err)
	}
	err = src.Scan(t.Context(), modulestore.Pass{Want: func(c string) bool { return c == modulestore.CollectionBlocks }, Doc: func(_ string, d bson.Doc) error {
		docs++
		c.Add(d)
		return nil
	}})
	if err != nil || docs != steps[len(steps)-1].Documents {
		t.Errorf("%d documents, want %d (%v)", docs, steps[len(steps)-1].Documents, err)
	}
	a, b := c.Courses()[0], s.Courses()[0]
	if a.Blocks != b.Blocks || a.Drafts != b.Drafts || a.Bytes != b.Bytes || !a.LastEdit.Equal(b.LastEdit) || !slices.Equal(a.Problems.Problems(), b.Problems.Problems()) {
		t.Errorf("a census says %+v, a reading %+v", a, b)
	}
}
