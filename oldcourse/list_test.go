package oldcourse_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// requirements are the numbers of modulestore.md §6.
const requirements = "1 2 3 4 10 11 12 13 14 15 20 21 22 23 24 25 26 27 30 31 32 33 34 35 36 37 38 40 41 42 43 50 51 52"

var (
	line     = regexp.MustCompile(`(?m)^\| DEP-(\d+) \| (.+) \| (.+) \|$`)
	endpoint = regexp.MustCompile(`/api/lectern/v1/legacy(/[a-z]+)`)
)

// TestNothingForgotten holds the table of docs/oldstages.md against the specification, the tests and the API: each requirement has a
// test that is there, and what is the LMS's has an address that is there.
func TestNothingForgotten(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "oldstages.md"))
	if err != nil {
		t.Fatal(err)
	}
	routes, err := os.ReadFile(filepath.Join("..", "api", "legacy", "routes.go"))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		if kept[m[1]] {
			t.Errorf("DEP-%s comes twice", m[1])
		}
		kept[m[1]] = true
		tests := strings.Fields(m[3])
		if len(tests) == 0 {
			t.Errorf("DEP-%s has no test", m[1])
		}
		for _, name := range tests {
			pkg, test, _ := strings.Cut(name, ".")
			if !has(t, pkg, "\nfunc "+test+"(t *testing.T)") {
				t.Errorf("DEP-%s: package %s has no test %s", m[1], pkg, test)
			}
		}
		addresses := endpoint.FindAllStringSubmatch(m[2], -1)
		if strings.Contains(m[2], "LMS") && len(addresses) == 0 {
			t.Errorf("DEP-%s is the LMS's, and has no address", m[1])
		}
		for _, a := range addresses {
			if !strings.Contains(string(routes), `get("`+a[1]+`"`) {
				t.Errorf("DEP-%s: there is no address %s", m[1], a[0])
			}
		}
	}
	for id := range strings.FieldsSeq(requirements) {
		if !kept[id] {
			t.Errorf("DEP-%s is forgotten", id)
		}
		delete(kept, id)
	}
	for id := range kept {
		t.Errorf("DEP-%s is no number of the specification", id)
	}
}

func has(t *testing.T, pkg, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(pkg), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), text) {
			return true
		}
	}
	return false
}
