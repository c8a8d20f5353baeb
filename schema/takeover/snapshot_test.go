package takeover

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// snapshot returns all that a database holds: what the catalogue says of each table and every row, as text.
func snapshot(t *testing.T, d *db.DB) []string {
	t.Helper()
	ctx := context.Background()
	live, err := inspect.Read(ctx, d, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range sortedKeys(live) {
		all = append(all, fmt.Sprintf("%+v", *live[name]))
		all = append(all, linesOf(t, d, name)...)
	}
	return all
}

// linesOf returns the rows of a table as text, sorted.
func linesOf(t *testing.T, d *db.DB, name string) (lines []string) {
	t.Helper()
	err := d.Query(context.Background(), "SELECT * FROM "+d.Engine().Quote(name), nil, func(r *db.Row) error {
		vals, dest := make([]any, len(r.Columns())), make([]any, len(r.Columns()))
		for i := range vals {
			dest[i] = &vals[i]
		}
		err := r.Scan(dest...)
		lines = append(lines, fmt.Sprintf("%s %q", name, vals))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// describe returns a catalogue as text.
func describe(live inspect.Tables) string {
	var b strings.Builder
	for _, name := range sortedKeys(live) {
		fmt.Fprintf(&b, "%+v\n", *live[name])
	}
	return b.String()
}

// digest returns a number for all rows of some tables.
func digest(t *testing.T, d *db.DB, live inspect.Tables) string {
	t.Helper()
	h := sha256.New()
	for _, name := range sortedKeys(live) {
		for _, line := range linesOf(t, d, name) {
			fmt.Fprintln(h, line)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// unchanged compares a database with what it was.
func unchanged(t *testing.T, d *db.DB, before []string) {
	t.Helper()
	if diff := cmp.Diff(before, snapshot(t, d)); diff != "" {
		t.Errorf("the database has changed (-before +after):\n%s", diff)
	}
}

type row = map[string]any

// contents returns the rows of every table but the ledger, the lease and SQLite's counters.
func contents(t *testing.T, d *db.DB) map[string][]row {
	t.Helper()
	live, err := inspect.Read(context.Background(), d, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]row{}
	for name := range live {
		if name != "django_migrations" && name != "lectern_lock" && name != "sqlite_sequence" {
			all[name] = rowsIn(t, d, live[name])
		}
	}
	return all
}

// newColumns are today's names of columns, by today's table and the name of before the merge (content-migrations.md §2.2).
var newColumns = map[string]map[string]string{
	"learningpackage": {"_key": "package_ref"}, "publishableentity": {"_key": "entity_ref"},
	"componentversionmedia": {"_key": "path", "content_id": "media_id"}, "collection": {"_key": "collection_code"},
	"component": {"local_key": "component_code"},
}

// migrated returns what the rows of an Ulmo database must become: renamed, with types merged, and with codes and types for
// containers. codes are those that were chosen.
func migrated(before map[string][]row, codes []Code) map[string][]row {
	names := map[string]string{}
	for _, t := range schema.Tables() {
		if t.Was != "" {
			names[t.Was] = strings.TrimPrefix(t.Name, "openedx_content_")
		}
	}
	after := map[string][]row{}
	for name, rows := range before {
		now, content := names[name]
		if !content {
			after[name] = rows
			continue
		}
		for _, r := range rows {
			n := maps.Clone(r)
			for was, is := range newColumns[now] {
				n[is] = n[was]
				delete(n, was)
			}
			after["openedx_content_"+now] = append(after["openedx_content_"+now], n)
		}
		if rows == nil {
			after["openedx_content_"+now] = []row{}
		}
	}
	mergeRows(after)
	packages, entities := byID(after[learningPackage]), byID(after[entity])
	chosen := map[string]string{}
	for _, c := range codes {
		chosen[c.Kind+"\n"+c.Package+"\n"+c.Entity] = c.New
	}
	choose := func(kind string, pkg any, key, otherwise string) string {
		if c := chosen[kind+"\n"+packages[pkg]["package_ref"].(string)+"\n"+key]; c != "" {
			return c
		}
		return otherwise
	}
	for _, r := range after[collection] {
		key := r["collection_code"].(string)
		r["collection_code"] = choose("collection", r["learning_package_id"], key, key)
	}
	for _, r := range after[component] {
		e := entities[r["publishable_entity_id"]]
		r["component_code"] = choose("component", e["learning_package_id"], e["entity_ref"].(string), r["component_code"].(string))
	}
	after[containerType] = []row{}
	types := map[any]float64{}
	for i, kind := range []string{"section", "subsection", "unit"} {
		after[containerType] = append(after[containerType], row{"id": float64(i + 1), "type_code": kind})
		for _, r := range after["openedx_content_"+kind] {
			types[r["container_id"]] = float64(i + 1)
		}
	}
	for _, r := range after[container] {
		e := entities[r["publishable_entity_id"]]
		r["container_type_id"], r["learning_package_id"] = types[r["publishable_entity_id"]], e["learning_package_id"]
		r["container_code"] = choose("container", e["learning_package_id"], e["entity_ref"].(string), e["entity_ref"].(string))
	}
	for _, r := range after[publishRecord] {
		r["direct"] = nil
	}
	return after
}

func byID(rows []row) map[any]row {
	m := map[any]row{}
	for _, r := range rows {
		m[r["id"]] = r
	}
	return m
}

// mergeRows makes one of component types that are there twice.
func mergeRows(after map[string][]row) {
	first, same := map[string]any{}, map[any]any{}
	var kept []row
	for _, r := range after[componentType] { // by id
		key := fmt.Sprint(r["namespace"], "\n", r["name"])
		if first[key] == nil {
			first[key] = r["id"]
			kept = append(kept, r)
		}
		same[r["id"]] = first[key]
	}
	after[componentType] = kept
	for _, r := range after[component] {
		r["component_type_id"] = same[r["component_type_id"]]
	}
}
