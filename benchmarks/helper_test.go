package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	status := m.Run()
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// built is where the program is, once a test has asked for it.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program returns the path of this program, built without the race detector: it would change what is measured.
func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "lectern-bench-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", filepath.Join(built.dir, "benchmarks"), ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = errors.Join(err, errors.New(string(out)))
		}
	})
	if built.err != nil {
		t.Fatalf("go build: %v", built.err)
	}
	return filepath.Join(built.dir, "benchmarks")
}

// pieces runs a job in a process of its own and returns its lines by name.
func pieces(t *testing.T, job string, n int, cache string) map[string]*Line {
	t.Helper()
	self := program(t)
	var lines []*Line
	for _, more := range []string{"-setup", "-raw=false"} {
		var err error
		lines, err = linesOf(exec.CommandContext(t.Context(), self, "-job", job, "-n", strconv.Itoa(n), "-cache", cache, more))
		if err != nil {
			t.Fatal(err)
		}
	}
	out := make(map[string]*Line, len(lines))
	for _, l := range lines {
		out[l.Job] = l
	}
	return out
}
