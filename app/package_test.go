package app

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/backup"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/sample"
)

// stored opens a store of the engine with the sample course in it.
func stored(t *testing.T, url string) (a *App, data string) {
	t.Helper()
	data = t.TempDir()
	if _, err := Init(t.Context(), Config{DB: url, Data: data}); err != nil {
		t.Fatal(err)
	}
	a = open(t, Config{DB: url, Data: data, Write: true, Clock: func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }})
	if _, err := a.Import(t.Context(), sampleFolder(t), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	return a, data
}

// TestBackupSeesOneState edits a course while it is backed up, on every engine: the archive has what was there before, all
// of it, and equal bytes are written as long as nothing changes.
func TestBackupSeesOneState(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			a, _ := stored(t, dbtest.URL(t, e))
			dir := t.TempDir()
			first, err := a.Backup(ctx, sample.CourseKey, filepath.Join(dir, "first.zip"), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			block := usage(t, strings.Replace(sample.CourseKey, "course-v1:", "block-v1:", 1)+"+type@problem+block@flash")
			edited := false
			second, err := a.Backup(ctx, sample.CourseKey, filepath.Join(dir, "second.zip"), "", func(step string, _, _ int) {
				if edited || step != "entities" {
					return
				}
				edited = true
				if _, err := a.EditBlocks(ctx, []BlockEdit{{Key: block, OLX: []byte(`<problem display_name="Changed"/>`)}}, ""); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			third, err := a.Backup(ctx, sample.CourseKey, filepath.Join(dir, "third.zip"), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if !edited || *first.SHA256 != *second.SHA256 || *second.SHA256 == *third.SHA256 {
				t.Errorf("edited %v; before %s, during %s, after %s", edited, *first.SHA256, *second.SHA256, *third.SHA256)
			}
			v, err := a.VerifyAgainst(ctx, filepath.Join(dir, "first.zip"), sample.CourseKey, backup.Limits{}, nil)
			if err != nil || len(v.Differences) == 0 {
				t.Errorf("the edit is no difference: %+v, %v", v, err)
			}
		})
	}
}

func usage(t *testing.T, text string) keys.Usage {
	t.Helper()
	k, err := keys.ParseUsage(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestDamagedArchiveLeavesNothing restores an archive in which one file is broken, which shows only while it is written.
func TestDamagedArchiveLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	url := filepath.Join(t.TempDir(), "x.db")
	a, data := stored(t, url)
	path := filepath.Join(t.TempDir(), "course.zip")
	if _, err := a.Backup(ctx, sample.CourseKey, path, "", nil); err != nil {
		t.Fatal(err)
	}
	whole := fingerprint(t, a, data)
	dry := open(t, Config{DB: url, Data: data, Write: true, DryRun: true})
	if r, err := dry.RestorePackage(ctx, path, PackageRestore{Replace: true}); err != nil || r.Status != restoreDone || r.KeptAs == nil {
		t.Errorf("dry run: %+v, %v", r, err)
	}
	if diff := cmp.Diff(whole, fingerprint(t, a, data)); diff != "" {
		t.Errorf("a dry run changed (-before +after):\n%s", diff)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	broken := ""
	for _, f := range z.File {
		if strings.Contains(f.Name, "/static/") && f.UncompressedSize64 > 0 {
			at, err := f.DataOffset()
			if err != nil {
				t.Fatal(err)
			}
			content[at+int64(f.CompressedSize64)/2] ^= 0x21
			broken = f.Name
		}
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	before := fingerprint(t, a, data)
	if len(before.Files) == 0 {
		t.Fatal("no files to compare")
	}
	r, err := a.RestorePackage(ctx, path, PackageRestore{Key: "course-v1:A+B+C"})
	if err == nil || r.Status != restoreFailed || len(r.Errors) != 1 || r.Errors[0].File != broken {
		t.Errorf("%+v, %v", r, err)
	}
	if diff := cmp.Diff(before, fingerprint(t, a, data)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
	if _, err := VerifyBackup(ctx, path, backup.Limits{}, nil); err == nil {
		t.Error("verified")
	}
}

// TestBackupAll writes every package and the manifest, and goes on when one of them cannot be written.
func TestBackupAll(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a, _ := stored(t, filepath.Join(t.TempDir(), "x.db"))
	library := filepath.Join(t.TempDir(), "library")
	if err := os.CopyFS(library, sample.Library()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Import(ctx, library, ImportOptions{Library: true}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "all")
	m, err := a.BackupAll(ctx, dir, "", nil)
	if err != nil || len(m.Packages) != 2 || len(m.Failed) != 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	var told Manifest
	if err := json.Unmarshal(b, &told); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*m, told); diff != "" {
		t.Errorf("manifest (-result +file):\n%s", diff)
	}
	for _, p := range told.Packages {
		digest, err := digestFile(filepath.Join(dir, p.File))
		if err != nil || digest != *p.SHA256 {
			t.Errorf("%s: %s, %v", p.File, digest, err)
		}
		v, err := VerifyBackup(ctx, filepath.Join(dir, p.File), backup.Limits{}, nil)
		if err != nil || !v.OK() {
			t.Errorf("%s: %+v, %v", p.File, v, err)
		}
	}

	// The course's static file goes missing; the library is still written.
	media := filepath.Join(filepath.Dir(filepath.Dir(dir)), "gone")
	a.Files = nil
	m, err = a.BackupAll(ctx, media, "", nil)
	if err != nil || len(m.Packages) != 1 || len(m.Failed) != 1 || m.Failed[0].Key != sample.CourseKey {
		t.Errorf("%+v, %v", m, err)
	}
	left, err := os.ReadDir(media)
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}

// TestBrokenBackupLeavesTheOldOne shows that an archive is only replaced by a whole one.
func TestBrokenBackupLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.zip")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, _ := stored(t, filepath.Join(t.TempDir(), "x.db"))
	a.Files = nil
	if _, err := a.Backup(t.Context(), sample.CourseKey, path, "", nil); err == nil {
		t.Fatal("written")
	}
	w, err := createWhole(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "half"); err != nil {
		t.Fatal(err)
	}
	if err := w.discard(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	b, rerr := os.ReadFile(path)
	if err := errors.Join(err, rerr); err != nil || len(left) != 1 || string(b) != "old" {
		t.Errorf("%d files, %q, %v", len(left), b, err)
	}
}
