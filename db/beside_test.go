package db_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/openlectern/lectern/db"
)

func TestBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct{ place, name, want string }{
		{filepath.Join(dir, "a.db"), "b.db", filepath.Join(dir, "b.db")},
		{"sqlite:" + filepath.Join(dir, "a.db") + "?_x=1", "b.db", "sqlite:" + filepath.Join(dir, "b.db") + "?_x=1"},
		{"mysql://u:p%40@host:3307/a?tls=true", "b_c", "mysql://u:p%40@host:3307/b_c?tls=true"},
		{"postgres://u@host/a", "b", "postgres://u@host/a?search_path=%22b%22"},
		{"postgres://u:p@host/a?search_path=x&sslmode=disable", "b", "postgres://u:p@host/a?search_path=%22b%22&sslmode=disable"},
	} {
		if got, err := db.Beside(c.place, c.name); err != nil || got != c.want {
			t.Errorf("beside %s: %s, %v, want %s", c.place, got, err, c.want)
		}
	}
	if _, err := db.Beside("oracle://u@h/d", "x"); err == nil {
		t.Error("a URL that is none has something beside it")
	}
	if path, ok := db.File("sqlite:" + filepath.Join(dir, "a.db")); !ok || path != filepath.Join(dir, "a.db") {
		t.Errorf("file %s, %v", path, ok)
	}
	if _, ok := db.File("mysql://u@host/a"); ok {
		t.Error("a server is a file")
	}
}

// TestCopyFile copies while others write, into a name that SQL and URLs would have to quote.
func TestCopyFile(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "it's 50% a.db"), filepath.Join(dir, "it's 50% b.db")
	d, err := db.Open(ctx, from, db.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{`CREATE TABLE n (id integer PRIMARY KEY AUTOINCREMENT, x text CHECK (x REGEXP '^[\w.-]+\Z'))`, "INSERT INTO n VALUES (41, 'ab')", "DELETE FROM n", "INSERT INTO n (x) VALUES ('ac')"} {
		if _, err := d.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	err = d.View(ctx, func(*db.Tx) error { return db.CopyFile(ctx, from, to) })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.CopyFile(ctx, from, to); err == nil {
		t.Error("a file that is there is written over")
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := db.CopyFile(gone, from, to+"2"); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := os.Stat(to + "2"); err == nil {
		t.Error("a canceled copy is there")
	}
	c, err := db.Open(ctx, to, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "INSERT INTO n (x) VALUES ('ad')"); err != nil {
		t.Fatal(err)
	}
	if ids, err := db.All(ctx, c, "SELECT id FROM n ORDER BY id", nil, db.Value[int64]); err != nil || len(ids) != 2 || ids[1] != 43 {
		t.Errorf("ids %v, %v, want 42 and 43", ids, err)
	}
	if n, _, err := db.One(ctx, d, "SELECT count(*) FROM n", nil, db.Value[int]); err != nil || n != 1 {
		t.Errorf("%d rows in the original, %v", n, err)
	}
	if err := errors.Join(c.Close(), d.Close()); err != nil {
		t.Error(err)
	}
}
