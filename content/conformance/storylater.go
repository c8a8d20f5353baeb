package conformance

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// refusedChange is a change set that must be refused.
func (s *story) refusedChange(kind fault.Kind, fn func(c *publishing.ChangeSet) error) {
	s.Helper()
	s.refused(kind, func(tx *db.Tx) error {
		_, err := publishing.Change(s.Context(), tx, s.pkg.ID, publishing.Meta{}, fn)
		return err
	})
}

// laterStories are of laws 67 to 80, which came with 1.x.
var laterStories = map[int]func(*story){
	67: func(s *story) {
		e := s.entities("a", "b")
		v := s.version(e[0])
		s.refusedChange(fault.Invalid, func(c *publishing.ChangeSet) error { return point(s.Context(), c, e[1], v) })
		s.refusedChange(fault.NotFound, func(c *publishing.ChangeSet) error { return point(s.Context(), c, e[1], v+1000000) })
	},
	68: func(s *story) {
		a, b := s.entities("a")[0], s.other().entities("b")[0]
		s.version(a)
		s.refusedChange(fault.Invalid, func(c *publishing.ChangeSet) error {
			_, err := newVersion(s.Context(), c, a, 0, b)
			return err
		})
		s.refused(fault.Invalid, func(tx *db.Tx) error {
			_, err := publishing.Publish(s.Context(), tx, s.pkg.ID, []publishing.EntityID{a, b}, true, publishing.PublishMeta{})
			return err
		})
	},
	69: func(s *story) {
		e := s.entities("a")[0]
		s.refusedChange(fault.Invalid, func(c *publishing.ChangeSet) error {
			if _, err := newVersion(s.Context(), c, e, 0); err != nil {
				return err
			}
			_, err := publishing.PublishAll(s.Context(), c.Tx(), s.pkg.ID, publishing.PublishMeta{})
			return err
		})
	},
	70: func(s *story) {
		e := s.entities("c", "d", "u", "t")
		s.version(e[0])
		s.version(e[1])
		s.version(e[2], e[0], e[1])
		s.version(e[3], e[2])
		s.publishAll()
		s.version(e[0])
		s.version(e[1])
		l := s.publish(e[2], e[0])
		direct := func(ids ...publishing.EntityID) string { return fmt.Sprint(ids) }
		see := func(l *publishing.PublishLog) string {
			list, err := publishing.Records(s.Context(), s.d, true, []int64{l.ID})
			var ids []publishing.EntityID
			for _, r := range must(s, list, err) {
				if r.Direct == nil {
					s.Errorf("direct is not known of %+v", r)
				} else if *r.Direct {
					ids = append(ids, r.Entity)
				}
			}
			return fmt.Sprint(ids)
		}
		want(s, "chosen", see(l), direct(e[2], e[0]))
		s.version(e[1])
		want(s, "of all that differs", see(s.publishAll()), direct(e[1]))
	},
	71: func(s *story) {
		e := s.entities("c", "u", "never", "w")
		s.version(e[0])
		s.version(e[1], e[0])
		shallow := func(e publishing.EntityID) func(tx *db.Tx) error {
			return func(tx *db.Tx) error {
				_, err := publishing.Publish(s.Context(), tx, s.pkg.ID, []publishing.EntityID{e}, false, publishing.PublishMeta{})
				return err
			}
		}
		s.refused(fault.Invalid, shallow(e[1]))
		s.publish(e[0])
		s.version(e[0])
		s.do(shallow(e[1]))
		want(s, "dependency", s.at(e[0]).Published.Num, 1)
		s.version(e[3], e[2]) // on what never had a version
		s.do(shallow(e[3]))
	},
	72: func(s *story) {
		x, xv := s.component("x")
		u, uv := s.container(containers.Unit, "u")
		t, tv := s.container(containers.Subsection, "t", kid(u))
		for kind, wrong := range map[string][]containers.Child{
			containers.Unit:       {kid(u), pin(u, uv), kid(t)},
			containers.Subsection: {kid(x), pin(x, xv), kid(t)},
			containers.Section:    {kid(x), kid(u), pin(u, uv)},
		} {
			for _, c := range wrong {
				s.refusedChange(fault.Invalid, func(cs *publishing.ChangeSet) error {
					_, _, err := newContainer(s.Context(), cs, kind, "n", c)
					return err
				})
			}
		}
		s.refusedChange(fault.Invalid, func(c *publishing.ChangeSet) error {
			_, _, err := containers.NextVersions(s.Context(), c, []containers.NextVersion{{Entity: t, Action: containers.Append, Children: []containers.Child{kid(x)}}})
			return err
		})
		s.container(containers.Section, "s", kid(t), pin(t, tv))
	},
	73: func(s *story) {
		s.container(containers.Unit, "code")
		s.component("code") // another ref
		s.refusedChange(fault.Conflict, func(c *publishing.ChangeSet) error {
			_, _, err := newContainer(s.Context(), c, containers.Section, "code")
			return err
		})
		s.refused(fault.Conflict, func(tx *db.Tx) error {
			_, err := components.Create(s.Context(), tx, s.pkg.ID, []components.NewComponent{{Type: problem, Code: "code", Ref: "another"}})
			return err
		})
		s.do(func(tx *db.Tx) error {
			_, err := components.Create(s.Context(), tx, s.pkg.ID, []components.NewComponent{{Type: components.Type{Namespace: "xblock.v1", Name: "html"}, Code: "code"}})
			return err
		})
		s.refused(fault.Conflict, func(tx *db.Tx) error {
			_, err := publishing.CreateEntities(s.Context(), tx, s.pkg.ID, []publishing.NewEntity{{Ref: "xblock.v1:problem:code"}})
			return err
		})
	},
	74: func(s *story) {
		codes := []string{"a", "A", "_", "a_", "a-", "a."}
		for _, code := range codes {
			s.component(code)
			s.container(containers.Unit, code)
		}
		for _, code := range codes {
			c, err := components.ByCode(s.Context(), s.d, s.pkg.ID, problem, code)
			want(s, "code of a component", must(s, c, err).Code, code)
			u, err := containers.ByCode(s.Context(), s.d, s.pkg.ID, code)
			want(s, "code of a container", must(s, u, err).Code, code)
		}
		for _, code := range []string{"b", "a ", "À"} {
			if _, err := components.ByCode(s.Context(), s.d, s.pkg.ID, problem, code); !fault.Is(err, fault.NotFound) {
				s.Errorf("code %q: error %v, want not found", code, err)
			}
		}
	},
	75: func(s *story) {
		e := s.entities("a")[0]
		v := s.version(e)
		if l := s.set(e, 0); l == nil || len(l.Records) != 1 {
			s.Errorf("a change returns %+v", l)
		}
		if l := s.set(e, 0); l != nil {
			s.Errorf("a change of nothing returns %+v", l)
		}
		if l := s.set(e, v); l == nil || l.ID == 0 {
			s.Errorf("a change returns %+v", l)
		}
		if l := s.publishAll(); l == nil || len(l.Records) != 1 {
			s.Errorf("a publish returns %+v", l)
		}
		if l := s.publishAll(); l == nil || len(l.Records) != 0 {
			s.Errorf("a publish of nothing returns %+v", l)
		}
	},
	76: func(s *story) {
		e := s.entities("c", "u", "new")
		v := s.version(e[0])
		s.version(e[1], e[0])
		s.set(e[0], 0)
		l := s.change(func(c *publishing.ChangeSet) error {
			if err := point(s.Context(), c, e[0], v); err != nil {
				return err
			}
			_, err := newVersion(s.Context(), c, e[2], 0)
			return err
		})
		stored, err := publishing.Records(s.Context(), s.d, false, []int64{l.ID})
		for i, r := range must(s, stored, err) {
			want(s, "record", fmt.Sprint(l.Records[i].ID, l.Records[i].Entity, l.Records[i].Old, l.Records[i].New), fmt.Sprint(r.ID, r.Entity, r.Old, r.New))
			want(s, "restored", l.Records[i].Restored, r.Entity == e[0])
		}
		want(s, "records", len(stored), 3)
	},
	77: func(s *story) {
		e := s.entities("a")[0]
		v := s.version(e)
		s.publishAll()
		s.set(e, 0)
		s.publishAll()
		s.set(e, v)
		for _, r := range s.publishAll().Records {
			want(s, "restored in a publish", r.Restored, false)
		}
		// That direct is null in events of drafts is for who sends them: the log has no such column.
		list, err := publishing.DraftHistory(s.Context(), s.d, e)
		for _, x := range must(s, list, err) {
			if x.Direct != nil {
				s.Errorf("a draft record says whether it is direct: %+v", x)
			}
		}
	},
	78: func(s *story) {
		e := s.entities("a", "b")
		var made []*publishing.ChangeLog
		outer := s.change(func(c *publishing.ChangeSet) error {
			if _, err := newVersion(s.Context(), c, e[0], 0); err != nil {
				return err
			}
			inner, err := publishing.Change(s.Context(), c.Tx(), s.pkg.ID, publishing.Meta{}, func(c *publishing.ChangeSet) error {
				_, err := newVersion(s.Context(), c, e[1], 0)
				return err
			})
			made = append(made, inner)
			return err
		})
		made = append(made, outer)
		for i, x := range []publishing.EntityID{e[1], e[0]} { // inner first
			want(s, "records", fmt.Sprint(len(made[i].Records), made[i].Records[0].Entity), fmt.Sprint(1, x))
		}
		want(s, "logs", s.logs(false), 2)
	},
	79: func(s *story) {
		s.add(s.collection("c"), s.entities("a")...)
		want(s, "deleted", s.drop("c").Deleted, true)
		before := s.stored("c")
		again := s.drop("c")
		want(s, "deleted again", fmt.Sprint(again.Deleted, len(again.Removed)), "false 0")
		want(s, "collection", s.stored("c"), before)
		erased := s.collect(func(ctx context.Context, tx *db.Tx) (collections.Change, error) {
			return collections.Erase(ctx, tx, s.pkg.ID, "c")
		})
		want(s, "erased", fmt.Sprint(erased.Deleted, len(erased.Removed)), "false 0")
	},
	80: func(s *story) {
		e := s.entities("c", "u")
		s.version(e[0])
		s.version(e[1], e[0])
		s.publishAll()
		s.version(e[0])
		side := s.publish(e[0])
		s.set(e[1], 0)
		s.publishAll()
		list, err := publishing.PublishHistory(s.Context(), s.d, e[1])
		want(s, "records", len(must(s, list, err)), 3)
		want(s, "side effect", list[1].Log == side.ID && list[1].Old == list[1].New, true)
	},
}
