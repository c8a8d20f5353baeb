package cluster

import (
	"fmt"
	"testing"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestWriteSetTooLarge imports more than the nodes take in one transaction: the error says so, and nothing is written.
func TestWriteSetTooLarge(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		limit := func(bytes int64) {
			s.must(s.apps[0].DB.Session(t.Context(), func(x *db.Session) error {
				_, err := x.Exec(t.Context(), fmt.Sprintf("SET GLOBAL wsrep_max_ws_size = %d", bytes))
				return err
			}))
		}
		source := s.archive("R1", "large", 20, 100)
		limit(1 << 20)
		defer limit(2147483647)
		_, err := s.apps[0].Import(t.Context(), source, app.ImportOptions{})
		if !fault.Is(err, fault.Unavailable) || inDoubt(err) {
			t.Errorf("importing: %v (%s), want unavailable", err, fault.KindOf(err).Code())
		}
		for node, a := range s.apps {
			list, err := a.List(t.Context(), false, true)
			s.must(err)
			if len(list) != 0 {
				t.Errorf("node %d has %v", node, list)
			}
		}
		limit(2147483647)
		_, err = s.apps[0].Import(t.Context(), source, app.ImportOptions{})
		s.must(err)
	})
}
