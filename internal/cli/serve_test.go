package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
)

// serving is a program that serves, in a process of its own.
type serving struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader
	url  string
	errs *output
}

// output collects what a process writes while others read it.
type output struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// serve starts the program on a free port and waits for its first line.
func serve(t *testing.T, args ...string) *serving {
	t.Helper()
	s := &serving{t: t, cmd: exec.Command("lectern", append([]string{"serve", "--listen", "localhost:0"}, args...)...), errs: &output{}} //nolint:gosec,noctx // the program under test, which each test ends
	s.cmd.Stderr = s.errs
	s.cmd.Env = append(os.Environ(), "LECTERN_DB=", "LECTERN_DATA=")
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.end(os.Kill)
		}
	})
	s.out = bufio.NewReader(stdout)
	url, ok := strings.CutPrefix(s.line(), "listening on ")
	if !ok {
		t.Fatalf("the first line says where it listens not: %s%s", url, s.errs)
	}
	s.url = url
	return s
}

// line returns the next line of the standard output.
func (s *serving) line() string {
	s.t.Helper()
	line, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatalf("%v after %q; standard error: %s", err, line, s.errs)
	}
	return strings.TrimSuffix(line, "\n")
}

// end ends the process and returns its status, -1 for a signal.
func (s *serving) end(by os.Signal) int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(by); err != nil {
		s.t.Error(err)
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		s.t.Error(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// get asks for a path; status is 0 when there is no answer.
func (s *serving) get(path string) (status int, body string) {
	s.t.Helper()
	r, err := http.Get(s.url + path) //nolint:noctx,gosec // its own server, which the test ends
	if err != nil {
		return 0, err.Error()
	}
	b, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		s.t.Error(err)
	}
	return r.StatusCode, string(b)
}

// eventually asks for a path until it has that status.
func (s *serving) eventually(path string, want int) string {
	s.t.Helper()
	for range 1200 {
		status, body := s.get(path)
		if status == want {
			return body
		}
		time.Sleep(50 * time.Millisecond)
	}
	status, body := s.get(path)
	s.t.Fatalf("%s: %d %s, want %d; standard error: %s", path, status, body, want, s.errs)
	return ""
}

func TestServe(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, "--data", data)
	if status, body := s.get("/healthz"); status != 200 || body != `{"status":"ok"}` {
		t.Errorf("/healthz: %d %s", status, body)
	}
	s.eventually("/readyz", 200)
	if status, body := s.get("/metrics"); status != 200 || !strings.Contains(body, `lectern_ready{check="database"} 1`) {
		t.Errorf("/metrics: %d %.200s", status, body)
	}
	if _, body := s.get("/api/mfe_config/v1?mfe=admin-console"); !strings.Contains(body, `"LMS_BASE_URL":"`+s.url+`"`) {
		t.Errorf("settings of another server: %s", body)
	}
	if got := s.end(syscall.SIGTERM); got != 0 {
		t.Errorf("told to end it had status %d: %s", got, s.errs)
	}
	if log := s.errs.String(); strings.Contains(log, "WARN") || strings.Contains(log, "ERROR") {
		t.Errorf("a new site has troubles: %s", log)
	}

	// Killed at any moment it starts again.
	for range 3 {
		s := serve(t, "--data", data)
		s.eventually("/readyz", 200)
		if got := s.end(os.Kill); got != -1 {
			t.Errorf("killed it had status %d", got)
		}
	}
}

func TestServersStartAtOnce(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store.db")
	var all []*serving
	for range 3 {
		all = append(all, serve(t, "--db", store))
	}
	for _, s := range all {
		s.eventually("/readyz", 200)
	}
}

func TestServeOnOldTables(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "old.db")
	sql := func(text string) {
		t.Helper()
		d, err := openStore(store)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Exec(t.Context(), text); err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if status, _, errs := run(t.Context(), t, nil, "db", "init", "--db", store); status != 0 {
		t.Fatal(errs)
	}
	sql(`DELETE FROM django_migrations WHERE name = '0014_typed_media_id'`)
	s := serve(t, "--db", store)
	var doc struct {
		Ready  bool
		Checks []struct{ Name, Detail, Next string }
	}
	if err := json.Unmarshal([]byte(s.eventually("/readyz", 503)), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Ready || len(doc.Checks) == 0 || !strings.Contains(doc.Checks[0].Next, "lectern db migrate") || !strings.Contains(doc.Checks[0].Detail, "C13") {
		t.Errorf("not ready: %+v", doc)
	}
	if status, body := s.get("/api/user/v1/accounts/ada"); status != 503 || !strings.Contains(body, "lectern db migrate") {
		t.Errorf("a call of the API: %d %s", status, body)
	}
	if status, _ := s.get("/healthz"); status != 200 {
		t.Errorf("the process is not alive: %d", status)
	}
	if got := s.errs.String(); !strings.Contains(got, "not ready") || !strings.Contains(got, "lectern db migrate") {
		t.Errorf("the standard error does not say what to do: %s", got)
	}
	// While another changes the tables, that is what it says.
	if status, _, errs := run(t.Context(), t, nil, "db", "migrate", "--db", store, "--yes"); status != 0 {
		t.Fatal(errs)
	}
	sql(`DELETE FROM django_migrations WHERE name = '0014_typed_media_id'`)
	sql(`INSERT INTO lectern_lock (name, holder, what, taken_at, ends_at) VALUES ('schema', 'elsewhere.example:7:1234', 'lectern db migrate', '2026-01-01 00:00:00', '2999-01-01 00:00:00')`)
	changing := serve(t, "--db", store)
	if body := changing.eventually("/readyz", 503); !strings.Contains(body, "elsewhere.example") || !strings.Contains(body, "job list") {
		t.Errorf("while the tables are changed: %s", body)
	}
	sql(`DELETE FROM lectern_lock WHERE name = 'schema'`)
	if status, _, errs := run(t.Context(), t, nil, "db", "migrate", "--db", store, "--yes"); status != 0 {
		t.Fatal(errs)
	}
	changing.eventually("/readyz", 200)
	s.eventually("/readyz", 200) // by itself
	if got := s.end(syscall.SIGTERM); got != 0 {
		t.Errorf("status %d: %s", got, s.errs)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	taken := serve(t, "--data", t.TempDir())
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--listen", strings.TrimPrefix(taken.url, "http://")}, 1, "--listen"},
		{[]string{"--listen", "nonsense"}, 2, "--listen"},
		{[]string{"--public-url", "studio.example.org"}, 2, "--public-url"},
		{[]string{"--public-url", "https://studio.example.org/path"}, 2, "--public-url"},
		{[]string{"--trusted-proxies", "10.0.0.0/8,proxy"}, 2, "--trusted-proxies"},
		{[]string{"--allow-origin", "*"}, 2, "--allow-origin"},
		{[]string{"--admin-console", filepath.Join(empty, "nothing")}, 2, "--admin-console"},
		{[]string{"--authoring", empty}, 2, "index.html"},
		{[]string{"--metrics-token", token}, 2, "16 characters"},
		{[]string{"--log-format", "xml"}, 2, "--log-format"},
		{[]string{"--drain", "-1s"}, 2, "--drain"},
		{[]string{"extra"}, 2, "serve"},
	} {
		args := append([]string{"serve", "--data", filepath.Join(t.TempDir(), "d"), "--listen", "localhost:0"}, c.args...)
		status, stdout, stderr := run(t.Context(), t, nil, args...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.says) || !strings.Contains(stderr, "next: ") {
			t.Errorf("%v: %d %s%s", c.args, status, stdout, stderr)
		}
	}
}

func TestServeWarnsOfPlainHTTP(t *testing.T) {
	t.Parallel()
	for public, warned := range map[string]bool{
		"http://studio.example.org": true, "http://192.0.2.7:8080": true,
		"https://studio.example.org": false, "http://localhost:8080": false, "http://127.0.0.1:8080": false, "http://[::1]:8080": false,
	} {
		s := serve(t, "--data", t.TempDir(), "--public-url", public)
		if s.url != public {
			t.Errorf("listening on %s, want %s", s.url, public)
		}
		s.end(syscall.SIGTERM)
		if got := strings.Contains(s.errs.String(), "cookies"); got != warned {
			t.Errorf("%s: warned is %v: %s", public, got, s.errs)
		}
	}
}

func TestServeJSON(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("lectern", "serve", "--listen", "localhost:0", "--json", "--log-format", "json", "--data", t.TempDir()) //nolint:noctx // ended below
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	dec := json.NewDecoder(stdout)
	if err := dec.Decode(&doc); err != nil {
		t.Error(err)
	}
	if url := fmt.Sprint(doc["listening"]); !strings.HasPrefix(url, "http://localhost:") {
		t.Errorf("document %v", doc)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := dec.Decode(&doc); err != io.EOF { //nolint:errorlint // as json.Decoder documents it
		t.Errorf("there is more than one document: %v, %v", doc, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func openStore(path string) (*db.DB, error) { return db.Open(context.Background(), path, db.Options{}) }

// browser is a person with a browser: it keeps cookies, and follows redirects.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 30 * time.Second}
}

// send sends a request with the header pairs and returns the answer's status, where it came from in the end, and its body.
func send(t *testing.T, c *http.Client, method, address, body string, headers ...string) (status int, at, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Error(err)
	}
	return res.StatusCode, res.Request.URL.Path, string(b)
}

// token asks for the token against forged requests, as the stock clients do before their first write.
func token(t *testing.T, c *http.Client, base string) string {
	t.Helper()
	var doc struct {
		Token string `json:"csrfToken"`
	}
	_, _, body := send(t, c, "GET", base+"/csrf/api/v1/token", "")
	if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Token == "" {
		t.Fatalf("token: %v, %s", err, body)
	}
	return doc.Token
}

// TestServeSignsIn is the first day of a site: the printed link, a password, the calls of the admin console, another server.
func TestServeSignsIn(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, "--data", data)
	link, ok := strings.CutPrefix(s.line(), "sign in once at "+s.url)
	if !ok {
		t.Fatalf("the second line is no link of this server: %s", link)
	}
	admin := browser(t)
	if status, at, body := send(t, admin, "GET", s.url+link, ""); status != 200 || at != "/signin/password" {
		t.Fatalf("the link leads to %d %s %s", status, at, body)
	}
	if status, _, _ := send(t, browser(t), "GET", s.url+link, ""); status != 403 {
		t.Errorf("the link is good twice: %d", status)
	}
	const password = "a lectern stands in the hall"
	form := url.Values{"new_password": {password}, "new_password_again": {password}, "csrfmiddlewaretoken": {token(t, admin, s.url)}, "next": {"/"}}
	if status, at, body := send(t, admin, "POST", s.url+"/signin/password", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); status != 200 || at != "/" {
		t.Fatalf("setting a password leads to %d %s %s", status, at, body)
	}

	// The calls of the admin console's team page (stock-clients.md §5).
	api := s.url + "/api/authz/v1/"
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "waffle-flag-states/", "", `{"global":`},
		{"GET", "orgs/?page=1&page_size=5", "", `{"count":`},
		{"GET", "scopes/?scope_type=library&page=1&page_size=5", "", `{"count":0`},
		{"GET", "assignments/?roles=library_admin,library_author,library_contributor,library_user&page_size=10&page=1", "", `{"count":0`},
		{"POST", "permissions/validate/me", `[{"action":"content_libraries.manage_library_team"},{"action":"courses.manage_course_team"}]`, `"allowed":true`},
		{"POST", "permissions/validate/me", `[]`, `[]`},
	} {
		headers := []string{"USE-JWT-COOKIE", "true", "Content-Type", "application/json"}
		if c.method == "POST" {
			headers = append(headers, "X-CSRFToken", token(t, admin, s.url))
		}
		if status, _, body := send(t, admin, c.method, api+c.path, c.body, headers...); status != 200 || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
	if status, _, body := send(t, admin, "POST", api+"permissions/validate/me", `[]`, "Content-Type", "application/json"); status != 403 || !strings.Contains(body, "CSRF Failed") {
		t.Errorf("a write without a token: %d %s", status, body)
	}
	// A page of another origin that has the person's cookies, and even a token, changes nothing.
	give := `{"users": ["admin"], "role": "library_user", "scope": "lib:*"}`
	for _, origin := range []string{"https://evil.example", "null", s.url + ".evil.example"} {
		if status, _, body := send(t, admin, "PUT", api+"roles/users/", give, "Content-Type", "application/json", "X-CSRFToken", token(t, admin, s.url), "Origin", origin, "Sec-Fetch-Site", "cross-site"); status != 403 {
			t.Errorf("a write from %s: %d %s", origin, status, body)
		}
	}
	if _, _, body := send(t, admin, "GET", api+"assignments/", ""); !strings.Contains(body, `"count":0`) {
		t.Errorf("what was refused has given a role: %s", body)
	}
	if status, _, body := send(t, admin, "GET", s.url+"/api/user/v1/accounts/admin", ""); status != 200 || !strings.Contains(body, `"email":"admin@localhost"`) {
		t.Errorf("account: %d %s", status, body)
	}

	// Another server on the same database and keys has no first line to print, knows the session, and sees what this one is told.
	other := serve(t, "--data", data, "--public-url", s.url)
	other.url = "http://" + other.listeningOn()
	same := browser(t)
	base, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	there, err := url.Parse(other.url)
	if err != nil {
		t.Fatal(err)
	}
	same.Jar.SetCookies(there, admin.Jar.Cookies(base))
	if status, _, body := send(t, same, "GET", other.url+"/api/lectern/v1/about", ""); status != 200 || !strings.Contains(body, `"user":"admin"`) {
		t.Errorf("the other server does not know the session: %d %s", status, body)
	}
	if status, _, _ := send(t, admin, "POST", s.url+"/login_refresh", ""); status != 200 {
		t.Errorf("refresh: %d", status)
	}
	if status, at, _ := send(t, admin, "GET", s.url+"/logout?redirect_url="+url.QueryEscape("https://evil.example/"), ""); status != 200 || at != "/" {
		t.Errorf("signing out leads to %d %s", status, at)
	}
	if status, _, _ := send(t, same, "GET", other.url+"/api/authz/v1/assignments/", ""); status != 401 {
		t.Errorf("signed out here, the other server still knows the session: %d", status)
	}
	if status, _, _ := send(t, admin, "POST", s.url+"/login_refresh", ""); status != 401 {
		t.Errorf("refresh after signing out: %d", status)
	}

	// With the password, which an operator can take away.
	form = url.Values{"username": {"admin"}, "password": {password}, "csrfmiddlewaretoken": {token(t, admin, s.url)}, "next": {s.url + "/readyz"}}
	if status, at, body := send(t, admin, "POST", s.url+"/login", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); status != 200 || at != "/readyz" {
		t.Errorf("signing in leads to %d %s %s", status, at, body)
	}
	if status, _, errs := run(t.Context(), t, nil, "user", "disable", "admin", "--data", data); status != 0 {
		t.Fatal(errs)
	}
	if status, _, _ := send(t, admin, "GET", api+"assignments/", ""); status != 401 {
		t.Errorf("disabled, and still in: %d", status)
	}
	if got := s.end(syscall.SIGTERM); got != 0 {
		t.Errorf("status %d: %s", got, s.errs)
	}
	again := serve(t, "--data", data)
	if err := again.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(again.out); err != nil || len(rest) > 0 {
		t.Errorf("with users there is a second line: %q, %v", rest, err)
	}
	if err := again.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// listeningOn returns the address that the process has, which its first line does not say where --public-url is given.
func (s *serving) listeningOn() string {
	s.t.Helper()
	for range 1500 {
		if _, rest, ok := strings.Cut(s.errs.String(), "address="); ok {
			address, _, _ := strings.Cut(rest, "\n")
			return strings.TrimSpace(address)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("the log does not say where it listens: %s", s.errs)
	return ""
}
