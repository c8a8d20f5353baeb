// Package live reads the database of an old site from a running MongoDB server.
//
// It is read-only by construction: what it holds of the driver is a function that finds documents and one that lists
// collections. Documents come as raw bytes and are checked like those of a dump. Nothing keeps others from writing meanwhile;
// readers look a second time where that matters (modulestore.md OM-33).
package live

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

const (
	// DefaultDatabase is the database of a site that was not told another name (modulestore.md §1.1).
	DefaultDatabase = "edxapp"
	// patience is how long a server may take to be found and to answer for the first time.
	patience = 15 * time.Second
	// idsAtOnce is how many documents are asked for by id in one question.
	idsAtOnce = 1000
)

// server is a database, of which only reading is known.
type server struct {
	host  string
	find  func(ctx context.Context, collection string, filter any) (*mongo.Cursor, error)
	list  func(ctx context.Context) ([]string, error)
	close func(ctx context.Context) error
}

// Open connects to a server by its mongodb:// or mongodb+srv:// address, whose path may name the database; database overrides
// it. Secondaries are read where there are any.
func Open(ctx context.Context, uri, database string) (modulestore.Source, error) {
	conf := options.Client().ApplyURI(uri).SetServerSelectionTimeout(patience).SetAppName("lectern")
	if err := conf.Validate(); err != nil {
		return nil, fault.Errorf(fault.Usage, "mongodb address", "%w", err).WithNext("write mongodb://user:password@host:port/database")
	}
	if conf.ReadPreference == nil {
		conf.SetReadPreference(readpref.SecondaryPreferred())
	}
	host, inPath := parts(uri)
	client, err := mongo.Connect(conf)
	if err != nil {
		return nil, fault.Errorf(fault.Usage, host, "%w", err)
	}
	db := client.Database(cmp.Or(database, inPath, DefaultDatabase))
	s := &server{
		host: host,
		find: func(ctx context.Context, collection string, filter any) (*mongo.Cursor, error) {
			return db.Collection(collection).Find(ctx, filter)
		},
		list:  func(ctx context.Context) ([]string, error) { return db.ListCollectionNames(ctx, driver.D{}) },
		close: client.Disconnect,
	}
	if err := client.Ping(ctx, nil); err != nil {
		return nil, errors.Join(s.unavailable(err), s.Close())
	}
	return s, nil
}

// parts returns the hosts and the database of an address that has been found valid.
func parts(uri string) (hosts, database string) {
	_, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	rest = rest[strings.LastIndex(rest, "@")+1:]
	hosts, database, _ = strings.Cut(rest, "/")
	return hosts, database
}

func (s *server) unavailable(err error) error {
	return fault.Errorf(fault.Unavailable, s.host, "%w", err).WithNext("check that the MongoDB server runs and the address is right")
}

// order is what small collections say about large ones, so they come first.
var order = []string{
	modulestore.CollectionIndexes, modulestore.CollectionBlocks, modulestore.CollectionFiles, modulestore.CollectionAssets,
	modulestore.CollectionLocationMap, modulestore.CollectionStructures, modulestore.CollectionDefinitions, modulestore.CollectionChunks,
}

// Scan reads one collection after the other. A collection that may not be read is told of like a broken file; a server that
// is gone ends the pass.
func (s *server) Scan(ctx context.Context, p modulestore.Pass) error {
	names, err := s.list(ctx)
	switch {
	case denied(err):
		names = order // whoever may not list them may be allowed to read some
	case err != nil:
		return s.unavailable(err)
	}
	place := func(name string) int {
		if i := slices.Index(order, name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b)) })
	for _, name := range names {
		if !p.Want(name) {
			continue
		}
		if err := s.scan(ctx, name, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) scan(ctx context.Context, name string, p modulestore.Pass) error {
	var filters []driver.D
	switch {
	case p.Files != nil && name == modulestore.CollectionChunks:
		for some := range slices.Chunk(p.Files, idsAtOnce) {
			ids := make(driver.A, len(some))
			for i, id := range some {
				ids[i] = driver.RawValue{Type: driver.Type(id.Type), Value: id.Raw()} // never encoded anew: the order of keys counts (GF-3)
			}
			filters = append(filters, driver.D{{Key: "files_id", Value: driver.D{{Key: "$in", Value: ids}}}})
		}
	case p.Old != nil && name == modulestore.CollectionBlocks:
		// With the tag, as the index begins with it (modulestore.md §1.10).
		filters = []driver.D{{{Key: "_id.tag", Value: "i4x"}, {Key: "_id.org", Value: p.Old.Org}, {Key: "_id.course", Value: p.Old.Course}}}
	default:
		filters = []driver.D{{}}
	}
	var err error
	for _, filter := range filters {
		err = s.each(ctx, name, filter, p.Doc, func(err error) error {
			if p.Bad == nil {
				return err
			}
			return p.Bad(name, err)
		})
		if err != nil {
			break
		}
	}
	switch {
	case denied(err) && p.Bad == nil:
		return s.forbidden(name, err, nil)
	case denied(err):
		return s.forbidden(name, err, func(err error) error { return p.Bad(name, err) })
	case err != nil:
		return err
	}
	if p.Done != nil {
		p.Done(name)
	}
	return nil
}

// each hands over the documents that a filter finds.
func (s *server) each(ctx context.Context, name string, filter any, doc func(string, bson.Doc) error, bad func(error) error) (err error) {
	cursor, err := s.find(ctx, name, filter)
	if err != nil {
		return s.failed(ctx, name, err)
	}
	defer func() { err = errors.Join(err, cursor.Close(context.WithoutCancel(ctx))) }()
	for cursor.Next(ctx) {
		if e := bson.Check(cursor.Current); e != nil {
			if err := bad(e); err != nil {
				return err
			}
			continue
		}
		if err := doc(name, bson.Doc(cursor.Current)); err != nil {
			return err
		}
	}
	if err := cursor.Err(); err != nil {
		return s.failed(ctx, name, err)
	}
	return nil
}

// failed classifies what the driver answers about a collection.
func (s *server) failed(ctx context.Context, collection string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if denied(err) {
		return err
	}
	return s.unavailable(fmt.Errorf("while %s was read: %w", collection, err))
}

// forbidden tells of a collection that the user has no right to read; where there is nobody to tell that is the error.
func (s *server) forbidden(collection string, err error, bad func(error) error) error {
	if bad == nil {
		return fault.Errorf(fault.Denied, s.host, "%s: %w", collection, err).WithNext("give the user the role read on this database")
	}
	return bad(&bson.Error{File: s.host + " " + collection, Reason: "may not be read: " + err.Error(), Lost: true, Err: err})
}

// denied reports whether the user has no right to something.
func denied(err error) bool {
	const unauthorized = 13
	var e mongo.ServerError
	return errors.As(err, &e) && e.HasErrorCode(unauthorized)
}

// Find asks for the documents by their ids, many at a time.
func (s *server) Find(ctx context.Context, collection string, ids map[modulestore.ID]bool, doc func(bson.Doc) error, bad func(error) error) error {
	list := make([]driver.ObjectID, 0, len(ids))
	for id := range ids {
		list = append(list, driver.ObjectID(id))
	}
	slices.SortFunc(list, func(a, b driver.ObjectID) int { return slices.Compare(a[:], b[:]) })
	for some := range slices.Chunk(list, idsAtOnce) {
		err := s.each(ctx, collection, driver.D{{Key: "_id", Value: driver.D{{Key: "$in", Value: some}}}},
			func(_ string, d bson.Doc) error { return doc(d) },
			func(err error) error {
				if bad == nil {
					return err
				}
				return bad(err)
			})
		if denied(err) {
			return s.forbidden(collection, err, bad)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Live is true: the site may be running.
func (s *server) Live() bool { return true }

// Close ends the connection.
func (s *server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.close(ctx)
}
