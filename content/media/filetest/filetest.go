// Package filetest is the test suite of media.Files and media.Sweeper: what every store of files must do. A store's own
// test is a few lines that open it and call [Run].
package filetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/fault"
)

// Store is a store under test, empty at first.
type Store interface {
	media.Files
	media.Sweeper
}

// Place is where a test keeps files.
type Place struct {
	Store
	// Age makes all that is kept so far look written that much earlier.
	Age func(by time.Duration)
	// Cut leaves the first n bytes of a kept blob, as a writer that does not write whole files may.
	Cut func(pkg uuid.UUID, digest string, n int)
}

// Run runs the suite as subtests of t, in parallel. open makes a new place and ends it with the test.
func Run(t *testing.T, open func(t *testing.T) Place) {
	for name, test := range map[string]func(*testing.T, Place){
		"keeps": keeps, "keeps large": keepsLarge, "names": names, "leaves": leaves, "repairs": repairs, "refuses": refuses,
		"many at once": manyAtOnce, "large batch": largeBatch, "sweeps": sweeps,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func open(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// Blob returns a blob of text.
func Blob(text string) media.Blob {
	b := []byte(text)
	return media.Blob{Digest: media.DigestBytes(b), Size: int64(len(b)), Open: open(b)}
}

func put(t *testing.T, s Store, pkg uuid.UUID, blobs ...media.Blob) {
	t.Helper()
	if err := s.Put(t.Context(), pkg, blobs); err != nil {
		t.Fatal(err)
	}
}

// Wants fails the test unless the blob of text is kept whole.
func Wants(t *testing.T, f media.Files, pkg uuid.UUID, text string) {
	t.Helper()
	b := Blob(text)
	r, err := f.Open(t.Context(), pkg, b.Digest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}
	if string(got) != text {
		t.Errorf("kept %d bytes, %.20q…, want %d, %.20q…", len(got), got, len(text), text)
	}
	if size, ok, err := f.Size(t.Context(), pkg, b.Digest); size != b.Size || !ok || err != nil {
		t.Errorf("Size = %d, %v, %v, want %d", size, ok, err, b.Size)
	}
}

// all lists what is kept.
func all(t *testing.T, s Store, pkg uuid.UUID) []string {
	t.Helper()
	list, err := s.Old(t.Context(), pkg, 0)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func keeps(t *testing.T, p Place) {
	pkg, other := uuid.New(), uuid.New()
	put(t, p, pkg)
	put(t, p, pkg, Blob("hello"), Blob(""))
	Wants(t, p, pkg, "hello")
	Wants(t, p, pkg, "")
	hello := Blob("hello").Digest
	if _, err := p.Open(t.Context(), other, hello); !fault.Is(err, fault.NotFound) {
		t.Errorf("Open of another package: %v", err)
	}
	if _, ok, err := p.Size(t.Context(), other, hello); ok || err != nil {
		t.Errorf("Size of another package: %v, %v", ok, err)
	}
	if n := len(all(t, p, pkg)); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
}

func keepsLarge(t *testing.T, p Place) {
	pkg, text := uuid.New(), strings.Repeat("0123456789abcdef", 1<<19+3) // 8 MiB and a little
	put(t, p, pkg, Blob(text))
	Wants(t, p, pkg, text)
}

func names(t *testing.T, p Place) {
	pkg, hello := uuid.New(), Blob("hello")
	put(t, p, pkg, hello)
	for _, bad := range []string{"", "..", "../" + pkg.String() + "/" + hello.Digest, "a/b", strings.ToUpper(hello.Digest)} {
		if _, err := p.Open(t.Context(), pkg, bad); !fault.Is(err, fault.NotFound) {
			t.Errorf("Open(%q): %v", bad, err)
		}
		if _, found, err := p.Size(t.Context(), pkg, bad); found || err != nil {
			t.Errorf("Size(%q): %v, %v", bad, found, err)
		}
		if err := p.Put(t.Context(), pkg, []media.Blob{{Digest: bad, Open: hello.Open}}); err == nil {
			t.Errorf("Put(%q) took it", bad)
		}
	}
}

// leaves: what is kept is not read again, and is young from then on.
func leaves(t *testing.T, p Place) {
	pkg, b := uuid.New(), Blob("hello")
	put(t, p, pkg, b, Blob("other"))
	p.Age(48 * time.Hour)
	b.Open = func() (io.ReadCloser, error) { return nil, errors.New("not needed") }
	put(t, p, pkg, b)
	got, err := p.Old(t.Context(), pkg, media.GuardAge)
	if diff := cmp.Diff([]string{Blob("other").Digest}, got); err != nil || diff != "" {
		t.Errorf("%v; old files, without the one that was used again (-want +got):\n%s", err, diff)
	}
	Wants(t, p, pkg, "hello")
}

func repairs(t *testing.T, p Place) {
	pkg := uuid.New()
	put(t, p, pkg, Blob("hello"))
	p.Cut(pkg, Blob("hello").Digest, 3)
	put(t, p, pkg, Blob("hello"))
	Wants(t, p, pkg, "hello")
}

// failing gives some bytes and then fails.
type failing struct {
	io.Reader
	err error
}

func (f failing) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

// refuses: what is not what it says, or cannot be read, is not kept, in part or whole.
func refuses(t *testing.T, p Place) {
	pkg := uuid.New()
	for _, text := range []string{"hello", strings.Repeat("hello", 400_000)} {
		b := Blob(text)
		other := strings.Replace(text, "e", "a", 1)
		for name, wrong := range map[string]media.Blob{
			"bytes":      {Digest: b.Digest, Size: b.Size, Open: open([]byte(other))},
			"short":      {Digest: b.Digest, Size: b.Size, Open: open([]byte(text[:len(text)-1]))},
			"long":       {Digest: b.Digest, Size: b.Size, Open: open([]byte(text + "x"))},
			"size":       {Digest: b.Digest, Size: b.Size - 1, Open: b.Open},
			"empty":      {Digest: b.Digest, Size: b.Size, Open: open(nil)},
			"not empty":  {Digest: b.Digest, Size: 0, Open: b.Open},
			"size twice": {Digest: b.Digest, Size: 2 * b.Size, Open: b.Open},
		} {
			if err := p.Put(t.Context(), pkg, []media.Blob{wrong}); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s, %d bytes: %v, want invalid", name, b.Size, err)
			}
		}
		fails := errors.New("source broke")
		for name, open := range map[string]func() (io.ReadCloser, error){
			"open": func() (io.ReadCloser, error) { return nil, fails },
			"read": func() (io.ReadCloser, error) {
				return io.NopCloser(failing{strings.NewReader(text[:len(text)/2]), fails}), nil
			},
			"end": func() (io.ReadCloser, error) { return io.NopCloser(failing{strings.NewReader(text), fails}), nil },
		} {
			if err := p.Put(t.Context(), pkg, []media.Blob{{Digest: b.Digest, Size: b.Size, Open: open}}); !errors.Is(err, fails) {
				t.Errorf("%s, %d bytes: %v, want %v", name, b.Size, err, fails)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.Put(ctx, pkg, []media.Blob{b}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
	}
	if got := all(t, p, pkg); len(got) != 0 {
		t.Errorf("left behind %v", got)
	}
}

func manyAtOnce(t *testing.T, p Place) {
	pkg := uuid.New()
	var blobs []media.Blob
	for i := range 100 {
		blobs = append(blobs, Blob(fmt.Sprint(i%75)))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := p.Put(t.Context(), pkg, blobs); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(all(t, p, pkg)); n != 75 {
		t.Errorf("%d files, want 75", n)
	}
	for i := range 75 {
		Wants(t, p, pkg, fmt.Sprint(i))
	}
}

// largeBatch: of a batch of which half is kept, half is read.
func largeBatch(t *testing.T, p Place) {
	pkg := uuid.New()
	var blobs, odd []media.Blob
	var opened atomic.Int64
	for i := range 300 {
		b := Blob(fmt.Sprint("blob ", i))
		from := b.Open
		b.Open = func() (io.ReadCloser, error) { opened.Add(1); return from() }
		blobs = append(blobs, b)
		if i%2 == 1 {
			odd = append(odd, b)
		}
	}
	put(t, p, pkg, odd...)
	opened.Store(0)
	put(t, p, pkg, blobs...)
	if n := opened.Load(); n != 150 {
		t.Errorf("%d blobs were read, want the 150 that were missing", n)
	}
	if n := len(all(t, p, pkg)); n != 300 {
		t.Errorf("%d files, want 300", n)
	}
}

func sweeps(t *testing.T, p Place) {
	pkg, second := uuid.New(), uuid.New()
	if got, err := p.Packages(t.Context()); len(got) != 0 || err != nil {
		t.Fatalf("Packages of nothing = %v, %v", got, err)
	}
	if got := all(t, p, pkg); len(got) != 0 {
		t.Errorf("Old of nothing = %v", got)
	}
	put(t, p, pkg, Blob("old"), Blob("used"))
	put(t, p, second, Blob("old"))
	p.Age(25 * time.Hour)
	put(t, p, pkg, Blob("young"))
	packages, err := p.Packages(t.Context())
	if len(packages) != 2 || err != nil {
		t.Errorf("Packages = %v, %v", packages, err)
	}
	old, err := p.Old(t.Context(), pkg, media.GuardAge)
	if err != nil || len(old) != 2 {
		t.Errorf("Old = %v, %v, want the two old ones", old, err)
	}
	n, err := p.Remove(t.Context(), pkg, []string{Blob("old").Digest, Blob("young").Digest, Blob("never").Digest}, media.GuardAge)
	if n != 1 || err != nil {
		t.Errorf("Remove = %d, %v, want 1", n, err)
	}
	if n := len(all(t, p, pkg)); n != 2 {
		t.Errorf("%d files are left, want the young one and the one that was not named", n)
	}
	Wants(t, p, second, "old")
	if n, err := p.Remove(t.Context(), second, []string{Blob("old").Digest}, 0); n != 1 || err != nil {
		t.Errorf("Remove without an age = %d, %v", n, err)
	}
	if got, err := p.Packages(t.Context()); len(got) != 1 || err != nil {
		t.Errorf("Packages = %v, %v, want the one with files", got, err)
	}
}
