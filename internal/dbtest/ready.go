package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/openlectern/lectern/db"
)

// Ready opens a database of the engine that is as setup left it, which is closed and gone when the test ends.
// Setup runs once per test binary and engine (more often on the MySQL family, where as many databases are made as tests
// use at the same time), so it must do the same whenever it runs, and must be a plain function of a package, as its
// name tells one kind of prepared database from another. It must not keep the database it is given.
//
// The test may change rows as it likes, and no table definitions: a test of those takes [Open].
func Ready(tb testing.TB, e db.Engine, setup func(*db.DB) error) *db.DB {
	tb.Helper()
	return open(tb, e, ReadyURL(tb, e, setup))
}

// ReadyURL returns the URL of a database that is as setup left it, for tests that open it themselves or in another
// process. Everything said at [Ready] holds; whoever opens it must have closed it when the test ends.
func ReadyURL(tb testing.TB, e db.Engine, setup func(*db.DB) error) string {
	tb.Helper()
	t := templateOf(tb, e, setup)
	if err := t.once(); err != nil {
		tb.Fatalf("prepare a database of %s: %v", e, err)
	}
	url, giveBack, err := t.take(tb.TempDir)
	if err != nil {
		tb.Fatalf("take a prepared database of %s: %v", e, err)
	}
	tb.Cleanup(func() {
		if err := giveBack(); err != nil {
			tb.Errorf("give back a prepared database of %s: %v", e, err)
		}
	})
	return url
}

// template is what one setup function makes on one engine.
type template struct {
	once func() error // runs setup the first time, and returns what came of it every time
	copier
}

// copier hands out databases that are as a setup function left them.
type copier interface {
	// prepare makes what take copies; called once, before take.
	prepare() error
	// take returns the URL of a database, and what to call when the test no longer uses it. A database that is files
	// goes into the folder that tempDir makes.
	take(tempDir func() string) (url string, giveBack func() error, err error)
}

type templateKey struct {
	engine db.Engine
	setup  string
}

var templates struct {
	mu sync.Mutex
	m  map[templateKey]*template // guarded by mu
}

func templateOf(tb testing.TB, e db.Engine, setup func(*db.DB) error) *template {
	tb.Helper()
	name, err := nameOf(setup)
	if err != nil {
		tb.Fatal(err)
	}
	var c copier
	switch e {
	case db.SQLite:
		c = &file{setup: setup}
	case db.PostgreSQL:
		c = &clone{server: serverOf(tb, e), setup: setup}
	default:
		c = &pool{server: serverOf(tb, e), setup: setup}
	}
	templates.mu.Lock()
	defer templates.mu.Unlock()
	key := templateKey{e, name}
	if t := templates.m[key]; t != nil {
		return t
	}
	if templates.m == nil {
		templates.m = map[templateKey]*template{}
	}
	t := &template{once: sync.OnceValue(c.prepare), copier: c}
	templates.m[key] = t
	return t
}

// nameOf returns the name of a plain function of a package. The names of others (literals, methods) do not tell what
// they do: two values of one may differ.
func nameOf(setup func(*db.DB) error) (string, error) {
	name := runtime.FuncForPC(reflect.ValueOf(setup).Pointer()).Name()
	if strings.Count(name[strings.LastIndex(name, "/")+1:], ".") != 1 {
		return "", fmt.Errorf("setup is %s: it must be a plain function of a package, which its name tells from others", name)
	}
	return name, nil
}

// run opens the database, runs setup on it and closes it.
func run(at string, setup func(*db.DB) error) (err error) {
	d, err := db.Open(context.Background(), at, db.Options{Create: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return setup(d)
}

// file copies an SQLite database, kept in memory.
type file struct {
	setup   func(*db.DB) error
	content []byte
}

func (f *file) prepare() (err error) {
	dir, err := os.MkdirTemp("", "lectern-dbtest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "ready.db")
	if err := run(fileURL(path), f.setup); err != nil {
		return err
	}
	// The last connection to close has moved the write-ahead log into the file.
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return fmt.Errorf("%s-wal is still there: setup has not closed what it opened", path)
	}
	f.content, err = os.ReadFile(path)
	return err
}

func (f *file) take(tempDir func() string) (string, func() error, error) {
	path := filepath.Join(tempDir(), "test.db")
	return fileURL(path), func() error { return nil }, os.WriteFile(path, f.content, 0o644)
}

// clone copies a database with PostgreSQL's own means.
type clone struct {
	*server
	setup  func(*db.DB) error
	master string // nobody connects to it after prepare, else it cannot be copied
}

func (c *clone) prepare() (err error) {
	if c.master, err = c.create(""); err != nil {
		return err
	}
	return run(c.url(c.master), c.setup)
}

func (c *clone) take(func() string) (string, func() error, error) {
	name, err := c.create(c.master)
	if err != nil {
		return "", nil, err
	}
	return c.url(name), func() error { return c.drop(name) }, nil
}
