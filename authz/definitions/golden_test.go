package definitions_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/definitions"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/schema"
)

func tables(d *db.DB) error { return schema.Create(context.Background(), d) }

func shipped(t testing.TB) *definitions.Schema {
	t.Helper()
	files, err := definitions.Find(definitions.Shipped())
	if err != nil {
		t.Fatal(err)
	}
	s, err := definitions.Compile(files)
	if err != nil || len(s.Warnings) > 0 {
		t.Fatal(err, s.Warnings)
	}
	return s
}

func apply(d *db.DB, s *definitions.Schema, force bool) (a *definitions.Applied, err error) {
	ctx := context.Background()
	err = d.Update(ctx, func(tx *db.Tx) (err error) {
		a, err = definitions.Apply(ctx, tx, s, force, authz.Options{})
		return err
	})
	return a, err
}

func rows(t testing.TB, d *db.DB, sql string) [][]any {
	t.Helper()
	all, err := db.All(context.Background(), d, sql, nil, func(r *db.Row) ([]any, error) {
		v := make([]any, len(r.Columns()))
		dest := make([]any, len(v))
		for i := range v {
			dest[i] = &v[i]
		}
		return v, r.Scan(dest...)
	})
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	for _, r := range all {
		for i, v := range r {
			if b, ok := v.([]byte); ok {
				r[i] = string(b)
			}
		}
	}
	return all
}

// jsonOf compares what a golden file says with what was read, both as JSON.
func jsonOf(t testing.TB, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// list parses the JSON list of a cell.
func list(t testing.TB, v any) (l []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(v.(string)), &l); err != nil {
		t.Fatal(v, err)
	}
	return l
}

func truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	}
	return false
}

// TestGoldenSchema loads the shipped definitions into an empty store (golden/authz/README.md, schema.json).
func TestGoldenSchema(t *testing.T) {
	t.Parallel()
	var want map[string]any
	if err := json.Unmarshal(golden.Read(t, "authz/schema.json"), &want); err != nil {
		t.Fatal(err)
	}
	dbtest.EachReady(t, tables, func(t *testing.T, d *db.DB) {
		if _, err := apply(d, shipped(t), false); err != nil {
			t.Fatal(err)
		}
		got := map[string]any{
			"rows_in_id_order": rows(t, d, "SELECT ptype, v0, v1, v2, v3 FROM casbin_rule WHERE ptype = 'p' ORDER BY id"),
			"categories":       rows(t, d, "SELECT category_id, display_name, icon FROM openedx_authz_authzpermissioncategory ORDER BY id"),
		}
		var sources [][]any
		for _, r := range rows(t, d, "SELECT distribution, module, resource_path, schema_version, content_digest FROM openedx_authz_authzschemasource ORDER BY id") {
			sources = append(sources, append(r[:4], len(r[4].(string))))
		}
		got["sources"] = sources
		permissions := rows(t, d, `SELECT p.namespace, p.name, p.display_name, c.category_id, p.scopes, p.icon FROM openedx_authz_authzpermissiondefinition p
			LEFT JOIN openedx_authz_authzpermissioncategory c ON c.id = p.category_id ORDER BY p.id`)
		for i, r := range permissions {
			permissions[i] = []any{r[0].(string) + "." + r[1].(string), r[2], r[3], list(t, r[4]), r[5]}
		}
		got["permissions"] = permissions
		roles := rows(t, d, `SELECT r.role_id, r.display_name, r.scopes, r.icon, r.hidden, (SELECT count(*) FROM openedx_authz_authzrolepermission g WHERE g.role_id = r.id)
			FROM openedx_authz_authzroledefinition r ORDER BY r.id`)
		for _, r := range roles {
			r[2], r[4] = list(t, r[2]), truth(r[4])
		}
		got["roles"] = roles
		got["grants"] = rows(t, d, "SELECT count(*) FROM openedx_authz_authzrolepermission")[0][0]
		links := map[string]any{}
		for kind, table := range map[string]string{"category": "authzcategorysource", "permission": "authzpermissionsource", "role": "authzrolesource", "grant": "authzrolepermissionsource"} {
			n := rows(t, d, "SELECT count(*) FROM openedx_authz_"+table)[0][0]
			distinct := rows(t, d, "SELECT DISTINCT s.distribution, s.module, l.origin_kind, l.priority FROM openedx_authz_"+table+" l JOIN openedx_authz_authzschemasource s ON s.id = l.source_id")
			for i, r := range distinct { // the golden file writes a source as its folder
				distinct[i] = []any{r[0].(string) + ":" + strings.ReplaceAll(r[1].(string), ".", "/"), r[2], r[3]}
			}
			links[kind] = []any{n, distinct}
		}
		got["links"] = links
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if diff := cmp.Diff(want[key], jsonOf(t, got[key])); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
		}
		if n := rows(t, d, "SELECT count(*) FROM casbin_rule WHERE ptype = 'g2'")[0][0]; jsonOf(t, n) != 10.0 {
			t.Errorf("%v implications, want 10", n)
		}
		again, err := apply(d, shipped(t), false)
		if err != nil || !again.Empty() || len(again.Changes) != 0 {
			t.Errorf("applying again: %v, %v", again.Lines(), err)
		}
	})
}

// TestShippedAgree compares the shipped definitions with the shipped rows.
func TestShippedAgree(t *testing.T) {
	t.Parallel()
	var want [][]string
	for _, r := range authz.Shipped() {
		if r[0] == "p" {
			want = append(want, r)
		}
	}
	slices.SortFunc(want, slices.Compare)
	got := shipped(t).Rows()
	slices.SortFunc(got, slices.Compare)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-rows +definitions:\n%s", diff)
	}
}
