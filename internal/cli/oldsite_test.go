package cli_test

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/modulestore"
)

// writeOldSite: oldsite FOLDER writes the dump of a site with a course in either old store. The one of the versioned store has
// the key of the sample course.
func writeOldSite(ts *testscript.TestScript, _ bool, args []string) {
	oid := func(n byte) bson.ObjectID { return bson.ObjectID{11: n} }
	block := func(kind, name string, fields bson.D) bson.D {
		return bson.D{{Key: "block_type", Value: kind}, {Key: "block_id", Value: name}, {Key: "fields", Value: fields}, {Key: "definition", Value: oid(9)}}
	}
	files := map[string][]bson.D{
		modulestore.CollectionBlocks: {{
			{Key: "_id", Value: bson.D{{Key: "tag", Value: "i4x"}, {Key: "org", Value: "AcmeU"}, {Key: "course", Value: "BIO1"}, {Key: "category", Value: "course"}, {Key: "name", Value: "2013"}, {Key: "revision", Value: nil}}},
			{Key: "definition", Value: bson.D{{Key: "children", Value: bson.A{"i4x://AcmeU/BIO1/chapter/gone"}}}}, {Key: "metadata", Value: bson.D{{Key: "hide_progress_tab", Value: true}}},
			{Key: "edit_info", Value: bson.D{{Key: "edited_on", Value: bson.DateTime(1361354400000)}}},
		}},
		modulestore.CollectionIndexes: {{
			{Key: "_id", Value: oid(1)}, {Key: "org", Value: "Lectern"}, {Key: "course", Value: "LIGHT"}, {Key: "run", Value: "2025"}, {Key: "last_update", Value: bson.DateTime(1590000000000)},
			{Key: "versions", Value: bson.D{{Key: "draft-branch", Value: oid(3)}, {Key: "published-branch", Value: oid(2)}}},
		}},
		modulestore.CollectionStructures: {
			{{Key: "_id", Value: oid(2)}, {Key: "root", Value: bson.A{"course", "course"}}, {Key: "blocks", Value: bson.A{block("course", "course", bson.D{})}}},
			{{Key: "_id", Value: oid(3)}, {Key: "root", Value: bson.A{"course", "course"}}, {Key: "previous_version", Value: oid(2)}, {Key: "blocks", Value: bson.A{
				block("course", "course", bson.D{{Key: "children", Value: bson.A{bson.A{"chapter", "c"}}}}), block("chapter", "c", bson.D{})}}},
		},
	}
	dir := filepath.Join(ts.MkAbs(args[0]), "edxapp")
	ts.Check(os.MkdirAll(dir, 0o755))
	for name, docs := range files {
		var out bytes.Buffer
		for _, d := range docs {
			b, err := bson.Marshal(d)
			ts.Check(err)
			out.Write(b)
		}
		ts.Check(os.WriteFile(filepath.Join(dir, name+".bson"), out.Bytes(), 0o644))
	}
}
