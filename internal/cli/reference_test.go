package cli_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/internal/cli"
)

// TestReference shows that the page about the command line is that of these commands.
func TestReference(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cli.Reference(), string(page)); diff != "" {
		t.Errorf("docs/cli.md is out of date; run: go generate ./internal/cli\n(-want +is)\n%s", diff)
	}
}
