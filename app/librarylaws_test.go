package app

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/migrator"
)

// olxOf writes a course of one unit with these blocks, and returns its folder.
func olxOf(t *testing.T, run, title, blocks string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"course.xml": `<course url_name="` + run + `" org="Acme" course="Laws"/>`,
		"course/" + run + ".xml": `<course display_name="` + title + `"><chapter url_name="c" display_name="One"><sequential url_name="s" display_name="One">` +
			`<vertical url_name="v" display_name="One">` + blocks + `</vertical></sequential></chapter></course>`,
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const held = `<library_content url_name="lc" display_name="Held"><problem url_name="p1" display_name="P"><p/></problem><problem url_name="p2" display_name="P"><p/></problem></library_content>
	<html url_name="h" display_name="H"><![CDATA[<p>x</p>]]></html>`

// TestLibraryPreview: Y1, Y2, Y4 and Y5. A preview counts what the migration then does, on every engine.
func TestLibraryPreview(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		s, m := withShelf(t, e)
		const key = "course-v1:Acme+Laws+1"
		if out, err := s.app.Import(t.Context(), olxOf(t, "1", "Laws", held), ImportOptions{}); err != nil {
			t.Fatalf("%v: %v", err, out.Findings)
		}
		preview := func(level, repeat string, want LibraryPreview) {
			t.Helper()
			want.Limit = migrator.DefaultLimit
			if got, err := s.app.LibraryPreview(t.Context(), key, shelf, level, repeat); err != nil || got != want {
				t.Errorf("%q, %q: %+v (%v), want %+v", level, repeat, got, err, want)
			}
		}
		whole := LibraryPreview{Total: 5, Components: 2, Units: 1, Subsections: 1, Sections: 1, Unsupported: 1}
		preview("", "", whole)
		preview("unit", "", LibraryPreview{Total: 3, Components: 2, Units: 1, Unsupported: 1})
		preview("component", "skip", LibraryPreview{Total: 2, Components: 2, Unsupported: 1})
		m.Sources = []string{key}
		m.Level = "unit"
		out, err := s.app.MigrateToLibrary(t.Context(), m)
		if err != nil || out.Sources[0].Created != 2 || out.Sources[0].Unsupported != 1 {
			t.Fatalf("%+v (%v)", out, err)
		}
		rows, err := s.app.LibraryBlocks(t.Context(), LibraryBlocksQuery{Target: shelf, Failed: new(bool)})
		if err != nil || len(rows) != 2 {
			t.Errorf("%v (%v)", rows, err)
		}
		failed := true
		rows, err = s.app.LibraryBlocks(t.Context(), LibraryBlocksQuery{Target: shelf, Failed: &failed})
		if err != nil || len(rows) != 1 || rows[0].Source != "block-v1:Acme+Laws+1+type@library_content+block@lc" || rows[0].Target != "" || rows[0].Reason == "" {
			t.Errorf("%v (%v)", rows, err)
		}
		preview("unit", "skip", LibraryPreview{Total: 1, Components: 1, Unsupported: 1})
		preview("unit", "fork", LibraryPreview{Total: 3, Components: 2, Units: 1, Unsupported: 1})
		preview("", "", whole)

		if out, err := s.app.Import(t.Context(), olxOf(t, "2", "Laws", held), ImportOptions{DraftsOnly: true}); err != nil {
			t.Fatalf("%v: %v", err, out.Findings)
		}
		if got, err := s.app.LibraryPreview(t.Context(), "course-v1:Acme+Laws+2", shelf, "", ""); err != nil || got != (LibraryPreview{Limit: migrator.DefaultLimit}) {
			t.Errorf("nothing published: %+v (%v)", got, err)
		}
		if _, err := s.app.LibraryPreview(t.Context(), "course-v1:Acme+Laws+3", shelf, "", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("no such course: %v, want not found", err)
		}
	})
}

// TestLibraryAtOnce: Z6, C8 and Z7. People who bring courses of one title into one library at once all succeed, with ids and collections of
// their own; and what is there then can be written out and comes back equal.
func TestLibraryAtOnce(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		s, m := withShelf(t, e)
		const n = 3
		var all sync.WaitGroup
		for i := range n {
			run := strconv.Itoa(i)
			if out, err := s.app.Import(t.Context(), olxOf(t, run, "Laws", held), ImportOptions{}); err != nil {
				t.Fatalf("%v: %v", err, out.Findings)
			}
			who := s.person("p"+run, true)
			all.Go(func() {
				m := m
				m.Sources, m.CreateCollections = []string{"course-v1:Acme+Laws+" + run}, true
				if out, err := who.MigrateToLibrary(t.Context(), m); err != nil || out.Sources[0].Created != 4 {
					t.Errorf("%s: %+v (%v)", run, out, err)
				}
			})
		}
		all.Wait()
		list, err := s.app.LibraryMigrations(t.Context(), shelf)
		if err != nil || len(list) != n {
			t.Fatalf("%d migrations (%v)", len(list), err)
		}
		shelves, targets := map[string]bool{}, map[string]bool{}
		for _, i := range list {
			shelves[i.Collection] = true
		}
		rows, err := s.app.LibraryBlocks(t.Context(), LibraryBlocksQuery{Target: shelf, Failed: new(bool)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			targets[r.Target] = true
		}
		if len(shelves) != n || shelves[""] || len(targets) != 4*n {
			t.Errorf("collections %v, %d entities of %d", shelves, len(targets), 4*n)
		}
		file := filepath.Join(t.TempDir(), "l.zip")
		if _, err := s.app.Backup(t.Context(), shelf, file, "", nil); err != nil {
			t.Fatal(err)
		}
		if v, err := VerifyBackup(t.Context(), file, backup.Limits{}, nil); err != nil || !v.OK() {
			t.Errorf("%+v (%v)", v, err)
		}
	})
}
