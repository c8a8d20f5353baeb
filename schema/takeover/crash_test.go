package takeover

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/lease"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// thorough reports whether the tests that take long are to run, too.
func thorough() bool { return os.Getenv("LECTERN_TEST_ALL") == "1" }

var errKilled = errors.New("killed here")

// killer is what a process does that is killed: of the statements that write it sends as many as it may, then none of any
// kind. Saving counts as one.
type killer struct {
	mu      sync.Mutex
	may     int    // guarded by mu, like what follows
	lease   bool   // those of the lease count, too
	sent    int    // how many were sent
	last    string // the last of them
	changed bool   // the transaction has sent one
	saved   bool   // a transaction that did so was saved
	dead    bool
}

func (k *killer) fault(sql string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dead {
		return errKilled
	}
	verb, _, _ := strings.Cut(sql, " ")
	switch verb {
	case "BEGIN", "START":
		k.changed = false
		return nil
	case "SELECT", "PRAGMA", "SET", "SHOW", "EXPLAIN":
		return nil
	case "COMMIT":
		if !k.changed {
			return nil
		}
	default:
		if strings.Contains(sql, "lectern_lock") && !k.lease {
			return nil
		}
		k.changed = true
	}
	if k.sent == k.may {
		k.dead = true
		return errKilled
	}
	k.sent++
	k.last = sql
	k.saved = k.saved || sql == "COMMIT"
	return nil
}

// migrating returns what migrates with options and says whether it took over from a dead run.
func migrating(o Options) func(*db.DB) (bool, error) {
	return func(d *db.DB) (tookOver bool, err error) {
		_, err = Migrate(context.Background(), d, o, Run{TookOver: func(lease.Holder) { tookOver = true }})
		return tookOver, err
	}
}

// shapeOf returns the ledger and the catalogue but for the lease.
func shapeOf(t *testing.T, d *db.DB) (s site) {
	t.Helper()
	x, err := look(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	delete(x.live, "lectern_lock")
	return *x
}

func same(a, b site) bool {
	return cmp.Equal(a.rows, b.rows) && cmp.Equal(map[string]*inspect.Table(a.live), map[string]*inspect.Table(b.live))
}

// chain migrates by runs that are killed, each after one statement that writes more than what the one before achieved for
// good, until one lives to see the end: so a run is killed before and after every statement, and every run goes on from
// where a killed one left. It returns how many were killed.
func chain(t *testing.T, e db.Engine, url string, stride int, migrate func(*db.DB) (tookOver bool, err error)) int {
	t.Helper()
	d := open(t, url, db.Options{})
	may, first := 0, true
	before := shapeOf(t, d)
	for runs := 0; ; runs++ {
		leased, err := leaseRow(d)
		if err != nil {
			t.Fatal(err)
		}
		k := &killer{may: may, lease: first}
		child, err := db.Open(context.Background(), url, db.Options{Fault: k.fault})
		if err != nil {
			t.Fatal(err)
		}
		took, err := migrate(child)
		if err := child.Close(); err != nil {
			t.Error(err)
		}
		if err == nil {
			return runs // perhaps as nothing was left to do
		}
		if !errors.Is(err, errKilled) {
			t.Fatalf("run %d, after %d statements, the last of them %s: %v", runs, k.sent, k.last, err)
		}
		if leased != took {
			t.Fatalf("run %d took over: %t; there was a lease: %t", runs, took, leased)
		}
		st, err := schema.Recognize(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		if st.Status != schema.Older && st.Status != schema.Current {
			t.Fatalf("run %d: killed after %s the database is %+v", runs, k.last, st)
		}
		after := shapeOf(t, d)
		switch {
		case same(before, after):
			may += stride
		case !k.saved && !e.MySQLFamily():
			t.Fatalf("run %d: killed after %s, which saves nothing, but the database has changed:\n%s", runs, k.last, cmp.Diff(before.live, after.live))
		default:
			may, first, before = stride-1, false, after
		}
		if runs > 2000 {
			t.Fatalf("no end in sight after %s", k.last)
		}
	}
}

// leaseRow reports whether a run has left its lease.
func leaseRow(d *db.DB) (bool, error) {
	names, err := inspect.Names(context.Background(), d)
	if err != nil || !names["lectern_lock"] {
		return false, err
	}
	_, found, err := db.One(context.Background(), d, "SELECT 1 FROM lectern_lock WHERE name = ?", []any{LeaseName}, db.Value[int])
	return found, err
}

// TestGoldenCrash kills the take-over of golden databases before and after every statement.
func TestGoldenCrash(t *testing.T) {
	t.Parallel()
	usual := map[db.Engine][]string{
		db.SQLite: {"O18", "U", "TO", "S12a"}, db.MariaDB: {"O18", "U"}, db.MySQL: {"U"}, db.PostgreSQL: {"O18", "U"},
	}
	for _, e := range dbtest.Engines() {
		names := goldendb.Some(t, e, usual[e]...)
		if thorough() || e == db.SQLite && !testing.Short() {
			names = goldendb.Starts(t, e, "*")
		}
		for _, name := range names {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				end := goldendb.EndOf(t, e, name)
				if end == nil {
					return // TestGoldenSpoiled has those
				}
				url := dbtest.URL(t, e)
				load(t, url, name)
				if backfilled(t, url) {
					unordered(end)
				}
				stride := 1
				switch { // a server needs its time
				case thorough() || e == db.SQLite:
				case e == db.PostgreSQL:
					stride = 17 // all that is killed within one transaction is undone alike
				case e == db.MySQL:
					stride = 13
				default:
					stride = 5
				}
				chain(t, e, url, stride, migrating(Options{}))
				compare(t, open(t, url, db.Options{}), end)
			})
		}
	}
}

// load loads a golden database.
func load(t *testing.T, url, name string) {
	t.Helper()
	d, err := db.Open(context.Background(), url, db.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	goldendb.Load(t, d, name)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// backfilled reports whether a take-over will fill in what containers depend on.
func backfilled(t *testing.T, url string) bool {
	t.Helper()
	d := open(t, url, db.Options{})
	s := shapeOf(t, d)
	return !s.rows[schema.Migration{App: "oel_publishing", Name: "0010_backfill_dependencies"}]
}

// open opens a database, which is closed when the test ends.
func open(t *testing.T, url string, o db.Options) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
