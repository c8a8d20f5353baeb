package migrator

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
)

func contains(text, words string) bool { return strings.Contains(text, words) }

// TestIDs: I2, I4, I8a, I9 and W6.
func TestIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		id, title, want string
		o               Options
	}{
		{"abc", "Intro to  Physics!", "intro-to-physics", Options{}},
		{"abc", "Введение", "введение", Options{}},
		{"abc", "Été", "ete", Options{ASCII: true}},
		{"abc", "???", "abc", Options{}},
		{"a b", "???", "a-b", Options{}},
		{"???", "", "html", Options{}},
		{"Abc.1", "Intro", "Abc.1", Options{KeepSlugs: true}},
		{"a:b c", "Intro", "ab-c", Options{KeepSlugs: true}},
		{"abc", strings.Repeat("x", 400), strings.Repeat("x", 250), Options{}},
	} {
		if got := c.o.base("html", c.id, c.title); got != c.want {
			t.Errorf("base(%q, %q) = %q, want %q", c.id, c.title, got, c.want)
		}
	}
	taken := codes{}
	taken.add("", "t")
	for i := range suffixes {
		if got, err := taken.take("", "t"); err != nil || got != fmt.Sprintf("t_%d", i+1) {
			t.Fatalf("take %d = %q, %v", i, got, err)
		}
	}
	if got, err := taken.take("", "t"); err == nil {
		t.Errorf("a further one is %q, want none", got)
	}
}

// TestFiles: F1 to F4.
func TestFiles(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	src := source(t, "course-v1:Org+C+R",
		block("html/a A").says(`<img src="/static/a.png"><img src="/static/x_b.png"><img src="/static/y_b.png">`),
		block("html/b B").says(`a word of it, <a href="/static/gone.pdf">gone</a>`))
	asset(src, "a.png", "A")
	asset(src, "x/b.png", "XB")
	asset(src, "y/b.png", "YB")
	s.migrate(src, Options{}, nil)
	want(t, "rows", s.rows(), []string{"html/a → html:a", "html/b → html:b ✗ missing_file"})
	files := func(ref string) (paths []string, text string) {
		t.Helper()
		v, err := publishing.DraftVersion(t.Context(), s.db, s.entity(ref))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := components.Files(t.Context(), s.db, []publishing.VersionID{v.ID}, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range rows {
			paths = append(paths, f.Path)
			if f.Path == "block.xml" {
				text = f.Media.Text
			}
		}
		return paths, text
	}
	paths, text := files("xblock.v1:html:a")
	want(t, "files", paths, []string{"block.xml", "static/a.png", "static/b.png", "static/b_1.png"})
	for _, link := range []string{`"/static/a.png"`, `"/static/b.png"`, `"/static/b_1.png"`} {
		if !contains(text, link) {
			t.Errorf("the OLX lacks %s: %s", link, text)
		}
	}
	if contains(text, "url_name") {
		t.Errorf("the OLX has a name: %s", text) // W11
	}
	paths, _ = files("xblock.v1:html:b")
	want(t, "files of the other", paths, []string{"block.xml"})
	d := s.migrate(src, Options{Repeat: Update}, nil)
	if d.ChangeLog != 0 {
		t.Error("equal content made versions") // R3
	}
}

// TestPendingDrafts: W7. What somebody has not finished stays so, also below a container that is new.
func TestPendingDrafts(t *testing.T) {
	t.Parallel()
	onEveryEngine(t, func(t *testing.T, s *shelf) {
		s.migrate(chain(t), Options{}, nil)
		s.update(func(tx *db.Tx) error {
			m, err := media.GetOrCreate(t.Context(), tx, s.files, s.pkg, []media.New{{Type: "text/xml", Text: new(string)}}, media.Options{})
			if err != nil {
				return err
			}
			_, err = publishing.Change(t.Context(), tx, s.pkg.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
				_, _, err := components.CreateVersions(t.Context(), cs, []components.NewVersion{{Entity: s.entityIn(tx, "xblock.v1:problem:first"),
					Title: "Edited", Files: []components.File{{Path: "block.xml", Media: m[0].ID}}}})
				return err
			})
			return err
		})
		s.migrate(chain(t), Options{Level: Section}, nil)
		want(t, "library", s.holds(), []string{"one v1 One", "one_1 v1 One", "one_2 v1 One", "problem:first v2 Edited !", "problem:second v1 Second"})
		s.migrate(chain(t), Options{Level: Section, Repeat: Update}, nil) // R4
		want(t, "after update", s.holds(), []string{"one v1 One", "one_1 v1 One", "one_2 v1 One", "problem:first v3 First", "problem:second v1 Second"})
	})
}

func (s *shelf) entityIn(tx *db.Tx, ref string) publishing.EntityID {
	s.t.Helper()
	e, err := publishing.EntityByRef(s.t.Context(), tx, s.pkg.ID, ref)
	if err != nil {
		s.t.Fatal(err)
	}
	return e.ID
}

// random makes a source of some blocks of few titles, so that ids meet.
func random(t testing.TB, r *rand.Rand, key string) *courseware.Course {
	n := 0
	var make func(depth int) part
	make = func(depth int) part {
		n++
		kind := [...]string{"chapter", "sequential", "vertical"}[min(depth, 2)]
		if depth > 2 {
			kind = [...]string{"html", "problem", "video", "nonesuch"}[r.IntN(4)]
		}
		p := block(fmt.Sprintf("%s/b%d Title %d", kind, r.IntN(3)*100+n, r.IntN(3))).says(fmt.Sprint(r.IntN(5)))
		if depth <= 2 {
			for range r.IntN(3) {
				p.children = append(p.children, make(depth+1))
			}
		}
		return p
	}
	var parts []part
	for range 1 + r.IntN(3) {
		parts = append(parts, make(0))
	}
	return source(t, key, parts...)
}

// TestRandom runs random migrations against what a plain reading of migrator.md §5 and §6 says: Z1 to Z4, I7, I8, R1 to R9, X7.
func TestRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s := onSQLite(t)
			r := rand.New(rand.NewPCG(seed, 8)) //nolint:gosec // a test that can be run again
			mapped := map[string]publishing.EntityID{}
			for range 5 {
				src := random(t, r, "course-v1:Org+C+R")
				o := Options{Level: Level(r.IntN(4)), Repeat: []Strategy{Skip, Update, Fork}[r.IntN(3)]}
				before, _ := publishing.AllPointers(t.Context(), s.db, s.pkg.ID)
				was := s.holds()
				d := s.migrate(src, o, nil)
				s.check(t, d, o, mapped, before)
				if d.ChangeLog == 0 || r.IntN(2) == 0 {
					continue
				}
				// Z4: undoing the change log brings back every draft; what was made is deleted.
				previous, err := publishing.LogHeads(t.Context(), s.db, s.pkg.ID, false, 0)
				if err != nil {
					t.Fatal(err)
				}
				last := int64(0)
				if n := len(previous); n > 1 {
					last = previous[n-2].ID
				}
				s.update(func(tx *db.Tx) error {
					_, err := publishing.Change(t.Context(), tx, s.pkg.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
						return cs.Restore(t.Context(), publishing.AfterChange(last), nil)
					})
					return err
				})
				want(t, "after undo", plain(s.holds()), plain(was))
			}
		})
	}
}

func plain(list []string) []string {
	out := []string{}
	for _, l := range list {
		out = append(out, strings.TrimSuffix(l, " !"))
	}
	return out
}

// check holds what a migration did against the laws, and notes what it mapped.
func (s *shelf) check(t *testing.T, d *Done, o Options, mapped map[string]publishing.EntityID, before []publishing.Pointers) {
	t.Helper()
	was := map[publishing.EntityID]publishing.Pointers{}
	for _, p := range before {
		was[p.Entity] = p
	}
	now := map[publishing.EntityID]publishing.Pointers{}
	all, err := publishing.AllPointers(t.Context(), s.db, s.pkg.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		now[p.Entity] = p
	}
	touched := map[publishing.EntityID]bool{}
	for _, st := range d.Plan.Steps {
		if st.Action == Refuse {
			if st.entity != 0 || st.Block.Type != "nonesuch" {
				t.Errorf("%s was refused", st.Key)
			}
			continue
		}
		if now[st.entity].Entity == 0 {
			t.Errorf("%s has the target %d outside of the library", st.Key, st.entity)
		}
		old, there := mapped[st.Key]
		var wanted Action
		switch p := was[old]; {
		case !there || o.Repeat == Fork:
			wanted = Create
		case !p.Draft.Live():
			wanted = Restore
		case o.Repeat == Skip:
			wanted = Leave
		}
		if wanted != "" && st.Action != wanted || wanted == "" && st.Action != Change && st.Action != Same {
			t.Errorf("%s: %s, want %s", st.Key, st.Action, wanted)
		}
		if there && o.Repeat != Fork && old != st.entity {
			t.Errorf("%s became another entity", st.Key)
		}
		touched[st.entity] = st.writes()
		if st.Action != Leave {
			mapped[st.Key] = st.entity
		}
	}
	for id, p := range now {
		switch {
		case !touched[id] && p.Draft.Version != was[id].Draft.Version:
			t.Errorf("%s was changed and is no part of it", p.Ref) // Z3
		case touched[id] && (p.Draft.Num != was[id].Draft.Num+1 && was[id].Draft.Live() || p.Unpublished()):
			t.Errorf("%s is at %d of %d, published: %v", p.Ref, p.Draft.Num, was[id].Draft.Num, !p.Unpublished())
		}
	}
	if d.ChangeLog == 0 {
		return
	}
	records, err := publishing.Records(t.Context(), s.db, false, []int64{d.ChangeLog})
	if err != nil {
		t.Fatal(err)
	}
	direct := 0
	for _, r := range records {
		if r.Old != r.New {
			direct++
		}
	}
	list, err := Migrations(t.Context(), s.db, s.pkg.ID)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := Blocks(t.Context(), s.db, []int64{list[0].ID})
	if err != nil {
		t.Fatal(err)
	}
	with := 0
	for _, b := range rows {
		if b.Record != 0 {
			with++
		}
	}
	if with != direct {
		t.Errorf("%d rows have a record, and %d entities were changed", with, direct) // Z2
	}
}

// TestLarge: Z5. Memory stays within a bound.
func TestLarge(t *testing.T) {
	t.Parallel()
	n := 4_000
	if os.Getenv("LECTERN_TEST_ALL") != "" {
		n = 20_000
	}
	s := onSQLite(t)
	c := source(t, "course-v1:Org+C+R")
	spool := new(courseware.Spool)
	root := c.Blocks[c.Root]
	for i := range n {
		id := courseware.BlockID{Type: "html", Name: fmt.Sprintf("b%d", i)}
		body, err := spool.Keep([]byte(strings.Repeat(fmt.Sprintf("<p>%d</p>", i), 200)))
		if err != nil {
			t.Fatal(err)
		}
		root.Children = append(root.Children, id)
		c.Blocks[id] = &courseware.Block{ID: id, Data: body}
	}
	runtime.GC()
	var m runtime.MemStats
	d := s.migrate(c, Options{Limit: -1}, nil)
	runtime.ReadMemStats(&m)
	if got := len(d.Plan.Steps); got != n {
		t.Errorf("%d steps, want %d", got, n)
	}
	if m.HeapAlloc > 512<<20 {
		t.Errorf("%d MB are in use", m.HeapAlloc>>20)
	}
}
