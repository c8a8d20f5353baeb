package migratorapi

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/app"
)

// TestPreviewStates: Y2 and Y3.
func TestPreviewStates(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]app.LibraryPreview{
		`{"state":"success","unsupported_blocks":0,"unsupported_percentage":0,"blocks_limit":9,"total_blocks":0,"total_components":0,"sections":0,"subsections":0,"units":0}`: {Limit: 9},
		`{"state":"success","unsupported_blocks":0,"unsupported_percentage":0,"blocks_limit":9,"total_blocks":2,"total_components":1,"sections":0,"subsections":0,"units":1}`: {Limit: 9, Total: 2, Components: 1, Units: 1},
		`{"state":"partial","unsupported_blocks":1,"unsupported_percentage":12.5,"blocks_limit":9,"total_blocks":8,"total_components":8,"sections":0,"subsections":0,"units":0}`: {Limit: 9, Total: 8, Components: 8,
			Unsupported: 1},
		`{"state":"block_limit_reached","unsupported_blocks":1,"unsupported_percentage":50,"blocks_limit":9,"total_blocks":2,"total_components":2,"sections":0,"subsections":0,"units":0}`: {Limit: 9, Total: 2, Components: 2,
			Unsupported: 1, Over: true},
	} {
		if got, err := json.Marshal(previewOf(p)); err != nil || string(got) != want {
			t.Errorf("%+v: %s (%v), want %s", p, got, err, want)
		}
	}
}

// TestImportStates: Y7, and that what is not there is null.
func TestImportStates(t *testing.T) {
	t.Parallel()
	c := app.LibraryCourse{LibraryImport: app.LibraryImport{Task: "x", Source: "course-v1:A+B+C", Completed: 4, Total: 16}, Title: "B"}
	got, err := json.Marshal(courseOf(c))
	want := `{"task_uuid":"x","source":{"key":"course-v1:A+B+C","display_name":"B"},"target_collection":null,"state":"In Progress","progress":0.25}`
	if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
		t.Errorf("(-want +got):\n%s (%v)", diff, err)
	}
	c.Ended, c.Completed, c.Collection, c.CollectionTitle = "Succeeded", 16, "k", "T"
	if v := courseOf(c); v.State != "Succeeded" || v.Progress != 1 || *v.Collection != (collection{"k", "T"}) {
		t.Errorf("%+v", v)
	}
	for at, want := range map[time.Time]string{
		time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC):           "2026-01-02T03:04:05Z",
		time.Date(2026, 1, 2, 3, 4, 5, 120_000_000, time.UTC): "2026-01-02T03:04:05.12Z",
	} {
		if got := stamp(at); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
