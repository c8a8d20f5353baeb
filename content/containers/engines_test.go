package containers

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// onEngines are the tests that run on every engine, one after the other on one database, each in a package of its own:
// making the tables takes longer than all of them.
var onEngines = map[string]func(t *testing.T, f *fixture){
	"create":     testCreate,
	"refused":    testCreateRefuses,
	"versions":   testVersions,
	"children":   testChildRules,
	"next":       testNextVersions,
	"actions":    testActions,
	"read":       testRead,
	"as of":      testAsOf,
	"unaffected": testChildrenLeaveVersionsAlone,
	"settings":   testSettings,
	"circles":    testCircles,
	"outline":    testOutline,
	"statements": testStatementsAreBounded,
	"purge":      testPurge,
	"typed":      testTyped,
	"laws":       testLawsAtRandom,
}

func TestEngines(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		n := new(atomic.Int64)
		d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, setup), db.Options{OnStatement: func(string) { n.Add(1) }})
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
				f := &fixture{DB: d, t: t, files: media.NewDir(t.TempDir()), statements: n}
				f.pkg = f.newPackage(t.Name())
				fn(t, f)
			})
		}
	})
}

// fixture is a database with a package, and files.
type fixture struct {
	*db.DB
	t          *testing.T
	pkg        publishing.Package
	files      *media.Dir
	statements *atomic.Int64 // that reached the database
}

func (f *fixture) newPackage(ref string) (p publishing.Package) {
	f.t.Helper()
	f.update(func(tx *db.Tx) (err error) {
		p, err = publishing.CreatePackage(f.t.Context(), tx, publishing.NewPackage{Ref: ref, Title: ref})
		return err
	})
	return p
}

func (f *fixture) update(fn func(*db.Tx) error) {
	f.t.Helper()
	if err := f.Update(f.t.Context(), fn); err != nil {
		f.t.Fatal(err)
	}
}

// change runs fn in a change set of the package.
func (f *fixture) change(fn func(*publishing.ChangeSet) error) error {
	return f.Update(f.t.Context(), func(tx *db.Tx) error {
		_, err := publishing.Change(f.t.Context(), tx, f.pkg.ID, publishing.Meta{}, fn)
		return err
	})
}

// tryCreate makes containers.
func (f *fixture) tryCreate(list ...NewContainer) (ids []publishing.EntityID, err error) {
	err = f.Update(f.t.Context(), func(tx *db.Tx) error {
		ids, err = Create(f.t.Context(), tx, f.pkg.ID, list)
		return err
	})
	return ids, err
}

// container makes a container with a version of these children.
func (f *fixture) container(kind, code string, children ...Child) publishing.EntityID {
	f.t.Helper()
	ids, err := f.tryCreate(NewContainer{Type: kind, Code: code})
	if err != nil {
		f.t.Fatal(err)
	}
	f.next(NextVersion{Entity: ids[0], Title: &code, Action: Replace, Children: children})
	return ids[0]
}

// problem makes a component with a version.
func (f *fixture) problem(code string) (id publishing.EntityID) {
	f.t.Helper()
	err := f.change(func(cs *publishing.ChangeSet) error {
		ids, err := components.Create(f.t.Context(), cs.Tx(), cs.Package(), []components.NewComponent{{Type: components.Type{Namespace: "xblock.v1", Name: "problem"}, Code: code}})
		if err != nil {
			return err
		}
		id = ids[0]
		_, _, err = components.CreateVersions(f.t.Context(), cs, []components.NewVersion{{Entity: id, Title: code}})
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// edit gives a component a next version.
func (f *fixture) edit(id publishing.EntityID) (v publishing.VersionID) {
	f.t.Helper()
	err := f.change(func(cs *publishing.ChangeSet) error {
		ids, _, err := components.NextVersions(f.t.Context(), cs, []components.NextVersion{{Entity: id}})
		if err == nil {
			v = ids[0]
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// next makes a next version in a change set of its own.
func (f *fixture) next(n NextVersion) (publishing.VersionID, int) {
	f.t.Helper()
	id, num, err := f.tryNext(n)
	if err != nil {
		f.t.Fatal(err)
	}
	return id, num
}

func (f *fixture) tryNext(n NextVersion) (id publishing.VersionID, num int, err error) {
	err = f.change(func(cs *publishing.ChangeSet) error {
		ids, nums, err := NextVersions(f.t.Context(), cs, []NextVersion{n})
		if err == nil {
			id, num = ids[0], nums[0]
		}
		return err
	})
	return id, num, err
}

// publish publishes everything.
func (f *fixture) publish() (log int64) {
	f.t.Helper()
	f.update(func(tx *db.Tx) error {
		l, err := publishing.PublishAll(f.t.Context(), tx, f.pkg.ID, publishing.PublishMeta{})
		if err == nil {
			log = l.ID
		}
		return err
	})
	return log
}

// setDraft moves a draft, to 0 for deletion.
func (f *fixture) setDraft(e publishing.EntityID, v publishing.VersionID) {
	f.t.Helper()
	err := f.change(func(cs *publishing.ChangeSet) error {
		return cs.SetDrafts(f.t.Context(), []publishing.Pointer{{Entity: e, Version: v}})
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// head returns the draft version of an entity, 0 for none.
func (f *fixture) head(e publishing.EntityID) publishing.VersionID {
	f.t.Helper()
	heads, err := publishing.HeadsOf(f.t.Context(), f, []publishing.EntityID{e}, publishing.Draft())
	if err != nil {
		f.t.Fatal(err)
	}
	if len(heads) == 0 {
		return 0
	}
	return heads[0].Version
}

// rows returns the children of a version.
func (f *fixture) rows(v publishing.VersionID) []Child {
	f.t.Helper()
	all, err := Children(f.t.Context(), f, []publishing.VersionID{v})
	if err != nil {
		f.t.Fatal(err)
	}
	return all[v]
}

// entries returns what is read of a container, as entity ids, pinned ones negative.
func (f *fixture) entries(e publishing.EntityID, published bool) []publishing.EntityID {
	f.t.Helper()
	list, err := EntitiesIn(f.t.Context(), f, e, published)
	if err != nil {
		f.t.Fatal(err)
	}
	out := make([]publishing.EntityID, len(list))
	for i, x := range list {
		out[i] = x.Entity
		if x.Pinned {
			out[i] = -x.Entity
		}
	}
	return out
}

// free are unpinned children.
func free(ids ...publishing.EntityID) []Child {
	out := make([]Child, len(ids))
	for i, id := range ids {
		out[i].Entity = id
	}
	return out
}
