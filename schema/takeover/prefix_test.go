package takeover

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// parents are the rows of other apps that a row of before the merge needs (content-migrations.md §1.2), by the beginnings of
// their names.
var parents = map[string][]string{
	"oel_contents.0001": {"oel_publishing.0001"}, "oel_components.0001": {"oel_publishing.0001", "oel_contents.0001"},
	"oel_collections.0001": {"oel_publishing.0002"}, "oel_units.0001": {"oel_publishing.0003"},
	"oel_sections.0001": {"oel_publishing.0005"}, "oel_subsections.0001": {"oel_publishing.0005"},
}

func short(s step) string { return s.app + "." + s.name[:4] }

// someSteps returns steps of before the merge that a site may have done: the first of each app, with what they need.
func someSteps(r *rand.Rand) []step {
	left := map[string]int{}
	for _, s := range beforeMerge() {
		if _, known := left[s.app]; !known {
			left[s.app] = r.IntN(12)
		}
	}
	left["oel_publishing"] = max(1, left["oel_publishing"])
	done := map[string]bool{}
	var list []step
	for _, s := range beforeMerge() {
		if left[s.app]--; left[s.app] < 0 {
			continue
		}
		if slices.ContainsFunc(parents[short(s)], func(p string) bool { return !done[p] }) {
			left[s.app] = 0
			continue
		}
		done[short(s)] = true
		list = append(list, s)
	}
	return list
}

// siteAfter makes a database on which steps were done, with a few rows in each table.
func siteAfter(t *testing.T, d *db.DB, list []step) {
	t.Helper()
	ctx := context.Background()
	for _, name := range []string{"django_migrations", "auth_user"} {
		for _, sql := range schema.DialectOf(d).Statements(schema.Lookup(name)) {
			if _, err := d.Exec(ctx, strings.TrimSuffix(sql, ";")); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := runner{d: d, dialect: schema.DialectOf(d)}
	if err := r.run(ctx, list); err != nil {
		t.Fatal(err)
	}
	live, err := inspect.Read(ctx, d, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	err = d.Update(ctx, func(tx *db.Tx) error {
		for _, s := range samples(live["oel_units_unit"] != nil, slices.ContainsFunc(list, func(s step) bool { return short(s) == "oel_publishing.0010" })) {
			table := live[s.table]
			if table == nil {
				continue
			}
			var cols []string
			var vals []any
			for _, name := range sortedKeys(s.row) {
				v := s.row[name]
				if name == "_key" && table.Column(name) == nil {
					name = "key"
				}
				if table.Column(name) != nil {
					cols, vals = append(cols, name), append(vals, v)
				}
			}
			if err := tx.Insert(ctx, s.table, cols, 1, func(_ int, v []any) { copy(v, vals) }); err != nil {
				return fmt.Errorf("%s: %w", s.table, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type sample struct {
	table string
	row   row
}

// samples are rows of every age: of a column that a table does not have nothing is written. There are containers where there
// are units, and what they depend on is known where it was filled in.
func samples(units, known bool) []sample {
	digest := ""
	if units && known {
		g := graph{now: map[int64]state{1: {1, 1}}, needs: map[int64][]int64{2: {1}}, memo: map[int64]string{}}
		digest = g.digest(2)
	}
	at := time.Date(2025, 3, 4, 5, 6, 7, 120003000, time.UTC)
	list := []sample{
		{"oel_publishing_learningpackage", row{"id": 1, "uuid": uuid.New(), "_key": "lib:a", "title": "A", "description": "", "created": at, "updated": at}},
		{"oel_publishing_publishlog", row{"id": 1, "uuid": uuid.New(), "message": "", "published_at": at, "learning_package_id": 1}},
		{"oel_publishing_draftchangelog", row{"id": 1, "uuid": uuid.New(), "changed_at": at, "learning_package_id": 1}},
		{"oel_publishing_entitylist", row{"id": 1}},
	}
	entities, digests := []string{"xblock.v1:html:a", "unit-1"}, []string{"", digest}
	for i, key := range entities {
		n := i + 1
		list = append(list,
			sample{"oel_publishing_publishableentity", row{"id": n, "uuid": uuid.New(), "_key": key, "created": at, "learning_package_id": 1, "can_stand_alone": true}},
			sample{"oel_publishing_publishableentityversion", row{"id": n, "uuid": uuid.New(), "title": key, "version_num": 1, "created": at, "entity_id": n}},
			sample{"oel_publishing_draftchangelogrecord", row{"id": n, "draft_change_log_id": 1, "entity_id": n, "new_version_id": n, "dependencies_hash_digest": digests[i]}},
			sample{"oel_publishing_draft", row{"entity_id": n, "version_id": n, "draft_log_record_id": n}},
			sample{"oel_publishing_publishlogrecord", row{"id": n, "entity_id": n, "new_version_id": n, "publish_log_id": 1, "dependencies_hash_digest": digests[i]}},
			sample{"oel_publishing_published", row{"entity_id": n, "version_id": n, "publish_log_record_id": n}},
		)
	}
	list = append(list, []sample{
		{"oel_contents_mediatype", row{"id": 1, "type": "text", "sub_type": "plain", "suffix": ""}},
		{"oel_contents_content", row{"id": 1, "size": 1, "hash_digest": strings.Repeat("a", 40), "has_file": false, "text": "x", "created": at, "learning_package_id": 1, "media_type_id": 1}},
		{"oel_components_componenttype", row{"id": 1, "namespace": "xblock.v1", "name": "html"}},
		{"oel_components_componenttype", row{"id": 2, "namespace": "xblock.v1", "name": "html"}},
		{"oel_components_component", row{"publishable_entity_id": 1, "local_key": "a", "component_type_id": 2, "learning_package_id": 1}},
		{"oel_components_componentversion", row{"publishable_entity_version_id": 1, "component_id": 1}},
		{"oel_components_componentversioncontent", row{"id": 7, "uuid": uuid.New(), "_key": "static/f.txt", "learner_downloadable": true, "component_version_id": 1, "content_id": 1}},
		{oldCollect, row{"id": 3, "name": "C", "title": "C", "_key": "c", "description": "d", "enabled": true, "created": at, "modified": at, "learning_package_id": 1}},
		{"oel_collections_collectionpublishableentity", row{"id": 1, "created": at, "collection_id": 3, "entity_id": 1}},
	}...)
	if units {
		list = append(list, []sample{
			{"oel_publishing_container", row{"publishable_entity_id": 2}},
			{"oel_publishing_containerversion", row{"publishable_entity_version_id": 2, "container_id": 2, "entity_list_id": 1}},
			{"oel_publishing_entitylistrow", row{"id": 1, "order_num": 0, "entity_id": 1, "entity_list_id": 1}},
			{"oel_units_unit", row{"container_id": 2}},
			{"oel_units_unitversion", row{"container_version_id": 2}},
		}...)
	}
	if units && known {
		list = append(list, sample{"oel_publishing_publishableentityversiondependency", row{"id": 1, "referring_version_id": 2, "referenced_entity_id": 1}})
	}
	return list
}

// TestPrefixes takes over databases of ages between the releases: any first steps of each app.
func TestPrefixes(t *testing.T) {
	t.Parallel()
	n := uint64(16)
	if thorough() {
		n = 300
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, db.SQLite)
			list := someSteps(rand.New(rand.NewPCG(seed, 0)))
			siteAfter(t, d, list)
			takenOver(t, d, list)
		})
	}
}

// TestPrefixCrash is the same from the first release on, killed before and after every statement.
func TestPrefixCrash(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if !e.MySQLFamily() && !thorough() {
			continue // they change all or nothing
		}
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t, e)
			d, err := db.Open(context.Background(), url, db.Options{Create: true})
			if err != nil {
				t.Fatal(err)
			}
			list := slices.DeleteFunc(beforeMerge(), func(s step) bool {
				return s.name != "0001_initial" || !slices.Contains([]string{"oel_publishing", "oel_contents", "oel_components"}, s.app)
			})
			siteAfter(t, d, list)
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			upTo := slices.IndexFunc(contentSteps(), func(s step) bool { return s.app == "oel_collections" && strings.HasPrefix(s.name, "0005") }) + 1
			c := crash{engine: e, url: url, sane: underWay, migrate: func(d *db.DB) (bool, error) {
				r := runner{d: d, dialect: schema.DialectOf(d)}
				return false, r.run(context.Background(), contentSteps()[:upTo])
			}}
			c.run(t)
			takenOver(t, open(t, url, db.Options{}), list)
		})
	}
}

// takenOver takes a database over and looks for its rows.
func takenOver(t *testing.T, d *db.DB, done []step) {
	t.Helper()
	ctx := context.Background()
	var names []string
	for _, s := range done {
		names = append(names, short(s))
	}
	if _, err := Migrate(ctx, d, Options{}, Run{}); err != nil {
		t.Fatalf("after %s: %v", names, err)
	}
	finished(t, d)
	want := map[string]string{"SELECT package_ref FROM " + learningPackage: "lib:a", "SELECT entity_ref FROM " + entity + " WHERE id = 2": "unit-1"}
	has := func(s string) bool { return slices.Contains(names, s) }
	if has("oel_components.0001") {
		want["SELECT component_code FROM "+component+" WHERE component_type_id = 1"] = "a"
		want["SELECT path FROM "+link+" WHERE id = 7"] = "static/f.txt"
	}
	if has("oel_collections.0002") {
		want["SELECT title FROM "+collection+" WHERE id = 3"] = "C"
	} else if has("oel_collections.0001") {
		want["SELECT title FROM "+collection+" WHERE id = 3"] = "Collection"
	}
	if has("oel_collections.0004") {
		want["SELECT collection_code FROM "+collection] = "c"
	}
	if has("oel_units.0001") {
		want["SELECT container_code FROM "+container] = "unit-1"
	}
	for _, sql := range sortedKeys(want) {
		if got, _, err := db.One(ctx, d, sql, nil, db.Value[string]); err != nil || got != want[sql] {
			t.Errorf("after %s: %s gives %q, %v; want %q", names, sql, got, err, want[sql])
		}
	}
	if p, err := NewPlan(ctx, d, Options{}); err != nil || len(p.Steps) > 0 {
		t.Errorf("after %s: %d steps are left, %v", names, len(p.Steps), err)
	}
}
