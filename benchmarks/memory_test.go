package main

import "testing"

// TestMemory imports and exports a course with 192 MiB of static files and 48 MiB of text, and holds that the memory it takes is bounded
// whatever the size of the archive.
func TestMemory(t *testing.T) {
	t.Parallel()
	lines := pieces(t, "memory", 192, t.TempDir())
	for _, name := range []string{"memory import", "memory export"} {
		l := lines[name]
		if l == nil {
			t.Fatalf("no %s was measured", name)
		}
		if l.Peak == 0 || l.Peak > maxPeak {
			t.Errorf("%s: %.0f MiB resident at the most, want less than %d", name, l.Peak, maxPeak)
		}
	}
}
