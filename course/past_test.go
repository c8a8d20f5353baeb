package course

import (
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
