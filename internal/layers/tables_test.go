package layers

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// owners says which package's SQL may name each table of Open edX. Everybody else asks that package.
var owners = map[string]string{
	"openedx_content_learningpackage":                    "content/publishing",
	"openedx_content_publishableentity":                  "content/publishing",
	"openedx_content_publishableentityversion":           "content/publishing",
	"openedx_content_publishableentityversiondependency": "content/publishing",
	"openedx_content_draft":                              "content/publishing",
	"openedx_content_draftchangelog":                     "content/publishing",
	"openedx_content_draftchangelogrecord":               "content/publishing",
	"openedx_content_draftsideeffect":                    "content/publishing",
	"openedx_content_published":                          "content/publishing",
	"openedx_content_publishlog":                         "content/publishing",
	"openedx_content_publishlogrecord":                   "content/publishing",
	"openedx_content_publishsideeffect":                  "content/publishing",
	"openedx_content_media":                              "content/media",
	"openedx_content_mediatype":                          "content/media",
	"openedx_content_component":                          "content/components",
	"openedx_content_componenttype":                      "content/components",
	"openedx_content_componentversion":                   "content/components",
	"openedx_content_componentversionmedia":              "content/components",
	"openedx_content_container":                          "content/containers",
	"openedx_content_containertype":                      "content/containers",
	"openedx_content_containerversion":                   "content/containers",
	"openedx_content_entitylist":                         "content/containers",
	"openedx_content_entitylistrow":                      "content/containers",
	"openedx_content_section":                            "content/containers",
	"openedx_content_sectionversion":                     "content/containers",
	"openedx_content_subsection":                         "content/containers",
	"openedx_content_subsectionversion":                  "content/containers",
	"openedx_content_unit":                               "content/containers",
	"openedx_content_unitversion":                        "content/containers",
	"openedx_content_collection":                         "content/collections",
	"openedx_content_collectionpublishableentity":        "content/collections",
	"openedx_catalog_catalogcourse":                      "catalog",
	"openedx_catalog_catalogpathway":                     "catalog",
	"openedx_catalog_courserun":                          "catalog",
	"openedx_catalog_pathwaycategory":                    "catalog",
	"openedx_catalog_pathwayenrollment":                  "catalog",
	"organizations_organization":                         "catalog",
	"organizations_organizationcourse":                   "catalog",
	"organizations_historicalorganization":               "catalog",
	"organizations_historicalorganizationcourse":         "catalog",
	"auth_user":                               "user",
	"student_courseaccessrole":                "authz/legacy",
	"casbin_rule":                             "authz",
	"openedx_authz_authzpermissioncategory":   "authz/definitions",
	"openedx_authz_authzpermissiondefinition": "authz/definitions",
	"openedx_authz_authzroledefinition":       "authz/definitions",
	"openedx_authz_authzrolepermission":       "authz/definitions",
	"openedx_authz_authzcategorysource":       "authz/definitions",
	"openedx_authz_authzpermissionsource":     "authz/definitions",
	"openedx_authz_authzrolesource":           "authz/definitions",
	"openedx_authz_authzrolepermissionsource": "authz/definitions",
}

// prefixes says the same of tables of which all others with one beginning are one package's.
var prefixes = map[string]string{"openedx_authz_": "authz", "waffle_": "flags"}

// ownerOf returns the package whose table it is.
func ownerOf(table string) (string, bool) {
	if owner, known := owners[table]; known {
		return owner, true
	}
	for prefix, owner := range prefixes {
		if strings.HasPrefix(table, prefix) {
			return owner, true
		}
	}
	return "", false
}

// families matches the tables of Open edX that must be in owners, lectern those of our own, whose owner is the one
// package that names them. Other strings may look like the name of a table, so one counts where it is the whole string
// or stands in SQL.
var (
	families = regexp.MustCompile(`\b(?:(?:openedx_content|openedx_catalog|openedx_authz|organizations|waffle)_[a-z]\w*|(?:auth_user|casbin_rule|student_courseaccessrole)\b)`)
	lectern  = regexp.MustCompile(`\blectern_[a-z]\w*`)
	sql      = regexp.MustCompile(`(?i)\b(?:select|insert|update|delete|from|join|into|truncate)\b`)
)

// mayNameAll are the packages whose work is tables as such, and packages of tests.
var mayNameAll = []string{"schema", "schema/takeover", "content/conformance", "benchmarks/...", "interop/...", "internal/dbtest", "internal/layers"}

func TestTablesHaveOneOwner(t *testing.T) {
	t.Parallel()
	for _, wrong := range checkTables(sources(t)) {
		t.Error(wrong)
	}
}

// checkTables returns where files name tables that are another package's.
func checkTables(files []source) (wrong []string) {
	type place struct{ pkg, at string }
	named := map[string][]place{} // Lectern's own tables
	for _, f := range files {
		if f.test() || slices.ContainsFunc(mayNameAll, func(p string) bool { return match(p, f.pkg) }) {
			continue
		}
		f.strings(func(line int, text string) {
			at := fmt.Sprintf("%s:%d", f.path, line)
			for _, table := range families.FindAllString(text, -1) {
				switch owner, known := ownerOf(table); {
				case !known && sql.MatchString(text):
					wrong = append(wrong, fmt.Sprintf("%s names table %s, which has no owner: say in owners whose it is", at, table))
				case known && owner != f.pkg:
					wrong = append(wrong, fmt.Sprintf("%s names table %s of %s: ask that package", at, table, owner))
				}
			}
			if lectern.FindString(text) == text || sql.MatchString(text) {
				for _, table := range lectern.FindAllString(text, -1) {
					named[table] = append(named[table], place{f.pkg, at})
				}
			}
		})
	}
	for _, table := range slices.Sorted(maps.Keys(named)) {
		var pkgs, at []string
		for _, p := range named[table] {
			pkgs = append(pkgs, p.pkg)
			at = append(at, p.at)
		}
		slices.Sort(pkgs)
		if pkgs = slices.Compact(pkgs); len(pkgs) > 1 {
			wrong = append(wrong, fmt.Sprintf("table %s is named by %s, it should be one package's (%s)",
				table, strings.Join(pkgs, " and "), strings.Join(at, ", ")))
		}
	}
	return wrong
}

func TestCheckTablesFindsForeignTables(t *testing.T) {
	t.Parallel()
	literal := func(name, text string) source {
		return parse(t, name, fmt.Sprintf("package p\n\nconst q = %q\n", text))
	}
	for _, c := range []struct {
		name  string
		files []source
		want  []string
	}{
		{"own table", []source{literal("content/media/a.go", "SELECT id FROM openedx_content_media")}, nil},
		{"another's table", []source{literal("content/containers/a.go", "SELECT 1 FROM openedx_content_draft d")},
			[]string{"content/containers/a.go:3 names table openedx_content_draft of content/publishing: ask that package"}},
		{"longer name", []source{literal("content/media/a.go", "openedx_content_mediatype")}, nil},
		{"unknown table", []source{literal("content/media/a.go", "DELETE FROM openedx_content_shelf")},
			[]string{"content/media/a.go:3 names table openedx_content_shelf, which has no owner: say in owners whose it is"}},
		{"permissions", []source{literal("authz/a.go", "SELECT id FROM openedx_authz_scope"), literal("authz/b.go", "casbin_rule")}, nil},
		{"another's permissions", []source{literal("authz/roleshift/a.go", "openedx_authz_scope"), literal("user/a.go", "SELECT 1 FROM casbin_rule")},
			[]string{"authz/roleshift/a.go:3 names table openedx_authz_scope of authz: ask that package",
				"user/a.go:3 names table casbin_rule of authz: ask that package"}},
		{"schema names all", []source{literal("schema/a.go", "openedx_content_draft")}, nil},
		{"tests name all", []source{literal("course/a_test.go", "SELECT 1 FROM openedx_content_draft")}, nil},
		{"table of ours, one package", []source{
			literal("course/a.go", "SELECT 1 FROM lectern_course"), literal("course/b.go", "lectern_course")}, nil},
		{"table of ours, two packages", []source{
			literal("course/a.go", "SELECT 1 FROM lectern_course"), literal("catalog/a.go", "UPDATE lectern_course SET x = 1")},
			[]string{"table lectern_course is named by catalog and course, it should be one package's (course/a.go:3, catalog/a.go:3)"}},
	} {
		if diff := cmp.Diff(c.want, checkTables(c.files)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
