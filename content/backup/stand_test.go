package backup

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/user"
)

func setup(d *db.DB) error { return schema.Create(context.Background(), d) }

var loadTime = time.Date(2026, 11, 23, 6, 0, 0, 250_000_000, time.UTC)

// stand is a store of a test, with a user bob.
type stand struct {
	content.Store
	t    testing.TB
	bob  publishing.UserID
	root string // of media files

	told func(sql string) // of every statement, if not nil
}

// listen has fn told of every statement.
func (s *stand) listen(fn func(sql string)) { s.told = fn }

func newStand(t testing.TB, e db.Engine) *stand {
	t.Helper()
	s := &stand{t: t, root: t.TempDir()}
	d, err := db.Open(t.Context(), dbtest.ReadyURL(t, e, setup), db.Options{
		Clock: func() time.Time { return loadTime },
		OnStatement: func(sql string) {
			if s.told != nil {
				s.told(sql)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	s.DB, s.Files = d, media.NewDir(s.root)
	s.update(func(tx *db.Tx) error {
		u, err := user.Create(t.Context(), tx, user.New{Username: "bob", Email: "bob@example.org"})
		s.bob = publishing.UserID(u.ID)
		return err
	})
	return s
}

func (s *stand) update(fn func(tx *db.Tx) error) {
	s.t.Helper()
	if err := s.Update(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// restore restores the archive at path under a ref.
func (s *stand) restore(path, ref string, o ReadOptions) (*Plan, *Restored, error) {
	a, err := Open(s.t.Context(), path, Limits{})
	if err != nil {
		return nil, nil, err
	}
	defer a.Close()
	p, err := a.Read(s.t.Context(), o)
	if err != nil {
		return nil, nil, err
	}
	var r *Restored
	err = s.Update(s.t.Context(), func(tx *db.Tx) (err error) {
		r, err = p.Restore(s.t.Context(), tx, s.Files, RestoreOptions{Ref: ref, By: s.bob, Source: filepath.Base(path)})
		return err
	})
	return p, r, err
}

func (s *stand) mustRestore(path, ref string, o ReadOptions) (*Plan, *Restored) {
	s.t.Helper()
	p, r, err := s.restore(path, ref, o)
	if err != nil {
		s.t.Fatalf("%s: %v", filepath.Base(path), err)
	}
	return p, r
}

// backup writes a package.
func (s *stand) backup(ref string, o WriteOptions) ([]byte, *Summary) {
	s.t.Helper()
	if o.Now.IsZero() {
		o.Now = loadTime
	}
	var out bytes.Buffer
	var sum *Summary
	err := s.View(s.t.Context(), func(tx *db.Tx) error {
		pkg, err := publishing.PackageByRef(s.t.Context(), tx, ref)
		if err == nil {
			sum, err = Write(s.t.Context(), tx, s.Files, pkg, &out, o)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out.Bytes(), sum
}

// put writes bytes to a new file.
func put(t testing.TB, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// rows returns how many rows the content tables hold that a restore could leave behind, and how many files.
func (s *stand) rows() map[string]int64 {
	s.t.Helper()
	out := map[string]int64{}
	for _, table := range []string{"learningpackage", "publishableentity", "componenttype", "containertype", "media", "mediatype", "collection"} {
		n, _, err := db.One(s.t.Context(), s.DB, "SELECT count(*) FROM openedx_content_"+table, nil, db.Value[int64])
		if err != nil {
			s.t.Fatal(err)
		}
		out[table] = n
	}
	err := filepath.WalkDir(s.root, func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out["files"]++
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Open gives other bytes than were put.
func (l lossy) Open(context.Context, uuid.UUID, string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("pnG")), nil
}
