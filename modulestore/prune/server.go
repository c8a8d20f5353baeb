package prune

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	driver "go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/live"
	"github.com/openlectern/lectern/modulestore/split"
)

const (
	patience  = 15 * time.Second
	idsAtOnce = 500
	// duplicate is the server's code for an id that is there.
	duplicate = 11000
)

// Server is a Split database on a running MongoDB server. Everything is read from the primary, as a secondary may not have the
// last heads yet, and written with the majority. For one goroutine at a time.
type Server struct {
	name   string
	client *mongo.Client
	db     *mongo.Database
	damage int
}

var _ Database = (*Server)(nil)

// Connect connects to a server by its mongodb:// or mongodb+srv:// address, whose path may name the database; database
// overrides it.
func Connect(ctx context.Context, uri, database string) (*Server, error) {
	conf := options.Client().ApplyURI(uri).SetServerSelectionTimeout(patience).SetAppName("lectern")
	if err := conf.Validate(); err != nil {
		return nil, fault.Errorf(fault.Usage, "mongodb address", "%w", err).WithNext("write mongodb://user:password@host:port/database")
	}
	conf.SetReadPreference(readpref.Primary()).SetWriteConcern(writeconcern.Majority())
	scheme, rest, _ := strings.Cut(uri, "://")
	rest, _, _ = strings.Cut(rest, "?")
	hosts, inPath, _ := strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "/")
	database = cmp.Or(database, inPath, live.DefaultDatabase)
	s := &Server{name: scheme + "://" + hosts + "/" + database}
	var err error
	if s.client, err = mongo.Connect(conf); err != nil {
		return nil, fault.Errorf(fault.Usage, s.name, "%w", err)
	}
	s.db = s.client.Database(database)
	if err := s.client.Ping(ctx, nil); err != nil {
		return nil, errors.Join(s.failed(ctx, err), s.Close())
	}
	return s, nil
}

// Name returns the address without user and options.
func (s *Server) Name() string { return s.name }

// Close ends the connection.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.client.Disconnect(ctx)
}

// Damage returns how many documents could not be read.
func (s *Server) Damage() int { return s.damage }

func (s *Server) failed(ctx context.Context, err error) error {
	const unauthorized = 13
	var e mongo.ServerError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &e) && e.HasErrorCode(unauthorized):
		return fault.Errorf(fault.Denied, s.name, "%w", err).WithNext("give the user the role read on this database, to apply readWrite")
	}
	return fault.Errorf(fault.Unavailable, s.name, "%w", err).WithNext("check that the MongoDB server runs; what was begun goes on when run again")
}

// each hands over the documents of a cursor.
func (s *Server) each(ctx context.Context, cursor *mongo.Cursor, fn func(bson.Doc) error) (err error) {
	defer func() { err = errors.Join(err, cursor.Close(context.WithoutCancel(ctx))) }()
	for cursor.Next(ctx) {
		if bson.Check(cursor.Current) != nil {
			s.damage++
			continue
		}
		if err := fn(bson.Doc(cursor.Current)); err != nil {
			return err
		}
	}
	return s.failed(ctx, cursor.Err())
}

func (s *Server) find(ctx context.Context, collection string, filter any, fn func(bson.Doc) error, opts ...options.Lister[options.FindOptions]) error {
	cursor, err := s.db.Collection(collection).Find(ctx, filter, opts...)
	if err != nil {
		return s.failed(ctx, err)
	}
	return s.each(ctx, cursor, fn)
}

// Indexes returns the rows of the index.
func (s *Server) Indexes(ctx context.Context) (rows []split.Index, err error) {
	err = s.find(ctx, modulestore.CollectionIndexes, driver.D{}, func(d bson.Doc) error {
		x, _ := split.IndexOf(d)
		rows = append(rows, x)
		return nil
	})
	return rows, err
}

// headers are the fields of a structure or definition that [Header] has.
var headers = driver.D{{Key: "previous_version", Value: 1}, {Key: "original_version", Value: 1}, {Key: "edited_on", Value: 1}, {Key: "edit_info.edited_on", Value: 1}}

// Structures hands over all headers.
func (s *Server) Structures(ctx context.Context, each func(Header) error) error {
	return s.headers(ctx, modulestore.CollectionStructures, each)
}

// Definitions hands over all headers.
func (s *Server) Definitions(ctx context.Context, each func(Header) error) error {
	return s.headers(ctx, modulestore.CollectionDefinitions, each)
}

// headers lets the server measure the documents; one that cannot sends headers alone.
func (s *Server) headers(ctx context.Context, collection string, each func(Header) error) error {
	fields := append(slices.Clone(headers), driver.E{Key: "lectern_size", Value: driver.D{{Key: "$bsonSize", Value: "$$ROOT"}}})
	cursor, err := s.db.Collection(collection).Aggregate(ctx, mongo.Pipeline{{{Key: "$project", Value: fields}}})
	sized := err == nil
	if !sized {
		if cursor, err = s.db.Collection(collection).Find(ctx, driver.D{}, options.Find().SetProjection(headers)); err != nil {
			return s.failed(ctx, err)
		}
	}
	return s.each(ctx, cursor, func(d bson.Doc) error {
		h := headerOf(d)
		n, _ := d.Lookup("lectern_size").Int()
		h.Size = int(n)
		return each(h)
	})
}

// Cuts hands over all notes.
func (s *Server) Cuts(ctx context.Context, each func(Cut) error) error {
	return s.find(ctx, modulestore.CollectionCuts, driver.D{}, func(d bson.Doc) error { return each(cutOf(d)) })
}

func chunks(ids map[modulestore.ID]bool, fn func(filter driver.D) error) error {
	list := make([]driver.ObjectID, 0, len(ids))
	for id := range ids {
		list = append(list, driver.ObjectID(id))
	}
	slices.SortFunc(list, func(a, b driver.ObjectID) int { return slices.Compare(a[:], b[:]) })
	for some := range slices.Chunk(list, idsAtOnce) {
		if err := fn(driver.D{{Key: "_id", Value: driver.D{{Key: "$in", Value: some}}}}); err != nil {
			return err
		}
	}
	return nil
}

// Headers hands over those of some structures.
func (s *Server) Headers(ctx context.Context, ids map[modulestore.ID]bool, each func(Header) error) error {
	return chunks(ids, func(filter driver.D) error {
		return s.find(ctx, modulestore.CollectionStructures, filter, func(d bson.Doc) error {
			h := headerOf(d)
			h.Size = 0
			return each(h)
		}, options.Find().SetProjection(headers))
	})
}

// Documents hands over some documents.
func (s *Server) Documents(ctx context.Context, collection string, ids map[modulestore.ID]bool, each func(bson.Doc) error) error {
	return chunks(ids, func(filter driver.D) error { return s.find(ctx, collection, filter, each) })
}

// Kept asks for the structures by their ids, some at a time.
func (s *Server) Kept(ctx context.Context, _ func(modulestore.ID) (bool, error), ids func(func(modulestore.ID) error) error, each func(bson.Doc) error) error {
	some := map[modulestore.ID]bool{}
	ask := func() error {
		err := s.Documents(ctx, modulestore.CollectionStructures, some, each)
		clear(some)
		return err
	}
	err := ids(func(id modulestore.ID) error {
		some[id] = true
		if len(some) < idsAtOnce {
			return nil
		}
		return ask()
	})
	if err != nil {
		return err
	}
	return ask()
}

// Delete removes documents.
func (s *Server) Delete(ctx context.Context, collection string, ids []modulestore.ID) (n int, err error) {
	set := make(map[modulestore.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	err = chunks(set, func(filter driver.D) error {
		r, err := s.db.Collection(collection).DeleteMany(ctx, filter)
		if err != nil {
			return s.failed(ctx, err)
		}
		n += int(r.DeletedCount)
		return nil
	})
	return n, err
}

// Insert puts documents back.
func (s *Server) Insert(ctx context.Context, collection string, docs []bson.Doc) (n int, err error) {
	for some := range slices.Chunk(docs, idsAtOnce) {
		list := make([]any, len(some))
		for i, d := range some {
			list[i] = driver.Raw(d)
		}
		_, err := s.db.Collection(collection).InsertMany(ctx, list, options.InsertMany().SetOrdered(false))
		n += len(some)
		var bulk mongo.BulkWriteException
		switch {
		case err == nil:
		case errors.As(err, &bulk) && bulk.WriteConcernError == nil && !slices.ContainsFunc(bulk.WriteErrors, func(e mongo.BulkWriteError) bool { return e.Code != duplicate }):
			n -= len(bulk.WriteErrors)
		default:
			return n, s.failed(ctx, err)
		}
	}
	return n, nil
}

// leases is the collection of claims, prune the one of this package.
const (
	leases     = "lectern.lease"
	pruneLease = "prune"
)

// Claim takes or renews the lease of the database.
func (s *Server) Claim(ctx context.Context, holder, by string, ttl time.Duration) error {
	var is struct {
		LocalTime time.Time `bson:"localTime"`
	}
	err := s.db.RunCommand(ctx, driver.D{{Key: "hello", Value: 1}}).Decode(&is)
	if err != nil { // before MongoDB 4.4
		err = s.db.RunCommand(ctx, driver.D{{Key: "isMaster", Value: 1}}).Decode(&is)
	}
	if err != nil {
		return s.failed(ctx, err)
	}
	_, err = s.db.Collection(leases).UpdateOne(ctx,
		driver.D{{Key: "_id", Value: pruneLease}, {Key: "$or", Value: driver.A{driver.D{{Key: "holder", Value: holder}}, driver.D{{Key: "until", Value: driver.D{{Key: "$lt", Value: is.LocalTime}}}}}}},
		driver.D{{Key: "$set", Value: driver.D{{Key: "holder", Value: holder}, {Key: "by", Value: by}, {Key: "until", Value: is.LocalTime.Add(ttl)}}}},
		options.UpdateOne().SetUpsert(true))
	if !mongo.IsDuplicateKeyError(err) {
		return s.failed(ctx, err)
	}
	var other struct {
		By    string    `bson:"by"`
		Until time.Time `bson:"until"`
	}
	if err := s.db.Collection(leases).FindOne(ctx, driver.D{{Key: "_id", Value: pruneLease}}).Decode(&other); err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return s.failed(ctx, err)
	}
	return fault.Errorf(fault.Conflict, s.name, "a run with another archive works on this database, by %s; it said so until %s", other.By, other.Until.UTC().Format(time.RFC3339)).
		WithNext("wait for it, or stop it; of one that was killed go on with its own archive, or wait for that moment")
}

// Release gives the lease back.
func (s *Server) Release(ctx context.Context, holder string) error {
	_, err := s.db.Collection(leases).DeleteOne(ctx, driver.D{{Key: "_id", Value: pruneLease}, {Key: "holder", Value: holder}})
	return s.failed(ctx, err)
}

// Relink sets a predecessor.
func (s *Server) Relink(ctx context.Context, id, from, to modulestore.ID) error {
	value := func(id modulestore.ID) any {
		if id.IsZero() {
			return nil
		}
		return driver.ObjectID(id)
	}
	_, err := s.db.Collection(modulestore.CollectionStructures).UpdateOne(ctx,
		driver.D{{Key: "_id", Value: driver.ObjectID(id)}, {Key: "previous_version", Value: value(from)}},
		driver.D{{Key: "$set", Value: driver.D{{Key: "previous_version", Value: value(to)}}}})
	return s.failed(ctx, err)
}

// Weigh asks for the sizes of the two collections; a server that does not say, or not to this user, is asked no more.
func (s *Server) Weigh(ctx context.Context) (map[string]Weight, error) {
	out := map[string]Weight{}
	for _, collection := range []string{modulestore.CollectionStructures, modulestore.CollectionDefinitions} {
		raw, err := s.db.RunCommand(ctx, driver.D{{Key: "collStats", Value: collection}}).Raw()
		if err != nil || bson.Check(raw) != nil {
			return out, ctx.Err()
		}
		number := func(path ...string) int64 {
			n, _ := bson.Doc(raw).Lookup(path...).Int()
			return n
		}
		out[collection] = Weight{number("count"), number("size"), number("storageSize"), number("wiredTiger", "block-manager", "file bytes available for reuse")}
	}
	return out, nil
}
