package inspect

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// readMySQL reads the catalogue of MySQL or MariaDB. Columns of information_schema differ between the two in places.
func readMySQL(ctx context.Context, q db.Querier, l Tables, want func(string) bool) error {
	err := q.Query(ctx, `SELECT table_name, COALESCE(engine, ''), COALESCE(table_collation, '') FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'`, nil, func(r *db.Row) error {
		t := &Table{}
		if err := r.Scan(&t.Name, &t.Storage, &t.Collation); err != nil || !want(t.Name) {
			return err
		}
		l[t.Name] = t
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
			c                       Column
		)
		if err := r.Scan(&table, &c.Name, &c.Type, &null, &c.Default, &extra, &c.Charset, &c.Collation, &key); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			c.Null, c.Primary, c.Counts = null == "YES", key == "PRI", strings.Contains(extra, "auto_increment")
			if c.Default.V == "NULL" { // MariaDB writes the default as an expression
				c.Default.V, c.Default.Valid = "", false
			}
			t.Columns = append(t.Columns, c)
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
			i     Index
			p     Part
		)
		if err := r.Scan(&table, &i.Name, &i.Unique, &p.Column, &p.Desc, &p.Expr); err != nil {
			return err
		}
		t := l[table]
		if t == nil {
			return nil
		}
		if n := len(t.Indexes); n == 0 || t.Indexes[n-1].Name != i.Name {
			i.Primary = i.Name == "PRIMARY"
			t.Indexes = append(t.Indexes, i)
		}
		last := &t.Indexes[len(t.Indexes)-1]
		last.Parts = append(last.Parts, p)
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
			c     Check
		)
		if err := r.Scan(&table, &c.Name, &c.Clause, &c.Level); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			t.Checks = append(t.Checks, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return foreignKeys(ctx, q, l)
}

// foreignKeys reads the references in two queries: joined, MariaDB opens every table again for each of them.
func foreignKeys(ctx context.Context, q db.Querier, l Tables) error {
	type key struct{ table, name string }
	rules := map[key][2]string{}
	err := q.Query(ctx, `SELECT table_name, constraint_name, delete_rule, update_rule FROM information_schema.referential_constraints
WHERE constraint_schema = DATABASE()`, nil, func(r *db.Row) error {
		var k key
		var rule [2]string
		err := r.Scan(&k.table, &k.name, &rule[0], &rule[1])
		rules[k] = rule
		return err
	})
	if err != nil {
		return err
	}
	return q.Query(ctx, `SELECT table_name, constraint_name, column_name, referenced_table_name, referenced_column_name
FROM information_schema.key_column_usage WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL`, nil, func(r *db.Row) error {
		var (
			table string
			f     Foreign
		)
		if err := r.Scan(&table, &f.Name, &f.Column, &f.Table, &f.To); err != nil {
			return err
		}
		rule, ok := rules[key{table, f.Name}]
		f.OnDelete, f.OnUpdate = rule[0], rule[1]
		if t := l[table]; t != nil && ok {
			t.Foreign = append(t.Foreign, f)
		}
		return nil
	})
}
