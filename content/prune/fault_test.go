package prune_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

var errStop = errors.New("the process died here")

// Apply is stopped at one statement after another, BEGIN and COMMIT included. After each stop all kept moments read as
// before and all laws hold; called again it goes on, up to the state of one that was never stopped.
func TestStoppedAtEveryStatement(t *testing.T) {
	t.Parallel()
	url := dbtest.ReadyURL(t, db.SQLite, setup)
	w := newWorld(t, db.SQLite, 5)
	left := 0
	counting := false
	w.open(url, db.Options{Fault: func(string) error {
		if !counting {
			return nil
		}
		if left--; left < 0 {
			return errStop
		}
		return nil
	}})
	w.do(func(tx *db.Tx) (err error) {
		w.pkg, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "lp:world", Title: "World"})
		return err
	})
	for range 18 {
		w.step()
	}
	plan := w.plan(prune.Policy{Last: 1, Labelled: true})
	k := &plan.Packages[0]
	copies, before := w.copies(), w.dump()
	w.apply(plan, 8)
	done := w.dump()
	delete(done, "lectern_pruned") // its rows tell how the work was divided
	delete(done, "openedx_content_draftsideeffect")
	delete(done, "openedx_content_publishsideeffect") // with other ids
	w.undo(plan)

	for stop := 0; ; stop++ {
		counting, left = true, stop
		_, err := prune.Apply(t.Context(), w.d.Update, plan, k, prune.Approval{By: "ann", Restorable: time.Hour, Labels: w.labelled, Batch: 8})
		counting = false
		if err != nil && !errors.Is(err, errStop) {
			t.Fatalf("stop %d: %v", stop, err)
		}
		if stop%5 == 0 || err == nil {
			w.check()
			for _, m := range k.Keep {
				publish, log := m.Moment[0] == 'p', number(m.Moment)
				if diff := cmp.Diff(copies[m.Moment], w.copy(after(publish, log))); diff != "" {
					t.Fatalf("stop %d: %s (-before +after):\n%s", stop, m.Moment, diff)
				}
			}
		}
		if stop%3 == 0 {
			w.apply(plan, 8) // goes on
			got := w.dump()
			for _, table := range []string{"lectern_pruned", "openedx_content_draftsideeffect", "openedx_content_publishsideeffect"} {
				delete(got, table)
			}
			if diff := cmp.Diff(done, got, cmp.FilterPath(func(p cmp.Path) bool { return strings.Contains(p.GoString(), "lectern_trashfile") }, cmp.Ignore())); diff != "" {
				t.Fatalf("stop %d, gone on (-never stopped +stopped):\n%s", stop, diff)
			}
		}
		// What was done so far comes back, however little it was.
		_ = w.d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := prune.Undo(t.Context(), tx, k)
			if fault.Is(err, fault.NotFound) { // stopped before anything was noted
				return nil
			}
			return err
		})
		if diff := cmp.Diff(before, w.dump()); diff != "" {
			t.Fatalf("stop %d, undone (-before +after):\n%s", stop, diff)
		}
		if err == nil {
			t.Logf("%d statements", stop)
			break
		}
	}
}

func number(moment string) (n int64) {
	for _, c := range moment[1:] {
		n = 10*n + int64(c-'0')
	}
	return n
}

// Files of media that were removed stay until their time has run out, whoever sweeps; then they go.
func TestFilesWaitForExpiry(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 9)
	for range 60 {
		w.step()
	}
	plan := w.plan(prune.Policy{Last: 1})
	if plan.Packages[0].Remove.Files == 0 {
		t.Fatal("no file would go")
	}
	sweep := func() (n int) {
		w.do(func(tx *db.Tx) (err error) {
			n, err = media.Sweep(t.Context(), tx, w.files, w.pkg, 0)
			return err
		})
		return n
	}
	sweep()
	w.apply(plan, 50)
	if n := sweep(); n != 0 {
		t.Errorf("a sweep took %d files that can still come back", n)
	}
	expire := func() (x prune.Expired) {
		w.do(func(tx *db.Tx) (err error) {
			x, err = prune.Expire(t.Context(), tx, tx.Now())
			return err
		})
		return x
	}
	if x := expire(); x != (prune.Expired{}) {
		t.Errorf("before its time: %+v", x)
	}
	w.now = w.now.Add(1001 * time.Hour)
	if x := expire(); x.Plans != 1 || x.Files == 0 {
		t.Errorf("after its time: %+v", x)
	}
	if n := sweep(); n != plan.Packages[0].Remove.Files {
		t.Errorf("the sweep took %d files, want %d", n, plan.Packages[0].Remove.Files)
	}
	err := w.d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := prune.Undo(t.Context(), tx, &plan.Packages[0])
		return err
	})
	if !fault.Is(err, fault.Refused) {
		t.Errorf("undo after its time: %v", err)
	}
	w.copies() // every file that is named is there
}

// Media that an editor has made again since stand for the old ones when those come back.
func TestUndoMeetsMediaMadeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 9)
	for range 60 {
		w.step()
	}
	copies := w.copies()
	which := map[int]bool{} // texts that ever were
	for _, list := range copies {
		for _, line := range list {
			for _, m := range regexp.MustCompile(`<p>(\d+)</p>`).FindAllStringSubmatch(line, -1) {
				i, _ := strconv.Atoi(m[1])
				which[i] = true
			}
		}
	}
	plan := w.plan(prune.Policy{Last: 1})
	w.apply(plan, 50)
	n := len(w.dump()["openedx_content_media"])
	w.do(func(tx *db.Tx) error {
		for i := range which {
			w.text(tx, i)
		}
		return nil
	})
	made := len(w.dump()["openedx_content_media"]) - n
	w.undo(plan)
	w.check()
	if diff := cmp.Diff(copies, w.copies()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if made == 0 {
		t.Error("nothing was made again")
	}
}

// A log, a version and a media that a table of another program names stay, and only they.
func TestRowsOfOtherProgramsStay(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, e, 12)
			for range 50 {
				w.step()
			}
			copies := w.copies()
			plan := w.plan(prune.Policy{Last: 1})
			r := plan.Packages[0].Remove
			for _, x := range []struct {
				table, column string
				id            int64
			}{
				{"draftchangelog", "id", r.Drafts[len(r.Drafts)/2]},
				{"publishableentityversion", "id", r.Versions[0]},
				{"media", "id", r.Media[0]},
			} {
				if _, err := w.d.Exec(t.Context(), "CREATE TABLE other_"+x.table+" (x bigint NOT NULL, FOREIGN KEY (x) REFERENCES openedx_content_"+x.table+" (id))"); err != nil {
					t.Fatal(err)
				}
				defer func() { // servers lend the database out again
					if _, err := w.d.Exec(t.Context(), "DROP TABLE other_"+x.table); err != nil {
						t.Error(err)
					}
				}()
				if _, err := w.d.Exec(t.Context(), "INSERT INTO other_"+x.table+" (x) VALUES (?)", x.id); err != nil {
					t.Fatal(err)
				}
			}
			got := w.apply(plan, 8)
			name := publishing.LogName(false, r.Drafts[len(r.Drafts)/2])
			if len(got.Left) != 1 || got.Left[0].Moment != name || got.LeftVersions == 0 || got.LeftMedia == 0 {
				t.Errorf("left: %+v, %d versions, %d media; want %s", got.Left, got.LeftVersions, got.LeftMedia, name)
			}
			w.check()
			if diff := cmp.Diff(copies[name], w.copies()[name]); diff != "" {
				t.Errorf("%s (-before +after):\n%s", name, diff)
			}
		})
	}
}

// A log whose record a draft names although the entity has a later one, as change sets within change sets leave it, stays.
func TestNestedLogsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 2)
	for range 12 {
		w.step()
	}
	e := w.leaves[0]
	w.change(func(cs *publishing.ChangeSet) error {
		ctx := t.Context()
		if err := cs.SetDrafts(ctx, []publishing.Pointer{{Entity: e}}); err != nil {
			return err
		}
		_, err := publishing.Change(ctx, cs.Tx(), w.pkg.ID, publishing.Meta{}, func(in *publishing.ChangeSet) error {
			_, _, err := in.CreateVersions(ctx, []publishing.NewVersion{{Entity: e, Title: "inner"}})
			return err
		})
		if err != nil {
			return err
		}
		_, _, err = cs.CreateVersions(ctx, []publishing.NewVersion{{Entity: e, Title: "outer"}})
		return err
	})
	logs := w.logs(false)
	outer := publishing.LogName(false, logs[len(logs)-2].ID)
	w.change(func(cs *publishing.ChangeSet) error {
		return cs.SetDrafts(t.Context(), []publishing.Pointer{{Entity: w.leaves[1]}})
	})
	before := w.copy(publishing.Draft())
	got := w.apply(w.plan(prune.Policy{Last: 1}), 10)
	if !slices.ContainsFunc(got.Left, func(l prune.Left) bool { return l.Moment == outer }) {
		t.Errorf("left: %+v, want %s", got.Left, outer)
	}
	if diff := cmp.Diff(before, w.copy(publishing.Draft())); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// While a plan is undone, one who applies it is told.
func TestUndoneMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 5)
	for range 30 {
		w.step()
	}
	before := w.dump()
	plan := w.plan(prune.Policy{Last: 1})
	units := 0
	_, err := prune.Apply(t.Context(), func(ctx context.Context, fn func(*db.Tx) error) error {
		if units++; units == 4 {
			w.undo(plan)
		}
		return w.d.Update(ctx, fn)
	}, plan, &plan.Packages[0], prune.Approval{Restorable: time.Hour, Batch: 2})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("apply: %v", err)
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// Plans are undone in the reverse order of their application.
func TestLaterPlanFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 6)
	for range 40 {
		w.step()
	}
	before := w.dump()
	first := w.plan(prune.Policy{Last: 8})
	w.apply(first, 100)
	w.now = w.now.Add(time.Hour)
	second := w.plan(prune.Policy{Last: 2})
	w.apply(second, 100)
	err := w.d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := prune.Undo(t.Context(), tx, &first.Packages[0])
		return err
	})
	if !fault.Is(err, fault.Refused) {
		t.Errorf("undo of the first: %v", err)
	}
	if _, err := prune.Apply(t.Context(), w.d.Update, first, &first.Packages[0], prune.Approval{}); !fault.Is(err, fault.Refused) {
		t.Errorf("the first again: %v", err)
	}
	w.undo(second)
	w.undo(first)
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}
