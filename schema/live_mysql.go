package schema

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// inspectMySQL reads the catalogue of MySQL or MariaDB. Columns of information_schema differ between the two in places.
func inspectMySQL(ctx context.Context, q db.Querier, l live, want func(string) bool) error {
	err := q.Query(ctx, `SELECT table_name, COALESCE(engine, ''), COALESCE(table_collation, '') FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'`, nil, func(r *db.Row) error {
		t := &liveTable{}
		if err := r.Scan(&t.name, &t.storage, &t.collation); err != nil || !want(t.name) {
			return err
		}
		l[t.name] = t
		return nil
	})
	if err != nil {
		return err
	}
	err = q.Query(ctx, `SELECT table_name, column_name, column_type, is_nullable, column_default, extra, COALESCE(character_set_name, ''),
COALESCE(collation_name, ''), column_key FROM information_schema.columns WHERE table_schema = DATABASE()
ORDER BY table_name, ordinal_position`, nil, func(r *db.Row) error {
		var (
			table, null, extra, key string
			c                       liveColumn
		)
		if err := r.Scan(&table, &c.name, &c.typ, &null, &c.fallback, &extra, &c.charset, &c.collation, &key); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			c.null, c.primary, c.counts = null == "YES", key == "PRI", strings.Contains(extra, "auto_increment")
			if c.fallback.V == "NULL" { // MariaDB writes the default as an expression
				c.fallback.V, c.fallback.Valid = "", false
			}
			t.columns = append(t.columns, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	expression := "''"
	if q.Engine() == db.MySQL {
		expression = "COALESCE(expression, '')"
	}
	err = q.Query(ctx, `SELECT table_name, index_name, non_unique = 0, COALESCE(column_name, ''), COALESCE(collation, 'A') = 'D', `+expression+`
FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY table_name, index_name, seq_in_index`, nil, func(r *db.Row) error {
		var (
			table string
			i     liveIndex
			p     livePart
		)
		if err := r.Scan(&table, &i.name, &i.unique, &p.column, &p.desc, &p.expr); err != nil {
			return err
		}
		t := l[table]
		if t == nil {
			return nil
		}
		if n := len(t.indexes); n == 0 || t.indexes[n-1].name != i.name {
			i.primary = i.name == "PRIMARY"
			t.indexes = append(t.indexes, i)
		}
		last := &t.indexes[len(t.indexes)-1]
		last.parts = append(last.parts, p)
		return nil
	})
	if err != nil {
		return err
	}
	checks := `SELECT table_name, constraint_name, check_clause, level FROM information_schema.check_constraints
WHERE constraint_schema = DATABASE()`
	if q.Engine() == db.MySQL {
		checks = `SELECT t.table_name, c.constraint_name, c.check_clause, 'Table' FROM information_schema.check_constraints c
JOIN information_schema.table_constraints t ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name
AND t.constraint_type = 'CHECK' WHERE c.constraint_schema = DATABASE()`
	}
	err = q.Query(ctx, checks, nil, func(r *db.Row) error {
		var (
			table string
			c     liveCheck
		)
		if err := r.Scan(&table, &c.name, &c.clause, &c.level); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			t.checks = append(t.checks, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return q.Query(ctx, `SELECT k.table_name, k.constraint_name, k.column_name, k.referenced_table_name, k.referenced_column_name,
r.delete_rule, r.update_rule FROM information_schema.key_column_usage k
JOIN information_schema.referential_constraints r ON r.constraint_schema = k.constraint_schema AND r.table_name = k.table_name
AND r.constraint_name = k.constraint_name WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL`, nil, func(r *db.Row) error {
		var (
			table string
			f     liveForeign
		)
		if err := r.Scan(&table, &f.name, &f.column, &f.table, &f.to, &f.onDelete, &f.onUpdate); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			t.foreign = append(t.foreign, f)
		}
		return nil
	})
}
