package cli_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/golden"
)

// commandsOf returns the commands in the blocks of a page of the documentation, in their order.
func commandsOf(t *testing.T, page string) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", page)) //nolint:gosec // a page of ours
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside
		case inside && line != "":
			var args []string
			for i, part := range strings.Split(line, `"`) { // texts stand in quotes
				if i%2 == 1 {
					args = append(args, part)
				} else {
					args = append(args, strings.Fields(part)...)
				}
			}
			if args[0] != "lectern" {
				t.Fatalf("%s: %q is no command of ours", page, line)
			}
			all = append(all, args[1:])
		}
	}
	return all
}

// TestGoldenRetirement takes a site with an old store and with a Split one from the first look to the end by the commands of
// docs/retire-mongodb.md as they stand there, then the reading ones once more, and back. The dump and learners' rows are what they
// were at every step, and the course is here, under its key of today, while its old key is refused.
func TestGoldenRetirement(t *testing.T) {
	t.Parallel()
	r := newRetiring(t, db.SQLite)
	if status := r.s.end(syscall.SIGTERM); status != 0 { // the commands are all that there is
		t.Fatalf("the server ended with %d: %s", status, r.s.errs)
	}
	r.splitToo()
	learners := func() map[string]string {
		all := r.digests()
		for name := range all {
			if !strings.HasPrefix(name, "edxapp/") && !slices.ContainsFunc([]string{"student_", "courseware_", "certificates_", "grades_"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
				delete(all, name)
			}
		}
		return all
	}
	lectern := func(args ...string) (status int, out string) {
		cmd := exec.CommandContext(t.Context(), "lectern", args...) //nolint:gosec // of the page
		cmd.Dir = filepath.Dir(r.dump)
		cmd.Env = append(os.Environ(), "LECTERN_DB="+r.db, "LECTERN_DATA="+r.data)
		text, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), string(text)
	}
	before := learners()
	if len(before) < 8 {
		t.Fatalf("only %v", slices.Sorted(maps.Keys(before)))
	}
	steps := commandsOf(t, "retire-mongodb.md")
	var reading [][]string
	stages := 0
	for _, args := range steps {
		status, out := lectern(args...)
		if status != 0 {
			t.Errorf("lectern %s: %d\n%s", strings.Join(args, " "), status, out)
		}
		if diff := cmp.Diff(before, learners()); diff != "" {
			t.Errorf("after lectern %s (-before +after):\n%s", strings.Join(args, " "), diff)
		}
		switch {
		case args[0] == "legacy" && args[1] == "stage":
			stages++
		case args[0] != "split": // whose plan is there already
			reading = append(reading, args)
		}
	}
	if stages != 2 || len(reading) < 10 {
		t.Fatalf("%d stages, %d other commands", stages, len(reading))
	}
	today := "course-v1:" + strings.ReplaceAll(r.old, "/", "+")
	for _, c := range []struct {
		status int
		says   string
		args   []string
	}{
		{0, strings.TrimPrefix(today, "course-v1:"), []string{"course", "show", today}},
		{3, "no longer available", []string{"course", "show", r.old}},
		{0, r.old, []string{"legacy", "courses", r.old, "--json"}},
		{0, "unchanged", []string{"legacy", "convert", "dump", r.old}},
	} {
		if status, out := lectern(c.args...); status != c.status || !strings.Contains(out, c.says) {
			t.Errorf("lectern %s: %d\n%s", strings.Join(c.args, " "), status, out)
		}
	}
	for _, args := range reading { // at this stage, too
		if status, out := lectern(args...); status != 0 {
			t.Errorf("again, lectern %s: %d\n%s", strings.Join(args, " "), status, out)
		}
	}
	if status, out := lectern("legacy", "stage", "none"); status != 0 {
		t.Error(out)
	}
	if diff := cmp.Diff(before, learners()); diff != "" {
		t.Errorf("at the end (-before +after):\n%s", diff)
	}
}

// splitToo puts a course of the other old store into the dump.
func (r *retiring) splitToo() {
	r.Helper()
	from := golden.Path(r.T, "modulestore/split-chain/dump")
	err := fs.WalkDir(os.DirFS(from), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "metadata") {
			return err
		}
		text, err := os.ReadFile(filepath.Join(from, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		for _, in := range []string{name, strings.TrimSuffix(name, ".gz"), name + ".gz"} { // what the other site has is another's
			if _, err := os.Stat(filepath.Join(r.dump, filepath.FromSlash(in))); err == nil {
				return nil
			}
		}
		return os.WriteFile(filepath.Join(r.dump, filepath.FromSlash(name)), text, 0o600)
	})
	if err != nil {
		r.Fatal(err)
	}
}
