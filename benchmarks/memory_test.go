package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMemory imports and exports a course with 192 MiB of static files, in a process of its own that is built without the
// race detector, and holds that the memory it takes is bounded whatever the size of the archive.
func TestMemory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "benchmarks")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	run := func(more ...string) []*Line {
		t.Helper()
		lines, err := linesOf(exec.Command(program, append([]string{"-job", "memory", "-n", "192", "-cache", dir}, more...)...))
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	run("-setup")
	lines := run()
	if len(lines) != 2 {
		t.Fatalf("%d lines, want import and export", len(lines))
	}
	for _, l := range lines {
		if l.Peak == 0 || l.Peak > maxPeak {
			t.Errorf("%s: at most %.0f MiB resident, want less than %d", l.Job, l.Peak, maxPeak)
		}
	}
}
