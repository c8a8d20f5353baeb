package inspect

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// readPostgres reads the catalogue of PostgreSQL: the current schema, where tables without a schema's name are found
// and made.
func readPostgres(ctx context.Context, q db.Querier, l Tables, want func(string) bool) error {
	err := q.Query(ctx, `SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL),
CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE 0 END,
NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid), COALESCE(co.collname::text, ''), a.attidentity IN ('a', 'd'),
COALESCE(pg_get_serial_sequence(quote_ident(c.relname), a.attname), ''),
EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND a.attnum = ANY (i.indkey))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation co ON co.oid = a.attcollation AND a.attcollation <> t.typcollation
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname, a.attnum`, nil, func(r *db.Row) error {
		var (
			table string
			c     Column
		)
		if err := r.Scan(&table, &c.Name, &c.Type, &c.Length, &c.Null, &c.Default, &c.Collation, &c.Counts, &c.Sequence, &c.Primary); err != nil {
			return err
		}
		if !want(table) {
			return nil
		}
		t := l[table]
		if t == nil {
			t = &Table{Name: table}
			l[table] = t
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
	if err != nil {
		return err
	}
	err = q.Query(ctx, `SELECT c.relname::text, x.relname::text, i.indisunique, i.indisprimary, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace`, nil, func(r *db.Row) error {
		var (
			table string
			i     Index
		)
		if err := r.Scan(&table, &i.Name, &i.Unique, &i.Primary, &i.Text); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			t.Indexes = append(t.Indexes, i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return q.Query(ctx, `SELECT c.relname::text, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid),
COALESCE((SELECT string_agg(a.attname::text, ',') FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)), ''),
COALESCE(f.relname::text, ''),
COALESCE((SELECT string_agg(a.attname::text, ',') FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)), ''),
k.confdeltype::text, k.confupdtype::text
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE c.relnamespace = current_schema()::regnamespace AND k.contype IN ('c', 'f', 'p', 'u')`, nil, func(r *db.Row) error {
		var (
			table, name, kind, text string
			f                       Foreign
		)
		if err := r.Scan(&table, &name, &kind, &text, &f.Column, &f.Table, &f.To, &f.OnDelete, &f.OnUpdate); err != nil {
			return err
		}
		t := l[table]
		switch {
		case t == nil:
		case kind == "c":
			t.Checks = append(t.Checks, Check{Name: name, Clause: text})
		case kind == "u", kind == "p":
			t.Keys = append(t.Keys, Unique{Name: name, Primary: kind == "p", Text: text})
		default:
			f.Name, f.Text = name, text
			f.OnDelete, f.OnUpdate = actions[f.OnDelete], actions[f.OnUpdate]
			t.Foreign = append(t.Foreign, f)
		}
		return nil
	})
}

// actions spells out the letters of pg_constraint.
var actions = map[string]string{"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
