package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/api"
	apisignin "github.com/openlectern/lectern/api/signin"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/keyring"
	"github.com/openlectern/lectern/user"
)

const good = "correct horse"

// client is the origin of a client on another host.
const client = "https://apps.example.org"

// server is a running server with a user jo.
type server struct {
	*httptest.Server
	s      *signin.Service
	db     *db.DB
	public *url.URL
	jo     user.User
	api    *api.Server
}

type store struct{}

func (store) Account(context.Context, api.Person, string) (app.Account, error) {
	return app.Account{}, errors.New("not asked for")
}

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

// serve starts a server. change may change its configuration; public is "" for the server's own address.
func serve(t *testing.T, public string, change func(*apisignin.Config)) *server {
	t.Helper()
	o := &server{db: dbtest.Ready(t, db.SQLite, tables)}
	ring, err := keyring.Open(filepath.Join(t.TempDir(), keyring.FileName))
	if err != nil {
		t.Fatal(err)
	}
	o.Server = httptest.NewUnstartedServer(nil)
	if public == "" {
		public = "http://" + o.Listener.Addr().String()
	}
	if o.public, err = api.ParseOrigin("", public); err != nil {
		t.Fatal(err)
	}
	o.s = signin.New(o.db, ring, public)
	o.s.Rounds = 1000
	encoded, err := signin.Hash(good, user.User{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	o.update(t, func(tx *db.Tx) error {
		if o.jo, err = user.Create(t.Context(), tx, user.New{Username: "jo", Email: "jo@example.org", Name: "Jo Lamb"}); err != nil {
			return err
		}
		return user.SetPassword(t.Context(), tx, o.jo.ID, encoded)
	})
	c := apisignin.Config{Service: o.s, Public: o.public, Origins: []string{client}}
	if change != nil {
		change(&c)
	}
	h, err := apisignin.New(c)
	if err != nil {
		t.Fatal(err)
	}
	me := func(rt *api.Router) {
		for _, method := range []string{"GET", "POST"} {
			rt.Handle(api.Route{Method: method, Path: "/test/me", Access: api.SignedIn, Needs: "nothing",
				Operation: &huma.Operation{OperationID: "me" + method, Summary: "who"},
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					p, _ := apisignin.Principal(r.Context())
					api.WriteJSON(w, r, http.StatusOK, p.Username)
				})})
		}
	}
	o.api, err = api.New(api.Config{Store: store{}, Auth: h, Parts: []func(*api.Router){h.Routes, me}, Public: o.public, Origins: []string{client},
		Checks: []api.Check{{Name: "database", Probe: func(context.Context) error { return nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	o.api.Refresh(t.Context())
	o.Config.Handler = o.api
	o.Start()
	t.Cleanup(o.Close)
	return o
}

func (o *server) update(t *testing.T, fn func(tx *db.Tx) error) {
	t.Helper()
	if err := o.db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// answer is what a server said.
type answer struct {
	status int
	header http.Header
	body   string
	set    map[string]*http.Cookie
}

func (a answer) location() string { return a.header.Get("Location") }

// detail returns the field detail of a JSON error.
func (a answer) detail() string {
	var d struct{ Detail string }
	_ = json.Unmarshal([]byte(a.body), &d) // what is no error has none
	return d.Detail
}

// browser keeps cookies and does not follow redirects.
type browser struct {
	t *testing.T
	o *server
	c *http.Client
}

func (o *server) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, o, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// do sends a request; header has names and values in turn.
func (b *browser) do(method, path string, form url.Values, header ...string) answer {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.o.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w, err := b.c.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{w.StatusCode, w.Header, string(text), map[string]*http.Cookie{}}
	for _, c := range w.Cookies() {
		a.set[c.Name] = c
	}
	return a
}

// cookie returns the value that the browser keeps.
func (b *browser) cookie(name string) string {
	u, err := url.Parse(b.o.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.c.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) put(name, value string) {
	u, err := url.Parse(b.o.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	b.c.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

var hidden = regexp.MustCompile(`name="csrfmiddlewaretoken" value="(\w{64})"`)

// form loads a page and returns its form, filled in.
func (b *browser) form(path string, fields ...string) url.Values {
	b.t.Helper()
	a := b.do("GET", path, nil)
	m := hidden.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || m == nil {
		b.t.Fatalf("GET %s: %d, no form in %s", path, a.status, a.body)
	}
	v := url.Values{"csrfmiddlewaretoken": {m[1]}}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	return v
}

func (b *browser) login(fields ...string) answer {
	b.t.Helper()
	return b.do("POST", "/login", b.form("/login", fields...))
}

func (b *browser) signIn() {
	b.t.Helper()
	if a := b.login("username", "jo", "password", good); a.status != http.StatusFound {
		b.t.Fatalf("sign in: %d %s", a.status, a.body)
	}
}

// is fails unless an answer has a status.
func (a answer) is(t *testing.T, what string, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
	}
}

var _ api.Auth = (*apisignin.Handlers)(nil)
