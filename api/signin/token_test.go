package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	apisignin "github.com/openlectern/lectern/api/signin"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/webtoken"
	"github.com/openlectern/lectern/user"
)

func TestTokensInHeaders(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	o := serve(t, "", func(c *apisignin.Config) {
		c.Service.Other = &webtoken.Other{Issuer: "https://lms/oauth2", Audience: "openedx", Keys: webtoken.Set{jose.JSONWebKey{Key: &key.PublicKey}}}
	})
	lms := func(name string) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodRS512, jwt.MapClaims{
			"iss": "https://lms/oauth2", "aud": "openedx", "exp": time.Now().Add(time.Hour).Unix(), "preferred_username": name,
		}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var service string
	o.update(t, func(tx *db.Tx) (err error) {
		service, _, err = signin.NewToken(t.Context(), tx, o.jo.ID, "ci", 0)
		return err
	})
	b := o.browser(t)
	b.signIn()
	own := b.cookie("edx-jwt-cookie-header-payload") + "." + b.cookie("edx-jwt-cookie-signature")
	none := "eyJhbGciOiJub25lIn0." + strings.Split(own, ".")[1] + "."
	for name, c := range map[string]struct {
		header string
		status int
	}{
		"service token":            {"Bearer " + service, 200},
		"service token, lower":     {"bearer " + service, 200},
		"own web token":            {"JWT " + own, 200},
		"own web token as bearer":  {"Bearer " + own, 200},
		"the system beside us":     {"JWT " + lms("jo"), 200},
		"its user is not here":     {"JWT " + lms("nobody"), 401},
		"its user in other case":   {"JWT " + lms("JO"), 401},
		"alg none":                 {"JWT " + none, 401},
		"service token, cut":       {"Bearer " + service[:len(service)-1], 401},
		"nothing":                  {"JWT ", 401},
		"nonsense":                 {"Bearer a.b.c", 401},
		"a scheme of somebody's":   {"Basic am86eA==", 401},
		"web token of another":     {"JWT " + own[:len(own)-10] + "AAAAAAAAAA", 401},
		"header without a scheme":  {service, 401},
		"header of a huge garbage": {"Bearer " + strings.Repeat("x", 8000), 401},
	} {
		for _, method := range []string{"GET", "POST"} { // no token against forged requests is asked for
			a := o.browser(t).do(method, "/test/me", nil, "Authorization", c.header)
			a.is(t, method+" with "+name, c.status)
			if c.status == 401 && (a.header.Get("WWW-Authenticate") == "" || a.detail() == "") {
				t.Errorf("%s: %v %s", name, a.header, a.body)
			}
		}
	}
	// A header that is not good is not made good by a cookie.
	b.do("GET", "/test/me", nil, "Authorization", "Bearer "+service+"x").is(t, "a bad header with a good cookie", 401)
	o.update(t, func(tx *db.Tx) error { return user.SetActive(t.Context(), tx, o.jo.ID, false) })
	for _, header := range []string{"Bearer " + service, "JWT " + own, "JWT " + lms("jo")} {
		o.browser(t).do("GET", "/test/me", nil, "Authorization", header).is(t, "a disabled user", 401)
	}
	b.do("GET", "/test/me", nil).is(t, "the session of a disabled user", 401)
}

func TestOnce(t *testing.T) {
	t.Parallel()
	o := serve(t, "", nil)
	var text string
	link := func(u user.User) string {
		o.update(t, func(tx *db.Tx) (err error) {
			text, err = signin.NewLink(t.Context(), tx, u.ID)
			return err
		})
		return apisignin.LinkPath(text)
	}
	var ada user.User
	o.update(t, func(tx *db.Tx) (err error) {
		ada, err = user.Create(t.Context(), tx, user.New{Username: "ada", Email: "ada@example.org"})
		return err
	})
	path := link(ada)
	b := o.browser(t)
	b.do("HEAD", path, nil).is(t, "a look", http.StatusNoContent)
	b.do("GET", path, nil, "Sec-Purpose", "prefetch").is(t, "a look ahead", http.StatusNoContent)
	a := b.do("GET", path, nil)
	if a.is(t, "follow", http.StatusFound); a.location() != "/signin/password?next=%2F" {
		t.Errorf("leads to %q, want the page to set a password on", a.location())
	}
	b.do("GET", "/test/me", nil).is(t, "signed in", http.StatusOK)
	again := o.browser(t).do("GET", path, nil)
	again.is(t, "follow again", http.StatusForbidden)
	if len(again.set) != 0 {
		t.Errorf("a used link sets %v", again.set)
	}
	o.browser(t).do("GET", apisignin.LinkPath("x"), nil).is(t, "no link", http.StatusForbidden)

	form := b.form("/signin/password", "new_password", "battery staple", "new_password_again", "battery staples", "next", "/x")
	b.do("POST", "/signin/password", form).is(t, "two different ones", http.StatusBadRequest)
	form.Set("new_password", "short")
	form.Set("new_password_again", "short")
	b.do("POST", "/signin/password", form).is(t, "a short one", http.StatusBadRequest)
	form.Set("new_password", "battery staple")
	form.Set("new_password_again", "battery staple")
	a = b.do("POST", "/signin/password", form)
	if a.is(t, "set", http.StatusFound); a.location() != "/x" {
		t.Errorf("leads to %q", a.location())
	}
	b.do("GET", "/test/me", nil).is(t, "still signed in", http.StatusOK)
	c := o.browser(t)
	c.login("username", "ada", "password", "battery staple").is(t, "with the new password", http.StatusFound)
	// Who has signed in with a password is asked for it.
	form = c.form("/signin/password", "new_password", "another staple", "new_password_again", "another staple")
	c.do("POST", "/signin/password", form).is(t, "without the present password", http.StatusForbidden)
	form.Set("current_password", "battery staple")
	form.Del("csrfmiddlewaretoken")
	c.do("POST", "/signin/password", form).is(t, "without token", http.StatusForbidden)
	form = c.form("/signin/password", "new_password", "another staple", "new_password_again", "another staple", "current_password", "battery staple")
	c.do("POST", "/signin/password", form).is(t, "with the present password", http.StatusFound)
	b.do("GET", "/test/me", nil).is(t, "the other session", http.StatusUnauthorized)
	stranger := o.browser(t)
	if a := stranger.do("GET", "/signin/password", nil); a.location() != "/login?next=%2Fsignin%2Fpassword" {
		t.Errorf("a stranger is sent to %q", a.location())
	}
	if a := o.browser(t).do("GET", link(o.jo), nil); a.location() != "/" {
		t.Errorf("who has a password is sent to %q", a.location())
	}
}

func TestLogoutLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	o := serve(t, "", nil)
	b := o.browser(t)
	for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, ""} {
		if a := b.do("GET", "/logout?"+url.Values{"redirect_url": {to}}.Encode(), nil); a.location() != "/" {
			t.Errorf("redirect_url=%s leads to %q", to, a.location())
		}
		form := b.form("/login", "username", "jo", "password", good, "next", to)
		if a := b.do("POST", "/login", form); a.location() != "/" {
			t.Errorf("next=%s leads to %q", to, a.location())
		}
	}
	if a := b.do("GET", "/login?next=%2Fx", nil); a.location() != "/x" {
		t.Errorf("who is signed in is sent to %q", a.location())
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	o := serve(t, "", nil)
	b := o.browser(t)
	a := b.do("GET", "/login?next=/x", nil)
	for _, want := range []string{`<html lang="en">`, `<label for="username">`, `id="username"`, `<label for="password">`, `autocomplete="current-password"`, `name="next" value="/x"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(a.body, "<script") || strings.Contains(a.body, "//") {
		t.Error("the page has scripts, or asks for something from outside")
	}
	policy := a.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "form-action 'self' "+o.URL) ||
		a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("headers %v", a.header)
	}
	a = b.do("GET", "/.well-known/jwks.json", nil)
	if set, err := webtoken.ParseSet([]byte(a.body)); err != nil || len(set) != 1 {
		t.Errorf("keys %s, %v", a.body, err)
	}
}
