package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// ForeignKey is a reference of a content table, or of a table of another app to one.
type ForeignKey struct {
	Table    string `json:"table"`
	Column   string `json:"column"`
	To       string `json:"to"`       // the table
	Declared bool   `json:"declared"` // the database knows of it, and so sees to it from now on
	Orphans  int64  `json:"orphans"`  // rows whose value is no row of To
}

// inbound are the references of platform apps to content that are known to be on every site that has the column
// (content-migrations.md §3.2).
var inbound = []struct{ table, column, to string }{
	{"content_libraries_contentlibrary", "learning_package_id", learningPackage},
	{"contentstore_componentlink", "upstream_block_id", component},
	{"contentstore_containerlink", "upstream_container_id", container},
	{"modulestore_migrator_modulestoremigration", "target_id", learningPackage},
	{"modulestore_migrator_modulestoremigration", "target_collection_id", collection},
	{"modulestore_migrator_modulestoremigration", "change_log_id", "openedx_content_draftchangelog"},
	{"modulestore_migrator_modulestoreblockmigration", "target_id", entity},
	{"modulestore_migrator_modulestoreblockmigration", "change_log_record_id", "openedx_content_draftchangelogrecord"},
}

// ForeignKeys looks at every reference of content tables and into them, of whatever age: whether the database knows of it,
// and whether rows refer to what is not there. Of the rows of one reference the first are named and the others counted,
// unless all are asked for. With others alone the rows of content's own tables are not looked at.
func ForeignKeys(ctx context.Context, d *db.DB, all, others bool) ([]ForeignKey, []schema.Finding, error) {
	keys, findings := []ForeignKey{}, []schema.Finding{}
	err := d.View(ctx, func(tx *db.Tx) error {
		s, err := look(ctx, tx)
		if err != nil {
			return err
		}
		keys = s.foreignKeys()
		for i := range keys {
			k := &keys[i]
			own := contentTable(k.Table)
			if !k.Declared && !own {
				findings = append(findings, schema.Finding{Code: "foreign_missing", Severity: schema.Warning, Table: k.Table, Key: k.Column, Proposed: k.To,
					Next: "add the foreign key again, once no row of the table refers to what is not there"})
			}
			if own && others {
				continue
			}
			list, err := s.orphans(ctx, tx, k, all)
			if err != nil {
				return fmt.Errorf("look for orphans of %s.%s: %w", k.Table, k.Column, err)
			}
			findings = append(findings, list...)
		}
		return nil
	})
	return keys, findings, err
}

// contentTable reports whether a table is one of content, of any age.
func contentTable(name string) bool {
	c := checker{}
	return c.concerns(name)
}

// foreignKeys lists the references that are declared, and those that ought to be, by table and column.
func (s *site) foreignKeys() []ForeignKey {
	var keys []ForeignKey
	known := func(table, column string) bool {
		return slices.ContainsFunc(keys, func(k ForeignKey) bool { return k.Table == table && k.Column == column })
	}
	for _, name := range sortedKeys(s.live) {
		for _, f := range s.live[name].Foreign {
			if !strings.HasPrefix(name, "lectern_") && (contentTable(name) || contentTable(f.Table)) && !known(name, f.Column) {
				keys = append(keys, ForeignKey{Table: name, Column: f.Column, To: f.Table, Declared: true})
			}
		}
	}
	ought := func(table, column, to string) {
		if table != "" && to != "" && column != "" && s.live[table].Column(column) != nil && !known(table, column) {
			keys = append(keys, ForeignKey{Table: table, Column: column, To: to})
		}
	}
	for _, t := range contentTables() {
		name := s.called(t)
		if name == "" {
			continue
		}
		for _, c := range t.Columns {
			if to := schema.Lookup(c.Ref); to != nil {
				ought(name, s.column(name, c.Name), s.called(to))
			}
		}
	}
	for _, r := range inbound {
		if s.live[r.table] != nil {
			ought(r.table, r.column, s.called(schema.Lookup(r.to)))
		}
	}
	slices.SortFunc(keys, func(a, b ForeignKey) int { return strings.Compare(a.Table+"."+a.Column, b.Table+"."+b.Column) })
	return keys
}

// mostDangling is how many rows of a reference are named unless all are asked for.
const mostDangling = 20

// orphans names rows whose reference leads nowhere, and counts them in the key.
func (s *site) orphans(ctx context.Context, tx *db.Tx, k *ForeignKey, all bool) ([]schema.Finding, error) {
	t, to := s.live[k.Table], s.live[k.To]
	if t == nil || to == nil {
		return nil, nil // the reference leads into another database, or to a table that is gone: the catalogue's findings tell
	}
	q := tx.Engine().Quote
	target := key(to)
	for _, f := range t.Foreign {
		if f.Column == k.Column && f.To != "" {
			target = f.To
		}
	}
	from := fmt.Sprintf("FROM %s a WHERE a.%s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %s b WHERE b.%s = a.%s)",
		q(k.Table), q(k.Column), q(k.To), q(target), q(k.Column))
	limit := ""
	if !all {
		limit = fmt.Sprintf(" LIMIT %d", mostDangling+1)
	}
	next := fmt.Sprintf("restore the row of %s from a backup, or delete this one", k.To)
	if t.Column(k.Column).Null {
		next = fmt.Sprintf("restore the row of %s from a backup, or set %s to NULL", k.To, k.Column)
	}
	id := key(t)
	list, err := db.All(ctx, tx, fmt.Sprintf("SELECT a.%s, a.%s %s ORDER BY 1%s", q(id), q(k.Column), from, limit), nil, func(r *db.Row) (f schema.Finding, err error) {
		var row, value any
		err = r.Scan(&row, &value)
		return schema.Finding{Code: "orphan", Severity: schema.Error, Table: k.Table, Key: id + " " + plainText(row),
			Value: k.Column + " " + plainText(value), Proposed: "a row of " + k.To, Next: next}, err
	})
	k.Orphans = int64(len(list))
	if err != nil || all || len(list) <= mostDangling {
		return list, err
	}
	if k.Orphans, _, err = db.One(ctx, tx, "SELECT COUNT(*) "+from, nil, db.Value[int64]); err != nil {
		return nil, err
	}
	last := &list[mostDangling]
	last.Key, last.Proposed, last.Next = "", "", "lectern db verify --all names them"
	last.Value = fmt.Sprintf("%s: %d more", k.Column, k.Orphans-mostDangling)
	return list, nil
}

// key returns the column that tells rows of a table apart.
func key(t *inspect.Table) string {
	for _, c := range t.Columns {
		if c.Primary {
			return c.Name
		}
	}
	return t.Columns[0].Name
}
