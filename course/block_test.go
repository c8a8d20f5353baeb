package course

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

func (s *site) edit(block, text string, base *int) error {
	return s.do(func(tx *db.Tx, c *Course) error {
		src := `<problem display_name="` + id(block).Name + `"><p>` + text + `</p></problem>`
		_, err := c.Edit(s.ctx, tx, s.files, id(block), []byte(src), base, Author{Message: "edit"})
		return err
	})
}

func (s *site) create(block, text, parent string, index int) error {
	return s.do(func(tx *db.Tx, c *Course) error {
		src := `<` + id(block).Type + ` display_name="` + text + `"/>`
		if id(block).Type == "problem" {
			src = `<problem display_name="` + id(block).Name + `"><p>` + text + `</p></problem>`
		}
		_, _, err := c.Create(s.ctx, tx, s.files, id(block), []byte(src), Position{id(parent), index}, Author{})
		return err
	})
}

func (s *site) move(parent string, index int, blocks ...string) error {
	return s.do(func(tx *db.Tx, c *Course) error {
		_, err := c.Move(s.ctx, tx, s.files, ids(blocks...), Position{id(parent), index}, nil, Author{})
		return err
	})
}

func (s *site) remove(blocks ...string) error {
	return s.do(func(tx *db.Tx, c *Course) error {
		_, err := c.Delete(s.ctx, tx, s.files, ids(blocks...), nil, Author{})
		return err
	})
}

func (s *site) publish(blocks ...string) (w *Written, err error) {
	err = s.do(func(tx *db.Tx, c *Course) (err error) {
		w, err = c.Publish(s.ctx, tx, s.files, ids(blocks...), Author{Message: "publish"})
		return err
	})
	return w, err
}

func (s *site) discard(blocks ...string) (w *Written, err error) {
	err = s.do(func(tx *db.Tx, c *Course) (err error) {
		w, err = c.Discard(s.ctx, tx, ids(blocks...), Author{})
		return err
	})
	return w, err
}

func (s *site) restore(moment string, blocks ...string) error {
	return s.do(func(tx *db.Tx, c *Course) error {
		m, err := c.Resolve(s.ctx, tx, moment)
		if err != nil {
			return err
		}
		_, err = c.Restore(s.ctx, tx, s.files, m, ids(blocks...), Author{})
		return err
	})
}

// name returns the name of the present draft moment.
func (s *site) moment(of string) (name string) {
	s.t.Helper()
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		m, err := c.Resolve(s.ctx, tx, of)
		name = m.Name()
		return err
	}))
	return name
}

func (s *site) wants(moment, outline string) {
	s.t.Helper()
	if diff := cmp.Diff(outline, s.at(moment)); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", moment, diff)
	}
}

func swap(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

func TestBlocks(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		s.must(s.edit("problem/p1", "edited", nil))
		s.must(s.create("problem/p9", "nine", "vertical/u1", 1))
		s.must(s.create("vertical/u3", "Three", "sequential/s1", -1))
		s.must(s.move("vertical/u3", 0, "problem/p3", "problem/p2"))
		s.must(s.remove("chapter/c2"))
		s.wants("published", small)
		s.wants("draft", `
	course/course Small
		chapter/c1 First
			sequential/s1 One
				vertical/u1 Unit 1
					problem/p1 edited
					problem/p9 nine
				vertical/u2 Unit 2
				vertical/u3 Three
					problem/p3 what is 3
					problem/p2 what is 2
	about/overview hello
	static/a.txt A
	static/img/b.txt B
`)
	})
}

func TestBlocksRefused(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	s.must(s.remove("problem/p2"))
	two := 2
	before := s.rows()
	for name, c := range map[string]struct {
		err  error
		kind fault.Kind
	}{
		"edit of nothing":       {s.edit("problem/none", "x", nil), fault.NotFound},
		"edit of the deleted":   {s.edit("problem/p2", "x", nil), fault.NotFound},
		"unknown base":          {s.edit("problem/p1", "x", &two), fault.NotFound},
		"create what exists":    {s.create("problem/p1", "x", "vertical/u1", 0), fault.Conflict},
		"create the deleted":    {s.create("problem/p2", "x", "vertical/u1", 0), fault.Conflict},
		"create by case alone":  {s.create("problem/P1", "x", "vertical/u1", 0), fault.Conflict},
		"no such parent":        {s.create("problem/n", "x", "vertical/none", 0), fault.NotFound},
		"parent is a leaf":      {s.create("problem/n", "x", "problem/p1", 0), fault.Invalid},
		"index past the end":    {s.create("problem/n", "x", "vertical/u1", 5), fault.Usage},
		"below itself":          {s.move("vertical/u1", 0, "chapter/c1"), fault.Invalid},
		"move the root":         {s.move("chapter/c1", 0, "course/course"), fault.Refused},
		"delete the root":       {s.remove("course/course"), fault.Refused},
		"delete nothing":        {s.remove("problem/none"), fault.NotFound},
		"publish nothing":       {func() error { _, err := s.publish("problem/none"); return err }(), fault.NotFound},
		"discard nothing":       {func() error { _, err := s.discard("problem/none"); return err }(), fault.NotFound},
		"no such moment":        {s.restore("c999"), fault.NotFound},
		"no moment":             {s.restore("draft~x"), fault.Usage},
		"half a time":           {s.restore("2025-13-45"), fault.Usage},
		"a time without a zone": {s.restore("2025-01-01T00:00:00"), fault.Usage},
		"further back":          {s.restore("draft~9"), fault.NotFound},
		"no label":              {s.restore("yesterday"), fault.NotFound},
		"before the start":      {s.restore("2001-01-01T00:00:00Z"), fault.NotFound},
	} {
		if c.err == nil || fault.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v, want kind %s", name, c.err, c.kind.Code())
		}
	}
	if diff := cmp.Diff(before, s.rows()); diff != "" {
		t.Errorf("refused requests changed rows (-before +after):\n%s", diff)
	}
}

func TestStaleBase(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		one := 1
		s.must(s.edit("problem/p1", "mine", &one))
		err = s.edit("problem/p1", "theirs", &one)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Conflict {
			t.Fatalf("second edit from version 1: %v, want a conflict", err)
		}
		both, ok := e.Data.(Stale)
		if !ok || both.Base.Version != 1 || both.Draft.Version != 2 ||
			!strings.Contains(both.Base.OLX, "what is 1") || !strings.Contains(both.Draft.OLX, "mine") {
			t.Errorf("data = %+v, want both sides", e.Data)
		}
	})
}

func TestEditThatChangesNothing(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	before := s.rows()
	s.must(s.edit("problem/p1", "what is 1", nil))
	if diff := cmp.Diff(before, s.rows()); diff != "" {
		t.Errorf("rows changed (-before +after):\n%s", diff)
	}
}

func TestPublishBlock(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		s.must(s.edit("problem/p1", "edited", nil))
		s.must(s.edit("problem/p3", "too", nil))
		w, err := s.publish("vertical/u1")
		s.must(err)
		s.wants("published", swap(small, "what is 1", "edited"))
		var got []string
		for _, e := range w.Entries {
			got = append(got, e.Key[strings.Index(e.Key, "type@"):]+" "+string(e.Why))
		}
		want := []string{"type@problem+block@p1 child", "type@vertical+block@u1 side-effect",
			"type@sequential+block@s1 side-effect", "type@chapter+block@c1 side-effect", "type@course+block@course side-effect"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		if w, err = s.publish("vertical/u1"); err != nil || w.Log != nil || len(w.Entries) != 0 {
			t.Errorf("publishing again: %+v, %v, want nothing", w, err)
		}
	})
}

func TestPublishNeedsAParentThatListsIt(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	s.must(s.create("vertical/u9", "Nine", "sequential/s1", -1))
	s.must(s.create("problem/p9", "nine", "vertical/u9", -1))
	_, err = s.publish("problem/p9")
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Refused || !strings.Contains(e.Next, "type@sequential+block@s1") {
		t.Fatalf("publish of a block in a new unit: %v, want it refused, naming the sequential", err)
	}
	_, err = s.publish("sequential/s1")
	s.must(err)
	s.wants("published", s.at("draft"))
}

func TestPublishTakesNamedFiles(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	with := func(text, a, b string) string {
		return "\n\tcourse/course T\n\t\tchapter/c C\n\t\t\tproblem/p " + text + "\n\tstatic/a.txt " + a + "\n\tstatic/img/b.txt " + b + "\n"
	}
	_, err := s.bring(Import{}, with("old", "1", "1"))
	s.must(err)
	_, err = s.bring(Import{DraftsOnly: true}, with("see /static/img_b.txt", "2", "2"))
	s.must(err)
	w, err := s.publish("problem/p")
	s.must(err)
	s.wants("published", with("see /static/img_b.txt", "1", "2"))
	if e := w.Entries[len(w.Entries)-1]; !cmp.Equal(w.Entries[0].Why, Chosen) && e.Why != NamedFile {
		t.Errorf("entries = %+v", w.Entries)
	}
}

func TestDeleteThenUndo(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		s.must(s.remove("problem/p1"))
		s.must(s.create("problem/p8", "eight", "vertical/u1", 0)) // a new list that must keep the deleted one's place
		_, err = s.discard("problem/p1")
		s.must(err)
		s.wants("draft", swap(small, "\t\t\t\t\tproblem/p1 what is 1\n", "\t\t\t\t\tproblem/p1 what is 1\n\t\t\t\t\tproblem/p8 eight\n"))
		_, err = s.discard()
		s.must(err)
		s.wants("draft", small)
	})
}

func TestDeleteIsPublished(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	s.must(s.remove("vertical/u1"))
	_, err = s.publish("vertical/u1")
	s.must(err)
	s.wants("published", s.at("draft"))
	if strings.Contains(s.at("published"), "p1") {
		t.Error("what was below the deleted unit is still published")
	}
}

func TestShowStates(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	s.must(s.edit("problem/p1", "edited", nil))
	s.must(s.remove("problem/p2"))
	s.must(s.create("problem/p9", "nine", "vertical/u2", -1))
	states := map[string]string{}
	show := func(moment string) {
		clear(states)
		s.must(s.do(func(tx *db.Tx, c *Course) error {
			m, err := c.Resolve(t.Context(), tx, moment)
			if err != nil {
				return err
			}
			o, err := c.Show(t.Context(), tx, m, -1)
			if err != nil {
				return err
			}
			var walk func(o *Outline)
			walk = func(o *Outline) {
				below := ""
				if o.ChangedBelow {
					below = " below"
				}
				states[o.Type+"/"+o.ID] = string(o.State) + below
				for _, child := range o.Children {
					walk(child)
				}
			}
			walk(o.Outline)
			if len(o.Pages) != 1 || o.Assets != 2 {
				t.Errorf("%s: %d pages, %d assets; want 1 and 2", moment, len(o.Pages), o.Assets)
			}
			return nil
		}))
	}
	show("draft")
	want := map[string]string{"course/course": "published below", "chapter/c1": "published below", "sequential/s1": "published below",
		"vertical/u1": "published below", "problem/p1": "changed", "problem/p2": "deleted", "vertical/u2": "changed below",
		"problem/p3": "published", "problem/p9": "new", "chapter/c2": "published"}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("draft (-want +got):\n%s", diff)
	}
	show("published")
	for block, state := range states {
		if state != "published" {
			t.Errorf("published shows %s as %s", block, state)
		}
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		_, err := s.bring(Import{}, small)
		s.must(err)
		first := s.moment("draft")
		s.must(s.edit("problem/p1", "edited", nil))
		s.must(s.move("vertical/u2", 0, "problem/p2"))
		s.must(s.create("problem/p9", "nine", "vertical/u1", 0))
		s.must(s.edit("problem/p3", "edited too", nil))
		s.must(s.restore(first, "vertical/u1"))
		s.wants("draft", swap(small, "what is 3", "edited too"))
		s.must(s.restore(first))
		s.wants("draft", small)
		if got := s.version("problem/p1"); got != 1 {
			t.Errorf("p1 is at version %d, want the old one again", got)
		}
		s.must(s.remove("vertical/u1"))
		s.must(s.remove("vertical/u2"))
		s.must(s.restore(first, "vertical/u2", "vertical/u1"))
		s.wants("draft", small)
		s.must(s.remove("vertical/u1"))
		if err := s.restore(first, "problem/p1"); !fault.Is(err, fault.Refused) {
			t.Errorf("restore below a deleted parent: %v, want it refused", err)
		}
	})
}

func TestMoments(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	one, published := s.moment("draft"), s.moment("published")
	s.must(s.edit("problem/p1", "second", nil))
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		m, err := c.Resolve(t.Context(), tx, "draft")
		if err != nil {
			return err
		}
		return c.SetLabel(t.Context(), tx, "before class", m, 0)
	}))
	s.must(s.edit("problem/p1", "third", nil))
	between := time.Now().UTC()
	s.must(s.do(func(tx *db.Tx, c *Course) error { // published later
		_, err := publishing.Reset(s.ctx, tx, c.Package.ID, publishing.Meta{At: between.Add(time.Hour)}, nil)
		if err == nil {
			_, err = publishing.PublishAll(s.ctx, tx, c.Package.ID, publishing.PublishMeta{At: between.Add(time.Hour)})
		}
		return err
	}))
	if got, want := s.moment("published@"+between.Format(time.RFC3339Nano)), published; got != want {
		t.Errorf("published between two publishes: %s, want %s", got, want)
	}
	s.must(s.edit("problem/p1", "third", nil))
	for moment, text := range map[string]string{"draft": "third", "published": "what is 1", one: "what is 1", published: "what is 1",
		"draft~0": "third", "draft~2": "third", "draft~3": "second", "draft~4": "what is 1", "before class": "second",
		"2999-01-01T00:00:00Z": "third", "published@2999-01-01T00:00:00+02:00": "what is 1"} {
		if got := s.at(moment); got != swap(small, "what is 1", text) {
			t.Errorf("%s:\n%s", moment, cmp.Diff(swap(small, "what is 1", text), got))
		}
	}
	for name, kind := range map[string]fault.Kind{"draft": fault.Usage, "c7": fault.Usage, "": fault.Usage, "a~1": fault.Usage,
		"2020-01-01": fault.Usage, "before class": fault.Conflict} {
		err := s.do(func(tx *db.Tx, c *Course) error {
			m, err := c.Resolve(t.Context(), tx, "draft")
			if err != nil {
				return err
			}
			return c.SetLabel(t.Context(), tx, name, m, 0)
		})
		if fault.KindOf(err) != kind {
			t.Errorf("label %q: %v, want kind %s", name, err, kind.Code())
		}
	}
}

func TestEntriesOfAnotherCourse(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	here := s.moment("draft")
	s.key = mustKey(t, "course-v1:Org+C2+R1")
	_, err = s.bring(Import{}, small)
	s.must(err)
	if err := s.restore(here); !fault.Is(err, fault.NotFound) {
		t.Errorf("restore to an entry of another course: %v, want not found", err)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{Message: "first"}, small)
	s.must(err)
	s.must(s.edit("problem/p1", "x", nil))
	_, err = s.publish()
	s.must(err)
	s.must(s.remove("problem/p3"))
	_, err = s.discard()
	s.must(err)
	list := func(f HistoryFilter) (out []string) {
		s.must(s.do(func(tx *db.Tx, c *Course) error {
			entries, err := c.History(t.Context(), tx, f)
			for _, e := range entries {
				out = append(out, string(e.Kind)+" "+e.Moment[:1]+" "+itoa(e.Changes))
			}
			return err
		}))
		return out
	}
	want := []string{"discard c 1", "delete c 1", "publish p 1", "edit c 1", "import p 12", "import c 12"}
	if diff := cmp.Diff(want, list(HistoryFilter{})); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	p1 := id("problem/p1")
	if diff := cmp.Diff([]string{"publish p 1", "edit c 1", "import p 12", "import c 12"}, list(HistoryFilter{Block: &p1})); diff != "" {
		t.Errorf("history of p1 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:2], list(HistoryFilter{Limit: 2})); diff != "" {
		t.Errorf("the newest two (-want +got):\n%s", diff)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	s.must(s.edit("problem/p1", "edited", nil))
	s.must(s.move("vertical/u2", 0, "problem/p2"))
	s.must(s.create("problem/p9", "nine", "vertical/u2", -1))
	s.must(s.remove("chapter/c2"))
	diff := func(block *courseware.BlockID) (out []string) {
		s.must(s.do(func(tx *db.Tx, c *Course) error {
			from, err := c.Resolve(t.Context(), tx, "published")
			if err != nil {
				return err
			}
			to, err := c.Resolve(t.Context(), tx, "draft")
			if err != nil {
				return err
			}
			changes, err := c.Diff(t.Context(), tx, s.files, from, to, block)
			for _, ch := range changes {
				line := string(ch.Kind) + " " + ch.Key[strings.Index(ch.Key, "type@"):]
				if ch.Diff != nil && ch.Kind == Changed && !(strings.Contains(*ch.Diff, "-") && strings.Contains(*ch.Diff, "edited")) {
					t.Errorf("text of %s:\n%s", ch.Key, *ch.Diff)
				}
				out = append(out, line)
			}
			return err
		}))
		return out
	}
	want := []string{"changed type@problem+block@p1", "moved type@problem+block@p2", "added type@problem+block@p9", "removed type@chapter+block@c2"}
	if d := cmp.Diff(want, diff(nil)); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
	u2 := id("vertical/u2")
	if d := cmp.Diff(want[1:3], diff(&u2)); d != "" {
		t.Errorf("diff below u2 (-want +got):\n%s", d)
	}
}

func TestRerun(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	s.must(s.edit("problem/p1", "drafted", nil))
	to := mustKey(t, "course-v1:Org+C1+R2")
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		_, err := c.Rerun(t.Context(), tx, s.files, to, nil, Author{}, nil)
		return err
	}))
	draft := s.at("draft")
	s.key = to
	s.wants("published", small)
	s.wants("draft", draft)
	if err := s.do(func(tx *db.Tx, c *Course) error {
		_, err := c.Rerun(t.Context(), tx, s.files, to, nil, Author{}, nil)
		return err
	}); !fault.Is(err, fault.Conflict) {
		t.Errorf("rerun into a course that exists: %v, want a conflict", err)
	}
}

func TestRerunOfDrafts(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{DraftsOnly: true}, small)
	s.must(err)
	to := mustKey(t, "course-v1:Org+C1+R2")
	var report *Report
	s.must(s.do(func(tx *db.Tx, c *Course) (err error) {
		report, err = c.Rerun(t.Context(), tx, s.files, to, nil, Author{}, nil)
		return err
	}))
	if report.PublishLog != nil {
		t.Error("what was never published is published by a re-run")
	}
	s.key = to
	s.wants("draft", small)
}

func TestRemoveAndPurge(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		empty := s.rows()
		_, err := s.bring(Import{}, small)
		s.must(err)
		before := s.moment("draft")
		listed := func() int {
			list, err := List(t.Context(), s.db, false, false)
			s.must(err)
			return len(list)
		}
		s.must(s.do(func(tx *db.Tx, c *Course) error {
			_, err := c.Remove(t.Context(), tx, s.files, Author{})
			return err
		}))
		if n := listed(); n != 0 {
			t.Errorf("%d courses listed after delete, want none", n)
		}
		s.must(s.restore(before))
		s.wants("draft", small)
		if n := listed(); n != 1 {
			t.Errorf("%d courses listed after restore, want one", n)
		}
		s.must(s.do(func(tx *db.Tx, c *Course) error { return c.Purge(t.Context(), tx) }))
		after := s.rows()
		for _, lazy := range []string{"openedx_content_componenttype", "openedx_content_containertype", "openedx_content_mediatype", "organizations_organization",
			"lectern_event"} {
			delete(empty, lazy) // kinds and organizations are not the course's own, and events outlive it
			delete(after, lazy)
		}
		if diff := cmp.Diff(empty, after); diff != "" {
			t.Errorf("rows left after purge (-empty +after):\n%s", diff)
		}
	})
}

// TestMovesAreNotTorn: publishing or discarding only one of the two parents of a move would show the block twice or never.
func TestMovesAreNotTorn(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	_, err := s.bring(Import{}, small)
	s.must(err)
	s.must(s.move("vertical/u2", 0, "problem/p1"))
	draft := s.at("draft")
	for name, try := range map[string]func() error{
		"publish the old parent": func() error { _, err := s.publish("vertical/u1"); return err },
		"publish the new parent": func() error { _, err := s.publish("vertical/u2"); return err },
		"discard the old parent": func() error { _, err := s.discard("vertical/u1"); return err },
		"discard the new parent": func() error { _, err := s.discard("vertical/u2"); return err },
	} {
		if err := try(); !fault.Is(err, fault.Refused) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
	s.wants("draft", draft)
	s.wants("published", small)
	_, err = s.publish("vertical/u1", "vertical/u2")
	s.must(err)
	s.wants("published", draft)
	s.must(s.move("vertical/u1", 0, "problem/p1"))
	_, err = s.discard("sequential/s1")
	s.must(err)
	s.wants("draft", draft)
}
