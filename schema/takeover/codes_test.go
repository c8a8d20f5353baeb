package takeover

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
)

// TestCodesFile writes codes and reads them again, whatever is in the keys.
func TestCodesFile(t *testing.T) {
	t.Parallel()
	want := []Code{
		{"collection", "lib:A", "a key, \"quoted\"", "a key, \"quoted\"", "a-key", 2},
		{"component", "lib:A", "xblock.v1:html:two\nlines", "two\nlines", "two-lines", 3},
		{"container", "lib:Ä", "unit:1 ", "unit:1 ", "единица", 6},
	}
	if diff := cmp.Diff(want, written(t, want)); diff != "" {
		t.Errorf("read (-written +read):\n%s", diff)
	}
	if diff := cmp.Diff([]Code(nil), written(t, nil)); diff != "" {
		t.Errorf("a file without codes (-written +read):\n%s", diff)
	}
}

// TestCodesFileWrong reads files that are none.
func TestCodesFileWrong(t *testing.T) {
	t.Parallel()
	const head = "kind,package,entity,old,new\n"
	for _, c := range []struct{ name, text, where string }{
		{"empty", "", "codes.csv:1"},
		{"no header", "container,lib:A,unit:1,unit:1,unit-1\n", "codes.csv:1"},
		{"another header", "kind,package,entity,new,old\n", "codes.csv:1"},
		{"short header", "kind,package,entity,old\n", "codes.csv:1"},
		{"a field too few", head + "container,lib:A,u:1,u:1,u-1\ncontainer,lib:A,u:2,u:2\n", "codes.csv:3"},
		{"a field too many", head + "container,lib:A,u:1,u:1,u-1,x\n", "codes.csv:2"},
		{"a quote too many", head + "container,lib:A,\"u\"x,u:1,u-1\n", "codes.csv:2"},
		{"after two lines of one", head + "container,lib:A,\"u\n1\",u:1,u-1\ncontainer\n", "codes.csv:4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			list, err := ReadCodes(strings.NewReader(c.text), "codes.csv")
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.where+":") {
				t.Errorf("ReadCodes(%q) = %v, %v; want an error that names %s", c.text, list, err, c.where)
			}
		})
	}
}

// TestGoldenCodes chooses codes that cannot be taken: each is refused by its line, and nothing is changed.
func TestGoldenCodes(t *testing.T) {
	t.Parallel()
	for _, e := range loaded(t) {
		for _, start := range []string{"B-colon", "B-collkey", "B-space"} {
			if !slices.Contains(goldendb.Starts(t, e, "B-*"), start) {
				continue
			}
			t.Run(string(e)+"/"+start, func(t *testing.T) {
				t.Parallel()
				ctx := context.Background()
				d := dbtest.Open(t, e)
				goldendb.Load(t, d, start)
				before := snapshot(t, d)
				p, err := NewPlan(ctx, d, Options{})
				if err != nil || len(p.Codes) == 0 {
					t.Fatalf("%v; %+v", err, p)
				}
				other := inOtherUse(t, d, p.Codes[0])
				spare := p.Codes[0]
				spare.Entity, spare.Old = other, other
				for _, c := range []struct {
					name, text string
					change     func(*Code)
				}{
					{"illegal", "cannot be a code", func(x *Code) { x.New = "two words" }},
					{"empty", "cannot be a code", func(x *Code) { x.New = "" }},
					{"long", "cannot be a code", func(x *Code) { x.New = strings.Repeat("x", 256) }},
					{"in use", "in use", func(x *Code) { x.New = other }},
					{"in use by case", "case or accents", func(x *Code) { x.New = strings.ToUpper(other) }},
					{"row that needs none", "needs a code", func(x *Code) { *x = spare }},
					{"row that is not there", "needs a code", func(x *Code) { x.Entity, x.Old = "none", "none" }},
					{"kind that is not there", "needs a code", func(x *Code) { x.Kind = "course" }},
				} {
					list := append([]Code{}, p.Codes...)
					c.change(&list[0])
					_, err := Migrate(ctx, d, Options{Codes: written(t, list), CodesFile: "codes.csv"}, Run{})
					if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "codes.csv:2:") || !strings.Contains(err.Error(), c.text) {
						t.Errorf("%s: %v, want an error of codes.csv:2 with %q", c.name, err, c.text)
					}
				}
				twice := append(slices.Clone(p.Codes), p.Codes[0])
				if _, err := Migrate(ctx, d, Options{Codes: written(t, twice), CodesFile: "codes.csv"}, Run{}); !fault.Is(err, fault.Invalid) {
					t.Errorf("a row twice: %v", err)
				}
				unchanged(t, d, before)
			})
		}
	}
}

// inOtherUse returns the code of another row of the kind and package, with which a code would collide.
func inOtherUse(t *testing.T, d *db.DB, c Code) string {
	t.Helper()
	sql := `SELECT e._key FROM oel_publishing_container x JOIN oel_publishing_publishableentity e ON e.id = x.publishable_entity_id
JOIN oel_publishing_learningpackage p ON p.id = e.learning_package_id WHERE p._key = ? AND e._key <> ? ORDER BY e._key LIMIT 1`
	switch c.Kind {
	case "component":
		sql = `SELECT x.local_key FROM oel_components_component x JOIN oel_components_component o ON o.component_type_id = x.component_type_id
AND o.learning_package_id = x.learning_package_id JOIN oel_publishing_learningpackage p ON p.id = x.learning_package_id
WHERE p._key = ? AND o.local_key = ? AND x.local_key <> o.local_key ORDER BY x.local_key LIMIT 1`
	case "collection":
		sql = `SELECT x._key FROM oel_collections_collection x JOIN oel_publishing_learningpackage p ON p.id = x.learning_package_id
WHERE p._key = ? AND x._key <> ? ORDER BY x._key LIMIT 1`
	}
	other, found, err := db.One(context.Background(), d, sql, []any{c.Package, c.Old}, db.Value[string])
	if err != nil || !found {
		t.Fatalf("no other %s in %s: %v", c.Kind, c.Package, err)
	}
	return other
}

// TestGoldenCodesCrash kills a take-over with a file of codes before and after every statement; the same command goes on.
func TestGoldenCodesCrash(t *testing.T) {
	t.Parallel()
	ways := map[string]bool{"B-colon": true, "B-collkey": false, "B-space": false}
	for _, e := range loaded(t) {
		for _, start := range sortedKeys(ways) {
			if !slices.Contains(goldendb.Starts(t, e, "B-*"), start) || e != db.SQLite && (e != db.MariaDB || start != "B-collkey") && !thorough() {
				continue
			}
			t.Run(string(e)+"/"+start, func(t *testing.T) {
				t.Parallel()
				url := dbtest.URL(t, e)
				load(t, url, start)
				d := open(t, url, db.Options{})
				before := contents(t, d)
				p, err := NewPlan(context.Background(), d, Options{})
				if err != nil {
					t.Fatal(err)
				}
				o := Options{DeriveCodes: ways[start]}
				if !o.DeriveCodes {
					o.Codes, o.CodesFile = written(t, p.Codes), "codes.csv"
				}
				c := crash{engine: e, url: url, migrate: migrating(o), sane: underWay}
				if !e.MySQLFamily() {
					c.stride = 9 // TestGoldenCrash is thorough
				}
				c.run(t)
				if diff := cmp.Diff(migrated(before, p.Codes), contents(t, d)); diff != "" {
					t.Errorf("rows (-expected +ours):\n%s", diff)
				}
				finished(t, d)
			})
		}
	}
}
