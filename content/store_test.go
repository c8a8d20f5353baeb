package content_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

// makeLibrary makes a package with something in every table of every applet.
func makeLibrary(ctx context.Context, s *content.Store, ref string) (p publishing.Package, err error) {
	err = s.Update(ctx, func(tx *db.Tx) error {
		if p, err = publishing.CreatePackage(ctx, tx, publishing.NewPackage{Ref: ref, Title: "Library"}); err != nil {
			return err
		}
		_, err := publishing.Change(ctx, tx, p.ID, publishing.Meta{Kind: publishing.KindImport}, func(cs *publishing.ChangeSet) error {
			olx := "<problem/>"
			m, err := media.GetOrCreate(ctx, tx, s.Files, p, []media.New{{Type: "text/xml", Text: &olx}, {Type: "image/png", Bytes: []byte(ref)}}, media.Options{})
			if err != nil {
				return err
			}
			ids, err := components.Create(ctx, tx, p.ID, []components.NewComponent{{Type: components.Type{Namespace: "xblock.v1", Name: "problem"}, Code: "p"}})
			if err != nil {
				return err
			}
			files := []components.File{{Path: "block.xml", Media: m[0].ID}, {Path: "static/a.png", Media: m[1].ID}}
			if _, _, err := components.CreateVersions(ctx, cs, []components.NewVersion{{Entity: ids[0], Title: "P", Files: files}}); err != nil {
				return err
			}
			nested, err := containers.Create(ctx, tx, p.ID, []containers.NewContainer{{Type: containers.Unit, Code: "u"}, {Type: "lectern.x", Code: "x"}})
			if err != nil {
				return err
			}
			_, _, err = containers.CreateVersions(ctx, cs, []containers.NewVersion{
				{Entity: nested[0], Title: "U", Children: []containers.Child{{Entity: ids[0]}}},
				{Entity: nested[1], Title: "X", Children: []containers.Child{{Entity: nested[0]}}, Files: files[:1]},
			})
			if err != nil {
				return err
			}
			made, err := collections.Create(ctx, tx, p.ID, []collections.New{{Code: "c", Title: "C"}})
			if err != nil {
				return err
			}
			_, err = collections.Add(ctx, tx, p.ID, []collections.Members{{Collection: made[0].Collection.ID, Entities: ids}}, 0)
			return err
		})
		if err != nil {
			return err
		}
		if _, err := publishing.PublishAll(ctx, tx, p.ID, publishing.PublishMeta{}); err != nil {
			return err
		}
		_, err = publishing.Change(ctx, tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			c, err := components.ByCode(ctx, tx, p.ID, components.Type{Namespace: "xblock.v1", Name: "problem"}, "p")
			if err != nil {
				return err
			}
			_, _, err = components.NextVersions(ctx, cs, []components.NextVersion{{Entity: c.ID}})
			return err
		})
		return err
	})
	return p, err
}

// counts returns the number of rows of every content table that has any, but for types, which belong to no package.
func counts(t *testing.T, d *db.DB) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, table := range schema.Tables() {
		name := table.Name
		if !strings.HasPrefix(name, "openedx_content_") && !strings.HasPrefix(name, "lectern_") || strings.HasSuffix(name, "type") {
			continue
		}
		n, _, err := db.One(t.Context(), d, "SELECT count(*) FROM "+name, nil, db.Value[int])
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			out[name] = n
		}
	}
	return out
}

func TestDeletePackage(t *testing.T) {
	t.Parallel()
	dbtest.EachReady(t, setup, func(t *testing.T, d *db.DB) {
		t.Parallel()
		s := &content.Store{DB: d, Files: media.NewDir(t.TempDir())}
		rows := func() map[string]int {
			n := counts(t, d)
			delete(n, "lectern_event") // they tell of what is gone
			return n
		}
		empty := fmt.Sprint(rows())
		kept, err := makeLibrary(t.Context(), s, "lib:Org:kept")
		if err != nil {
			t.Fatal(err)
		}
		before := rows()
		p, err := makeLibrary(t.Context(), s, "lib:Org:gone")
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range rows() {
			if strings.HasPrefix(name, "openedx_content_") && n <= before[name] {
				t.Errorf("the second package has nothing in %s", name)
			}
		}
		if len(before) < 28 { // all but the tables of subsections and sections
			t.Errorf("the package has something in %d tables only: %v", len(before), before)
		}
		drop := func(id publishing.PackageID) error {
			return s.Update(t.Context(), func(tx *db.Tx) error { return content.DeletePackage(t.Context(), tx, id) })
		}
		if err := drop(p.ID); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(rows()), fmt.Sprint(before); got != want {
			t.Errorf("left  %s\nwant  %s", got, want)
		}
		if n, err := s.Sweep(t.Context(), 0); n != 1 || err != nil { // the file of the package that is gone
			t.Errorf("swept %d files, %v, want 1", n, err)
		}
		if _, ok, err := s.Files.Size(t.Context(), kept.UUID, media.DigestBytes([]byte(kept.Ref))); !ok || err != nil {
			t.Errorf("the other package's file is gone, %v", err)
		}
		if err := drop(p.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("deleted twice: %v, want not found", err)
		}
		if err := drop(kept.ID); err != nil || fmt.Sprint(rows()) != empty {
			t.Errorf("left %v, %v, want %s", rows(), err, empty)
		}
	})
}

func TestSweep(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, setup)
	root := t.TempDir()
	s := &content.Store{DB: d, Files: media.NewDir(root)}
	p, err := makeLibrary(t.Context(), s, "lib:Org:a")
	if err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-48 * time.Hour)
	put := func(pkg uuid.UUID, name string, old bool) {
		t.Helper()
		file := filepath.Join(root, "content", pkg.String(), name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if old {
			if err := os.Chtimes(file, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	stranger := uuid.New()
	put(p.UUID, strings.Repeat("a", 40), true)
	put(p.UUID, strings.Repeat("b", 40), false)
	put(p.UUID, ".part-1", true)
	put(p.UUID, ".part-2", false)
	put(stranger, strings.Repeat("c", 40), true)
	put(stranger, ".part-3", true)
	named := media.DigestBytes([]byte(p.Ref))
	if err := os.Chtimes(filepath.Join(root, "content", p.UUID.String(), named), long, long); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), media.GuardAge); n != 4 || err != nil {
		t.Errorf("swept %d, %v, want 4", n, err)
	}
	left, err := filepath.Glob(filepath.Join(root, "content", "*", "*"))
	if err != nil || len(left) != 3 {
		t.Errorf("left %v, %v, want the named one, the young one and the young part", left, err)
	}
	if n, err := s.Sweep(t.Context(), media.GuardAge); n != 0 || err != nil {
		t.Errorf("swept again %d, %v", n, err)
	}
	if n, err := (&content.Store{DB: d}).Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("without files: %d, %v", n, err)
	}
}

// TestFailureLeavesNothing gives up half way through a change and finds the database as it was.
func TestFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	d := dbtest.Ready(t, db.SQLite, setup)
	s := &content.Store{DB: d, Files: media.NewDir(t.TempDir())}
	p, err := makeLibrary(t.Context(), s, "lib:Org:a")
	if err != nil {
		t.Fatal(err)
	}
	before := fmt.Sprint(counts(t, d))
	err = s.Update(t.Context(), func(tx *db.Tx) error {
		_, err := publishing.Change(t.Context(), tx, p.ID, publishing.Meta{}, func(cs *publishing.ChangeSet) error {
			ids, err := containers.Create(t.Context(), tx, p.ID, []containers.NewContainer{{Type: containers.Unit, Code: "new"}, {Type: containers.Section, Code: "new2"}})
			if err != nil {
				return err
			}
			title := "T"
			if _, _, err := containers.NextVersions(t.Context(), cs, []containers.NextVersion{{Entity: ids[0], Title: &title}}); err != nil {
				return err
			}
			_, _, err = containers.NextVersions(t.Context(), cs, []containers.NextVersion{
				{Entity: ids[1], Title: &title, Action: containers.Replace, Children: []containers.Child{{Entity: ids[0]}}},
			})
			return err
		})
		return err
	})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("a unit in a section: %v, want invalid", err)
	}
	if after := fmt.Sprint(counts(t, d)); after != before {
		t.Errorf("left %s\nwant %s", after, before)
	}
}
