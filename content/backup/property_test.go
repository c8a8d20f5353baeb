package backup

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
)

// TestGoldenEngines restores the archives of today's release on every engine: rows as in the sidecars, and archives with
// the same bytes as on SQLite.
func TestGoldenEngines(t *testing.T) {
	t.Parallel()
	first := map[string][]byte{} // of SQLite, which is the first engine
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			s := newStand(t, e)
			for _, shape := range []string{"tiny", "names", "media", "states", "nesting"} {
				path := golden.Path(t, "backup/"+shape+"--1.15.2.zip")
				b, err := os.ReadFile(strings.TrimSuffix(path, ".zip") + ".json")
				if err != nil {
					t.Fatal(err)
				}
				var want sidecar
				if err := json.Unmarshal(b, &want); err != nil {
					t.Fatal(err)
				}
				_, restored := s.mustRestore(path, "lib:Golden:"+shape, ReadOptions{})
				compare(t, want.state, s.state(restored.Package))
				content, _ := s.backup("lib:Golden:"+shape, WriteOptions{})
				if e == db.SQLite {
					first[shape] = content
				} else if string(content) != string(first[shape]) {
					t.Errorf("%s: the archive is not the one that SQLite gives", shape)
				}
			}
			testRandom(t, s, 3)
		})
	}
}

// TestRandomPackages backs up packages made at random and restores them: the same live content has to come back, and
// from it the same archive.
func TestRandomPackages(t *testing.T) {
	t.Parallel()
	for part := range uint64(4) {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			testRandom(t, newStand(t, db.SQLite), 4*part, 4*part+1, 4*part+2, 4*part+3)
		})
	}
}

func testRandom(t *testing.T, s *stand, seeds ...uint64) {
	t.Helper()
	for _, seed := range seeds {
		m := &maker{stand: s, r: rand.New(rand.NewPCG(seed, 1)), stock: seed%2 == 0}
		pkg := m.make(fmt.Sprintf("lib:Random:%d", seed))
		content, sum := s.backup(pkg.Ref, WriteOptions{})
		if m.stock && sum.Lectern && !m.pins {
			t.Errorf("seed %d: only Lectern can restore it", seed)
		}
		p, restored := s.mustRestore(put(t, "x.zip", content), pkg.Ref+":again", ReadOptions{Strict: true})
		if len(p.Renamed) > 0 {
			t.Errorf("seed %d: renamed %v", seed, p.Renamed)
		}
		if diff := cmp.Diff(model(s, pkg), model(s, restored.Package)); diff != "" {
			t.Errorf("seed %d (-before +after):\n%s", seed, diff)
		}
		again, _ := s.backup(restored.Package.Ref, WriteOptions{})
		sameEntries(t, content, again)
	}
}

// model is the live content of a package and its enabled collections. Whether a draft that is not there was ever is
// history, which no backup holds.
func model(s *stand, pkg publishing.Package) map[string]any {
	out := structure(s, pkg)
	for ref, v := range out {
		list := v.([]any)
		for _, i := range []int{5, 6} {
			if list[i] == "absent" {
				list[i] = nil
			}
		}
		out[ref] = list
	}
	for _, c := range s.state(pkg).Collections {
		if c["enabled"].(bool) {
			members := []any{}
			for _, m := range c["members"].([][]any) {
				members = append(members, m[0])
			}
			out["collection "+c["code"].(string)] = []any{c["title"], c["description"], members}
		}
	}
	return out
}

// maker makes a package at random.
type maker struct {
	*stand
	r     *rand.Rand
	stock bool // only what the format can hold
	pins  bool // but some child is pinned

	pkg    publishing.Package
	leaves []publishing.EntityID
	levels [4][]publishing.EntityID // units, subsections, sections, others
}

func (m *maker) make(ref string) publishing.Package {
	ctx := m.t.Context()
	m.update(func(tx *db.Tx) (err error) {
		m.pkg, err = publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: ref, Title: "Random", Description: "a\nb"})
		if err != nil {
			return err
		}
		return m.entities(tx)
	})
	for range 6 {
		m.update(func(tx *db.Tx) error {
			if _, err := publishing.Change(ctx, tx, m.pkg.ID, publishing.Meta{}, m.change); err != nil {
				return err
			}
			if m.r.IntN(2) == 0 {
				_, err := publishing.PublishAll(ctx, tx, m.pkg.ID, publishing.PublishMeta{})
				return err
			}
			return nil
		})
	}
	m.update(m.sets)
	return m.pkg
}

func (m *maker) entities(tx *db.Tx) error {
	ctx := m.t.Context()
	types := []components.Type{{Namespace: "xblock.v1", Name: "html"}, {Namespace: "xblock.v1", Name: "problem"}}
	codes := []string{"Intro", "intro", "a.b", "ab", "-", "Ä", "日本", "x_1"}
	var leaves []components.NewComponent
	for _, typ := range types {
		for _, code := range codes {
			n := components.NewComponent{Type: typ, Code: code, Dependent: m.r.IntN(3) == 0}
			if !m.stock && m.r.IntN(3) == 0 {
				n.Ref = "odd ref/" + typ.Name + "/" + code
			}
			leaves = append(leaves, n)
		}
	}
	var err error
	if m.leaves, err = components.Create(ctx, tx, m.pkg.ID, leaves); err != nil {
		return err
	}
	for i, kind := range []string{containers.Unit, containers.Subsection, containers.Section, containers.Prefix + "chapter"} {
		if kind == containers.Prefix+"chapter" && m.stock {
			continue
		}
		var list []containers.NewContainer
		for k := range 3 {
			list = append(list, containers.NewContainer{Type: kind, Code: fmt.Sprintf("%s-%d", kind, k)})
		}
		if m.levels[i], err = containers.Create(ctx, tx, m.pkg.ID, list); err != nil {
			return err
		}
	}
	return nil
}

// change makes some versions, and deletes some drafts.
func (m *maker) change(cs *publishing.ChangeSet) error {
	ctx := m.t.Context()
	for _, e := range m.leaves {
		switch m.r.IntN(6) {
		case 0, 1:
			files, err := m.files(cs)
			if err != nil {
				return err
			}
			title := fmt.Sprintf("T%d \"quoted\" \\ \x01 ü", m.r.IntN(100))
			if _, _, err := components.NextVersions(ctx, cs, []components.NextVersion{{Entity: e, Title: &title, Files: files, Fresh: m.r.IntN(2) == 0}}); err != nil {
				return err
			}
		case 2:
			if err := cs.SetDrafts(ctx, []publishing.Pointer{{Entity: e}}); err != nil {
				return err
			}
		}
	}
	for i, list := range m.levels {
		below := m.leaves
		if i > 0 && i < 3 {
			below = m.levels[i-1]
		}
		for _, e := range list {
			if m.r.IntN(2) == 0 {
				continue
			}
			if err := m.container(cs, e, below, i == 3); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *maker) container(cs *publishing.ChangeSet, e publishing.EntityID, below []publishing.EntityID, settings bool) error {
	ctx, title := m.t.Context(), fmt.Sprintf("C%d", m.r.IntN(100))
	n := containers.NextVersion{Entity: e, Title: &title, Action: containers.Replace}
	for range m.r.IntN(4) {
		c := containers.Child{Entity: below[m.r.IntN(len(below))]}
		if m.r.IntN(8) == 0 {
			all, err := publishing.VersionsOf(ctx, cs.Tx(), c.Entity)
			if err != nil {
				return err
			}
			if len(all) > 0 {
				c.Pin = all[m.r.IntN(len(all))].ID
				m.pins = true
			}
		}
		n.Children = append(n.Children, c)
	}
	if settings {
		var err error
		if n.Files, err = m.files(cs); err != nil {
			return err
		}
	}
	_, _, err := containers.NextVersions(ctx, cs, []containers.NextVersion{n})
	return err
}

// files makes some files: OLX as text, others as files, or where the format need not hold it in any way.
func (m *maker) files(cs *publishing.ChangeSet) ([]components.File, error) {
	text := fmt.Sprintf("<x n=\"%d\"/>", m.r.IntN(5))
	paths := []string{"block.xml"}
	list := []media.New{{Type: "application/vnd.openedx.xblock.v1.html+xml", Text: &text}}
	if m.stock {
		paths = nil
		list = nil
	}
	for _, path := range []string{"static/z.png", "static/deep/er/x.tar.gz", "static/a.txt", "notes.toml"} {
		if m.r.IntN(2) == 0 {
			continue
		}
		n := media.New{Type: media.TypeByExtension(path), Bytes: []byte(strings.Repeat("f", m.r.IntN(4)))}
		if !m.stock && m.r.IntN(2) == 0 {
			n = media.New{Type: "text/x-odd", Text: &text, File: m.r.IntN(2) == 0}
		}
		paths, list = append(paths, path), append(list, n)
	}
	m.r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j], list[i], list[j] = paths[j], paths[i], list[j], list[i] })
	made, err := media.GetOrCreate(m.t.Context(), cs.Tx(), m.Files, m.pkg, list, media.Options{})
	if err != nil {
		return nil, err
	}
	files := make([]components.File, len(made))
	for i := range made {
		files[i] = components.File{Path: paths[i], Media: made[i].ID}
	}
	return files, nil
}

func (m *maker) sets(tx *db.Tx) error {
	ctx := m.t.Context()
	var list []collections.New
	for _, code := range []string{"Intro", "set", "off", "none"} {
		list = append(list, collections.New{Code: code, Title: "Set " + code, Disabled: code == "off"})
	}
	made, err := collections.Create(ctx, tx, m.pkg.ID, list)
	if err != nil {
		return err
	}
	var members []collections.Members
	for i := range 2 {
		one := collections.Members{Collection: made[i].Collection.ID}
		for _, e := range append(m.leaves, m.levels[0]...) {
			if m.r.IntN(3) == 0 {
				one.Entities = append(one.Entities, e)
			}
		}
		members = append(members, one)
	}
	_, err = collections.Add(ctx, tx, m.pkg.ID, members, m.bob)
	return err
}
