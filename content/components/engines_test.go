package components

import (
	"context"
	"sync/atomic"
	"testing"

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
	"codes":      testCodesOnEngines,
	"versions":   testVersions,
	"next":       testNextVersions,
	"media":      testForeignMedia,
	"filters":    testFilters,
	"asset":      testAsset,
	"statements": testStatementsAreBounded,
	"purge":      testPurge,
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

// tryCreate makes components.
func (f *fixture) tryCreate(list ...NewComponent) (ids []publishing.EntityID, err error) {
	err = f.Update(f.t.Context(), func(tx *db.Tx) error {
		ids, err = Create(f.t.Context(), tx, f.pkg.ID, list)
		return err
	})
	return ids, err
}

// problem makes a component of type problem.
func (f *fixture) problem(code string) publishing.EntityID {
	f.t.Helper()
	ids, err := f.tryCreate(NewComponent{Type: Type{"xblock.v1", "problem"}, Code: code})
	if err != nil {
		f.t.Fatal(err)
	}
	return ids[0]
}

// media makes a media for each text.
func (f *fixture) media(texts ...string) []media.ID {
	f.t.Helper()
	list := make([]media.New, len(texts))
	for i := range texts {
		list[i] = media.New{Type: "text/plain", Text: &texts[i]}
	}
	ids := make([]media.ID, len(texts))
	f.update(func(tx *db.Tx) error {
		out, err := media.GetOrCreate(f.t.Context(), tx, f.files, f.pkg, list, media.Options{})
		for i, m := range out {
			ids[i] = m.ID
		}
		return err
	})
	return ids
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

// fileMap returns a version's files as path → text.
func (f *fixture) fileMap(v publishing.VersionID) map[string]string {
	f.t.Helper()
	rows, err := Files(f.t.Context(), f, []publishing.VersionID{v}, true)
	if err != nil {
		f.t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range rows {
		out[r.Path] = r.Media.Text
	}
	return out
}
