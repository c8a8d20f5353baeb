package cluster

import (
	"sync"
	"testing"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
)

// TestUpgrade starts programs on all nodes at once, of a version that has two tables more than the database: each starts,
// and the tables are there once.
func TestUpgrade(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		for range 3 {
			exec(t, s.apps[0].DB, "DROP TABLE lectern_import", "DROP TABLE lectern_label")
			var wg sync.WaitGroup
			for node := range c.Nodes() {
				wg.Go(func() {
					a, err := app.Open(t.Context(), app.Config{DB: c.URL(node), Media: s.files, Write: true})
					if err != nil {
						t.Errorf("node %d: %v", node, err)
						return
					}
					if err := a.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			s.open(1)
			findings, err := schema.Verify(t.Context(), s.apps[2].DB, false)
			s.must(err)
			for _, f := range findings {
				t.Errorf("%+v", f)
			}
		}
	})
}

// TestInit makes the tables of a new site from all nodes at once. One that finds a table changing under it may be told to
// try again; nothing is left half made.
func TestInit(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		var wg sync.WaitGroup
		for node := range c.Nodes() {
			wg.Go(func() {
				_, err := app.Init(t.Context(), app.Config{DB: c.URL(node)})
				if fault.Is(err, fault.Conflict) {
					_, err = app.Init(t.Context(), app.Config{DB: c.URL(node)})
				}
				if err != nil {
					t.Errorf("node %d: %v", node, err)
				}
			})
		}
		wg.Wait()
		findings, err := schema.Verify(t.Context(), c.Open(t, 0, db.Options{}), false)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			t.Errorf("%+v", f)
		}
	})
}
