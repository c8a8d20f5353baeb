package collections

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// onEngines are the tests that run on every engine, one after the other on one database, each in a package of its own:
// making the tables takes longer than all of them.
var onEngines = map[string]func(t *testing.T, f *fixture){
	"create":     testCreate,
	"refused":    testCreateRefuses,
	"update":     testUpdate,
	"delete":     testDeleteAndRestore,
	"members":    testMembers,
	"foreign":    testForeign,
	"set":        testSetOf,
	"drafts":     testDraftsDoNotMatter,
	"statements": testStatementsAreBounded,
	"history":    testHistory,
	"noticed":    testNoticed,
	"tells":      testRestoreTells,
	"events":     testEvents,
}

func TestEngines(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		n := new(atomic.Int64)
		var tick atomic.Int64
		clock := func() time.Time {
			return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(tick.Add(1)) * time.Second)
		}
		d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, setup), db.Options{OnStatement: func(string) { n.Add(1) }, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		for name, fn := range onEngines {
			t.Run(name, func(t *testing.T) {
				f := &fixture{DB: d, t: t, statements: n}
				f.pkg = f.newPackage(t.Name())
				fn(t, f)
			})
		}
	})
}

// fixture is a database with a package. Its clock moves on by a second with every transaction.
type fixture struct {
	*db.DB
	t          *testing.T
	pkg        publishing.PackageID
	statements *atomic.Int64 // that reached the database
}

func (f *fixture) newPackage(ref string) publishing.PackageID {
	f.t.Helper()
	return do(f, func(tx *db.Tx) (publishing.Package, error) {
		return publishing.CreatePackage(f.t.Context(), tx, publishing.NewPackage{Ref: ref, Title: ref})
	}).ID
}

// do runs fn in a transaction.
func do[T any](f *fixture, fn func(*db.Tx) (T, error)) T {
	f.t.Helper()
	v, err := try(f, fn)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func try[T any](f *fixture, fn func(*db.Tx) (T, error)) (v T, err error) {
	err = f.Update(f.t.Context(), func(tx *db.Tx) (err error) {
		v, err = fn(tx)
		return err
	})
	return v, err
}

func (f *fixture) create(code string) Collection {
	f.t.Helper()
	return do(f, func(tx *db.Tx) ([]Change, error) {
		return Create(f.t.Context(), tx, f.pkg, []New{{Code: code, Title: code}})
	})[0].Collection
}

func (f *fixture) entities(refs ...string) []publishing.EntityID {
	f.t.Helper()
	list := make([]publishing.NewEntity, len(refs))
	for i, r := range refs {
		list[i].Ref = r
	}
	return do(f, func(tx *db.Tx) ([]publishing.EntityID, error) {
		return publishing.CreateEntities(f.t.Context(), tx, f.pkg, list)
	})
}

func (f *fixture) get(code string) Collection {
	f.t.Helper()
	c, err := ByCode(f.t.Context(), f, f.pkg, code)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fixture) members(code string) []publishing.EntityID {
	f.t.Helper()
	ids, err := Entities(f.t.Context(), f, f.pkg, code)
	if err != nil {
		f.t.Fatal(err)
	}
	return ids
}

func (f *fixture) add(c Collection, ids ...publishing.EntityID) Change {
	f.t.Helper()
	return do(f, func(tx *db.Tx) ([]Change, error) { return Add(f.t.Context(), tx, f.pkg, []Members{{c.ID, ids}}, 0) })[0]
}

// equal compares what a call did with what it should have done.
func (f *fixture) equal(name string, want, got any) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func testCreate(t *testing.T, f *fixture) {
	at := time.Date(2020, 2, 3, 4, 5, 6, 789_000, time.UTC)
	got := do(f, func(tx *db.Tx) ([]Change, error) {
		return Create(t.Context(), tx, f.pkg, []New{
			{Code: "a.b-c_d", Title: "First", Description: "about"},
			{Code: "A.B-C_D", Title: " ", Disabled: true, Created: at, Modified: at.Add(time.Hour)},
		})
	})
	f.equal("created", []bool{true, false}, []bool{got[0].Created, got[1].Created}) // section 19: no event of a disabled one
	for _, c := range got {
		f.equal("stored", c.Collection, f.get(c.Collection.Code))
	}
	if c := got[0].Collection; !c.Enabled || !c.Created.Equal(c.Modified) || c.Description != "about" {
		t.Errorf("collection %+v", c)
	}
	if c := got[1].Collection; c.Enabled || !c.Created.Equal(at) || !c.Modified.Equal(at.Add(time.Hour)) {
		t.Errorf("collection %+v", c)
	}
	for w, want := range map[Which]int{Enabled: 1, Disabled: 1, All: 2} {
		if list, err := Collections(t.Context(), f, f.pkg, w); len(list) != want || err != nil {
			t.Errorf("%d collections, %v, want %d", len(list), err, want)
		}
	}
	for _, code := range []string{"x", "a.b-c_d ", "a.b-c_D"} {
		if _, err := ByCode(t.Context(), f, f.pkg, code); !fault.Is(err, fault.NotFound) {
			t.Errorf("ByCode(%q): %v", code, err)
		}
	}
}

func testCreateRefuses(t *testing.T, f *fixture) {
	f.create("a")
	for name, c := range map[string]struct {
		list []New
		kind fault.Kind
	}{
		"exists":         {[]New{{Code: "b", Title: "x"}, {Code: "a", Title: "x"}}, fault.Conflict},
		"given twice":    {[]New{{Code: "b", Title: "x"}, {Code: "b", Title: "x"}}, fault.Conflict},
		"empty code":     {[]New{{Title: "x"}}, fault.Invalid},
		"code":           {[]New{{Code: "é", Title: "x"}}, fault.Invalid},
		"code with end":  {[]New{{Code: "b\n", Title: "x"}}, fault.Invalid},
		"long code":      {[]New{{Code: strings.Repeat("a", 256), Title: "x"}}, fault.Invalid},
		"blank title":    {[]New{{Code: "b"}}, fault.Invalid},
		"long title":     {[]New{{Code: "b", Title: strings.Repeat("é", 501)}}, fault.Invalid},
		"NUL":            {[]New{{Code: "b", Title: "x", Description: "\x00"}}, fault.Invalid},
		"title no UTF-8": {[]New{{Code: "b", Title: "\xff"}}, fault.Invalid},
	} {
		if _, err := try(f, func(tx *db.Tx) ([]Change, error) { return Create(t.Context(), tx, f.pkg, c.list) }); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind.Code())
		}
	}
	if list, err := Collections(t.Context(), f, f.pkg, All); len(list) != 1 || err != nil {
		t.Errorf("%d collections, %v, want 1", len(list), err)
	}
}

func testUpdate(t *testing.T, f *fixture) {
	c := f.create("a")
	update := func(e Edit) Change {
		t.Helper()
		return do(f, func(tx *db.Tx) (Change, error) { return Update(t.Context(), tx, f.pkg, "a", e) })
	}
	f.equal("nothing named", Change{Collection: c}, update(Edit{}))
	f.equal("stored", c, f.get("a"))
	title, blank := "Title", ""
	got := update(Edit{Title: &title})
	if !got.MetadataModified || got.Collection.Title != title || !got.Collection.Modified.After(c.Modified) {
		t.Errorf("updated %+v", got)
	}
	f.equal("stored", got.Collection, f.get("a"))
	do(f, func(tx *db.Tx) (Change, error) { return Delete(t.Context(), tx, f.pkg, "a") })
	got = update(Edit{Title: &blank, Description: &title}) // also of a disabled one, also blank
	f.equal("stored", got.Collection, f.get("a"))
	if !got.MetadataModified || got.Collection.Title != "" || got.Collection.Enabled {
		t.Errorf("updated %+v", got)
	}
	if _, err := try(f, func(tx *db.Tx) (Change, error) { return Update(t.Context(), tx, f.pkg, "none", Edit{Title: &title}) }); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown: %v", err)
	}
}

// testDeleteAndRestore follows laws 64 and 79.
func testDeleteAndRestore(t *testing.T, f *fixture) {
	c, e := f.create("a"), f.entities("x", "y")
	f.add(c, e...)
	rows := func() []Member {
		t.Helper()
		list, err := AllMembers(t.Context(), f, f.pkg)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := rows()
	call := func(fn func(context.Context, *db.Tx, publishing.PackageID, string) (Change, error)) Change {
		t.Helper()
		return do(f, func(tx *db.Tx) (Change, error) { return fn(t.Context(), tx, f.pkg, "a") })
	}
	last := f.get("a").Modified
	got := call(Delete)
	if !got.Deleted || got.Collection.Enabled || !got.Collection.Modified.After(last) {
		t.Errorf("deleted %+v", got)
	}
	f.equal("told", e, got.Removed)
	f.equal("stored", got.Collection, f.get("a"))
	f.equal("deleted again", Change{Collection: got.Collection}, call(Delete))
	f.equal("stored", got.Collection, f.get("a"))
	for range 2 { // also of an enabled one
		last = f.get("a").Modified
		got = call(Restore)
		if !got.Created || !got.Collection.Enabled || !got.Collection.Modified.After(last) {
			t.Errorf("restored %+v", got)
		}
		f.equal("told", e, got.Added)
	}
	f.equal("members", before, rows())
	got = call(Erase)
	f.equal("told", e, got.Removed)
	if !got.Deleted || len(rows()) != 0 {
		t.Errorf("erased %+v, left %v", got, rows())
	}
	if _, err := ByCode(t.Context(), f, f.pkg, "a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after it was erased: %v", err)
	}
	c = f.create("a")
	f.add(c, e...)
	call(Delete)
	if got = call(Erase); got.Deleted || got.Removed != nil {
		t.Errorf("erasing a deleted one says %+v", got)
	}
}

// testMembers follows law 62.
func testMembers(t *testing.T, f *fixture) {
	a, b, e := f.create("a"), f.create("b"), f.entities("x", "y", "z")
	got := f.add(a, e[1], e[0], e[1])
	f.equal("added", e[:2], got.Added)
	first, err := AllMembers(t.Context(), f, f.pkg)
	if err != nil {
		t.Fatal(err)
	}
	last := f.get("a").Modified
	got = f.add(a, e[0])
	if len(got.Added) != 0 || !got.Collection.Modified.After(last) {
		t.Errorf("added again: %+v", got)
	}
	f.equal("stored", got.Collection, f.get("a"))
	second, err := AllMembers(t.Context(), f, f.pkg)
	if err != nil {
		t.Fatal(err)
	}
	f.equal("rows", first, second)
	both := do(f, func(tx *db.Tx) ([]Change, error) {
		return Add(t.Context(), tx, f.pkg, []Members{{b.ID, e}, {a.ID, e[2:]}}, 0)
	})
	f.equal("added", [][]publishing.EntityID{e, e[2:]}, [][]publishing.EntityID{both[0].Added, both[1].Added})
	do(f, func(tx *db.Tx) (Change, error) { return Delete(t.Context(), tx, f.pkg, "b") })
	last = f.get("b").Modified
	if _, err := try(f, func(tx *db.Tx) ([]Change, error) { return Add(t.Context(), tx, f.pkg, []Members{{b.ID, e}}, 0) }); !fault.Is(err, fault.Invalid) {
		t.Errorf("added to a disabled one: %v", err)
	}
	f.equal("modified", last, f.get("b").Modified)
	removed := do(f, func(tx *db.Tx) ([]Change, error) {
		return Remove(t.Context(), tx, f.pkg, []Members{{a.ID, []publishing.EntityID{e[0], 1 << 40}}, {b.ID, e[1:]}})
	})
	f.equal("removed", [][]publishing.EntityID{e[:1], e[1:]}, [][]publishing.EntityID{removed[0].Removed, removed[1].Removed})
	f.equal("left in a", e[1:], f.members("a"))
	f.equal("left in b", e[:1], f.members("b"))
	last = f.get("a").Modified
	again := do(f, func(tx *db.Tx) ([]Change, error) { return Remove(t.Context(), tx, f.pkg, []Members{{a.ID, e[:1]}}) })
	if len(again[0].Removed) != 0 || !f.get("a").Modified.After(last) {
		t.Errorf("removed again: %+v", again)
	}
	of, err := Of(t.Context(), f, f.pkg, "x")
	if len(of) != 0 || err != nil { // b is disabled
		t.Errorf("of x: %v, %v", of, err)
	}
	of, err = Of(t.Context(), f, f.pkg, "y")
	if len(of) != 1 || err != nil || of[0].ID != a.ID {
		t.Errorf("of y: %v, %v", of, err)
	}
	if _, err := Of(t.Context(), f, f.pkg, "unknown"); !fault.Is(err, fault.NotFound) {
		t.Errorf("of an unknown entity: %v", err)
	}
}

// testForeign follows law 65.
func testForeign(t *testing.T, f *fixture) {
	c, own := f.create("a"), f.entities("x")
	pkg := f.pkg
	f.pkg = f.newPackage(t.Name() + " other")
	theirs, theirCollection := f.entities("x"), f.create("b")
	f.pkg = pkg
	before := f.get("a")
	add := func(m Members) func(*db.Tx) ([]Change, error) {
		return func(tx *db.Tx) ([]Change, error) { return Add(t.Context(), tx, f.pkg, []Members{m}, 0) }
	}
	for name, call := range map[string]struct {
		fn   func(*db.Tx) ([]Change, error)
		kind fault.Kind
	}{
		"entity":             {add(Members{c.ID, []publishing.EntityID{own[0], theirs[0]}}), fault.Invalid},
		"collection":         {add(Members{theirCollection.ID, own}), fault.Invalid},
		"unknown entity":     {add(Members{c.ID, []publishing.EntityID{1 << 40}}), fault.NotFound},
		"unknown collection": {add(Members{1 << 30, own}), fault.NotFound},
		"set, entity":        {func(tx *db.Tx) ([]Change, error) { return SetOf(t.Context(), tx, f.pkg, theirs[0], []ID{c.ID}, 0) }, fault.Invalid},
		"set, collection": {func(tx *db.Tx) ([]Change, error) {
			return SetOf(t.Context(), tx, f.pkg, own[0], []ID{c.ID, theirCollection.ID}, 0)
		}, fault.Invalid},
	} {
		if _, err := try(f, call.fn); !fault.Is(err, call.kind) {
			t.Errorf("%s: %v, want %s", name, err, call.kind.Code())
		}
		f.equal("after "+name, before, f.get("a"))
		f.equal("after "+name, 0, len(f.members("a")))
	}
}

// testSetOf follows law 63.
func testSetOf(t *testing.T, f *fixture) {
	a, b, c, d, e := f.create("a"), f.create("b"), f.create("c"), f.create("d"), f.entities("x", "y")
	f.add(a, e...)
	f.add(b, e...)
	f.add(d, e[1])
	for _, code := range []string{"b", "d"} { // disabled ones lose and gain it too
		do(f, func(tx *db.Tx) (Change, error) { return Delete(t.Context(), tx, f.pkg, code) })
	}
	before := map[string]Collection{"a": f.get("a"), "b": f.get("b"), "c": f.get("c"), "d": f.get("d")}
	got := do(f, func(tx *db.Tx) ([]Change, error) {
		return SetOf(t.Context(), tx, f.pkg, e[0], []ID{d.ID, c.ID, a.ID, a.ID}, 0)
	})
	var told []string
	for _, ch := range got {
		told = append(told, fmt.Sprintf("%s +%d -%d", ch.Collection.Code, len(ch.Added), len(ch.Removed)))
		if !ch.Collection.Modified.After(before[ch.Collection.Code].Modified) {
			t.Errorf("%s is not modified", ch.Collection.Code)
		}
		f.equal("stored", ch.Collection, f.get(ch.Collection.Code))
	}
	f.equal("changed", []string{"b +0 -1", "c +1 -0", "d +1 -0"}, told)
	f.equal("unchanged", before["a"], f.get("a"))
	f.equal("a", e, f.members("a"))
	f.equal("b", e[1:], f.members("b"))
	f.equal("c", e[:1], f.members("c"))
	f.equal("d", e, f.members("d"))
	if again := do(f, func(tx *db.Tx) ([]Change, error) {
		return SetOf(t.Context(), tx, f.pkg, e[0], []ID{d.ID, c.ID, a.ID}, 0)
	}); len(again) != 0 {
		t.Errorf("set again: %+v", again)
	}
	do(f, func(tx *db.Tx) ([]Change, error) { return SetOf(t.Context(), tx, f.pkg, e[0], nil, 0) })
	f.equal("a", e[1:], f.members("a"))
}

// testDraftsDoNotMatter follows law 66.
func testDraftsDoNotMatter(t *testing.T, f *fixture) {
	c, bare := f.create("a"), f.entities("bare")
	ids := do(f, func(tx *db.Tx) (ids []publishing.EntityID, err error) {
		_, err = publishing.Change(t.Context(), tx, f.pkg, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			list := []components.NewComponent{{Type: components.Type{Namespace: "a", Name: "b"}, Code: "p"}, {Type: components.Type{Namespace: "a", Name: "b"}, Code: "q"}}
			if ids, err = components.Create(t.Context(), tx, f.pkg, list); err != nil {
				return err
			}
			_, _, err = components.CreateVersions(t.Context(), cs, []components.NewVersion{{Entity: ids[0]}, {Entity: ids[1]}})
			return err
		})
		return ids, err
	})
	all := append(bare[:1:1], ids...)
	f.add(c, all...)
	before := f.get("a")
	do(f, func(tx *db.Tx) (*publishing.ChangeLog, error) {
		return publishing.Change(t.Context(), tx, f.pkg, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			return cs.SetDrafts(t.Context(), []publishing.Pointer{{Entity: ids[0]}})
		})
	})
	do(f, func(tx *db.Tx) (*publishing.PublishLog, error) {
		return publishing.PublishAll(t.Context(), tx, f.pkg, publishing.PublishMeta{})
	})
	f.equal("members", all, f.members("a"))
	f.equal("collection", before, f.get("a"))
	do(f, func(tx *db.Tx) (Change, error) { return Delete(t.Context(), tx, f.pkg, "a") })
	got, err := Components(t.Context(), f, f.pkg, "a")
	if len(got) != 2 || err != nil || got[0].ID != ids[0] {
		t.Errorf("components %+v, %v", got, err)
	}
}

func testStatementsAreBounded(t *testing.T, f *fixture) {
	const n = 300
	list := make([]New, n)
	refs := make([]string, n)
	for i := range list {
		list[i] = New{Code: fmt.Sprint("c", i), Title: "T"}
		refs[i] = fmt.Sprint("e", i)
	}
	e := f.entities(refs...)
	f.statements.Store(0)
	made := do(f, func(tx *db.Tx) ([]Change, error) { return Create(t.Context(), tx, f.pkg, list) })
	do(f, func(tx *db.Tx) ([]Change, error) {
		members := make([]Members, n)
		for i, c := range made {
			members[i] = Members{c.Collection.ID, e[i : i+1]}
		}
		if _, err := Add(t.Context(), tx, f.pkg, members, 0); err != nil {
			return nil, err
		}
		return Remove(t.Context(), tx, f.pkg, members)
	})
	if got := f.statements.Load(); got > 50 {
		t.Errorf("%d statements for %d collections", got, n)
	}
	do(f, func(tx *db.Tx) (any, error) { return nil, Purge(t.Context(), tx, f.pkg) })
	if list, err := Collections(t.Context(), f, f.pkg, All); len(list) != 0 || err != nil {
		t.Errorf("left %d, %v", len(list), err)
	}
}
