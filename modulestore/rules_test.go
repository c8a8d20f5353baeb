package modulestore

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestRulesAreDocumented compares the table of docs/oldsites.md with the rules.
func TestRulesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/oldsites.md")
	if err != nil {
		t.Fatal(err)
	}
	var all Tally
	for rule := range texts {
		all.Add(rule, "")
	}
	var want strings.Builder
	for _, p := range all.Problems() {
		fmt.Fprintf(&want, "| `%s` | %s |\n", p.Rule, p.Rule.Text())
	}
	if _, table, _ := strings.Cut(string(page), "| Name | Means |\n|---|---|\n"); table != want.String() {
		t.Errorf("the table at the end of docs/oldsites.md should be\n%s", want.String())
	}
}
