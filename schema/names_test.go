package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/openlectern/lectern/db"
)

// TestGeneratedNames computes names that content-schema.md §4 and content-migrations.md §2.3 give.
func TestGeneratedNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		engine        db.Engine
		suffix, table string
		columns       []string
		want          string
	}{
		{db.PostgreSQL, "", "oel_publishing_draftchangelogrecord", []string{"draft_change_log_id"},
			"oel_publishing_draftchange_draft_change_log_id_32b00937"},
		{db.SQLite, "", "oel_publishing_draftchangelogrecord", []string{"draft_change_log_id"},
			"oel_publishing_draftchangelogrecord_draft_change_log_id_32b00937"},
		{db.MySQL, "_fk_oel_publishing_publishlogrecord_id", "oel_publishing_published", []string{"publish_log_record_id"},
			"oel_publishing_publi_publish_log_record_i_711e1ba5_fk_oel_publi"},
		{db.PostgreSQL, "_fk_oel_publishing_publishlogrecord_id", "oel_publishing_published", []string{"publish_log_record_id"},
			"oel_publishing_publi_publish_log_record_i_711e1ba5_fk_oel_publi"},
		{db.MariaDB, "_fk_oel_publishing_learningpackage_id", "content_libraries_contentlibrary", []string{"learning_package_id"},
			"content_libraries_co_learning_package_id_fa203851_fk_oel_publi"},
		{db.MySQL, "_fk_auth_group_id", "auth_user_groups", []string{"group_id"}, "auth_user_groups_group_id_97559544_fk_auth_group_id"},
		{db.PostgreSQL, "_uniq", "auth_permission", []string{"content_type_id", "codename"},
			"auth_permission_content_type_id_codename_01ab375a_uniq"},
		{db.PostgreSQL, "_like", "openedx_content_containertype", []string{"type_code"},
			"openedx_content_containertype_type_code_c53f7e86_like"},
	} {
		if got := generated(c.engine, c.suffix, c.table, c.columns...); got != c.want {
			t.Errorf("generated(%s, %q, %s, %v) = %s, want %s", c.engine, c.suffix, c.table, c.columns, got, c.want)
		}
	}
}

// TestDefinitions checks what the definitions rely on.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, x := range Tables() {
		if seen[x.Name] {
			t.Errorf("table %s is defined twice", x.Name)
		}
		seen[x.Name] = true
		keys := 0
		for i := range x.Columns {
			c := &x.Columns[i]
			if c.primary() {
				keys++
			}
			if c.Ref == "" {
				continue
			}
			if !seen[c.Ref] {
				t.Errorf("%s.%s refers to %q, which does not come before it", x.Name, c.Name, c.Ref)
			}
			if own := strings.HasPrefix(x.Name, "lectern_"); own != (c.Rule == Drop || c.Rule == Clear) {
				t.Errorf("%s.%s: rule %q: the database itself must act in lectern_* tables, and there alone", x.Name, c.Name, c.Rule)
			}
			if c.Rule == Clear && !c.Null {
				t.Errorf("%s.%s cannot become NULL", x.Name, c.Name)
			}
		}
		if keys != 1 {
			t.Errorf("table %s has %d primary keys", x.Name, keys)
		}
		for _, i := range x.Indexes {
			for _, p := range i.Parts {
				if x.Column(p.Column) == nil {
					t.Errorf("index %s of %s has no column %s", i.Name, x.Name, p.Column)
				}
			}
		}
		for _, c := range x.Checks {
			if x.Column(c.Column) == nil {
				t.Errorf("check %s of %s has no column %s", c.Name, x.Name, c.Column)
			}
		}
		if x.Rebuilt != nil {
			for i := range x.Columns {
				if len(x.Rebuilt) != len(x.Columns) || !slices.Contains(x.Rebuilt, x.Columns[i].Name) {
					t.Errorf("the order of columns of %s on SQLite is not complete", x.Name)
				}
			}
		}
	}
}
