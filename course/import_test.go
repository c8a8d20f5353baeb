package course

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

const small = `
	course/course Small
		chapter/c1 First
			sequential/s1 One
				vertical/u1 Unit 1
					problem/p1 what is 1
					problem/p2 what is 2
				vertical/u2 Unit 2
					problem/p3 what is 3
		chapter/c2 Second
	about/overview hello
	static/a.txt A
	static/img/b.txt B
`

var ignoreLogs = cmpopts.IgnoreFields(Report{}, "ChangeLog", "DraftsLog", "PublishLog")

func TestImportNew(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		report, err := s.bring(Import{}, small)
		s.must(err)
		want := &Report{Course: s.key.String(), Created: 10, Assets: AssetReport{Created: 2}}
		if diff := cmp.Diff(want, report, ignoreLogs); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		if report.ChangeLog == nil || report.PublishLog == nil || report.DraftsLog != nil {
			t.Errorf("logs: %+v, want a change log and a publish log", report)
		}
		for _, moment := range []string{"draft", "published"} {
			if diff := cmp.Diff(small, s.at(moment)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", moment, diff)
			}
		}
	})
}

func TestImportTwiceWritesNothing(t *testing.T) {
	t.Parallel()
	withDraft := strings.Replace(small, "what is 1", "what is one", 1)
	withDraft = strings.Replace(withDraft, "\t\t\t\tvertical/u2", "\t\t\t\tvertical/u9 Draft only\n\t\t\t\tvertical/u2", 1)
	for name, trees := range map[string][]string{"published": {small}, "with drafts": {small, withDraft}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEveryEngine(t, func(t *testing.T, s *site) {
				_, err := s.bring(Import{}, trees...)
				s.must(err)
				before := s.rows()
				report, err := s.bring(Import{}, trees...)
				s.must(err)
				if report.ChangeLog != nil || report.DraftsLog != nil || report.PublishLog != nil {
					t.Errorf("logs of the second import: %+v, want none", report)
				}
				if report.Created+report.Changed+report.Moved+report.Deleted != 0 {
					t.Errorf("second import: %+v, want everything unchanged", report)
				}
				if diff := cmp.Diff(before, s.rows()); diff != "" {
					t.Errorf("rows changed (-before +after):\n%s", diff)
				}
			})
		})
	}
}

// TestImportIsADifference gives a version to what changed alone: a new state of a course is no copy of it (modulestore.md PR-17).
func TestImportIsADifference(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		next := `
	course/course Small
		chapter/c1 First
			sequential/s1 One
				vertical/u1 Unit 1
					problem/p1 changed
				vertical/u2 Unit 2
					problem/p3 what is 3
					problem/p2 what is 2
					problem/p4 new
	about/overview hello
	static/a.txt A2
	static/c.txt C
`
		report, err := s.bring(Import{}, next)
		s.must(err)
		want := &Report{Course: s.key.String(), Created: 1, Changed: 1, Moved: 1, Deleted: 1, Unchanged: 7,
			Assets: AssetReport{Created: 1, Changed: 1, Deleted: 1}}
		if diff := cmp.Diff(want, report, ignoreLogs); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(next, s.at("published")); diff != "" {
			t.Errorf("published (-want +got):\n%s", diff)
		}
		for block, num := range map[string]int{"problem/p1": 2, "problem/p2": 1, "problem/p3": 1, "vertical/u1": 2, "vertical/u2": 2,
			"sequential/s1": 1, "chapter/c1": 1, "course/course": 1, "about/overview": 1, "problem/p4": 1, "chapter/c2": 0} {
			if got := s.version(block); got != num {
				t.Errorf("%s is at version %d, want %d", block, got, num)
			}
		}
		// and back: the same blocks, not new ones
		_, err = s.bring(Import{}, small)
		s.must(err)
		if diff := cmp.Diff(small, s.at("published")); diff != "" {
			t.Errorf("published after going back (-want +got):\n%s", diff)
		}
	})
}

// TestImportStates is the table of olx.md §2.3 with its REQ: a unit (draft, published) before, by the same in the archive.
func TestImportStates(t *testing.T) {
	t.Parallel()
	with := func(content string) string {
		if content == "" {
			return "\n\tcourse/course T\n\t\tchapter/c C\n\t\t\tsequential/s S\n"
		}
		return "\n\tcourse/course T\n\t\tchapter/c C\n\t\t\tsequential/s S\n\t\t\t\tvertical/u " + content + "\n"
	}
	type state struct{ draft, published string }
	befores := []state{{"", ""}, {"a", ""}, {"", "a"}, {"a", "a"}, {"a", "b"}}
	archives := []state{{"", ""}, {"x", ""}, {"x", "x"}, {"x", "y"}}
	for _, before := range befores {
		for _, arch := range archives {
			t.Run(fmt.Sprintf("%v then %v", before, arch), func(t *testing.T) {
				t.Parallel()
				s := onSQLite(t)
				for _, st := range []state{before, arch} {
					_, err := s.bring(Import{}, with(st.published), with(st.draft))
					s.must(err)
					if diff := cmp.Diff(with(st.published), s.at("published")); diff != "" {
						t.Errorf("published after %v (-want +got):\n%s", st, diff)
					}
					if diff := cmp.Diff(with(st.draft), s.at("draft")); diff != "" {
						t.Errorf("draft after %v (-want +got):\n%s", st, diff)
					}
				}
			})
		}
	}
}

func TestImportDraftsOnly(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	next := strings.Replace(small, "what is 1", "draft", 1)
	report, err := s.bring(Import{DraftsOnly: true}, next)
	s.must(err)
	if report.PublishLog != nil || report.ChangeLog == nil || report.Changed != 1 {
		t.Errorf("report = %+v, want one changed draft and no publish", report)
	}
	if got := s.at("published"); got != small {
		t.Errorf("published changed:\n%s", cmp.Diff(small, got))
	}
	if got := s.at("draft"); got != next {
		t.Errorf("draft (-want +got):\n%s", cmp.Diff(next, got))
	}
}

func TestImportKeepsAssets(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	less := strings.Replace(small, "\tstatic/a.txt A\n", "", 1)
	report, err := s.bring(Import{KeepAssets: true}, less)
	s.must(err)
	if report.Assets != (AssetReport{Unchanged: 1, Kept: 1}) || report.ChangeLog != nil {
		t.Errorf("report = %+v, want one file kept and nothing written", report)
	}
	if got := s.at("published"); got != small {
		t.Errorf("published changed:\n%s", cmp.Diff(small, got))
	}
}

// TestImportReplacesLocalEdits also shows that a version that holds the content already is taken again.
func TestImportReplacesLocalEdits(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	_, err = s.bring(Import{DraftsOnly: true}, strings.Replace(small, "what is 1", "local edit", 1))
	s.must(err)
	report, err := s.bring(Import{}, small)
	s.must(err)
	if report.ChangeLog == nil || report.PublishLog != nil || s.version("problem/p1") != 1 {
		t.Errorf("report = %+v with p1 at version %d, want the draft back at version 1", report, s.version("problem/p1"))
	}
	if got := s.at("draft"); got != small {
		t.Errorf("draft (-want +got):\n%s", cmp.Diff(small, got))
	}
}

func TestFailingImportLeavesNoTrace(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		before, draft := s.rows(), s.at("draft")
		broken := errors.New("disk gone")
		st := courseware.State{Published: s.build(strings.Replace(small, "what is 1", "other", 1))}
		reads := 0
		st.Published.Assets = append(st.Published.Assets, &courseware.Asset{Path: "late.bin", Size: 4, Open: func() (io.ReadCloser, error) {
			if reads++; reads > 1 { // its digest can be taken, its bytes cannot be stored
				return nil, broken
			}
			return io.NopCloser(strings.NewReader("late")), nil
		}})
		err = s.update(func(tx *db.Tx) error {
			_, err := Import{Key: s.key, State: st}.Run(t.Context(), tx, s.files)
			return err
		})
		if !errors.Is(err, broken) {
			t.Fatalf("err = %v, want %v", err, broken)
		}
		if diff := cmp.Diff(before, s.rows()); diff != "" {
			t.Errorf("rows changed (-before +after):\n%s", diff)
		}
		if got := s.at("draft"); got != draft {
			t.Errorf("draft changed:\n%s", cmp.Diff(draft, got))
		}
	})
}

func TestKeysThatDifferByCaseAlone(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		for _, other := range []string{"course-v1:Org+c1+R1", "course-v1:Org+C1+r1"} {
			s.key = mustKey(t, other)
			if _, err := s.bring(Import{}, small); !fault.Is(err, fault.Conflict) {
				t.Errorf("import as %s: %v, want a conflict", other, err)
			}
		}
		s.key = mustKey(t, "course-v1:Org+C1+R2")
		_, err = s.bring(Import{}, small)
		s.must(err)
	})
}

func TestNamesThatDifferByCaseAlone(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		tree := "\n\tcourse/course T\n\t\tchapter/c C\n\t\tchapter/C C2\n\t\tchapter/ç C3\n\t\tsequential/c S\n\t\tchapter/a:b~c D\n"
		_, err := s.bring(Import{}, tree)
		s.must(err)
		if got := s.at("published"); got != tree {
			t.Errorf("published (-want +got):\n%s", cmp.Diff(tree, got))
		}
	})
}

// TestBrokenContainer: a unit kept as it is because it cannot be read stays the same entity, and can be repaired.
func TestBrokenContainer(t *testing.T) {
	t.Parallel()
	for _, first := range []bool{true, false} {
		s := onSQLite(t)
		if first {
			_, err := s.bring(Import{}, small)
			s.must(err)
		}
		broken := s.build(small)
		u1 := *broken.Blocks[id("vertical/u1")]
		broken.Blocks[u1.ID] = &courseware.Block{ID: u1.ID, Opaque: true, Form: courseware.FormFile, Data: courseware.Bytes([]byte("<vertical><problem"))}
		delete(broken.Blocks, id("problem/p1"))
		delete(broken.Blocks, id("problem/p2"))
		s.must(s.update(func(tx *db.Tx) error {
			_, err := Import{Key: s.key, State: courseware.State{Published: broken}}.Run(t.Context(), tx, s.files)
			return err
		}))
		_, err := s.bring(Import{}, small)
		s.must(err)
		s.wants("published", small)
	}
}

func TestImportUnderABranch(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	for range 2 {
		s.key = mustKey(t, "course-v1:Org+C1+R1+branch@draft-branch")
		if _, err := s.bring(Import{}, small); !fault.Is(err, fault.Usage) {
			t.Errorf("import under a key with a branch: %v, want a usage error", err)
		}
		s.key = mustKey(t, "course-v1:Org+C1+R1")
		_, err := s.bring(Import{}, small)
		s.must(err)
	}
}

// TestImportSaysWhoWrote brings blocks that were written elsewhere: their versions say when and by whom, where nobody is known nobody, and
// where nothing is, or nothing that can be, the import.
func TestImportSaysWhoWrote(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		var writer, importer publishing.UserID
		s.must(s.update(func(tx *db.Tx) error {
			for name, id := range map[string]*publishing.UserID{"writer": &writer, "importer": &importer} {
				u, err := user.Create(s.ctx, tx, user.New{Username: name, Email: name + "@example.org"})
				if err != nil {
					return err
				}
				*id = publishing.UserID(u.ID)
			}
			return nil
		}))
		then := time.Date(2014, 3, 1, 9, 30, 0, 123000000, time.UTC)
		published := "\n\tcourse/course T\n\t\tvertical/u U\n\t\t\tproblem/a one\n\t\t\tproblem/b two\n\t\t\tproblem/c three\n"
		_, err := s.bring(Import{By: importer,
			Written: map[courseware.BlockID]Wrote{id("vertical/u"): {then, writer}, id("problem/a"): {then.Add(time.Hour), 0}, id("problem/b"): {then.AddDate(100, 0, 0), writer},
				id("problem/nowhere"): {then, writer}, id("course/course"): {then.AddDate(-1500, 0, 0), writer}},
			WrittenDrafts: map[courseware.BlockID]Wrote{id("problem/a"): {then.Add(2 * time.Hour), writer}},
		}, published, strings.Replace(published, "one", "another", 1))
		s.must(err)
		s.must(s.do(func(tx *db.Tx, c *Course) error {
			for block, want := range map[string][]Wrote{
				"vertical/u": {{then, writer}}, "problem/a": {{then.Add(time.Hour), 0}, {then.Add(2 * time.Hour), writer}},
				"problem/b": {{By: importer}}, "problem/c": {{By: importer}}, "course/course": {{By: importer}},
			} {
				e, err := publishing.EntityByRef(s.ctx, tx, c.Package.ID, blockRef(id(block)))
				if err != nil {
					return err
				}
				versions, err := publishing.VersionsOf(s.ctx, tx, e.ID)
				if err != nil {
					return err
				}
				var got []Wrote
				for _, v := range versions {
					w := Wrote{v.Created, v.By}
					if w.At.Year() > 2014 {
						w.At = time.Time{} // by now
					}
					got = append(got, w)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got)\n%s", block, diff)
				}
			}
			return nil
		}))
	})
}
