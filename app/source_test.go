package app

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/sample"
)

// exportOf returns the files of a course as a folder, by name.
func exportOf(t *testing.T, a *App, key keys.Course) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	if _, err := a.Export(t.Context(), key, path, "", nil); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(path), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name] = string(fileBytes(t, filepath.Join(path, name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func fileBytes(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestImportBackup: a backup is a source like an archive of OLX: it comes in as a difference, under its own key or another, with its
// drafts, and into libraries, on every engine.
func TestImportBackup(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		from := newSite(t, e)
		conf := Config{DB: dbtest.URL(t, e), Data: t.TempDir(), Write: true}
		if _, err := Init(t.Context(), conf); err != nil {
			t.Fatal(err)
		}
		to := open(t, conf)
		var id courseware.BlockID
		err := from.app.View(t.Context(), func(tx *db.Tx) error {
			c, err := course.Find(t.Context(), tx, from.key)
			if err != nil {
				return err
			}
			state, err := c.LoadState(t.Context(), tx, from.app.Files)
			for b := range state.Published.Walk() {
				if b.ID.Type == "html" {
					id = b.ID
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		edit := func(words string) {
			t.Helper()
			usage, err := from.key.Usage(id.Type, id.Name)
			if err != nil {
				t.Fatal(err)
			}
			olx := `<html url_name="` + id.Name + `" display_name="X"><![CDATA[<p>` + words + `</p>]]></html>`
			if _, err := from.app.EditBlocks(t.Context(), []BlockEdit{{Key: usage, OLX: []byte(olx)}}, ""); err != nil {
				t.Fatal(err)
			}
		}
		edit("drafted")
		backup := func() string {
			t.Helper()
			path := filepath.Join(t.TempDir(), "b.zip")
			if _, err := from.app.Backup(t.Context(), from.key.String(), path, "", nil); err != nil {
				t.Fatal(err)
			}
			return path
		}
		file := backup()
		first, err := to.Import(t.Context(), file, ImportOptions{})
		if err != nil {
			t.Fatalf("%v; %v", err, first.Findings)
		}
		if diff := cmp.Diff(exportOf(t, from.app, from.key), exportOf(t, to, from.key)); diff != "" {
			t.Errorf("the course differs from what was backed up (-want +got):\n%s", diff)
		}
		again, err := to.Import(t.Context(), file, ImportOptions{})
		if err != nil || again.Created+again.Changed+again.Deleted != 0 {
			t.Errorf("again: %+v (%v)", again.Report, err)
		}
		edit("drafted anew")
		next, err := to.Import(t.Context(), backup(), ImportOptions{})
		if err != nil || next.Created != 0 || next.Changed != 1 || next.Deleted != 0 {
			t.Errorf("one block later: %+v (%v)", next.Report, err)
		}
		other := from.course("course-v1:Acme+Other+1")
		if out, err := to.Import(t.Context(), file, ImportOptions{Key: other}); err != nil || out.Course != other.String() || out.Created != first.Created {
			t.Errorf("under another key: %+v (%v)", out.Report, err)
		}
		if _, err := to.CreateLibrary(t.Context(), mustLibrary(t, shelf), "Shelf"); err != nil {
			t.Fatal(err)
		}
		moved, err := to.MigrateToLibrary(t.Context(), LibraryMigration{Sources: []string{file}, Target: shelf, Archives: true})
		if err != nil || moved.Sources[0].Created == 0 || moved.Sources[0].Source != sample.CourseKey {
			t.Errorf("into a library: %+v (%v)", moved, err)
		}
		// The backup of a library is none of a course.
		lib := filepath.Join(t.TempDir(), "l.zip")
		if _, err := to.Backup(t.Context(), shelf, lib, "", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Import(t.Context(), lib, ImportOptions{}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), shelf) {
			t.Errorf("a library's: %v, want invalid", err)
		}
		// One that was cut is refused with what is wrong, and nothing is left behind.
		b := fileBytes(t, file)
		cut := filepath.Join(t.TempDir(), "cut.zip")
		for i := len(b) / 3; i < len(b)/3+2000; i++ {
			b[i] ^= 0x55
		}
		if err := os.WriteFile(cut, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := to.Import(t.Context(), cut, ImportOptions{Key: from.course("course-v1:Acme+Cut+1")}); err == nil {
			t.Errorf("a damaged one: %+v", out)
		}
	})
}

// TestNewSource adds a kind of source, and brings it in by import, as a difference, and into a library: nothing but its reader and
// a line in the list of kinds knows of it. It is not parallel, as it changes that list.
func TestNewSource(t *testing.T) { //nolint:paralleltest // see above
	was := sourceKinds
	defer func() { sourceKinds = was }()
	const key = "course-v1:Acme+Notes+1"
	closed := 0
	// The toy: a text file whose lines are pages.
	notes := sourceKind{"notes", func(path string) bool { return strings.HasSuffix(path, ".notes") }, func(_ context.Context, path string, o readOptions) (*readSource, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.Errorf(fault.NotFound, path, "%w", err)
		}
		own, err := keys.ParseCourse(key)
		if err != nil {
			return nil, err
		}
		c := &courseware.Course{Key: own, Root: courseware.BlockID{Type: "course", Name: "course"}, Blocks: map[courseware.BlockID]*courseware.Block{}}
		if !o.Target.IsZero() {
			c.Key = o.Target
		}
		parent := &courseware.Block{ID: c.Root, Container: true}
		c.Blocks[c.Root] = parent
		for _, kind := range []string{"chapter", "sequential", "vertical"} {
			b := &courseware.Block{ID: courseware.BlockID{Type: kind, Name: "one"}, Container: true}
			c.Blocks[b.ID] = b
			parent.Children = append(parent.Children, b.ID)
			parent = b
		}
		for line := range strings.Lines(string(text)) {
			name, words, _ := strings.Cut(strings.TrimSpace(line), " ")
			b := &courseware.Block{ID: courseware.BlockID{Type: "html", Name: name}, Data: courseware.Bytes([]byte("<p>" + words + "</p>"))}
			b.Fields = b.Fields.With("display_name", courseware.Text(name))
			c.Blocks[b.ID] = b
			parent.Children = append(parent.Children, b.ID)
		}
		return &readSource{State: courseware.State{Published: c}, Key: own, Close: func() error { closed++; return nil }}, nil
	}}
	sourceKinds = append([]sourceKind{notes}, was...)

	s := newSite(t, db.SQLite)
	file := filepath.Join(t.TempDir(), "a.notes")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bring := func() *course.Report {
		t.Helper()
		out, err := s.app.Import(t.Context(), file, ImportOptions{})
		if err != nil {
			t.Fatalf("%v, %v", err, out)
		}
		return out.Report
	}
	write("a first\nb second\n")
	if r := bring(); r.Course != key || r.Created != 6 {
		t.Errorf("new: %+v", r)
	}
	write("a first\nb other\nc third\n")
	if r := bring(); r.Created != 1 || r.Changed != 1 || r.Deleted != 0 {
		t.Errorf("a difference: %+v", r)
	}
	if _, err := s.app.CreateLibrary(t.Context(), mustLibrary(t, shelf), "Shelf"); err != nil {
		t.Fatal(err)
	}
	m := LibraryMigration{Sources: []string{file}, Target: shelf, Level: "unit", Archives: true}
	out, err := s.app.MigrateToLibrary(t.Context(), m)
	if err != nil || out.Sources[0].Created != 4 {
		t.Fatalf("into a library: %+v (%v)", out, err)
	}
	again, err := s.app.MigrateToLibrary(t.Context(), m)
	if diff := cmp.Diff(4, again.Sources[0].Skipped); err != nil || diff != "" {
		t.Errorf("again (-want +got): %s (%v)", diff, err)
	}
	if closed != 4 {
		t.Errorf("%d of 4 readings were closed", closed)
	}
}
