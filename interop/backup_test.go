package interop

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestBackups has each side restore what the other backed up, and compares what both write of one package.
func TestBackups(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, e db.Engine) {
		url, dir := dbtest.URL(t, e), t.TempDir()
		d := open(t, url)
		if err := create(d); err != nil {
			t.Fatal(err)
		}
		files, django := media.NewDir(dir), startSite(t, url, dir)
		django.ask(t, nil, "write", "Żółć")
		original := live(look(t, d, files, "lp:interop"))

		python := filepath.Join(t.TempDir(), "python.zip")
		django.ask(t, nil, "dump", "lp:interop", python)
		restore(t, d, files, python, "lp:python")
		if diff := cmp.Diff(original, live(look(t, d, files, "lp:python"))); diff != "" {
			t.Errorf("written by Python, restored by Lectern (-was +is):\n%s", diff)
		}

		lectern := filepath.Join(t.TempDir(), "lectern.zip")
		backUp(t, d, files, "lp:interop", lectern, backup.WriteOptions{By: "interop", Email: "interop@example.com", Origin: "studio.example.com"})
		if diff := cmp.Diff(contents(t, python), contents(t, lectern)); diff != "" {
			t.Errorf("entries (-Python +Lectern):\n%s", diff)
		}
		var loaded struct {
			Log  string
			View *view
		}
		django.ask(t, &loaded, "load", lectern, "lp:lectern-loaded")
		if loaded.View == nil {
			t.Fatalf("Python refuses what Lectern wrote:\n%s", loaded.Log)
		}
		if diff := cmp.Diff(original, live(*loaded.View)); diff != "" {
			t.Errorf("written by Lectern, restored by Python (-was +is):\n%s", diff)
		}

		// What only Lectern can hold is refused by Python, not loaded by half.
		write(t, d, files, "own")
		own := filepath.Join(t.TempDir(), "own.zip")
		backUp(t, d, files, lecternRef, own, backup.WriteOptions{})
		loaded.View = nil
		django.ask(t, &loaded, "load", own, "lp:never")
		if loaded.View != nil || !strings.Contains(loaded.Log, "Invalid container value: lectern.vertical") {
			t.Errorf("Python says of an archive that only Lectern can restore:\n%s", loaded.Log)
		}
	})
}

// live takes out of a view what no archive holds, or Python's reader drops: pins, pending deletions, digests, times.
func live(v view) view {
	v.Ref, v.PublishedAt, v.WrongDigests = "", "", nil
	for ref, e := range v.Entities {
		if e.Draft == nil {
			e.Draft = e.Published
		}
		if e.Draft == nil && e.Published == nil {
			continue
		}
		e.Unpublished = false
		for _, b := range []*branch{e.Draft, e.Published} {
			if b == nil {
				continue
			}
			b.Digest = ""
			for i := range b.Children {
				b.Children[i].Pin = nil
			}
			if len(b.Children) == 0 {
				b.Children = nil
			}
			if len(b.Media) == 0 {
				b.Media = nil
			}
		}
		v.Entities[ref] = e
	}
	return v
}

func restore(t *testing.T, d *db.DB, files media.Files, path, ref string) {
	t.Helper()
	a, err := backup.Open(t.Context(), path, backup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	plan, err := a.Read(t.Context(), backup.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Update(t.Context(), func(tx *db.Tx) error {
		_, err := plan.Restore(t.Context(), tx, files, backup.RestoreOptions{Ref: ref})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func backUp(t *testing.T, d *db.DB, files media.Files, ref, path string, o backup.WriteOptions) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.View(t.Context(), func(tx *db.Tx) error {
		pkg, err := publishing.PackageByRef(t.Context(), tx, ref)
		if err == nil {
			o.Now = tx.Now()
			_, err = backup.Write(t.Context(), tx, files, pkg, f, o)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

var dumpTime = regexp.MustCompile(`(?m)^created_at = .*$`)

// contents returns the entries of an archive in order, each with its time, attributes and content, but for what only
// Lectern reads and the time of the dump.
func contents(t *testing.T, path string) (out []string) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		if strings.HasPrefix(f.Name, "lectern/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		out = append(out, f.Name+" "+f.Modified.String()+" "+f.Mode().String()+"\n"+dumpTime.ReplaceAllString(string(b), ""))
	}
	return out
}
