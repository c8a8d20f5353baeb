package cluster

import (
	"context"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/takeover"
)

// TestGoldenTakeover loads an old database through one node, takes it over through another and looks at it from the third.
// Meanwhile a second run, through the first, is kept out or finds nothing to do.
func TestGoldenTakeover(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		var names []string
		for _, n := range goldendb.Starts(t, db.MariaDB, "*") {
			if goldendb.EndOf(t, db.MariaDB, n) != nil {
				names = append(names, n)
			}
		}
		if len(names) == 0 {
			t.Fatal("no old databases: the committed subset of golden files has none for MariaDB")
		}
		for _, name := range []string{names[0], names[len(names)/2], names[len(names)-1]} {
			c := c.Another(t)
			first, second, third := c.Open(t, 0, db.Options{}), c.Open(t, 1, db.Options{}), c.Open(t, 2, db.Options{})
			goldendb.Load(t, first, name)
			ctx := context.Background()
			rival := make(chan error)
			go func() {
				_, err := takeover.Migrate(ctx, first, takeover.Options{}, takeover.Run{Wait: true})
				rival <- err
			}()
			if _, err := takeover.Migrate(ctx, second, takeover.Options{}, takeover.Run{Wait: true}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if err := <-rival; err != nil {
				t.Errorf("%s, the other runner: %v", name, err)
			}
			st, err := schema.Recognize(ctx, third)
			if err != nil || st.Content != "C14" {
				t.Errorf("%s: the third node has state %s (%s), %v", name, st.Content, st.Reason, err)
			}
		}
	})
}
