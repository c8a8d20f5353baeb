package conformance

import (
	"errors"
	"fmt"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// identityStories are of laws 1 to 7.
var identityStories = map[int]func(*story){
	1: func(s *story) {
		e := s.entities("a")[0]
		p := s.at(e)
		want(s, "rows", [2]bool{p.Draft.Exists, p.Published.Exists}, [2]bool{})
	},
	2: func(s *story) {
		e := s.entities("a")[0]
		s.version(e)
		s.version(e)
		var low publishing.VersionID
		s.change(func(c *publishing.ChangeSet) (err error) {
			if _, err = newVersion(s.Context(), c, e, 9); err != nil {
				return err
			}
			low, err = newVersion(s.Context(), c, e, 5)
			return err
		})
		want(s, "draft", s.at(e).Draft.Version, low)
	},
	3: func(s *story) {
		e := s.entities("a")[0]
		v := s.version(e)
		s.version(e)
		s.set(e, v)
		s.refused(fault.Conflict, func(tx *db.Tx) error {
			_, err := publishing.Change(s.Context(), tx, s.pkg.ID, publishing.Meta{}, func(c *publishing.ChangeSet) error {
				_, err := newVersion(s.Context(), c, e, 2)
				return err
			})
			return err
		})
		want(s, "draft", s.at(e).Draft.Version, v)
	},
	4: func(s *story) {
		list := s.entities("a", "b")
		s.version(list[0])
		v := s.version(list[1], list[0])
		see := func() string {
			versions, err := publishing.VersionsOf(s.Context(), s.d, list[1])
			deps, err2 := publishing.Dependencies(s.Context(), s.d, []publishing.VersionID{v})
			return must(s, fmt.Sprint(versions[0], deps), errors.Join(err, err2))
		}
		before := see()
		s.publishAll()
		s.version(list[1])
		s.version(list[0])
		s.set(list[1], 0)
		s.publishAll()
		s.reset()
		want(s, "the first version", see(), before)
	},
	5: func(s *story) {
		list := s.entities("Key", "key", "KEY")
		for i, ref := range []string{"Key", "key", "KEY"} {
			e, err := publishing.EntityByRef(s.Context(), s.d, s.pkg.ID, ref)
			want(s, ref, must(s, e.ID, err), list[i])
		}
	},
	6: func(s *story) {
		id, v1 := s.component("a")
		s.edit(components.NextVersion{Entity: id, Num: 7})
		s.set(id, v1)
		s.publishAll()
		s.edit(components.NextVersion{Entity: id})
		want(s, "after an old draft", s.at(id).Draft.Num, 8)
		s.set(id, 0)
		s.edit(components.NextVersion{Entity: id})
		want(s, "after a deletion", s.at(id).Draft.Num, 9)
		s.reset()
		s.edit(components.NextVersion{Entity: id})
		want(s, "after a reset", s.at(id).Draft.Num, 10)
	},
	7: func(s *story) {
		m := s.media(text("one"), text("two"))
		id, v1 := s.component("a", components.File{Path: "a", Media: m[0].ID})
		title := "second"
		s.edit(components.NextVersion{Entity: id, Title: &title, Files: []components.File{{Path: "b", Media: m[1].ID}}})
		s.set(id, v1)
		v := s.edit(components.NextVersion{Entity: id})
		files, err := components.Files(s.Context(), s.d, []publishing.VersionID{v}, false)
		want(s, "files", len(must(s, files, err)), 2)
		want(s, "title", s.at(id).Draft.Title, title)
		x, _ := s.component("x")
		y, _ := s.component("y")
		u, u1 := s.container(containers.Unit, "u", kid(x))
		s.next(containers.NextVersion{Entity: u, Action: containers.Replace, Children: []containers.Child{kid(y)}})
		s.set(u, u1)
		want(s, "children", s.rows(s.next(containers.NextVersion{Entity: u})), fmt.Sprint(y))
	},
}

// draftStories are of laws 8 to 19.
var draftStories = map[int]func(*story){
	8: func(s *story) {
		e := s.entities("a")[0]
		v := s.version(e)
		want(s, "logs", s.logs(false), 1)
		if s.set(e, v) != nil {
			s.Error("a move to where the draft is made a log")
		}
		want(s, "logs after a no-op", s.logs(false), 1)
		s.set(e, 0)
		want(s, "logs after a deletion", s.logs(false), 2)
	},
	9: func(s *story) {
		list := s.entities("a", "b")
		s.version(list[1], list[0])
		l := s.change(func(c *publishing.ChangeSet) error {
			for range 3 {
				if _, err := newVersion(s.Context(), c, list[0], 0); err != nil {
					return err
				}
				if _, err := newVersion(s.Context(), c, list[1], 0, list[0]); err != nil {
					return err
				}
			}
			return nil
		})
		want(s, "records", len(l.Records), 2)
	},
	10: func(s *story) {
		e := s.entities("a")[0]
		v1 := s.version(e)
		var v publishing.VersionID
		l := s.change(func(c *publishing.ChangeSet) (err error) {
			_, err = newVersion(s.Context(), c, e, 0)
			if err == nil {
				v, err = newVersion(s.Context(), c, e, 0)
			}
			return err
		})
		want(s, "record", records(l.Records), fmt.Sprintf("%d %d>%d", e, v1, v))
		want(s, "draft", s.at(e).Draft.Version, v)
	},
	11: func(s *story) {
		e := s.entities("a")[0]
		v := s.version(e)
		if l := s.change(func(c *publishing.ChangeSet) error {
			if err := point(s.Context(), c, e, 0); err != nil {
				return err
			}
			if err := c.Flush(s.Context()); err != nil {
				return err
			}
			return point(s.Context(), c, e, v)
		}); l != nil {
			s.Errorf("a log: %+v", l)
		}
		want(s, "logs", s.logs(false), 1)
	},
	12: func(s *story) {
		list := s.entities("a", "b")
		v := s.version(list[0])
		l := s.change(func(c *publishing.ChangeSet) error {
			if _, err := newVersion(s.Context(), c, list[0], 0); err != nil {
				return err
			}
			if _, err := newVersion(s.Context(), c, list[1], 0); err != nil {
				return err
			}
			return point(s.Context(), c, list[0], v)
		})
		want(s, "records", len(l.Records), 1)
		want(s, "entity", l.Records[0].Entity, list[1])
	},
	13: func(s *story) {
		e := s.entities("a")[0]
		x, y := s.version(e), s.version(e)
		s.set(e, x)
		l := s.change(func(c *publishing.ChangeSet) error {
			for _, v := range []publishing.VersionID{0, y, 0, y} {
				if err := point(s.Context(), c, e, v); err != nil {
					return err
				}
			}
			return nil
		})
		want(s, "record", records(l.Records), fmt.Sprintf("%d %d>%d", e, x, y))
	},
	14: func(s *story) {
		list := s.entities("a", "b")
		s.version(list[0])
		p := s.version(list[1], list[0])
		l := s.set(list[0], 0)
		for _, r := range l.Records {
			want(s, "side effect", r.Old == r.New, r.Entity == list[1])
			want(s, "direct", r.Direct, r.Entity == list[0])
		}
		want(s, "edges", edges(l.Records, l.SideEffects), fmt.Sprintf("%d>%d", list[0], list[1]))
		want(s, "parent", s.at(list[1]).Draft.Version, p)
	},
	15: func(s *story) {
		list := s.entities("a", "b")
		for range 2 {
			s.version(list[0])
			s.version(list[1], list[0])
		}
		s.set(list[0], 0)
		for _, e := range list {
			h, err := publishing.DraftHistory(s.Context(), s.d, e)
			want(s, "record", must(s, h, err)[0].New, s.at(e).Draft.Version)
		}
	},
	16: func(s *story) {
		list := s.entities("a", "b")
		s.version(list[0])
		s.version(list[1], list[0])
		l := s.set(list[0], 0)
		want(s, "log of the parent", s.at(list[1]).Draft.Log, l.ID)
		l = s.change(func(c *publishing.ChangeSet) error { // cancelled: it goes back to what remains
			if err := point(s.Context(), c, list[1], 0); err != nil {
				return err
			}
			if err := c.Flush(s.Context()); err != nil {
				return err
			}
			v, err := publishing.VersionByNum(s.Context(), c.Tx(), list[1], 1)
			if err != nil {
				return err
			}
			return point(s.Context(), c, list[1], v.ID)
		})
		if l != nil {
			s.Errorf("a log: %+v", l)
		}
		h, err := publishing.DraftHistory(s.Context(), s.d, list[1])
		want(s, "log", s.at(list[1]).Draft.Log, must(s, h, err)[0].Log)
	},
	17: func(s *story) {
		e := s.entities("a")[0]
		var l *publishing.ChangeLog
		s.do(func(tx *db.Tx) (err error) {
			l, err = publishing.Change(s.Context(), tx, s.pkg.ID, publishing.Meta{At: minute(3), By: s.users["ada"]}, func(c *publishing.ChangeSet) error {
				_, _, err := c.CreateVersions(s.Context(), []publishing.NewVersion{{Entity: e, Created: minute(9), By: s.users["bob"]}})
				if err != nil {
					return err
				}
				_, err = publishing.Reset(s.Context(), tx, s.pkg.ID, publishing.Meta{At: minute(8), By: s.users["cy"]}, []publishing.EntityID{})
				return err
			})
			return err
		})
		want(s, "time", l.At, minute(3))
		want(s, "user", l.By, s.users["ada"])
	},
	18: func(s *story) {
		o := s.other()
		a, b := s.entities("a")[0], o.entities("b")[0]
		var inner *publishing.ChangeLog
		l := s.change(func(c *publishing.ChangeSet) error {
			if _, err := newVersion(s.Context(), c, a, 0); err != nil {
				return err
			}
			var err error
			inner, err = publishing.Change(s.Context(), c.Tx(), o.pkg.ID, publishing.Meta{}, func(c *publishing.ChangeSet) error {
				_, err := newVersion(s.Context(), c, b, 0)
				return err
			})
			return err
		})
		want(s, "outer", fmt.Sprint(len(l.Records), l.Records[0].Entity), fmt.Sprint(1, a))
		want(s, "inner", fmt.Sprint(len(inner.Records), inner.Records[0].Entity), fmt.Sprint(1, b))
	},
	19: func(s *story) {
		e := s.entities("a")[0]
		s.version(e)
		s.refused(fault.Refused, func(tx *db.Tx) error {
			_, err := publishing.Change(s.Context(), tx, s.pkg.ID, publishing.Meta{}, func(c *publishing.ChangeSet) error {
				if _, err := newVersion(s.Context(), c, e, 0); err != nil {
					return err
				}
				if err := c.Flush(s.Context()); err != nil {
					return err
				}
				return fault.Errorf(fault.Refused, "the caller", "changed its mind")
			})
			return err
		})
		versions, err := publishing.VersionsOf(s.Context(), s.d, e)
		want(s, "versions", len(must(s, versions, err)), 1)
	},
}
