package cluster

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

func exec(t *testing.T, d *db.DB, sqls ...string) {
	t.Helper()
	for _, sql := range sqls {
		if _, err := d.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// TestUnitRunsAgain lets units of work on all nodes change the same rows between the same begin and the same commit. On
// one server the second would wait for the first; here all of them write, one commits, and the others run again from
// their first read. Of a unit that was given up nothing is left.
func TestUnitRunsAgain(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		nodes := all(t, c)
		exec(t, nodes[0], "CREATE TABLE counter (id integer NOT NULL PRIMARY KEY, n integer NOT NULL)",
			"CREATE TABLE note (id integer NOT NULL AUTO_INCREMENT PRIMARY KEY, node integer NOT NULL, seen integer NOT NULL)",
			"INSERT INTO counter (id, n) VALUES (1, 0)")
		const rounds = 10
		var runs atomic.Int64
		for range rounds {
			var written, done sync.WaitGroup
			written.Add(len(nodes))
			for node, d := range nodes {
				var once sync.Once
				done.Go(func() {
					err := d.Update(t.Context(), func(tx *db.Tx) error {
						runs.Add(1)
						_, err := tx.Exec(t.Context(), "UPDATE counter SET n = n + 1 WHERE id = 1")
						if err != nil {
							return err
						}
						n, _, err := db.One(t.Context(), tx, "SELECT n FROM counter WHERE id = 1", nil, db.Value[int])
						if err != nil {
							return err
						}
						_, err = tx.Exec(t.Context(), "INSERT INTO note (node, seen) VALUES (?, ?)", node, n)
						once.Do(func() { written.Done(); written.Wait() })
						return err
					})
					if err != nil {
						t.Errorf("node %d: %v", node, err)
					}
				})
			}
			done.Wait()
		}
		want := []int{}
		for i := range rounds * len(nodes) {
			want = append(want, i+1)
		}
		for node, d := range nodes {
			n, _, err := db.One(t.Context(), d, "SELECT n FROM counter", nil, db.Value[int])
			if err != nil || n != len(want) {
				t.Errorf("node %d: the counter is %d after %d additions: %v", node, n, len(want), err)
			}
			seen, err := db.All(t.Context(), d, "SELECT seen FROM note ORDER BY seen", nil, db.Value[int])
			if diff := cmp.Diff(want, seen); err != nil || diff != "" {
				t.Errorf("node %d: %v; each addition should have left one note (-want +got):\n%s", node, err, diff)
			}
		}
		if least := int64(rounds * (len(nodes) + 1)); runs.Load() < least {
			t.Errorf("%d units ran %d times in all: at least %d must have lost", len(want), runs.Load(), least-int64(len(want)))
		}
	})
}

// inserted checks that the ids of bulk inserts are those of the rows, where ids have gaps and come from several nodes.
func inserted(t *testing.T, d *db.DB, node, round, n int) error {
	ctx := t.Context()
	mark := fmt.Sprintf("%d %d ", node, round)
	return d.Update(ctx, func(tx *db.Tx) error {
		ids, err := tx.InsertIDs(ctx, "item", []string{"mark"}, n, func(i int, v []any) { v[0] = fmt.Sprint(mark, i) })
		if err != nil {
			return err
		}
		at := map[int64]string{}
		err = db.QueryIn(ctx, tx, "SELECT id, mark FROM item WHERE id IN (?...)", ids, nil, func(r *db.Row) error {
			var id int64
			var m string
			err := r.Scan(&id, &m)
			at[id] = m
			return err
		})
		if err != nil {
			return err
		}
		for i, id := range ids {
			if want := fmt.Sprint(mark, i); at[id] != want {
				return fmt.Errorf("id %d is given to row %q and belongs to %q", id, want, at[id])
			}
			if i > 0 && id <= ids[i-1] {
				return fmt.Errorf("id %d follows %d", id, ids[i-1])
			}
		}
		return nil
	})
}

const items = "CREATE TABLE item (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, mark varchar(50) NOT NULL UNIQUE)"

// TestInsertIDs inserts rows on all nodes at once.
func TestInsertIDs(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		nodes := all(t, c)
		exec(t, nodes[0], items)
		var wg sync.WaitGroup
		for node, d := range nodes {
			for w := range 2 {
				wg.Go(func() {
					for round := range 5 {
						if err := inserted(t, d, node, 10*w+round, 1200); err != nil {
							t.Errorf("node %d: %v", node, err)
						}
					}
				})
			}
		}
		wg.Wait()
	})
}

// TestSyncWait shows what reading one's own writes rests on, and that the URL can choose otherwise.
func TestSyncWait(t *testing.T) {
	dbtest.OnCluster(t, func(t *testing.T, c *dbtest.Cluster) {
		wait := func(d *db.DB) (waits []int) {
			read := func(q db.Querier) {
				n, _, err := db.One(t.Context(), q, "SELECT @@wsrep_sync_wait", nil, db.Value[int])
				if err != nil {
					t.Fatal(err)
				}
				waits = append(waits, n)
			}
			read(d)
			for _, run := range []func(*db.Tx) error{func(tx *db.Tx) error { read(tx); return nil }} {
				if err := d.View(t.Context(), run); err != nil {
					t.Fatal(err)
				}
				if err := d.Update(t.Context(), run); err != nil {
					t.Fatal(err)
				}
			}
			return waits
		}
		if diff := cmp.Diff([]int{1, 1, 1}, wait(c.Open(t, 0, db.Options{}))); diff != "" {
			t.Errorf("wsrep_sync_wait of a query, a view and an update (-want +got):\n%s", diff)
		}
		d, err := db.Open(t.Context(), c.URL(0)+"?wsrep_sync_wait=0", db.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if diff := cmp.Diff([]int{0, 0, 0}, wait(d)); diff != "" {
			t.Errorf("with wsrep_sync_wait=0 in the URL (-want +got):\n%s", diff)
		}
	})
}
