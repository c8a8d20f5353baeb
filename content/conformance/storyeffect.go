package conformance

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// effectStories are of laws 20 to 32.
var effectStories = map[int]func(*story){
	20: func(s *story) { // a diamond: c in u1 and u2, both in t, t in r
		e := s.entities("c", "u1", "u2", "t", "r")
		s.version(e[0])
		s.version(e[1], e[0])
		s.version(e[2], e[0])
		s.version(e[3], e[1], e[2])
		s.version(e[4], e[3])
		l := s.change(func(c *publishing.ChangeSet) error {
			_, err := newVersion(s.Context(), c, e[0], 0)
			return err
		})
		want(s, "records", len(l.Records), 5)
	},
	21: func(s *story) {
		e := s.entities("c", "p")
		s.version(e[0])
		v := s.version(e[1], e[0])
		l := s.set(e[0], 0)
		want(s, "parent", l.Records[1].Entity, e[1])
		want(s, "move", [2]publishing.VersionID{l.Records[1].Old, l.Records[1].New}, [2]publishing.VersionID{v, v})
	},
	22: func(s *story) {
		e := s.entities("c", "p")
		c1 := s.version(e[0])
		p1 := s.version(e[1], e[0])
		var c2, p2 publishing.VersionID
		l := s.change(func(c *publishing.ChangeSet) (err error) {
			if p2, err = newVersion(s.Context(), c, e[1], 0, e[0]); err != nil {
				return err
			}
			c2, err = newVersion(s.Context(), c, e[0], 0)
			return err
		})
		want(s, "records", records(l.Records), fmt.Sprintf("%d %d>%d, %d %d>%d", e[0], c1, c2, e[1], p1, p2))
		want(s, "edges", edges(l.Records, l.SideEffects), fmt.Sprintf("%d>%d", e[0], e[1]))
	},
	23: func(s *story) {
		e := s.entities("c", "p", "g")
		s.version(e[0])
		s.version(e[1], e[0])
		s.version(e[2], e[1])
		l := s.set(e[0], 0)
		want(s, "edges", edges(l.Records, l.SideEffects), fmt.Sprintf("%d>%d, %d>%d", e[0], e[1], e[1], e[2]))
	},
	24: func(s *story) {
		x, v := s.component("x")
		y, _ := s.component("y")
		u, _ := s.container(containers.Unit, "u", pin(x, v), kid(y))
		digest := s.at(u).Draft.Digest
		l := s.set(x, 0)
		want(s, "records", len(l.Records), 1)
		want(s, "digest", s.at(u).Draft.Digest, digest)
		s.publish(u)
		want(s, "published", [2]bool{s.at(x).Published.Exists, s.at(y).Published.Exists}, [2]bool{false, true})
	},
	25: func(s *story) {
		e := s.entities("c", "p")
		s.version(e[0])
		s.version(e[1], e[0])
		s.set(e[1], 0)
		want(s, "records", len(s.set(e[0], 0).Records), 1)
	},
	26: func(s *story) {
		x, _ := s.component("x")
		y, _ := s.component("y")
		u, _ := s.container(containers.Unit, "u", kid(x), kid(y))
		l := s.change(func(c *publishing.ChangeSet) error {
			if err := point(s.Context(), c, x, 0); err != nil {
				return err
			}
			_, _, err := containers.NextVersions(s.Context(), c, []containers.NextVersion{
				{Entity: u, Action: containers.Remove, Children: []containers.Child{kid(x)}}})
			return err
		})
		want(s, "edges", edges(l.Records, l.SideEffects), "")
	},
	27: func(s *story) {
		e := s.entities("c", "p")
		v := s.version(e[0])
		s.version(e[1], e[0])
		want(s, "of a leaf", s.at(e[0]).Draft.Digest, "")
		want(s, "of a parent", s.at(e[1]).Draft.Digest, blake(fmt.Sprintf("%d:", v)))
		s.set(e[0], 0)
		want(s, "without live dependencies", s.at(e[1]).Draft.Digest, "")
		s.set(e[1], 0)
		want(s, "of a deleted parent", s.at(e[1]).Draft.Digest, "")
	},
	28: func(s *story) {
		x, _ := s.component("x")
		y, _ := s.component("y")
		u, _ := s.container(containers.Unit, "u", kid(x), kid(y))
		digest := s.at(u).Draft.Digest
		s.next(containers.NextVersion{Entity: u, Action: containers.Replace, Children: []containers.Child{kid(y), kid(x), kid(y)}})
		want(s, "digest", s.at(u).Draft.Digest, digest)
	},
	29: func(s *story) {
		e := s.entities("c", "p")
		v := s.version(e[0])
		s.version(e[1], e[0])
		digest := s.at(e[1]).Draft.Digest
		s.set(e[0], 0)
		s.set(e[0], v)
		want(s, "digest", s.at(e[1]).Draft.Digest, digest)
	},
	30: func(s *story) {
		e := s.entities("c", "d", "u", "t")
		c := s.version(e[0])
		s.version(e[1])
		s.version(e[2], e[0], e[1])
		s.version(e[3], e[2], e[0])
		s.publishAll()
		d := s.version(e[1])
		see := func(b func(publishing.Pointers) publishing.Branch, d publishing.VersionID) {
			u := blake(fmt.Sprintf("%d:\n%d:", c, d))
			if d < c {
				u = blake(fmt.Sprintf("%d:\n%d:", d, c))
			}
			want(s, "middle", b(s.at(e[2])).Digest, u)
			want(s, "top", b(s.at(e[3])).Digest, blake(fmt.Sprintf("%d:\n%d:%s", c, b(s.at(e[2])).Version, u)))
		}
		see(draftOf, d)
		see(publishedOf, s.at(e[1]).Published.Version)
	},
	31: func(s *story) {
		e := s.entities("c", "u", "t")
		v := s.version(e[0])
		s.version(e[1], e[0])
		s.version(e[2], e[1])
		s.publishAll()
		want(s, "published", unpublished(s, e[2]), false)
		s.set(e[0], 0)
		want(s, "changed below", unpublished(s, e[2]), true)
		s.set(e[0], v)
		want(s, "changed back", unpublished(s, e[2]), false)
	},
	32: func(s *story) {
		list := s.entities("a", "b", "c", "d", "t")
		for _, e := range list[:4] {
			s.version(e)
		}
		s.version(list[4], list[:4]...)
		n := 0
		must(s, 0, s.d.View(s.Context(), func(tx *db.Tx) error {
			_, err := publishing.ContainsUnpublished(s.Context(), counting{tx, &n}, list[4:])
			return err
		}))
		want(s, "queries", n, 1)
	},
}

// counting counts queries.
type counting struct {
	db.Querier
	n *int
}

func (c counting) Query(ctx context.Context, sql string, args []any, scan func(*db.Row) error) error {
	*c.n++
	return c.Querier.Query(ctx, sql, args, scan)
}

// publishStories are of laws 33 to 48.
var publishStories = map[int]func(*story){
	33: func(s *story) {
		e := s.entities("a", "b", "never")
		s.version(e[0])
		s.version(e[1])
		s.publishAll()
		s.set(e[0], 0)
		s.version(e[1])
		s.publishAll()
		for _, x := range e {
			want(s, "published", s.at(x).Published.Version, s.at(x).Draft.Version)
		}
	},
	34: func(s *story) {
		s.version(s.entities("a")[0])
		s.publishAll()
		want(s, "records", len(s.publishAll().Records), 0)
		want(s, "logs", s.logs(true), 2)
	},
	35: func(s *story) {
		e := s.entities("a")[0]
		s.version(e)
		s.publishAll()
		s.set(e, 0)
		want(s, "first", len(s.publishAll().Records), 1)
		want(s, "again", len(s.publishAll().Records), 0)
	},
	36: func(s *story) {
		e := s.entities("c", "u", "t", "beside")
		s.version(e[0])
		s.version(e[1], e[0])
		s.version(e[2], e[1])
		s.publish(e[2])
		v := s.version(e[0])
		s.version(e[3])
		s.publish(e[2]) // through the middle, which is unchanged
		want(s, "leaf", s.at(e[0]).Published.Version, v)
	},
	37: func(s *story) {
		e := s.entities("c", "u", "beside")
		s.version(e[0])
		s.version(e[1], e[0])
		s.version(e[2])
		s.publish(e[1])
		want(s, "beside", s.at(e[2]).Published.Exists, false)
		s.version(e[0])
		old := s.at(e[1]).Published.Version
		s.version(e[1], e[0])
		s.publish(e[0])
		want(s, "above", s.at(e[1]).Published.Version, old)
	},
	38: func(s *story) {
		e := s.entities("a")[0]
		v := s.version(e)
		s.publish(e)
		want(s, "records", records(s.publish(e).Records), fmt.Sprintf("%d %d>%d", e, v, v))
	},
	39: func(s *story) {
		e := s.entities("c", "u")
		s.version(e[0])
		s.version(e[1], e[0])
		want(s, "records", len(s.publish(e[1], e[0], e[1]).Records), 2)
	},
	40: func(s *story) {
		e := s.entities("c", "u", "t", "unpublished")
		s.version(e[0])
		u := s.version(e[1], e[0])
		t := s.version(e[2], e[1])
		s.publishAll()
		old := s.at(e[0]).Published.Version
		s.version(e[3], e[0])
		v := s.version(e[0])
		l := s.publish(e[0])
		want(s, "records", records(l.Records), fmt.Sprintf("%d %d>%d, %d %d>%d, %d %d>%d", e[0], old, v, e[1], u, u, e[2], t, t))
	},
	41: func(s *story) {
		e := s.entities("c", "u")
		s.version(e[0])
		s.version(e[1], e[0])
		s.publishAll()
		s.version(e[0])
		l := s.publish(e[0])
		last, err := publishing.LastPublishOf(s.Context(), s.d, e[1])
		want(s, "last publish of the parent", must(s, last, err).ID, l.ID)
	},
	42: func(s *story) {
		e := s.entities("c", "u")
		s.version(e[1])
		s.publishAll()
		s.version(e[0])
		s.version(e[1], e[0])
		want(s, "records", len(s.publish(e[0]).Records), 1)
	},
	43: func(s *story) {
		e := s.entities("c", "u")
		old := s.version(e[0])
		s.version(e[1], e[0])
		s.publishAll()
		s.version(e[0])
		s.version(e[1])
		s.publish(e[1])
		want(s, "dropped child", s.at(e[0]).Published.Version, old)
	},
	44: func(s *story) {
		e := s.entities("c", "u")
		s.version(e[0])
		s.version(e[1], e[0])
		s.publishAll()
		s.set(e[0], 0)
		s.publish(e[1])
		p := s.at(e[0]).Published
		want(s, "child", [2]bool{p.Exists, p.Live()}, [2]bool{true, false})
	},
	45: func(s *story) {
		e := s.entities("a")[0]
		var logs []int64
		var versions []publishing.VersionID
		for range 3 {
			versions = append(versions, s.version(e))
			logs = append(logs, s.publishAll().ID)
		}
		s.set(e, 0)
		logs, versions = append(logs, s.publishAll().ID), append(versions, 0)
		for i, l := range logs {
			heads, err := publishing.HeadsOf(s.Context(), s.d, []publishing.EntityID{e}, publishing.AfterPublish(l))
			var got publishing.VersionID
			for _, h := range must(s, heads, err) {
				got = h.Version
			}
			want(s, fmt.Sprintf("as of publish %d", i), got, versions[i])
		}
	},
	46: func(s *story) {
		e := s.entities("a", "b", "c")
		for _, x := range e {
			s.version(x)
		}
		s.publish(e[0], e[1])
		s.version(e[0])
		s.set(e[1], 0)
		n := s.logs(false)
		s.reset()
		for _, x := range e {
			want(s, "draft", s.at(x).Draft.Version, s.at(x).Published.Version)
		}
		want(s, "logs", s.logs(false), n+1)
		if s.reset() != nil {
			s.Error("a second reset made a log")
		}
		want(s, "logs after a second reset", s.logs(false), n+1)
	},
	47: func(s *story) {
		e := s.entities("a")[0]
		s.version(e)
		s.publishAll()
		s.version(e)
		s.reset()
		list, err := publishing.VersionsOf(s.Context(), s.d, e)
		want(s, "versions", len(must(s, list, err)), 2)
	},
	48: func(s *story) {
		e := s.entities("published", "never")
		v := s.version(e[0])
		s.version(e[1])
		s.publish(e[0])
		s.set(e[0], 0)
		s.reset()
		want(s, "published", s.at(e[0]).Draft.Version, v)
		want(s, "never published", [2]bool{s.at(e[1]).Draft.Exists, s.at(e[1]).Draft.Live()}, [2]bool{true, false})
	},
}
