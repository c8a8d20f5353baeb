package takeover

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// before are the last rows of the platform apps whose tables refer to content, before they follow its change of names
// (content-migrations.md §3.4, pre-flight 6).
var before = []struct{ app, last string }{
	{"content_libraries", "0011_remove_contentlibrary_bundle_uuid_and_more"},
	{"contentstore", "0014_remove_componentlink_downstream_is_modified_and_more"},
	{"modulestore_migrator", "0006_alter_modulestoreblocksource_forwarded_and_more"},
}

// preflight looks at what surrounds the content tables: apps that are half migrated, tables of the wrong kind, triggers and
// views that name what will be renamed. An error refuses the take-over.
func (c *checker) preflight(ctx context.Context) ([]schema.Finding, error) {
	if len(c.pending) == 0 {
		return nil, nil
	}
	var out []schema.Finding
	add := func(sev schema.Severity, code, table, key, value, next string) {
		out = append(out, schema.Finding{Code: code, Severity: sev, Table: table, Key: key, Value: value, Next: next})
	}
	out = append(out, c.partlyMigrated()...)
	for _, name := range sortedKeys(c.s.live) {
		t := c.s.live[name]
		if !c.concerns(name) {
			continue
		}
		if c.d.Engine().MySQLFamily() && !strings.EqualFold(t.Storage, "InnoDB") {
			add(schema.Error, "storage_engine", name, "", t.Storage, "ALTER TABLE "+name+" ENGINE=InnoDB: other engines know neither transactions nor foreign keys")
		}
		for _, col := range t.Columns {
			if def := c.definition(name); def != nil && !known(def, col.Name) && !col.Null && !col.Default.Valid {
				add(schema.Warning, "column_added", name, col.Name, col.Type, "it is kept, but takes no NULL and has no default, so that new rows without it are refused")
			}
		}
	}
	bodies, err := c.bodies(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range bodies {
		if word := c.renamedWord(b.text); word != "" {
			add(schema.Error, b.kind, b.table, b.name, word, fmt.Sprintf("it names %s, which will be called otherwise: drop the %s, migrate, make it anew", word, b.kind))
		} else if b.kind == "view" && c.d.Engine() == db.PostgreSQL {
			add(schema.Error, b.kind, b.table, b.name, "", "PostgreSQL changes no column that a view uses: drop the view, migrate, make it anew")
		}
	}
	return out, nil
}

// partlyMigrated finds platform apps that have rows but not the last one before the change of names: what they have yet to
// run would refer to names that no longer exist. On a site older than Ulmo that is a warning: there all of the platform is
// behind, and its own release is to bring it as far as content's.
func (c *checker) partlyMigrated() []schema.Finding {
	if !c.pending["0002"] {
		return nil
	}
	severity := schema.Error
	if c.s.old {
		severity = schema.Warning
	}
	var out []schema.Finding
	for _, b := range before {
		last := ""
		for m := range c.s.rows {
			if m.App == b.app && m.Name > last && !strings.Contains(m.Name, "squashed") {
				last = m.Name
			}
		}
		if last == "" || c.s.rows[schema.Migration{App: b.app, Name: b.last}] {
			continue
		}
		if !c.refersToContent(b.app) {
			continue
		}
		out = append(out, schema.Finding{Code: "platform_behind", Severity: severity, Table: "django_migrations", Key: b.app, Value: last, Proposed: b.last,
			Next: "run the platform's own migrations of " + b.app + " up to " + b.last + " first"})
	}
	return out
}

// refersToContent reports whether a table of an app refers to one of content.
func (c *checker) refersToContent(app string) bool {
	for name, t := range c.s.live {
		if strings.HasPrefix(name, app+"_") {
			for _, f := range t.Foreign {
				if c.concerns(f.Table) {
					return true
				}
			}
		}
	}
	return false
}

// concerns reports whether a table is one of content, of any age.
func (c *checker) concerns(name string) bool {
	return c.definition(name) != nil || name == midContent || name == midLink
}

func (c *checker) definition(name string) *schema.Table {
	if t := schema.Past(name); t != nil {
		return t
	}
	if strings.HasPrefix(name, "openedx_content_") {
		return schema.Lookup(name)
	}
	return nil
}

// known reports whether a column is one that the table had at some age.
func known(t *schema.Table, column string) bool {
	if t.Column(column) != nil {
		return true
	}
	if slices.Contains([]string{"key", "_key", "local_key", "content_id", "uuid", "learner_downloadable", "name"}, column) {
		return true
	}
	now := schema.Lookup(t.Name)
	return now != nil && now.Column(column) != nil
}

// body is the text of a trigger or view.
type body struct{ kind, name, table, text string }

// bodies reads the triggers and views of the database.
func (c *checker) bodies(ctx context.Context) ([]body, error) {
	sql := `SELECT 'trigger', trigger_name, event_object_table, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE()
UNION ALL SELECT 'view', table_name, table_name, COALESCE(view_definition, '') FROM information_schema.views WHERE table_schema = DATABASE() ORDER BY 1, 2`
	switch c.d.Engine() {
	case db.SQLite:
		sql = `SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') ORDER BY 1, 2`
	case db.PostgreSQL:
		sql = `SELECT 'trigger', t.tgname::text, c.relname::text, pg_get_functiondef(t.tgfoid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
UNION ALL SELECT 'view', viewname::text, viewname::text, definition FROM pg_views WHERE schemaname = current_schema() ORDER BY 1, 2`
	}
	list, err := db.All(ctx, c.q, sql, nil, func(r *db.Row) (b body, err error) {
		err = r.Scan(&b.kind, &b.name, &b.table, &b.text)
		return b, err
	})
	if err != nil {
		return nil, fmt.Errorf("read triggers and views: %w", err)
	}
	return slices.DeleteFunc(list, func(b body) bool { return !c.concerns(b.table) && !c.mentions(b.text) }), nil
}

var identifier = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// mentions reports whether SQL names a table of content.
func (c *checker) mentions(sql string) bool {
	return slices.ContainsFunc(identifier.FindAllString(sql, -1), c.concerns)
}

// renamedWord returns the first name in SQL that a step to come will change. On SQLite and PostgreSQL names of tables
// follow by themselves, in what is no text to them.
func (c *checker) renamedWord(sql string) string {
	columns := map[string]string{"_key": "0012", "local_key": "0009", "content_id": "0003"}
	for _, w := range identifier.FindAllString(sql, -1) {
		if c.pending[columns[w]] {
			return w
		}
		if schema.Past(w) != nil && c.pending["0002"] && c.d.Engine() != db.SQLite {
			return w
		}
		if (w == midContent || w == midLink) && c.pending["0003"] && c.d.Engine() != db.SQLite {
			return w
		}
	}
	return ""
}
