package split

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
)

func source(t testing.TB, name string) modulestore.Source {
	t.Helper()
	src, err := dump.Open(golden.Path(t, "modulestore/"+name), "")
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func read(t testing.TB, src modulestore.Source, versions []modulestore.ID) *Store {
	t.Helper()
	s, err := Read(t.Context(), src, versions, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// sources returns the dumps of the sets with structures and a further file, and their archives where they are.
func sources(t *testing.T, file string) (names []string) {
	t.Helper()
	for _, set := range expected.Sets(t, "dump/edxapp/"+modulestore.CollectionStructures+".bson.gz") {
		if !expected.Has(t, set, file) {
			continue
		}
		names = append(names, set+"/dump")
		if expected.Has(t, set, "archive.gz") {
			names = append(names, set+"/archive.gz")
		}
	}
	return names
}

func TestGoldenBlocks(t *testing.T) {
	t.Parallel()
	for _, name := range sources(t, "expected.json.gz") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, _, _ := strings.Cut(name, "/")
			want := expected.Read(t, set)
			src := source(t, name)
			indexes, problems, err := Indexes(t.Context(), src, nil)
			if err != nil || len(problems) > 0 || len(indexes) != len(want.Courses)+len(want.Libraries) {
				t.Fatalf("%d indexes, %v, %v", len(indexes), problems, err)
			}
			var heads []modulestore.ID
			byName := map[string]*Index{}
			for i := range indexes {
				byName[indexes[i].Name] = &indexes[i]
				for _, h := range indexes[i].Heads() {
					heads = append(heads, h.ID)
				}
			}
			s := read(t, src, heads)
			for _, w := range append(want.Courses, want.Libraries...) {
				x := byName[w.CourseKey]
				if x == nil || x.IsLibrary() != strings.HasPrefix(w.CourseKey, "library-v1:") {
					t.Fatalf("no index of %s: %+v", w.CourseKey, x)
				}
				if len(w.Branches) != len(x.Heads()) {
					t.Errorf("%s: %d branches, want %d", x.Name, len(x.Heads()), len(w.Branches))
				}
				compareChanges(t, s, x, w)
				for _, h := range x.Heads() {
					compareBranch(t, s, x, h, w.Branches[strings.TrimSuffix(h.Branch, "-branch")])
				}
			}
		})
	}
}

func compareBranch(t *testing.T, s *Store, x *Index, h Head, want expected.Branch) {
	t.Helper()
	b, err := s.Load(x.Key, h.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(b.Structure.Problems(), b.Content.Problems()...) {
		if p.Rule != modulestore.Unlisted && p.Rule != modulestore.UnknownType && p.Rule != modulestore.SplitDangling {
			t.Errorf("%s, %s: %s (%s): %s", x.Name, h.Branch, p.Rule, p.Rule.Text(), p.First)
		}
	}
	want.Compare(t, b.Branch, expected.Rules{Orphans: b.Orphans(), Key: func(id courseware.BlockID) string {
		k, err := x.Key.Usage(id.Type, id.Name)
		if err != nil {
			t.Fatal(err)
		}
		return k.String()
	}})
	for _, w := range want.Blocks {
		block := b.Block(courseware.BlockID{Type: w.Type, Name: w.ID})
		if block == nil {
			continue
		}
		e := block.Edit
		got := []string{e.Definition.String(), e.Version.String(), e.Previous.String(), e.Original, e.OriginalVersion.String()}
		var ids []string
		for _, p := range []*string{w.Definition, w.UpdateVersion, w.PreviousVersion, w.OriginalUsage, w.OriginalUsageVersion} {
			if p == nil {
				p = new(string)
			}
			ids = append(ids, *p)
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("%s: definition and versions (-want +got)\n%s", w.UsageKey, diff)
		}
		if len(block.Asides) != len(w.Asides) {
			t.Errorf("%s: %d asides, want %d: %s", w.UsageKey, len(block.Asides), len(w.Asides), w.Asides)
		}
	}
}

// compareChanges compares which blocks have changes that are not published, by L-50.
func compareChanges(t *testing.T, s *Store, x *Index, w expected.Course) {
	t.Helper()
	if x.IsLibrary() {
		return
	}
	draft, err := s.Load(x.Key, x.Draft)
	if err != nil {
		t.Fatal(err)
	}
	published, err := s.Load(x.Key, x.Published)
	if err != nil {
		t.Fatal(err)
	}
	var changed func(id courseware.BlockID) bool
	changed = func(id courseware.BlockID) bool {
		d, p := draft.Block(id), published.Block(id)
		return d == nil || p == nil || d.Edit.Token() != p.Edit.Token() || slices.ContainsFunc(d.Children, changed)
	}
	for _, b := range w.Branches["draft"].Blocks {
		if got := changed(courseware.BlockID{Type: b.Type, Name: b.ID}); got != b.HasChanges {
			t.Errorf("%s: changed is %v", b.UsageKey, got)
		}
	}
}

// TestGoldenJournal loads every head that a journal names, and checks the last ones and the numbers of documents.
func TestGoldenJournal(t *testing.T) {
	t.Parallel()
	for _, set := range expected.Sets(t, "journal.json") {
		if !expected.Has(t, set, "dump/edxapp/"+modulestore.CollectionStructures+".bson.gz") {
			continue
		}
		var steps []struct {
			Course, Library         string
			Heads                   map[string]string
			Structures, Definitions int
		}
		if err := json.Unmarshal(golden.Read(t, "modulestore/"+set+"/journal.json"), &steps); err != nil {
			t.Fatal(err)
		}
		heads := map[modulestore.ID]keys.Course{}
		last := map[string]map[string]string{}
		var structures, definitions int
		for _, step := range steps {
			structures, definitions = max(structures, step.Structures), max(definitions, step.Definitions)
			if step.Course == "" {
				continue
			}
			key, err := keys.ParseCourse(step.Course)
			if err != nil {
				t.Fatal(err)
			}
			last[step.Course] = step.Heads
			for _, text := range step.Heads {
				id, err := keys.ParseVersion(text)
				if err != nil {
					t.Fatal(err)
				}
				heads[modulestore.ID(id)] = key
			}
		}
		src := source(t, set+"/dump")
		n := map[string]int{}
		err := src.Scan(t.Context(), modulestore.Pass{
			Want: func(c string) bool {
				return c == modulestore.CollectionStructures || c == modulestore.CollectionDefinitions
			},
			Doc: func(c string, _ bson.Doc) error { n[c]++; return nil },
		})
		if err != nil || n[modulestore.CollectionStructures] != structures || n[modulestore.CollectionDefinitions] != definitions {
			t.Errorf("%s: %v, want %d structures and %d definitions (%v)", set, n, structures, definitions, err)
		}
		var ids []modulestore.ID
		for id := range heads {
			ids = append(ids, id)
		}
		s := read(t, src, ids)
		for id, key := range heads {
			b, err := s.Load(key, id)
			if err != nil || b.Len() == 0 || b.Content.Count(modulestore.MissingDefinition) > 0 {
				t.Errorf("%s: %s at %s: %+v, %v", set, key, id, b, err)
			}
		}
		indexes, _, err := Indexes(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range indexes {
			for _, h := range x.Heads() {
				if want := last[x.Name][h.Branch]; want != "" && want != h.ID.String() {
					t.Errorf("%s: %s is at %s, the journal says %s", x.Name, h.Branch, h.ID, want)
				}
			}
		}
		t.Logf("%s: %d heads", set, len(heads))
	}
}

// TestGoldenCensus compares counts with what the real store and the real pruning tool know.
func TestGoldenCensus(t *testing.T) {
	t.Parallel()
	for _, name := range sources(t, "prune/graph.json") {
		set, _, _ := strings.Cut(name, "/")
		want := expected.Read(t, set)
		src := source(t, name)
		shapes, loose := take(t, src, nil)
		graph := readGraph(t, set)
		reached := map[string]bool{}
		for _, w := range append(want.Courses, want.Libraries...) {
			i := slices.IndexFunc(shapes, func(s *Shape) bool { return s.Index.Name == w.CourseKey })
			if i < 0 {
				t.Fatalf("%s: no %s", name, w.CourseKey)
			}
			s := shapes[i]
			blocks := len(w.Branches["draft"].Blocks) + len(w.Branches["library"].Blocks)
			versions := map[string]bool{}
			for _, h := range s.Index.Heads() {
				for id := h.ID.String(); id != ""; id = graph[id] {
					versions[id], reached[id] = true, true
				}
			}
			drafts := 0
			for _, b := range w.Branches["draft"].Blocks {
				if b.HasChanges && len(b.Children) == 0 {
					drafts++
				}
			}
			if s.Blocks != blocks || s.Versions != len(versions) || s.Drafts < drafts || s.Bytes == 0 || s.LastEdit.IsZero() {
				t.Errorf("%s: %+v, want %d blocks, %d versions, at least %d drafts", name, s, blocks, len(versions), drafts)
			}
		}
		if loose.Structures != len(graph)-len(reached) || loose.Bytes == 0 {
			t.Errorf("%s: %+v, want %d of %d", name, loose, len(graph)-len(reached), len(graph))
		}
	}
}

// readGraph reads the predecessors of all structures, "" for those without.
func readGraph(t *testing.T, set string) map[string]string {
	t.Helper()
	var graph struct{ Structures [][3]*string }
	if err := json.Unmarshal(golden.Read(t, "modulestore/"+set+"/prune/graph.json"), &graph); err != nil {
		t.Fatal(err)
	}
	previous := map[string]string{}
	for _, s := range graph.Structures {
		if s[2] == nil {
			s[2] = new(string)
		}
		previous[*s[0]] = *s[2]
	}
	return previous
}

// take makes a census of a source.
func take(t testing.TB, src modulestore.Source, mirror []Index) ([]*Shape, Loose) {
	t.Helper()
	c := NewCensus(mirror)
	err := src.Scan(t.Context(), modulestore.Pass{
		Want: func(c string) bool {
			return c == modulestore.CollectionIndexes || c == modulestore.CollectionStructures
		},
		Doc: func(name string, d bson.Doc) error {
			if name == modulestore.CollectionIndexes {
				c.AddIndex(d)
			} else {
				c.AddStructure(d)
			}
			return nil
		},
		Done: func(name string) {
			if name == modulestore.CollectionIndexes {
				c.IndexesDone()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	shapes, loose, err := c.Courses(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return shapes, loose
}

// TestGoldenMirror reads the SQL index and finds every head that is another one in MongoDB.
func TestGoldenMirror(t *testing.T) {
	t.Parallel()
	for _, path := range golden.Glob(t, "modulestore/*/courseindex_sql*.csv") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mirror, err := ReadMirror(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		src := source(t, filepath.Base(filepath.Dir(path))+"/dump")
		mongo, _, err := Indexes(t.Context(), src, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, problems := Merge(mongo, mirror)
		shapes, _ := take(t, src, mirror)
		if len(all) != len(mirror) || len(shapes) != len(mirror) {
			t.Fatalf("%d rows, want %d", len(all), len(mirror))
		}
		differ := 0
		for i, x := range all {
			at := slices.IndexFunc(mongo, func(o Index) bool { return o.Name == x.Name })
			if at < 0 {
				continue
			}
			old := mongo[at]
			if x.ID != old.ID || x.Key != old.Key || *x.EditedBy != *old.EditedBy || x.WikiSlug != old.WikiSlug || !x.EditedOn.Equal(old.EditedOn) || i > 0 && all[i-1].Name >= x.Name {
				t.Errorf("the mirror says %+v, MongoDB %+v", x, old)
			}
			other := x.Draft != old.Draft || x.Published != old.Published || x.Library != old.Library
			if other {
				differ++
			}
			if (problems[x.Name] != nil) != other || (shapes[i].Problems.Count(modulestore.IndexesDiffer) == 1) != other || shapes[i].Index.Draft != x.Draft {
				t.Errorf("%s: heads differ: %v; problems %v, %+v", x.Name, other, problems[x.Name], shapes[i])
			}
		}
		if differ == 0 {
			t.Errorf("%s: nothing differs", path)
		}
	}
}
