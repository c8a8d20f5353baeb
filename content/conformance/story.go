package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// story is a package in which a law is shown by an example.
type story struct {
	*testing.T
	nodes
	files media.Files
	pkg   publishing.Package
	users map[string]publishing.UserID
}

// book returns a story for every law, by its number (content-model.md §17). Where a law speaks of events, what an event
// is made of counts: the logs and changes that calls return.
func book() map[int]func(*story) {
	all := map[int]func(*story){}
	for _, chapter := range []map[int]func(*story){
		identityStories, draftStories, effectStories, publishStories, containerStories, contentStories, collectionStories, laterStories,
	} {
		maps.Copy(all, chapter)
	}
	return all
}

// lastLaw is how many laws content-model.md §17 has.
const lastLaw = 80

// stories tells the story of every law, each in a package of its own on one database.
func stories(t *testing.T, open func(t *testing.T) []*db.DB) {
	d := open(t)
	users, err := makeUsers(t.Context(), d[0])
	if err != nil {
		t.Fatal(err)
	}
	files := media.NewDir(t.TempDir())
	all := book()
	for n := 1; n <= lastLaw; n++ {
		t.Run(fmt.Sprintf("law %02d", n), func(t *testing.T) {
			if all[n] == nil {
				t.Fatal("the law has no story")
			}
			s := &story{T: t, nodes: newNodes(d), files: files, users: users}
			s.pkg = s.newPackage("lp:" + t.Name())
			all[n](s)
		})
	}
}

func (s *story) newPackage(ref string) (p publishing.Package) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		p, err = publishing.CreatePackage(s.Context(), tx, publishing.NewPackage{Ref: ref, Title: "Story"})
		return err
	})
	return p
}

// other tells the rest of the story in a second package.
func (s *story) other() *story {
	o := *s
	o.pkg = s.newPackage(s.pkg.Ref + " 2")
	return &o
}

func (s *story) do(fn func(tx *db.Tx) error) {
	s.Helper()
	s.move()
	defer s.move()
	if err := s.d.Update(s.Context(), fn); err != nil {
		s.Fatal(err)
	}
}

// refused runs fn, which must fail in that way and leave the package as it was.
func (s *story) refused(kind fault.Kind, fn func(tx *db.Tx) error) {
	s.Helper()
	before := s.picture()
	if err := s.d.Update(s.Context(), fn); !fault.Is(err, kind) {
		s.Errorf("error %v, want %s", err, kind.Code())
	}
	if after := s.picture(); after != before {
		s.Errorf("the refused operation left something:\n%s\nbefore:\n%s", after, before)
	}
}

// picture describes what can be read of the package.
func (s *story) picture() string {
	s.Helper()
	pointers, err := publishing.AllPointers(s.Context(), s.d, s.pkg.ID)
	logs, err2 := publishing.Logs(s.Context(), s.d, s.pkg.ID, publishing.LogFilter{})
	if err := errors.Join(err, err2); err != nil {
		s.Fatal(err)
	}
	return fmt.Sprintf("%+v\n%+v", pointers, logs)
}

// must ends the story at an error.
func must[T any](s *story, v T, err error) T {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
	return v
}

// want compares what is with what should be.
func want[T comparable](s *story, what string, got, want T) {
	s.Helper()
	if got != want {
		s.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (s *story) entities(refs ...string) (ids []publishing.EntityID) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		list := make([]publishing.NewEntity, len(refs))
		for i, ref := range refs {
			list[i].Ref = ref
		}
		ids, err = publishing.CreateEntities(s.Context(), tx, s.pkg.ID, list)
		return err
	})
	return ids
}

// change makes one change set, as nobody.
func (s *story) change(fn func(c *publishing.ChangeSet) error) (l *publishing.ChangeLog) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		l, err = publishing.Change(s.Context(), tx, s.pkg.ID, publishing.Meta{}, fn)
		return err
	})
	return l
}

// version makes the next version of a bare entity.
func (s *story) version(e publishing.EntityID, deps ...publishing.EntityID) (v publishing.VersionID) {
	s.Helper()
	s.change(func(c *publishing.ChangeSet) (err error) {
		v, err = newVersion(s.Context(), c, e, 0, deps...)
		return err
	})
	return v
}

func newVersion(ctx context.Context, c *publishing.ChangeSet, e publishing.EntityID, num int, deps ...publishing.EntityID) (publishing.VersionID, error) {
	ids, _, err := c.CreateVersions(ctx, []publishing.NewVersion{{Entity: e, Num: num, Title: "v", Dependencies: deps}})
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

// set points the draft at a version, 0 to delete it.
func (s *story) set(e publishing.EntityID, v publishing.VersionID) *publishing.ChangeLog {
	s.Helper()
	return s.change(func(c *publishing.ChangeSet) error { return point(s.Context(), c, e, v) })
}

func point(ctx context.Context, c *publishing.ChangeSet, e publishing.EntityID, v publishing.VersionID) error {
	return c.SetDrafts(ctx, []publishing.Pointer{{Entity: e, Version: v}})
}

func (s *story) publishAll() (l *publishing.PublishLog) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		l, err = publishing.PublishAll(s.Context(), tx, s.pkg.ID, publishing.PublishMeta{})
		return err
	})
	return l
}

// publish publishes drafts with their dependencies.
func (s *story) publish(list ...publishing.EntityID) (l *publishing.PublishLog) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		l, err = publishing.Publish(s.Context(), tx, s.pkg.ID, list, true, publishing.PublishMeta{})
		return err
	})
	return l
}

func (s *story) reset() (l *publishing.ChangeLog) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		l, err = publishing.Reset(s.Context(), tx, s.pkg.ID, publishing.Meta{}, nil)
		return err
	})
	return l
}

func (s *story) at(e publishing.EntityID) publishing.Pointers {
	s.Helper()
	found, err := publishing.PointersOf(s.Context(), s.d, []publishing.EntityID{e})
	return must(s, found[e], err)
}

// logs counts the package's draft or publish logs.
func (s *story) logs(publish bool) int {
	s.Helper()
	list, err := publishing.Logs(s.Context(), s.d, s.pkg.ID, publishing.LogFilter{OnlyDrafts: !publish, OnlyPublishes: publish})
	return len(must(s, list, err))
}

// records writes the moves of a log as "entity old>new", by entity, old = new for a side effect.
func records(list []publishing.Record) string {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b publishing.Record) int { return int(a.Entity - b.Entity) })
	var out []string
	for _, r := range list {
		out = append(out, fmt.Sprintf("%d %d>%d", r.Entity, r.Old, r.New))
	}
	return strings.Join(out, ", ")
}

// edges writes the side effects of a log as "entity>entity", sorted.
func edges(list []publishing.Record, effects []publishing.SideEffect) string {
	of := map[publishing.RecordID]publishing.EntityID{}
	for _, r := range list {
		of[r.ID] = r.Entity
	}
	out := []string{}
	for _, e := range effects {
		out = append(out, fmt.Sprintf("%d>%d", of[e.Cause], of[e.Effect]))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

var problem = components.Type{Namespace: "xblock.v1", Name: "problem"}

// media keeps contents, each of a type.
func (s *story) media(list ...media.New) (out []media.Media) {
	s.Helper()
	s.do(func(tx *db.Tx) (err error) {
		out, err = media.GetOrCreate(s.Context(), tx, s.files, s.pkg, list, media.Options{})
		return err
	})
	return out
}

func text(content string) media.New { return media.New{Type: "text/plain", Text: &content} }

// component makes a component with a first version.
func (s *story) component(code string, files ...components.File) (id publishing.EntityID, v publishing.VersionID) {
	s.Helper()
	s.change(func(c *publishing.ChangeSet) error {
		made, err := components.Create(s.Context(), c.Tx(), s.pkg.ID, []components.NewComponent{{Type: problem, Code: code}})
		if err != nil {
			return err
		}
		ids, _, err := components.CreateVersions(s.Context(), c, []components.NewVersion{{Entity: made[0], Title: code, Files: files}})
		if err == nil {
			id, v = made[0], ids[0]
		}
		return err
	})
	return id, v
}

// edit makes the next version of a component.
func (s *story) edit(n components.NextVersion) (v publishing.VersionID) {
	s.Helper()
	s.change(func(c *publishing.ChangeSet) error {
		ids, _, err := components.NextVersions(s.Context(), c, []components.NextVersion{n})
		if err == nil {
			v = ids[0]
		}
		return err
	})
	return v
}

// container makes a container with a first version that lists children.
func (s *story) container(kind, code string, children ...containers.Child) (id publishing.EntityID, v publishing.VersionID) {
	s.Helper()
	s.change(func(c *publishing.ChangeSet) (err error) {
		id, v, err = newContainer(s.Context(), c, kind, code, children...)
		return err
	})
	return id, v
}

func newContainer(ctx context.Context, c *publishing.ChangeSet, kind, code string, children ...containers.Child) (publishing.EntityID, publishing.VersionID, error) {
	made, err := containers.Create(ctx, c.Tx(), c.Package(), []containers.NewContainer{{Type: kind, Code: code}})
	if err != nil {
		return 0, 0, err
	}
	ids, _, err := containers.CreateVersions(ctx, c, []containers.NewVersion{{Entity: made[0], Title: code, Children: children}})
	if err != nil {
		return 0, 0, err
	}
	return made[0], ids[0], nil
}

// next makes the next version of a container.
func (s *story) next(n containers.NextVersion) (v publishing.VersionID) {
	s.Helper()
	s.change(func(c *publishing.ChangeSet) error {
		ids, _, err := containers.NextVersions(s.Context(), c, []containers.NextVersion{n})
		if err == nil {
			v = ids[0]
		}
		return err
	})
	return v
}

// in lists the children of a container on a branch as "entity@version", with * for a pin.
func (s *story) in(container publishing.EntityID, published bool) string {
	s.Helper()
	list, err := containers.EntitiesIn(s.Context(), s.d, container, published)
	var out []string
	for _, e := range must(s, list, err) {
		pin := ""
		if e.Pinned {
			pin = "*"
		}
		out = append(out, fmt.Sprintf("%d@%d%s", e.Entity, e.Num, pin))
	}
	return strings.Join(out, " ")
}

// rows lists the rows of a container version as "entity" or "entity*version" for a pin.
func (s *story) rows(v publishing.VersionID) string {
	s.Helper()
	all, err := containers.Children(s.Context(), s.d, []publishing.VersionID{v})
	var out []string
	for _, c := range must(s, all, err)[v] {
		if c.Pin != 0 {
			out = append(out, fmt.Sprintf("%d*%d", c.Entity, c.Pin))
		} else {
			out = append(out, fmt.Sprint(c.Entity))
		}
	}
	return strings.Join(out, " ")
}

func kid(e publishing.EntityID) containers.Child { return containers.Child{Entity: e} }

func pin(e publishing.EntityID, v publishing.VersionID) containers.Child {
	return containers.Child{Entity: e, Pin: v}
}

func unpublished(s *story, e publishing.EntityID) bool {
	s.Helper()
	found, err := publishing.ContainsUnpublished(s.Context(), s.d, []publishing.EntityID{e})
	return must(s, found, err)[e]
}
