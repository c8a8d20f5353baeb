package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/openlectern/lectern/fault"
)

func TestMakeOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", FileName)
	ids := make([]string, 3)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			r, err := Open(path)
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = r.Signing().ID
		})
	}
	wg.Wait()
	if ids[0] == "" || ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("processes that start at once use different keys: %q", ids)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, want the keys alone (%v)", len(left), err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	first, sealed, sum := r.Signing().ID, r.Seal("p", []byte("text")), r.Sum("p", "text")
	second, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	r.stale()
	if got := r.Signing().ID; got != second || got == first {
		t.Errorf("signs with %q, want the new key %q", got, second)
	}
	if _, ok := r.Find(first); !ok {
		t.Error("the old key is no longer accepted")
	}
	if text, ok := r.Open("p", sealed); !ok || string(text) != "text" {
		t.Error("what was sealed before is no longer opened")
	}
	if bytes.Equal(sum, r.Sum("p", "text")) {
		t.Error("the new secret is not used")
	}
	if err := Remove(path, second); !fault.Is(err, fault.Refused) {
		t.Errorf("remove the key in use: %v, want refused", err)
	}
	if err := Remove(path, "other"); !fault.Is(err, fault.NotFound) {
		t.Errorf("remove no key: %v, want not found", err)
	}
	if err := Remove(path, first); err != nil {
		t.Fatal(err)
	}
	r.stale()
	if _, ok := r.Find(first); ok || len(r.All()) != 1 {
		t.Error("a removed key is still accepted")
	}
	if _, ok := r.Open("p", sealed); ok {
		t.Error("what a removed secret sealed is still opened")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r.stale()
	if got := r.Signing().ID; got != second {
		t.Error("without its file a running server has lost its keys")
	}
}

// stale makes the ring look at its file again.
func (r *Ring) stale() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looked = time.Time{}
}

func TestFindLooksAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), FileName)
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	id, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	r.looked = time.Now().Add(-2 * time.Second) // too fresh to look by itself
	r.mu.Unlock()
	if _, ok := r.Find(id); !ok {
		t.Error("a key that another server signs with already is not found")
	}
}

func TestSealed(t *testing.T) {
	t.Parallel()
	r, err := Open(filepath.Join(t.TempDir(), FileName))
	if err != nil {
		t.Fatal(err)
	}
	sealed := r.Seal("p", []byte("text"))
	if sealed == r.Seal("p", []byte("text")) {
		t.Error("the same text seals to the same letters")
	}
	for _, c := range []struct{ purpose, sealed string }{{"q", sealed}, {"p", sealed[:len(sealed)-2] + "AA"}, {"p", ""}, {"p", "?"}, {"p", "AAAA"}} {
		if _, ok := r.Open(c.purpose, c.sealed); ok {
			t.Errorf("Open(%q, %q) opens", c.purpose, c.sealed)
		}
	}
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), FileName)
	if err := Make(good); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		mode os.FileMode
		want fault.Kind
	}{
		"open to all":   {text, 0o644, fault.Refused},
		"not JSON":      {[]byte("secret"), 0o600, fault.Invalid},
		"empty":         {nil, 0o600, fault.Invalid},
		"another form":  {[]byte(`{"version": 2}`), 0o600, fault.Invalid},
		"no keys":       {[]byte(`{"version": 1, "signing": [], "secrets": []}`), 0o600, fault.Invalid},
		"not a key":     {[]byte(`{"version": 1, "signing": [{"id": "a", "key": "AAAA"}], "secrets": [{"id": "a", "key": "AAAA"}]}`), 0o600, fault.Invalid},
		"cut in middle": {text[:len(text)/2], 0o600, fault.Invalid},
	} {
		path := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(path, c.text, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want.Code())
		}
	}
}
