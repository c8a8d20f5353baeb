package prune

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/fault"
)

// newKey writes a key and returns the file with it, and that with its public part.
func newKey(t *testing.T) (private, public string) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	private = write("PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(pub)
	return private, write("PUBLIC KEY", der, err)
}

// TestSigned applies plans of certain signers only; one that was changed, or whose signature was, is none (PR-4).
func TestSigned(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 1)
	ids := s.chain(12)
	s.now = s.now.AddDate(1, 0, 0)
	private, public := newKey(t)
	_, other := newKey(t)
	key, err := ReadSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifiers := func(paths ...string) (keys []ed25519.PublicKey) {
		for _, path := range paths {
			some, err := ReadVerifiers(path)
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, some...)
		}
		return keys
	}
	dir := t.TempDir()
	plan := func(name string, key ed25519.PrivateKey) string {
		path := filepath.Join(dir, name)
		p, err := Make(t.Context(), m, Options{Policy: Policy{Last: 1}, Now: s.now, Signer: key}, path)
		if err != nil {
			t.Fatal(err)
		}
		read, err := Open(path)
		if err != nil || read.SignedBy != p.SignedBy || (p.SignedBy != "") != (key != nil) || read.SHA256 != p.SHA256 {
			t.Fatalf("signed by %q, read as by %q: %v", p.SignedBy, read.SignedBy, err)
		}
		return path
	}
	signed, unsigned := plan("signed.json", key), plan("unsigned.json", nil)
	text, err := os.ReadFile(signed)
	if err != nil {
		t.Fatal(err)
	}
	rewrite := func(change func(text string) string) string {
		path := filepath.Join(t.TempDir(), "changed.json")
		if err := os.WriteFile(path, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// again gives what was changed the right digest, as somebody without the key can.
	again := func(text string, signature bool) string {
		i := strings.Index(text, `  "sha256"`)
		sum := sha256.Sum256([]byte(text[:i]))
		rest := text[i+len(`  "sha256": "`)+64:]
		if !signature {
			rest = "\"\n}\n"
		}
		return text[:i] + `  "sha256": "` + hex.EncodeToString(sum[:]) + rest
	}
	change := func(text string) string { return strings.Replace(text, ids[0].String(), ids[11].String(), 1) }
	for _, c := range []struct {
		name string
		path string
		keys []ed25519.PublicKey
		want fault.Kind
	}{
		{"not signed", unsigned, verifiers(public), fault.Refused},
		{"another signer", signed, verifiers(other), fault.Refused},
		{"changed", rewrite(change), verifiers(public), fault.Invalid},
		{"changed, with its digest", rewrite(func(text string) string { return again(change(text), true) }), verifiers(public), fault.Invalid},
		{"changed, unsigned, with its digest", rewrite(func(text string) string { return again(change(text), false) }), verifiers(public), fault.Refused},
		{"another signer's name", rewrite(func(text string) string {
			return strings.Replace(text, `"signed_by": "`+hex.EncodeToString(verifiers(public)[0]), `"signed_by": "`+hex.EncodeToString(verifiers(other)[0]), 1)
		}), nil, fault.Invalid},
	} {
		before := len(content(m))
		p, err := Open(c.path)
		if err == nil {
			_, err = Apply(t.Context(), m, p, ApplyOptions{Archive: filepath.Join(t.TempDir(), "archive"), SignedBy: c.keys, Sleep: noSleep, Restorable: time.Hour})
		}
		if !fault.Is(err, c.want) || len(content(m)) != before {
			t.Errorf("%s: %v, want %v; %d documents of %d", c.name, err, c.want, len(content(m)), before)
		}
	}
	for _, path := range []string{public, unsigned, filepath.Join(dir, "none")} {
		if _, err := ReadSigner(path); err == nil {
			t.Errorf("%s is a key to sign with", path)
		}
		if _, err := ReadVerifiers(path); (err == nil) != (path == public) {
			t.Errorf("%s as public keys: %v", path, err)
		}
	}
	p, err := Open(signed)
	if err != nil {
		t.Fatal(err)
	}
	// Changed after it was looked at it is refused; changed once apply has begun it does no harm.
	copied := rewrite(func(text string) string { return text })
	late, err := Open(copied)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(string(text))
	if err := os.WriteFile(copied, []byte(again(changed, false)), 0o600); err != nil {
		t.Fatal(err)
	}
	before := len(content(m))
	if _, err := Apply(t.Context(), m, late, ApplyOptions{Archive: filepath.Join(t.TempDir(), "archive"), SignedBy: verifiers(public), Sleep: noSleep, Restorable: time.Hour}); !fault.Is(err, fault.Invalid) || len(content(m)) != before {
		t.Errorf("changed while it was looked at: %v", err)
	}
	m.hook = func(call string) error {
		if call == "delete" {
			return os.WriteFile(signed, []byte(again(changed, false)), 0o600)
		}
		return nil
	}
	archive := filepath.Join(dir, "archive")
	if _, err := Apply(t.Context(), m, p, ApplyOptions{Archive: archive, SignedBy: verifiers(other, public), By: "jo", Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if log, err := os.ReadFile(filepath.Join(archive, "audit.log")); err != nil || !strings.Contains(string(log), " signed by "+p.SignedBy) {
		t.Errorf("audit log %s: %v", log, err)
	}
	if !s.exists(ids[11]) || s.exists(ids[0]) {
		t.Error("what was changed since counts")
	}
}
