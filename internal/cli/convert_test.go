package cli_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/openlectern/lectern/internal/golden"
)

// hashOf is of all files below a folder, with their names.
func hashOf(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path) //nolint:gosec // of the dump
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		_, _ = io.WriteString(h, path)
		_, err = io.Copy(h, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

type convertedDoc struct {
	Courses []struct {
		Course, Key, Status string
		KeyMap              *string `json:"key_map"`
		Unchanged           int
	}
}

// TestConvertKilled kills a conversion of a site once its first course is there, and runs it again: what was done is known,
// the others follow, and the source is what it was.
func TestConvertKilled(t *testing.T) {
	t.Parallel()
	dump := golden.Path(t, "modulestore/split-chain/dump")
	was := hashOf(t, dump)
	dir := t.TempDir()
	store, maps := filepath.Join(dir, "store.db"), filepath.Join(dir, "maps")
	args := []string{"legacy", "convert", dump, "--db", store, "--key-map", maps, "--history", "--jobs", "1", "--json"}
	cmd := exec.Command("lectern", args...) //nolint:gosec,noctx // killed below
	cmd.Env = append(os.Environ(), "LECTERN_DB=", "LECTERN_DATA=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	begun := func() bool {
		list, err := filepath.Glob(filepath.Join(maps, "*.csv"))
		return err == nil && len(list) > 0
	}
	for running := true; running && !begun(); {
		select {
		case <-ended:
			running = false
			ended <- nil
		case <-time.After(5 * time.Millisecond):
		}
	}
	_ = cmd.Process.Kill() // it may have ended
	<-ended

	status, stdout, stderr := run(t.Context(), t, nil, args...)
	if status != 0 {
		t.Fatalf("again: %d %s", status, stderr)
	}
	var doc convertedDoc
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil {
		t.Fatal(err)
	}
	known := 0
	for _, c := range doc.Courses {
		if c.Status == "unchanged" {
			known++
		}
		if c.Status == "failed" || c.KeyMap == nil || c.Unchanged == 0 {
			t.Errorf("%+v", c)
		}
	}
	if known == 0 || len(doc.Courses) != 4 {
		t.Errorf("%d of %d courses were known again", known, len(doc.Courses))
	}
	if status, _, stderr := run(t.Context(), t, nil, "db", "verify", "--db", store); status != 0 {
		t.Errorf("verify: %d %s", status, stderr)
	}
	if hashOf(t, dump) != was {
		t.Error("the source was changed")
	}
}
