package course

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

// site is a database with files beside it, for one test.
type site struct {
	t     testing.TB
	ctx   context.Context
	db    *db.DB
	files media.Files
	key   keys.Course
}

func onEveryEngine(t *testing.T, fn func(t *testing.T, s *site)) {
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		fn(t, &site{t: t, ctx: t.Context(), db: d, files: media.NewDir(t.TempDir()), key: mustKey(t, "course-v1:Org+C1+R1")})
	})
}

func onSQLite(t *testing.T) *site {
	t.Helper()
	return &site{t: t, ctx: t.Context(), db: dbtest.Ready(t, db.SQLite, tables), files: media.NewDir(t.TempDir()), key: mustKey(t, "course-v1:Org+C1+R1")}
}

func mustKey(t testing.TB, s string) keys.Course {
	t.Helper()
	key, err := keys.ParseCourse(s)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// id reads "vertical/u1" as a block id.
func id(s string) courseware.BlockID {
	kind, name, _ := strings.Cut(s, "/")
	return courseware.BlockID{Type: kind, Name: name}
}

func ids(list ...string) []courseware.BlockID {
	out := make([]courseware.BlockID, len(list))
	for i, s := range list {
		out[i] = id(s)
	}
	return out
}

// build makes a course from lines such as "    problem/p1 text": the indent gives the parent, the text the content.
// Lines "about/x text" and "static/x text" are pages and files. The first line is the root's title.
func (s *site) build(outline string) *courseware.Course {
	s.t.Helper()
	c := &courseware.Course{Key: s.key, Root: RootID(s.key), Blocks: map[courseware.BlockID]*courseware.Block{}}
	var path []*courseware.Block
	for line := range strings.Lines(strings.TrimPrefix(outline, "\n")) {
		body := strings.TrimSpace(line)
		if body == "" {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, "\t"))) - 1
		name, text, _ := strings.Cut(body, " ")
		if file, ok := strings.CutPrefix(name, "static/"); ok {
			c.Assets = append(c.Assets, staticFile(file, text))
			continue
		}
		b := s.block(id(name), text)
		if len(c.Blocks) == 0 {
			b.ID = c.Root
		}
		c.Blocks[b.ID] = b
		if detachedTypes[b.ID.Type] {
			continue
		}
		path = append(path[:min(depth, len(path))], b)
		if depth > 0 {
			path[depth-1].Children = append(path[depth-1].Children, b.ID)
		}
	}
	return c
}

func (s *site) block(id courseware.BlockID, text string) *courseware.Block {
	s.t.Helper()
	src := fmt.Sprintf("<%s display_name=%q/>", id.Type, text)
	switch id.Type {
	case "problem":
		src = fmt.Sprintf("<problem display_name=%q><p>%s</p></problem>", id.Name, text)
	case courseware.TypeAbout:
		return &courseware.Block{ID: id, Data: courseware.Bytes([]byte(text))}
	}
	b, err := olx.ParseBlock([]byte(src), "test.xml")
	if err != nil {
		s.t.Fatalf("parse %s: %v", src, err)
	}
	b.ID = id
	return b
}

func staticFile(path, text string) *courseware.Asset {
	return &courseware.Asset{Path: path, EntryKey: assetKey(path), Size: int64(len(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(text))), nil }}
}

func (s *site) update(fn func(tx *db.Tx) error) error {
	return s.db.Update(s.ctx, fn)
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// bring imports states: the published tree, and the draft tree when it is given too.
func (s *site) bring(im Import, trees ...string) (*Report, error) {
	s.t.Helper()
	im.Key = s.key
	im.State.Published = s.build(trees[0])
	if len(trees) > 1 {
		im.State.Draft = s.build(trees[1])
	}
	var report *Report
	err := s.update(func(tx *db.Tx) (err error) {
		report, err = im.Run(s.ctx, tx, s.files)
		return err
	})
	return report, err
}

// do runs fn on the course in one transaction.
func (s *site) do(fn func(tx *db.Tx, c *Course) error) error {
	return s.update(func(tx *db.Tx) error {
		c, err := Find(s.ctx, tx, s.key)
		if err != nil {
			return err
		}
		return fn(tx, c)
	})
}

// at renders the course at a moment in the form that build reads.
func (s *site) at(moment string) string {
	s.t.Helper()
	var out strings.Builder
	err := s.db.View(s.ctx, func(tx *db.Tx) error {
		c, err := Find(s.ctx, tx, s.key)
		if err != nil {
			return err
		}
		m, err := c.Resolve(s.ctx, tx, moment)
		if err != nil {
			return err
		}
		t, err := c.snapshot(s.ctx, tx, m.state())
		if err != nil {
			return err
		}
		loaded, err := c.courseware(s.ctx, tx, s.files, t)
		if err != nil {
			return err
		}
		render(&out, loaded, loaded.Root, 1)
		tr := newTree("", 0)
		for b := range loaded.Walk() {
			tr.nodes[blockRef(b.ID)] = &node{}
		}
		for _, id := range detached(loaded, tr) {
			render(&out, loaded, id, 1)
		}
		for _, a := range loaded.Assets {
			r, err := a.Open()
			if err != nil {
				return err
			}
			text, err := io.ReadAll(r)
			r.Close()
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, "\tstatic/%s %s\n", a.Path, text)
		}
		return nil
	})
	s.must(err)
	return "\n" + out.String()
}

func render(out *strings.Builder, c *courseware.Course, id courseware.BlockID, depth int) {
	b := c.Blocks[id]
	if b == nil {
		return
	}
	text := b.Title()
	data, err := b.Data.Read()
	if err != nil {
		panic(err)
	}
	if id.Type == "problem" {
		text = strings.TrimSuffix(strings.TrimPrefix(string(data), "<p>"), "</p>")
	} else if id.Type == courseware.TypeAbout {
		text = string(data)
	}
	fmt.Fprintf(out, "%s%s %s\n", strings.Repeat("\t", depth), id, text)
	for _, child := range b.Children {
		render(out, c, child, depth+1)
	}
}

// version returns the number of a block's draft version, 0 when it has none.
func (s *site) version(block string) (num int) {
	s.t.Helper()
	s.must(s.do(func(tx *db.Tx, c *Course) error {
		m, err := c.Resolve(s.ctx, tx, "draft")
		if err != nil {
			return err
		}
		t, err := c.snapshot(s.ctx, tx, m.state())
		if err != nil {
			return err
		}
		if n := t.nodes[blockRef(id(block))]; n != nil {
			num = n.num
		}
		return nil
	}))
	return num
}

// rows counts the rows of every table.
func (s *site) rows() map[string]int {
	s.t.Helper()
	out := map[string]int{}
	for _, table := range schema.Tables() {
		n, _, err := db.One(s.ctx, s.db, "SELECT COUNT(*) FROM "+table.Name, nil,
			func(r *db.Row) (n int, err error) { return n, r.Scan(&n) })
		s.must(err)
		out[table.Name] = n
	}
	return out
}
