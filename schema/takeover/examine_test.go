package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
)

func examine(t *testing.T, d *db.DB, all bool) *Examination {
	t.Helper()
	x, err := Examine(context.Background(), d, all)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// found lists findings by code, table and key.
func found(list []schema.Finding) []string {
	out := []string{}
	for _, f := range list {
		if f.Severity != schema.Info {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", f.Code, f.Table, f.Key)))
		}
	}
	return out
}

// TestGoldenExamine looks at databases as the reference left them: every reference is declared and holds.
func TestGoldenExamine(t *testing.T) {
	t.Parallel()
	dbtest.OnEngines(t, func(t *testing.T, e db.Engine) {
		for _, name := range goldendb.Starts(t, e, "[UOTCS]*") {
			if strings.Contains(name, "at-1.15") {
				continue // current
			}
			if !picked(e, name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.Open(t, e)
				goldendb.Load(t, d, name)
				x := examine(t, d, false)
				for _, f := range x.Findings {
					if f.Severity == schema.Error || f.Code == "foreign_missing" || f.Code == "orphan" {
						t.Errorf("finding: %+v", f)
					}
				}
				for _, k := range x.Foreign {
					if !k.Declared || k.Orphans != 0 {
						t.Errorf("reference: %+v", k)
					}
				}
				if want := 50; len(x.Foreign) < want && !strings.HasPrefix(name, "O18") {
					t.Errorf("%d references, want more than %d", len(x.Foreign), want)
				}
			})
		}
	})
}

// TestExamine spoils a database in the ways that Examine names.
func TestExamine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		sql  []string
		want []string // findings more than without
		keys []ForeignKey
	}{
		{"a row of content without its entity", []string{"INSERT INTO oel_publishing_draft (entity_id) VALUES (990001)"},
			[]string{"orphan oel_publishing_draft entity_id 990001"},
			[]ForeignKey{{"oel_publishing_draft", "entity_id", "oel_publishing_publishableentity", true, 1}}},
		{"a platform's row without its package", []string{"UPDATE content_libraries_contentlibrary SET learning_package_id = 990001 WHERE id = 1"},
			[]string{"orphan content_libraries_contentlibrary id 1"},
			[]ForeignKey{{"content_libraries_contentlibrary", "learning_package_id", "oel_publishing_learningpackage", true, 1}}},
		{"many rows", []string{
			"INSERT INTO oel_publishing_entitylistrow (id, order_num, entity_id, entity_list_id) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) SELECT 990000 + i, 1, 1, 990000 + i FROM n"},
			append(rowsFrom(990001, 20, "orphan oel_publishing_entitylistrow id"), "orphan oel_publishing_entitylistrow"),
			[]ForeignKey{{"oel_publishing_entitylistrow", "entity_list_id", "oel_publishing_entitylist", true, 30}}},
		{"a key that is no code", []string{"UPDATE oel_components_component SET local_key = 'a b' WHERE publishable_entity_id = (SELECT MIN(publishable_entity_id) FROM oel_components_component)"},
			[]string{"D4 oel_components_component"}, nil},
		{"a dropped foreign key", []string{"ALTER TABLE oel_units_unitversion RENAME TO old", "CREATE TABLE oel_units_unitversion (container_version_id bigint NOT NULL PRIMARY KEY)",
			"INSERT INTO oel_units_unitversion SELECT container_version_id FROM old", "DROP TABLE old"},
			[]string{"foreign_missing oel_units_unitversion container_version_id"},
			[]ForeignKey{{"oel_units_unitversion", "container_version_id", "oel_publishing_containerversion", false, 0}}},
		{"a dropped foreign key of the platform", []string{"DROP TABLE contentstore_componentlink", "CREATE TABLE contentstore_componentlink (id integer PRIMARY KEY, upstream_block_id bigint)",
			"INSERT INTO contentstore_componentlink VALUES (1, NULL), (2, 990001)"},
			[]string{"foreign_missing contentstore_componentlink upstream_block_id", "orphan contentstore_componentlink id 2"},
			[]ForeignKey{{"contentstore_componentlink", "upstream_block_id", "oel_components_component", false, 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t, db.SQLite)
			goldendb.Load(t, d, "U")
			before := found(examine(t, d, false).Findings)
			err := d.Session(context.Background(), func(s *db.Session) error {
				for _, sql := range append([]string{"PRAGMA foreign_keys = OFF", "PRAGMA legacy_alter_table = ON"}, c.sql...) {
					if _, err := s.Exec(context.Background(), sql); err != nil {
						return fmt.Errorf("%s: %w", sql, err)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			x := examine(t, d, false)
			var got []string
			for _, f := range found(x.Findings) {
				if strings.HasPrefix(f, "D4") {
					f = strings.Join(strings.Fields(f)[:2], " ")
				}
				if !slices.Contains(before, f) {
					got = append(got, f)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			var keys []ForeignKey
			for _, k := range x.Foreign {
				if !k.Declared || k.Orphans > 0 {
					keys = append(keys, k)
				}
			}
			if diff := cmp.Diff(c.keys, keys); diff != "" {
				t.Errorf("references (-want +got):\n%s", diff)
			}
			if all := examine(t, d, true); len(c.keys) > 0 && c.keys[0].Orphans > mostDangling && len(all.Findings) != len(x.Findings)+9 {
				t.Errorf("%d findings of all, %d of the first", len(all.Findings), len(x.Findings))
			}
		})
	}
}

func rowsFrom(first, n int, prefix string) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("%s %d", prefix, first+i))
	}
	return out
}

// TestSevered tells of foreign keys that went, and not of those whose tables were renamed.
func TestSevered(t *testing.T) {
	t.Parallel()
	before := []ForeignKey{{Table: oldLink, Column: "content_id", To: "oel_contents_content", Declared: true},
		{Table: "plugin", Column: "entity_id", To: oldP + "publishableentity", Declared: true},
		{Table: "plugin", Column: "other_id", To: oldP + "publishableentity"}}
	after := []ForeignKey{{Table: link, Column: "media_id", To: nowMedia, Declared: true}, {Table: "plugin", Column: "entity_id", To: entity}}
	if diff := cmp.Diff([]string{"foreign_gone plugin entity_id"}, found(Severed(before, after))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
