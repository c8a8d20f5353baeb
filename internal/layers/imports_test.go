package layers

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rule says what the packages that match pkg may import of this module. Patterns name a package, or with "/..." a
// package and all below it. Of several rules that match a package the first counts.
type rule struct {
	pkg    string
	may    []string
	reason string
}

// rules are the layers, top to bottom. Every package may also import those in leaves.
var rules = []rule{
	{"cmd/...", []string{"..."}, "the programs wire everything together"},
	{"benchmarks/...", []string{"..."}, "measures every package"},
	{"interop/...", []string{"..."}, "makes whole databases for the Python side to read"},
	{"internal/cli/...", []string{
		"console", "api/...", "app", "modulestore/...", "learnerstate", "oldcourse", "course", "olx/...", "content/...", "authz/...", "flags", "schema/...",
		"job", "lease", "db", "catalog", "user", "signin/...", "courseware", "sample", "internal/cli/...", "internal/frugal",
	}, "commands may ask any use case or domain package"},
	{"console/...", []string{"api", "app", "console/..."}, "pages show what the API's types say and the use cases do, and decide nothing"},
	{"api/authz", []string{"api", "app", "authz", "authz/scope", "authz/things", "catalog", "content/publishing", "db", "flags", "user"}, "openedx-authz's endpoints: each a question to the policy and the names for its answer; changes are use cases of app"},
	{"api/signin", []string{"api", "signin/...", "user"}, "what requests show, and the pages to sign in with"},
	{"api/jobs", []string{"api", "app", "job", "user"}, "long work as package app does it, and the states it can be in"},
	{"api/legacy", []string{"api", "app", "oldcourse", "user"}, "what is known of old courses, as package app tells it; it opens no old store"},
	{"api/migrator", []string{"api", "app", "user"}, "what Open edX's clients ask for when something is brought into a library; the rules are the domain's"},
	{"api/...", []string{"app", "api/..."}, "HTTP is one more way to call the use cases"},
	{"app", []string{
		"migrator", "modulestore/...", "conversion", "learnerstate", "oldcourse", "course", "olx/...", "content/...", "authz/...", "flags", "schema/...", "job", "lease", "db", "catalog", "user", "signin/...", "courseware",
	}, "use cases span packages and open the transactions"},
	{"oldcourse", []string{"schema/inspect", "user", "db"}, "old courses as SQL tables know them; the old store itself is never opened here"},
	{"migrator", []string{"content/...", "olx", "olx/fields", "courseware", "schema/inspect", "db"},
		"course trees into libraries: of olx one block and the block types; the sources are read by others"},
	{"modulestore/bson", nil, "raw documents, whatever they are about"},
	{"modulestore/expected", []string{"courseware", "modulestore/...", "olx/fields", "olx/pyjson", "internal/golden"}, "what the real stores say, for the tests of the readers"},
	{"modulestore/convert", []string{"courseware", "keys", "olx", "olx/fields", "olx/pyjson", "olx/xmltree", "modulestore", "modulestore/links"},
		"old stores end here in the course tree: of olx only the codec of one block, not archives; no database"},
	{"modulestore/gridfs", []string{"courseware", "olx/pyjson", "modulestore/..."}, "as the next, and writes the entries of assets.json"},
	{"modulestore/...", []string{"courseware", "olx/fields", "modulestore/..."}, "old stores are sources: they end in the course tree and know no database of ours; of olx only block types as data"},
	{"learnerstate", []string{"olx/pyjson", "schema/inspect", "db"}, "reads the platform's rows of learners beside a map of keys; where that comes from is up to others"},
	{"conversion", []string{"content/publishing", "db"}, "which course was made of which old one: rows about what others have made"},
	{"course", []string{"content/...", "olx", "courseware", "catalog", "db"},
		"maps the tree to the store: of olx only the codec of one block, not archives; db for the transaction it is given and its lectern_* rows"},
	{"olx/xmltree", nil, "XML without knowledge of courses"},
	{"olx/archive", []string{"internal/zipdir"}, "archives without knowledge of courses"},
	{"olx/pyjson", nil, "JSON as Python writes it, without knowledge of courses"},
	{"olx/fields", []string{"olx/pyjson", "olx/xmltree", "courseware"}, "block types and values as data; no archives"},
	{"olx/validate", []string{"olx/...", "courseware"}, "judges what olx has read; no database"},
	{"olx", []string{"olx/xmltree", "olx/archive", "olx/pyjson", "olx/fields", "courseware"}, "archive and course tree; no database"},
	{"content/conformance", []string{"content/...", "db", "user", "internal/golden"}, "the tests of the store as a package, for any engine"},
	{"content", []string{"content/...", "db"}, "the versioned store over its applets"},
	// Applets stand in one order, and each may use those to its left: tables move between them without a migration.
	{"content/events", []string{"content/outbox", "content/publishing", "db"}, "tells others what happened: over the outbox and the logs"},
	{"content/outbox", []string{"db"}, "events in rows: below everything that has events"},
	{"content/trash", []string{"db"}, "takes rows out of tables and puts them back, whosever they are"},
	{"content/prune", applets(5), "thins out history through what the applets export"},
	{"content/publishing", applets(0), "first of the applets: entities, versions and pointers know nothing of what they carry"},
	{"content/media", applets(1), "second: bytes by digest"},
	{"content/media/s3", []string{"content/media"}, "files in an object store; rows are the applet's"},
	{"content/media/filetest", []string{"content/media"}, "the tests of a store of files as a package, for any store"},
	{"content/components", applets(2), "third: leaf entities and their media"},
	{"content/containers", applets(3), "fourth: entities with children"},
	{"content/collections", applets(4), "fifth: sets of entities"},
	{"content/backup", append(applets(5), "internal/zipdir"), "last: reads and writes all the others"},
	{"authz/roleshift", []string{"authz", "authz/legacy", "authz/scope", "flags", "lease", "user", "db"}, "moves roles between the flag's two sides"},
	{"authz/definitions", []string{"authz", "db"}, "what roles there are; applying them changes rows of authz"},
	{"authz/scope", nil, "keys of scopes; knows no database"},
	{"authz/things", []string{"authz/scope", "catalog", "content/publishing", "db"}, "the rows that scopes name: what is there, and what people call it"},
	{"authz/legacy", []string{"authz", "schema/inspect", "user", "db"}, "the platform's own role rows, read as if they were assignments"},
	{"authz", []string{"authz/scope", "catalog", "user", "db"}, "roles and assignments; of people and organizations only their names"},
	{"flags", []string{"schema/inspect", "db"}, "flags by key only; the platform's tables may be missing"},
	{"catalog", []string{"db"}, "owns the catalog and organizations tables"},
	{"signin/password", nil, "hashes of passwords; no database"},
	{"signin/keyring", nil, "keys in a file; no database"},
	{"signin/webtoken", []string{"signin/keyring", "user"}, "signed claims; no database"},
	{"signin/jwks", []string{"signin/webtoken"}, "another issuer's keys over the network"},
	{"signin/oidc", []string{"signin"}, "an identity provider over the network"},
	{"signin", []string{"signin/password", "signin/keyring", "signin/webtoken", "user", "db"}, "who somebody is: sessions, tokens, links and their rows"},
	{"user", []string{"schema/inspect", "db"}, "owns auth_user; tables beside it may be missing"},
	{"schema/gendocs", []string{"schema"}, "prints the page about the tables"},
	{"schema/inspect", []string{"db"}, "reads an engine's catalogue; knows no table by name"},
	{"schema/ddl", []string{"db"}, "sends schema statements without making others queue"},
	{"schema/takeover", []string{"schema/...", "lease", "db"}, "brings old tables to today's"},
	{"schema", []string{"schema/inspect", "db"}, "defines, makes and recognises tables; knows no rows' meaning"},
	{"courseware", nil, "the tree in the middle: everything meets in it, so it depends on keys alone"},
	{"job", []string{"lease", "db"}, "long work in rows; what a kind does is up to who offers it"},
	{"lease", []string{"db"}, "one table that every database can have, below all that work on tables"},
	{"db", nil, "bottom of the database side"},
	{"sample", nil, "files only: what reads them is up to others"},
	{"internal/zipdir", nil, "hostile zips, whatever they hold"},
	{"internal/dbtest", []string{"db"}, "databases for tests"},
	{"internal/cluster", nil, "tests of everything on several servers"},
	{"internal/golden", nil, "files for tests"},
	{"internal/goldendb", []string{"internal/golden", "db"}, "databases of every age for tests"},
	{"internal/layers", nil, "this"},
	{"internal/slug", nil, "codes from names"},
	{"internal/frugal", nil, "the collector's settings for a while"},
	{"keys", nil, "identifiers"},
	{"fault", nil, "kinds of failure"},
}

// leaves may be imported by every package but each other.
var leaves = []string{"keys", "fault", "internal/slug"}

// forTests may be imported by test files, and by packages of tests whose rule names them.
var forTests = []string{"internal/golden", "internal/goldendb", "internal/dbtest", "content/conformance", "content/media/filetest", "modulestore/expected"}

// bare packages may import nothing but the standard library: they go into other people's programs by themselves.
var bare = []string{"keys", "fault", "courseware"}

// outside says which packages may import a module (or part of the standard library) that belongs in one place.
var outside = []rule{
	{"modernc.org/...", []string{"db", "benchmarks/..."}, "driver; benchmarks compare with it"},
	{"github.com/go-sql-driver/mysql", []string{"db"}, "driver"},
	{"github.com/jackc/...", []string{"db"}, "driver"},
	{"net/http/...", []string{"content/events", "signin/jwks", "signin/oidc", "console/...", "api/...", "internal/cli/...", "cmd/...", "benchmarks/..."}, "domain packages know no HTTP"},
	{"github.com/golang-jwt/...", []string{"signin/webtoken"}, "tokens are made and checked in one place"},
	{"github.com/coreos/...", []string{"signin/oidc"}, "one way to an identity provider"},
	{"golang.org/x/oauth2/...", []string{"signin/oidc"}, "one way to an identity provider"},
	{"github.com/minio/...", []string{"content/media/s3"}, "one way to an object store"},
	{"github.com/johannesboyne/...", nil, "a pretended object store, for tests"},
	{"go.mongodb.org/...", []string{"modulestore/live", "modulestore/prune", "modulestore/expected", "benchmarks/..."}, "one way to a MongoDB server that only reads, one that prunes; dumps need no driver"},
	{"github.com/danielgtaylor/...", []string{"api/..."}, "typed operations over HTTP"},
	{"github.com/prometheus/...", []string{"api/...", "internal/cli/..."}, "domain packages count nothing; they say what they know"},
	{"github.com/spf13/...", []string{"internal/cli/...", "cmd/..."}, "domain packages know no flags"},
	{"golang.org/x/term", []string{"internal/cli/...", "cmd/..."}, "domain packages know no terminal"},
	{"archive/...", []string{"olx/archive", "content/backup", "modulestore/..."}, "hostile archives are handled in one place per format"},
	{"encoding/xml", []string{"olx/xmltree"}, "it loses bytes; xmltree keeps them"},
	{"testing/...", []string{"internal/golden", "internal/goldendb", "internal/dbtest", "content/conformance", "content/media/filetest", "modulestore/expected", "benchmarks/..."}, "not for the program"},
}

// order of the applets, left to right.
var order = []string{"content/publishing", "content/media", "content/components", "content/containers", "content/collections", "content/backup"}

// applets returns what the applet at place i may import.
func applets(i int) []string {
	return append([]string{"db", "content/outbox", "content/trash"}, order[:i]...)
}

func TestImports(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		for _, wrong := range check(f) {
			t.Error(wrong)
		}
	}
}

// check returns what is wrong with a file's imports.
func check(f source) (wrong []string) {
	r, ok := ruleOf(f.pkg)
	if !ok {
		return []string{fmt.Sprintf("%s: package %s has no rule: say in rules what it may import", f.path, f.pkg)}
	}
	for _, p := range f.imports() {
		if f.test() {
			continue // tests may stand on anything, they are nobody's dependency
		}
		own, internal := strings.CutPrefix(p, module+"/")
		switch {
		case internal && !allowed(f.pkg, r, own):
			wrong = append(wrong, fmt.Sprintf("%s imports %s: %s may not (%s)", f.path, own, f.pkg, r.reason))
		case !internal && slices.Contains(bare, f.pkg) && strings.Contains(strings.Split(p, "/")[0], "."):
			wrong = append(wrong, fmt.Sprintf("%s imports %s: %s has no dependencies", f.path, p, f.pkg))
		}
		for _, o := range outside {
			if !internal && match(o.pkg, p) && !slices.ContainsFunc(o.may, func(pattern string) bool { return match(pattern, f.pkg) }) {
				wrong = append(wrong, fmt.Sprintf("%s imports %s, which is for %s (%s)", f.path, p, strings.Join(o.may, ", "), o.reason))
			}
		}
	}
	return wrong
}

func ruleOf(pkg string) (rule, bool) {
	i := slices.IndexFunc(rules, func(r rule) bool { return match(r.pkg, pkg) })
	if i < 0 {
		return rule{}, false
	}
	return rules[i], true
}

// allowed says whether package pkg, under rule r, may import another package of this module.
func allowed(pkg string, r rule, other string) bool {
	if slices.Contains(forTests, other) {
		return slices.Contains(r.may, other) // "..." does not mean them
	}
	if slices.Contains(leaves, other) {
		return !slices.Contains(leaves, pkg)
	}
	return slices.ContainsFunc(r.may, func(pattern string) bool { return match(pattern, other) })
}

func match(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	return pkg == pattern
}

func TestCheckFindsWrongImports(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file, imports string
		want          []string
	}{
		{"content/media/a.go", module + "/content/publishing", nil},
		{"content/media/a.go", module + "/fault", nil},
		{"content/media/a.go", module + "/content/components",
			[]string{"content/media/a.go imports content/components: content/media may not (second: bytes by digest)"}},
		{"content/media/a_test.go", module + "/content/components", nil},
		{"content/publishing/a.go", module + "/content",
			[]string{"content/publishing/a.go imports content: content/publishing may not (first of the applets: entities, versions and pointers know nothing of what they carry)"}},
		{"keys/a.go", module + "/fault", []string{"keys/a.go imports fault: keys may not (identifiers)"}},
		{"keys/a.go", "github.com/google/uuid", []string{"keys/a.go imports github.com/google/uuid: keys has no dependencies"}},
		{"keys/a.go", "strings", nil},
		{"course/a.go", module + "/olx/archive", []string{
			"course/a.go imports olx/archive: course may not (maps the tree to the store: of olx only the codec of one block, not archives; db for the transaction it is given and its lectern_* rows)"}},
		{"schema/a.go", "modernc.org/sqlite", []string{"schema/a.go imports modernc.org/sqlite, which is for db, benchmarks/... (driver; benchmarks compare with it)"}},
		{"cmd/lectern/a.go", module + "/internal/dbtest",
			[]string{"cmd/lectern/a.go imports internal/dbtest: cmd/lectern may not (the programs wire everything together)"}},
		{"widgets/a.go", module + "/fault", []string{"widgets/a.go: package widgets has no rule: say in rules what it may import"}},
	} {
		f := parse(t, c.file, fmt.Sprintf("package p\n\nimport _ %q\n", c.imports))
		if diff := cmp.Diff(c.want, check(f)); diff != "" {
			t.Errorf("%s importing %s (-want +got):\n%s", c.file, c.imports, diff)
		}
	}
}

// TestOldStoresAreReadInOnePlace holds that what answers requests does not lead to the readers of the old stores, and that of
// the use cases only those of converting and pruning do: nothing reads an old store in passing (modulestore.md §6, DEP-38, DEP-52).
func TestOldStoresAreReadInOnePlace(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if f.test() || !match("api/...", f.pkg) && !match("console/...", f.pkg) && f.pkg != "app" && f.pkg != "oldcourse" && f.pkg != "course" {
			continue
		}
		for _, p := range f.imports() {
			own, _ := strings.CutPrefix(p, module+"/")
			if !match("modulestore/...", own) {
				continue
			}
			name := f.path[strings.LastIndexByte(f.path, '/')+1:]
			reads := slices.ContainsFunc([]string{"old", "convert", "split"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
			if f.pkg != "app" || !reads {
				t.Errorf("%s imports %s: of what answers requests only app/old*.go, app/convert*.go and app/split*.go may", f.path, own)
			}
		}
	}
}

// TestOnePlaceForSources holds that use cases read archives and folders of courses in one file, by the list of kinds in it: a new
// kind is a package and a line there (docs/architecture.md, "Adding a source").
func TestOnePlaceForSources(t *testing.T) {
	t.Parallel()
	readers := map[string][]string{ // what opens or reads, by package; export writes with the first
		module + "/olx/archive": {"Open"},
		module + "/olx":         {"Read"},
	}
	found := 0
	for _, f := range sources(t) {
		if f.test() || f.pkg != "app" {
			continue
		}
		for _, p := range f.imports() {
			name := p[strings.LastIndexByte(p, '/')+1:]
			ast.Inspect(f.syntax, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok || !slices.Contains(readers[p], sel.Sel.Name) {
					return true
				}
				if x, ok := sel.X.(*ast.Ident); !ok || x.Name != name {
					return true
				}
				found++
				if f.path != "app/source.go" {
					t.Errorf("%s calls %s.%s: read sources by readFrom", f.path, name, sel.Sel.Name)
				}
				return true
			})
		}
	}
	if found != 2 {
		t.Errorf("app/source.go reads archives at %d places, want 2: what this test looks for has another name now", found)
	}
}
