package prune

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/split"
)

// pruned plans and applies, and returns the plan and the archive.
func (s *site) pruned(m Database, o Options) (*Plan, string) {
	s.t.Helper()
	dir := s.t.TempDir()
	path, archive := filepath.Join(dir, "plan.json"), filepath.Join(dir, "archive")
	o.Now = s.now
	if _, err := Make(s.t.Context(), m, o, path); err != nil {
		s.t.Fatal(err)
	}
	p, err := Open(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := Apply(s.t.Context(), m, p, ApplyOptions{Archive: archive, Batch: 3, Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour}); err != nil {
		s.t.Fatal(err)
	}
	return p, archive
}

// history returns what a reader finds before a head, as letters with the number removed before each.
func history(t *testing.T, m *memory, head modulestore.ID, ids []modulestore.ID) string {
	t.Helper()
	h, err := split.ReadHistories(t.Context(), stored(m), nil)
	if err != nil {
		t.Fatal(err)
	}
	list, _ := h.Of(head, 0)
	var out strings.Builder
	for _, v := range list {
		if v.Removed > 0 {
			out.WriteString("(" + string(rune('0'+v.Removed)) + ")")
		}
		out.WriteByte(byte('a' + slices.Index(ids, v.ID)))
	}
	return out.String()
}

// TestGapsAreNoted prunes one course again and again: readers and later plans go on behind the gaps, the notes count everything
// that was there, the platform's documents are as they were, and undo brings back the notes of before (PR-8).
func TestGapsAreNoted(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	ids := s.chain(12) // a to l
	head := ids[11]
	s.now = s.now.AddDate(1, 0, 0)
	pins := func(letters string) (out []Pin) {
		for _, l := range letters {
			out = append(out, Pin{Version: ids[l-'a']})
		}
		return out
	}
	before := map[modulestore.ID]string{}
	for id, d := range m.docs[modulestore.CollectionStructures] {
		before[id] = string(d)
	}
	var archives []string
	var states []map[modulestore.ID]string
	for _, step := range []struct {
		pins, want string
		cuts, gaps int
	}{
		{"cfg", "(2)c(2)fg(3)kl", 3, 0},
		{"f", "(5)f(4)kl", 2, 3},
		{"", "(:)kl", 1, 2}, // : is ten
		{"", "(:)kl", 0, 1},
	} {
		state := map[modulestore.ID]string{}
		for id, d := range m.docs[modulestore.CollectionCuts] {
			state[id] = string(d)
		}
		states = append(states, state)
		p, archive := s.pruned(m, Options{Policy: Policy{Last: 1}, Pins: pins(step.pins)})
		if got := history(t, m, head, ids); got != step.want || p.Cuts != step.cuts || p.Courses[0].Gaps != step.gaps || p.Courses[0].Truncated {
			t.Errorf("pins %q: %q, want %q; %d cuts, %d gaps, %+v", step.pins, got, step.want, p.Cuts, p.Courses[0].Gaps, p.Courses[0])
		}
		archives = append(archives, archive)
	}
	for id, d := range m.docs[modulestore.CollectionStructures] {
		if before[id] != string(d) {
			t.Errorf("structure %s was changed", id)
		}
	}
	for i, archive := range slices.Backward(archives) {
		if _, err := Undo(t.Context(), m, archive, "jo", s.now, nil); err != nil {
			t.Fatal(err)
		}
		got := map[modulestore.ID]string{}
		for id, d := range m.docs[modulestore.CollectionCuts] {
			got[id] = string(d)
		}
		if !maps.Equal(states[i], got) {
			t.Errorf("notes after undo of plan %d (-want +got)\n%s", i+1, cmp.Diff(states[i], got))
		}
	}
	if got := history(t, m, head, ids); got != "abcdefghijkl" {
		t.Errorf("in the end %q", got)
	}
}

// TestGapsWithoutNotes takes back the notes of a course of which something stayed against the plan, which they would
// hide (PR-8).
func TestGapsWithoutNotes(t *testing.T) {
	t.Parallel()
	s, m, ids, _ := described(t)
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
	s.lms.named = append(s.lms.named, named{Reference{whyGrade, ids[2]}, s.now})
	o := ApplyOptions{Archive: filepath.Join(dir, "archive"), Batch: 3, Registry: s.lms, Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour}
	if _, err := Apply(t.Context(), m, p, o); err != nil {
		t.Fatal(err)
	}
	if n := len(m.docs[modulestore.CollectionCuts]); n != 0 || p.Cuts != 1 {
		t.Errorf("%d notes of %d are there", n, p.Cuts)
	}
	if p, _ := going(t, m, Options{Policy: Policy{Last: 1}, Now: s.now, Registry: s.lms}, ids); !p.Courses[0].Truncated {
		t.Errorf("%+v", p.Courses[0])
	}
}
