package validate

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/archive"
)

// demo returns the path of an archive of $LECTERN_DATA_DIR, or of ../shared/data beside the repository, and whether it is
// there. Without it tests run on the sound course, unless LECTERN_REQUIRE_GOLDEN asks for the real one.
func demo(tb testing.TB, name string) (path string, ok bool) {
	tb.Helper()
	dir := os.Getenv("LECTERN_DATA_DIR")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path = filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return path, true
	}
	if os.Getenv("LECTERN_REQUIRE_GOLDEN") == "1" {
		tb.Fatalf("LECTERN_REQUIRE_GOLDEN is set and %s is missing", path)
	}
	return put(tb, sound), false
}

// TestGoldenDemo compares with the figures of olx.md §8.3.
func TestGoldenDemo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file          string
		blocks, files int
		want          map[string]int
	}{
		{"demo-course.tar.gz", 401, 800, map[string]int{
			"warning SettingOverride":    1,
			"info SettingOverride":       17,
			"warning MissingDisplayName": 12, // 6 html, and 6 problems of the library_content block
			"warning DateOrdering":       4,
			"warning InvalidHTML":        2, // at most 4 are allowed for
			"info Obsolete":              2,
			"info SecretInArchive":       1,
			"info ForeignLink":           2,
		}},
		{"demo-library.tar.gz", 7, 8, map[string]int{}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			path, ok := demo(t, tt.file)
			if !ok {
				tt.blocks, tt.files, tt.want = 6, len(sound), map[string]int{}
			}
			r := validate(t, path)
			got := map[string]int{}
			for _, f := range r.Findings {
				got[f.Severity.String()+" "+f.Rule]++
				if f.Rule == missingDisplayName && f.Severity != courseware.Warning {
					t.Errorf("severity of %v", f)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if r.Blocks != tt.blocks || r.Files != tt.files || r.Failed() {
				t.Errorf("%d blocks, %d files, failed %v", r.Blocks, r.Files, r.Failed())
			}
		})
	}
}

func BenchmarkDemo(b *testing.B) {
	path, _ := demo(b, "demo-course.tar.gz")
	temp := b.TempDir()
	for b.Loop() {
		if _, err := Path(context.Background(), path, archive.Limits{}, archive.Options{TempDir: temp}); err != nil {
			b.Fatal(err)
		}
	}
}
