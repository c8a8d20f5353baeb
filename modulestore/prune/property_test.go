package prune

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/modulestore"
)

func (s *site) policy() Policy {
	return Policy{Last: s.r.IntN(4), Days: 1 + s.r.IntN(5), Daily: s.r.IntN(3), Weekly: s.r.IntN(2), Published: s.r.IntN(3) == 0, Labelled: true}
}

// age lets a site have a history.
func (s *site) age(steps int) {
	for range steps {
		s.step()
		s.wait(12 * time.Hour)
	}
}

func (s *site) planned(db Reader, path string) (*Plan, error) {
	s.t.Helper()
	o := Options{Policy: s.policy(), Now: s.now, Grace: 20 * 24 * time.Hour, Registry: s.registry()}
	for _, id := range s.pins {
		o.Pins = append(o.Pins, Pin{Version: id})
	}
	return Make(s.t.Context(), db, o, path)
}

// TestBesideEditors interleaves everything that authors do with planning and applying, kills that at random, and runs it again
// (PR-11, PR-12): heads and pins are always whole, but for a head that an author moves back to a structure in the moment in which that is
// deleted, which is put back before the batch ends.
func TestBesideEditors(t *testing.T) {
	t.Parallel()
	seeds := 80
	if os.Getenv("LECTERN_TEST_ALL") != "" {
		seeds = 2000
	}
	removed, putBack, differ, noted := 0, 0, 0, 0
	// Editors come at random, so it goes on until they have been in the way once.
	for seed := uint64(0); seed < uint64(seeds) || (putBack == 0 || differ == 0) && seed < 10*uint64(seeds); seed++ {
		s, m := memorySite(t, seed)
		if seed%2 == 1 {
			s.withLMS()
		}
		s.age(60 + s.r.IntN(60))
		for round := range 3 {
			for id := range s.facts {
				if s.exists(id) && s.r.IntN(40) == 0 && len(s.pins) < 5 {
					s.pins = append(s.pins, id)
				}
			}
			dir := t.TempDir()
			path := filepath.Join(dir, "plan.json")
			if _, err := s.planned(m, path); err != nil {
				t.Fatal(err)
			}
			p, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			deleting, runs := false, 0
			m.hook = func(call string) error {
				if call == "delete" {
					deleting = true
				}
				if s.r.IntN(6) == 0 {
					s.wait(time.Minute)
					s.step()
				}
				if !deleting {
					if err := s.whole(m); err != nil {
						t.Fatalf("seed %d, round %d, before %s: %v", seed, round, call, err)
					}
				}
				if s.r.IntN(40+runs) == 0 {
					return errKilled
				}
				return nil
			}
			var r *Result
			for ; ; runs++ {
				r, err = Apply(t.Context(), m, p, ApplyOptions{Archive: filepath.Join(dir, "archive"), Batch: 3, Registry: s.registry(), Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour,
					Pause: func(context.Context) error { deleting = false; return nil }})
				if err == nil {
					break
				}
				if !errors.Is(err, errKilled) || runs > 1000 {
					t.Fatalf("seed %d: %v", seed, err)
				}
				s.tear(filepath.Join(dir, "archive", ledgerName))
			}
			m.hook = nil
			differ += len(p.Differences)
			removed, putBack = removed+r.Remove+r.Definitions, putBack+r.PutBack
			if err := s.whole(m); err != nil {
				t.Fatalf("seed %d, round %d, after: %v", seed, round, err)
			}
			s.load(stored(m))
			noted += s.gaps(m)
			s.age(20)
		}
	}
	if removed < 10*seeds || putBack == 0 || differ == 0 || noted == 0 {
		t.Errorf("%d documents were removed and %d put back, %d courses differed, %d gaps: this tests nothing", removed, putBack, differ, noted)
	}
}

// tear leaves a part of a line at the end of a file, as a process that is killed in the midst of writing does.
func (s *site) tear(path string) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return // killed before there was one
	}
	if s.r.IntN(2) == 0 {
		if _, err := f.WriteString(`{"batch":{"n":`); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// gaps holds every note behind which there is a gap to what was there, and returns how many there are (PR-8).
func (s *site) gaps(m *memory) (n int) {
	s.t.Helper()
	for id, d := range m.docs[modulestore.CollectionCuts] {
		c, before, removed := cutOf(d), s.facts[id].previous, 0
		if !s.exists(id) || s.exists(before) || !c.Before.IsZero() && !s.exists(c.Before) { // or its front was pruned, and what stayed spoils a new one
			continue
		}
		for ; !before.IsZero() && !s.exists(before); before = s.facts[before].previous {
			removed++
		}
		if n++; c.Before != before || c.Removed != removed {
			s.t.Errorf("the note of %s says %d before %s, there were %d before %s", id, c.Removed, c.Before, removed, before)
		}
	}
	return n
}

func content(m *memory) map[string]int {
	all := map[string]int{}
	for c, docs := range m.docs {
		for id, d := range docs {
			all[c+" "+id.String()] = len(d)
		}
	}
	return all
}

// TestKilled kills applying at each of its calls in turn: run again it ends where it would have ended (PR-11), and undo brings
// back everything (PR-10).
func TestKilled(t *testing.T) {
	t.Parallel()
	make := func() (*site, *memory, *Plan, string) {
		s, m := memorySite(t, 7)
		s.age(80)
		dir := t.TempDir()
		if _, err := s.planned(m, filepath.Join(dir, "plan.json")); err != nil {
			t.Fatal(err)
		}
		p, err := Open(filepath.Join(dir, "plan.json"))
		if err != nil {
			t.Fatal(err)
		}
		return s, m, p, filepath.Join(dir, "archive")
	}
	options := func(s *site, dir string) ApplyOptions {
		return ApplyOptions{Archive: dir, Batch: 5, By: "jo", Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour}
	}
	s, m, p, dir := make()
	before := content(m)
	r, err := Apply(t.Context(), m, p, options(s, dir))
	if err != nil {
		t.Fatal(err)
	}
	if r.Remove != p.Remove || r.Definitions != p.Definitions.Remove || r.Remove == 0 || r.Definitions == 0 || r.Left+r.PutBack+len(r.Skipped) > 0 || len(r.Courses) == 0 {
		t.Errorf("applied %+v of %d and %d", r, p.Remove, p.Definitions.Remove)
	}
	after := content(m)
	for kill := 0; ; kill++ {
		s, m, p, dir := make()
		calls := 0
		m.hook = func(string) error {
			if calls++; calls == kill+1 {
				return errKilled
			}
			return nil
		}
		_, err := Apply(t.Context(), m, p, options(s, dir))
		if err == nil {
			break
		}
		again, err := Apply(t.Context(), m, p, options(s, dir))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(after, content(m)); diff != "" {
			t.Fatalf("killed at call %d (-want +got)\n%s", kill, diff)
		}
		if again.Remove != r.Remove || again.Definitions != r.Definitions {
			t.Errorf("killed at call %d: told of %d and %d", kill, again.Remove, again.Definitions)
		}
		for n := 0; ; n++ { // undo, killed too, and twice
			calls := 0
			m.hook = func(string) error {
				if calls++; calls > 3+20*n {
					return errKilled
				}
				return nil
			}
			if _, err := Undo(t.Context(), m, dir, "jo", s.now, nil); err == nil {
				break
			} else if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(before, content(m)); diff != "" {
			t.Fatalf("undone after call %d (-want +got)\n%s", kill, diff)
		}
	}
}
