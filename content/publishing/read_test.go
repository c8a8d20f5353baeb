package publishing

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

func TestPackages(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		for _, n := range []NewPackage{
			{Title: "no ref"}, {Ref: "no title"}, {Ref: strings.Repeat("x", 501), Title: "t"}, {Ref: "x ", Title: "a space at the end"},
			{Ref: "x\x00y", Title: "t"}, {Ref: "x", Title: strings.Repeat("é", 501)}, {Ref: "x", Title: "t", Description: "\xff"},
		} {
			s.refused(fault.Invalid, func(tx *db.Tx) error { _, err := CreatePackage(ctx, tx, n); return err })
		}
		s.refused(fault.Conflict, func(tx *db.Tx) error {
			_, err := CreatePackage(ctx, tx, NewPackage{Ref: "lp:shop", Title: "again"})
			return err
		})
		var p Package
		s.do(func(tx *db.Tx) (err error) {
			p, err = CreatePackage(ctx, tx, NewPackage{Ref: "LP:shop", Title: strings.Repeat("é", 500), Description: strings.Repeat("d", 20000), Created: at(1)})
			return err
		})
		s.refused(fault.Conflict, func(tx *db.Tx) error {
			ref := "lp:shop"
			_, err := UpdatePackage(ctx, tx, p.ID, PackageChange{Ref: &ref})
			return err
		})
		s.do(func(tx *db.Tx) error { // nothing named, nothing changed
			got, err := UpdatePackage(ctx, tx, p.ID, PackageChange{Updated: at(2)})
			if got != p {
				s.Errorf("updated %+v, want %+v", got, p)
			}
			return err
		})
		title := "New"
		s.do(func(tx *db.Tx) error {
			_, err := UpdatePackage(ctx, tx, p.ID, PackageChange{Title: &title, Updated: at(3).Add(1234 * time.Nanosecond)})
			return err
		})
		p.Title, p.Updated = title, at(3).Add(time.Microsecond)
		byRef, err := PackageByRef(ctx, s.d, "LP:shop")
		if err != nil || byRef != p {
			s.Errorf("by ref %+v, %v, want %+v", byRef, err, p)
		}
		all, err := Packages(ctx, s.d)
		if err != nil || len(all) != 2 || all[1] != p {
			s.Errorf("all %+v, %v", all, err)
		}
		for _, err := range []error{
			second(PackageByRef(ctx, s.d, "Lp:shop")), second(PackageByRef(ctx, s.d, "lp:shop ")), second(PackageByID(ctx, s.d, 1<<30)),
			second(EntityByRef(ctx, s.d, s.pkg, "none")), second(EntityByID(ctx, s.d, 1<<40)), second(EntityByUUID(ctx, s.d, uuid.New())),
			second(VersionByNum(ctx, s.d, 1, 1)), second(VersionByUUID(ctx, s.d, uuid.New())), second(LogByUUID(ctx, s.d, s.pkg, uuid.New())),
			second(LogByID(ctx, s.d, true, 1<<40)), second(ContainsUnpublished(ctx, s.d, []EntityID{1 << 40})),
			s.d.Update(ctx, func(tx *db.Tx) error { return DeletePackage(ctx, tx, 1<<30) }),
			s.d.Update(ctx, func(tx *db.Tx) error { return Lock(ctx, tx, 1<<30) }),
		} {
			if !fault.Is(err, fault.NotFound) {
				s.Errorf("error %v, want not found", err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestEntities(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		create := func(refs ...string) func(tx *db.Tx) error {
			return func(tx *db.Tx) error {
				var list []NewEntity
				for _, ref := range refs {
					list = append(list, NewEntity{Ref: ref})
				}
				_, err := CreateEntities(ctx, tx, s.pkg, list)
				return err
			}
		}
		refs := []string{"x", "X", "é", "e\u0301", "e"} // five entities on every engine (laws 5 and 74)
		s.do(create(refs...))
		s.refused(fault.Conflict, create("x"))
		s.refused(fault.Conflict, create("new", "X"))
		s.refused(fault.Conflict, create("new", "new"))
		s.refused(fault.Invalid, create("new", ""))
		s.refused(fault.Invalid, create("new "))
		found, err := EntitiesByRef(ctx, s.d, s.pkg, append(refs, "y"))
		if err != nil || len(found) != len(refs) {
			s.Errorf("found %+v, %v", found, err)
		}
		e := found["é"]
		byID, err := EntitiesByID(ctx, s.d, []EntityID{e.ID, 1 << 40})
		if diff := cmp.Diff(map[EntityID]Entity{e.ID: e}, byID); diff != "" || err != nil {
			s.Errorf("by id (-want +got):\n%s%v", diff, err)
		}
		byUUID, err := EntityByUUID(ctx, s.d, e.UUID)
		if err != nil || byUUID != e || !e.CanStandAlone || e.Package != s.pkg || e.UUID.Version() != 4 {
			s.Errorf("by uuid %+v, %v, want %+v", byUUID, err, e)
		}
		s.version(found["x"].ID)
		s.publishAll()
		s.version(found["X"].ID)
		yes, no := true, false
		for _, c := range []struct {
			f    EntityFilter
			want string
		}{
			{EntityFilter{}, "x X é e\u0301 e"}, {EntityFilter{HasDraft: &yes}, "x X"}, {EntityFilter{HasDraft: &yes, HasPublished: &no}, "X"},
			{EntityFilter{HasPublished: &yes}, "x"}, {EntityFilter{HasDraft: &no}, "é e\u0301 e"},
		} {
			list, err := FilterEntities(ctx, s.d, s.pkg, c.f)
			var got []string
			for _, e := range list {
				got = append(got, e.Ref)
			}
			if strings.Join(got, " ") != c.want || err != nil {
				s.Errorf("filter %+v: %q, %v, want %q", c.f, got, err, c.want)
			}
		}
	})
}

func TestVersions(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		e := s.entities("e", "f")
		v := s.version(e[0])
		s.refused(fault.Conflict, func(tx *db.Tx) error {
			_, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error {
				_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: e[0], Num: 1}})
				return err
			})
			return err
		})
		for _, n := range []NewVersion{{Entity: e[0], Num: -1}, {Entity: e[0], Title: strings.Repeat("x", 501)}, {Entity: e[0], Title: "a\x00b"}} {
			s.refused(fault.Invalid, func(tx *db.Tx) error {
				_, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error { _, _, err := c.CreateVersions(ctx, []NewVersion{n}); return err })
				return err
			})
		}
		for _, n := range []NewVersion{{Entity: 1 << 40}, {Entity: e[0], Dependencies: []EntityID{e[1], 1 << 40}}} {
			s.refused(fault.NotFound, func(tx *db.Tx) error {
				_, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error { _, _, err := c.CreateVersions(ctx, []NewVersion{n}); return err })
				return err
			})
		}
		for kind, p := range map[fault.Kind]Pointer{fault.Invalid: {e[1], v}, fault.NotFound: {e[0], 1 << 40}} {
			s.refused(kind, func(tx *db.Tx) error {
				_, err := Change(ctx, tx, s.pkg, Meta{}, func(c *ChangeSet) error { return c.SetDrafts(ctx, []Pointer{p}) })
				return err
			})
		}
		// A lower number becomes the draft; the next one still follows the highest (laws 2 and 6).
		s.change(func(c *ChangeSet) error {
			_, nums, err := c.CreateVersions(ctx, []NewVersion{{Entity: e[0], Num: 7, Created: at(1)}, {Entity: e[0], Num: 3}, {Entity: e[0]}, {Entity: e[0], Num: 5}})
			if !slices.Equal(nums, []int{7, 3, 8, 5}) {
				s.Errorf("numbers %v", nums)
			}
			return err
		})
		draft, err := DraftVersion(ctx, s.d, e[0])
		if err != nil || draft == nil || draft.Num != 5 {
			s.Errorf("draft %+v, %v, want number 5", draft, err)
		}
		if pub, err := PublishedVersion(ctx, s.d, e[0]); pub != nil || err != nil {
			s.Errorf("published %+v, %v, want none", pub, err)
		}
		latest, err := LatestVersions(ctx, s.d, e)
		if err != nil || len(latest) != 1 || latest[e[0]].Num != 8 {
			s.Errorf("latest %+v, %v, want number 8", latest, err)
		}
		seven, err := VersionByNum(ctx, s.d, e[0], 7)
		if err != nil || !seven.Created.Equal(at(1)) {
			s.Errorf("version %+v, %v", seven, err)
		}
		list, err := Versions(ctx, s.d, []VersionID{seven.ID, v, seven.ID, 1 << 40})
		if err != nil || len(list) != 2 || list[0].ID != v || list[1] != seven {
			s.Errorf("versions %+v, %v", list, err)
		}
	})
}

func TestLogs(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		ids := s.entities("leaf", "up", "aside")
		edit := func(minute int, m Meta, e EntityID, deps ...EntityID) {
			m.At = at(minute)
			s.do(func(tx *db.Tx) error {
				_, err := Change(ctx, tx, s.pkg, m, func(c *ChangeSet) error {
					_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: e, Dependencies: deps}})
					return err
				})
				return err
			})
		}
		publish := func(minute int, message string) {
			s.do(func(tx *db.Tx) error {
				_, err := PublishAll(ctx, tx, s.pkg, PublishMeta{At: at(minute), Message: message, Source: "here"})
				return err
			})
		}
		edit(1, Meta{}, ids[0])
		edit(2, Meta{Kind: KindImport, Message: "made", Source: "a.tar.gz"}, ids[1], ids[0])
		publish(2, "first")
		edit(3, Meta{Kind: KindEdit}, ids[2])
		edit(3, Meta{Message: "only a message"}, ids[0])
		publish(4, "second")
		text := func(list []Log, err error) (out []string) {
			s.Helper()
			if err != nil {
				s.Fatal(err)
			}
			for _, l := range list {
				out = append(out, strings.TrimSpace(fmt.Sprintf("%d %v %s %s %s %d", l.At.Minute(), l.Publish, l.Kind, l.Message, l.Source, l.Changes)))
			}
			return out
		}
		all, err := Logs(ctx, s.d, s.pkg, LogFilter{})
		want := []string{
			"4 true publish second here 2", "3 false other only a message  1", "3 false edit   1",
			"2 true publish first here 2", "2 false import made a.tar.gz 1", "1 false other   1",
		}
		if diff := cmp.Diff(want, text(all, err)); diff != "" {
			s.Errorf("logs (-want +got):\n%s", diff)
		}
		for i := range all {
			for _, limit := range []int{0, 1, 2} {
				expect := want[i+1:]
				if limit > 0 {
					expect = expect[:min(limit, len(expect))]
				}
				if got := text(Logs(ctx, s.d, s.pkg, LogFilter{Before: &all[i], Limit: limit})); !slices.Equal(got, expect) {
					s.Errorf("%d logs after %+v: %q, want %q", limit, all[i], got, expect)
				}
			}
			one, err := LogByUUID(ctx, s.d, s.pkg, all[i].UUID)
			if err != nil || one != all[i] {
				s.Errorf("log %+v, %v, want %+v", one, err, all[i])
			}
			if one, err = LogByID(ctx, s.d, all[i].Publish, all[i].ID); err != nil || one != all[i] {
				s.Errorf("log %+v, %v, want %+v", one, err, all[i])
			}
		}
		for _, c := range []struct {
			f    LogFilter
			want []int // places in all
		}{
			{LogFilter{OnlyDrafts: true}, []int{1, 2, 4, 5}},
			{LogFilter{OnlyPublishes: true, Limit: 1}, []int{0}},
			{LogFilter{Entities: []EntityID{}}, nil},
			{LogFilter{Entities: ids[2:]}, []int{0, 2}},
			{LogFilter{Entities: ids[1:2]}, []int{0, 1, 3, 4}},
			{LogFilter{Entities: ids[1:2], Changed: true}, []int{3, 4}},
			{LogFilter{Entities: ids[1:2], Before: &all[1], Limit: 1}, []int{3}},
		} {
			var expect []string
			for _, i := range c.want {
				expect = append(expect, want[i])
			}
			if diff := cmp.Diff(expect, text(Logs(ctx, s.d, s.pkg, c.f))); diff != "" {
				s.Errorf("%+v (-want +got):\n%s", c.f, diff)
			}
		}
		last, err := LastPublish(ctx, s.d, s.pkg)
		if err != nil || *last != all[0] {
			s.Errorf("last publish %+v, %v", last, err)
		}
		// Times between logs.
		for _, c := range []struct {
			m    Moment
			want int
		}{
			{DraftsAt(at(0)), 0}, {DraftsAt(at(1)), 1}, {DraftsAt(at(2).Add(-1)), 1}, {DraftsAt(at(59)), 3}, {PublishedAt(at(1)), 0},
			{PublishedAt(at(3)), 2}, {PublishedAt(at(4)), 3}, {AfterPublish(all[3].ID), 2}, {AfterChange(all[5].ID), 1}, {AfterChange(all[5].ID - 1), 0}, {AfterPublish(0), 0}, {AfterChange(0), 0},
		} {
			heads, err := Heads(ctx, s.d, s.pkg, c.m)
			some, err2 := HeadsOf(ctx, s.d, ids, c.m)
			if err != nil || err2 != nil || len(heads) != c.want || !slices.Equal(heads, some) {
				s.Errorf("heads at %+v: %+v and %+v, %v %v, want %d", c.m, heads, some, err, err2, c.want)
			}
		}
	})
}

// TestLogPages makes logs whose times do not follow their order, as those of a conversion, and reads them page by page:
// every log comes once, each kind newest first.
func TestLogPages(t *testing.T) {
	t.Parallel()
	eachShop(t, func(s *shop) {
		ctx := s.Context()
		ids := s.entities("leaf")
		for _, minute := range []int{5, 2, 9, 9, 1, 7, 7, 3} {
			s.do(func(tx *db.Tx) error {
				if _, err := Change(ctx, tx, s.pkg, Meta{At: at(minute)}, func(c *ChangeSet) error {
					_, _, err := c.CreateVersions(ctx, []NewVersion{{Entity: ids[0]}})
					return err
				}); err != nil {
					return err
				}
				_, err := PublishAll(ctx, tx, s.pkg, PublishMeta{At: at(10 - minute)})
				return err
			})
		}
		all, err := Logs(ctx, s.d, s.pkg, LogFilter{})
		if err != nil || len(all) != 16 {
			s.Fatalf("%d logs, %v, want 16", len(all), err)
		}
		last := map[bool]int64{}
		for _, l := range all {
			if before, seen := last[l.Publish]; seen && before <= l.ID {
				s.Errorf("log %d comes behind %d", l.ID, before)
			}
			last[l.Publish] = l.ID
		}
		for _, f := range []LogFilter{{}, {Entities: ids}} {
			for limit := 1; limit < 6; limit++ {
				var got []Log
				for f.Limit, f.Before = limit, nil; len(got) <= len(all); f.Before = &got[len(got)-1] {
					page, err := Logs(ctx, s.d, s.pkg, f)
					if err != nil {
						s.Fatal(err)
					}
					if len(page) == 0 {
						break
					}
					got = append(got, page...)
				}
				if diff := cmp.Diff(all, got); diff != "" {
					s.Errorf("pages of %d (-all at once +pages):\n%s", limit, diff)
				}
			}
		}
	})
}
