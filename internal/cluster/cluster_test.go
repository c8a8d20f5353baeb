package cluster

import (
	"testing"

	"github.com/openlectern/lectern/content/conformance"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// TestGoldenCluster runs the suite of the content store, each operation and each look at it on another node.
func TestGoldenCluster(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		conformance.RunCluster(t, func(t *testing.T) []*db.DB {
			c := c.Another(t)
			create(t, c)
			return all(t, c)
		})
	})
}

// create makes the tables.
func create(t *testing.T, c *dbtest.Cluster) {
	t.Helper()
	if err := schema.Create(t.Context(), c.Open(t, 0, db.Options{})); err != nil {
		t.Fatal(err)
	}
}

// all opens every node.
func all(t *testing.T, c *dbtest.Cluster) []*db.DB {
	t.Helper()
	var out []*db.DB
	for n := range c.Nodes() {
		out = append(out, c.Open(t, n, db.Options{}))
	}
	return out
}
