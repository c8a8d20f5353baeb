package olx_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
)

// files is what an archive holds, by path.
type files map[string]string

// text makes files of a text with a line "-- name --" before each. Files lose their final line end, which makes
// expectations short to write.
func text(s string) files {
	out := files{}
	for part := range strings.SplitSeq("\n"+s, "\n-- ") {
		if name, data, ok := strings.Cut(part, " --\n"); ok {
			out[name] = strings.TrimSuffix(data, "\n")
		}
	}
	return out
}

// course makes the files of a course o/c/r with one unit, in which inside stands.
func course(inside string, more ...string) files {
	f := text(`
-- course/course.xml --
<course url_name="r" org="o" course="c"/>
-- course/course/r.xml --
<course display_name="C"><chapter url_name="ch"/></course>
-- course/chapter/ch.xml --
<chapter><sequential url_name="s"/></chapter>
-- course/sequential/s.xml --
<sequential><vertical url_name="v"/></sequential>
-- course/vertical/v.xml --
<vertical>` + inside + `</vertical>
-- course/policies/r/policy.json --
{"course/r": {}}
-- course/policies/r/grading_policy.json --
{}
`)
	for i := 0; i < len(more); i += 2 {
		f["course/"+more[i]] = more[i+1]
	}
	return f
}

// open opens files as an archive.
func (f files) open(t testing.TB) *archive.Archive {
	t.Helper()
	return zipped(t, func(w *archive.Writer) error {
		for _, name := range slices.Sorted(maps.Keys(f)) {
			if err := w.AddBytes(name, []byte(f[name])); err != nil {
				return err
			}
		}
		return nil
	})
}

// zipped opens an archive that fill writes.
func zipped(t testing.TB, fill func(*archive.Writer) error) *archive.Archive {
	t.Helper()
	p := filepath.Join(t.TempDir(), "a.zip")
	out, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	w := archive.NewZip(t.Context(), out, time.Unix(1e9, 0))
	if err := fill(w); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return openPath(t, p)
}

func openPath(t testing.TB, p string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.Context(), p, archive.Limits{}, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// read reads files, which have to be readable.
func (f files) read(t testing.TB, o olx.ReadOptions) *olx.Result {
	t.Helper()
	r, err := olx.Read(t.Context(), f.open(t), o)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return r
}

// fails reads files, which have to be refused, and returns the errors.
func (f files) fails(t testing.TB, o olx.ReadOptions) []courseware.Finding {
	t.Helper()
	_, err := olx.Read(t.Context(), f.open(t), o)
	var e *olx.Error
	if !errors.As(err, &e) {
		t.Fatalf("read: got %v, want an *olx.Error", err)
	}
	return e.Findings
}

// write writes a state as an archive and returns its files.
func write(t testing.TB, st courseware.State, o olx.WriteOptions) files {
	t.Helper()
	return content(t, zipped(t, func(w *archive.Writer) error { return olx.Write(t.Context(), w, st, o) }))
}

// content returns the files of an archive.
func content(t testing.TB, a *archive.Archive) files {
	t.Helper()
	out := files{}
	for _, name := range a.Names() {
		data, err := a.ReadFile(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(data)
	}
	return out
}

// again imports and exports files, and checks that a second round changes nothing (law 68).
func (f files) again(t testing.TB, o olx.ReadOptions) files {
	t.Helper()
	once := write(t, f.read(t, o).State, olx.WriteOptions{})
	twice := write(t, once.read(t, o).State, olx.WriteOptions{})
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Errorf("a second round changes the export (-first +second):\n%s", diff)
	}
	return once
}

// same checks that files come back as they are, but for one final line end.
func (f files) same(t testing.TB, o olx.ReadOptions, names ...string) {
	t.Helper()
	got := f.again(t, o)
	for _, name := range names {
		if strings.TrimSuffix(got[name], "\n") != strings.TrimSuffix(f[name], "\n") {
			t.Errorf("%s changes:\n got %q\nwant %q", name, got[name], f[name])
		}
	}
}

// rules returns the rules of findings of at least this severity, sorted.
func rules(list []courseware.Finding, least courseware.Severity) []string {
	var out []string
	for _, f := range list {
		if f.Severity >= least {
			out = append(out, f.Rule)
		}
	}
	slices.Sort(out)
	return out
}

// block returns a block of the published tree.
func block(t testing.TB, r *olx.Result, blockType, name string) *courseware.Block {
	t.Helper()
	b := r.State.Published.Blocks[courseware.BlockID{Type: blockType, Name: name}]
	if b == nil {
		t.Fatalf("no block %s/%s among %v", blockType, name, ids(r.State.Published))
	}
	return b
}

// ids returns the blocks that can be reached, in document order.
func ids(c *courseware.Course) []string {
	var out []string
	for b := range c.Walk() {
		out = append(out, b.ID.String())
	}
	return out
}

func children(b *courseware.Block) string {
	var out []string
	for _, id := range b.Children {
		out = append(out, id.Name)
	}
	return strings.Join(out, " ")
}

func field(b *courseware.Block, name string) string {
	v, ok := b.Fields.Lookup(name)
	if !ok {
		return "unset"
	}
	return string(v)
}

func key(t testing.TB, s string) keys.Course {
	t.Helper()
	k, err := keys.ParseCourse(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// bodyOf returns the body of a block as text.
func bodyOf(t testing.TB, b *courseware.Block) string {
	t.Helper()
	data, err := b.Data.Read()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// printed returns a block as OLX of its own.
func printed(t testing.TB, b *courseware.Block) []byte {
	t.Helper()
	out, err := olx.PrintBlock(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
