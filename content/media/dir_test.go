package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/fault"
)

// blobOf is a blob of text.
func blobOf(text string) Blob {
	return Blob{Digest: DigestBytes([]byte(text)), Size: int64(len(text)), Open: openBytes([]byte(text))}
}

// openBytes gives bytes as content that is not known to be what it says.
func openBytes(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// content returns what is kept of a blob.
func content(t *testing.T, d Files, pkg uuid.UUID, digest string) string {
	t.Helper()
	f, err := d.Open(t.Context(), pkg, digest)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// names lists the files of a package, parts included.
func names(t *testing.T, d *Dir, pkg uuid.UUID) []string {
	t.Helper()
	list, err := d.list(t.Context(), pkg)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDirKeepsAndFinds(t *testing.T) {
	t.Parallel()
	d, pkg := NewDir(filepath.Join(t.TempDir(), "new", "folder")), uuid.New()
	hello, empty := blobOf("hello"), blobOf("")
	if err := d.Put(t.Context(), pkg, []Blob{hello, empty}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, d, pkg, hello.Digest); got != "hello" {
		t.Errorf("kept %q", got)
	}
	if got := content(t, d, pkg, empty.Digest); got != "" {
		t.Errorf("kept %q", got)
	}
	if size, ok, err := d.Size(t.Context(), pkg, hello.Digest); size != 5 || !ok || err != nil {
		t.Errorf("Size = %d, %v, %v", size, ok, err)
	}
	want := filepath.Join(d.root, "content", pkg.String(), hello.Digest)
	info, err := os.Stat(want)
	if err != nil || info.Mode().Perm() != 0o644 || d.Path(pkg, hello.Digest) != want {
		t.Errorf("%s: %v, %v", want, info, err)
	}
	if got := names(t, d, pkg); len(got) != 2 {
		t.Errorf("files %v, want no parts", got)
	}
	other := uuid.New()
	if _, err := d.Open(t.Context(), other, hello.Digest); !fault.Is(err, fault.NotFound) {
		t.Errorf("of another package: %v", err)
	}
	if _, ok, err := d.Size(t.Context(), other, hello.Digest); ok || err != nil {
		t.Errorf("of another package: %v, %v", ok, err)
	}
	for _, bad := range []string{"", "..", "../" + pkg.String() + "/" + hello.Digest, "a/b"} {
		if _, err := d.Open(t.Context(), pkg, bad); !fault.Is(err, fault.NotFound) {
			t.Errorf("Open(%q): %v", bad, err)
		}
		if err := d.Put(t.Context(), pkg, []Blob{{Digest: bad, Open: hello.Open}}); err == nil {
			t.Errorf("Put(%q) took it", bad)
		}
	}
}

func TestDirLeavesWholeFilesAndRepairsOthers(t *testing.T) {
	t.Parallel()
	d, pkg, b := NewDir(t.TempDir()), uuid.New(), blobOf("hello")
	if err := d.Put(t.Context(), pkg, []Blob{b}); err != nil {
		t.Fatal(err)
	}
	name := d.Path(pkg, b.Digest)
	long := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(name, long, long); err != nil {
		t.Fatal(err)
	}
	again := b
	again.Open = func() (io.ReadCloser, error) { return nil, errors.New("not needed") }
	if err := d.Put(t.Context(), pkg, []Blob{again}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("a file that is used again keeps its age, so a sweep could take it: %v, %v", info.ModTime(), err)
	}
	if err := os.WriteFile(name, []byte("hel"), 0o600); err != nil { // what a writer without a rename leaves when killed
		t.Fatal(err)
	}
	if err := d.Put(t.Context(), pkg, []Blob{b}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, d, pkg, b.Digest); got != "hello" {
		t.Errorf("after the repair %q", got)
	}
}

func TestDirRefusesOtherContent(t *testing.T) {
	t.Parallel()
	d, pkg, b := NewDir(t.TempDir()), uuid.New(), blobOf("hello")
	for name, wrong := range map[string]Blob{
		"bytes": {Digest: b.Digest, Size: b.Size, Open: openBytes([]byte("hallo"))},
		"short": {Digest: b.Digest, Size: b.Size, Open: openBytes([]byte("hell"))},
		"size":  {Digest: b.Digest, Size: 4, Open: b.Open},
	} {
		if err := d.Put(t.Context(), pkg, []Blob{wrong}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
	fails := errors.New("source broke")
	for name, open := range map[string]func() (io.ReadCloser, error){
		"open": func() (io.ReadCloser, error) { return nil, fails },
		"read": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader("he"), failing{fails})), nil
		},
	} {
		if err := d.Put(t.Context(), pkg, []Blob{{Digest: b.Digest, Size: b.Size, Open: open}}); !errors.Is(err, fails) {
			t.Errorf("%s: %v, want %v", name, err, fails)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Put(ctx, pkg, []Blob{b}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if got := names(t, d, pkg); len(got) != 0 {
		t.Errorf("left behind %v", got)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestDirFailsAtEveryStep makes each step of writing fail in turn: the error says what to do, a file is there whole or
// not at all, and the same call succeeds once the disk is well again.
func TestDirFailsAtEveryStep(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789", 30_000) // several writes
	for _, others := range []int{0, many} {
		failEverywhere(t, big, others, false)
	}
	failEverywhere(t, big, many, true)
}

func failEverywhere(t *testing.T, big string, others int, fresh bool) {
	t.Helper()
	blobs := []Blob{blobOf(big)}
	for i := range others { // so many that all are synced together
		blobs = append(blobs, blobOf(fmt.Sprint("other ", i)))
	}
	for i := range blobs {
		blobs[i].Fresh = fresh
	}
	for step := 1; ; step++ {
		f := &faulty{failAt: step, err: syscall.ENOSPC}
		d := NewDir(t.TempDir())
		d.disk = f
		pkg, b := uuid.New(), blobs[0]
		err := d.Put(t.Context(), pkg, blobs)
		if err == nil {
			if step < 10+others {
				t.Fatalf("only %d steps", step)
			}
			return
		}
		if !fault.Is(err, fault.Unavailable) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v, want unavailable", f.failed, err)
		}
		if size, there, err := NewDir(d.root).Size(t.Context(), pkg, b.Digest); err != nil || there && size != b.Size {
			t.Errorf("%s: left %d bytes of %d, %v", f.failed, size, b.Size, err)
		}
		for _, n := range names(t, NewDir(d.root), pkg) {
			if strings.HasPrefix(n, partName) {
				t.Errorf("%s: left %s", f.failed, n)
			}
		}
		f.failAt = 0
		if err := d.Put(t.Context(), pkg, blobs); err != nil {
			t.Errorf("%s: again: %v", f.failed, err)
		}
		if content(t, d, pkg, b.Digest) != big {
			t.Errorf("%s: again: other content", f.failed)
		}
	}
}

// TestDirFresh writes what nobody can ask for yet under its own name at once, and leaves alone what is there.
func TestDirFresh(t *testing.T) {
	t.Parallel()
	f := &faulty{}
	d, pkg := NewDir(t.TempDir()), uuid.New()
	d.disk = f
	if b, err := f.Barrier(d.root); b == nil {
		t.Skip(err, "no system call to sync all")
	}
	var blobs []Blob
	for i := range many {
		b := blobOf(fmt.Sprint("fresh ", i))
		b.Fresh = true
		blobs = append(blobs, b, b) // twice, of which one comes too late to make the file
	}
	put := func() map[string]int {
		f.done = map[string]int{}
		if err := d.Put(t.Context(), pkg, blobs); err != nil {
			t.Fatal(err)
		}
		for i := range many {
			if got := content(t, d, pkg, blobs[2*i].Digest); got != fmt.Sprint("fresh ", i) {
				t.Errorf("blob %d is %q", i, got)
			}
		}
		return f.done
	}
	if n := put(); n["rename"] > many || n["make"] != 2*many || n["sync all"] != 1 {
		t.Errorf("the first time: %v, want %d files made under their own names and one sync", n, many)
	}
	if err := os.WriteFile(d.Path(pkg, blobs[0].Digest), []byte("fre"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := put(); n["rename"] < 1 || n["rename"] > 2 {
		t.Errorf("the second time: %v, want the file of another size replaced", n)
	}
	if got := names(t, d, pkg); len(got) != many {
		t.Errorf("%d files, want %d and no parts", len(got), many)
	}
}

func TestDirManyAtOnce(t *testing.T) {
	t.Parallel()
	d, pkg := NewDir(t.TempDir()), uuid.New()
	var blobs []Blob
	for i := range 200 {
		blobs = append(blobs, blobOf(fmt.Sprint(i%150)))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := d.Put(t.Context(), pkg, blobs); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := names(t, d, pkg); len(got) != 150 {
		t.Errorf("%d files, want 150 and no parts", len(got))
	}
}

func TestDirSweeps(t *testing.T) {
	t.Parallel()
	d, pkg := NewDir(t.TempDir()), uuid.New()
	if got, err := d.Packages(t.Context()); len(got) != 0 || err != nil {
		t.Fatalf("Packages of nothing = %v, %v", got, err)
	}
	old, young, used := blobOf("old"), blobOf("young"), blobOf("used")
	if err := d.Put(t.Context(), pkg, []Blob{old, young, used}); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(d.Path(pkg, old.Digest))
	for _, n := range []string{".part-1", ".part-2", "readme.txt"} {
		if err := os.WriteFile(filepath.Join(folder, n), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(d.root, "content", "lost+found"), 0o700); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-25 * time.Hour)
	for _, n := range []string{old.Digest, used.Digest, ".part-1", "readme.txt"} {
		if err := os.Chtimes(filepath.Join(folder, n), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.Packages(t.Context()); len(got) != 1 || got[0] != pkg || err != nil {
		t.Errorf("Packages = %v, %v", got, err)
	}
	list, err := d.Old(t.Context(), pkg, GuardAge)
	if err != nil || len(list) != 2 {
		t.Errorf("Old = %v, %v, want the two old ones", list, err)
	}
	n, err := d.Remove(t.Context(), pkg, []string{old.Digest, young.Digest}, GuardAge)
	if n != 2 || err != nil { // old and .part-1
		t.Errorf("Remove = %d, %v, want 2", n, err)
	}
	for name, want := range map[string]bool{old.Digest: false, young.Digest: true, used.Digest: true, ".part-1": false, ".part-2": true, "readme.txt": true} {
		if _, err := os.Stat(filepath.Join(folder, name)); errors.Is(err, fs.ErrNotExist) == want {
			t.Errorf("%s is there: %v, want %v", name, !want, want)
		}
	}
	if err := os.Remove(filepath.Join(folder, "readme.txt")); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Remove(t.Context(), pkg, []string{young.Digest, used.Digest}, 0); n != 3 || err != nil {
		t.Errorf("Remove = %d, %v, want 3", n, err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty folder stays: %v", err)
	}
	if err := d.Put(t.Context(), pkg, []Blob{old}); err != nil {
		t.Errorf("after the folder went: %v", err)
	}
}

// faulty is a disk on which one step, counted over all files, fails.
type faulty struct {
	osDisk
	mu     sync.Mutex
	n      int
	failAt int    // guarded by mu, as the rest; 0 never fails
	failed string // which step it was
	err    error
	die    bool           // the process is killed instead
	done   map[string]int // steps by name, unless nil
}

func (f *faulty) step(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.done != nil {
		f.done[name]++
	}
	if f.failAt == 0 || f.n != f.failAt {
		return nil
	}
	f.failed = fmt.Sprintf("step %d, %s", f.n, name)
	if f.die {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	return f.err
}

func (f *faulty) MkdirAll(dir string) error {
	if err := f.step("mkdir"); err != nil {
		return err
	}
	return f.osDisk.MkdirAll(dir)
}

func (f *faulty) CreateTemp(dir, prefix string) (diskFile, error) {
	if err := f.step("create"); err != nil {
		return nil, err
	}
	file, err := f.osDisk.CreateTemp(dir, prefix)
	return &faultyFile{file, f}, err
}

func (f *faulty) Create(name string) (diskFile, error) {
	if err := f.step("make"); err != nil {
		return nil, err
	}
	file, err := f.osDisk.Create(name)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

func (f *faulty) Rename(from, to string) error {
	if err := f.step("rename"); err != nil {
		return err
	}
	return f.osDisk.Rename(from, to)
}

func (f *faulty) SyncDir(dir string) error {
	if err := f.step("sync folder"); err != nil {
		return err
	}
	return f.osDisk.SyncDir(dir)
}

func (f *faulty) Barrier(dir string) (barrier, error) {
	if err := f.step("barrier"); err != nil {
		return nil, err
	}
	b, err := f.osDisk.Barrier(dir)
	if b == nil {
		return nil, err // not on this system
	}
	return faultyBarrier{b, f}, err
}

type faultyBarrier struct {
	barrier
	f *faulty
}

func (b faultyBarrier) Sync() error {
	if err := b.f.step("sync all"); err != nil {
		return err
	}
	return b.barrier.Sync()
}

type faultyFile struct {
	diskFile
	f *faulty
}

// Write fails after half of the bytes, as a full disk does.
func (x *faultyFile) Write(p []byte) (int, error) {
	if err := x.f.step("write"); err != nil {
		n, _ := x.diskFile.Write(bytes.Clone(p[:len(p)/2]))
		return n, err
	}
	return x.diskFile.Write(p)
}

func (x *faultyFile) Share() error {
	if err := x.f.step("share"); err != nil {
		return err
	}
	return x.diskFile.Share()
}

func (x *faultyFile) Sync() error {
	if err := x.f.step("sync"); err != nil {
		return err
	}
	return x.diskFile.Sync()
}

func (x *faultyFile) Close() error {
	if err := x.f.step("close"); err != nil {
		return errors.Join(err, x.diskFile.Close())
	}
	return x.diskFile.Close()
}
