// Package dbtest gives a test databases of its own on every engine that is configured: SQLite always, and each server
// whose URL is in LECTERN_TEST_MYSQL, LECTERN_TEST_MARIADB or LECTERN_TEST_POSTGRES. The user of that URL must be
// allowed to create databases; the database it names is only connected to, never changed.
//
// A test gets an empty database ([Open], [Each], [URL]) or one prepared by a setup function ([Ready], [EachReady],
// [ReadyURL]). Setup runs once per test binary and engine; every further database is a cheap copy of what it made.
//
// An engine that is not configured gets no subtest. So that this never passes for a success where the servers should
// be there, LECTERN_REQUIRE_ENGINES lists engines that must be configured (comma-separated), and tests fail when one
// is not.
//
// A cluster of several servers is something else: [OnCluster], with LECTERN_TEST_GALERA.
//
// Everything here is safe for parallel tests and for several test binaries on the same servers.
package dbtest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
)

// engines are all engines, in the order in which tests run on them, with the variable that configures each.
var engines = []struct {
	engine   db.Engine
	variable string // "": needs no server
}{
	{db.SQLite, ""},
	{db.MariaDB, "LECTERN_TEST_MARIADB"},
	{db.MySQL, "LECTERN_TEST_MYSQL"},
	{db.PostgreSQL, "LECTERN_TEST_POSTGRES"},
}

// Engines returns the engines that are configured, SQLite first.
func Engines() []db.Engine {
	var es []db.Engine
	for _, e := range engines {
		if e.variable == "" || os.Getenv(e.variable) != "" {
			es = append(es, e.engine)
		}
	}
	return es
}

// missing returns the engines that LECTERN_REQUIRE_ENGINES names and that are not configured.
func missing() []string {
	var names []string
	for _, name := range strings.Split(os.Getenv("LECTERN_REQUIRE_ENGINES"), ",") {
		name = strings.TrimSpace(name)
		if name == galera && strings.TrimSpace(os.Getenv(clusterVariable)) != "" {
			continue
		}
		if name != "" && !slices.Contains(Engines(), db.Engine(name)) {
			names = append(names, name)
		}
	}
	return names
}

// Each runs fn as a subtest per configured engine, named after it, each on an empty database of its own that is gone
// when the subtest ends. It fails the test when a required engine is not configured.
func Each(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	OnEngines(t, func(t *testing.T, e db.Engine) { fn(t, Open(t, e)) })
}

// EachReady is [Each] with databases that setup has prepared; see [Ready].
func EachReady(t *testing.T, setup func(*db.DB) error, fn func(t *testing.T, d *db.DB)) {
	t.Helper()
	OnEngines(t, func(t *testing.T, e db.Engine) { fn(t, Ready(t, e, setup)) })
}

// OnEngines is [Each] without a database, for tests that open their own.
func OnEngines(t *testing.T, fn func(t *testing.T, e db.Engine)) {
	t.Helper()
	if m := missing(); len(m) > 0 {
		t.Errorf("LECTERN_REQUIRE_ENGINES asks for %s, whose LECTERN_TEST_… URL is not set", strings.Join(m, ", "))
	}
	for _, e := range Engines() {
		t.Run(string(e), func(t *testing.T) { fn(t, e) })
	}
}

// Open opens an empty database of the engine, which is closed and dropped when the test ends.
func Open(tb testing.TB, e db.Engine) *db.DB {
	tb.Helper()
	return open(tb, e, URL(tb, e))
}

// URL returns the URL of an empty database of the engine, for tests that open it themselves or in another process.
// It is dropped when the test ends, whoever is connected. For SQLite the file does not exist yet.
func URL(tb testing.TB, e db.Engine) string {
	tb.Helper()
	if e == db.SQLite {
		return fileURL(filepath.Join(tb.TempDir(), "test.db"))
	}
	s := serverOf(tb, e)
	name, err := s.create("")
	if err != nil {
		tb.Fatalf("create a test database: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.drop(name); err != nil {
			tb.Errorf("drop a test database: %v", err)
		}
	})
	return s.url(name)
}

// open opens the database at the URL and closes it when the test ends.
func open(tb testing.TB, e db.Engine, at string) *db.DB {
	tb.Helper()
	d, err := db.Open(context.Background(), at, db.Options{Create: true})
	if err != nil {
		tb.Fatalf("open a test database: %v", err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Errorf("close a test database: %v", err)
		}
	})
	if d.Engine() != e {
		tb.Fatalf("the server configured as %s is %s", e, d.Engine())
	}
	return d
}

func fileURL(path string) string { return "sqlite:" + path }

// at returns the server's URL with another database in it.
func at(server, database string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	u.Path = "/" + database
	return u.String(), nil
}
