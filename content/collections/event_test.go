package collections

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// testEvents makes every call of content-model.md §19's table and reads the events that it leaves.
func testEvents(t *testing.T, f *fixture) {
	ctx := t.Context()
	var last int64
	e := f.entities("x", "y", "z")
	x, y, z := e[0], e[1], e[2]
	title := "New"
	// want compares the events of one call; at is when the collection was modified.
	want := func(call string, fn func(*db.Tx) ([]Change, error), lines ...string) []Change {
		t.Helper()
		changes := do(f, fn)
		list, err := outbox.List(ctx, f, outbox.Filter{Package: int64(f.pkg), After: last})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, ev := range list {
			full, _, err := outbox.Get(ctx, f, ev.ID)
			if err != nil {
				t.Fatal(err)
			}
			last = ev.ID
			if ev.Type == outbox.PackageCreated {
				continue
			}
			line := strings.NewReplacer(fmt.Sprint(`"collection_id":`, idIn(full.Data)), "", `"`, "").Replace(full.Data)
			got = append(got, fmt.Sprintf("%d %s", ev.By, line))
			if c := changes[min(i, len(changes)-1)].Collection; ev.Type != outbox.CollectionChanged || !ev.At.Equal(c.Modified) || ev.Title != f.title() {
				t.Errorf("%s: %+v of %+v", call, ev, c)
			}
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", call, diff)
		}
		return changes
	}
	one := func(fn func(tx *db.Tx) (Change, error)) func(*db.Tx) ([]Change, error) {
		return func(tx *db.Tx) ([]Change, error) {
			c, err := fn(tx)
			return []Change{c}, err
		}
	}
	line := func(by int, code, what string, added, removed []publishing.EntityID) string {
		is := func(name string) bool { return what == name }
		list := func(ids []publishing.EntityID) string { return strings.ReplaceAll(fmt.Sprint(ids), " ", ",") }
		return fmt.Sprintf("%d {,collection_code:%s,created:%v,metadata_modified:%v,deleted:%v,entities_added:%s,entities_removed:%s}", by, code,
			is("created"), is("modified"), is("deleted"), list(added), list(removed))
	}
	none := []publishing.EntityID{}
	both := []publishing.EntityID{x, y}
	made := want("create", func(tx *db.Tx) ([]Change, error) {
		return Create(ctx, tx, f.pkg, []New{{Code: "a", Title: "a"}, {Code: "off", Title: "off", Disabled: true}, {Code: "b", Title: "b"}})
	}, line(0, "a", "created", none, none), line(0, "b", "created", none, none))
	a, off, b := made[0].Collection.ID, made[1].Collection.ID, made[2].Collection.ID
	want("update", one(func(tx *db.Tx) (Change, error) { return Update(ctx, tx, f.pkg, "off", Edit{Title: &title}) }), line(0, "off", "modified", none, none))
	want("update nothing", one(func(tx *db.Tx) (Change, error) { return Update(ctx, tx, f.pkg, "a", Edit{}) }))
	want("add", func(tx *db.Tx) ([]Change, error) {
		return Add(ctx, tx, f.pkg, []Members{{a, []publishing.EntityID{y, x}}}, 0)
	}, line(0, "a", "", both, none))
	want("add nothing new", func(tx *db.Tx) ([]Change, error) {
		return Add(ctx, tx, f.pkg, []Members{{a, both}, {b, []publishing.EntityID{z}}}, 0)
	}, line(0, "a", "", none, none), line(0, "b", "", []publishing.EntityID{z}, none))
	want("remove", func(tx *db.Tx) ([]Change, error) {
		return Remove(ctx, tx, f.pkg, []Members{{b, []publishing.EntityID{x, z}}})
	}, line(0, "b", "", none, []publishing.EntityID{z}))
	want("set", func(tx *db.Tx) ([]Change, error) { return SetOf(ctx, tx, f.pkg, x, []ID{off, b}, 0) },
		line(0, "a", "", none, both[:1]), line(0, "off", "", both[:1], none), line(0, "b", "", both[:1], none))
	want("set the same", func(tx *db.Tx) ([]Change, error) { return SetOf(ctx, tx, f.pkg, x, []ID{off, b}, 0) })
	want("delete", one(func(tx *db.Tx) (Change, error) { return Delete(ctx, tx, f.pkg, "b") }), line(0, "b", "deleted", none, both[:1]))
	want("delete again", one(func(tx *db.Tx) (Change, error) { return Delete(ctx, tx, f.pkg, "b") }))
	want("erase a deleted one", one(func(tx *db.Tx) (Change, error) { return Erase(ctx, tx, f.pkg, "off") }))
	want("restore", one(func(tx *db.Tx) (Change, error) { return Restore(ctx, tx, f.pkg, "b") }), line(0, "b", "created", both[:1], none))
	want("restore again", one(func(tx *db.Tx) (Change, error) { return Restore(ctx, tx, f.pkg, "b") }), line(0, "b", "created", both[:1], none))
	want("erase", one(func(tx *db.Tx) (Change, error) { return Erase(ctx, tx, f.pkg, "a") }), line(0, "a", "deleted", none, both[1:]))
}

// idIn returns the number of the collection in an event's data.
func idIn(data string) string {
	_, rest, _ := strings.Cut(data, `"collection_id":`)
	id, _, _ := strings.Cut(rest, ",")
	return id
}

func (f *fixture) title() string {
	f.t.Helper()
	p, err := publishing.PackageByID(f.t.Context(), f, f.pkg)
	if err != nil {
		f.t.Fatal(err)
	}
	return p.Title
}
