package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// onEngines are the tests that run on every engine, one after the other on one database, each in a package of its own:
// making the tables takes longer than all of them.
var onEngines = map[string]func(t *testing.T, f *fixture){
	"get or create": testGetOrCreate,
	"row or file":   testRowOrFile,
	"extended":      testMediaIsExtended,
	"refused":       testRefusedMediaLeaveNothing,
	"types":         testTypesAreOneRowAsEnginesSay,
	"foreign":       testForeign,
	"sweep":         testSweepRemovesWhatNoRowNames,
	"at once":       testTypesMadeAtOnce,
	"statements":    testStatementsAreBounded,
}

func TestEngines(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		n := new(atomic.Int64)
		d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, setup), db.Options{OnStatement: func(string) { n.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		for name, fn := range onEngines {
			t.Run(name, func(t *testing.T) {
				f := newFixture(t, d)
				f.statements = n
				fn(t, f)
			})
		}
	})
}

// fixture is a database with a package, and files.
type fixture struct {
	*db.DB
	pkg        publishing.Package
	files      *Dir
	statements *atomic.Int64 // that reached the database
}

func newFixture(t *testing.T, d *db.DB) *fixture {
	t.Helper()
	f := &fixture{DB: d, files: NewDir(t.TempDir())}
	f.pkg = f.newPackage(t, t.Name())
	return f
}

func (f *fixture) newPackage(t *testing.T, ref string) (p publishing.Package) {
	t.Helper()
	err := f.Update(t.Context(), func(tx *db.Tx) (err error) {
		p, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: ref, Title: ref})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (f *fixture) try(t *testing.T, o Options, list ...New) (out []Media, err error) {
	t.Helper()
	err = f.Update(t.Context(), func(tx *db.Tx) (err error) {
		out, err = GetOrCreate(t.Context(), tx, f.files, f.pkg, list, o)
		return err
	})
	return out, err
}

func (f *fixture) create(t *testing.T, list ...New) []Media {
	t.Helper()
	out, err := f.try(t, Options{}, list...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (f *fixture) rows(t *testing.T) int64 {
	t.Helper()
	n, _, err := db.One(t.Context(), f, "SELECT count(*) FROM openedx_content_media WHERE learning_package_id = ?", []any{f.pkg.ID}, db.Value[int64])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func text(mime, s string) New   { return New{Type: mime, Text: &s} }
func asFile(mime, s string) New { return New{Type: mime, Bytes: []byte(s)} }

func stream(mime, s string) New {
	return New{Type: mime, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }}
}

func testGetOrCreate(t *testing.T, f *fixture) {
	list := f.create(t, text("text/plain", "hello"), asFile("image/png", "hello"), stream("image/png", "hello"), text("text/plain", "hello"),
		text("image/svg+xml", ""), asFile("image/svg+xml", "\x00\xff"), New{Type: "a/b"})
	if list[0].ID != list[3].ID || list[1].ID != list[2].ID { // law 57
		t.Errorf("equal bytes of equal type are several media: %+v", list)
	}
	if list[0].ID == list[1].ID || list[0].Digest != list[1].Digest { // law 58
		t.Errorf("equal bytes of other types: %+v, %+v", list[0], list[1])
	}
	if n := f.rows(t); n != 5 {
		t.Errorf("%d rows, want 5", n)
	}
	again := f.create(t, stream("text/plain", "hello"), text("image/png", "hello"))
	if again[0].ID != list[0].ID || again[1].ID != list[1].ID {
		t.Errorf("asked again, other media: %+v", again)
	}
	want := []string{"hello", "hello", "hello", "hello", "", "\x00\xff", ""}
	ids := make([]ID, len(list))
	for i, m := range list {
		ids[i] = m.ID
		b, err := Read(t.Context(), f, f.files, f.pkg.UUID, m.ID)
		if err != nil || string(b) != want[i] || m.Size != int64(len(want[i])) || m.Digest != DigestBytes(b) { // law 59
			t.Errorf("media %d: %q, %v, %+v, want %q", i, b, err, m, want[i])
		}
	}
	stored, err := ByID(t.Context(), f, ids, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range stored {
		if !m.HasText && !m.HasFile { // law 60
			t.Errorf("neither text nor file: %+v", m)
		}
		if size, ok, err := f.files.Size(t.Context(), f.pkg.UUID, m.Digest); m.HasFile && (!ok || size != m.Size || err != nil) {
			t.Errorf("no file for %+v", m)
		}
	}
	got := stored[list[4].ID]
	created := got.Created
	got.Created = time.Time{}
	if diff := cmp.Diff(Media{ID: list[4].ID, Package: f.pkg.ID, Type: Type{"image", "svg", "xml"}, Digest: "3345524abf6bbe1809449224b5972c41790b6cf2",
		HasText: true}, got); diff != "" {
		t.Errorf("empty text (-want +got):\n%s", diff)
	}
	if created.IsZero() || time.Since(created) > time.Minute {
		t.Errorf("created %v", created)
	}
	if stored[list[0].ID].Text != "hello" {
		t.Errorf("text of the row: %+v", stored[list[0].ID])
	}
	other := f.pkg
	f.pkg = f.newPackage(t, t.Name()+" other")
	if m := f.create(t, text("text/plain", "hello")); m[0].ID == list[0].ID || m[0].Package != f.pkg.ID {
		t.Errorf("two packages share a media: %+v", m)
	}
	f.pkg = other
	if _, err := ByID(t.Context(), f, []ID{ids[0], 1 << 40}, false); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown id: %v", err)
	}
}

// testRowOrFile checks where content goes: "Text up to 50,000 characters and without NUL goes into the row, anything
// else into a file" (design.md §4).
func testRowOrFile(t *testing.T, f *fixture) {
	both := text("text/x", "both")
	both.File = true
	for name, c := range map[string]struct {
		n          New
		text, file bool
	}{
		"short":     {text("text/x", "short"), true, false},
		"limit":     {text("text/x", strings.Repeat("é", MaxRowText)), true, false},
		"over":      {text("text/x", strings.Repeat("é", MaxRowText+1)), false, true},
		"nul":       {text("text/x", "a\x00b"), false, true},
		"not UTF-8": {text("text/x", "a\xffb"), false, true},
		"emoji":     {text("text/x", "😀\u0301"), true, false},
		"bytes":     {asFile("text/x", "plain"), false, true},
		"stream":    {stream("text/x", "flow"), false, true},
		"both":      {both, true, true},
	} {
		m := f.create(t, c.n)[0]
		if m.HasText != c.text || m.HasFile != c.file {
			t.Errorf("%s: row %v, file %v", name, m.HasText, m.HasFile)
		}
		b, err := Read(t.Context(), f, f.files, f.pkg.UUID, m.ID)
		if err != nil || c.n.Text != nil && string(b) != *c.n.Text {
			t.Errorf("%s: read %.20q, %v", name, b, err)
		}
		if _, there, _ := f.files.Size(t.Context(), f.pkg.UUID, m.Digest); there != c.file {
			t.Errorf("%s: file is there: %v", name, there)
		}
	}
}

func testMediaIsExtended(t *testing.T, f *fixture) {
	first := f.create(t, text("text/x", "one"), asFile("text/x", "two"))
	second := f.create(t, asFile("text/x", "one"), text("text/x", "two"))
	for i, m := range second {
		if m.ID != first[i].ID || !m.HasText || !m.HasFile {
			t.Errorf("%+v, want text and file in %d", m, first[i].ID)
		}
	}
	stored, err := ByID(t.Context(), f, []ID{first[0].ID, first[1].ID}, true)
	if err != nil {
		t.Fatal(err)
	}
	if m := stored[first[1].ID]; m.Text != "two" || !m.HasFile {
		t.Errorf("stored %+v", m)
	}
	if m := stored[first[0].ID]; !m.HasFile || content(t, f.files, f.pkg.UUID, m.Digest) != "one" {
		t.Errorf("stored %+v", m)
	}
	// A row whose file is gone or broken gets it back.
	name := f.files.Path(f.pkg.UUID, first[1].Digest)
	if err := os.WriteFile(name, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.create(t, asFile("text/x", "two"))
	if got := content(t, f.files, f.pkg.UUID, first[1].Digest); got != "two" {
		t.Errorf("after the repair %q", got)
	}
}

func testRefusedMediaLeaveNothing(t *testing.T, f *fixture) {
	good := text("text/x", "good")
	lying := stream("text/x", "content")
	lying.Digest, lying.Size = DigestBytes([]byte("other")), 7
	broken := New{Type: "text/x", Open: func() (io.ReadCloser, error) { return nil, fault.Errorf(fault.Unavailable, "x", "gone") }}
	for name, c := range map[string]struct {
		n    New
		o    Options
		kind fault.Kind
	}{
		"type":    {text("text", "x"), Options{}, fault.Invalid},
		"limit":   {text("text/x", "12345"), Options{Limit: 4}, fault.Invalid},
		"default": {New{Type: "text/x", Open: func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros{}, DefaultLimit+1)), nil }}, Options{}, fault.Invalid},
		"digest":  {lying, Options{}, fault.Invalid},
		"source":  {broken, Options{}, fault.Unavailable},
	} {
		if _, err := f.try(t, c.o, good, c.n); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", name, err, c.kind.Code())
		}
		if n := f.rows(t); n != 0 {
			t.Errorf("%s: %d rows left", name, n)
		}
	}
	if _, err := f.try(t, Options{Limit: -1}, New{Type: "text/x", Bytes: make([]byte, DefaultLimit+1)}); err != nil {
		t.Errorf("without a limit: %v", err)
	}
	err := f.Update(t.Context(), func(tx *db.Tx) error {
		_, err := GetOrCreate(t.Context(), tx, nil, f.pkg, []New{asFile("text/x", "x")}, Options{})
		return err
	})
	if err == nil {
		t.Error("a file without a store for files was taken")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// testTypesAreOneRowAsEnginesSay holds typeKey against the engines: every printable ASCII character, alone and beside
// its neighbours in case, is told apart by the column exactly where Go tells it apart.
func testTypesAreOneRowAsEnginesSay(t *testing.T, f *fixture) {
	var list []New
	for c := '!'; c <= '~'; c++ {
		if c != '/' && c != '+' {
			list = append(list, text("x/"+string(c), "x"), text("x/a"+string(c)+"b+c", "x"))
		}
	}
	list = append(list, text("text/plain", "x"), text("TEXT/Plain", "x"), text("text/pla", "x"), text("text/pla+in", "x"))
	out := f.create(t, list...)
	seen := map[ID]Type{}
	want := map[Type]bool{}
	for i, m := range out {
		mime, err := ParseType(list[i].Type)
		if err != nil {
			t.Fatal(err)
		}
		k := typeKey(f.Engine(), mime)
		want[k] = true
		if other, ok := seen[m.ID]; ok && other != k {
			t.Errorf("%v and %v are one row", other, k)
		}
		seen[m.ID] = k
	}
	if len(seen) != len(want) {
		t.Errorf("%d rows for %d types", len(seen), len(want))
	}
	if again := f.create(t, list...); cmp.Diff(out, again, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Created" }, cmp.Ignore())) != "" {
		t.Error("asked again, other media")
	}
}

func testStatementsAreBounded(t *testing.T, f *fixture) {
	many := func(from, to int) (list []New) {
		for i := from; i < to; i++ {
			list = append(list, text(fmt.Sprintf("text/t%d", i%30), fmt.Sprint(i)))
		}
		return list
	}
	for _, c := range []struct {
		name string
		list []New
	}{{"new", many(0, 600)}, {"known", many(300, 900)}} {
		f.statements.Store(0)
		f.create(t, c.list...)
		if got := f.statements.Load(); got > 25 {
			t.Errorf("%s: %d statements for %d media", c.name, got, len(c.list))
		}
	}
	if got := f.rows(t); got != 900 {
		t.Errorf("%d rows", got)
	}
}

// testTypesMadeAtOnce has writers of several packages, which no lock keeps apart, need the same new types.
func testTypesMadeAtOnce(t *testing.T, f *fixture) {
	const writers = 4
	var pkgs [writers]publishing.Package
	var out [writers][]Media
	for i := range pkgs {
		pkgs[i] = f.newPackage(t, fmt.Sprint(t.Name(), i))
	}
	var wg sync.WaitGroup
	for i, p := range pkgs {
		wg.Go(func() {
			err := f.Update(t.Context(), func(tx *db.Tx) (err error) {
				list := []New{text("once/b", "x"), text("once/a", "x"), text("once/c+d", "x")}
				out[i], err = GetOrCreate(t.Context(), tx, f.files, p, list, Options{})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range out {
		for k, m := range out[i] {
			if m.ID == 0 || m.Type != out[0][k].Type {
				t.Errorf("writer %d: %+v", i, m)
			}
		}
	}
}

func testForeign(t *testing.T, f *fixture) {
	mine := f.create(t, text("text/x", "mine"))[0].ID
	own := f.pkg
	f.pkg = f.newPackage(t, t.Name()+" other")
	theirs := f.create(t, text("text/x", "theirs"))[0].ID
	ask := func(ids ...ID) (id ID, err error) {
		err = f.Update(t.Context(), func(tx *db.Tx) error {
			id, err = Foreign(t.Context(), tx, own.ID, ids)
			return err
		})
		return id, err
	}
	if id, err := ask(mine, mine); id != 0 || err != nil {
		t.Errorf("mine: %d, %v", id, err)
	}
	if id, err := ask(mine, theirs); id != theirs || err != nil {
		t.Errorf("theirs: %d, %v", id, err)
	}
	if _, err := ask(mine, 1<<40); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func testSweepRemovesWhatNoRowNames(t *testing.T, f *fixture) {
	kept := f.create(t, asFile("text/x", "kept"), text("text/x", "row"))
	gone := errors.New("rolled back")
	err := f.Update(t.Context(), func(tx *db.Tx) error {
		if _, err := GetOrCreate(t.Context(), tx, f.files, f.pkg, []New{asFile("text/x", "lost"), asFile("text/y", "kept")}, Options{}); err != nil {
			return err
		}
		return gone
	})
	if !errors.Is(err, gone) {
		t.Fatal(err)
	}
	sweep := func(age Age) (n int) {
		err := f.Update(t.Context(), func(tx *db.Tx) (err error) {
			n, err = Sweep(t.Context(), tx, f.files, f.pkg, age)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := sweep(GuardAge); n != 0 {
		t.Errorf("%d young files removed", n)
	}
	if n := sweep(0); n != 1 {
		t.Errorf("%d files removed, want the one without a row", n)
	}
	if got := content(t, f.files, f.pkg.UUID, kept[0].Digest); got != "kept" {
		t.Errorf("kept %q", got)
	}
	if _, ok, _ := f.files.Size(t.Context(), f.pkg.UUID, DigestBytes([]byte("lost"))); ok {
		t.Error("the file without a row is still there")
	}
}

func TestStreamsAreReadTwiceAtMost(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dbtest.Ready(t, db.SQLite, setup))
	opened := 0
	big := bytes.Repeat([]byte("x"), 200_000)
	n := New{Type: "video/mp4", Open: func() (io.ReadCloser, error) { opened++; return io.NopCloser(bytes.NewReader(big)), nil }}
	m := f.create(t, n)[0]
	if opened != 2 {
		t.Errorf("new: opened %d times, want 2: to digest and to store", opened)
	}
	opened = 0
	f.create(t, n)
	if opened != 1 {
		t.Errorf("known: opened %d times, want 1", opened)
	}
	opened, n.Digest, n.Size = 0, m.Digest, m.Size
	if f.create(t, n)[0].ID != m.ID || opened != 0 {
		t.Errorf("known by digest: opened %d times", opened)
	}
}

// TestFresh shows that files are written in place only while the package is the transaction's own secret.
func TestFresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dbtest.Ready(t, db.SQLite, setup))
	var p publishing.Package
	store := func(tx *db.Tx, content string) bool {
		files := &asked{Files: f.files}
		if _, err := GetOrCreate(t.Context(), tx, files, p, []New{asFile("text/x", content)}, Options{}); err != nil {
			t.Fatal(err)
		}
		return files.last.Fresh
	}
	for i, content := range []string{"first", "second"} {
		if err := f.Update(t.Context(), func(tx *db.Tx) (err error) {
			if i == 0 {
				if p, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "lp:fresh", Title: "Fresh"}); err != nil {
					return err
				}
			}
			if got, want := store(tx, content), i == 0; got != want {
				t.Errorf("in transaction %d the file is fresh: %v", i, got)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// asked notes the last blob.
type asked struct {
	Files
	last Blob
}

func (a *asked) Put(ctx context.Context, pkg uuid.UUID, blobs []Blob) error {
	a.last = blobs[len(blobs)-1]
	return a.Files.Put(ctx, pkg, blobs)
}

// TestFreshIsKnown shows that a package which the transaction has made is not asked for what it cannot have, and finds
// what it has, under another type too.
func TestFreshIsKnown(t *testing.T) {
	t.Parallel()
	files, asks := NewDir(t.TempDir()), 0
	d, err := db.Open(t.Context(), dbtest.ReadyURL(t, db.SQLite, setup), db.Options{OnStatement: func(sql string) {
		if strings.HasPrefix(sql, "SELECT") && strings.Contains(sql, "FROM openedx_content_media ") {
			asks++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		p, err := publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "lp:fresh", Title: "Fresh"})
		if err != nil {
			return err
		}
		put := func(list ...New) []Media {
			asks = 0
			made, err := GetOrCreate(t.Context(), tx, files, p, list, Options{})
			if err != nil {
				t.Fatal(err)
			}
			return made
		}
		one := put(text("text/x", "one"), text("text/x", "two"))
		put(text("text/x", "three"), text("text/y", "four"))
		if asks != 0 {
			t.Errorf("%d questions about what cannot be there", asks)
		}
		again := put(text("text/x", "one"), text("text/y", "one"), text("text/x", "five"))
		if again[0].ID != one[0].ID || again[1].ID == one[0].ID || asks == 0 {
			t.Errorf("again %v, of another type %v, new was %v; %d questions", again[0].ID, again[1].ID, one[0].ID, asks)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
