package media

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/openlectern/lectern/internal/golden"
)

// TestGoldenMedia holds the type guessed from a name, and the digest of a text, against every file that the reference
// restored from an archive. It stores block.xml by a type of its own.
func TestGoldenMedia(t *testing.T) {
	t.Parallel()
	files := 0
	for _, name := range golden.Glob(t, "backup/*--*.json") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var restored struct {
			Entities []struct {
				Versions []struct {
					Media []struct {
						Path, Type, Digest string
						Size               int64
						Text               *string
					}
				}
			}
		}
		if err := json.Unmarshal(b, &restored); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, e := range restored.Entities {
			for _, v := range e.Versions {
				for _, m := range v.Media {
					files++
					if got := TypeByExtension(m.Path); got != m.Type && m.Path != "block.xml" {
						t.Errorf("%s: type of %s: %s, want %s", name, m.Path, got, m.Type)
					}
					if m.Text != nil && (DigestBytes([]byte(*m.Text)) != m.Digest || int64(len(*m.Text)) != m.Size) {
						t.Errorf("%s: digest of %q is not %s", name, *m.Text, m.Digest)
					}
				}
			}
		}
	}
	if files == 0 {
		t.Error("no files in the golden data")
	}
}
