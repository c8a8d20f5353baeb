package roleshift_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingForgotten holds the list of requirements, scenarios and weaknesses against the tests: each has one, and the tests that
// the list names are there.
func TestNothingForgotten(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	sources := map[string]string{} // of the tests, by package
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" {
			continue
		}
		if shown[f[0]] {
			t.Errorf("%s comes twice", f[0])
		}
		for _, name := range f[1:] {
			pkg, test, _ := strings.Cut(name, ".")
			if sources[pkg] == "" {
				sources[pkg] = testSources(t, pkg)
			}
			if !strings.Contains(sources[pkg], "\nfunc "+test+"(t *testing.T)") {
				t.Errorf("%s: package %s has no test %s", f[0], pkg, test)
				continue
			}
			shown[f[0]] = true
		}
	}
	for _, of := range []struct {
		form string
		last int
	}{{"M-%02d", 64}, {"S-%d", 18}, {"W-%02d", 27}} {
		for i := 1; i <= of.last; i++ {
			if id := fmt.Sprintf(of.form, i); !shown[id] {
				t.Errorf("no test shows %s", id)
			}
			delete(shown, fmt.Sprintf(of.form, i))
		}
	}
	for id := range shown {
		t.Errorf("%s is no number of the specification", id)
	}
}

func testSources(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
