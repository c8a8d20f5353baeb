package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/sample"
)

// consoleCall is a call that the stock admin console made in a browser, with the answer that it went on with: who asked
// for what in which flow. A line with a flag is the operator's, who turned it on for a course then. BASE stands for the
// server's address, and TIME for when organizations were made.
type consoleCall struct {
	Flow, As, Flag string
	Method, Path   string
	Sent           json.RawMessage
	Status         int
	Answer         any
}

// TestConsoleCalls repeats what the stock admin console (docs/server.md, "Trying the console") asked for while a person
// went through its pages, as an administrator, as somebody who manages one course, and as somebody who may do nothing,
// and compares the answers with those by which all pages came out right.
func TestConsoleCalls(t *testing.T) {
	t.Parallel()
	const other = "course-v1:Other+O1+2026"
	p := &pair{T: t, db: filepath.Join(t.TempDir(), "store.db"), data: filepath.Join(t.TempDir(), "data")}
	p.command(nil, "course", "import", sampleFolder(t))
	p.command(nil, "course", "rerun", sample.CourseKey, other)
	p.command(nil, "user", "add", "admin", "--email", "admin@example.org", "--superuser")
	tokens := map[string]string{"admin": p.newToken("admin")}
	team := []string{"authz", "assign"}
	for i := 10; i < 35; i++ {
		name := fmt.Sprintf("u%d", i)
		p.command(nil, "user", "add", name, "--name", fmt.Sprintf("Person Number %d", i), "--email", name+"@example.org")
		team = append(team, name)
	}
	for _, name := range []string{"carol", "dave", "eve"} {
		p.command(nil, "user", "add", name, "--name", name+" Doe", "--email", name+"@example.org")
		tokens[name] = p.newToken(name)
	}
	flag := func(course string) {
		p.command(nil, "flag", "set", "authz.enable_course_authoring", "on", "--course", course)
	}
	flag(sample.CourseKey)
	p.command(nil, append(team, "course_staff", sample.CourseKey)...)
	p.command(nil, "authz", "assign", "u10", "course_auditor", other)
	p.command(nil, "authz", "assign", "carol", "course_admin", sample.CourseKey)

	s := serve(t, "--db", p.db, "--data", p.data)
	s.eventually("/readyz", 200)
	lines, err := os.ReadFile(filepath.Join("testdata", "console", "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	calls := json.NewDecoder(bytes.NewReader(lines))
	n := 0
	for ; calls.More(); n++ {
		var c consoleCall
		if err := calls.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if c.Flag != "" {
			flag(c.Flag)
			s.tells(tokens["admin"], "/api/authz/v1/waffle-flag-states/", c.Flag)
			continue
		}
		contentType := ""
		if c.Sent != nil {
			contentType = "application/json"
		}
		var answer []byte
		status := (&caller{s, tokens[c.As]}).send(c.Method, c.Path, contentType, bytes.NewReader(c.Sent), &answer)
		var got any
		if err := json.Unmarshal(bytes.ReplaceAll(answer, []byte(s.url), []byte("BASE")), &got); err != nil {
			t.Errorf("%s: %s %s as %s: %d %s", c.Flow, c.Method, c.Path, c.As, status, answer)
			continue
		}
		hideTimes(got)
		if diff := cmp.Diff(c.Answer, got); status != c.Status || diff != "" {
			t.Errorf("%s: %s %s %s as %s: %d, want %d (-want +got):\n%s", c.Flow, c.Method, c.Path, c.Sent, c.As, status, c.Status, diff)
		}
	}
	if n < 70 {
		t.Errorf("%d calls only", n)
	}
	if s.get("/healthz"); strings.Contains(s.errs.String(), "status=5") {
		t.Errorf("the log tells of troubles: %s", s.errs)
	}
}

// tells waits until an answer has a text in it.
func (s *serving) tells(token, path, text string) {
	s.t.Helper()
	var answer []byte
	for range 500 { // half a second, on a machine that does nothing else
		if (&caller{s, token}).send("GET", path, "", nil, &answer); bytes.Contains(answer, []byte(text)) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("%s tells nothing of %s: %s", path, text, answer)
}

// hideTimes puts TIME in the place of when something was made.
func hideTimes(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if _, text := x.(string); text && (k == "created" || k == "modified") {
				v[k] = "TIME"
			}
			hideTimes(x)
		}
	case []any:
		for _, x := range v {
			hideTimes(x)
		}
	}
}
