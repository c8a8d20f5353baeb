package dbtest

import (
	"context"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/openlectern/lectern/db"
)

// prefix starts the name of every database made here. Behind it come the mark of the machine, the process and a
// number, so that several test binaries, also of several machines, can share a server.
const prefix = "lectern_test_"

// server makes and drops databases on the server of one engine.
type server struct {
	engine db.Engine
	base   string // its URL as configured
	admin  *db.DB // on the database that base names; open until the process ends

	mu   sync.Mutex
	last int // guarded by mu: number of the last database made
}

var servers struct {
	mu sync.Mutex
	m  map[db.Engine]*server // guarded by mu
}

// serverOf returns the server of an engine; the first call connects and drops what dead test binaries left behind.
func serverOf(tb testing.TB, e db.Engine) *server {
	tb.Helper()
	servers.mu.Lock()
	defer servers.mu.Unlock()
	if s := servers.m[e]; s != nil {
		return s
	}
	s := &server{engine: e, base: os.Getenv(variable(e))}
	if s.base == "" {
		tb.Fatalf("no server of %s is configured: set %s to its URL", e, variable(e))
	}
	var err error
	if s.admin, err = db.Open(context.Background(), s.base, db.Options{}); err != nil {
		tb.Fatalf("%s: %v", variable(e), err)
	}
	if err := s.sweep(); err != nil {
		tb.Fatalf("drop old test databases of %s: %v", e, err)
	}
	if servers.m == nil {
		servers.m = map[db.Engine]*server{}
	}
	servers.m[e] = s
	return s
}

func variable(e db.Engine) string {
	for _, x := range engines {
		if x.engine == e {
			return x.variable
		}
	}
	return ""
}

func (s *server) postgres() bool { return s.engine == db.PostgreSQL }

// url returns the URL of one of the server's databases.
func (s *server) url(name string) string {
	u, err := at(s.base, name)
	if err != nil {
		panic(err) // db.Open has taken this URL
	}
	return u
}

// create makes a database and returns its name. On PostgreSQL it is a copy of template if that is not empty.
func (s *server) create(template string) (string, error) {
	s.mu.Lock()
	s.last++
	name := fmt.Sprintf("%s%s_%d_%d", prefix, machine(), os.Getpid(), s.last)
	s.mu.Unlock()
	sql := "CREATE DATABASE " + name
	switch {
	case template != "":
		sql += " TEMPLATE " + template
	case !s.postgres():
		// What Open edX's servers are set to; a column that must differ says so itself.
		sql += " CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
	}
	_, err := s.admin.Exec(context.Background(), sql)
	return name, err
}

func (s *server) drop(name string) error {
	sql := "DROP DATABASE IF EXISTS " + name
	if s.postgres() {
		sql += " WITH (FORCE)" // also when a process the test started is still connected
	}
	_, err := s.admin.Exec(context.Background(), sql)
	return err
}

// sweep drops the databases of test binaries of this machine that no longer run: of killed ones, and the prepared
// databases that a binary keeps until its end.
func (s *server) sweep() error {
	sql := "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE ?"
	if s.postgres() {
		sql = "SELECT datname FROM pg_database WHERE datname LIKE ?"
	}
	ours := prefix + machine() + "_"
	var names []string
	err := s.admin.Query(context.Background(), sql, []any{ours + "%"}, func(r *db.Row) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, ours), "_")
		if pid, err := strconv.Atoi(id); err != nil || alive(pid) {
			continue
		}
		if err := s.drop(name); err != nil {
			return err
		}
	}
	return nil
}

// alive says whether a process of this machine runs. A process of another user does, although it takes no signal.
func alive(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

// machine marks the names of this machine's databases: process ids mean something only inside one pid namespace.
var machine = sync.OnceValue(func() string {
	h := fnv.New32a()
	host, _ := os.Hostname()                     // without one, the namespace alone marks
	space, _ := os.Readlink("/proc/self/ns/pid") // not there outside Linux, where the host is enough
	fmt.Fprint(h, host, space)
	return fmt.Sprintf("%08x", h.Sum32())
})
