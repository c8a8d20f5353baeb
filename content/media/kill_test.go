package media

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestKilledAnywhere kills a process that stores media at every step in turn, files and statements alike. Afterwards no
// row is without its whole file, and the next process does the same work, sweeps, and finds nothing too much.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	ended := false
	for step := 1; !ended; step++ {
		url, root := dbtest.ReadyURL(t, db.SQLite, setup), t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestStoreAndDie$", "-test.v")
		cmd.Env = append(os.Environ(), "MEDIA_URL="+url, "MEDIA_ROOT="+root, "MEDIA_STEP="+strconv.Itoa(step))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		switch {
		case err == nil && !strings.Contains(string(out), "stored"):
			t.Fatalf("step %d: the process did nothing:\n%s", step, out)
		case err == nil:
			ended = true
			if step < 20 {
				t.Errorf("only %d steps", step)
			}
		case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		default:
			t.Fatalf("step %d: %v\n%s", step, err, out)
		}
		d, err := db.Open(t.Context(), url, db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		files := NewDir(root)
		checkFiles(t, d, files, step)
		if err := storeSome(t, d, files); err != nil {
			t.Errorf("step %d: again: %v", step, err)
		}
		checkFiles(t, d, files, step)
		p, err := publishing.PackageByRef(t.Context(), d, "lp:kill")
		if err != nil {
			t.Fatal(err)
		}
		err = d.Update(t.Context(), func(tx *db.Tx) error {
			_, err := Sweep(t.Context(), tx, files, p, 0)
			return err
		})
		if got := names(t, files, p.UUID); len(got) != 2 || err != nil {
			t.Errorf("step %d: files after the sweep: %v, %v", step, got, err)
		}
		checkFiles(t, d, files, step)
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// checkFiles checks that every row with a file has it, whole.
func checkFiles(t *testing.T, d *db.DB, files *Dir, step int) {
	t.Helper()
	pkgs, err := publishing.Packages(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkgs {
		ids, err := db.All(t.Context(), d, "SELECT id FROM openedx_content_media WHERE has_file = ? AND learning_package_id = ?", []any{true, p.ID}, db.Value[ID])
		if err != nil {
			t.Fatal(err)
		}
		rows, err := ByID(t.Context(), d, ids, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range rows {
			if got := DigestBytes([]byte(content(t, files, p.UUID, m.Digest))); got != m.Digest {
				t.Errorf("step %d: the file of a row has other content", step)
			}
		}
	}
}

// storeSome makes a package with two files, or does it again.
func storeSome(t *testing.T, d *db.DB, files *Dir) error {
	return d.Update(t.Context(), func(tx *db.Tx) error {
		p, err := publishing.PackageByRef(t.Context(), tx, "lp:kill")
		if err != nil {
			if p, err = publishing.CreatePackage(t.Context(), tx, publishing.NewPackage{Ref: "lp:kill", Title: "Kill"}); err != nil {
				return err
			}
		}
		list := []New{asFile("text/x", "one"), text("text/x", "row"), asFile("text/y", strings.Repeat("two", 30_000))}
		_, err = GetOrCreate(t.Context(), tx, files, p, list, Options{})
		return err
	})
}

// TestStoreAndDie is the process that TestKilledAnywhere kills; by itself it stores nothing.
func TestStoreAndDie(t *testing.T) {
	url := os.Getenv("MEDIA_URL")
	if url == "" {
		return
	}
	step, err := strconv.Atoi(os.Getenv("MEDIA_STEP"))
	if err != nil {
		t.Fatal(err)
	}
	disk := &faulty{failAt: step, die: true}
	d, err := db.Open(t.Context(), url, db.Options{OnStatement: func(string) { _ = disk.step("statement") }})
	if err != nil {
		t.Fatal(err)
	}
	files := NewDir(os.Getenv("MEDIA_ROOT"))
	files.disk = disk
	if err := storeSome(t, d, files); err != nil {
		t.Fatal(err)
	}
	t.Log("stored")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
