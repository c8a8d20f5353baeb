package webtoken

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin/keyring"
	"github.com/openlectern/lectern/user"
)

var jo = user.User{ID: 7, Username: "jo", Email: "jo@example.org", Name: "Jo B. Lamb", Staff: true, Active: true}

const here = "https://lectern.example.org"

func issuer(t *testing.T) *Issuer {
	t.Helper()
	r, err := keyring.Open(filepath.Join(t.TempDir(), keyring.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return &Issuer{Ring: r, Name: here}
}

func TestIssued(t *testing.T) {
	t.Parallel()
	i := issuer(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 5e8, time.UTC)
	i.Clock = func() time.Time { return now }
	token, err := i.Issue(jo, "session")
	if err != nil {
		t.Fatal(err)
	}
	front, back := token.Split()
	if front+"."+back != token.Text || strings.Count(front, ".") != 1 || strings.Contains(back, ".") {
		t.Errorf("cookies %q and %q are not the token", front, back)
	}
	_, payload, _ := strings.Cut(front, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"iss": here, "aud": []any{"lectern"}, "sub": "7", "iat": 1795435200.0, "exp": 1795438800.0, "user_id": 7.0,
		"preferred_username": "jo", "email": "jo@example.org", "email_verified": true, "name": "Jo B. Lamb", "given_name": "Jo",
		"family_name": "B. Lamb", "administrator": true, "superuser": false, "roles": []any{}, "filters": []any{},
		"scopes": []any{"user_id", "email", "profile"}, "is_restricted": false, "grant_type": "password", "version": "1.2.0", "sid": "session",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	c, err := i.Check(token.Text)
	if err != nil || c.UserID != 7 || c.Session != "session" {
		t.Errorf("Check = %+v, %v", c, err)
	}
	now = now.Add(Life)
	if _, err := i.Check(token.Text); !errors.Is(err, ErrInvalid) {
		t.Errorf("an expired token: %v, want ErrInvalid", err)
	}
	// Others accept it by our public keys.
	set, err := json.Marshal(i.Keys())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseSet(set)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(set), `"d"`) {
		t.Error("the set of public keys holds a private one")
	}
	o := Other{Issuer: here, Audience: "lectern", Keys: keys, Clock: func() time.Time { return now.Add(-time.Minute) }}
	if name, err := o.Check(t.Context(), token.Text); err != nil || name != "jo" {
		t.Errorf("another server: %q, %v; want jo", name, err)
	}
}

// sign makes a token by hand.
func sign(t *testing.T, m jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(m, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestForgedOwn(t *testing.T) {
	t.Parallel()
	i := issuer(t)
	good := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"iss": here, "aud": "lectern", "exp": time.Now().Add(time.Hour).Unix(), "user_id": 7, "sid": "s"}
		if change != nil {
			change(c)
		}
		return c
	}
	k := i.Ring.Signing()
	if _, err := i.Check(sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(nil))); err != nil {
		t.Fatalf("the token that the others differ from: %v", err)
	}
	public, err := json.Marshal(i.Keys())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"alg none":      sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, k.ID, good(nil)),
		"other alg":     sign(t, jwt.SigningMethodRS256, k.Private, k.ID, good(nil)),
		"hmac":          sign(t, jwt.SigningMethodHS512, public, k.ID, good(nil)),
		"other key":     sign(t, jwt.SigningMethodRS512, rsaKey(t, 2048), k.ID, good(nil)),
		"no kid":        sign(t, jwt.SigningMethodRS512, k.Private, "", good(nil)),
		"unknown kid":   sign(t, jwt.SigningMethodRS512, k.Private, "other", good(nil)),
		"expired":       sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Second).Unix() })),
		"no end":        sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { delete(c, "exp") })),
		"no audience":   sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { delete(c, "aud") })),
		"other issuer":  sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { c["iss"] = "https://lms.example.org" })),
		"not yet":       sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() })),
		"no session":    sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { delete(c, "sid") })),
		"no user":       sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { delete(c, "user_id") })),
		"user is text":  sign(t, jwt.SigningMethodRS512, k.Private, k.ID, good(func(c jwt.MapClaims) { c["user_id"] = "7" })),
		"empty":         "",
		"three nothing": "..",
		"garbage":       "a.b.c",
	} {
		if c, err := i.Check(text); !errors.Is(err, ErrInvalid) || c.UserID != 0 {
			t.Errorf("%s: %+v, %v; want ErrInvalid", name, c, err)
		}
	}
}

func TestOther(t *testing.T) {
	t.Parallel()
	rs, weak := rsaKey(t, 2048), rsaKey(t, 1024)
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("a secret of the LMS")
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &rs.PublicKey, KeyID: "openedx"}, {Key: es.Public(), KeyID: "es"}, {Key: ed.Public(), KeyID: "ed"},
		{Key: secret, KeyID: "oct"}, {Key: &weak.PublicKey, KeyID: "weak"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	set, err := ParseSet(text)
	if err != nil || len(set) != 3 {
		t.Fatalf("%d keys, %v; want the three public ones of good length", len(set), err)
	}
	lms := &Other{Issuer: "https://lms/oauth2", Audience: "openedx", Keys: set}
	both := &Other{Issuer: lms.Issuer, Audience: lms.Audience, Keys: set, Secret: secret}
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"iss": lms.Issuer, "aud": "openedx", "exp": time.Now().Add(time.Hour).Unix(), "preferred_username": "jo"}
		if change != nil {
			change(c)
		}
		return c
	}
	public, err := json.Marshal(&rs.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    *Other
		text string
		ok   bool
	}{
		"RS512":             {lms, sign(t, jwt.SigningMethodRS512, rs, "openedx", claims(nil)), true},
		"RS256, no kid":     {lms, sign(t, jwt.SigningMethodRS256, rs, "", claims(nil)), true},
		"unknown kid":       {lms, sign(t, jwt.SigningMethodRS512, rs, "renamed", claims(nil)), true},
		"ES256":             {lms, sign(t, jwt.SigningMethodES256, es, "es", claims(nil)), true},
		"EdDSA":             {lms, sign(t, jwt.SigningMethodEdDSA, ed, "ed", claims(nil)), true},
		"audiences":         {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { c["aud"] = []string{"x", "openedx"} })), true},
		"HS256":             {both, sign(t, jwt.SigningMethodHS256, secret, "", claims(nil)), true},
		"HS256, not given":  {lms, sign(t, jwt.SigningMethodHS256, secret, "", claims(nil)), false},
		"HS256, public key": {both, sign(t, jwt.SigningMethodHS256, public, "openedx", claims(nil)), false},
		"HS512":             {both, sign(t, jwt.SigningMethodHS512, secret, "", claims(nil)), false},
		"none":              {both, sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", claims(nil)), false},
		"other key":         {lms, sign(t, jwt.SigningMethodRS512, rsaKey(t, 2048), "openedx", claims(nil)), false},
		"weak key":          {lms, sign(t, jwt.SigningMethodRS512, weak, "weak", claims(nil)), false},
		"other kind of key": {lms, sign(t, jwt.SigningMethodRS512, rs, "es", claims(nil)), false},
		"other issuer":      {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { c["iss"] = here })), false},
		"no issuer":         {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { delete(c, "iss") })), false},
		"other audience":    {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { c["aud"] = "shop" })), false},
		"no audience":       {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { delete(c, "aud") })), false},
		"expired":           {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { c["exp"] = 1 })), false},
		"no end":            {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { delete(c, "exp") })), false},
		"no name":           {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { delete(c, "preferred_username") })), false},
		"restricted":        {lms, sign(t, jwt.SigningMethodRS512, rs, "", claims(func(c jwt.MapClaims) { c["is_restricted"] = true })), false},
		"no configuration":  {&Other{Keys: set}, sign(t, jwt.SigningMethodRS512, rs, "", claims(nil)), false},
		"nothing":           {lms, "", false},
	} {
		got, err := c.o.Check(t.Context(), c.text)
		if c.ok && (err != nil || got != "jo") || !c.ok && (!errors.Is(err, ErrInvalid) || got != "") {
			t.Errorf("%s: %q, %v; want ok %v", name, got, err, c.ok)
		}
	}
	gone := &Other{Issuer: lms.Issuer, Audience: lms.Audience, Keys: noKeys{}}
	if _, err := gone.Check(t.Context(), sign(t, jwt.SigningMethodRS512, rs, "", claims(nil))); !fault.Is(err, fault.Unavailable) {
		t.Errorf("keys that cannot be got: %v, want unavailable", err)
	}
}

type noKeys struct{}

func (noKeys) Find(context.Context, string) ([]crypto.PublicKey, error) {
	return nil, fault.Errorf(fault.Unavailable, "keys", "cannot be got")
}

func TestParseSet(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{}", `{"keys": []}`, `{"keys": [{"kty": "oct", "k": "AAAA"}]}`, `[]`, `{"keys": [{"kty": "RSA"}]}`} {
		if set, err := ParseSet([]byte(text)); err == nil {
			t.Errorf("ParseSet(%s) = %v, want an error", text, set)
		}
	}
}

func TestRemembered(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), keyring.FileName)
	r, err := keyring.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{Ring: r, Name: here}
	token, err := i.Issue(jo, "session")
	if err != nil {
		t.Fatal(err)
	}
	first, err := i.Check(token.Text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := i.Check(token.Text)
	if diff := cmp.Diff(first, again); err != nil || diff != "" {
		t.Errorf("remembered: %v (-want +got):\n%s", err, diff)
	}
	if _, err := i.Check(token.Text[:len(token.Text)-8] + "AAAAAAAA"); !errors.Is(err, ErrInvalid) {
		t.Errorf("another signature on remembered claims: %v", err)
	}
	for n := range maxChecked + 10 {
		i.checked.add(string(rune(n)), good{})
	}
	if n := len(i.checked.all); n > maxChecked {
		t.Errorf("%d tokens are remembered", n)
	}
	if _, err := i.Check(token.Text); err != nil {
		t.Errorf("forgotten and checked again: %v", err)
	}
	old := r.Signing().ID
	if _, err := keyring.Rotate(path); err != nil {
		t.Fatal(err)
	}
	if err := keyring.Remove(path, old); err != nil {
		t.Fatal(err)
	}
	other, err := keyring.Open(path) // as this one is when it has looked again
	if err != nil {
		t.Fatal(err)
	}
	i.Ring = other
	if _, err := i.Check(token.Text); !errors.Is(err, ErrInvalid) {
		t.Errorf("a remembered token of a key that was removed: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	o := &Other{Issuer: "i", Audience: "a", Keys: Set{{Key: &key.PublicKey}}, Secret: []byte("secret")}
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJpIiwiYXVkIjoiYSIsImV4cCI6OTk5OTk5OTk5OTksInByZWZlcnJlZF91c2VybmFtZSI6ImpvIn0.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		if name, err := o.Check(t.Context(), text); err == nil {
			t.Errorf("%q signs %q in", text, name)
		}
	})
}
