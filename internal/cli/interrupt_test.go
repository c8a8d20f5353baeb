package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/internal/cli"
	"github.com/openlectern/lectern/sample"
)

// run runs one command within the test.
func run(ctx context.Context, t *testing.T, stdin io.Reader, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = cli.Main(ctx, cli.Env{Args: args, Stdin: stdin, Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }})
	return status, out.String(), errs.String()
}

// sampleFolder writes the sample course to a folder.
func sampleFolder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "course")
	if err := os.CopyFS(dir, sample.Course()); err != nil {
		t.Fatal(err)
	}
	return dir
}

// countdown is a context that is cancelled when it has been asked so often whether it is, which is in the middle of the
// work, wherever that is.
type countdown struct {
	context.Context
	left   atomic.Int64
	cancel context.CancelFunc
}

func (c *countdown) Err() error {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// TestInterrupted stops an import at many places: the course is there whole or not at all, and the status tells.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	src := sampleFolder(t)
	interrupted := 0
	for after := int64(1); after < 100_000; after *= 2 {
		store := filepath.Join(t.TempDir(), "store.db")
		if status, _, stderr := run(t.Context(), t, nil, "db", "init", "--db", store); status != 0 {
			t.Fatalf("db init: %d %s", status, stderr)
		}
		inner, cancel := context.WithCancel(t.Context())
		ctx := &countdown{Context: inner, cancel: cancel}
		ctx.left.Store(after)
		status, _, stderr := run(ctx, t, nil, "course", "import", src, "--db", store, "--json")
		cancel()
		_, list, _ := run(t.Context(), t, nil, "course", "list", "--db", store, "--json")
		there := strings.Contains(list, sample.CourseKey)
		switch {
		case status == 0 && !there, status != 0 && status != 130, status == 130 && !strings.Contains(stderr, `"interrupted"`):
			t.Fatalf("cancelled at check %d: status %d, %s; the list is %s", after, status, stderr, list)
		case status == 0:
			if interrupted == 0 {
				t.Error("no import was interrupted")
			}
			return // it was done before
		}
		interrupted++
		if there && !strings.Contains(list, `"blocks": 25`) {
			t.Fatalf("cancelled at check %d: the list is %s", after, list)
		}
		if left, _ := filepath.Glob(store + "-media/content/*/*"); !there && len(left) > 0 {
			t.Errorf("cancelled at check %d: the files %v are left", after, left)
		}
	}
	t.Error("no import was done")
}

// TestInterruptedWaiting stops a command that waits for its input.
func TestInterruptedWaiting(t *testing.T) {
	t.Parallel()
	store := filepath.Join(t.TempDir(), "store.db")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	silent, _ := io.Pipe()
	status, _, stderr := run(ctx, t, silent, "block", "edit", "block-v1:Lectern+LIGHT+2025+type@problem+block@flash",
		"--olx", "-", "--db", store, "--json")
	var doc struct{ Error struct{ Code string } }
	if err := json.Unmarshal([]byte(stderr), &doc); err != nil || status != 130 || doc.Error.Code != "interrupted" {
		t.Errorf("status %d, stderr %s, %v; want 130 and the code interrupted", status, stderr, err)
	}
	if _, err := os.Stat(store); err == nil {
		t.Error("there is a database now")
	}
}
