package course

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
)

// TestRunAfter makes history of states of which some were published word for word from the drafts, some in part, and one from
// no drafts that there were. Every state can be read at its time.
func TestRunAfter(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *site) {
		outline := func(title string, blocks ...string) string {
			text := "\n\tcourse/course " + title + "\n\t\tvertical/u U\n"
			for _, b := range blocks {
				text += "\t\t\t" + b + "\n"
			}
			return text
		}
		began := time.Date(2013, 2, 20, 10, 0, 0, 0, time.UTC)
		states := []struct {
			live    bool
			outline string
			logs    int // written for it
		}{
			{false, outline("One", "problem/a first"), 1},
			{true, outline("One", "problem/a first"), 1},
			{false, outline("One", "problem/a second", "problem/b new"), 1},
			{true, outline("One", "problem/a second"), 1}, // the unit without b, which is in the drafts alone
			{false, outline("One", "problem/a third", "problem/b new"), 1},
			{false, outline("One", "problem/a third", "problem/b new"), 0}, // nothing differs
			{true, outline("One", "problem/a third", "problem/b new"), 1},
			{false, outline("Two", "problem/b new"), 1},
			{true, outline("One", "problem/a elsewhere"), 3},
			{false, outline("Two", "problem/b last", "problem/a back"), 1},
		}
		past := func(n int) iter.Seq2[Past, error] {
			return func(yield func(Past, error) bool) {
				for i, x := range states[:n] {
					p := Past{At: began.Add(time.Duration(i) * time.Hour), Message: fmt.Sprint("state ", i), Published: x.live, State: s.build(x.outline)}
					if !yield(p, nil) {
						return
					}
				}
			}
		}
		bring := func(past iter.Seq2[Past, error]) (report *Report, moments int, err error) {
			im := Import{Key: s.key, State: courseware.State{Published: s.build(outline("One", "problem/a elsewhere") + "\tstatic/f.txt file\n"),
				Draft: s.build(outline("Two", "problem/b last", "problem/a back") + "\tstatic/f.txt file\n")}}
			err = s.update(func(tx *db.Tx) (err error) {
				report, moments, err = im.RunAfter(s.ctx, tx, s.files, past)
				return err
			})
			return report, moments, err
		}
		stop := errors.New("stop")
		before := s.rows()
		_, _, err := bring(func(yield func(Past, error) bool) {
			for p := range past(4) {
				if !yield(p, nil) {
					return
				}
			}
			yield(Past{}, stop)
		})
		if !errors.Is(err, stop) || !cmp.Equal(before, s.rows()) {
			t.Errorf("it broke off with %v and left %s", err, cmp.Diff(before, s.rows()))
		}
		report, moments, err := bring(past(len(states)))
		s.must(err)
		want := 0
		for i, x := range states {
			want += x.logs
			at := began.Add(time.Duration(i)*time.Hour + 5*time.Minute).Format(time.RFC3339)
			if x.live {
				at = "published@" + at
			}
			if got := s.at(at); got != x.outline {
				t.Errorf("state %d is %s, not %s", i, got, x.outline)
			}
		}
		if moments != want {
			t.Errorf("%d moments, want %d", moments, want)
		}
		if report.Assets.Created != 1 || report.Created != 0 {
			t.Errorf("the last state came with %+v", report)
		}
		if got, want := s.at("draft"), outline("Two", "problem/b last", "problem/a back")+"\tstatic/f.txt file\n"; got != want {
			t.Errorf("the drafts are %s, not %s", got, want)
		}
		if got, want := s.at("published"), outline("One", "problem/a elsewhere")+"\tstatic/f.txt file\n"; got != want {
			t.Errorf("published is %s, not %s", got, want)
		}
		s.must(s.do(func(tx *db.Tx, c *Course) error {
			list, err := c.History(s.ctx, tx, HistoryFilter{})
			for i := range list[1:] {
				if list[i].At.Before(list[i+1].At) {
					t.Errorf("%s is before %s", list[i].Moment, list[i+1].Moment)
				}
			}
			if first := list[len(list)-1]; first.Message != "state 0" || !first.At.Equal(began) {
				t.Errorf("history begins with %+v", first)
			}
			return err
		}))
		before = s.rows()
		report, moments, err = bring(past(len(states)))
		s.must(err)
		if moments != 0 || report.ChangeLog != nil || !cmp.Equal(before, s.rows()) {
			t.Errorf("again: %d moments, %+v, %s", moments, report, cmp.Diff(before, s.rows()))
		}
	})
}

// TestHistorianKnowsTheStore writes random histories: what it believes the drafts and the published course to be after each state, without
// a look, is what a look at the store shows, and what was asked for.
func TestHistorianKnowsTheStore(t *testing.T) {
	t.Parallel()
	seeds := uint64(12)
	if os.Getenv("LECTERN_TEST_ALL") == "1" {
		seeds = 300
	}
	s := onSQLite(t)
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 3))
		s.key = mustKey(t, fmt.Sprint("course-v1:Org+C1+R", seed))
		states := [2]*courseware.Course{s.build("\n\tcourse/course T\n\t\tvertical/u U\n\t\t\tproblem/a one\n\t\tvertical/v V\n\tabout/p page\n")}
		states[1] = states[0]
		at := time.Date(2013, 2, 20, 10, 0, 0, 0, time.UTC)
		s.must(s.update(func(tx *db.Tx) error {
			c, _, err := ensure(s.ctx, tx, s.key, "T", "", 0)
			if err != nil {
				return err
			}
			h := historian{im: Import{Key: s.key}, writer: newWriter(tx, s.files, c)}
			if err := h.begin(s.ctx); err != nil {
				return err
			}
			for step := range 25 {
				branch := r.IntN(4) / 3
				if branch == 0 || r.IntN(4) == 0 {
					states[branch] = s.other(r, states[branch])
				} else {
					states[1] = states[0]
				}
				at = at.Add(time.Duration(r.IntN(3)) * time.Second) // some at the time of the one before, which are passed over
				over := !at.After(h.last)
				if err := h.state(s.ctx, Past{At: at, Message: fmt.Sprint(step), Published: branch == 1, State: states[branch]}); err != nil {
					return err
				}
				drafts, live, err := c.branches(s.ctx, tx)
				if err != nil {
					return err
				}
				for i, tree := range [...][2]*tree{{drafts, h.now}, {live, h.live}} {
					if diff := cmp.Diff(tree[0].nodes, tree[1].nodes, cmp.AllowUnexported(node{}, file{}), cmpopts.IgnoreFields(node{}, "block"), cmpopts.EquateEmpty()); diff != "" {
						t.Fatalf("%d, %d: tree %d (-store +known)\n%s", seed, step, i, diff)
					}
					if diff := cmp.Diff(tree[0].order, tree[1].order); diff != "" {
						t.Fatalf("%d, %d: the order of tree %d (-store +known)\n%s", seed, step, i, diff)
					}
				}
				wanted, err := want(s.ctx, states[branch])
				if err != nil {
					return err
				}
				if got := [...]*tree{drafts, live}[branch]; !over && !equal(wanted, got, nil) {
					t.Fatalf("%d, %d: branch %d is not what it was", seed, step, branch)
				}
			}
			return nil
		}))
	}
}

// other returns a course that differs in some way.
func (s *site) other(r *rand.Rand, c *courseware.Course) *courseware.Course {
	out := *c
	out.Blocks = maps.Clone(c.Blocks)
	ids := slices.SortedFunc(maps.Keys(c.Blocks), courseware.BlockID.Compare)
	touch := func(id courseware.BlockID) *courseware.Block {
		b := *out.Blocks[id]
		b.Children = slices.Clone(b.Children)
		out.Blocks[id] = &b
		return &b
	}
	var boxes []courseware.BlockID
	for _, id := range ids {
		if id.Type == "vertical" {
			boxes = append(boxes, id)
		}
	}
	for range 1 + r.IntN(3) {
		id := ids[r.IntN(len(ids))]
		box := boxes[r.IntN(len(boxes))]
		switch r.IntN(6) {
		case 0, 1: // says something else
			if out.Blocks[id] != nil && id.Type == "problem" {
				out.Blocks[id] = s.block(id, fmt.Sprint("text ", r.IntN(3)))
			}
		case 2: // comes, in one of few names, so that what has gone comes again
			id := courseware.BlockID{Type: "problem", Name: string('a' + rune(r.IntN(6)))}
			if out.Blocks[id] == nil {
				out.Blocks[id] = s.block(id, fmt.Sprint("text ", r.IntN(3)))
				b := touch(box)
				b.Children = slices.Insert(b.Children, r.IntN(len(b.Children)+1), id)
			}
		case 3: // goes, in some cases without leaving the list
			if id.Type != "problem" {
				continue
			}
			delete(out.Blocks, id)
			for _, up := range boxes {
				if r.IntN(3) > 0 {
					b := touch(up)
					b.Children = slices.DeleteFunc(b.Children, func(c courseware.BlockID) bool { return c == id })
				}
			}
		case 4: // becomes an orphan, or moves
			b := touch(box)
			if len(b.Children) == 0 {
				continue
			}
			child := b.Children[0]
			b.Children = b.Children[1:]
			if r.IntN(2) == 0 {
				b := touch(boxes[r.IntN(len(boxes))])
				b.Children = append(b.Children, child)
			}
		case 5:
			b := touch(box)
			r.Shuffle(len(b.Children), func(i, j int) { b.Children[i], b.Children[j] = b.Children[j], b.Children[i] })
		}
	}
	return &out
}
