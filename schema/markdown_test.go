package schema

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPageIsCurrent: docs/schema.md is made by go generate ./schema.
func TestPageIsCurrent(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/schema.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Markdown(), string(page)); diff != "" {
		t.Errorf("docs/schema.md is not what go generate ./schema makes (-want +got):\n%s", diff)
	}
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	page := Markdown()
	for _, x := range Tables() {
		if n := strings.Count(page, "### "+x.Name+"\n"); n != 1 {
			t.Errorf("table %s has %d headings, want 1", x.Name, n)
		}
	}
	for _, want := range []string{
		"| package_ref | KEY(500) |  |  |",
		"| version_id | FK8, unique, NULL | openedx_content_publishableentityversion.id | restrict |",
		"- Unique `oel_publishing_lp_uniq_key` (package_ref)",
		"- Index `oel_content_idx_lp_rsize` (learning_package_id, size DESC)",
		"- Check `oel_container_code_regex`: `container_code ~ '^[\\w.-]+\\Z'`",
		"- Unique `oex_catalog_courserun_catalog_course_run_code_uniq` (catalog_course_id, run_code) WHERE NOT (course_key LIKE 'ccx%')",
		"| UUID | char(32) | char(32) | uuid | uuid |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
