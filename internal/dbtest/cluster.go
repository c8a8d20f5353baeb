package dbtest

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// clusterVariable holds the URLs of the nodes of a Galera cluster, separated by white space.
const clusterVariable = "LECTERN_TEST_GALERA"

// galera is what LECTERN_REQUIRE_ENGINES calls the cluster. Each and the like do not run on it, as its tables are made
// on all nodes at once and slowly.
const galera = "galera"

// clusters counts the databases made on the cluster.
var clusters atomic.Int64

// Cluster is a database on a Galera cluster, empty at first.
type Cluster struct{ nodes, urls []string }

// OnCluster runs fn as a subtest "galera" with an empty database on the cluster whose nodes LECTERN_TEST_GALERA names,
// if it is set. The database is dropped when the subtest ends.
func OnCluster(t *testing.T, fn func(t *testing.T, c *Cluster)) {
	t.Helper()
	if m := missing(); slices.Contains(m, galera) {
		t.Errorf("LECTERN_REQUIRE_ENGINES asks for %s, and %s is not set", galera, clusterVariable)
	}
	nodes := strings.Fields(os.Getenv(clusterVariable))
	if len(nodes) == 0 {
		return
	}
	t.Run(galera, func(t *testing.T) { fn(t, newCluster(t, nodes)) })
}

func newCluster(t *testing.T, nodes []string) *Cluster {
	t.Helper()
	s := &server{engine: db.MariaDB, base: nodes[0]}
	var err error
	if s.admin, err = db.Open(context.Background(), s.base, db.Options{}); err != nil {
		t.Fatalf("%s: %v", clusterVariable, err)
	}
	t.Cleanup(func() {
		if err := s.admin.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.sweep(); err != nil {
		t.Fatalf("drop old test databases: %v", err)
	}
	s.last = int(clusters.Add(1)) - 1 // databases of one process are told apart by number
	name, err := s.create("")
	if err != nil {
		t.Fatalf("create a test database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.drop(name); err != nil {
			t.Errorf("drop a test database: %v", err)
		}
	})
	c := &Cluster{nodes: nodes}
	for _, node := range nodes {
		u, err := at(node, name)
		if err != nil {
			t.Fatal(err)
		}
		c.urls = append(c.urls, u)
		if err := appears(u); err != nil {
			t.Fatalf("%s: %v", node, err)
		}
	}
	return c
}

// appears waits for a node to know a database that was made on another.
func appears(url string) error {
	for tries := 0; ; tries++ {
		d, err := db.Open(context.Background(), url, db.Options{})
		if err == nil {
			return d.Close()
		}
		if tries == 100 || !fault.Is(err, fault.NotFound) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Another makes another empty database on the same nodes, dropped when the test ends.
func (c *Cluster) Another(t *testing.T) *Cluster {
	t.Helper()
	return newCluster(t, c.nodes)
}

// Nodes returns the number of nodes.
func (c *Cluster) Nodes() int { return len(c.urls) }

// URL returns the URL of the database on a node, from 0.
func (c *Cluster) URL(node int) string { return c.urls[node] }

// Open opens the database on a node; it is closed when the test ends.
func (c *Cluster) Open(t testing.TB, node int, o db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), c.urls[node], o)
	if err != nil {
		t.Fatalf("open node %d: %v", node, err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if !d.Cluster() {
		t.Fatalf("node %d is not part of a cluster", node)
	}
	return d
}

// Kill ends the server of a node as a crash would. It may be called from any goroutine.
func (c *Cluster) Kill(node int) error { return c.script("kill", node) }

// Rejoin starts the server of a node again and returns when it has everything.
func (c *Cluster) Rejoin(node int) error { return c.script("rejoin", node) }

// script runs the script that has started the cluster.
func (c *Cluster) script(verb string, node int) error {
	_, file, _, _ := runtime.Caller(0)
	path := filepath.Join(filepath.Dir(file), "..", "..", "scripts", "servers", "galera")
	cmd := osexec.Command(path, verb, fmt.Sprint(node+1))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s %d (it needs LECTERN_SERVERS_DIR as at the start): %w\n%s", path, verb, node+1, err, out)
	}
	return nil
}
