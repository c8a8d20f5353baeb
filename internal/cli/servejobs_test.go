package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/sample"
)

// caller sends requests to a server with a token.
type caller struct {
	*serving
	token string
}

func (c *caller) send(method, path, contentType string, body io.Reader, into any) int {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		c.t.Fatal(err)
	}
	switch into := into.(type) {
	case *[]byte:
		*into = b
	default:
		if err := json.Unmarshal(b, into); err != nil {
			c.t.Fatalf("%s %s: %d %s", method, path, answer.StatusCode, b)
		}
	}
	return answer.StatusCode
}

// jobDoc is a job as the API tells it.
type jobDoc struct {
	ID      int64
	Status  string
	By      string
	Attempt int
	Result  map[string]any
	Error   *struct{ Code, Message string }
	Files   []struct {
		Name, URL string
		Bytes     int
	}
	Detail string // of errors
}

// ended waits until a job has ended.
func (c *caller) ended(id int64) (d jobDoc) {
	c.t.Helper()
	for range 1200 {
		if status := c.send(http.MethodGet, "/api/lectern/v1/jobs/"+itoa(id), "", nil, &d); status != http.StatusOK {
			c.t.Fatalf("job %d: %d %s", id, status, d.Detail)
		}
		if d.Status != "queued" && d.Status != "running" {
			return d
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.t.Fatalf("job %d is still %s; standard error: %s", id, d.Status, c.errs)
	return d
}

func itoa(n int64) string { b, _ := json.Marshal(n); return string(b) }

// TestServeJobs exports and imports a course over HTTP, with a server that is killed in between.
func TestServeJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := filepath.Join(dir, "store.db")
	if err := os.CopyFS(filepath.Join(dir, "src"), sample.Course()); err != nil {
		t.Fatal(err)
	}
	lectern := func(into any, args ...string) {
		t.Helper()
		status, out, errs := run(t.Context(), t, nil, append(args, "--db", store, "--json")...)
		if status != 0 {
			t.Fatalf("%v: %s", args, errs)
		}
		if err := json.Unmarshal([]byte(out), into); err != nil {
			t.Fatal(err)
		}
	}
	var any map[string]any
	lectern(&any, "course", "import", filepath.Join(dir, "src"))
	c, stranger := &caller{}, &caller{}
	for name, to := range map[string]*caller{"chris": c, "jo": stranger} {
		args := []string{"user", "add", name, "--email", name + "@example.org"}
		if name == "chris" {
			args = append(args, "--superuser")
		}
		lectern(&any, args...)
		var token struct{ Token string }
		lectern(&token, "user", "token", name)
		to.token = token.Token
	}
	c.serving = serve(t, "--db", store)
	c.eventually("/readyz", 200)
	var d jobDoc
	want := `{"kind": "course export", "key": "` + sample.CourseKey + `"}`
	if status := c.send(http.MethodPost, "/api/lectern/v1/jobs", "application/json", strings.NewReader(want), &d); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, d.Detail)
	}
	d = c.ended(d.ID)
	if d.Status != "done" || d.By != "chris" || len(d.Files) != 1 || d.Result["course"] != sample.CourseKey {
		t.Fatalf("%+v", d)
	}
	counted := false
	for range 1500 { // a moment after the row says so
		_, body := c.get("/metrics")
		if counted = strings.Contains(body, `lectern_jobs_ended_total{kind="course export",status="done"} 1`); counted {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !counted {
		t.Error("/metrics does not tell of the job")
	}
	for _, series := range []string{`lectern_jobs{status="queued"} 0`, `lectern_jobs{status="running"} 0`, `lectern_jobs{status="failed"} 0`, `lectern_jobs{status="lost"} 0`} {
		if _, body := c.get("/metrics"); !strings.Contains(body, series) {
			t.Errorf("/metrics lacks %s", series)
		}
	}
	var archive []byte
	if status := c.send(http.MethodGet, d.Files[0].URL, "", nil, &archive); status != http.StatusOK || len(archive) != d.Files[0].Bytes {
		t.Fatalf("%s: %d, %d bytes", d.Files[0].URL, status, len(archive))
	}
	stranger.serving = c.serving
	for _, path := range []string{"", "/log", "/files/" + d.Files[0].Name} {
		var e jobDoc
		if status := stranger.send(http.MethodGet, "/api/lectern/v1/jobs/"+itoa(d.ID)+path, "", nil, &e); status != http.StatusNotFound {
			t.Errorf("a stranger reads %q: %d", path, status)
		}
	}
	var e jobDoc
	if status := stranger.send(http.MethodPost, "/api/lectern/v1/jobs", "application/json", strings.NewReader(want), &e); status != http.StatusForbidden {
		t.Errorf("a stranger exports: %d", status)
	}
	upload := "/api/lectern/v1/jobs/upload?" + url.Values{"kind": {"course import"}, "key": {"course-v1:Acme+Up+1"}, "filename": {"up.tar.gz"}}.Encode()
	if status := stranger.send(http.MethodPost, upload, "application/octet-stream", bytes.NewReader(archive), &e); status != http.StatusForbidden {
		t.Errorf("a stranger imports: %d", status)
	}
	for _, bad := range []string{"?kind=course+export", "?kind=course+import&lenient=perhaps", ""} {
		if status := c.send(http.MethodPost, "/api/lectern/v1/jobs/upload"+bad, "", strings.NewReader("x"), &e); status != http.StatusBadRequest {
			t.Errorf("upload%s: %d", bad, status)
		}
	}
	if status := c.send(http.MethodPost, upload, "application/octet-stream", bytes.NewReader(archive), &d); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, d.Detail)
	}
	c.end(os.Kill)
	c.serving = serve(t, "--db", store)
	c.eventually("/readyz", 200)
	if d = c.ended(d.ID); d.Status != "done" || d.Result["course"] != "course-v1:Acme+Up+1" {
		t.Errorf("after a kill: %+v, %+v", d, d.Error)
	}
	var list struct{ Jobs []jobDoc }
	if status := c.send(http.MethodGet, "/api/lectern/v1/jobs?status=done&status=failed&limit=2", "", nil, &list); status != http.StatusOK || len(list.Jobs) != 2 || list.Jobs[0].ID != d.ID {
		t.Errorf("%d %+v", status, list)
	}
	if status := c.send(http.MethodPost, "/api/lectern/v1/jobs/"+itoa(d.ID)+"/cancel", "", nil, &e); status != http.StatusConflict {
		t.Errorf("cancel after its end: %d", status)
	}
}

// TestServeJobsBadInput sends what no client should to the jobs: each gets an answer of its own, and there is no job afterwards.
func TestServeJobsBadInput(t *testing.T) {
	t.Parallel()
	p := &pair{T: t, db: filepath.Join(t.TempDir(), "store.db"), data: filepath.Join(t.TempDir(), "data")}
	p.command(nil, "db", "init")
	p.command(nil, "user", "add", "root", "--email", "root@example.org", "--superuser")
	root := p.newToken("root")
	p.command(nil, "user", "add", "jo", "--email", "jo@example.org")
	jo := p.newToken("jo")
	s := serve(t, "--db", p.db, "--data", p.data, "--upload-space", "1")
	s.eventually("/readyz", 200)
	const jobs = "/api/lectern/v1/jobs"
	big := strings.Repeat("x", 2<<20)
	for _, c := range []struct {
		who, method, path, body string
		status                  int
	}{
		{root, "GET", "/0", "", 400}, {root, "GET", "/-1", "", 400}, {root, "GET", "/first", "", 400}, {root, "GET", "/99999999999999999999", "", 400}, {root, "GET", "/7", "", 404},
		{root, "GET", "?status=ended", "", 400}, {root, "GET", "?limit=0", "", 400}, {root, "GET", "?limit=100000", "", 400}, {root, "GET", "?before=x", "", 400},
		{root, "GET", "?kind=%27%20OR%201%3D1", "", 200}, {root, "GET", "?kind=%25", "", 200},
		{root, "GET", "/7/files/..%2F..%2Fsecret.json", "", 404}, {root, "POST", "/7/cancel", "", 404}, {root, "POST", "/7/retry", "", 404},
		{root, "POST", "", `{"kind": `, 400}, {root, "POST", "", `[]`, 400}, {root, "POST", "", `{}`, 400}, {root, "POST", "", `{"kind": 5}`, 400}, {root, "POST", "", `{"kind": "rm -rf"}`, 400},
		{root, "POST", "", `{"kind": "course export", "key": "nonsense"}`, 400}, {root, "POST", "", `{"kind": "course export", "key": "course-v1:A+B+C", "format": "exe"}`, 400},
		{root, "POST", "", `{"kind": "course export", "key": "` + big + `"}`, 413},
		{jo, "POST", "", `{"kind": "course export", "key": "course-v1:A+B+C"}`, 403}, {jo, "POST", "", `{"kind": "package backup --all"}`, 403},
		{"forged", "GET", "", "", 401}, {"", "POST", "", `{"kind": "package backup --all"}`, 401},
		{root, "POST", "/upload?kind=store%20prune%20apply", "{}", 400}, {root, "POST", "/upload?kind=course%20import&key=nonsense", "x", 400},
		{jo, "POST", "/upload?kind=course%20import", "x", 403},
		{root, "POST", "/upload?kind=course%20import&filename=..%2F..%2Fc.tar.gz", big, 409}, // more than there is room for
		{root, "DELETE", "", "", 405}, {root, "PUT", "/7", "{}", 405},
	} {
		var answer []byte
		contentType := "application/json"
		if strings.HasPrefix(c.path, "/upload") {
			contentType = "application/octet-stream"
		}
		if status := (&caller{s, c.who}).send(c.method, jobs+c.path, contentType, strings.NewReader(c.body), &answer); status != c.status {
			t.Errorf("%s %s %.60s: %d %s, want %d", c.method, c.path, c.body, status, answer, c.status)
		}
	}
	var doc struct {
		Jobs []struct{ Kind, Thing string }
	}
	if p.command(&doc, "job", "list"); len(doc.Jobs) != 0 {
		t.Errorf("there are jobs: %+v", doc.Jobs)
	}
	if left, err := filepath.Glob(filepath.Join(p.data, "jobs", "*", "in", "*")); err != nil || len(left) > 0 {
		t.Errorf("uploads are left: %v, %v", left, err)
	}
	if strings.Contains(s.errs.String(), "status=5") {
		t.Errorf("the log tells of failures: %s", s.errs)
	}
}
