package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/sample"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

// TestPaths is the table of cli.md, "Everywhere".
func TestPaths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in              Config
		database, files string
	}{
		{Config{}, "lectern-data/lectern.db", "lectern-data/media"},
		{Config{Data: "d"}, "d/lectern.db", "d/media"},
		{Config{Data: "d", Media: "m"}, "d/lectern.db", "m"},
		{Config{DB: "x.db"}, "x.db", "x.db-media"},
		{Config{DB: "sqlite:x.db?_pragma=y"}, "sqlite:x.db?_pragma=y", "x.db-media"},
		{Config{DB: "x.db", Data: "d"}, "x.db", "d/media"},
		{Config{DB: "x.db", Media: "m"}, "x.db", "m"},
		{Config{DB: "mysql://u@h/n"}, "mysql://u@h/n", "lectern-data/media"},
		{Config{DB: "postgres://u@h/n", Data: "d"}, "postgres://u@h/n", "d/media"},
	} {
		database, files := c.in.paths()
		if database != c.database || filepath.ToSlash(files) != c.files {
			t.Errorf("paths of %+v are %s and %s, want %s and %s", c.in, database, files, c.database, c.files)
		}
	}
}

func sampleFolder(t *testing.T) string {
	t.Helper()
	src := filepath.Join(t.TempDir(), "course")
	if err := os.CopyFS(src, sample.Course()); err != nil {
		t.Fatal(err)
	}
	return src
}

func open(t testing.TB, c Config) *App {
	t.Helper()
	a, err := Open(t.Context(), c)
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

// TestDryRun runs everything that writes as a dry run on every engine: it gives results, and no row and no file changes.
func TestDryRun(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			src, data, url := sampleFolder(t), t.TempDir(), dbtest.URL(t, e)
			if _, err := Init(ctx, Config{DB: url, Data: data}); err != nil {
				t.Fatal(err)
			}
			c := Config{DB: url, Data: data, Write: true}
			a := open(t, c)
			if _, err := a.Import(ctx, src, ImportOptions{}); err != nil {
				t.Fatal(err)
			}
			c.DryRun = true
			dry := open(t, c)
			before := fingerprint(t, a, data)
			for name, do := range writers(t, dry, src) {
				log, err := do()
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if log != nil {
					t.Errorf("%s: the log is %d, want none", name, *log)
				}
				if diff := cmp.Diff(before, fingerprint(t, a, data)); diff != "" {
					t.Fatalf("%s changed (-before +after):\n%s", name, diff)
				}
			}
		})
	}
}

// writers returns everything of a that writes. Each gives a log of its result.
func writers(t *testing.T, a *App, src string) map[string]func() (*int64, error) {
	t.Helper()
	ctx := t.Context()
	key, err := keys.ParseCourse(sample.CourseKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind, name string) keys.Usage {
		k, err := key.Usage(kind, name)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	other, err := keys.NewCourse("Other", "LIGHT", "1")
	if err != nil {
		t.Fatal(err)
	}
	problem := []byte(`<problem display_name="New"/>`)
	first := func(r []BlockResult, err error) (*int64, error) {
		if err != nil {
			return nil, err
		}
		return r[0].ChangeLog, nil
	}
	return map[string]func() (*int64, error){
		"import": func() (*int64, error) {
			r, err := a.Import(ctx, src, ImportOptions{Key: other})
			return r.ChangeLog, err
		},
		"publish": func() (*int64, error) {
			r, err := a.Publish(ctx, key, nil, "")
			return r.Log, err
		},
		"discard": func() (*int64, error) {
			r, err := a.Discard(ctx, key, nil, "")
			return r.Log, err
		},
		"restore": func() (*int64, error) {
			r, err := a.Restore(ctx, key, "published", nil, "")
			return r.ChangeLog, err
		},
		"rerun": func() (*int64, error) {
			r, err := a.Rerun(ctx, key, other, "", "", nil)
			return r.ChangeLog, err
		},
		"delete": func() (*int64, error) {
			r, err := a.Delete(ctx, key, false, "")
			return r.ChangeLog, err
		},
		"purge": func() (*int64, error) {
			r, err := a.Delete(ctx, key, true, "")
			return r.ChangeLog, err
		},
		"label": func() (*int64, error) {
			l, err := a.Label(ctx, key, "name", "draft")
			if err == nil && len(l) != 1 {
				t.Errorf("there are %d labels, want the one", len(l))
			}
			return nil, err
		},
		"edit": func() (*int64, error) {
			return first(a.EditBlocks(ctx, []BlockEdit{{Key: block("problem", "flash"), OLX: problem}}, ""))
		},
		"create": func() (*int64, error) {
			at := course.Position{Parent: courseware.BlockID{Type: "vertical", Name: "coast"}, Index: -1}
			return first(a.CreateBlocks(ctx, key, []NewBlock{{OLX: problem}}, at, ""))
		},
		"move": func() (*int64, error) {
			at := course.Position{Parent: courseware.BlockID{Type: "vertical", Name: "watch"}}
			return first(a.MoveBlocks(ctx, []keys.Usage{block("problem", "flash")}, at, nil, ""))
		},
		"remove": func() (*int64, error) {
			return first(a.DeleteBlocks(ctx, []keys.Usage{block("problem", "flash")}, nil, ""))
		},
		"user": func() (*int64, error) {
			_, err := a.AddUser(ctx, user.New{Username: "jo", Email: "jo@example.org"})
			return nil, err
		},
	}
}

// state is what a dry run must leave as it is.
type state struct {
	Rows   map[string]int64
	Files  []string
	Drafts []string
}

func fingerprint(t *testing.T, a *App, data string) state {
	t.Helper()
	rows, err := schema.Counts(t.Context(), a.DB)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(data, "media", "content", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	pointers, err := db.All(t.Context(), a.DB, `SELECT entity_id, version_id FROM openedx_content_draft ORDER BY entity_id`, nil,
		func(r *db.Row) (string, error) {
			var entity, version int64
			err := r.Scan(&entity, &version)
			return string(rune(entity)) + string(rune(version)), err
		})
	if err != nil {
		t.Fatal(err)
	}
	return state{rows, files, pointers}
}

// TestDryRunOfNothing shows that a dry run on a database that does not exist works and makes none.
func TestDryRunOfNothing(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	a, err := Open(t.Context(), Config{Data: data, Write: true, DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Import(t.Context(), sampleFolder(t), ImportOptions{})
	if err != nil || r.Created != 25 || r.ChangeLog != nil {
		t.Errorf("the import created %d blocks with log %v, %v; want 25 without log", r.Created, r.ChangeLog, err)
	}
	temp := a.temp
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	for _, path := range []string{data, temp} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is there", path)
		}
	}
}

// TestOpenReadsOnly shows that a store opened for reading makes and changes nothing.
func TestOpenReadsOnly(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	if _, err := Open(t.Context(), Config{Data: data}); !fault.Is(err, fault.NotFound) {
		t.Errorf("opening a store that is not there: %v, want not found", err)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("it is there now")
	}
	if _, err := Init(t.Context(), Config{Data: data}); err != nil {
		t.Fatal(err)
	}
	a := open(t, Config{Data: data})
	if _, err := a.AddUser(t.Context(), user.New{Username: "jo", Email: "jo@example.org"}); err == nil {
		t.Error("a store opened for reading took a user")
	}
	if _, err := Open(t.Context(), Config{Data: data, User: "jo"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("opening as nobody there is: %v, want not found", err)
	}
}
