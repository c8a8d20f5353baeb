package takeover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

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
// kind. Saving counts as one. Where it has a wire it lives, but loses the connection, with the answer to the last that it may
// send.
type killer struct {
	wire *wire // nil: it is killed

	mu      sync.Mutex
	may     int    // guarded by mu, like what follows
	lease   bool   // those that take the lease count, too; those that give it back always do
	sent    int    // how many were sent
	last    string // the last of them
	refused string // what it died of
	changed bool   // the transaction has sent one
	saved   bool   // a transaction that did so was saved
	dead    bool
	lost    bool
}

func (k *killer) fault(sql string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.dead:
		return errKilled
	case k.lost || !k.counts(sql):
		return nil
	case k.sent == k.may && k.wire == nil:
		k.dead, k.refused = true, sql
		return errKilled
	}
	k.sent++
	k.last, k.saved = sql, k.saved || sql == "COMMIT"
	if k.sent == k.may && k.wire != nil {
		k.lost = true
		k.wire.cut()
	}
	return nil
}

// counts reports whether a statement writes, or saves what others of its transaction wrote.
func (k *killer) counts(sql string) bool {
	verb, _, _ := strings.Cut(sql, " ")
	switch verb {
	case "BEGIN", "START":
		k.changed = false
		return false
	case "SELECT": // what it changes stays, whatever becomes of the transaction
		return strings.HasPrefix(sql, "SELECT setval(")
	case "PRAGMA", "SET", "SHOW", "EXPLAIN":
		return false
	case "COMMIT":
		return k.changed
	}
	if strings.Contains(sql, "lectern_lock") && !k.lease && k.sent == 0 {
		return false
	}
	k.changed = true
	return true
}

// crash takes a database over by runs that do not live to see the end.
type crash struct {
	engine  db.Engine
	url     string
	migrate func(*db.DB) (tookOver bool, err error)
	options Options                 // with which it migrates
	sane    func(schema.State) bool // whether a state is one that a stop may leave
	// ended compares a database with what it must have become. It is asked of every state that a stop leaves, after a second
	// run on a copy; nil asks for no second runs.
	ended func(*testing.T, *db.DB)
	// proven holds, by what they look like, the states from which a second run came to the right end, of other databases too:
	// they need no other one. nil: each has its own.
	proven *sync.Map
	// sparing asks for no second run where it would send just what the run before would have sent next.
	sparing bool
	// join ends the killing where another database has been before, by what it looks like: from there on its way was gone.
	join   bool
	stride int   // how many statements more a run may send than one that left nothing new; 0 is 1
	leap   int   // how many statements a run may send that goes on from what another has left; 0 is 1
	wire   *wire // runs lose their connection instead of being killed

	kills, states, seconds int
}

// run takes the database over by runs that are killed, each after one statement that writes more than what the one before
// achieved for good, until one lives to see the end: so a run is killed before and after every statement, and every run goes
// on from where a killed one left. Most of them change nothing: what a transaction sent is undone. Catalogue, ledger and all
// rows show it. Where something was changed for good, a second run on a copy of that state is let go to its end.
func (c *crash) run(t *testing.T) {
	t.Helper()
	may, first := 0, c.wire == nil
	if c.wire != nil {
		may = 1 // of what takes the lease each may be sent again
	}
	was, plan := c.look(t), c.plan(t, "nothing")
	for {
		k := &killer{wire: c.wire, may: may, lease: first}
		took, err := c.process(t, k)
		if err == nil {
			t.Logf("%d stops, %d of them left something new; %d second runs", c.kills, c.states, c.seconds)
			return // perhaps as nothing was left to do
		}
		if c.kills++; c.kills > 5000 {
			t.Fatalf("no end in sight after %s", k.last)
		}
		if c.wire == nil && !errors.Is(err, errKilled) || c.wire != nil && !errors.Is(err, db.ErrUnavailable) {
			t.Fatalf("stop %d, after %d statements, the last of them %s: %v", c.kills, k.sent, k.last, err)
		}
		if was.leased != took && c.wire == nil {
			t.Fatalf("stop %d: it took over: %t; there was a lease: %t", c.kills, took, was.leased)
		}
		if !first && !c.telling(k) {
			was.leased = true
			may += max(1, c.stride)
			continue
		}
		is := c.look(t)
		if is.catalog == was.catalog && is.rows == was.rows {
			was.leased = is.leased
			may += max(1, c.stride)
			continue
		}
		if !c.engine.MySQLFamily() && !k.saved {
			t.Fatalf("stop %d, after %s, which saves nothing: the database has changed\n%s\n%s", c.kills, k.last, was.catalog, is.catalog)
		}
		c.states++
		before := plan
		plan = c.plan(t, k.last)
		switch {
		case c.ended == nil:
		case c.known(plan, is.catalog):
			if c.join {
				may = 1 << 30
			}
		case !c.sparing || !strings.HasSuffix(before, "\n"+plan):
			c.seconds++
			t.Run(fmt.Sprintf("stop%d", c.kills), func(t *testing.T) { c.second(t, k.last) })
		}
		if first, was = false, is; may < 1<<30 {
			may = max(1, c.leap)
		}
	}
}

// telling reports whether to look at what a run has left. Amid a transaction that is not done after each statement: what the
// last run before the one that saves has left shows whether all of those that came before left nothing.
func (c *crash) telling(k *killer) bool {
	if k.saved || k.refused == "COMMIT" {
		return true
	}
	verb, _, _ := strings.Cut(k.last, " ")
	return c.engine.MySQLFamily() && slices.Contains([]string{"CREATE", "ALTER", "RENAME", "DROP"}, verb)
}

// plan recognises the database after a stop and returns the statements that are left.
func (c *crash) plan(t *testing.T, last string) (statements string) {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, c.url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	if st, err := schema.Recognize(ctx, d); err != nil || !c.sane(st) {
		t.Fatalf("stop %d, after %s: the database is %+v, %v", c.kills, last, st, err)
	}
	if c.ended == nil {
		return ""
	}
	p, err := NewPlan(ctx, d, c.options)
	if err != nil || p.Refusal != nil {
		t.Fatalf("stop %d, after %s: %v, %v", c.kills, last, p, err)
	}
	var b strings.Builder
	for i := range p.Steps {
		for _, st := range p.Steps[i].Statements {
			b.WriteString(st.SQL + "\n")
		}
	}
	return b.String()
}

// known reports whether a database that looks so was here before, and notes that there is one now.
func (c *crash) known(plan, catalog string) bool {
	if c.proven == nil {
		return false
	}
	_, there := c.proven.LoadOrStore(string(c.engine)+"\n"+plan+"\n"+catalog, true)
	return there
}

// process is one run.
func (c *crash) process(t *testing.T, k *killer) (tookOver bool, err error) {
	t.Helper()
	url := c.url
	if c.wire != nil {
		url = c.wire.url
	}
	d, err := db.Open(context.Background(), url, db.Options{Fault: k.fault})
	if err != nil {
		t.Fatal(err)
	}
	tookOver, err = c.migrate(d)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	return tookOver, err
}

// second lets a run go to its end on a copy. last is the statement after which the one before was stopped.
func (c *crash) second(t *testing.T, last string) {
	t.Helper()
	d := open(t, dbtest.CopyURL(t, c.engine, c.url), db.Options{})
	if _, err := c.migrate(d); err != nil {
		t.Errorf("stopped after %s: %v", last, err)
		return
	}
	if c.ended(t, d); t.Failed() {
		t.Logf("stopped after %s", last)
	}
}

// standing is what a stop leaves.
type standing struct {
	catalog string // what the catalogue says of each table but the lease's
	rows    string // a digest of theirs
	leased  bool   // a run has left its lease
}

// look returns what the database is now. Nobody is connected afterwards.
func (c *crash) look(t *testing.T) (s standing) {
	t.Helper()
	ctx := context.Background()
	d, err := db.Open(ctx, c.url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	live, err := inspect.Read(ctx, d, func(name string) bool { return name != "sqlite_sequence" })
	if err != nil {
		t.Fatal(err)
	}
	if live["lectern_lock"] != nil {
		if _, s.leased, err = db.One(ctx, d, "SELECT 1 FROM lectern_lock WHERE name = ?", []any{LeaseName}, db.Value[int]); err != nil {
			t.Fatal(err)
		}
		delete(live, "lectern_lock")
	}
	s.catalog, s.rows = describe(live), digest(t, d, live)
	return s
}

// leap is how many statements runs send at a time on an engine: on MySQL three, which takes five times as long as MariaDB for a
// change of a table; MariaDB is sent the same statements, and has a stop at each.
func leap(e db.Engine) int {
	if e == db.MySQL && !thorough() {
		return 3
	}
	return 1
}

// underWay reports whether a database is one whose content is being taken over, or was.
func underWay(st schema.State) bool { return st.Status == schema.Older || st.Status == schema.Current }

// migrating returns what migrates with options and says whether it took over from a dead run.
func migrating(o Options) func(*db.DB) (bool, error) {
	return func(d *db.DB) (tookOver bool, err error) {
		_, err = Migrate(context.Background(), d, o, Run{TookOver: func(lease.Holder) { tookOver = true }})
		return tookOver, err
	}
}

// TestGoldenCrash stops the take-over of golden databases before and after every statement; a second run comes to the same
// end. That is so on SQLite for every start, on servers for the longest ways (on MySQL for the longest of all, at every third
// statement), and for all starts with LECTERN_TEST_ALL.
//
// How each statement can have its turn: the state in which a stop leaves a database is that of the stop before with one
// statement more. So the way is gone once, by runs that are killed after one statement each, instead of anew from the start
// for every stop; and only what a killed run changed for good, by all that the catalogue, the ledger and the rows say, is a
// state of its own. From each of these, on a copy, a second run goes to its end, which is compared with the reference's in
// full, or, on MySQL, which takes five times as long as MariaDB for a change of a table, from each where the second run has
// other statements left than the one that was stopped. Where all starts are gone through, those that get to where another has
// been (the same catalogue, the same statements left) have no second run there on SQLite, and on servers go to the end.
func TestGoldenCrash(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		longest := goldendb.Some(t, e, "O18", "U")
		names, proven := longest, (*sync.Map)(nil)
		if e == db.MySQL && len(names) > 1 {
			names = names[:1] // the way from the oldest has every step; MariaDB has the other one
		}
		if thorough() || e == db.SQLite {
			names, proven = goldendb.Starts(t, e, "*"), &sync.Map{}
		}
		if e == db.SQLite && testing.Short() {
			names = goldendb.Some(t, e, "O18", "U", "TO", "S12a")
		}
		for _, name := range names {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				joins := proven != nil && e != db.SQLite && !slices.Contains(longest, name)
				if proven == nil || e == db.SQLite || joins {
					t.Parallel() // else it goes before those that join it
				}
				c := crashOf(t, e, name)
				if c == nil {
					return // TestGoldenSpoiled has those
				}
				c.proven, c.join, c.sparing = proven, joins, joins || e == db.MySQL
				c.run(t)
				c.ended(t, open(t, c.url, db.Options{}))
			})
		}
	}
}

// crashOf loads a golden database; nil where the reference has no end of it.
func crashOf(t *testing.T, e db.Engine, name string) *crash {
	t.Helper()
	end := goldendb.EndOf(t, e, name)
	if end == nil {
		return nil
	}
	c := &crash{engine: e, url: dbtest.URL(t, e), migrate: migrating(Options{}), sane: underWay, leap: leap(e)}
	load(t, c.url, name)
	if backfilled(t, c.url) {
		unordered(end)
	}
	c.ended = func(t *testing.T, d *db.DB) {
		t.Helper()
		compare(t, d, end)
	}
	return c
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
	d, err := db.Open(context.Background(), url, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := look(context.Background(), d)
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	return !s.rows[lastOfUlmo]
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
