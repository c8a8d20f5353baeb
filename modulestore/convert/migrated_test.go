package convert_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
)

// TestGoldenMigrated compares the conversion of a course of the old store with that of the course that the real migrator
// made of it. What that one does wrong is named by rule (modulestore.md §5.1).
func TestGoldenMigrated(t *testing.T) {
	t.Parallel()
	n := 0
	for _, set := range sets(t) {
		from, ok := strings.CutSuffix(set, "-converted")
		if !ok {
			continue
		}
		for _, migrated := range sources(t, set) {
			for _, old := range sources(t, from) {
				if migrated.Key.Org() != old.Old.Org || migrated.Key.Code() != old.Old.Course {
					continue
				}
				n++
				got, err := convert.Convert(old, convert.Options{To: migrated.Key})
				if err != nil {
					t.Fatal(err)
				}
				want := toConvert(t, migrated)
				m := migration{exported{t, old, got, courseware.State{}}, old, got}
				m.compare("published", old.Published, want.State.Published, got.State.Published)
				m.compare("draft", old.Draft, drafts(want.State), drafts(got.State))
			}
		}
	}
	if n == 0 {
		t.Error("no migrated course")
	}
}

func drafts(st courseware.State) *courseware.Course {
	if st.Draft != nil {
		return st.Draft
	}
	return st.Published
}

type migration struct {
	exported
	old convert.Source
	got *convert.Result
}

func (m migration) compare(view string, branch *modulestore.Branch, want, got *courseware.Course) {
	t := m.t
	t.Helper()
	if diff := cmp.Diff(string(want.GradingPolicy), string(got.GradingPolicy)); diff != "" {
		t.Errorf("%s: grading policy\n%s", view, diff)
	}
	for id, block := range got.Blocks {
		w := want.Blocks[id]
		if w == nil {
			t.Errorf("%s: the migrator made no %s", view, id)
			continue
		}
		a, b := m.plain(w), m.plain(block)
		for name := range b.Fields {
			switch name {
			case "discussion_id": // a default that follows from the key (CV-1)
				if a.Fields[name] == "" {
					delete(b.Fields, name)
				}
			case "display_name": // of the root, which the migrator is told
				if id == got.Root {
					b.Fields[name] = a.Fields[name]
				}
			}
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Errorf("%s: %s (-migrated +converted)\n%s", view, id, diff)
		}
	}
	for id := range want.Blocks {
		if got.Blocks[id] == nil {
			t.Errorf("%s: only the migrator made %s", view, id)
		}
	}
}
