package legacy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/oldcourse"
)

// TestNulls holds that what is not known is null, and that the document says that it may be.
func TestNulls(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(courseOf(app.LegacyCourse{Overview: oldcourse.Overview{Key: "A/B/C"}}, oldcourse.Default()))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"problem":null`, `"start":null`, `"data":null`, `"enrolled":null`, `"rerun":null`, `"warning":null`, `"team":[]`, `"root":{"block":"","course":"A/B/C"}`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s", text, want)
		}
	}
	r := huma.NewMapRegistry("#/", huma.DefaultSchemaNamer)
	s := r.SchemaFromRef(r.Schema(reflect.TypeFor[courseView](), true, "").Ref)
	for _, name := range []string{"enrolled", "rerun"} {
		p := s.Properties[name]
		if p.Ref != "" {
			p = r.SchemaFromRef(p.Ref)
		}
		if n := len(p.OneOf); n != 2 || p.OneOf[0].Ref == "" || p.OneOf[1].Type != "null" {
			t.Errorf("the document says of %s %+v", name, p)
		}
	}
	// A warning is text, and beside it the same for HTML.
	v := stageOf(oldcourse.Setting{Stage: oldcourse.Warn, Warning: true, Message: "<b>"})
	if *v.Warning != "<b>" || *v.HTML != "&lt;b&gt;" {
		t.Errorf("%+v", v)
	}
}
