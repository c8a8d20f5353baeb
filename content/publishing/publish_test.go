package publishing

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// A cycle is refused where it would be made, on the branch where it would be.
func TestCycles(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		ids := s.entities("a", "b", "c")
		a, b, c := ids[0], ids[1], ids[2]
		s.version(c)
		s.version(b, c)
		s.version(a, b)
		s.publishAll()
		bad := func(e EntityID, deps ...EntityID) func(tx *db.Tx) error {
			return func(tx *db.Tx) error {
				_, err := Change(ctx, tx, s.pkg, Meta{}, func(set *ChangeSet) error {
					_, _, err := set.CreateVersions(ctx, []NewVersion{{Entity: e, Dependencies: deps}})
					return err
				})
				return err
			}
		}
		s.refused(fault.Invalid, bad(c, a))
		s.refused(fault.Invalid, bad(a, a))
		s.refused(fault.Invalid, bad(c, b))

		// Turned round within one change set there is no cycle at its end.
		s.change(func(set *ChangeSet) error {
			_, _, err := set.CreateVersions(ctx, []NewVersion{{Entity: c, Dependencies: []EntityID{a}}, {Entity: b}})
			return err
		})
		// The drafts c → a → b are fine, what is published is a → b → c: publishing c alone would close the circle.
		s.refused(fault.Invalid, func(tx *db.Tx) error {
			_, err := Publish(ctx, tx, s.pkg, []EntityID{c}, false, PublishMeta{})
			return err
		})
		along, err := Closure(ctx, s.d, s.pkg, []EntityID{c})
		if err != nil || !slices.Equal(along, []EntityID{b}) {
			s.Errorf("closure %v, %v, want b, through a, which is unchanged", along, err)
		}
		s.do(func(tx *db.Tx) error {
			l, err := Publish(ctx, tx, s.pkg, []EntityID{c}, true, PublishMeta{})
			if err == nil && (len(l.Records) != 3 || l.Records[2].Entity != a || l.Records[2].Direct || l.Records[1].Direct || !l.Records[0].Direct) {
				s.Errorf("records %+v, want c, b that comes along, and a as a side effect", l.Records)
			}
			return err
		})
		// An old version of b would close the circle again.
		versions, err := VersionsOf(ctx, s.d, b)
		if err != nil {
			s.Fatal(err)
		}
		s.refused(fault.Invalid, func(tx *db.Tx) error {
			_, err := Change(ctx, tx, s.pkg, Meta{}, func(set *ChangeSet) error {
				return set.SetDrafts(ctx, []Pointer{{b, versions[0].ID}})
			})
			return err
		})
	})
}

func TestPublishRefusals(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		ids := s.entities("drafted", "never", "above")
		s.version(ids[0])
		s.version(ids[2], ids[1], ids[0])
		publish := func(pkg PackageID, list []EntityID, deep bool, m PublishMeta) func(tx *db.Tx) error {
			return func(tx *db.Tx) error { _, err := Publish(ctx, tx, pkg, list, deep, m); return err }
		}
		s.refused(fault.NotFound, publish(s.pkg, []EntityID{ids[1]}, true, PublishMeta{}))
		s.refused(fault.NotFound, publish(s.pkg, []EntityID{ids[0], 1 << 40}, true, PublishMeta{}))
		s.refused(fault.Invalid, publish(s.pkg, []EntityID{ids[2]}, false, PublishMeta{}))
		s.refused(fault.NotFound, publish(s.pkg+1000, nil, true, PublishMeta{}))
		s.refused(fault.Invalid, publish(s.pkg, nil, true, PublishMeta{Message: string(make([]rune, 501))}))
		var other PackageID
		s.do(func(tx *db.Tx) error {
			p, err := CreatePackage(ctx, tx, NewPackage{Ref: "lp:other", Title: "Other"})
			other = p.ID
			return err
		})
		s.refused(fault.Invalid, publish(other, []EntityID{ids[0]}, true, PublishMeta{}))
		if last, err := LastPublish(ctx, s.d, s.pkg); last != nil || err != nil {
			s.Errorf("last publish %+v, %v, want none", last, err)
		}

		// Twice the same is once, and the order is the caller's.
		s.do(func(tx *db.Tx) error {
			l, err := Publish(ctx, tx, s.pkg, []EntityID{ids[2], ids[0], ids[2]}, false, PublishMeta{})
			if err == nil {
				s.Error("publish without dependencies: no dependency was published before")
			}
			_ = l
			return nil
		})
		s.do(func(tx *db.Tx) error {
			l, err := Publish(ctx, tx, s.pkg, []EntityID{ids[2], ids[0], ids[2]}, true, PublishMeta{By: 0, Message: "first"})
			if err != nil {
				return err
			}
			var order []EntityID
			for _, r := range l.Records {
				order = append(order, r.Entity)
			}
			if diff := cmp.Diff([]EntityID{ids[2], ids[0]}, order); diff != "" {
				s.Errorf("order of records (-want +got):\n%s", diff)
			}
			return nil
		})
		last, err := LastPublishOf(ctx, s.d, ids[0])
		if err != nil || last == nil || last.Message != "first" || last.Kind != KindPublish || last.Changes != 2 {
			s.Errorf("last publish %+v, %v", last, err)
		}
		if last, err := LastPublishOf(ctx, s.d, ids[1]); last != nil || err != nil {
			s.Errorf("last publish of what never was: %+v, %v", last, err)
		}
	})
}

// A database from before digests has none for what is older; publishing must not copy the lack (content-schema.md §7).
func TestPublishAllWithoutDraftDigests(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		ids := s.entities("leaf", "up", "top")
		s.version(ids[0])
		s.version(ids[1], ids[0])
		s.version(ids[2], ids[1])
		for _, sql := range []string{
			`UPDATE openedx_content_draftchangelogrecord SET dependencies_hash_digest = ''`,
			`UPDATE openedx_content_draft SET draft_log_record_id = NULL`,
		} {
			if _, err := s.d.Exec(ctx, sql); err != nil {
				s.Fatal(err)
			}
			l := s.publishAll()
			want, _ := digest([]leaf{{l.Records[1].New, l.Records[1].Digest}}, nil)
			if len(l.Records) != 3 || l.Records[1].Digest == "" || l.Records[2].Digest != want {
				s.Errorf("records %+v, want digests", l.Records)
			}
			s.do(func(tx *db.Tx) error { // all unpublished again
				_, err := tx.Exec(ctx, `UPDATE openedx_content_published SET version_id = NULL`)
				return err
			})
		}
	})
}

func TestRestored(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		e := s.entities("e")[0]
		set := func(v VersionID) bool {
			l := s.change(func(c *ChangeSet) error { return c.SetDrafts(ctx, []Pointer{{e, v}}) })
			return l.Records[0].Restored
		}
		l := s.change(func(c *ChangeSet) error {
			_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: e}, {Entity: e}})
			return err
		})
		v := l.Records[0].New
		if l.Records[0].Restored || set(0) || !set(v) {
			s.Error("restored must hold for a deleted draft that comes back, and nothing else")
		}
		s.do(func(tx *db.Tx) error { // deleted and brought back in one transaction
			for i, v := range []VersionID{0, v} {
				l, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error { return c.SetDrafts(ctx, []Pointer{{e, v}}) })
				if err != nil {
					return err
				}
				if l.Records[0].Restored != (i == 1) {
					s.Errorf("record %+v of change %d", l.Records[0], i)
				}
			}
			return nil
		})
	})
}
