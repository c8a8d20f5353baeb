package migrator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error {
	if err := schema.Create(context.Background(), d); err != nil {
		return err
	}
	return schema.AddMigrator(context.Background(), d)
}

// shelf is a library in a database of its own.
type shelf struct {
	t     testing.TB
	db    *db.DB
	files media.Files
	pkg   publishing.Package
}

func onEveryEngine(t *testing.T, fn func(t *testing.T, s *shelf)) {
	t.Helper()
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) { fn(t, newShelf(t, d)) })
}

func onSQLite(t *testing.T) *shelf {
	t.Helper()
	return newShelf(t, dbtest.Ready(t, db.SQLite, tables))
}

func newShelf(t testing.TB, d *db.DB) *shelf {
	s := &shelf{t: t, db: d, files: media.NewDir(t.TempDir())}
	s.pkg = s.library("lib:Org:L")
	return s
}

func (s *shelf) library(ref string) (pkg publishing.Package) {
	s.t.Helper()
	s.update(func(tx *db.Tx) (err error) {
		pkg, err = publishing.CreatePackage(s.t.Context(), tx, publishing.NewPackage{Ref: ref, Title: ref})
		return err
	})
	return pkg
}

func (s *shelf) update(fn func(tx *db.Tx) error) {
	s.t.Helper()
	if err := s.db.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// try migrates a source, with a task of its own.
func (s *shelf) try(src *courseware.Course, o Options, change func(*Run)) (done *Done, err error) {
	s.t.Helper()
	if o.Repeat == "" {
		o.Repeat = Skip
	}
	r := &Run{Files: s.files, Package: s.pkg, Source: SourceOf(src, "v"), Options: o}
	if change != nil {
		change(r)
	}
	var task Task
	s.update(func(tx *db.Tx) (err error) {
		var ids []int64
		task, ids, err = Begin(s.t.Context(), tx, Request{UUID: uuid.New(), Target: r.Package.ID, Sources: []string{src.Key.String()}, Level: o.Level, Repeat: o.Repeat})
		if err == nil {
			r.Migration = ids[0]
		}
		return err
	})
	err = s.db.Update(s.t.Context(), func(tx *db.Tx) (err error) {
		done, err = r.Run(s.t.Context(), tx)
		return err
	})
	s.update(func(tx *db.Tx) error {
		if err != nil {
			return FailSource(s.t.Context(), tx, &task, r.Migration, "", err.Error())
		}
		return Succeed(s.t.Context(), tx, &task)
	})
	return done, err
}

func (s *shelf) migrate(src *courseware.Course, o Options, change func(*Run)) *Done {
	s.t.Helper()
	done, err := s.try(src, o, change)
	if err != nil {
		s.t.Fatal(err)
	}
	return done
}

// holds returns the drafts of the library as "ref vN title", with "!" behind what is not published so, sorted.
func (s *shelf) holds() []string {
	s.t.Helper()
	all, err := publishing.AllPointers(s.t.Context(), s.db, s.pkg.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	out := []string{}
	for _, p := range all {
		if !p.Draft.Live() {
			continue
		}
		line := fmt.Sprintf("%s v%d %s", strings.TrimPrefix(p.Ref, "xblock.v1:"), p.Draft.Num, p.Draft.Title)
		if p.Unpublished() {
			line += " !"
		}
		out = append(out, line)
	}
	sort.Strings(out)
	return out
}

func (s *shelf) entity(ref string) publishing.EntityID {
	s.t.Helper()
	e, err := publishing.EntityByRef(s.t.Context(), s.db, s.pkg.ID, ref)
	if err != nil {
		s.t.Fatal(err)
	}
	return e.ID
}

// remove deletes the draft of an entity.
func (s *shelf) remove(ref string) {
	s.t.Helper()
	id := s.entity(ref)
	s.update(func(tx *db.Tx) error {
		_, err := publishing.Change(s.t.Context(), tx, s.pkg.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			return cs.SetDrafts(s.t.Context(), []publishing.Pointer{{Entity: id}})
		})
		return err
	})
}

// rows returns the rows of the newest migration as "block → ref" or "block ✗ code".
func (s *shelf) rows() []string {
	s.t.Helper()
	list, err := Migrations(s.t.Context(), s.db, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	rows, err := Blocks(s.t.Context(), s.db, []int64{list[0].ID})
	if err != nil {
		s.t.Fatal(err)
	}
	out := []string{}
	for _, b := range rows {
		k, err := keys.ParseUsage(b.Key)
		if err != nil {
			s.t.Fatal(err)
		}
		line := k.Type() + "/" + k.ID()
		if b.Target != 0 {
			e, err := publishing.EntityByID(s.t.Context(), s.db, b.Target)
			if err != nil {
				s.t.Fatal(err)
			}
			line += " → " + strings.TrimPrefix(e.Ref, "xblock.v1:")
		}
		if b.Reason != nil {
			line += " ✗ " + b.Reason.Code
		}
		out = append(out, line)
	}
	return out
}

func (s *shelf) collections() (out []string) {
	s.t.Helper()
	all, err := collections.Collections(s.t.Context(), s.db, s.pkg.ID, collections.Enabled)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range all {
		members, err := collections.Entities(s.t.Context(), s.db, s.pkg.ID, c.Code)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %q %d", c.Code, c.Title, len(members)))
	}
	return out
}

// part is a block of a source for tests.
type part struct {
	id       courseware.BlockID
	title    string
	body     string
	children []part
}

// block returns a part from "type/name title".
func block(text string, children ...part) part {
	name, title, _ := strings.Cut(text, " ")
	kind, name, _ := strings.Cut(name, "/")
	return part{id: courseware.BlockID{Type: kind, Name: name}, title: title, body: "<p>" + name + "</p>", children: children}
}

func (p part) says(body string) part { p.body = body; return p }

// source makes a course, or for a library-v1 key a legacy library.
func source(t testing.TB, key string, parts ...part) *courseware.Course {
	t.Helper()
	k, err := keys.ParseCourse(key)
	if err != nil {
		t.Fatal(err)
	}
	root := courseware.BlockID{Type: "course", Name: "course"}
	if !k.IsCourse() {
		root = courseware.BlockID{Type: "library", Name: "library"}
	}
	c := &courseware.Course{Key: k, Root: root, Blocks: map[courseware.BlockID]*courseware.Block{}}
	add(c, part{id: root, title: "Source", children: parts})
	return c
}

func add(c *courseware.Course, p part) {
	b := &courseware.Block{ID: p.id, Container: len(p.children) > 0}
	if p.title != "" {
		b.Fields = courseware.Fields{{Name: "display_name", Value: courseware.Value(fmt.Sprintf("%q", p.title))}}
	}
	if p.id.Type == "html" || p.id.Type == "problem" {
		b.Data = courseware.Bytes([]byte(p.body))
	}
	for _, child := range p.children {
		b.Children = append(b.Children, child.id)
		add(c, child)
	}
	c.Blocks[p.id] = b
}

// asset adds a static file to a source.
func asset(c *courseware.Course, path, content string) {
	data := []byte(content)
	c.Assets = append(c.Assets, &courseware.Asset{Path: path, Size: int64(len(data)), Digest: media.DigestBytes(data),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }})
}
