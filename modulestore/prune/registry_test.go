package prune

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/split"
)

// described is a course of twelve drafts a to l, with an LMS.
func described(t *testing.T) (*site, *memory, []modulestore.ID, split.Index) {
	t.Helper()
	s, m := memorySite(t, 1)
	s.withLMS()
	ids := s.chain(12)
	return s, m, ids, s.lms.rows[s.some().name()]
}

// TestPlanAsksLMS keeps what the index, its history, outlines and grades of the LMS name, and leaves a course alone of which the
// sources do not agree (PR-1, PR-5).
func TestPlanAsksLMS(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, c := range []struct {
		name    string
		change  func(l *lms, x split.Index, ids []modulestore.ID, now time.Time)
		goes    string
		status  string
		sources []string // that differ
		why     string
	}{
		{"nothing more", func(*lms, split.Index, []modulestore.ID, time.Time) {}, "abcdefghij", "", nil, ""},
		{"an outline", func(l *lms, _ split.Index, ids []modulestore.ID, _ time.Time) {
			l.named = []named{{Reference{whyOutline, ids[2]}, time.Time{}}}
		}, "abdefghij", "", nil, whyOutline},
		{"a grade", func(l *lms, _ split.Index, ids []modulestore.ID, _ time.Time) {
			l.named = []named{{Reference{whyGrade, ids[3]}, time.Time{}}, {Reference{whyGrade, ids[3]}, time.Time{}}}
		}, "abcefghij", "", nil, whyGrade},
		{"history", func(l *lms, x split.Index, ids []modulestore.ID, now time.Time) {
			old := x
			old.Draft, old.LastUpdate = ids[4], now.Add(-10*day)
			x.LastUpdate = now.Add(-9 * day)
			l.past = []past{{x: old}, {x: x}}
		}, "abcdfghij", "", nil, whyIndex},
		{"old history", func(l *lms, x split.Index, ids []modulestore.ID, now time.Time) {
			x.Draft, x.LastUpdate = ids[4], now.Add(-1000*day)
			l.past = []past{{x: x}}
		}, "abcdefghij", "", nil, ""},
		{"history ends otherwise", func(l *lms, x split.Index, ids []modulestore.ID, now time.Time) {
			x.Draft, x.LastUpdate = ids[4], now.Add(-day)
			l.past = []past{{x: x}}
		}, "", "refused", []string{fromMongo, fromHistory, fromTable}, ""},
		{"history says deleted", func(l *lms, x split.Index, _ []modulestore.ID, now time.Time) {
			x.LastUpdate = now.Add(-day)
			l.past = []past{{x, true}}
		}, "", "refused", []string{fromMongo, fromHistory, fromTable}, ""},
		{"another head", func(l *lms, x split.Index, ids []modulestore.ID, _ time.Time) {
			x.Draft, l.past = ids[6], nil
			l.rows[x.Name] = x
		}, "", "refused", []string{fromMongo, fromTable}, ""},
		{"not in SQL", func(l *lms, _ split.Index, _ []modulestore.ID, _ time.Time) { clear(l.rows); l.past = nil }, "", "refused", []string{fromMongo, fromTable}, ""},
	} {
		s, m, ids, x := described(t)
		now := s.now.AddDate(1, 0, 0)
		c.change(s.lms, x, ids, now)
		p, goes := going(t, m, Options{Policy: Policy{Last: 1}, Now: now, Registry: s.lms}, ids)
		if goes != c.goes || p.Courses[0].Status != c.status || c.why != "" && p.Courses[0].Why[c.why] != 1 {
			t.Errorf("%s: %q go, %+v; want %q", c.name, goes, p.Courses[0], c.goes)
		}
		var sources []string
		for _, d := range p.Differences {
			sources = append(sources, slices.Sorted(maps.Keys(d.Heads))...)
		}
		if diff := cmp.Diff(c.sources, sources); diff != "" {
			t.Errorf("%s: sources that differ (-want +got)\n%s", c.name, diff)
		}
		if p.Registry != "lms" || len(p.Sources) != 4 {
			t.Errorf("%s: asked %+v of %q", c.name, p.Sources, p.Registry)
		}
	}
}

// TestUnionStays keeps both histories where the sources do not agree, also a head that SQL alone has.
func TestUnionStays(t *testing.T) {
	t.Parallel()
	s, m, ids, x := described(t)
	other := s.chain(3)
	s.now = s.now.AddDate(1, 0, 0)
	mine := s.lms.rows[x.Name]
	mine.Published, s.lms.past = other[2], nil
	s.lms.rows[x.Name] = mine
	for name, r := range s.rows { // the second course was deleted from both
		if r.name() != x.Name {
			delete(s.rows, name)
			delete(s.lms.rows, r.name())
			delete(m.docs[modulestore.CollectionIndexes], r.id)
		}
	}
	_, goes := going(t, m, Options{Policy: Policy{Last: 1}, Now: s.now, Registry: s.lms}, append(ids, other...))
	if goes != "" {
		t.Errorf("%q go", goes)
	}
}

// TestApplyAsksLMSAgain skips what the LMS names since the plan was made (PR-4), and refuses to go on without it.
func TestApplyAsksLMSAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(s *site, x split.Index, ids []modulestore.ID)
		stays  string // of a to j
		moved  int
	}{
		{"nothing", func(*site, split.Index, []modulestore.ID) {}, "", 0},
		{"a grade", func(s *site, _ split.Index, ids []modulestore.ID) {
			s.lms.named = append(s.lms.named, named{Reference{whyGrade, ids[2]}, s.now})
		}, "c", 0},
		{"a head that came and went", func(s *site, x split.Index, ids []modulestore.ID) {
			x.Draft, x.LastUpdate = ids[3], s.now
			s.lms.past = append(s.lms.past, past{x: x})
		}, "d", 0},
		{"SQL moves, MongoDB misses it", func(s *site, x split.Index, ids []modulestore.ID) {
			x.Draft = ids[4]
			s.lms.rows[x.Name] = x
		}, "abcdefghij", 1},
		{"deleted in SQL", func(s *site, x split.Index, _ []modulestore.ID) { delete(s.lms.rows, x.Name) }, "abcdefghij", 1},
		{"written again with the same heads", func(s *site, _ split.Index, _ []modulestore.ID) { s.save(s.some()) }, "abcdefghij", 1},
	} {
		s, m, ids, x := described(t)
		s.now = s.now.AddDate(1, 0, 0)
		dir := t.TempDir()
		path := filepath.Join(dir, "plan.json")
		if _, err := Make(t.Context(), m, Options{Policy: Policy{Last: 1}, Now: s.now, Registry: s.lms}, path); err != nil {
			t.Fatal(err)
		}
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(time.Hour)
		o := ApplyOptions{Archive: filepath.Join(dir, "archive"), Batch: 3, Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour}
		if _, err := Apply(t.Context(), m, p, o); !fault.Is(err, fault.Refused) {
			t.Errorf("%s: without the LMS: %v", c.name, err)
		}
		c.change(s, x, ids)
		o.Registry, s.lms.asked = s.lms, 0
		r, err := Apply(t.Context(), m, p, o)
		if err != nil {
			t.Fatal(err)
		}
		stays := ""
		for i, id := range ids[:10] {
			if s.exists(id) {
				stays += string(rune('a' + i))
			}
		}
		if stays != c.stays || len(r.Skipped) != c.moved || s.lms.asked < 2 {
			t.Errorf("%s: %q stay and %v are skipped, want %q and %d; the LMS was asked %d times", c.name, stays, r.Skipped, c.stays, c.moved, s.lms.asked)
		}
	}
}
