package app

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/conversion"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/dump"
	"github.com/openlectern/lectern/modulestore/expected"
)

// cutter stands between a program and a MongoDB server, and ends connections in the midst of answers about one collection.
type cutter struct {
	server     string
	collection string

	mu    sync.Mutex // guards what follows
	after int        // answers about the collection that pass
	cuts  int
}

// listen returns the address to connect to.
func (c *cutter) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", c.server) //nolint:noctx // ends with the client
			if err != nil {
				_ = client.Close()
				continue
			}
			go c.pass(client, server)
		}
	}()
	return l.Addr().String()
}

// pass hands messages over in both directions until one side ends, or is cut.
func (c *cutter) pass(client, server net.Conn) {
	var mu sync.Mutex
	asked := map[uint32]bool{} // ids of questions about the collection
	end := func() { _, _ = client.Close(), server.Close() }
	go func() {
		defer end()
		for {
			msg, err := wireMessage(client)
			if err != nil {
				return
			}
			mu.Lock()
			asked[binary.LittleEndian.Uint32(msg[4:])] = collectionOf(msg) == c.collection
			mu.Unlock()
			if _, err := server.Write(msg); err != nil {
				return
			}
		}
	}()
	defer end()
	for {
		msg, err := wireMessage(server)
		if err != nil {
			return
		}
		mu.Lock()
		about := asked[binary.LittleEndian.Uint32(msg[8:])]
		mu.Unlock()
		if about && c.cut() {
			_, _ = client.Write(msg[:len(msg)/2])
			return
		}
		if _, err := client.Write(msg); err != nil {
			return
		}
	}
}

// cut reports whether this answer is not to arrive, nor any that follows.
func (c *cutter) cut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after > 0 {
		c.after--
		return false
	}
	c.cuts++
	return true
}

func (c *cutter) hasCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cuts > 0
}

func wireMessage(r io.Reader) ([]byte, error) {
	msg := make([]byte, 4)
	if _, err := io.ReadFull(r, msg); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(msg)
	if n < 16 || n > 64<<20 {
		return nil, fmt.Errorf("a message of %d bytes", n)
	}
	msg = append(msg, make([]byte, n-4)...)
	_, err := io.ReadFull(r, msg[4:])
	return msg, err
}

// collectionOf returns what documents are asked for with find or getMore, "" of other messages.
func collectionOf(msg []byte) string {
	const opMsg, body = 2013, 16 + 4 + 1
	if len(msg) <= body || binary.LittleEndian.Uint32(msg[12:]) != opMsg || msg[body-1] != 0 {
		return ""
	}
	question := driver.Raw(msg[body:])
	if name, ok := question.Lookup("find").StringValueOK(); ok {
		return name
	}
	name, _ := question.Lookup("collection").StringValueOK()
	return name
}

// TestGoldenServerCut loses the server in the midst of each collection that a conversion reads, at the first answer or later: the
// collection is named, nothing of any course is here, and with a server that stays the same command makes them all.
func TestGoldenServerCut(t *testing.T) {
	t.Parallel()
	for set, collections := range map[string][]string{
		"oldmongo-small": {modulestore.CollectionBlocks, modulestore.CollectionAssets, modulestore.CollectionFiles, modulestore.CollectionChunks},
		"split-small":    {modulestore.CollectionIndexes, modulestore.CollectionStructures, modulestore.CollectionDefinitions, modulestore.CollectionFiles},
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			src, err := dump.Open(golden.Path(t, "modulestore/"+set+"/dump"), "")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = src.Close() }()
			uri, database := expected.OnServer(t, src, "cut_"+strings.ReplaceAll(set, "-", "_"))
			if uri == "" {
				return // readers are tested against the protocol alone
			}
			_, rest, _ := strings.Cut(uri, "://")
			host, options, _ := strings.Cut(rest, "/")
			for _, collection := range collections {
				for after := range 3 {
					c := &cutter{server: host, collection: collection, after: after}
					a := emptyStore(t, filepath.Join(t.TempDir(), "l.db"))
					site := OldSite{Source: "mongodb://" + c.listen(t) + "/" + options, Database: database}
					out, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{History: true})
					list, lerr := conversion.List(t.Context(), a.DB)
					if lerr != nil {
						t.Fatal(lerr)
					}
					if !c.hasCut() { // there are not so many answers
						if err != nil || after == 0 {
							t.Errorf("%s was not read: %v", collection, err)
						}
						continue
					}
					if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "while "+collection+" was read") || len(list) > 0 {
						t.Errorf("%s, after %d: %v, and %d courses are here", collection, after, err, len(list))
					}
					if out != nil && out.Failed() != len(out.Courses) {
						t.Errorf("%s, after %d: %d of %d courses have failed", collection, after, out.Failed(), len(out.Courses))
					}
					site.Source = uri
					if out, err := a.ConvertOldSite(t.Context(), site, ConvertOptions{History: true}); err != nil || after == 0 && len(out.Courses) == 0 {
						t.Errorf("%s: again: %v", collection, err)
					}
				}
			}
		})
	}
}
