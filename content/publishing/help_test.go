package publishing

import (
	"context"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// shop is a database with one package, for tests that tell a story.
type shop struct {
	*testing.T
	d   *db.DB
	pkg PackageID
}

func newShop(t *testing.T, d *db.DB) *shop {
	t.Helper()
	s := &shop{T: t, d: d}
	s.do(func(tx *db.Tx) error {
		p, err := CreatePackage(t.Context(), tx, NewPackage{Ref: "lp:shop", Title: "Shop"})
		s.pkg = p.ID
		return err
	})
	return s
}

// eachShop runs fn on every engine.
func eachShop(t *testing.T, fn func(s *shop)) {
	t.Helper()
	dbtest.EachReady(t, setup, func(t *testing.T, d *db.DB) {
		t.Parallel()
		fn(newShop(t, d))
	})
}

func (s *shop) do(fn func(tx *db.Tx) error) {
	s.Helper()
	if err := s.d.Update(s.Context(), fn); err != nil {
		s.Fatal(err)
	}
}

// refused runs fn and wants a failure of that kind.
func (s *shop) refused(kind fault.Kind, fn func(tx *db.Tx) error) {
	s.Helper()
	if err := s.d.Update(s.Context(), fn); !fault.Is(err, kind) {
		s.Errorf("error %v, want %s", err, kind.Code())
	}
}

// change runs fn in a change set and returns its log.
func (s *shop) change(fn func(c *ChangeSet) error) (l *ChangeLog) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		l, err = Change(s.Context(), tx, s.pkg, Meta{}, fn)
		return err
	})
	return l
}

func (s *shop) entities(refs ...string) (ids []EntityID) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		list := make([]NewEntity, len(refs))
		for i, ref := range refs {
			list[i].Ref = ref
		}
		ids, err = CreateEntities(s.Context(), tx, s.pkg, list)
		return err
	})
	return ids
}

// version makes the next version of an entity.
func (s *shop) version(e EntityID, deps ...EntityID) (v VersionID) {
	s.Helper()
	s.change(func(c *ChangeSet) error {
		ids, _, err := c.CreateVersions(s.Context(), []NewVersion{{Entity: e, Title: "v", Dependencies: deps}})
		if err == nil {
			v = ids[0]
		}
		return err
	})
	return v
}

func (s *shop) publishAll() (l *PublishLog) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		l, err = PublishAll(s.Context(), tx, s.pkg, PublishMeta{})
		return err
	})
	return l
}

func (s *shop) pointers(e EntityID) Pointers {
	s.Helper()
	found, err := PointersOf(s.Context(), s.d, []EntityID{e})
	if err != nil {
		s.Fatal(err)
	}
	return found[e]
}

func at(minute int) time.Time { return time.Date(2026, 5, 1, 12, minute, 0, 0, time.UTC) }
