package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
)

// people is a store with one person.
type people struct{}

func (people) Account(_ context.Context, viewer api.Person, name string) (app.Account, error) {
	if name != "ada" {
		return app.Account{}, fault.Errorf(fault.NotFound, name, "no such user")
	}
	return app.Account{Username: "ada", Name: "Ada L.", Email: "ada@example.org", Active: true, Full: viewer.Username == "ada"}, nil
}

// byHeader signs in who the header X-Test-User names.
type byHeader struct{}

type userKey struct{}

func (byHeader) Authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := r.Header.Get("X-Test-User"); name != "" {
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, name))
		}
		next.ServeHTTP(w, r)
	})
}

func (byHeader) CSRF(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("X-Test-Token") == "" {
			api.WriteError(w, r, api.Problemf(http.StatusForbidden, "CSRF Failed: CSRF token missing."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (byHeader) Person(ctx context.Context) (api.Person, bool) {
	name, ok := ctx.Value(userKey{}).(string)
	return api.Person{Username: name}, ok
}

var errBroken = errors.New("dial tcp db.internal:3306: connection refused")

// parts are routes for tests.
func parts(rt *api.Router) {
	handle := func(method, path string, access api.Access, h http.HandlerFunc) {
		r := api.Route{Method: method, Path: path, Access: access, Handler: h, Operation: &huma.Operation{Summary: "a test", OperationID: method + path}}
		if access == api.SignedIn {
			r.Needs = "nothing"
		}
		r.MaxBody = 1000
		rt.Handle(r)
	}
	handle("GET", "/test/things/", api.SignedIn, func(w http.ResponseWriter, r *http.Request) { api.WriteJSON(w, r, 200, []string{}) })
	handle("POST", "/test/things/", api.SignedIn, func(w http.ResponseWriter, r *http.Request) {
		var v struct{ Name string }
		if err := api.ReadJSON(r, &v); err != nil {
			api.WriteError(w, r, err)
			return
		}
		api.WriteJSON(w, r, 200, v)
	})
	handle("GET", "/test/things/{key}/", api.Open, func(w http.ResponseWriter, r *http.Request) { api.WriteJSON(w, r, 200, r.PathValue("key")) })
	handle("GET", "/test/panic", api.Open, func(http.ResponseWriter, *http.Request) { panic("oh") })
	handle("GET", "/test/broken", api.Open, func(w http.ResponseWriter, r *http.Request) { api.WriteError(w, r, errBroken) })
	handle("GET", "/test/client", api.Open, func(w http.ResponseWriter, r *http.Request) {
		api.WriteJSON(w, r, 200, map[string]string{"client": api.Client(r.Context()).String(), "id": api.RequestID(r.Context()), "link": api.Absolute(r.Context(), "/x")})
	})
	api.Add(rt, api.Route{Method: "GET", Path: "/test/typed", Access: api.Anyone, Operation: &huma.Operation{OperationID: "typed", Summary: "a test"}},
		func(_ context.Context, in *struct {
			N int `query:"n" minimum:"1"`
		}) (*struct{ Body []int }, error) {
			if in.N == 7 {
				return nil, fault.Errorf(fault.Conflict, "7", "it is taken").WithNext("take 8")
			}
			return &struct{ Body []int }{[]int{in.N}}, nil
		})
}

// server returns a server for tests; change, if not nil, changes its configuration.
func server(t testing.TB, change func(*api.Config)) *api.Server {
	t.Helper()
	c := api.Config{
		Store: people{}, Auth: byHeader{}, Parts: []func(*api.Router){parts},
		Public: &url.URL{Scheme: "https", Host: "studio.example.org"}, Version: "test",
	}
	if change != nil {
		change(&c)
	}
	s, err := api.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Refresh(t.Context())
	return s
}

// call sends a request; headers are pairs.
func call(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	s := server(t, nil)
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       string // of the body
		allow                      string
	}{
		{"list", "GET", "/test/things/", "", []string{"X-Test-User", "ada"}, 200, `[]`, "GET, POST, HEAD, OPTIONS"},
		{"head", "HEAD", "/test/things/", "", []string{"X-Test-User", "ada"}, 200, ``, "GET, POST, HEAD, OPTIONS"},
		{"options", "OPTIONS", "/test/things/", "", []string{"X-Test-User", "ada"}, 204, ``, "GET, POST, HEAD, OPTIONS"},
		{"stranger", "GET", "/test/things/", "", nil, 401, `{"detail":"Authentication credentials were not provided."}`, "GET, POST, HEAD, OPTIONS"},
		{"stranger with another method", "PATCH", "/test/things/", "", nil, 401, `{"detail":"Authentication credentials were not provided."}`, "GET, POST, HEAD, OPTIONS"},
		{"another method", "PATCH", "/test/things/", "", []string{"X-Test-User", "ada"}, 405, `{"detail":"Method \"PATCH\" not allowed."}`, "GET, POST, HEAD, OPTIONS"},
		{"made up method", "BREW", "/test/panic", "", nil, 405, `{"detail":"Method \"BREW\" not allowed."}`, "GET, HEAD, OPTIONS"},
		{"no token", "POST", "/test/things/", "{}", []string{"X-Test-User", "ada"}, 403, `{"detail":"CSRF Failed: CSRF token missing."}`, "GET, POST, HEAD, OPTIONS"},
		{"post", "POST", "/test/things/", `{"Name":"<b>"}`, []string{"X-Test-User", "ada", "X-Test-Token", "1"}, 200, `{"Name":"<b>"}`, "GET, POST, HEAD, OPTIONS"},
		{"no JSON", "POST", "/test/things/", `{"Name`, []string{"X-Test-User", "ada", "X-Test-Token", "1"}, 400, `{"detail":"JSON parse error - unexpected end of JSON input"}`, "GET, POST, HEAD, OPTIONS"},
		{"another type", "POST", "/test/things/", `a=b`, []string{"X-Test-User", "ada", "X-Test-Token", "1", "Content-Type", "text/plain"}, 415, `{"detail":"Unsupported media type \"text/plain\" in request."}`, "GET, POST, HEAD, OPTIONS"},
		{"too large", "POST", "/test/things/", strings.Repeat(" ", 1001), []string{"X-Test-User", "ada", "X-Test-Token", "1"}, 413, `{"detail":"The request body is larger than 1000 bytes."}`, "GET, POST, HEAD, OPTIONS"},
		{"nothing there", "GET", "/nothing", "", nil, 404, `{"detail":"Not found."}`, ""},
		{"below an exact address", "GET", "/test/things/a/b/", "", nil, 404, `{"detail":"Not found."}`, ""},
		{"key, raw", "GET", "/test/things/course-v1:O+C@R/", "", nil, 200, `"course-v1:O+C@R"`, "GET, HEAD, OPTIONS"},
		{"key, encoded", "GET", "/test/things/course-v1%3AO%2BC%40R/", "", nil, 200, `"course-v1:O+C@R"`, "GET, HEAD, OPTIONS"},
		{"no slash", "GET", "/test/things?a=b", "", nil, 301, "", ""},
		{"no slash, unsafe", "POST", "/test/things", "{}", []string{"X-Test-User", "ada", "X-Test-Token", "1"}, 404, `{"detail":"Not found."}`, ""},
		{"dots", "GET", "/test/../healthz", "", nil, 404, `{"detail":"Not found."}`, ""},
		{"two slashes", "GET", "//evil.example/healthz", "", nil, 404, `{"detail":"Not found."}`, ""},
		{"broken", "GET", "/test/broken", "", nil, 500, `{"detail":"Internal Server Error"}`, "GET, HEAD, OPTIONS"},
		{"typed", "GET", "/test/typed?n=3", "", nil, 200, "[3]\n", "GET, HEAD, OPTIONS"},
		{"typed, wrong", "GET", "/test/typed?n=x", "", nil, 400, `{"n":["invalid integer"]}` + "\n", "GET, HEAD, OPTIONS"},
		{"typed, too small", "GET", "/test/typed?n=0", "", nil, 400, `{"n":["expected number >= 1"]}` + "\n", "GET, HEAD, OPTIONS"},
		{"typed, refused", "GET", "/test/typed?n=7", "", nil, 409, `{"detail":"7: it is taken","next":"take 8"}` + "\n", "GET, HEAD, OPTIONS"},
	} {
		w := call(s, c.method, c.target, c.body, c.headers...)
		if w.Code != c.status || w.Body.String() != c.want || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s: %s %s gave %d %q, Allow %q; want %d %q, Allow %q", c.name, c.method, c.target,
				w.Code, w.Body, w.Header().Get("Allow"), c.status, c.want, c.allow)
		}
		if w.Header().Get("X-Request-Id") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("%s: headers are missing: %v", c.name, w.Header())
		}
	}
	if got := call(s, "GET", "/test/things?a=b", "").Header().Get("Location"); got != "/test/things/?a=b" {
		t.Errorf("sent on to %q", got)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := server(t, func(c *api.Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	w := call(s, "GET", "/test/panic", "")
	id := w.Header().Get("X-Request-Id")
	if w.Code != 500 || !strings.Contains(w.Body.String(), id) || strings.Contains(w.Body.String(), "oh") {
		t.Errorf("a panic gave %d %s", w.Code, w.Body)
	}
	if got := log.String(); !strings.Contains(got, id) || !strings.Contains(got, `"error":"oh"`) || !strings.Contains(got, "api_test.go") {
		t.Errorf("the log does not tell of the panic: %s", got)
	}
}

func TestForwarded(t *testing.T) {
	t.Parallel()
	s := server(t, func(c *api.Config) { c.Trusted = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }) // httptest's peer
	stranger := server(t, nil)
	for _, c := range []struct {
		name    string
		s       *api.Server
		headers []string
		client  string
		id      string // "" means one of our own
	}{
		{"direct", s, nil, "192.0.2.1", ""},
		{"one proxy", s, []string{"X-Forwarded-For", "203.0.113.9", "X-Request-Id", "abc-1"}, "203.0.113.9", "abc-1"},
		{"made up before it", s, []string{"X-Forwarded-For", "127.0.0.1, 203.0.113.9, 192.0.2.7"}, "203.0.113.9", ""},
		{"two headers", s, []string{"X-Forwarded-For", "127.0.0.1", "X-Forwarded-For", "203.0.113.9"}, "203.0.113.9", ""},
		{"nonsense", s, []string{"X-Forwarded-For", "203.0.113.9, <script>"}, "192.0.2.1", ""},
		{"with port", s, []string{"X-Forwarded-For", "[2001:db8::1]:443"}, "2001:db8::1", ""},
		{"bad id", s, []string{"X-Request-Id", "a b"}, "192.0.2.1", ""},
		{"not trusted", stranger, []string{"X-Forwarded-For", "203.0.113.9", "X-Request-Id", "abc-1", "X-Forwarded-Host", "evil.example"}, "192.0.2.1", ""},
	} {
		w := call(c.s, "GET", "http://evil.example/test/client", "", c.headers...)
		var got struct{ Client, ID, Link string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Client != c.client || got.Link != "https://studio.example.org/x" || got.ID != w.Header().Get("X-Request-Id") {
			t.Errorf("%s: %+v", c.name, got)
		}
		if c.id != "" && got.ID != c.id || c.id == "" && len(got.ID) != 24 {
			t.Errorf("%s: id %q, want %q", c.name, got.ID, c.id)
		}
	}
}

// TestDocument holds the document to the routes, both ways.
func TestDocument(t *testing.T) {
	t.Parallel()
	s := server(t, nil)
	w := call(s, "GET", api.DocumentPath, "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%v, version %q", err, doc.OpenAPI)
	}
	for _, wrong := range api.Undocumented(s.Router) {
		t.Error(wrong)
	}
	ids := map[string]bool{}
	for path, item := range doc.Paths {
		for method, op := range item {
			if op.OperationID == "" || ids[op.OperationID] || len(op.Responses) == 0 {
				t.Errorf("%s %s: id %q, %d answers", method, path, op.OperationID, len(op.Responses))
			}
			ids[op.OperationID] = true
		}
	}
}

func TestRoutesMustSayWhoMayComeIn(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]api.Route{
		"nothing said":    {Method: "GET", Path: "/x"},
		"no permission":   {Method: "GET", Path: "/x", Access: api.SignedIn},
		"there twice":     {Method: "GET", Path: "/healthz", Access: api.Open},
		"unknown":         {Method: "GET", Path: "/x", Access: 99},
		"made up method":  {Method: "BREW", Path: "/x", Access: api.Open},
		"without handler": {Method: "GET", Path: "/x", Access: api.Open},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: the route was accepted", name)
				}
			}()
			if r.Path == "/healthz" {
				r.Handler = http.NotFoundHandler()
			}
			server(t, func(c *api.Config) { c.Parts = []func(*api.Router){func(rt *api.Router) { rt.Handle(r) }} })
		}()
	}
}

// TestDocumentOfWrongInput holds that the document gives wrong input the status that it is answered with.
func TestDocumentOfWrongInput(t *testing.T) {
	t.Parallel()
	s := server(t, nil)
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]any `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(call(s, "GET", api.DocumentPath, "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	got := doc.Paths["/test/typed"]["get"].Responses
	if got["400"] == nil || got["422"] != nil {
		t.Errorf("it has %v", got)
	}
}

// TestOneParameterListForManyRoutes holds that a route's own parameters are not written into the list that it was given.
func TestOneParameterListForManyRoutes(t *testing.T) {
	t.Parallel()
	list := make([]*huma.Param, 0, 4)
	server(t, func(c *api.Config) {
		c.Parts = append(c.Parts, func(rt *api.Router) {
			rt.Handle(api.Route{Method: http.MethodGet, Path: "/test/shared/{key}", Access: api.Open, Handler: http.NotFoundHandler(),
				Operation: &huma.Operation{Summary: "a test", OperationID: "shared", Parameters: list}})
		})
	})
	if p := list[:1][0]; p != nil {
		t.Errorf("%s was put behind the end of the caller's list", p.Name)
	}
}
