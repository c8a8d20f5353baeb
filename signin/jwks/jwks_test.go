package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/openlectern/lectern/fault"
)

func set(t *testing.T, ids ...string) []byte {
	t.Helper()
	var s jose.JSONWebKeySet
	for _, id := range ids {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s.Keys = append(s.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: id})
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, set(t, "a", "b"), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int{"a": 1, "": 2, "other": 2} {
		if got, err := k.Find(t.Context(), id); err != nil || len(got) != want {
			t.Errorf("Find(%q): %d keys, %v; want %d", id, len(got), err, want)
		}
	}
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{path, path + "x", "http://example.org/keys", "https://", "ftp://example.org"} {
		if _, err := Open(from); !fault.Is(err, fault.Usage) {
			t.Errorf("Open(%q): %v, want a usage error", from, err)
		}
	}
}

func TestRemote(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var text atomic.Value
	text.Store(set(t, "a"))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		b := text.Load().([]byte)
		if len(b) == 0 {
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(s.Close)
	k, err := Open(s.URL)
	if err != nil || asked.Load() != 0 {
		t.Fatalf("%v, asked %d times before the first use", err, asked.Load())
	}
	r := k.(*remote)
	find := func(id string, want int) {
		t.Helper()
		if got, err := k.Find(t.Context(), id); err != nil || len(got) != want {
			t.Errorf("Find(%q): %d keys, %v; want %d", id, len(got), err, want)
		}
	}
	find("a", 1)
	find("a", 1)
	for range 5 {
		find("unknown", 1) // strangers cannot make us ask all the time
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	text.Store(set(t, "b", "c"))
	r.mu.Lock()
	r.tried = time.Now().Add(-time.Minute)
	r.mu.Unlock()
	find("c", 1)
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want twice", n)
	}
	text.Store([]byte{})
	r.mu.Lock()
	r.tried, r.got = time.Time{}, time.Time{}
	r.mu.Unlock()
	find("b", 1) // while the server is down
	down, err := Open(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := down.Find(t.Context(), "a"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("keys that were never got: %v, want unavailable", err)
		}
	}
}
