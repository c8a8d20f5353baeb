package publishing

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// The degenerate case of content-model.md §6: the outer log's record cancels after an inner one of the same package moved
// the entity on. The outer log goes, and the draft is aimed at the remaining record by law 16 alone.
func TestNestedSamePackageCancels(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		e := s.entities("e")[0]
		var inner *ChangeLog
		outer := s.change(func(c *ChangeSet) error {
			if _, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: e}}); err != nil {
				return err
			}
			var err error
			inner, err = Change(ctx, c.Tx(), s.pkg, Meta{}, func(in *ChangeSet) error {
				_, _, err := in.CreateVersions(ctx, []NewVersion{{Entity: e}})
				return err
			})
			if err != nil {
				return err
			}
			return c.SetDrafts(ctx, []Pointer{{Entity: e}})
		})
		if outer != nil {
			s.Errorf("outer log %+v, want none", outer)
		}
		if len(inner.Records) != 1 || inner.Records[0].Old == 0 || inner.Records[0].New == 0 {
			s.Errorf("inner records %+v, want one from version 1 to 2", inner.Records)
		}
		p := s.pointers(e)
		if want := (Branch{Exists: true, Log: inner.ID}); p.Draft != want {
			s.Errorf("draft %+v, want %+v", p.Draft, want)
		}
		logs, err := Logs(ctx, s.d, s.pkg, LogFilter{})
		if err != nil || len(logs) != 1 {
			s.Errorf("logs %+v, %v, want the inner one alone", logs, err)
		}
	})
}

// Each keeps its own record; a parent that both reach is aimed at the outer log, which ends last, with a digest of the
// state then.
func TestNestedSamePackage(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		ids := s.entities("a", "b", "up")
		a, b, up := ids[0], ids[1], ids[2]
		s.version(a)
		s.version(b)
		s.version(up, a, b)
		next := func(c *ChangeSet, e EntityID, deps ...EntityID) error {
			_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: e, Dependencies: deps}})
			return err
		}
		var inner *ChangeLog
		outer := s.change(func(c *ChangeSet) (err error) {
			if err := next(c, up, b, a); err != nil { // direct here, a side effect inside
				return err
			}
			inner, err = Change(ctx, c.Tx(), s.pkg, Meta{}, func(in *ChangeSet) error { return next(in, b) })
			if err != nil {
				return err
			}
			return next(c, a)
		})
		got := func(l *ChangeLog) (list []EntityID) {
			for _, r := range l.Records {
				list = append(list, r.Entity)
			}
			return list
		}
		if diff := cmp.Diff([][]EntityID{{up, a}, {b, up}}, [][]EntityID{got(outer), got(inner)}); diff != "" {
			s.Errorf("entities of outer and inner log (-want +got):\n%s", diff)
		}
		if outer.ID > inner.ID {
			s.Errorf("outer log %d, inner %d: an outer one begins first", outer.ID, inner.ID)
		}
		p := s.pointers(up)
		live := []leaf{{s.pointers(a).Draft.Version, ""}, {s.pointers(b).Draft.Version, ""}}
		want, _ := digest(live, nil)
		if p.Draft.Log != outer.ID || p.Draft.Digest != want {
			s.Errorf("draft %+v, want log %d and digest %s", p.Draft, outer.ID, want)
		}
	})
}

func TestChangeSetsEnd(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		e := s.entities("e")[0]
		var kept *ChangeSet
		s.do(func(tx *db.Tx) error {
			l, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error {
				kept = c
				return c.SetDrafts(ctx, nil)
			})
			if l != nil {
				s.Errorf("log %+v of a change set without changes", l)
			}
			for _, err := range []error{kept.SetDrafts(ctx, []Pointer{{Entity: e}}), kept.Flush(ctx), kept.Reset(ctx, nil)} {
				if err == nil {
					s.Error("a change set could be used after its end")
				}
			}
			return err
		})
		if p := s.pointers(e); p.Draft.Exists {
			s.Errorf("draft %+v, want none", p.Draft)
		}
		// Publishing another package inside is fine, the same one is not.
		s.refused(fault.Invalid, func(tx *db.Tx) error {
			_, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error {
				p, err := CreatePackage(ctx, tx, NewPackage{Ref: "lp:two", Title: "Two"})
				if err != nil {
					return err
				}
				if _, err := PublishAll(ctx, tx, p.ID, PublishMeta{}); err != nil {
					s.Errorf("publish of another package: %v", err)
				}
				_, err = Publish(ctx, tx, s.pkg, nil, true, PublishMeta{})
				return err
			})
			return err
		})
		if ok, err := PackageExists(ctx, s.d, "lp:two"); ok || err != nil {
			s.Errorf("package of a refused transaction exists: %v, %v", ok, err)
		}
	})
}

// Two change sets in one transaction: what the first made is known to the second, also as a dependency.
func TestChangeSetsInOneTransaction(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		var second, third *ChangeLog
		var leaf, up EntityID
		s.do(func(tx *db.Tx) error {
			ids, err := CreateEntities(ctx, tx, s.pkg, []NewEntity{{Ref: "leaf"}, {Ref: "up"}})
			if err != nil {
				return err
			}
			leaf, up = ids[0], ids[1]
			if _, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error {
				_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: leaf}, {Entity: up, Dependencies: ids[:1]}})
				return err
			}); err != nil {
				return err
			}
			if _, err := PublishAll(ctx, tx, s.pkg, PublishMeta{}); err != nil {
				return err
			}
			second, err = Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error {
				_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: leaf}})
				return err
			})
			if err != nil {
				return err
			}
			third, err = Reset(ctx, tx, s.pkg, Meta{}, []EntityID{leaf})
			return err
		})
		for _, l := range []*ChangeLog{second, third} {
			if len(l.Records) != 2 || l.Records[1].Entity != up || l.Records[1].Direct || len(l.SideEffects) != 1 {
				s.Errorf("log %+v, want the leaf and a side effect on what is above", l)
			}
		}
		found, err := ContainsUnpublished(ctx, s.d, []EntityID{up})
		if err != nil || found[up] {
			s.Errorf("unpublished changes after a reset: %v, %v", found, err)
		}
	})
}
