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
	"slices"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
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

// TestHistoryKilled kills a conversion with history again and again, each time later: there is never a half of a course, the next run goes on
// with the others, and what there is at last is what a run has made that nobody has disturbed. Each run is a job; one may be killed when it is
// done already.
func TestHistoryKilled(t *testing.T) {
	t.Parallel()
	dump := golden.Path(t, "modulestore/split-small/dump")
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		dir := t.TempDir()
		store := func() func(args ...string) []string {
			url, data := dbtest.ReadyURL(t, e, newSite), t.TempDir()
			return func(args ...string) []string { return append(args, "--db", url, "--data", data, "--json") }
		}
		calm, killed := store(), store()
		work := []string{"legacy", "convert", dump, "--history", "--jobs", "2", "--key-map", dir}
		read := func(into any, args []string) {
			t.Helper()
			status, stdout, stderr := run(t.Context(), t, nil, args...)
			if status != 0 {
				t.Fatalf("%v: %d %s", args, status, stderr)
			}
			if err := json.Unmarshal([]byte(stdout), into); err != nil {
				t.Fatal(err)
			}
		}
		var want, got convertedDoc
		read(&want, calm(work...))
		type logs struct {
			Entries []struct {
				At      time.Time
				Message string
			}
		}
		history := func(args []string) (l logs) {
			t.Helper()
			read(&l, args)
			slices.Reverse(l.Entries)
			return l
		}
		kills := 0
		for patience := 60 * time.Millisecond; ; patience = patience * 8 / 5 {
			cmd := exec.Command("lectern", killed(work...)...) //nolint:gosec,noctx // killed below
			cmd.Env = append(os.Environ(), "LECTERN_DB=", "LECTERN_DATA=")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			var err error
			select {
			case err = <-ended:
				if err != nil {
					t.Fatalf("it ended with %v", err)
				}
			case <-time.After(patience):
				_ = cmd.Process.Kill()
				err = <-ended
			}
			var there struct{ Courses []struct{ Key string } }
			if status, stdout, _ := run(t.Context(), t, nil, killed("course", "list")...); status == 0 { // else there is no store yet
				if err := json.Unmarshal([]byte(stdout), &there); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range there.Courses {
				want, got := history(calm("course", "history", c.Key, "--limit", "100000")), history(killed("course", "history", c.Key, "--limit", "100000"))
				if len(got.Entries) != len(want.Entries) || len(got.Entries) == 0 {
					t.Fatalf("after %d kills %s has %d of %d moments", kills, c.Key, len(got.Entries), len(want.Entries))
				}
				for i := range got.Entries[:max(0, len(got.Entries)-3)] { // the last are of the conversion itself
					if !got.Entries[i].At.Equal(want.Entries[i].At) || got.Entries[i].Message != want.Entries[i].Message {
						t.Fatalf("%s: moment %d is %+v, not %+v", c.Key, i, got.Entries[i], want.Entries[i])
					}
				}
			}
			if err == nil {
				break
			}
			kills++
		}
		read(&got, killed(work...))
		for i, c := range got.Courses {
			if c.Status != "unchanged" || c.Course != want.Courses[i].Course {
				t.Errorf("in the end: %+v", c)
			}
		}
		var jobs struct {
			Jobs []struct{ Kind, Status string }
		}
		read(&jobs, killed("job", "list"))
		count := map[string]int{}
		for _, j := range jobs.Jobs {
			if j.Kind == "legacy convert" {
				count[j.Status]++
			}
		}
		if count["done"] < 2 || count["running"] != 0 || kills == 0 {
			t.Errorf("%d kills, and jobs %v", kills, count)
		}
		t.Logf("%d kills, jobs %v", kills, count)
		if status, _, stderr := run(t.Context(), t, nil, killed("db", "verify")...); status != 0 {
			t.Errorf("verify: %d %s", status, stderr)
		}
	})
}
