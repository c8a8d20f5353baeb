package takeover

import (
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
)

// wire is the way to a server, which can be cut: what is sent next arrives, and the server does it, but its answer does not
// come back, and the connection is gone.
type wire struct {
	url    string // of the database, over the wire
	server string
	armed  atomic.Bool
}

// newWire lays a wire to the server of a database, which lasts until the test ends.
func newWire(t *testing.T, to string) *wire {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{server: u.Host}
	u.Host = l.Addr().String()
	w.url = u.String()
	var open sync.WaitGroup
	open.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			open.Go(func() { w.carry(t, c) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		open.Wait() // the connections are closed by those who made them, before
	})
	return w
}

// cut lets the answer to what is sent next be lost.
func (w *wire) cut() { w.armed.Store(true) }

// carry carries what is said on one connection, until one side ends it.
func (w *wire) carry(t *testing.T, client net.Conn) {
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		t.Error(err)
		_ = client.Close()
		return
	}
	var doomed atomic.Bool
	var both sync.WaitGroup
	pass := func(to, from net.Conn, before func() (on bool)) {
		defer func() { // what is still under way ends with an error, which is meant
			_ = to.Close()
			_ = from.Close()
		}()
		buf := make([]byte, 64<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 && !before() {
				return
			}
			if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	both.Go(func() {
		pass(server, client, func() bool {
			if w.armed.CompareAndSwap(true, false) {
				doomed.Store(true)
			}
			return true
		})
	})
	both.Go(func() { pass(client, server, func() bool { return !doomed.Load() }) })
	both.Wait()
}

// TestGoldenLostAnswer takes golden databases over with runs that lose the connection, each while it waits for the answer to
// one statement more than the one before: the server has done it, saving included, and the run does not know. It must end
// with an error that says so and not send it again; the next one goes on from what there is. SQLite has no connection to lose.
func TestGoldenLostAnswer(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if e == db.SQLite {
			continue
		}
		names := goldendb.Some(t, e, "U")
		if thorough() {
			names = goldendb.Some(t, e, "O18", "U")
		}
		for _, name := range names {
			t.Run(string(e)+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := crashOf(t, e, name)
				if c == nil {
					return
				}
				c.wire = newWire(t, c.url)
				if e == db.MySQL && !thorough() {
					c.stride = 3 // MariaDB, to which the same driver talks, has every statement
				}
				ended := c.ended
				c.ended = nil // TestGoldenCrash has a second run from each of these states
				c.run(t)
				ended(t, open(t, c.url, db.Options{}))
			})
		}
	}
}
