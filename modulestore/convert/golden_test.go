package convert_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
	"github.com/openlectern/lectern/modulestore/oldmongo"
	"github.com/openlectern/lectern/modulestore/split"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
)

// sources reads every course and library of a golden set.
func sources(tb testing.TB, set string) (all []convert.Source) {
	tb.Helper()
	open := func() modulestore.Source {
		src, err := dump.Open(golden.Path(tb, "modulestore/"+set+"/dump"), "")
		if err != nil {
			tb.Fatal(err)
		}
		return src
	}
	check := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	if expected.Has(tb, set, "dump/edxapp/modulestore.bson.gz") {
		s, err := oldmongo.Read(tb.Context(), open(), nil, nil)
		check(err)
		defer s.Close()
		for _, shape := range s.Courses() {
			c, err := s.Load(shape)
			check(err)
			all = append(all, convert.Source{
				Name: shape.Key(), Old: shape.Of, Run: shape.Run, Draft: c.Draft, Published: c.Published, Problems: shape.Problems,
			})
		}
	}
	if !expected.Has(tb, set, "dump/edxapp/modulestore.active_versions.bson.gz") {
		return all
	}
	rows, _, err := split.Indexes(tb.Context(), open(), nil)
	check(err)
	var ids []modulestore.ID
	for _, row := range rows {
		for _, id := range [...]modulestore.ID{row.Draft, row.Published, row.Library} {
			if !id.IsZero() {
				ids = append(ids, id)
			}
		}
	}
	s, err := split.Read(tb.Context(), open(), ids, nil)
	check(err)
	defer s.Close()
	for _, row := range rows {
		src := convert.Source{Name: row.Key.String(), Key: row.Key}
		load := func(id modulestore.ID) *modulestore.Branch {
			if id.IsZero() {
				return nil
			}
			l, err := s.Load(row.Key, id)
			check(err)
			src.Problems.Merge(l.Structure)
			src.Problems.Merge(l.Content)
			return l.Branch
		}
		if src.Draft = load(row.Library); src.Draft != nil {
			src.Published = src.Draft
		} else if src.Draft, src.Published = load(row.Draft), load(row.Published); row.Draft == row.Published {
			src.Published = src.Draft
		}
		all = append(all, src)
	}
	return all
}

func toConvert(tb testing.TB, src convert.Source) *convert.Result {
	tb.Helper()
	r, err := convert.Convert(src, convert.Options{})
	if err != nil {
		tb.Fatalf("%s: %v", src.Name, err)
	}
	return r
}

// sets returns the golden sets that hold courses.
func sets(tb testing.TB) []string {
	tb.Helper()
	list := append(expected.Sets(tb, "dump/edxapp/modulestore.bson.gz"), expected.Sets(tb, "dump/edxapp/modulestore.active_versions.bson.gz")...)
	slices.Sort(list)
	return slices.Compact(list)
}

// TestGoldenExport compares what a conversion makes with what importing the real exporter's archive makes.
func TestGoldenExport(t *testing.T) {
	t.Parallel()
	n := 0
	for _, set := range sets(t) {
		files, err := filepath.Glob(filepath.Join(golden.Path(t, "modulestore/"+set), "export-*.tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		srcs := sources(t, set)
		for _, file := range files {
			n++
			t.Run(set+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				want := readArchive(t, file, keys.Course{})
				i := slices.IndexFunc(srcs, func(s convert.Source) bool { return toConvert(t, s).Key == want.Source })
				if i < 0 {
					t.Fatalf("no course %s", want.Source)
				}
				r := toConvert(t, srcs[i])
				e := exported{t, srcs[i], r, want.State}
				e.compare("published", srcs[i].Published, want.State.Published, r.State.Published)
				draft, wantDraft := r.State.Draft, want.State.Draft
				if draft == nil {
					draft = r.State.Published
				}
				if wantDraft == nil {
					wantDraft = want.State.Published
				}
				e.compare("draft", srcs[i].Draft, wantDraft, draft)
				// What the archive of the conversion says is what the conversion says.
				again := writeAndRead(t, r.State)
				e.same(r.State, again.State)
			})
		}
	}
	if n == 0 {
		t.Error("no archives")
	}
}

func readArchive(tb testing.TB, path string, target keys.Course) *olx.Result {
	tb.Helper()
	a, err := archive.Open(tb.Context(), path, archive.Limits{}, archive.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close() })
	r, err := olx.Read(tb.Context(), a, olx.ReadOptions{Target: target, Lenient: true})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// writeAndRead exports a state and imports that.
func writeAndRead(tb testing.TB, st courseware.State) *olx.Result {
	tb.Helper()
	dir := tb.TempDir()
	path := filepath.Join(dir, "out.tar.gz")
	w, err := archive.Create(tb.Context(), path, time.Unix(0, 0))
	if err != nil {
		tb.Fatal(err)
	}
	if err := olx.Write(tb.Context(), w, st, olx.WriteOptions{}); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return readArchive(tb, path, keys.Course{})
}
