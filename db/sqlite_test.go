package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// childVariable makes this test binary, run again, another process that works on a database: "what path".
const childVariable = "LECTERN_DB_TEST_CHILD"

func TestMain(m *testing.M) {
	if job := os.Getenv(childVariable); job != "" {
		what, path, _ := strings.Cut(job, " ")
		if err := children[what](path); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var children = map[string]func(path string) error{
	"add":      childAdd,
	"hold":     childHold,
	"die":      childDie,
	"readonly": childReadOnly,
}

// child starts another process; it ends with the test at the latest.
func child(t *testing.T, what, path string, attr *syscall.SysProcAttr) *osexec.Cmd {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+what+" "+path)
	cmd.SysProcAttr = attr
	return cmd
}

// childAdd adds 1 to the counter 100 times, in transactions of their own.
func childAdd(path string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, path, db.Options{})
	if err != nil {
		return err
	}
	for range 100 {
		if err := addOne(ctx, d); err != nil {
			return err
		}
	}
	return d.Close()
}

// addOne reads, then writes: without the lock that Update takes at its start, additions would get lost.
func addOne(ctx context.Context, d *db.DB) error {
	return d.Update(ctx, func(tx *db.Tx) error {
		n, _, err := db.One(ctx, tx, "SELECT n FROM counter WHERE id = 1", nil, db.Value[int])
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE counter SET n = ? WHERE id = 1", n+1)
		return err
	})
}

// childHold takes the write lock, says so, and keeps it until its standard input ends.
func childHold(path string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, path, db.Options{})
	if err != nil {
		return err
	}
	err = d.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1000 WHERE id = 1"); err != nil {
			return err
		}
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	})
	return errors.Join(err, d.Close())
}

// childDie writes, says so, and is killed in the middle of its transaction.
func childDie(path string) error {
	ctx := context.Background()
	d, err := db.Open(ctx, path, db.Options{})
	if err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE counter SET n = n + 1000000 WHERE id = 1"); err != nil {
			return err
		}
		fmt.Println("held")
		select {}
	})
}

func sqliteCounter(t *testing.T) (*db.DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b?c#d%20.db") // every character that a URI would take for its own
	d := reopen(t, path, db.Options{Create: true})
	create(t, d, counter)
	exec(t, d, "INSERT INTO counter (id, n) VALUES (1, 0)")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the file has another name: %v", err)
	}
	return d, path
}

// TestProcesses writes from three processes and several goroutines, and reads meanwhile.
func TestProcesses(t *testing.T) {
	t.Parallel()
	d, path := sqliteCounter(t)
	ctx := t.Context()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if out, err := child(t, "add", path, nil).CombinedOutput(); err != nil {
				t.Errorf("child: %v\n%s", err, out)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 50 {
				if err := addOne(ctx, d); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	last := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		n, _, err := db.One(ctx, d, "SELECT n FROM counter", nil, db.Value[int])
		if err != nil || n < last {
			t.Errorf("read %d after %d: %v", n, last, err)
		}
		last = n
	}
	if last != 300 {
		t.Errorf("300 additions gave %d", last)
	}
}

// start runs a child until it has said "held".
func start(t *testing.T, what, path string) (cmd *osexec.Cmd, release func()) {
	t.Helper()
	cmd = child(t, what, path, nil)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("child said %q, %v", line, err)
	}
	return cmd, func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("child: %v", err)
		}
	}
}

// TestBusy waits for another process that holds the write lock longer than SQLite itself waits, reading meanwhile.
func TestBusy(t *testing.T) {
	t.Parallel()
	d, path := sqliteCounter(t)
	_, release := start(t, "hold", path)
	wrote := make(chan error)
	go func() { wrote <- addOne(t.Context(), d) }()
	if n := one[int](t, d, "SELECT n FROM counter"); n != 0 {
		t.Errorf("read %d while another process writes", n)
	}
	select {
	case err := <-wrote:
		t.Errorf("written while another process holds the lock: %v", err)
	case <-time.After(3 * time.Second):
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := addOne(ctx, d); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a write that may not wait: %v", err)
	}
	release()
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	if n := one[int](t, d, "SELECT n FROM counter"); n != 1001 {
		t.Errorf("the counter is %d, want 1001", n)
	}
}

// TestKilled kills a process in the middle of its transaction: nothing of it stays, its lock neither.
func TestKilled(t *testing.T) {
	t.Parallel()
	d, path := sqliteCounter(t)
	cmd, _ := start(t, "die", path)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
	if err := addOne(t.Context(), d); err != nil {
		t.Error(err)
	}
	if n := one[int](t, d, "SELECT n FROM counter"); n != 1 {
		t.Errorf("the counter is %d, want 1", n)
	}
}

// TestOpenSQLite covers files that are missing, or no databases.
func TestOpenSQLite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	header := "SQLite format 3\x00"
	for _, c := range []struct {
		name, path string
		o          db.Options
		kind       fault.Kind
		cond       error
	}{
		{"missing", filepath.Join(dir, "none.db"), db.Options{}, fault.NotFound, nil},
		{"missing, read-only", filepath.Join(dir, "none.db"), db.Options{ReadOnly: true, Create: true}, fault.NotFound, nil},
		{"a folder", dir, db.Options{Create: true}, fault.Refused, nil},
		{"below a file", filepath.Join(file("f", ""), "x.db"), db.Options{Create: true}, fault.Unavailable, nil},
		{"short text", file("short.txt", "hello"), db.Options{Create: true}, fault.Refused, db.ErrNotDatabase},
		{"long text", file("long.txt", strings.Repeat("hello\n", 2000)), db.Options{}, fault.Refused, db.ErrNotDatabase},
		{"text, read-only", file("ro.txt", strings.Repeat("hello\n", 2000)), db.Options{ReadOnly: true}, fault.Refused, db.ErrNotDatabase},
		{"a header and nonsense", file("cut.db", header+strings.Repeat("x", 4096)), db.Options{}, fault.Refused, db.ErrNotDatabase},
	} {
		before, _ := os.ReadFile(c.path)
		d, err := db.Open(t.Context(), c.path, c.o)
		if err == nil {
			_ = d.Close()
		}
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != c.kind || f.Next == "" || c.cond != nil && !errors.Is(err, c.cond) {
			t.Errorf("%s: %v (%s), want %s with a next step", c.name, err, fault.KindOf(err).Code(), c.kind.Code())
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database was made: %v", err)
	}
	d := reopen(t, filepath.Join(dir, "new", "folders", "x.db"), db.Options{Create: true})
	create(t, d, counter)
	if mode := one[string](t, d, "PRAGMA journal_mode"); mode != "wal" {
		t.Errorf("journal mode %s", mode)
	}
	err := d.Session(t.Context(), func(s *db.Session) error {
		for sql, want := range map[string]int{"PRAGMA foreign_keys": 1, "PRAGMA synchronous": 1, "PRAGMA busy_timeout": 2000} {
			if got := one[int](t, s, sql); got != want {
				t.Errorf("%s: %d, want %d", sql, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	// An empty file is an empty database.
	if d := reopen(t, file("empty.db", ""), db.Options{}); one[int](t, d, "SELECT count(*) FROM sqlite_schema") != 0 {
		t.Error("an empty file has tables")
	}
}

// TestFull fills the file up to a limit of pages, which gives the error of a full disk. What was there stays.
func TestFull(t *testing.T) {
	t.Parallel()
	d, _ := sqliteCounter(t)
	ctx := t.Context()
	exec(t, d, "CREATE TABLE filler (body text)")
	err := d.Session(ctx, func(s *db.Session) error {
		pages := one[int](t, s, "PRAGMA page_count")
		one[int](t, s, "PRAGMA max_page_count = "+strconv.Itoa(pages+3))
		return s.Update(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE counter SET n = 5"); err != nil {
				return err
			}
			return tx.Insert(ctx, "filler", []string{"body"}, 100, func(i int, v []any) { v[0] = strings.Repeat("x", 2000) })
		})
	})
	var f *fault.Error
	if !errors.Is(err, db.ErrFull) || !errors.As(err, &f) || f.Kind != fault.Unavailable || f.Next == "" {
		t.Errorf("a full disk: %v", err)
	}
	if n := one[int](t, d, "SELECT n FROM counter"); n != 0 {
		t.Errorf("half a transaction was saved: %d", n)
	}
	if err := addOne(ctx, d); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestPermissions runs as a user who may not write: the file, then its folder.
func TestPermissions(t *testing.T) {
	t.Parallel()
	d, path := sqliteCounter(t)
	if err := d.Close(); err != nil { // the log goes into the file
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	var attr *syscall.SysProcAttr
	if os.Getuid() == 0 { // root may write everything
		attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the parent of TempDir is closed to others
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name      string
		file, dir os.FileMode
		want      string
	}{
		{"file", 0o444, 0o777, "read 0; write unavailable next"},
		{"folder", 0o666, 0o555, "read 0; write unavailable next"},
		{"both", 0o444, 0o555, "read 0; write unavailable next"},
		{"unreadable file", 0o000, 0o777, "read unavailable next; write unavailable next"},
	} {
		if err := errors.Join(os.Chmod(path, c.file), os.Chmod(dir, c.dir)); err != nil {
			t.Fatal(err)
		}
		cmd := child(t, "readonly", path, attr)
		if attr != nil {
			cmd.Path = "/proc/self/exe" // the binary's own folder is closed to other users
		}
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
	if err := errors.Join(os.Chmod(path, 0o644), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
}

// childReadOnly says what reading and writing give.
func childReadOnly(path string) error {
	ctx := context.Background()
	tell := func(n int, err error) string {
		if err == nil {
			return strconv.Itoa(n)
		}
		s := fault.KindOf(err).Code()
		var f *fault.Error
		if errors.As(err, &f) && f.Next != "" {
			s += " next"
		}
		if s != "unavailable next" {
			s += " " + err.Error()
		}
		return s
	}
	read := func() (n int, err error) {
		d, err := db.Open(ctx, path, db.Options{ReadOnly: true})
		if err != nil {
			return 0, err
		}
		n, _, err = db.One(ctx, d, "SELECT n FROM counter", nil, db.Value[int])
		return n, errors.Join(err, d.Close())
	}
	write := func() error {
		d, err := db.Open(ctx, path, db.Options{Create: true})
		if err != nil {
			return err
		}
		return errors.Join(addOne(ctx, d), d.Close())
	}
	r := tell(read())
	fmt.Printf("read %s; write %s\n", r, tell(0, write()))
	return nil
}
