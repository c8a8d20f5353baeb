package expected

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

// OnServer puts all that a source holds into a database of its own on the server in $LECTERN_TEST_MONGO, which goes with the
// test, and returns the server's address and the name of the database. uri is "" where no server is named; the test fails where
// $LECTERN_REQUIRE_MONGO asks for one.
func OnServer(tb testing.TB, src modulestore.Source, name string) (uri, database string) {
	tb.Helper()
	if uri = os.Getenv("LECTERN_TEST_MONGO"); uri == "" {
		if os.Getenv("LECTERN_REQUIRE_MONGO") != "" {
			tb.Fatal("LECTERN_REQUIRE_MONGO asks for a server, and LECTERN_TEST_MONGO does not name one")
		}
		return "", ""
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		tb.Fatal(err)
	}
	database = fmt.Sprintf("lectern_%s_%d", name, os.Getpid())
	db := client.Database(database)
	tb.Cleanup(func() {
		if err := errors.Join(db.Drop(context.Background()), client.Disconnect(context.Background())); err != nil {
			tb.Error(err)
		}
	})
	batches := map[string][]any{}
	send := func(collection string) error {
		batch := batches[collection]
		delete(batches, collection)
		if len(batch) == 0 {
			return nil
		}
		_, err := db.Collection(collection).InsertMany(tb.Context(), batch)
		return err
	}
	err = src.Scan(tb.Context(), modulestore.Pass{
		Want: func(string) bool { return true },
		Doc: func(collection string, d bson.Doc) error {
			batches[collection] = append(batches[collection], driver.Raw(append([]byte(nil), d...)))
			if len(batches[collection]) < 50 {
				return nil
			}
			return send(collection)
		},
	})
	for collection := range batches {
		err = errors.Join(err, send(collection))
	}
	if err != nil {
		tb.Fatal(err)
	}
	return uri, database
}
