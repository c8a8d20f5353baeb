package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/fault"
)

func TestCORS(t *testing.T) {
	t.Parallel()
	const apps = "https://apps.example.org"
	s := server(t, func(c *api.Config) { c.Origins = []string{apps + ":443/"} })
	for _, target := range []string{"/healthz", "/test/things/", "/nothing", "/test/broken", "/test/panic"} {
		w := call(s, "GET", target, "", "Origin", apps)
		h := w.Header()
		if h.Get("Access-Control-Allow-Origin") != apps || h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Vary") != "Origin" {
			t.Errorf("%s (%d): %v", target, w.Code, h)
		}
	}
	for _, other := range []string{"https://evil.example", "null", "http://apps.example.org", "https://apps.example.org.evil.example", "", "HTTPS://APPS.EXAMPLE.ORG"} {
		h := call(s, "GET", "/healthz", "", "Origin", other).Header()
		if h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Vary") != "Origin" {
			t.Errorf("%q: %v", other, h)
		}
	}
	w := call(s, "OPTIONS", "/test/things/", "", "Origin", apps, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "use-jwt-cookie,x-csrftoken")
	if w.Code != http.StatusNoContent {
		t.Fatalf("preflight: %d", w.Code)
	}
	for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		if !strings.Contains(w.Header().Get("Access-Control-Allow-Methods"), m) {
			t.Errorf("method %s is missing", m)
		}
	}
	// stock-clients.md §2, CORS
	for _, h := range []string{"use-jwt-cookie", "x-csrftoken", "content-type", "authorization", "x-meilisearch-client", "content-range", "content-disposition"} {
		if !strings.Contains(w.Header().Get("Access-Control-Allow-Headers"), h) {
			t.Errorf("header %s is missing", h)
		}
	}
	if w := call(s, "OPTIONS", "/test/things/", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "PUT"); w.Code != 401 || w.Header().Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("preflight of another origin: %d %v", w.Code, w.Header())
	}
	if h := call(server(t, nil), "GET", "/healthz", "", "Origin", apps).Header(); h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without configuration: %v", h)
	}
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://a.example": "https://a.example", "http://A.example:80": "http://a.example", "https://a.example:443/": "https://a.example",
		"http://localhost:8080": "http://localhost:8080", "http://[::1]:8080": "http://[::1]:8080", "https://a.example:": "https://a.example",
		"http://a.example:443": "http://a.example:443",
		"a.example":            "", "ftp://a.example": "", "https://": "", "https://a.example/x": "", "https://u:p@a.example": "", "https://a.example?x": "", "*": "", "null": "", "": "",
	} {
		u, err := api.ParseOrigin("--public-url", text)
		switch {
		case want == "" && !fault.Is(err, fault.Usage):
			t.Errorf("%q: %v, %v", text, u, err)
		case want != "" && (err != nil || u.String() != want):
			t.Errorf("%q: %v, %v; want %s", text, u, err, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // of httptest's peer
	open := server(t, func(c *api.Config) { c.MetricsFrom = nets })
	call(open, "GET", "/test/things/one/", "")
	call(open, "GET", "/test/things/two/", "")
	call(open, "GET", "/nothing/"+strings.Repeat("x", 50), "")
	call(open, "BREW", "/healthz", "")
	w := call(open, "GET", "/metrics", "")
	for _, line := range []string{
		`lectern_http_requests_total{method="GET",route="/test/things/{key}/",status="200"} 2`,
		`lectern_http_requests_total{method="GET",route="none",status="404"} 1`,
		`lectern_http_requests_total{method="other",route="/healthz",status="405"} 1`,
		`lectern_http_request_duration_seconds_count{route="/test/things/{key}/"} 2`,
		`lectern_http_requests_running 1`,
	} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("%q is missing", line)
		}
	}
	const token = "0123456789abcdef"
	withToken := server(t, func(c *api.Config) { c.MetricsToken = token })
	behind := server(t, func(c *api.Config) { c.Trusted = nets })
	for _, c := range []struct {
		name    string
		s       *api.Server
		headers []string
		want    int
	}{
		{"allowed network", open, nil, 200},
		{"passed on by a proxy nobody trusts", open, []string{"X-Forwarded-For", "127.0.0.1"}, 403},
		{"another address", server(t, nil), nil, 403},
		{"token", withToken, []string{"Authorization", "Bearer " + token}, 200},
		{"wrong token", withToken, []string{"Authorization", "Bearer " + token + "0"}, 403},
		{"wrong token from an allowed network", server(t, func(c *api.Config) { c.MetricsFrom, c.MetricsToken = nets, token }), []string{"Authorization", "Bearer x"}, 403},
		{"no token set, empty one given", open, []string{"Authorization", "Bearer ", "X-Forwarded-For", "1.1.1.1"}, 403},
		{"loopback behind a trusted proxy", behind, []string{"X-Forwarded-For", "127.0.0.1"}, 200},
		{"a stranger behind a trusted proxy", behind, []string{"X-Forwarded-For", "203.0.113.7"}, 403},
		{"made up by a stranger behind a trusted proxy", behind, []string{"X-Forwarded-For", "127.0.0.1, 203.0.113.7"}, 403},
	} {
		if w := call(c.s, "GET", "/metrics", "", c.headers...); w.Code != c.want {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.want)
		}
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var database, policy error
	probe := func(err *error) func(context.Context) error {
		return func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			return *err
		}
	}
	s := server(t, func(c *api.Config) {
		c.Checks = []api.Check{{Name: "database", Probe: probe(&database)}, {Name: "policy", Probe: probe(&policy)}}
	})
	old := fault.Errorf(fault.Refused, "database", "its tables are older (state M10)").WithNext("run lectern db migrate")
	for _, c := range []struct {
		name             string
		database, policy error
		ready            int
		body             string
		things           int
	}{
		{"all well", nil, nil, 200, `{"ready":true,"checks":[{"name":"database","ok":true},{"name":"policy","ok":true}]}`, 401},
		{"old", old, nil, 503, `{"ready":false,"checks":[{"name":"database","ok":false,"detail":"database: its tables are older (state M10)","next":"run lectern db migrate"},{"name":"policy","ok":true}]}`, 503},
		{"away", errBroken, errBroken, 503, `{"ready":false,"checks":[{"name":"database","ok":false,"detail":"the database does not answer","next":"see that it runs and can be reached; the server's log says more"},{"name":"policy","ok":false,"detail":"policy cannot be kept up to date"}]}`, 503},
		{"stale", nil, errBroken, 503, `{"ready":false,"checks":[{"name":"database","ok":true},{"name":"policy","ok":false,"detail":"policy cannot be kept up to date"}]}`, 401},
		{"well again", nil, nil, 200, `{"ready":true,"checks":[{"name":"database","ok":true},{"name":"policy","ok":true}]}`, 401},
	} {
		mu.Lock()
		database, policy = c.database, c.policy
		mu.Unlock()
		s.Refresh(t.Context())
		if w := call(s, "GET", "/readyz", ""); w.Code != c.ready || w.Body.String() != c.body {
			t.Errorf("%s: %d %s\nwant %d %s", c.name, w.Code, w.Body, c.ready, c.body)
		}
		if w := call(s, "GET", "/test/things/", ""); w.Code != c.things || c.things == 503 && w.Header().Get("Retry-After") == "" {
			t.Errorf("%s: a route gave %d %s, want %d", c.name, w.Code, w.Body, c.things)
		}
		for _, early := range []string{"/healthz", "/", "/api/mfe_config/v1", api.DocumentPath} {
			if w := call(s, "GET", early, ""); w.Code != 200 {
				t.Errorf("%s: %s gave %d", c.name, early, w.Code)
			}
		}
	}
	if w := call(s, "GET", "/", ""); strings.Contains(w.Body.String(), "Not ready") {
		t.Errorf("the page says that it is not ready: %s", w.Body)
	}
}

// lost is who looks people up in a database that is away.
type lost struct{ byHeader }

func (lost) Authenticate(http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.WriteError(w, r, errBroken) })
}

// TestEarlyKnowsNobody holds that what works on a database that is not ready looks nobody up in it.
func TestEarlyKnowsNobody(t *testing.T) {
	t.Parallel()
	s := server(t, func(c *api.Config) {
		c.Auth = lost{}
		c.Checks = []api.Check{{Name: "database", Probe: func(context.Context) error { return errBroken }}}
	})
	s.Refresh(t.Context())
	for path, want := range map[string]int{"/api/notifications/count/": 200, "/api/lectern/v1/about": 200, "/test/things/": 503} {
		if w := call(s, "GET", path, ""); w.Code != want {
			t.Errorf("%s gave %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

func TestNotLookedYet(t *testing.T) {
	t.Parallel()
	s, err := api.New(api.Config{Store: people{}, Checks: []api.Check{{Name: "database", Probe: func(context.Context) error { return nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	if w := call(s, "GET", "/readyz", ""); w.Code != 503 {
		t.Errorf("before the first look: %d %s", w.Code, w.Body)
	}
	select {
	case <-s.FirstReady():
		t.Error("it is ready before anything was looked at")
	default:
	}
	s.Refresh(t.Context())
	<-s.FirstReady()
	if err := s.Ready(); err != nil {
		t.Error(err)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	s := withConsole(t)
	var got map[string]any
	if err := json.Unmarshal(call(s, "GET", "http://evil.example/api/mfe_config/v1?mfe=admin-console", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	const base = "https://studio.example.org"
	for key, want := range map[string]any{ // stock-clients.md §3
		"LMS_BASE_URL": base, "STUDIO_BASE_URL": base, "BASE_URL": base, "LOGIN_URL": base + "/login", "LOGOUT_URL": base + "/logout",
		"REFRESH_ACCESS_TOKEN_ENDPOINT": base + "/login_refresh", "CSRF_TOKEN_API_PATH": "/csrf/api/v1/token",
		"ACCESS_TOKEN_COOKIE_NAME": "edx-jwt-cookie-header-payload", "ADMIN_CONSOLE_URL": base + "/admin-console", "ENABLE_UNIT_PAGE": "true",
	} {
		if got[key] != want {
			t.Errorf("%s = %v, want %v", key, got[key], want)
		}
	}
	if _, ok := got["COURSE_AUTHORING_MICROFRONTEND_URL"]; ok {
		t.Error("there is an address of a client that is not here")
	}
	if _, ok := got["LIBRARY_UNSUPPORTED_BLOCKS"].([]any); !ok {
		t.Error("LIBRARY_UNSUPPORTED_BLOCKS is no list")
	}
	for _, c := range []struct {
		path, user string
		status     int
		want       string
	}{
		{"/api/notifications/count/", "", 200, `{"show_notifications_tray":false,"count":0,"count_by_app_name":{}}`},
		{"/api/user/v1/accounts/ada", "", 401, `{"detail":"Authentication credentials were not provided."}`},
		{"/api/user/v1/accounts/ada", "ada", 200, `{"username":"ada","name":"Ada L.","email":"ada@example.org","is_active":true,"profile_image":{"has_image":false,"image_url_full":"IMG","image_url_large":"IMG","image_url_medium":"IMG","image_url_small":"IMG"}}`},
		{"/api/user/v1/accounts/nobody", "ada", 404, `{"detail":"nobody: no such user"}`},
		{"/api/lectern/v1/about", "ada", 200, `{"version":"test","ready":true,"user":"ada"}` + "\n"},
	} {
		var headers []string
		if c.user != "" {
			headers = []string{"X-Test-User", c.user}
		}
		w := call(s, "GET", c.path, "", headers...)
		if got := strings.ReplaceAll(w.Body.String(), base+"/assets/person.svg", "IMG"); w.Code != c.status || got != c.want {
			t.Errorf("%s as %q: %d %s", c.path, c.user, w.Code, got)
		}
	}
	if w := call(s, "GET", "/assets/person.svg", ""); w.Code != 200 {
		t.Errorf("the picture of nobody: %d", w.Code)
	}
}

func TestLogHasNoQuery(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := server(t, func(c *api.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	call(s, "GET", "/test/things/?search=jo@example.org", "", "X-Test-User", "ada", "Authorization", "Bearer sesame", "Cookie", "sessionid=sesame")
	call(s, "GET", "/healthz", "")
	got := log.String()
	if strings.Contains(got, "example.org") || strings.Contains(got, "sesame") || strings.Contains(got, "healthz") || !strings.Contains(got, "user=ada") || !strings.Contains(got, "status=200") {
		t.Errorf("log: %s", got)
	}
}

func TestStatusesOfFaults(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		fault.Errorf(fault.Usage, "x", "y"):       400,
		fault.Errorf(fault.Denied, "x", "y"):      403,
		fault.Errorf(fault.NotFound, "x", "y"):    404,
		fault.Errorf(fault.Conflict, "x", "y"):    409,
		fault.Errorf(fault.Unavailable, "x", "y"): 503,
		context.DeadlineExceeded:                  503,
		errors.New("secret"):                      500,
		&http.MaxBytesError{Limit: 5}:             413,
	} {
		w := call(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { api.WriteError(w, r, err) }), "GET", "/", "")
		if w.Code != want || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d %s, want %d", err, w.Code, w.Body, want)
		}
	}
}
