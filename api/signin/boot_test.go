package signin_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBoot is what a stock client does from its first page to signing out (stock-clients.md §2).
func TestBoot(t *testing.T) {
	t.Parallel()
	o := serve(t, "", nil)
	b := o.browser(t)
	a := b.do("GET", "/test/me", nil, "USE-JWT-COOKIE", "true")
	a.is(t, "a stranger", http.StatusUnauthorized)
	if a.detail() != "Authentication credentials were not provided." || a.header.Get("WWW-Authenticate") != `JWT realm="api"` {
		t.Errorf("a stranger is told %q, %q", a.detail(), a.header.Get("WWW-Authenticate"))
	}
	a = b.do("POST", "/login_refresh", nil)
	a.is(t, "refresh without a session", http.StatusUnauthorized)
	page := o.URL + "/admin-console/authz/?a=b%20c"
	form := b.form("/login?"+url.Values{"next": {page}}.Encode(), "username", "jo", "password", good, "next", page)
	before := b.cookie("csrftoken")
	a = b.do("POST", "/login", form)
	a.is(t, "sign in", http.StatusFound)
	if a.location() != page {
		t.Errorf("sent to %q, want %q", a.location(), page)
	}
	if b.cookie("csrftoken") == before {
		t.Error("the token against forged requests is that of before")
	}
	for name, readable := range map[string]bool{"sessionid": false, "edx-jwt-cookie-header-payload": true, "edx-jwt-cookie-signature": false, "csrftoken": true} {
		c := a.set[name]
		if c == nil || c.HttpOnly == readable || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || c.Domain != "" || c.MaxAge <= 0 {
			t.Errorf("cookie %s: %v", name, c)
		}
	}
	a = b.do("POST", "/login_refresh", nil)
	a.is(t, "refresh", http.StatusOK)
	var got map[string]any
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got["success"] != true || got["user_id"] != float64(o.jo.ID) || got["expires_epoch_seconds"].(float64)-got["response_epoch_seconds"].(float64) < 3590 {
		t.Errorf("refresh says %s", a.body)
	}
	if _, err := time.Parse(http.TimeFormat, got["response_http_date"].(string)); err != nil {
		t.Error(err)
	}
	front, back := a.set["edx-jwt-cookie-header-payload"], a.set["edx-jwt-cookie-signature"]
	if front == nil || back == nil {
		t.Fatal("refresh does not set both cookies in its answer")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(front.Value, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	shown := map[string]any{}
	for _, k := range []string{"user_id", "preferred_username", "email", "name", "administrator", "roles", "iss"} {
		shown[k] = claims[k]
	}
	if diff := cmp.Diff(map[string]any{"user_id": float64(o.jo.ID), "preferred_username": "jo", "email": "jo@example.org", "name": "Jo Lamb",
		"administrator": false, "roles": []any{}, "iss": o.URL}, shown); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	// The web token's cookies alone are enough, where the client says that it uses them.
	other := o.browser(t)
	other.put(front.Name, front.Value)
	other.put(back.Name, back.Value)
	other.do("GET", "/test/me", nil, "USE-JWT-COOKIE", "true").is(t, "by web token", http.StatusOK)
	other.do("GET", "/test/me", nil).is(t, "by web token, not said", http.StatusUnauthorized)
	b.do("GET", "/test/me", nil).is(t, "by session", http.StatusOK)
	// A web token that has gone bad leaves the session.
	b.put(front.Name, front.Value[:len(front.Value)-4]+"AAAA")
	b.do("GET", "/test/me", nil, "USE-JWT-COOKIE", "true").is(t, "by session, with a bad web token", http.StatusOK)

	// Unsafe requests.
	a = b.do("POST", "/test/me", nil)
	if a.is(t, "without token", http.StatusForbidden); a.detail() != "CSRF Failed: CSRF token missing." {
		t.Errorf("without token: %s", a.body)
	}
	a = b.do("GET", "/csrf/api/v1/token", nil)
	var token struct {
		CSRFToken string `json:"csrfToken"`
	}
	if err := json.Unmarshal([]byte(a.body), &token); err != nil || len(token.CSRFToken) != 64 {
		t.Fatalf("token: %s, %v", a.body, err)
	}
	for range 2 { // it is kept for the life of the page
		b.do("POST", "/test/me", nil, "X-CSRFToken", token.CSRFToken).is(t, "with token", http.StatusOK)
		b.do("GET", "/csrf/api/v1/token", nil).is(t, "another page", http.StatusOK)
	}
	b.do("POST", "/test/me", nil, "X-CSRFToken", b.cookie("csrftoken")).is(t, "with the cookie's own text", http.StatusOK)

	a = b.do("GET", "/logout?"+url.Values{"redirect_url": {page}}.Encode(), nil)
	if a.is(t, "sign out", http.StatusFound); a.location() != page {
		t.Errorf("sign out leads to %q", a.location())
	}
	for _, name := range []string{"sessionid", "edx-jwt-cookie-header-payload", "edx-jwt-cookie-signature"} {
		if c := a.set[name]; c == nil || c.MaxAge >= 0 || c.Path != "/" {
			t.Errorf("sign out leaves %s: %v", name, c)
		}
	}
	other.do("GET", "/test/me", nil, "USE-JWT-COOKIE", "true").is(t, "a web token after signing out", http.StatusUnauthorized)
	b.do("POST", "/login_refresh", nil).is(t, "refresh after signing out", http.StatusUnauthorized)
}

func TestSecureCookies(t *testing.T) {
	t.Parallel()
	o := serve(t, "https://studio.example.org", nil)
	b := o.browser(t)
	a := b.do("GET", "/csrf/api/v1/token", nil)
	if c := a.set["csrftoken"]; c == nil || !c.Secure {
		t.Errorf("cookie %v, want it for secure connections only", c)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	o := serve(t, "", nil)
	o.s.Limits.ByName = 3
	var first string
	for i, name := range []string{"jo", "nobody", `"><script>alert(1)</script>`} {
		b := o.browser(t)
		a := b.login("username", name, "password", "wrong")
		a.is(t, name, http.StatusForbidden)
		if strings.Contains(a.body, "<script>") {
			t.Error("a name is written as it is into the page")
		}
		if i == 0 {
			first = problem(a.body)
		}
		if got := problem(a.body); got != first || got == "" {
			t.Errorf("%s is told %q, another %q", name, got, first)
		}
		if b.cookie("sessionid") != "" {
			t.Error("a refused attempt begins a session")
		}
	}
	b := o.browser(t)
	for range 2 {
		b.login("username", "jo", "password", "wrong").is(t, "wrong password", http.StatusForbidden)
	}
	a := b.login("username", "jo", "password", good)
	if a.is(t, "after too many", http.StatusTooManyRequests); a.header.Get("Retry-After") == "" {
		t.Error("it is not said when to try again")
	}
	huge := url.Values{"username": {"jo"}, "password": {strings.Repeat("x", 1<<20)}}
	b.do("POST", "/login", huge).is(t, "a huge form", http.StatusRequestEntityTooLarge)
	b.do("POST", "/login", nil, "Content-Type", "application/json").is(t, "no form", http.StatusBadRequest)
}

// problem returns what a page says is wrong.
func problem(body string) string {
	_, rest, _ := strings.Cut(body, `id="problem">`)
	text, _, _ := strings.Cut(rest, "<")
	return text
}

func TestFixation(t *testing.T) {
	t.Parallel()
	o := serve(t, "", nil)
	b := o.browser(t)
	b.put("sessionid", "chosen-by-somebody-else")
	b.signIn()
	mine := b.cookie("sessionid")
	if mine == "chosen-by-somebody-else" {
		t.Fatal("the session is one that somebody else knows")
	}
	thief := o.browser(t)
	thief.put("sessionid", mine)
	thief.do("GET", "/test/me", nil).is(t, "the same cookie elsewhere", http.StatusOK)
	form := b.form("/signin/password") // any page with a form: the sign-in page sends on who is signed in
	form.Set("username", "jo")
	form.Set("password", good)
	b.do("POST", "/login", form).is(t, "sign in again", http.StatusFound)
	if b.cookie("sessionid") == mine {
		t.Error("signing in again keeps the session")
	}
	thief.do("GET", "/test/me", nil).is(t, "the cookie of before", http.StatusUnauthorized)
}

func TestForgedForms(t *testing.T) {
	t.Parallel()
	o := serve(t, "", nil)
	right := url.Values{"username": {"jo"}, "password": {good}}
	b := o.browser(t)
	b.do("POST", "/login", right).is(t, "without cookie and token", http.StatusForbidden)
	form := b.form("/login", "username", "jo", "password", good)
	for name, header := range map[string][]string{
		"another site":   {"Origin", "https://evil.example"},
		"null":           {"Origin", "null"},
		"another port":   {"Origin", "http://127.0.0.1:1"},
		"https":          {"Origin", strings.Replace(o.URL, "http:", "https:", 1)},
		"fetch metadata": {"Sec-Fetch-Site", "cross-site"},
		"same site":      {"Sec-Fetch-Site", "same-site"},
	} {
		b.do("POST", "/login", form, header...).is(t, name, http.StatusForbidden)
	}
	other := o.browser(t)
	other.form("/login")
	other.do("POST", "/login", form).is(t, "the token of another browser", http.StatusForbidden)
	b.do("POST", "/login", form, "Origin", strings.Replace(o.URL, "127.0.0.1", "localhost", 1), "Sec-Fetch-Site", "same-origin").
		is(t, "the same machine by another name", http.StatusFound)
	c := o.browser(t)
	c.do("POST", "/login", c.form("/login", "username", "jo", "password", good), "Origin", client, "Sec-Fetch-Site", "cross-site").
		is(t, "a client on another host that is allowed", http.StatusFound)
}
