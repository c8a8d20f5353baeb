package collections

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// view is what is compared of collections: code, title, description, enabled, members.
func view(list []State) (out []string) {
	for _, s := range list {
		out = append(out, fmt.Sprintf("%s %q %q %v %v", s.Code, s.Title, s.Description, s.Enabled, s.Members))
	}
	slices.Sort(out)
	return out
}

func (f *fixture) asOf(m Moment) []string {
	f.t.Helper()
	list, err := AsOf(f.t.Context(), f, f.pkg, m)
	if err != nil {
		f.t.Fatal(err)
	}
	return view(list)
}

// now reads the collections from their own tables.
func (f *fixture) now() []string {
	f.t.Helper()
	list, err := Collections(f.t.Context(), f, f.pkg, All)
	if err != nil {
		f.t.Fatal(err)
	}
	members, err := AllMembers(f.t.Context(), f, f.pkg)
	if err != nil {
		f.t.Fatal(err)
	}
	states := make([]State, len(list))
	for i, c := range list {
		states[i].Collection = c
		for _, m := range members {
			if m.Collection == c.ID {
				states[i].Members = append(states[i].Members, m.Entity)
			}
		}
	}
	return view(states)
}

func (f *fixture) last() int64 {
	f.t.Helper()
	id, err := LastEntry(f.t.Context(), f, f.pkg)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// testHistory changes collections at random, here and as another program would, reads every moment back, and restores
// some.
func testHistory(t *testing.T, f *fixture) {
	r := rand.New(rand.NewPCG(7, 7))
	var e []publishing.EntityID
	for i := range 6 {
		e = append(e, f.entities(fmt.Sprint("e", i))...)
	}
	some := func() (out []publishing.EntityID) {
		for range 1 + r.IntN(3) {
			out = append(out, e[r.IntN(len(e))])
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	type past struct {
		entry int64
		at    time.Time
		view  []string
	}
	moments := []past{{view: nil}}
	codes := []string{"a", "b", "c", "d"}
	for step := range 80 {
		code := codes[r.IntN(len(codes))]
		c, err := ByCode(t.Context(), f, f.pkg, code)
		var at time.Time
		f.update(func(tx *db.Tx) error {
			at = tx.Now()
			if err != nil { // not there
				_, err := Create(t.Context(), tx, f.pkg, []New{{Code: code, Title: code, Disabled: r.IntN(5) == 0}})
				return err
			}
			switch n := r.IntN(12); {
			case n < 3 && c.Enabled:
				_, err := Add(t.Context(), tx, f.pkg, []Members{{c.ID, some()}}, 0)
				return err
			case n < 5:
				_, err := Remove(t.Context(), tx, f.pkg, []Members{{c.ID, some()}})
				return err
			case n < 6:
				title := fmt.Sprint("title ", step)
				_, err := Update(t.Context(), tx, f.pkg, code, Edit{Title: &title})
				return err
			case n < 7:
				_, err := Delete(t.Context(), tx, f.pkg, code)
				return err
			case n < 8:
				_, err := Restore(t.Context(), tx, f.pkg, code)
				return err
			case n < 9:
				_, err := Erase(t.Context(), tx, f.pkg, code)
				return err
			case n < 10:
				_, err := SetOf(t.Context(), tx, f.pkg, e[0], []ID{c.ID}, 0)
				return err
			}
			// Another program, and then what notices it.
			if _, err := tx.Exec(t.Context(), "DELETE FROM openedx_content_collectionpublishableentity WHERE collection_id = ?", int64(c.ID)); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), "UPDATE openedx_content_collection SET title = 'theirs', enabled = TRUE, modified = ? WHERE id = ?", at, int64(c.ID)); err != nil {
				return err
			}
			if err := insertMembers(t.Context(), tx, []member{{c.ID, e[5]}}, at, 0); err != nil {
				return err
			}
			if r.IntN(2) == 0 {
				_, err := Reconcile(t.Context(), tx, f.pkg)
				return err
			}
			_, err := Remove(t.Context(), tx, f.pkg, []Members{{c.ID, []publishing.EntityID{e[5]}}})
			return err
		})
		moments = append(moments, past{f.last(), at, f.now()})
	}
	for i, m := range moments {
		if diff := cmp.Diff(m.view, f.asOf(AfterEntry(m.entry))); diff != "" {
			t.Fatalf("after step %d (-was +read):\n%s", i, diff)
		}
		if i > 0 {
			if diff := cmp.Diff(m.view, f.asOf(At(m.at))); diff != "" {
				t.Fatalf("at the time of step %d (-was +read):\n%s", i, diff)
			}
		}
	}
	if diff := cmp.Diff(f.now(), f.asOf(Moment{})); diff != "" {
		t.Errorf("now (-tables +log):\n%s", diff)
	}
	for range 6 {
		m := moments[r.IntN(len(moments))]
		f.update(func(tx *db.Tx) error {
			_, err := RestoreTo(t.Context(), tx, f.pkg, AfterEntry(m.entry), 0)
			return err
		})
		// What did not exist then is there, deleted.
		got := slices.DeleteFunc(f.now(), func(s string) bool {
			return !slices.Contains(m.view, s) && !slices.ContainsFunc(m.view, func(w string) bool { return w[0] == s[0] }) // by code
		})
		if diff := cmp.Diff(m.view, got, cmp.Transformer("empty", func(s []string) string { return fmt.Sprint(s) })); diff != "" {
			t.Errorf("restored (-was +is):\n%s", diff)
		}
		if diff := cmp.Diff(f.now(), f.asOf(Moment{})); diff != "" {
			t.Errorf("after the restore (-tables +log):\n%s", diff)
		}
	}
	left, err := Unlogged(t.Context(), f, f.pkg)
	if err != nil || len(left) > 0 {
		t.Errorf("not logged: %+v, %v", left, err)
	}
	all, err := History(t.Context(), f, f.pkg, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if i > 0 && all[i].At.Before(all[i-1].At) {
			t.Errorf("the log goes back in time: %+v after %+v", all[i], all[i-1])
		}
	}
}

// testNoticed finds what another program did, each as what it was.
func testNoticed(t *testing.T, f *fixture) {
	e := f.entities("a", "b")
	kept, gone := f.create("kept"), f.create("gone")
	f.update(func(tx *db.Tx) error {
		_, err := Add(t.Context(), tx, f.pkg, []Members{{kept.ID, e[:1]}}, 0)
		return err
	})
	f.update(func(tx *db.Tx) error {
		if err := insertMembers(t.Context(), tx, []member{{kept.ID, e[1]}}, tx.Now(), 0); err != nil {
			return err
		}
		if err := deleteMembers(t.Context(), tx, map[member]bool{{kept.ID, e[0]}: true}); err != nil {
			return err
		}
		if _, err := tx.Exec(t.Context(), "DELETE FROM openedx_content_collection WHERE id = ?", int64(gone.ID)); err != nil {
			return err
		}
		_, err := tx.Exec(t.Context(), "UPDATE openedx_content_collection SET title = 'new', enabled = FALSE, modified = ? WHERE id = ?", tx.Now(), int64(kept.ID))
		return err
	})
	see := func(list []Entry) (out []string) {
		for _, x := range list {
			out = append(out, fmt.Sprintf("%s %s %d %v", x.Code, x.Kind, x.Entity, x.Noticed))
		}
		slices.Sort(out)
		return out
	}
	want := []string{"gone erased 0 true", fmt.Sprintf("kept added %d true", e[1]), "kept deleted 0 true", fmt.Sprintf("kept removed %d true", e[0])}
	list, err := Unlogged(t.Context(), f, f.pkg)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, see(list)); diff != "" {
		t.Errorf("not logged (-want +got):\n%s", diff)
	}
	f.update(func(tx *db.Tx) error {
		_, err := Reconcile(t.Context(), tx, f.pkg)
		return err
	})
	if list, err = Unlogged(t.Context(), f, f.pkg); err != nil || len(list) > 0 {
		t.Errorf("left after reconciling: %+v, %v", list, err)
	}
	history, err := History(t.Context(), f, f.pkg, "kept")
	if err != nil {
		t.Fatal(err)
	}
	want = append([]string{fmt.Sprintf("kept added %d false", e[0]), "kept created 0 false"}, want[1:]...)
	slices.Sort(want)
	if diff := cmp.Diff(want, see(history)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func (f *fixture) update(fn func(tx *db.Tx) error) {
	f.t.Helper()
	do(f, func(tx *db.Tx) (any, error) { return nil, fn(tx) })
}

// testRestoreTells reads the events that a restore leaves: one for each change that it returns.
func testRestoreTells(t *testing.T, f *fixture) {
	e := f.entities("x", "y")
	back, gone, edited := f.create("back"), "gone", f.create("edited")
	f.update(func(tx *db.Tx) error {
		_, err := Add(t.Context(), tx, f.pkg, []Members{{back.ID, e}, {edited.ID, e[:1]}}, 0)
		return err
	})
	at := f.last()
	f.create(gone)
	f.update(func(tx *db.Tx) error {
		if _, err := Delete(t.Context(), tx, f.pkg, "back"); err != nil {
			return err
		}
		title := "another"
		if _, err := Update(t.Context(), tx, f.pkg, "edited", Edit{Title: &title}); err != nil {
			return err
		}
		_, err := Add(t.Context(), tx, f.pkg, []Members{{edited.ID, e[1:]}}, 0)
		return err
	})
	before, err := outbox.List(t.Context(), f, outbox.Filter{Package: int64(f.pkg)})
	if err != nil {
		t.Fatal(err)
	}
	changes := do(f, func(tx *db.Tx) ([]Change, error) { return RestoreTo(t.Context(), tx, f.pkg, AfterEntry(at), 0) })
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprintf("%s created %v edited %v deleted %v +%d -%d", c.Collection.Code, c.Created, c.MetadataModified, c.Deleted, len(c.Added), len(c.Removed)))
	}
	want := []string{
		"back created true edited false deleted false +2 -0", "edited created false edited true deleted false +0 -0",
		"gone created false edited false deleted true +0 -0", "edited created false edited false deleted false +0 -1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	after, err := outbox.List(t.Context(), f, outbox.Filter{Package: int64(f.pkg)})
	if err != nil || len(after) != len(before)+len(want) {
		t.Errorf("%d events after the restore, %d before, %v", len(after), len(before), err)
	}
}
