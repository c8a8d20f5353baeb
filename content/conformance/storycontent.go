package conformance

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// containerStories are of laws 49 to 55.
var containerStories = map[int]func(*story){
	49: func(s *story) {
		x, _ := s.component("x")
		u, v := s.container(containers.Unit, "u", kid(x))
		s.publishAll()
		s.edit(components.NextVersion{Entity: x})
		s.publish(x)
		s.set(x, 0)
		s.publishAll()
		list, err := publishing.VersionsOf(s.Context(), s.d, u)
		want(s, "versions", len(must(s, list, err)), 1)
		want(s, "published", s.at(u).Published.Version, v)
	},
	50: func(s *story) {
		x, _ := s.component("x")
		u, v := s.container(containers.Unit, "u", kid(x))
		title := "renamed"
		shared := s.next(containers.NextVersion{Entity: u, Title: &title})
		own := s.next(containers.NextVersion{Entity: u, Action: containers.Replace, Children: []containers.Child{kid(x)}})
		empty := s.next(containers.NextVersion{Entity: u, Action: containers.Replace})
		lists := map[publishing.VersionID]int64{}
		must(s, 0, s.d.Query(s.Context(), `SELECT publishable_entity_version_id, entity_list_id FROM openedx_content_containerversion WHERE container_id = ?`,
			[]any{u}, func(r *db.Row) error {
				var v, l int64
				err := r.Scan(&v, &l)
				lists[publishing.VersionID(v)] = l
				return err
			}))
		want(s, "the list is shared", lists[shared], lists[v])
		if lists[own] == lists[v] || lists[empty] == lists[v] || lists[own] == lists[empty] {
			s.Errorf("given rows share a list: %v", lists)
		}
		want(s, "rows of the empty list", s.rows(empty), "")
	},
	51: func(s *story) {
		x, _ := s.component("x")
		y, _ := s.component("y")
		_, v := s.container(containers.Unit, "u", kid(y), kid(x), kid(y), kid(x))
		var order []int
		must(s, 0, s.d.Query(s.Context(), `SELECT r.order_num FROM openedx_content_entitylistrow r JOIN openedx_content_containerversion v
			ON v.entity_list_id = r.entity_list_id WHERE v.publishable_entity_version_id = ? ORDER BY r.id`, []any{v}, func(r *db.Row) error {
			var n int
			err := r.Scan(&n)
			order = append(order, n)
			return err
		}))
		want(s, "order", fmt.Sprint(order), "[0 1 2 3]")
	},
	52: func(s *story) {
		x, v := s.component("x")
		y, _ := s.component("y")
		w := s.edit(components.NextVersion{Entity: x})
		u, _ := s.container(containers.Unit, "u", kid(x), pin(x, v), pin(x, w), kid(y), kid(x))
		removed := s.next(containers.NextVersion{Entity: u, Action: containers.Remove, Children: []containers.Child{kid(x)}})
		want(s, "without the unpinned", s.rows(removed), fmt.Sprintf("%d*%d %d*%d %d", x, v, x, w, y))
		removed = s.next(containers.NextVersion{Entity: u, Action: containers.Remove, Children: []containers.Child{pin(x, v)}})
		want(s, "without a pin", s.rows(removed), fmt.Sprintf("%d*%d %d", x, w, y))
		added := s.next(containers.NextVersion{Entity: u, Action: containers.Append, Children: []containers.Child{kid(y)}})
		want(s, "with one more", s.rows(added), fmt.Sprintf("%d*%d %d %d", x, w, y, y))
	},
	53: func(s *story) {
		x, _ := s.component("x")
		y, _ := s.component("y")
		z, _ := s.component("z")
		u, _ := s.container(containers.Unit, "u", kid(x), kid(y), kid(z))
		s.publishAll()
		s.set(y, 0)
		s.edit(components.NextVersion{Entity: z})
		want(s, "draft", s.in(u, false), fmt.Sprintf("%d@1 %d@2", x, z))
		want(s, "published", s.in(u, true), fmt.Sprintf("%d@1 %d@1 %d@1", x, y, z))
	},
	54: func(s *story) {
		x, v := s.other().component("x")
		for _, c := range []containers.Child{kid(x), pin(x, v)} {
			s.refused(fault.Invalid, func(tx *db.Tx) error {
				_, err := publishing.Change(s.Context(), tx, s.pkg.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
					_, _, err := newContainer(s.Context(), cs, containers.Unit, "u", c)
					return err
				})
				return err
			})
		}
	},
	55: func(s *story) {
		x, v := s.component("x")
		u, _ := s.container(containers.Unit, "u", kid(x), kid(x), pin(x, v))
		w, _ := s.container(containers.Unit, "w", kid(x))
		list, err := containers.With(s.Context(), s.d, x, false, false)
		got := []publishing.EntityID{}
		for _, c := range must(s, list, err) {
			got = append(got, c.ID)
		}
		want(s, "containers", fmt.Sprint(got), fmt.Sprint([]publishing.EntityID{u, w}))
	},
}

// contentStories are of laws 56 to 61.
var contentStories = map[int]func(*story){
	56: func(s *story) {
		m := s.media(text("one"), text("two"), text("three"))
		id, _ := s.component("x", components.File{Path: "kept", Media: m[0].ID}, components.File{Path: "dropped", Media: m[0].ID},
			components.File{Path: "replaced", Media: m[0].ID})
		change := []components.File{{Path: "dropped"}, {Path: "unknown"}, {Path: "replaced", Media: m[1].ID}, {Path: "added", Media: m[2].ID}}
		see := func(v publishing.VersionID) string {
			files, err := components.Files(s.Context(), s.d, []publishing.VersionID{v}, true)
			out := []string{}
			for _, f := range must(s, files, err) {
				out = append(out, f.Path+"="+f.Media.Text)
			}
			return strings.Join(out, " ")
		}
		want(s, "next", see(s.edit(components.NextVersion{Entity: id, Files: change})), "added=three kept=one replaced=two")
		want(s, "without the previous", see(s.edit(components.NextVersion{Entity: id, Files: change, Fresh: true})), "added=three replaced=two")
	},
	57: func(s *story) {
		content := "same"
		first := s.media(text(content), text(content))
		again := s.media(media.New{Type: "text/plain", Bytes: []byte(content)}, media.New{Type: "text/plain", Text: &content, File: true})
		for _, m := range []media.Media{first[1], again[0], again[1]} {
			want(s, "id", m.ID, first[0].ID)
		}
	},
	58: func(s *story) {
		m := s.media(media.New{Type: "text/plain", Bytes: []byte("x")}, media.New{Type: "text/html", Bytes: []byte("x")})
		want(s, "one row", m[0].ID == m[1].ID, false)
		want(s, "digest", m[0].Digest, m[1].Digest)
	},
	59: func(s *story) {
		for _, content := range [][]byte{{}, []byte("hello"), bytes.Repeat([]byte{0, 255, 'x'}, 30000)} {
			m := s.media(media.New{Type: "application/octet-stream", Bytes: content})[0]
			got, err := media.Read(s.Context(), s.d, s.files, s.pkg.UUID, m.ID)
			want(s, "content", string(must(s, got, err)), string(content))
			want(s, "size", m.Size, int64(len(content)))
			want(s, "digest", m.Digest, media.DigestBytes(content))
		}
		want(s, "digest", media.DigestBytes([]byte("hello")), "b5531c7037f06c9f2947132a6a77202c308e8939")
	},
	60: func(s *story) {
		long := strings.Repeat("x", media.MaxRowText+1)
		for _, m := range s.media(text(""), text("x"), text(long), media.New{Type: "image/png"}) {
			want(s, "has something", m.HasText || m.HasFile, true)
		}
	},
	61: func(s *story) {
		m := s.media(text("text"), media.New{Type: "image/png", Bytes: []byte("png")})
		id, v := s.component("x", components.File{Path: "static/A.png", Media: m[1].ID}, components.File{Path: "block.xml", Media: m[0].ID})
		s.edit(components.NextVersion{Entity: id, Files: []components.File{{Path: "static/A.png"}}})
		list, err := publishing.VersionsOf(s.Context(), s.d, id)
		versions := must(s, list, err)
		want(s, "version", versions[0].ID, v)
		for _, c := range []struct {
			version uuid.UUID
			path    string
			status  int
		}{
			{versions[0].UUID, "static/A.png", 200}, {versions[0].UUID, "static//./A.png", 200}, {versions[0].UUID, "static/a.png", 404},
			{versions[0].UUID, "block.xml", 404}, {versions[1].UUID, "static/A.png", 404}, {uuid.New(), "static/A.png", 404},
		} {
			got, err := components.FindAsset(s.Context(), s.d, c.version, c.path, false)
			want(s, c.path, must(s, got, err).Status, c.status)
		}
	},
}

// collection makes an empty collection.
func (s *story) collection(code string) (c collections.Collection) {
	s.Helper()
	s.do(func(tx *db.Tx) error {
		made, err := collections.Create(s.Context(), tx, s.pkg.ID, []collections.New{{Code: code, Title: code}})
		if err == nil {
			c = made[0].Collection
		}
		return err
	})
	return c
}

// collect runs a call that changes one collection.
func (s *story) collect(fn func(ctx context.Context, tx *db.Tx) (collections.Change, error)) (c collections.Change) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		c, err = fn(s.Context(), tx)
		return err
	})
	return c
}

func (s *story) add(c collections.Collection, list ...publishing.EntityID) collections.Change {
	s.Helper()
	return s.collect(func(ctx context.Context, tx *db.Tx) (collections.Change, error) {
		out, err := collections.Add(ctx, tx, s.pkg.ID, []collections.Members{{Collection: c.ID, Entities: list}}, s.users["ada"])
		if err != nil {
			return collections.Change{}, err
		}
		return out[0], nil
	})
}

func (s *story) drop(code string) collections.Change {
	s.Helper()
	return s.collect(func(ctx context.Context, tx *db.Tx) (collections.Change, error) {
		return collections.Delete(ctx, tx, s.pkg.ID, code)
	})
}

func (s *story) stored(code string) collections.Collection {
	s.Helper()
	c, err := collections.ByCode(s.Context(), s.d, s.pkg.ID, code)
	return must(s, c, err)
}

func (s *story) members() string {
	s.Helper()
	list, err := collections.AllMembers(s.Context(), s.d, s.pkg.ID)
	return fmt.Sprint(must(s, list, err))
}

// collectionStories are of laws 62 to 66.
var collectionStories = map[int]func(*story){
	62: func(s *story) {
		e := s.entities("a", "b")
		c := s.collection("c")
		s.add(c, e...)
		members := s.members()
		before := s.stored("c").Modified
		want(s, "added again", len(s.add(c, e[0]).Added), 0)
		want(s, "members", s.members(), members)
		want(s, "modified", s.stored("c").Modified.After(before), true)
		remove := func(ctx context.Context, tx *db.Tx) (collections.Change, error) {
			out, err := collections.Remove(ctx, tx, s.pkg.ID, []collections.Members{{Collection: c.ID, Entities: e[:1]}})
			if err != nil {
				return collections.Change{}, err
			}
			return out[0], nil
		}
		want(s, "removed", len(s.collect(remove).Removed), 1)
		want(s, "removed again", len(s.collect(remove).Removed), 0)
		s.drop("c")
		disabled, members := s.stored("c"), s.members()
		s.refused(fault.Invalid, func(tx *db.Tx) error {
			_, err := collections.Add(s.Context(), tx, s.pkg.ID, []collections.Members{{Collection: c.ID, Entities: e}}, 0)
			return err
		})
		want(s, "the disabled collection", s.stored("c"), disabled)
		want(s, "its members", s.members(), members)
	},
	63: func(s *story) {
		e := s.entities("a")
		kept, lost, gained, beside := s.collection("kept"), s.collection("lost"), s.collection("gained"), s.collection("beside")
		s.add(kept, e...)
		s.add(lost, e...)
		before := map[string]collections.Collection{}
		for _, code := range []string{"kept", "lost", "gained", "beside"} {
			before[code] = s.stored(code)
		}
		var changes []collections.Change
		s.do(func(tx *db.Tx) (err error) {
			changes, err = collections.SetOf(s.Context(), tx, s.pkg.ID, e[0], []collections.ID{kept.ID, gained.ID}, 0)
			return err
		})
		want(s, "changes", len(changes), 2)
		for code, changed := range map[string]bool{"kept": false, "lost": true, "gained": true, "beside": false} {
			want(s, code+" modified", s.stored(code).Modified.After(before[code].Modified), changed)
		}
		in, err := collections.Of(s.Context(), s.d, s.pkg.ID, "a")
		want(s, "collections", len(must(s, in, err)), 2)
		want(s, "beside", beside.Enabled, true)
	},
	64: func(s *story) {
		e := s.entities("a", "b")
		s.add(s.collection("c"), e...)
		members := s.members()
		s.drop("c")
		want(s, "members of the deleted", s.members(), members)
		s.collect(func(ctx context.Context, tx *db.Tx) (collections.Change, error) {
			return collections.Restore(ctx, tx, s.pkg.ID, "c")
		})
		want(s, "members", s.members(), members)
		want(s, "enabled", s.stored("c").Enabled, true)
	},
	65: func(s *story) {
		e, foreign := s.entities("a"), s.other().entities("b")
		c := s.collection("c")
		before, members := s.stored("c"), s.members()
		s.refused(fault.Invalid, func(tx *db.Tx) error {
			_, err := collections.Add(s.Context(), tx, s.pkg.ID, []collections.Members{{Collection: c.ID, Entities: append(e, foreign...)}}, 0)
			return err
		})
		want(s, "collection", s.stored("c"), before)
		want(s, "members", s.members(), members)
	},
	66: func(s *story) {
		e := s.entities("a", "never")
		s.version(e[0])
		s.add(s.collection("c"), e...)
		members, before := s.members(), s.stored("c")
		s.publishAll()
		s.set(e[0], 0)
		s.publishAll()
		want(s, "members", s.members(), members)
		want(s, "collection", s.stored("c"), before)
	},
}
