package migrator

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

const oldLibrary = "library-v1:Org+Old"

// small is the source of scenario 1.
func small(t testing.TB) *courseware.Course {
	return source(t, oldLibrary, block("html/a Intro"), block("html/b Intro"), block("problem/p Intro"))
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var first = []string{"html:intro v1 Intro", "html:intro_1 v1 Intro", "problem:intro v1 Intro"}

// TestScenario1to5: the strategies on a small legacy library.
func TestScenario1to5(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *shelf) {
		d := s.migrate(small(t), Options{}, nil)
		want(t, "after the first", s.holds(), first)
		want(t, "rows", s.rows(), []string{"html/a → html:intro", "html/b → html:intro_1", "problem/p → problem:intro"})
		if d.ChangeLog == 0 || d.PublishLog == 0 {
			t.Errorf("logs %d and %d, want one of each", d.ChangeLog, d.PublishLog)
		}
		for i := range 3 { // R1, R2, W8
			d := s.migrate(small(t), Options{}, nil)
			want(t, fmt.Sprintf("after skip %d", i), s.holds(), first)
			want(t, "rows of skip", s.rows(), []string{})
			if d.ChangeLog != 0 || d.PublishLog != 0 {
				t.Errorf("skip %d wrote the logs %d and %d", i, d.ChangeLog, d.PublishLog)
			}
		}
		changed := source(t, oldLibrary, block("html/a Begin"), block("html/b Intro"), block("problem/p Intro"))
		s.migrate(changed, Options{Repeat: Update}, nil)
		after := []string{"html:intro v2 Begin", "html:intro_1 v1 Intro", "problem:intro v1 Intro"}
		want(t, "after update", s.holds(), after)
		want(t, "rows of update", len(s.rows()), 3) // R3: also of what is equal
		s.remove("xblock.v1:html:intro_1")
		s.migrate(changed, Options{}, nil)
		want(t, "after skip with one deleted", s.holds(), []string{"html:intro v2 Begin", "html:intro_1 v2 Intro", "problem:intro v1 Intro"})
		want(t, "rows of what came back", s.rows(), []string{"html/b → html:intro_1"})
		for range 2 { // R6
			s.migrate(small(t), Options{Repeat: Fork}, nil)
		}
		want(t, "after forks", s.holds(), []string{"html:intro v2 Begin", "html:intro_1 v2 Intro", "html:intro_2 v1 Intro", "html:intro_3 v1 Intro",
			"html:intro_4 v1 Intro", "html:intro_5 v1 Intro", "problem:intro v1 Intro", "problem:intro_1 v1 Intro", "problem:intro_2 v1 Intro"})
	})
}

func chain(t testing.TB) *courseware.Course {
	return source(t, "course-v1:Org+C+R", block("chapter/c One", block("sequential/s One", block("vertical/v One",
		block("problem/p1 First"), block("problem/p2 Second")))))
}

// TestScenario6and7: levels, and W1 to W4, W10, R10.
func TestScenario6and7(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *shelf) {
		s.migrate(chain(t), Options{Level: Unit}, nil)
		want(t, "level unit", s.holds(), []string{"one v1 One", "problem:first v1 First", "problem:second v1 Second"})
		list, err := containers.EntitiesIn(t.Context(), s.db, s.entity("one"), true)
		if err != nil || len(list) != 2 || list[0].Title != "First" || list[1].Title != "Second" {
			t.Errorf("the unit holds %v (%v), want First and Second", list, err)
		}
		s.migrate(chain(t), Options{Level: Section}, nil)
		want(t, "level section later", s.holds(), []string{"one v1 One", "one_1 v1 One", "one_2 v1 One", "problem:first v1 First", "problem:second v1 Second"})
		want(t, "rows", s.rows(), []string{"chapter/c → one_2", "sequential/s → one_1"})
		list, err = containers.EntitiesIn(t.Context(), s.db, s.entity("one_1"), true)
		if err != nil || len(list) != 1 || list[0].Entity != s.entity("one") {
			t.Errorf("the subsection holds %v (%v), want the unit that was there", list, err)
		}
	})
}

// TestScenario8: what a library cannot hold, and U1 to U4, U7, U8.
func TestScenario8(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	src := source(t, "course-v1:Org+C+R", block("vertical/v Unit",
		block("library_content/lc Pool", block("html/x X"), block("html/y Y"), block("html/z Z")), block("video/w Film"), block("nonesuch/n What"),
		block("word_cloud/cloud Words")))
	s.migrate(src, Options{Level: Unit, Types: map[string]bool{"video": true, "html": true}}, nil)
	want(t, "library", s.holds(), []string{"unit v1 Unit", "video:film v1 Film"})
	want(t, "rows", s.rows(), []string{"vertical/v → unit", "library_content/lc ✗ has_children", "video/w → video:film",
		"nonesuch/n ✗ type_not_installed", "word_cloud/cloud ✗ type_not_enabled"})
	list, err := Migrations(t.Context(), s.db, s.pkg.ID)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Blocks(t.Context(), s.db, []int64{list[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	for i, words := range map[int]string{1: "It has 3 children blocks.", 3: "Invalid block type"} {
		if text := rows[i].Reason.Text; !contains(text, words) {
			t.Errorf("the reason %q does not say %q", text, words)
		}
	}
	// U5: what made it before is not judged again.
	s.migrate(src, Options{Level: Unit, Repeat: Update, Types: map[string]bool{"html": true}}, nil)
	if got := s.rows(); got[2] != "video/w → video:film" {
		t.Errorf("the video was judged again: %s", got[2])
	}
}

// TestScenario9and15: the limit, and U6, X1, X4.
func TestScenario9and15(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	s.migrate(small(t), Options{Limit: 5}, nil)
	other := source(t, "library-v1:Org+Other", block("html/1 A"), block("html/2 B"), block("html/3 C"))
	var plan *Plan
	err := s.db.View(t.Context(), func(tx *db.Tx) (err error) {
		plan, err = Preview(t.Context(), tx, s.pkg, SourceOf(other, ""), Options{Repeat: Skip, Limit: 5})
		return err
	})
	if err != nil || !plan.Over() {
		t.Errorf("the preview says over=%v (%v), want over the limit", plan != nil && plan.Over(), err)
	}
	if _, err := s.try(other, Options{Limit: 5}, nil); !fault.Is(err, fault.Refused) {
		t.Errorf("over the limit: %v, want refused", err)
	}
	want(t, "library", s.holds(), first)
	want(t, "rows of what failed", s.rows(), []string{})
	s.migrate(other, Options{Limit: 6}, nil) // a failed one is no earlier one
	want(t, "blocks", len(s.holds()), 6)
}

// TestScenario11: forwarding, and A1 to A5.
func TestScenario11(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *shelf) {
		usage := "lib-block-v1:Org+Old+type@html+block@a"
		leads := func() publishing.EntityID {
			t.Helper()
			to, ok, err := TargetOf(t.Context(), s.db, usage)
			if err != nil || !ok {
				t.Fatalf("TargetOf = %v, %v", ok, err)
			}
			return to.Entity
		}
		if d := s.migrate(small(t), Options{}, nil); !d.Forwarded {
			t.Error("the first is not forwarded")
		}
		one := leads()
		second := s.library("lib:Org:Second")
		to := func(f Forward) func(*Run) { return func(r *Run) { r.Package, r.Forward = second, f } }
		if d := s.migrate(small(t), Options{}, to(Auto)); d.Forwarded || leads() != one {
			t.Error("auto took what is forwarded already")
		}
		if s.migrate(small(t), Options{}, to(No)).Forwarded {
			t.Error("no forwards")
		}
		// A4: a run without rows makes what earlier ones brought to the same library count.
		if d := s.migrate(small(t), Options{}, to(Yes)); !d.Forwarded || leads() == one {
			t.Error("yes did not take it")
		}
		e, err := publishing.EntityByID(t.Context(), s.db, leads())
		if err != nil || e.Package != second.ID {
			t.Errorf("it leads to package %d (%v), want %d", e.Package, err, second.ID)
		}
		s.update(func(tx *db.Tx) error { return Forget(t.Context(), tx, second.ID) }) // M3
		if _, ok, err := TargetOf(t.Context(), s.db, usage); ok || err != nil {
			t.Errorf("after the library is forgotten it leads somewhere: %v, %v", ok, err)
		}
	})
}

// TestScenario12: collections of their own, and C1 to C9, M2.
func TestScenario12(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *shelf) {
		own := func(r *Run) { r.CreateCollection = true }
		s.migrate(small(t), Options{}, nil) // none
		want(t, "none", s.collections(), []string(nil))
		d := s.migrate(small(t), Options{Repeat: Update}, own)
		want(t, "new", s.collections(), []string{`source "Source" 3`})
		if d.Collection != "source" {
			t.Errorf("joined %q", d.Collection)
		}
		s.migrate(small(t), Options{Repeat: Update}, own)
		want(t, "again", s.collections(), []string{`source "Source" 3`})
		s.update(func(tx *db.Tx) error { _, err := collections.Delete(t.Context(), tx, s.pkg.ID, "source"); return err })
		s.migrate(small(t), Options{}, own) // C7: what is skipped joins a new one
		want(t, "keyed anew", s.collections(), []string{`source-1 "Source_1" 3`})
		s.migrate(small(t), Options{Repeat: Fork}, own)
		want(t, "fork", s.collections(), []string{`source-1 "Source_1" 3`, `source-2 "Source_2" 3`})
		s.update(func(tx *db.Tx) error {
			_, err := collections.Create(t.Context(), tx, s.pkg.ID, []collections.New{{Code: "mine", Title: "Mine"}})
			return err
		})
		s.migrate(small(t), Options{}, func(r *Run) { r.Collection = "mine" })
		want(t, "explicit", s.collections(), []string{`source-1 "Source_1" 3`, `source-2 "Source_2" 3`, `mine "Mine" 3`})
	})
}

// TestUntouchedMembership: C9. A source that changed nothing leaves the members of its collection as somebody has made them.
func TestUntouchedMembership(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *shelf) {
		own := func(r *Run) { r.CreateCollection = true }
		s.migrate(small(t), Options{}, own)
		want(t, "joined", s.collections(), []string{`source "Source" 3`})
		s.update(func(tx *db.Tx) error {
			c, err := collections.ByCode(t.Context(), tx, s.pkg.ID, "source")
			if err != nil {
				return err
			}
			_, err = collections.Remove(t.Context(), tx, s.pkg.ID, []collections.Members{{Collection: c.ID, Entities: []publishing.EntityID{s.entityIn(tx, "xblock.v1:problem:intro")}}})
			return err
		})
		for _, change := range []func(*Run){own, func(r *Run) { r.Collection = "source" }} {
			s.migrate(small(t), Options{}, change)
			want(t, "left alone", s.collections(), []string{`source "Source" 2`})
		}
	})
}
