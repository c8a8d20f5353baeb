package db

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

// TestOpenLeavesTheFileAlone: whoever opens a file and finds that it is not ours has not changed a byte of it.
func TestOpenLeavesTheFileAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "theirs.db")
	theirs, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Exec("CREATE TABLE a (b); INSERT INTO a VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := theirs.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(t.Context(), path, Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.View(t.Context(), func(tx *Tx) error {
		_, _, err := One(t.Context(), tx, "SELECT b FROM a", nil, Value[int])
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Error("opening and reading the file changed it")
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("beside the file: %v, %v; want nothing", entries, err)
	}
}
