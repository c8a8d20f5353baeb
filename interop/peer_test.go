package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestPythonPresent is the promise that a green run had a Python side.
func TestPythonPresent(t *testing.T) {
	t.Parallel()
	if v := os.Getenv("LECTERN_REQUIRE_INTEROP"); v != "" && v != "0" && python() == "" {
		t.Error("LECTERN_REQUIRE_INTEROP is set and LECTERN_INTEROP_PYTHON is not: run interop/run")
	}
}

// python returns the interpreter that has the packages of requirements.txt, "" when there is none.
func python() string { return os.Getenv("LECTERN_INTEROP_PYTHON") }

// eachEngine runs fn as a parallel subtest per engine, if there is a Python side.
func eachEngine(t *testing.T, fn func(t *testing.T, e db.Engine)) {
	t.Helper()
	onEngines(t, dbtest.Engines(), fn)
}

func onEngines(t *testing.T, engines []db.Engine, fn func(t *testing.T, e db.Engine)) {
	t.Helper()
	if python() == "" {
		return
	}
	for _, e := range engines {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			fn(t, e)
		})
	}
}

// site is a Django site on a database, in a process of its own.
type site struct {
	in     io.Writer
	out    *bufio.Reader
	errors *bytes.Buffer
}

// startSite starts a site with the content and catalog packages, which ends with the test.
func startSite(t *testing.T, url, media string) *site {
	t.Helper()
	return startKind(t, url, media, "catalog")
}

// startKind starts a site of one of peer.py's kinds.
func startKind(t *testing.T, url, media, kind string) *site {
	t.Helper()
	cmd := exec.Command(python(), "peer.py", url, kind)
	cmd.Env = append(os.Environ(), "LECTERN_MEDIA="+media, "PYTHONDONTWRITEBYTECODE=1", "PYTHONIOENCODING=utf-8")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{in: in, out: bufio.NewReader(out), errors: &bytes.Buffer{}}
	cmd.Stderr = s.errors
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The end of its input ends it.
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("peer.py: %v\n%s", err, s.errors)
		}
	})
	return s
}

// ask runs a command on the site and puts its answer into v, which may be nil.
func (s *site) ask(t *testing.T, v any, command ...string) {
	t.Helper()
	s.tell(t, command...)
	s.hear(t, v, command...)
}

// tell begins a command, whose answer [site.hear] waits for.
func (s *site) tell(t *testing.T, command ...string) {
	t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		t.Fatalf("%q: %v\n%s", command, err, s.errors)
	}
}

// hear waits for the answer to the command that was told last.
func (s *site) hear(t *testing.T, v any, command ...string) {
	t.Helper()
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%q: peer.py has ended: %v", command, err)
	}
	var reply struct {
		Answer json.RawMessage
		Error  string
	}
	if err := json.Unmarshal(line, &reply); err != nil {
		t.Fatalf("%q: %v in %s", command, err, line)
	}
	if reply.Error != "" {
		t.Fatalf("%q:\n%s", command, reply.Error)
	}
	if v == nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(reply.Answer))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%q: %v in %s", command, err, reply.Answer)
	}
}
