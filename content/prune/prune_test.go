package prune_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/prune"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

func (w *world) plan(p prune.Policy) *prune.Plan {
	w.Helper()
	var plan *prune.Plan
	w.do(func(tx *db.Tx) (err error) {
		plan, err = prune.Make(w.Context(), tx, []publishing.Package{w.pkg}, p, prune.Options{Labels: w.labelled, Guard: time.Nanosecond})
		return err
	})
	return plan
}

func (w *world) apply(p *prune.Plan, batch int) *prune.Result {
	w.Helper()
	r, err := prune.Apply(w.Context(), w.d.Update, p, &p.Packages[0], prune.Approval{By: "ann", Restorable: 1000 * time.Hour, Labels: w.labelled, Batch: batch})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) undo(p *prune.Plan) *prune.Undone {
	w.Helper()
	var u *prune.Undone
	w.do(func(tx *db.Tx) (err error) {
		u, err = prune.Undo(w.Context(), tx, &p.Packages[0])
		return err
	})
	return u
}

// anyPolicy makes a policy.
func (w *world) anyPolicy() prune.Policy {
	p := prune.Policy{Last: 1 + w.rnd.IntN(5), Published: w.rnd.IntN(2) == 0, Labelled: w.rnd.IntN(3) > 0}
	switch w.rnd.IntN(4) {
	case 0:
		p.Within = prune.Period{Days: w.rnd.IntN(8), Hours: 1}
	case 1:
		p.Daily = w.rnd.IntN(9)
	case 2:
		p.Weekly, p.Monthly = w.rnd.IntN(4), w.rnd.IntN(3)
	}
	return p
}

func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		seeds := 8
		if e != db.SQLite {
			seeds = 3
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("%s/%d", e, seed), func(t *testing.T) {
				t.Parallel()
				testHistory(t, e, uint64(seed))
			})
		}
	}
}

func testHistory(t *testing.T, e db.Engine, seed uint64) {
	w, control := newWorld(t, e, seed), newWorld(t, e, seed)
	steps := 20 + int(seed%5)*15
	for range steps {
		w.step()
		control.step()
	}
	w.check()
	policy := w.anyPolicy()
	control.anyPolicy() // the same dice
	copies, before := w.copies(), w.dump()
	plan := w.plan(policy)
	if len(plan.Packages) == 0 {
		t.Fatalf("%+v removes nothing", policy)
	}
	w.applied(plan, copies, 1+int(seed)%7)
	if u := w.undo(plan); u.Kept != 0 {
		t.Errorf("undo left %d changes", u.Kept)
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Fatalf("after undo (-before +now):\n%s", diff)
	}

	w.applied(plan, copies, 500)
	w.latest, control.latest = true, true
	for range 15 {
		w.step()
		control.step()
	}
	if diff := cmp.Diff(control.digests(), w.digests()); diff != "" {
		t.Errorf("further work (-unpruned +pruned):\n%s", diff)
	}
	w.check()
	now, then := w.copies(), control.copies()
	for name, is := range now {
		if diff := cmp.Diff(then[name], is); diff != "" {
			t.Errorf("%s after further work (-unpruned +pruned):\n%s", name, diff)
		}
	}
	w.undo(plan)
	w.check()
	if diff := cmp.Diff(then, w.copies()); diff != "" {
		t.Errorf("undone after further work (-unpruned +pruned): %s", diff)
	}
}

// applied applies a plan and looks at everything.
func (w *world) applied(plan *prune.Plan, copies map[string][]string, batch int) {
	w.Helper()
	t, k := w.T, plan.Packages[0]
	times := map[string]time.Time{}
	for _, publish := range []bool{false, true} {
		for _, l := range w.logs(publish) {
			times[publishing.LogName(publish, l.ID)] = l.At
		}
	}
	r := w.apply(plan, batch)
	want := []int{k.Remove.Moments(), len(k.Remove.Versions), len(k.Remove.Media), 0, 0, 0}
	got := []int{r.Moments, r.Versions, r.Media, len(r.Left), r.LeftVersions, r.LeftMedia}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moments, versions, media, and what is left of them (-planned +done):\n%s\n%v", diff, r.Left)
	}
	w.check()
	for _, name := range []string{"draft", "published"} {
		m := publishing.Draft()
		if name == "published" {
			m = publishing.Published()
		}
		if diff := cmp.Diff(copies[name], w.copy(m)); diff != "" {
			t.Errorf("%s (-before +after):\n%s", name, diff)
		}
	}
	var keep []string
	for _, m := range k.Keep {
		keep = append(keep, m.Moment)
	}
	now := w.copies()
	for _, name := range keep {
		if diff := cmp.Diff(copies[name], now[name]); diff != "" {
			t.Errorf("%s, kept for %v (-before +after):\n%s", name, k.Keep, diff)
		}
	}
	if len(now) != len(keep)+2 {
		t.Errorf("%d moments are left, %d should be", len(now)-2, len(keep))
	}
	for _, b := range []struct {
		publish bool
		ids     prune.IDs
	}{{false, k.Remove.Drafts}, {true, k.Remove.Publishes}} {
		for _, id := range b.ids {
			name := publishing.LogName(b.publish, id)
			at := publishing.DraftsAt(times[name])
			if b.publish {
				at = publishing.PublishedAt(times[name])
			}
			for _, m := range []publishing.Moment{after(b.publish, id), at} {
				_, err := publishing.Heads(w.Context(), w.d, w.pkg.ID, m)
				if !fault.Is(err, fault.NotFound) || !strings.Contains(err.Error(), "was pruned on 2026-") || !strings.Contains(err.Error(), " by ann") {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	if again := w.apply(plan, batch); again.Moments+again.Versions+again.Media+len(again.Rows) != 0 {
		t.Errorf("applied again: %+v", again)
	}
	if again := w.plan(plan.Policy); len(again.Packages) != 0 {
		t.Errorf("a new plan of the same policy removes %+v", again.Packages[0].Remove)
	}
}

func TestPlanFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 3)
	for range 30 {
		w.step()
	}
	plan := w.plan(prune.Policy{Last: 2})
	var text bytes.Buffer
	if err := plan.Write(&text); err != nil {
		t.Fatal(err)
	}
	got, err := prune.Read(bytes.NewReader(text.Bytes()), "plan.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plan, got); diff != "" {
		t.Errorf("written and read (-want +got):\n%s", diff)
	}
	for _, change := range [][2]string{
		{`"lp:world"`, `"lp:other"`}, {`"keep_last": 2`, `"keep_last": 1`}, {`"format": 1`, `"format": 2`}, {`"made"`, `"mode"`}, {"}\n", "}\n}"},
	} {
		changed := strings.Replace(text.String(), change[0], change[1], 1)
		if changed == text.String() {
			t.Fatalf("%q is not in the plan", change[0])
		}
		if _, err := prune.Read(strings.NewReader(changed), "plan.json"); !fault.Is(err, fault.Invalid) {
			t.Errorf("with %q: %v", change[1], err)
		}
	}
	other := newWorld(t, db.SQLite, 3)
	if _, err := prune.Apply(t.Context(), other.d.Update, plan, &plan.Packages[0], prune.Approval{}); !fault.Is(err, fault.Refused) {
		t.Errorf("in another database: %v", err)
	}
}

// What editors label, restore or pin after the plan was made stays.
func TestEditorsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, db.SQLite, 11)
	for range 60 {
		w.step()
	}
	policy := prune.Policy{Last: 1, Labelled: true}
	copies := w.copies()
	plan := w.plan(policy)
	r := plan.Packages[0].Remove
	name := publishing.LogName(false, r.Drafts[len(r.Drafts)/2])
	w.labels[name] = []string{"late"}
	old, err := publishing.Versions(t.Context(), w.d, []publishing.VersionID{publishing.VersionID(r.Versions[0])})
	if err != nil {
		t.Fatal(err)
	}
	w.change(func(cs *publishing.ChangeSet) error {
		return cs.SetDrafts(t.Context(), []publishing.Pointer{{Entity: old[0].Entity, Version: old[0].ID}})
	})
	draft := w.copy(publishing.Draft())
	got := w.apply(plan, 5)
	if !slices.ContainsFunc(got.Left, func(l prune.Left) bool { return l.Moment == name && strings.Contains(l.Why, "late") }) || got.LeftVersions == 0 {
		t.Errorf("left: %+v, %d versions", got.Left, got.LeftVersions)
	}
	w.check()
	for _, l := range got.Left {
		if diff := cmp.Diff(copies[l.Moment], w.copies()[l.Moment]); diff != "" {
			t.Errorf("%s (-before +after):\n%s", l.Moment, diff)
		}
	}
	if diff := cmp.Diff(draft, w.copy(publishing.Draft())); diff != "" {
		t.Errorf("draft (-before +after):\n%s", diff)
	}
}
