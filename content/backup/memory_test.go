package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// many writes an archive of n components, each with its OLX and a file, 50 to a unit.
func many(t testing.TB, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "many.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := newZipWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	add := func(name, content string) {
		if err := z.file(name, loadTime, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	const entity = "[entity]\ncan_stand_alone = true\nkey = %q\n[entity.draft]\nversion_num = 1\n[entity.published]\nversion_num = 1\n"
	add(packageFile, tiny()[packageFile])
	var e emitter
	var children []string
	for i := range n {
		code := fmt.Sprintf("p%06d", i)
		at := "entities/xblock.v1/problem/" + code
		add(at+".toml", fmt.Sprintf(entity+"[[version]]\ntitle = \"Problem %d\"\nversion_num = 1\n", "xblock.v1:problem:"+code, i))
		add(at+"/component_versions/v1/block.xml", "<problem display_name=\""+code+"\"/>")
		add(at+"/component_versions/v1/static/a.png", code)
		if children = append(children, "xblock.v1:problem:"+code); len(children) == 50 {
			e.reset()
			e.inline("children", children)
			add("entities/unit"+code+".toml", fmt.Sprintf(entity+"[entity.container.unit]\n[[version]]\ntitle = \"U\"\nversion_num = 1\n[version.container]\n%s", "unit"+code, e.b))
			children = children[:0]
		}
	}
	if err := z.close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func heapNow() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory shows that a component with its files costs so little memory that 100,000 stay below 300 MB, the program and
// the database's cache included. It is not parallel: it looks at the heap of the whole process.
func TestMemory(t *testing.T) {
	const most = 1800 // bytes of live heap a component; twice that is what the heap grows to
	n := int64(4000)
	if raceEnabled {
		n = 400
	}
	path := many(t, int(n))
	s := newStand(t, db.SQLite)
	s.Files = &unsynced{kept: map[string][]byte{}}
	before := heapNow()
	per := func(what string) {
		t.Helper()
		const buffers = 2 << 20 // of compressors and the like, whatever the number
		each := max(heapNow()-before-buffers, 0) / n
		t.Logf("%s: %d bytes a component", what, each)
		if each > most {
			t.Errorf("%s takes %d bytes a component, at most %d are fine", what, each, most)
		}
	}
	a, err := Open(t.Context(), path, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	p, err := a.Read(t.Context(), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	per("reading")
	var pkg publishing.Package
	s.update(func(tx *db.Tx) error {
		r, err := p.Restore(t.Context(), tx, s.Files, RestoreOptions{Ref: "lib:Acme:Many"})
		per("restoring")
		if err == nil {
			pkg = r.Package
		}
		return err
	})
	p = nil
	before = heapNow()
	if err := s.View(t.Context(), func(tx *db.Tx) error {
		_, err := Write(t.Context(), tx, s.Files, pkg, io.Discard, WriteOptions{Now: loadTime, Progress: func(done, total int) {
			if done == total {
				per("writing")
			}
		}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// unsynced keeps files in memory: syncing thousands to a disk would take longer than all else.
type unsynced struct {
	mu   sync.Mutex // guards kept
	kept map[string][]byte
}

func (u *unsynced) Put(_ context.Context, _ uuid.UUID, blobs []media.Blob) error {
	for _, b := range blobs {
		r, err := b.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		u.mu.Lock()
		u.kept[b.Digest] = bytes.Clone(content)
		u.mu.Unlock()
	}
	return nil
}

func (u *unsynced) Open(_ context.Context, _ uuid.UUID, digest string) (io.ReadCloser, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return io.NopCloser(bytes.NewReader(u.kept[digest])), nil
}

func (u *unsynced) Size(_ context.Context, _ uuid.UUID, digest string) (int64, bool, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b, ok := u.kept[digest]
	return int64(len(b)), ok, nil
}

// TestStatements shows that the number of statements grows with batches, not with components.
func TestStatements(t *testing.T) {
	t.Parallel()
	count := func(n int) (restore, backup int) {
		s := newStand(t, db.SQLite)
		s.Files = &unsynced{kept: map[string][]byte{}}
		var told *int
		s.listen(func(string) {
			if told != nil {
				*told++
			}
		})
		told = &restore
		s.mustRestore(many(t, n), "lib:Acme:Many", ReadOptions{})
		told = &backup
		s.backup("lib:Acme:Many", WriteOptions{})
		told = nil
		return restore, backup
	}
	r1, b1 := count(100)
	r2, b2 := count(400)
	if r2-r1 > 60 || b2-b1 > 60 {
		t.Errorf("300 components more take %d statements more to restore and %d to back up", r2-r1, b2-b1)
	}
}

// TestCancel shows that a backup and a restore end when their context does.
func TestCancel(t *testing.T) {
	t.Parallel()
	s := newStand(t, db.SQLite)
	_, r := s.mustRestore(put(t, "x.zip", pack(t, tiny())), "lib:x:y", ReadOptions{})
	a, err := Open(t.Context(), put(t, "x.zip", pack(t, tiny())), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Read(ctx, ReadOptions{}); err == nil {
		t.Error("read")
	}
	if err := s.View(t.Context(), func(tx *db.Tx) error {
		_, err := Write(ctx, tx, s.Files, r.Package, &bytes.Buffer{}, WriteOptions{Now: loadTime})
		return err
	}); err == nil {
		t.Error("written")
	}
}

// BenchmarkRestore restores 1,000 components with their files.
func BenchmarkRestore(b *testing.B) {
	path := many(b, 1000)
	s := newStand(b, db.SQLite)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.mustRestore(path, fmt.Sprint("lib:Acme:Many", i), ReadOptions{})
	}
}
