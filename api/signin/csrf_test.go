package signin

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func handlers(t *testing.T, public string) *Handlers {
	t.Helper()
	u, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(Config{Public: u, Origins: []string{"https://apps.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestForgedReasons(t *testing.T) {
	t.Parallel()
	const secret = "abcdefghijklmnopqrstuvwxyzABCDEF"
	token := mask(secret)
	for name, c := range map[string]struct {
		public, cookie, header, origin, referer, want string
	}{
		"good":               {cookie: secret, header: token},
		"good, unmasked":     {cookie: secret, header: secret},
		"old masked cookie":  {cookie: mask(secret), header: token},
		"no cookie":          {want: "CSRF cookie not set."},
		"no token":           {cookie: secret, want: "CSRF token missing."},
		"other token":        {cookie: secret, header: mask(strings.ToUpper(secret)), want: "CSRF token from the 'X-Csrftoken' HTTP header incorrect."},
		"short token":        {cookie: secret, header: "abc", want: "CSRF token from the 'X-Csrftoken' HTTP header has incorrect length."},
		"letters of others":  {cookie: secret, header: strings.Repeat("-", 32), want: "CSRF token from the 'X-Csrftoken' HTTP header has invalid characters."},
		"inner dash":         {cookie: secret, header: strings.Repeat("a", 15) + "-" + strings.Repeat("a", 16), want: "CSRF token from the 'X-Csrftoken' HTTP header has invalid characters."},
		"short cookie":       {cookie: "abc", header: token, want: "CSRF cookie has incorrect length."},
		"own origin":         {cookie: secret, header: token, origin: "https://studio.example.org"},
		"allowed origin":     {cookie: secret, header: token, origin: "https://apps.example.org"},
		"other origin":       {cookie: secret, header: token, origin: "https://evil.example", want: "Origin checking failed - https://evil.example does not match any trusted origins."},
		"prefix of origin":   {cookie: secret, header: token, origin: "https://studio.example.org.evil.example", want: "Origin checking failed - https://studio.example.org.evil.example does not match any trusted origins."},
		"own page":           {public: "https://studio.example.org", cookie: secret, header: token, referer: "https://studio.example.org/a?b"},
		"page without port":  {public: "https://studio.example.org", cookie: secret, header: token, referer: "https://studio.example.org:443/a?b"},
		"no page":            {public: "https://studio.example.org", cookie: secret, header: token, want: "Referer checking failed - no Referer."},
		"page of others":     {public: "https://studio.example.org", cookie: secret, header: token, referer: "https://evil.example/", want: "Referer checking failed - https://evil.example/ does not match any trusted origins."},
		"insecure page":      {public: "https://studio.example.org", cookie: secret, header: token, referer: "http://studio.example.org/", want: "Referer checking failed - Referer is insecure while host is secure."},
		"page without a end": {public: "https://studio.example.org", cookie: secret, header: token, referer: "studio", want: "Referer checking failed - Referer is malformed."},
	} {
		public := c.public
		if public == "" {
			public = "http://studio.example.org"
		}
		h := handlers(t, public)
		if c.public == "" && c.origin == "https://studio.example.org" {
			h = handlers(t, "https://studio.example.org")
		}
		r := httptest.NewRequest(http.MethodPost, "/x", nil)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: csrfCookie, Value: c.cookie})
		}
		for name, value := range map[string]string{csrfHeader: c.header, "Origin": c.origin, "Referer": c.referer} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		if got := h.forged(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func FuzzUnmask(f *testing.F) {
	f.Add(newSecret())
	f.Add(mask(newSecret()))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		secret, reason := unmask(text)
		if (reason == "") != (len(secret) == csrfLength) {
			t.Errorf("unmask(%q) = %q, %q", text, secret, reason)
		}
		if reason == "" {
			if again, _ := unmask(mask(secret)); again != secret {
				t.Errorf("%q masked and unmasked is %q", secret, again)
			}
		}
	})
}

func TestNext(t *testing.T) {
	t.Parallel()
	h := handlers(t, "https://studio.example.org")
	local := handlers(t, "http://localhost:8080")
	for asked, want := range map[string]string{
		"/": "/", "/a/b?c=d#e": "/a/b?c=d#e", "https://studio.example.org/x?y=%2F": "https://studio.example.org/x?y=%2F",
		"https://STUDIO.example.org/": "https://STUDIO.example.org/", "https://studio.example.org:443/x": "https://studio.example.org:443/x",
		"https://apps.example.org/authoring": "https://apps.example.org/authoring", "/%2F%2Fevil.example": "/%2F%2Fevil.example",
		"": "/", "a": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/", `\\evil.example`: "/", "https:evil.example": "/",
		"https:///evil.example": "/", "http://studio.example.org/": "/", "https://evil.example": "/", "https://studio.example.org@evil.example/": "/",
		"https://studio.example.org:8443/": "/", "https://studio.example.org.evil.example/": "/", "https://evil.example/https://studio.example.org": "/",
		"javascript:alert(1)": "/", "data:text/html,x": "/", "/a\nb": "/", "\t//evil.example": "/", " https://evil.example": "/", "https://studio.example.org/\r\nX: y": "/",
		"https://user:pw@studio.example.org/": "/", "/ä": "/", "https://[::1": "/", "/\x00": "/", "?next=1": "/", "#x": "/", "https://studio.example.org%2eevil.example/": "/",
	} {
		if got := h.next(asked); got != want {
			t.Errorf("next(%q) = %q, want %q", asked, got, want)
		}
	}
	for asked, want := range map[string]string{
		"http://localhost:8080/a": "http://localhost:8080/a", "http://127.0.0.1:8080/a": "http://127.0.0.1:8080/a", "http://[::1]:8080/": "http://[::1]:8080/",
		"http://localhost:8081/": "/", "https://localhost:8080/": "/", "http://127.0.0.2:8080/": "/",
	} {
		if got := local.next(asked); got != want {
			t.Errorf("next(%q) = %q, want %q", asked, got, want)
		}
	}
}

func FuzzNext(f *testing.F) {
	for _, s := range []string{"/a", "//evil.example", "https://studio.example.org/x", `/\x`} {
		f.Add(s)
	}
	u := &url.URL{Scheme: "https", Host: "studio.example.org"}
	h, err := New(Config{Public: u})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		to, err := u.Parse(h.next(asked))
		if err != nil || to.Scheme != "https" || originOf(to) != "https://studio.example.org" || to.User != nil {
			t.Errorf("next(%q) leads to %v, %v", asked, to, err)
		}
	})
}
