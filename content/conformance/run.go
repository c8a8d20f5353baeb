package conformance

import (
	"testing"

	"github.com/openlectern/lectern/db"
)

// Open returns a database with the tables of a new site and nothing in it but the rows that those come with. It closes
// the database when the test ends. It must be safe for concurrent use.
type Open func(t *testing.T) *db.DB

// Run runs the whole suite as subtests of t, in parallel.
func Run(t *testing.T, open Open) {
	RunCluster(t, func(t *testing.T) []*db.DB { return []*db.DB{open(t)} })
}

// RunCluster runs the suite on one database that several servers hold. Every operation, and every look at what it did,
// goes to the next of them, so each must see at once what was done on another. open is as [Open], with one connection
// pool a server.
func RunCluster(t *testing.T, open func(t *testing.T) []*db.DB) {
	t.Run("replay", func(t *testing.T) {
		t.Parallel()
		replay(t, open)
	})
	t.Run("laws", func(t *testing.T) {
		t.Parallel()
		laws(t, open)
	})
	t.Run("stories", func(t *testing.T) {
		t.Parallel()
		stories(t, open)
	})
}

// nodes are the servers of one database, taken in turn.
type nodes struct {
	d    *db.DB // the one whose turn it is
	all  []*db.DB
	turn int
}

func newNodes(all []*db.DB) nodes { return nodes{d: all[0], all: all} }

// move makes it the next one's turn.
func (n *nodes) move() {
	n.turn = (n.turn + 1) % len(n.all)
	n.d = n.all[n.turn]
}
