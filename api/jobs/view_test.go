package jobs

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/app"
)

// TestNothingFailed holds that a job without an error says null, and that the document says that it may.
func TestNothingFailed(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(viewOf(app.Job{}))
	if err != nil || !strings.Contains(string(text), `"error":null`) {
		t.Fatalf("%s, %v", text, err)
	}
	r := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	s := r.SchemaFromRef(r.Schema(reflect.TypeFor[view](), true, "").Ref).Properties["error"]
	if n := len(s.OneOf); n != 2 || s.OneOf[0].Ref == "" || s.OneOf[1].Type != "null" {
		t.Errorf("the document says %+v", s)
	}
}
