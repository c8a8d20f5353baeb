package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestNodeKilled kills a node while all nodes write. The others go on after a pause; the programs on the killed node are
// told that it is unavailable. When it is back all nodes have the same, with every accepted write in it once.
func TestNodeKilled(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		_, err := s.apps[0].Import(t.Context(), s.archive("R1", "start", units, leaves), app.ImportOptions{})
		s.must(err)
		rows := c.Open(t, 0, db.Options{})
		exec(t, rows, items)

		a := newAccepted()
		stop := make(chan struct{})
		var wg sync.WaitGroup
		var counts [3]atomic.Int64 // writes that were answered, by node
		const killed = 2
		for node := range c.Nodes() {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(node), 9))
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					if s.change(a, r, node, fmt.Sprintf("node %d change %d", node, i), node == killed) {
						return
					}
					counts[node].Add(1)
				}
			})
		}
		wg.Go(func() { // the distance of automatic ids changes in the middle
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := inserted(t, rows, 0, i, 300); err != nil {
					t.Error(err)
				}
			}
		})
		wait := func(node int, n int64) {
			t.Helper()
			want := counts[node].Load() + n
			for until := time.Now().Add(3 * time.Minute); counts[node].Load() < want; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(until) {
					t.Fatalf("node %d made %d writes in 3 minutes, want %d", node, counts[node].Load(), want)
				}
			}
		}
		for node := range c.Nodes() {
			wait(node, 5)
		}
		s.must(c.Kill(killed))
		begin := time.Now()
		wait(0, 2)
		t.Logf("the others paused for less than %v", time.Since(begin).Round(100*time.Millisecond))
		wait(0, 5)
		wait(1, 5)
		_, err = app.Open(t.Context(), app.Config{DB: c.URL(killed), Media: s.files})
		if !fault.Is(err, fault.Unavailable) {
			t.Errorf("opening the killed node: %v", err)
		}
		s.must(c.Rejoin(killed))
		wait(0, 5)
		wait(1, 5)
		close(stop)
		wg.Wait()
		s.apps[killed] = s.open(killed)
		s.settled("R1", a)
		s.verified()
	})
}

// TestMajorityLost kills two nodes of three. The third refuses to read and to write within a bounded time, and has
// written nothing in part; when the others are back, work goes on with everything that was accepted.
func TestMajorityLost(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		s := newSite(t, c)
		_, err := s.apps[0].Import(t.Context(), s.archive("R1", "start", units, leaves), app.ImportOptions{})
		s.must(err)
		a := newAccepted()
		var wg sync.WaitGroup
		var writes atomic.Int64
		for node := range c.Nodes() {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(uint64(node), 4))
				for i := 0; !s.change(a, r, node, fmt.Sprintf("node %d change %d", node, i), true); i++ {
					writes.Add(1)
				}
			})
		}
		for writes.Load() < 30 {
			time.Sleep(10 * time.Millisecond)
		}
		s.must(c.Kill(1))
		s.must(c.Kill(2))
		begin := time.Now()
		const limit = 90 * time.Second
		if err := within(limit, func() error { wg.Wait(); return nil }); err != nil {
			t.Fatalf("the writers still wait: %v", err)
		}
		t.Logf("the last writer knew after %v", time.Since(begin).Round(100*time.Millisecond))
		large := s.archive("R2", "large", 20, 20)
		for i, fn := range []func() error{
			func() error {
				_, err := s.apps[0].Publish(context.Background(), courseKey("R1"), nil, "")
				return err
			},
			func() error { _, err := s.apps[0].Import(context.Background(), large, app.ImportOptions{}); return err },
			func() error { _, err := s.apps[0].Show(context.Background(), courseKey("R1"), "", -1); return err },
			func() error {
				_, err := app.Open(context.Background(), app.Config{DB: c.URL(0), Media: s.files})
				return err
			},
		} {
			err := within(limit, fn)
			if !fault.Is(err, fault.Unavailable) || inDoubt(err) {
				t.Errorf("step %d without a majority: %v", i, err)
			}
		}
		// The operator says that this node's state is the one to go on with.
		admin, err := db.Open(t.Context(), c.URL(0), db.Options{})
		s.must(err)
		defer admin.Close()
		s.must(admin.Session(t.Context(), func(x *db.Session) error {
			_, err := x.Exec(t.Context(), "SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
			return err
		}))
		s.must(c.Rejoin(1))
		s.must(c.Rejoin(2))
		r := rand.New(rand.NewPCG(4, 5))
		for node := range c.Nodes() {
			s.apps[node] = s.open(node)
			s.change(a, r, node, fmt.Sprintf("after %d", node), false)
		}
		s.settled("R1", a)
		s.verified()
	})
}
