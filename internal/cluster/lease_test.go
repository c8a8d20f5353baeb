package cluster

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema/ddl"
)

// TestLease lets a taker on each node race for a lease, which a lock of a server could not decide: just one gets it, sees
// that it has it, and keeps it by renewing it through its node.
func TestLease(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		nodes := all(t, c)
		ctx := t.Context()
		for round := range 30 {
			if round%2 == 1 {
				// In a transaction, which begins with what was released on another node.
				err := nodes[0].Update(ctx, func(tx *db.Tx) error {
					_, err := tx.Exec(ctx, `INSERT INTO lectern_lock (name, holder, what, taken_at, ends_at)
						VALUES ('work', 'elsewhere.example:7:1234', '', ?, ?)`, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			leases := make([]*lease.Lease, len(nodes))
			for i, d := range nodes {
				wg.Go(func() {
					l, err := lease.Take(ctx, d, "work", lease.Options{Term: time.Second})
					if err != nil && !fault.Is(err, fault.Refused) {
						t.Errorf("round %d, node %d: %v", round, i, err)
					}
					leases[i] = l
				})
			}
			wg.Wait()
			winners := 0
			for i, l := range leases {
				if l == nil {
					continue
				}
				winners++
				for _, d := range nodes {
					if h, err := lease.Held(ctx, d, "work"); h == nil || err != nil {
						t.Errorf("round %d: held by %v, %v", round, h, err)
					}
				}
				if round == 0 {
					for kept := time.Duration(0); kept < 3*time.Second; time.Sleep(100 * time.Millisecond) {
						h, err := lease.Held(ctx, nodes[(i+1)%len(nodes)], "work")
						if h == nil || err != nil {
							t.Fatalf("not renewed: %v, %v", h, err)
						}
						kept = h.Until.Sub(h.Since)
					}
				}
				if err := errors.Join(l.Check(ctx), l.Release(ctx)); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
			if winners != 1 {
				t.Fatalf("round %d: %d winners", round, winners)
			}
		}
	})
}

// TestAlterWaitsForNobody changes a table that a transaction on each node has read: on a cluster that waits for none of
// them. Theirs are the errors, which ask to run them again.
func TestAlterWaitsForNobody(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		nodes := all(t, c)
		ctx := t.Context()
		for _, sql := range []string{"CREATE TABLE thing (id integer NOT NULL PRIMARY KEY, n integer NOT NULL)", "INSERT INTO thing VALUES (1, 0)"} {
			if _, err := nodes[0].Exec(ctx, sql); err != nil {
				t.Fatal(err)
			}
		}
		end := make(chan struct{})
		var reading, done sync.WaitGroup
		for i, d := range nodes {
			reading.Add(1)
			done.Go(func() {
				var once sync.Once
				err := d.Update(ctx, func(tx *db.Tx) error {
					_, _, err := db.One(ctx, tx, "SELECT n FROM thing WHERE id = 1", nil, db.Value[int])
					once.Do(reading.Done)
					if err != nil {
						return err
					}
					<-end
					_, err = tx.Exec(ctx, "UPDATE thing SET n = n + 1 WHERE id = 1")
					return err
				})
				if err != nil {
					t.Errorf("the transaction on node %d: %v", i, err)
				}
			})
		}
		reading.Wait()
		p := ddl.Patience{Tries: 1, Blocked: func(b ddl.Blocker) { t.Errorf("told of %s", b) }}
		err := nodes[0].Session(ctx, func(s *db.Session) error {
			return p.Statement(ctx, s, "ALTER TABLE thing ADD COLUMN m integer NULL")
		})
		if err != nil {
			t.Error(err)
		}
		close(end)
		done.Wait()
		n, _, err := db.One(ctx, nodes[0], "SELECT n FROM thing WHERE m IS NULL", nil, db.Value[int])
		if err != nil || n != len(nodes) {
			t.Errorf("n = %d, %v; want each transaction once", n, err)
		}
	})
}
