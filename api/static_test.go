package api_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openlectern/lectern/api"
	"github.com/openlectern/lectern/fault"
)

const page = `<!doctype html><html><head><script>var THEME={"a":1}</script>
<script defer src="/admin-console/app.0123456789abcdef0123.js"></script></head><body><div id="root"></div></body></html>`

// client is a folder with a built client, and a file beside it that is nobody's business.
func client(t testing.TB) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret":                               page,
		"dist/index.html":                      page,
		"dist/app.0123456789abcdef0123.js":     "console.log('" + strings.Repeat("lectern ", 1000) + "')",
		"dist/app.0123456789abcdef0123.js.map": "{}",
		"dist/static/logo.svg":                 "<svg/>",
		"dist/.env":                            "SECRET=1",
		"dist/.git/config":                     "x",
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "dist", "link.txt")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "dist"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	})
	return root
}

func withConsole(t testing.TB) *api.Server {
	root := client(t)
	return server(t, func(c *api.Config) { c.AdminConsole = root.FS() })
}

func TestClientFiles(t *testing.T) {
	t.Parallel()
	s := withConsole(t)
	const forever, again = "public, max-age=31536000, immutable", "no-cache"
	for _, c := range []struct {
		path, accept string
		status       int
		kind, cache  string
	}{
		{"/admin-console/", "", 200, "text/html; charset=utf-8", again},
		{"/admin-console/index.html", "", 200, "text/html; charset=utf-8", again},
		{"/admin-console/authz", "*/*", 200, "text/html; charset=utf-8", again},
		{"/admin-console/authz/user/jo.js", "text/html,*/*", 200, "text/html; charset=utf-8", again},
		{"/admin-console/authz/course-v1:O+C.x+R", "*/*", 200, "text/html; charset=utf-8", again},
		{"/admin-console/app.0123456789abcdef0123.js", "", 200, "text/javascript; charset=utf-8", forever},
		{"/admin-console/app.0123456789abcdef0123.js.map", "", 200, "application/json", forever},
		{"/admin-console/static/logo.svg", "", 200, "image/svg+xml", again},
		{"/admin-console/static/", "", 200, "text/html; charset=utf-8", again}, // a folder is no file
		{"/admin-console/missing.js", "*/*", 404, "application/json", "no-store"},
		{"/admin-console/.env", "text/html", 404, "application/json", "no-store"},
		{"/admin-console/.git/config", "text/html", 404, "application/json", "no-store"},
		{"/admin-console/link.txt", "*/*", 404, "application/json", "no-store"},
		{"/admin-console/%2e%2e/secret", "*/*", 404, "application/json", "no-store"},
		{"/admin-console/..%2fsecret", "*/*", 404, "application/json", "no-store"},
		{"/admin-console/..%5csecret", "*/*", 404, "application/json", "no-store"},
		{"/admin-console/a%00b", "*/*", 404, "application/json", "no-store"},
		{"/assets/landing.html", "", 404, "application/json", "no-store"},
		{"/assets/", "", 404, "application/json", "no-store"},
		{"/assets/page.css", "", 200, "text/css; charset=utf-8", again},
	} {
		w := call(s, "GET", c.path, "", "Accept", c.accept)
		if h := w.Header(); w.Code != c.status || h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != c.cache {
			t.Errorf("%s: %d, %s, %s", c.path, w.Code, h.Get("Content-Type"), h.Get("Cache-Control"))
		}
		if strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%s shows what is hidden", c.path)
		}
	}
	if w := call(s, "GET", "/admin-console", ""); w.Code != 301 || w.Header().Get("Location") != "/admin-console/" {
		t.Errorf("without a slash: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := call(s, "POST", "/admin-console/", ""); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
}

func TestClientPolicy(t *testing.T) {
	t.Parallel()
	got := call(withConsole(t), "GET", "/admin-console/authz", "").Header().Get("Content-Security-Policy")
	sum := sha256.Sum256([]byte(`var THEME={"a":1}`))
	want := "script-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"
	if !strings.Contains(got, want) {
		t.Errorf("policy %q; want it to have %q", got, want)
	}
}

func TestCompressedAndConditional(t *testing.T) {
	t.Parallel()
	s := withConsole(t)
	const script = "/admin-console/app.0123456789abcdef0123.js"
	plain := call(s, "GET", script, "")
	w := call(s, "GET", script, "", "Accept-Encoding", "br, gzip;q=0.8")
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if unpacked, err := io.ReadAll(z); err != nil || !bytes.Equal(unpacked, plain.Body.Bytes()) {
		t.Errorf("%v: %d bytes, want %d", err, len(unpacked), plain.Body.Len())
	}
	if w.Header().Get("Content-Encoding") != "gzip" || w.Header().Get("Vary") != "Accept-Encoding" || plain.Header().Get("Vary") != "Accept-Encoding" {
		t.Errorf("headers %v", w.Header())
	}
	if w.Header().Get("Etag") == plain.Header().Get("Etag") {
		t.Error("two forms of a file have one tag")
	}
	for _, r := range []*httptest.ResponseRecorder{w, plain} {
		again := call(s, "GET", script, "", "Accept-Encoding", r.Header().Get("Content-Encoding"), "If-None-Match", r.Header().Get("Etag"))
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("asked again: %d", again.Code)
		}
	}
	if w := call(s, "GET", script, "", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("gzip was sent to who does not want it")
	}
	if w := call(s, "GET", script, "", "Accept-Encoding", "gzip", "Range", "bytes=0-6"); w.Code != 206 || w.Body.String() != "console" {
		t.Errorf("a part: %d %q", w.Code, w.Body)
	}
}

func TestClientsRefused(t *testing.T) {
	t.Parallel()
	empty, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer empty.Close() //nolint:errcheck // nothing is in it
	root := client(t)
	for name, c := range map[string]api.Config{
		"an empty folder":           {AdminConsole: empty.FS()},
		"built for another address": {Authoring: root.FS()},
	} {
		if _, err := api.New(c); !fault.Is(err, fault.Usage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
