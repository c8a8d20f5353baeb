package signin_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	apisignin "github.com/openlectern/lectern/api/signin"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/signin/oidc"
	"github.com/openlectern/lectern/user"
)

// provider is an identity provider in this process: whoever comes is recognised at once.
type provider struct {
	*httptest.Server
	t   *testing.T
	key *rsa.PrivateKey

	mu     sync.Mutex
	codes  map[string]url.Values // guarded by mu: the query of the attempt, by the code that was given for it
	change func(jwt.MapClaims)   // guarded by mu: of the next ID tokens
	sign   *rsa.PrivateKey       // guarded by mu: what they are signed with
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{t: t, key: key, sign: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	write := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
			"jwks_uri": p.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		asked, ok := p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		id, secret, _ := r.BasicAuth()
		if !ok || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") || id != "lectern" || secret != "a-secret-of-sixteen" ||
			r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") {
			w.WriteHeader(http.StatusBadRequest)
			write(w, map[string]string{"error": "invalid_grant"})
			return
		}
		c := jwt.MapClaims{"iss": p.URL, "sub": "1", "aud": "lectern", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
			"nonce": asked.Get("nonce"), "email": "jo@example.org", "email_verified": true, "preferred_username": "jo", "name": "Jo"}
		if p.change != nil {
			p.change(c)
		}
		token := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
		token.Header["kid"] = "k"
		text, err := token.SignedString(p.sign)
		if err != nil {
			t.Error(err)
		}
		write(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": text, "expires_in": 60})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// visit is what a person does at the provider: it returns the path of the callback, with its query.
func (p *provider) visit(to string) string {
	p.t.Helper()
	u, err := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, p.URL+"/authorize?") {
		p.t.Fatalf("sent to %q, %v", to, err)
	}
	q := u.Query()
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("client_id") != "lectern" || q.Get("state") == "" ||
		q.Get("nonce") == "" || q.Get("scope") != "openid profile email" {
		p.t.Errorf("asks the provider for %v", q)
	}
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil {
		p.t.Fatal(err)
	}
	code := rand.Text()
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	return back.Path + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
}

func (p *provider) next(key crypto.PrivateKey, change func(jwt.MapClaims)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change, p.sign = change, key.(*rsa.PrivateKey)
}

func serveOIDC(t *testing.T, p *provider, create bool) *server {
	t.Helper()
	return serve(t, "", func(c *apisignin.Config) {
		var err error
		c.Provider, err = oidc.New(oidc.Config{Issuer: p.URL, ClientID: "lectern", ClientSecret: "a-secret-of-sixteen", Redirect: c.Public.String() + apisignin.CallbackPath})
		if err != nil {
			t.Fatal(err)
		}
		c.ProviderName, c.CreateUsers = "Example", create
	})
}

func TestProvider(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	o := serveOIDC(t, p, false)
	b := o.browser(t)
	if a := b.do("GET", "/login?next=/x", nil); !strings.Contains(a.body, `href="/signin/oidc?next=%2Fx"`) || !strings.Contains(a.body, "Sign in with Example") {
		t.Errorf("the page does not lead to the provider: %s", a.body)
	}
	a := b.do("GET", "/signin/oidc?next=/x", nil)
	a.is(t, "leave", http.StatusFound)
	if c := a.set["lectern-oidc"]; c == nil || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
		t.Errorf("cookie %v", c)
	}
	back := p.visit(a.location())
	o.browser(t).do("GET", back, nil).is(t, "come back in another browser", http.StatusForbidden)
	a = b.do("GET", back, nil)
	if a.is(t, "come back", http.StatusFound); a.location() != "/x" {
		t.Errorf("leads to %q", a.location())
	}
	b.do("GET", "/test/me", nil).is(t, "signed in", http.StatusOK)
	b.do("GET", back, nil).is(t, "come back again", http.StatusForbidden)
	if a := b.do("GET", "/signin/oidc?next=https://evil.example", nil); a.status == http.StatusFound {
		if a = b.do("GET", p.visit(a.location()), nil); a.location() != "/" {
			t.Errorf("leads to %q", a.location())
		}
	}
}

func TestProviderRefused(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	o := serveOIDC(t, p, false)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key    *rsa.PrivateKey
		claims func(jwt.MapClaims)
		query  func(url.Values)
	}{
		"other nonce":      {claims: func(c jwt.MapClaims) { c["nonce"] = "x" }},
		"no nonce":         {claims: func(c jwt.MapClaims) { delete(c, "nonce") }},
		"other audience":   {claims: func(c jwt.MapClaims) { c["aud"] = "x" }},
		"other issuer":     {claims: func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }},
		"expired":          {claims: func(c jwt.MapClaims) { c["exp"] = 1 }},
		"other key":        {key: other},
		"unverified":       {claims: func(c jwt.MapClaims) { c["email_verified"] = false }},
		"unknown":          {claims: func(c jwt.MapClaims) { c["email"], c["sub"] = "new@example.org", "2" }},
		"other state":      {query: func(q url.Values) { q.Set("state", "x") }},
		"no state":         {query: func(q url.Values) { q.Del("state") }},
		"other code":       {query: func(q url.Values) { q.Set("code", "x") }},
		"turned back":      {query: func(q url.Values) { q.Set("error", "access_denied") }},
		"answer of others": {query: func(q url.Values) { q.Set("iss", "https://evil.example") }},
	} {
		key := c.key
		if key == nil {
			key = p.key
		}
		p.next(key, c.claims)
		b := o.browser(t)
		back, err := url.Parse(p.visit(b.do("GET", "/signin/oidc", nil).location()))
		if err != nil {
			t.Fatal(err)
		}
		q := back.Query()
		if c.query != nil {
			c.query(q)
		}
		b.do("GET", back.Path+"?"+q.Encode(), nil).is(t, name, http.StatusForbidden)
		if b.cookie("sessionid") != "" {
			t.Errorf("%s: signed in", name)
		}
	}
	n, _, err := db.One(t.Context(), o.db, `SELECT (SELECT COUNT(*) FROM lectern_identity) + (SELECT COUNT(*) FROM lectern_session)`, nil, db.Value[int])
	if err != nil || n != 0 {
		t.Errorf("refused attempts have left %d rows, %v", n, err)
	}
	p.Close()
	gone := serveOIDC(t, p, false)
	gone.browser(t).do("GET", "/signin/oidc", nil).is(t, "a provider that is down", http.StatusServiceUnavailable)
}

func TestProviderMakesUsers(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	o := serveOIDC(t, p, true)
	p.next(p.key, func(c jwt.MapClaims) {
		c["email"], c["sub"], c["preferred_username"] = "new@example.org", "2", "new"
	})
	b := o.browser(t)
	b.do("GET", p.visit(b.do("GET", "/signin/oidc", nil).location()), nil).is(t, "somebody new", http.StatusFound)
	u, err := user.ByName(t.Context(), o.db, "new")
	if err != nil || u.Email != "new@example.org" || u.Staff || u.Superuser {
		t.Errorf("made %+v, %v", u, err)
	}
	p.next(p.key, func(c jwt.MapClaims) {
		c["email"], c["sub"], c["preferred_username"] = "jo2@example.org", "3", "JO"
	})
	c := o.browser(t)
	c.do("GET", p.visit(c.do("GET", "/signin/oidc", nil).location()), nil).is(t, "a name that is taken", http.StatusForbidden)
}
