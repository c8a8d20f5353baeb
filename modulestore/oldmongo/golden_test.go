package oldmongo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
)

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

func TestGoldenBlocks(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "dump/edxapp/modulestore.bson.gz") {
		if !expected.Has(t, set, "expected.json.gz") {
			continue
		}
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			want := expected.Read(t, set)
			s := open(t, set)
			if len(s.Courses()) != len(want.Courses) {
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
				rules := expected.Rules{Orphans: c.Orphans(), Key: func(id courseware.BlockID) string {
					return fmt.Sprintf("i4x://%s/%s/%s/%s", shape.Of.Org, shape.Of.Course, id.Type, id.Name)
				}}
				w.Branches["published"].Compare(t, c.Published, rules)
				rules.Elsewhere = c.twinAbove
				w.Branches["draft"].Compare(t, c.Draft, rules)
				for name, b := range map[string]*modulestore.Branch{"draft": c.Draft, "published": c.Published} {
					for _, block := range w.Branches[name].Blocks {
						c.compareEdits(t, b, block)
					}
				}
			}
		})
	}
}

// compareEdits compares what the old store alone keeps.
func (c *Course) compareEdits(t *testing.T, b *modulestore.Branch, w expected.Block) {
	t.Helper()
	block := b.Block(courseware.BlockID{Type: w.Type, Name: w.ID})
	var by *int64
	var on *time.Time
	if json.Unmarshal(w.SubtreeEditedBy, &by) != nil || json.Unmarshal(w.SubtreeEditedOn, &on) != nil {
		t.Fatalf("%s: %s", w.UsageKey, w.SubtreeEditedOn)
	}
	e := block.Edit
	if !expected.SamePerson(e.SubtreeBy, by) || !expected.SameMoment(e.SubtreeOn, on) ||
		!expected.SamePerson(e.PublishedBy, w.PublishedBy) || !expected.SameMoment(e.PublishedOn, w.PublishedOn) {
		t.Errorf("%s: edits are %+v, want %+v", w.UsageKey, e, w)
	}
	if got := c.Published.Block(block.ID) != nil; got != w.HasPublished {
		t.Errorf("%s: published is %v", w.UsageKey, got)
	}
}

// twinAbove reports whether what a block of the draft inherits may come from the wrong view in the real store: a block above
// it has two documents (OM-30), or only the other view has its parent.
func (c *Course) twinAbove(id courseware.BlockID) bool {
	parent, ok := c.Draft.Parent(id)
	if !ok {
		return true
	}
	for ; ok; parent, ok = c.Draft.Parent(parent) {
		if p := c.Published.Block(parent); p != nil && p != c.Draft.Block(parent) {
			return true
		}
	}
	return false
}

// TestGoldenAnomalies checks that every anomaly is met where it was put.
func TestGoldenAnomalies(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "anomalies.json") {
		var want struct {
			MainCourse string `json:"main_course"`
			Anomalies  []struct {
				Code string
				IDs  []struct{ Org, Course, Category, Name string }
			}
		}
		if err := json.Unmarshal(golden.Read(t, "modulestore/"+set+"/anomalies.json"), &want); err != nil {
			t.Fatal(err)
		}
		s := open(t, set)
		met := map[modulestore.OldCourse]map[modulestore.Rule]bool{}
		for _, shape := range s.Courses() {
			if met[shape.Of] == nil {
				met[shape.Of] = map[modulestore.Rule]bool{}
			}
			for _, p := range shape.Problems.Problems() {
				met[shape.Of][p.Rule] = true
			}
			if c, err := s.Load(shape); err != nil || c.Draft.Len() != shape.Blocks {
				t.Errorf("%s: %v", shape.Key(), err)
			}
		}
		n := 0
		for _, a := range want.Anomalies {
			for _, code := range strings.Split(a.Code, "/OM-") {
				rule := modulestore.Rule(code)
				if rule.Text() == "" { // of OM-7 and OM-13 to OM-15 nothing is counted
					continue
				}
				n++
				if id := a.IDs[0]; !met[modulestore.OldCourse{Org: id.Org, Course: id.Course}][rule] {
					t.Errorf("%s: %s was not met in %s/%s", set, rule, id.Org, id.Course)
				}
			}
		}
		if i := slices.IndexFunc(s.Courses(), func(s *Shape) bool { return s.Key() == want.MainCourse }); i < 0 || n == 0 {
			t.Errorf("%s: no course %s, %d anomalies", set, want.MainCourse, n)
		}
	}
}

// TestGoldenJournal checks the number of documents that the journal ends with, and that a census says the same as a reading.
// What the journal says of single blocks is overtaken by its later steps.
func TestGoldenJournal(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "journal.json") {
		if !expected.Has(t, set, "dump/edxapp/modulestore.bson.gz") {
			continue
		}
		var steps []struct{ Documents int }
		if err := json.Unmarshal(golden.Read(t, "modulestore/"+set+"/journal.json"), &steps); err != nil {
			t.Fatal(err)
		}
		src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
		if err != nil {
			t.Fatal(err)
		}
		docs, census := 0, NewCensus()
		err = src.Scan(t.Context(), modulestore.Pass{Want: func(c string) bool { return c == modulestore.CollectionBlocks }, Doc: func(_ string, d bson.Doc) error {
			docs++
			census.Add(d)
			return nil
		}})
		if err != nil || docs != steps[len(steps)-1].Documents {
			t.Errorf("%s: %d documents, want %d (%v)", set, docs, steps[len(steps)-1].Documents, err)
		}
		for i, b := range open(t, set).Courses() {
			a := census.Courses()[i]
			if a.Blocks != b.Blocks || a.Drafts != b.Drafts || a.Bytes != b.Bytes || !a.LastEdit.Equal(b.LastEdit) || !slices.Equal(a.Problems.Problems(), b.Problems.Problems()) {
				t.Errorf("a census says %+v, a reading %+v", a, b)
			}
		}
	}
}
