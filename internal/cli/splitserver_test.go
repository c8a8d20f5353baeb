package cli_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/expected"
)

// TestOnMongo runs the scripts of testdata/mongo beside a MongoDB server, on a database with one course of twelve drafts, a day apart.
func TestOnMongo(t *testing.T) {
	t.Parallel()
	src := &expected.Memory{}
	put := func(collection string, d bson.D) {
		src.Docs = append(src.Docs, expected.Stored{Collection: collection, Doc: expected.Doc(t, d)})
	}
	const first, day = 1_500_000_000, 24 * 3600
	id := func(n int) bson.ObjectID {
		at := first + n*day
		return bson.ObjectID{byte(at >> 24), byte(at >> 16), byte(at >> 8), byte(at), 11: byte(n)}
	}
	for n := range 12 {
		var previous any
		if n > 0 {
			previous = id(n - 1)
		}
		put(modulestore.CollectionStructures, bson.D{{Key: "_id", Value: id(n)}, {Key: "previous_version", Value: previous}, {Key: "original_version", Value: id(0)},
			{Key: "edited_on", Value: bson.DateTime(1000 * (first + n*day))}, {Key: "root", Value: bson.A{"course", "course"}}, {Key: "blocks", Value: bson.A{bson.D{
				{Key: "block_type", Value: "course"}, {Key: "block_id", Value: "course"}, {Key: "definition", Value: id(n)}, {Key: "fields", Value: bson.D{}}}}}})
		put(modulestore.CollectionDefinitions, bson.D{{Key: "_id", Value: id(n)}, {Key: "block_type", Value: "course"}, {Key: "fields", Value: bson.D{}}})
	}
	put(modulestore.CollectionIndexes, bson.D{{Key: "_id", Value: id(100)}, {Key: "org", Value: "O"}, {Key: "course", Value: "C"}, {Key: "run", Value: "R"},
		{Key: "last_update", Value: bson.DateTime(1000 * (first + 11*day))}, {Key: "versions", Value: bson.D{{Key: "draft-branch", Value: id(11)}}}})
	uri, database := expected.OnServer(t, src, "cli")
	if uri == "" {
		return // the packages below have tests without a server
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/mongo", Cmds: commands, Setup: func(env *testscript.Env) error {
		env.Setenv("mongo", uri)
		env.Setenv("database", database)
		return setup("")(env)
	}})
}
