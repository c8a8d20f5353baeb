package expected

import (
	"context"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// Doc makes a document.
func Doc(tb testing.TB, d driver.D) bson.Doc {
	tb.Helper()
	b, err := driver.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Stored is a document of a collection.
type Stored struct {
	Collection string
	Doc        bson.Doc
}

// Memory is a source of documents in the order in which they are to come.
type Memory struct {
	Docs []Stored
	// Changes makes the source a live one, where after each pass this is called.
	Changes func()
	Finds   int // how often documents were looked for
}

// Scan hands over the documents, and then says of each collection that it is done.
func (m *Memory) Scan(_ context.Context, p modulestore.Pass) error {
	seen := map[string]bool{}
	for _, d := range m.Docs {
		if !p.Want(d.Collection) {
			continue
		}
		seen[d.Collection] = true
		if err := p.Doc(d.Collection, d.Doc); err != nil {
			return err
		}
	}
	for c := range seen {
		if p.Done != nil {
			p.Done(c)
		}
	}
	if m.Changes != nil {
		m.Changes()
	}
	return nil
}

// Find looks through all documents.
func (m *Memory) Find(_ context.Context, collection string, ids map[modulestore.ID]bool, doc func(bson.Doc) error, _ func(error) error) error {
	if len(ids) > 0 {
		m.Finds++
	}
	for _, d := range m.Docs {
		if d.Collection == collection && ids[modulestore.IDOf(d.Doc.Lookup("_id"))] {
			if err := doc(d.Doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// Live reports whether something changes.
func (m *Memory) Live() bool { return m.Changes != nil }

// Close does nothing.
func (m *Memory) Close() error { return nil }
