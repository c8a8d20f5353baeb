package backup

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/golden"
)

// entries reads a zip with the standard library.
func entries(t testing.TB, content []byte) (names []string, files map[string]*zip.File) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]*zip.File{}
	for _, f := range z.File {
		names = append(names, f.Name)
		files[f.Name] = f
	}
	return names, files
}

func body(t testing.TB, f *zip.File) string {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var namedFields = regexp.MustCompile(`(?m)^(created_by|created_by_email|created_at|origin_server|updated) = .*\n`)

// named takes out what a restored package's archive may have otherwise (backup-format.md §11).
func named(name, text string) string {
	switch {
	case name == packageFile:
		text = namedFields.ReplaceAllString(text, "")
		return regexp.MustCompile(`(?m)^key = .*\n`).ReplaceAllString(text, "")
	case strings.HasPrefix(name, collectionsDir):
		return regexp.MustCompile(`(?m)^created = .*\n`).ReplaceAllString(text, "")
	}
	return text
}

// TestGoldenSameAsPython restores what Python wrote, gives the rows the times that the zip shows, and writes them again:
// the entries have to be Python's, in order, with their attributes, times and bytes.
func TestGoldenSameAsPython(t *testing.T) {
	t.Parallel()
	for _, path := range golden.Glob(t, "backup/*--*.zip") {
		name := strings.TrimSuffix(filepath.Base(path), ".zip")
		if strings.HasPrefix(name, "old") {
			continue // keys that are no codes any more: their codes are only in lectern/
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			original, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s := newStand(t, db.SQLite)
			p, r := s.mustRestore(path, "lib:x:y", ReadOptions{Strict: true})
			wantNames, want := entries(t, original)
			s.age(p, r, want)
			content, _ := s.backup("lib:x:y", WriteOptions{})
			gotNames, got := entries(t, content)
			if diff := cmp.Diff(wantNames, gotNames); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			for _, n := range gotNames {
				w, g := want[n], got[n]
				if w == nil {
					continue
				}
				if diff := cmp.Diff(named(n, body(t, w)), named(n, body(t, g))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", n, diff)
				}
				if w.ExternalAttrs != g.ExternalAttrs || w.CreatorVersion != g.CreatorVersion || w.Flags&0x800 != g.Flags&0x800 || len(g.Extra) > 0 {
					t.Errorf("%s: attributes %x, made by %x, flags %x, extra %x; want %x, %x, %x", n, g.ExternalAttrs, g.CreatorVersion, g.Flags, g.Extra,
						w.ExternalAttrs, w.CreatorVersion, w.Flags)
				}
				if !w.Modified.Equal(g.Modified) {
					t.Errorf("%s: time %v, want %v", n, g.Modified, w.Modified)
				}
			}
			again, _ := s.backup("lib:x:y", WriteOptions{})
			if !bytes.Equal(content, again) {
				t.Error("the same state written twice gives different bytes")
			}
		})
	}
}

// age gives rows the times that the entries of an archive show.
func (s *stand) age(p *Plan, r *Restored, files map[string]*zip.File) {
	s.t.Helper()
	ctx := s.t.Context()
	s.update(func(tx *db.Tx) error {
		updated := files[packageFile].Modified
		set := func(sql string, args ...any) error { _, err := tx.Exec(ctx, sql, args...); return err }
		if err := set("UPDATE openedx_content_learningpackage SET updated = ? WHERE id = ?", updated, r.Package.ID); err != nil {
			return err
		}
		for i := range p.entities {
			e := &p.entities[i]
			versions, err := publishing.VersionsOf(ctx, tx, r.Entity(e.ref))
			if err != nil {
				return err
			}
			for _, v := range versions {
				when := files[e.file].Modified
				if place, _ := placeOf(e.file); !e.isContainer() {
					folder := place.versions() + versionFolder(v.Num)
					when = files[folder].Modified
					for name, f := range files {
						if path, ok := strings.CutPrefix(name, folder); ok && !strings.HasSuffix(name, "/") {
							if err := set(`UPDATE openedx_content_media SET created = ? WHERE id IN (SELECT media_id FROM
								openedx_content_componentversionmedia WHERE component_version_id = ? AND path = ?)`, f.Modified, v.ID, path); err != nil {
								return err
							}
						}
					}
				}
				if err := set("UPDATE openedx_content_publishableentityversion SET created = ? WHERE id = ?", when, v.ID); err != nil {
					return err
				}
			}
		}
		for _, c := range p.collections {
			if err := set("UPDATE openedx_content_collection SET modified = ? WHERE collection_code = ?", files[c.file].Modified, c.code); err != nil {
				return err
			}
		}
		return nil
	})
}
