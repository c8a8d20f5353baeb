package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/sample"
	"github.com/openlectern/lectern/schema"
)

func newSite(d *db.DB) error { return schema.Create(context.Background(), d) }

// pair are two servers, each a process of its own, on one database and one data folder.
type pair struct {
	*testing.T
	db, data string
	admin    string // a token
	servers  [2]*serving
}

// servers starts two on a new site of an engine that has the sample course.
func servers(t *testing.T, e db.Engine) *pair {
	t.Helper()
	p := &pair{T: t, db: dbtest.ReadyURL(t, e, newSite), data: filepath.Join(t.TempDir(), "data")}
	p.command(nil, "course", "import", sampleFolder(t))
	p.command(nil, "user", "add", "root", "--email", "root@example.org", "--superuser")
	p.command(nil, "user", "add", "ada", "--email", "ada@example.org", "--superuser") // both are known to the servers from their start
	p.admin = p.newToken("root")
	for i := range p.servers {
		p.servers[i] = serve(t, "--db", p.db, "--data", p.data)
		p.servers[i].eventually("/readyz", 200)
	}
	return p
}

// command runs a command that must go well.
func (p *pair) command(into any, args ...string) {
	p.Helper()
	status, out, errs := run(p.Context(), p.T, nil, append(args, "--db", p.db, "--data", p.data, "--json")...)
	if status != 0 {
		p.Fatalf("%v: %s", args, errs)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(out), into); err != nil {
			p.Fatalf("%v: %v", args, err)
		}
	}
}

func (p *pair) newToken(name string) string {
	var doc struct{ Token string }
	p.command(&doc, "user", "token", name)
	return doc.Token
}

// as returns somebody who calls one of the servers.
func (p *pair) as(token string, server int) *caller { return &caller{p.servers[server], token} }

// allowed asks a server whether somebody may do something in the sample course.
func (p *pair) allowed(token string, server int, action string) bool {
	p.Helper()
	var list []struct{ Allowed bool }
	body := fmt.Sprintf(`[{"action": %q, "scope": %q}]`, action, sample.CourseKey)
	if status := p.as(token, server).send(http.MethodPost, "/api/authz/v1/permissions/validate/me", "application/json", strings.NewReader(body), &list); status != 200 || len(list) != 1 {
		p.Fatalf("validate/me: %d %+v", status, list)
	}
	return list[0].Allowed
}

// becomes waits until a server answers so, which is to be within half a second.
func (p *pair) becomes(token string, server int, action string, want bool) {
	p.Helper()
	for began := time.Now(); p.allowed(token, server, action) != want; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > 10*time.Second { // on a machine that does much else
			p.Fatalf("server %d does not answer %v to %s", server, want, action)
		}
	}
}

// TestServersOnEngines runs two servers as processes on every engine: somebody signs in by password, permissions are asked
// for, what one server is told holds in the other, and both end when they are told to.
func TestServersOnEngines(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		p := servers(t, e)
		p.command(nil, "user", "add", "joe", "--email", "joe@example.org")
		joe := p.newToken("joe")

		const password = "a lectern stands in the hall"
		status, _, errs := run(t.Context(), t, strings.NewReader(password+"\n"), "user", "password", "ada", "--db", p.db, "--data", p.data)
		if status != 0 {
			t.Fatal(errs)
		}
		base := p.servers[0].url
		ada := browser(t)
		form := url.Values{"username": {"ada"}, "password": {password}, "csrfmiddlewaretoken": {token(t, ada, base)}, "next": {"/api/lectern/v1/about"}}
		if status, at, body := send(t, ada, "POST", base+"/login", form.Encode(), "Content-Type", "application/x-www-form-urlencoded"); status != 200 || at != "/api/lectern/v1/about" || !strings.Contains(body, `"user":"ada"`) {
			t.Fatalf("signing in leads to %d %s %s", status, at, body)
		}
		// The course is decided by assignments, so giving one counts.
		p.command(nil, "flag", "set", "authz.enable_course_authoring", "on", "--course", sample.CourseKey)
		const action = "courses.view_course"
		for server := range p.servers {
			if p.allowed(joe, server, action) {
				t.Errorf("server %d allows what nobody gave", server)
			}
			if p.allowed(joe, server, "courses.no_such_action") {
				t.Errorf("server %d allows an action that there is not", server)
			}
		}
		give := fmt.Sprintf(`{"users": ["joe"], "role": "course_staff", "scopes": [%q]}`, sample.CourseKey)
		if status, _, body := send(t, ada, "PUT", base+"/api/authz/v1/roles/users/", give, "Content-Type", "application/json", "X-CSRFToken", token(t, ada, base)); status != 207 || !strings.Contains(body, "role_added") {
			t.Fatalf("giving a role: %d %s", status, body)
		}
		if !p.allowed(joe, 0, action) {
			t.Error("the server that gave the role does not know it at once")
		}
		p.becomes(joe, 1, action, true)
		var team struct{ Results []struct{ Username string } }
		p.as(p.admin, 1).send(http.MethodGet, "/api/authz/v1/roles/users/?scope="+url.QueryEscape(sample.CourseKey), "", nil, &team)
		if len(team.Results) != 1 || team.Results[0].Username != "joe" {
			t.Errorf("the other server shows the team as %+v", team)
		}
		take := "/api/authz/v1/roles/users/?" + url.Values{"users": {"joe"}, "role": {"course_staff"}, "scope": {sample.CourseKey}}.Encode()
		var done struct{ Completed []any }
		if status := p.as(p.admin, 1).send(http.MethodDelete, take, "", nil, &done); status != 207 || len(done.Completed) != 1 {
			t.Errorf("taking the role in the other server: %d %+v", status, done)
		}
		p.becomes(joe, 0, action, false)

		for i, s := range p.servers {
			if status := s.end(syscall.SIGTERM); status != 0 {
				t.Errorf("server %d, told to end, has status %d: %s", i, status, s.errs)
			}
		}
	})
}

// TestServerKilledOnEngines kills one of two servers in the middle of a job: the other notices, and does it.
func TestServerKilledOnEngines(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if e == db.SQLite {
			return // one lock is for all there, so that nobody could begin what is kept waiting: see TestServeJobs
		}
		p := servers(t, e)
		var d jobDoc
		want := fmt.Sprintf(`{"kind": "course export", "key": %q}`, sample.CourseKey)
		if status := p.as(p.admin, 0).send(http.MethodPost, "/api/lectern/v1/jobs", "application/json", strings.NewReader(want), &d); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, d.Detail)
		}
		if d = p.as(p.admin, 1).ended(d.ID); d.Status != "done" { // either has done it, and both tell
			t.Fatalf("%+v, %+v", d, d.Error)
		}

		// The import has to wait for the package, which somebody else has.
		release := p.hold(t, "UPDATE lectern_package SET serial = serial")
		path := "/api/lectern/v1/jobs/upload?" + url.Values{"kind": {"course import"}, "key": {sample.CourseKey}, "filename": {"c.tar.gz"}, "message": {"again"}}.Encode()
		edited := bytes.NewReader(p.edited())
		if status := p.as(p.admin, 0).send(http.MethodPost, path, "application/octet-stream", edited, &d); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, d.Detail)
		}
		at := p.worker(d.ID)
		p.servers[at].end(os.Kill)
		release()
		other := p.as(p.admin, 1-at)
		if d = other.ended(d.ID); d.Status != "done" || d.Attempt != 2 {
			t.Errorf("after its server was killed: %+v, %+v", d, d.Error)
		}
		if status := p.servers[1-at].end(syscall.SIGTERM); status != 0 {
			t.Errorf("status %d: %s", status, p.servers[1-at].errs)
		}
	})
}

// edited returns an archive of the sample course in which something differs.
func (p *pair) edited() []byte {
	p.Helper()
	dir := sampleFolder(p.T)
	path := filepath.Join(dir, "html", "lens_text.html")
	if err := os.WriteFile(path, []byte("<p>Welcome, and come in.</p>"), 0o600); err != nil {
		p.Fatal(err)
	}
	out := filepath.Join(p.TempDir(), "course.tar.gz")
	if b, err := exec.Command("tar", "-C", filepath.Dir(dir), "-czf", out, filepath.Base(dir)).CombinedOutput(); err != nil { //nolint:gosec,noctx // of our own folders
		p.Fatalf("%v: %s", err, b)
	}
	archive, err := os.ReadFile(out)
	if err != nil {
		p.Fatal(err)
	}
	return archive
}

// hold lets a statement change rows, which nobody else can then until the function returned is called.
func (p *pair) hold(t *testing.T, sql string) (release func()) {
	t.Helper()
	d, err := db.Open(t.Context(), p.db, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	held, free, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		err := d.Update(context.Background(), func(tx *db.Tx) error {
			if _, err := tx.Exec(context.Background(), sql); err != nil {
				return err
			}
			close(held)
			<-free
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-held:
	case <-ended:
		t.Fatal("the rows could not be held")
	}
	once := false
	release = func() {
		if !once {
			once = true
			close(free)
			<-ended
		}
	}
	t.Cleanup(release)
	return release
}

// worker waits until a server is at a job, and returns which.
func (p *pair) worker(id int64) int {
	p.Helper()
	for range 400 {
		var doc struct{ Status, Worker string }
		p.command(&doc, "job", "show", itoa(id))
		for i, s := range p.servers {
			if doc.Status == "running" && strings.HasPrefix(doc.Worker, fmt.Sprintf("process %d on ", s.cmd.Process.Pid)) {
				return i
			}
		}
		if doc.Status == "done" || doc.Status == "failed" {
			p.Fatalf("the job was to wait, and is %+v", doc)
		}
		time.Sleep(25 * time.Millisecond)
	}
	p.Fatal("nobody does the job")
	return 0
}

// TestMigrateKilled kills the process of db migrate in the middle of a step: its job does not stay running, and another
// run goes on.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		t.Parallel()
		if e == db.SQLite || len(goldendb.Starts(t, e, "U")) == 0 {
			return // a step cannot be kept waiting there; see the tests of package takeover
		}
		p := &pair{T: t, db: dbtest.URL(t, e), data: filepath.Join(t.TempDir(), "data")}
		d, err := db.Open(t.Context(), p.db, db.Options{Create: true})
		if err != nil {
			t.Fatal(err)
		}
		goldendb.Load(t, d, "U")
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		release := p.hold(t, "UPDATE oel_publishing_learningpackage SET title = title")
		cmd := exec.Command("lectern", "db", "migrate", "--to", "0003", "--yes", "--db", p.db, "--data", p.data) //nolint:gosec,noctx // killed below
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}
		t.Cleanup(func() {
			if cmd.ProcessState == nil {
				kill()
			}
		})
		list := func() (doc struct {
			Jobs []struct {
				Kind, Status string
				Progress     struct{ Done, Total int }
				Error        *struct{ Code string }
			}
		}) {
			if status, out, _ := run(t.Context(), t, nil, "job", "list", "--db", p.db, "--data", p.data, "--json"); status == 0 {
				if err := json.Unmarshal([]byte(out), &doc); err != nil {
					t.Fatal(err)
				}
			}
			return doc
		}
		for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
			if jobs := list().Jobs; len(jobs) == 1 && jobs[0].Status == "running" && jobs[0].Progress.Total > 1 {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("the run is not seen: %+v", list())
			}
		}
		kill()
		if jobs := list().Jobs; len(jobs) != 1 || jobs[0].Kind != "db migrate" || jobs[0].Status != "failed" || jobs[0].Error == nil || jobs[0].Error.Code != "interrupted" {
			t.Errorf("after the kill: %+v", jobs)
		}
		release()
		p.command(nil, "db", "migrate", "--to", "0003", "--yes")
		if jobs := list().Jobs; len(jobs) != 2 || jobs[0].Status != "done" {
			t.Errorf("after another run: %+v", jobs)
		}
	})
}
