package takeover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// schemaStage is a schema in the same database of PostgreSQL.
type schemaStage struct {
	serverStage
}

const schemaExists = "SELECT 1 FROM pg_namespace WHERE nspname = ?"

func (s *schemaStage) drop() string {
	return "DROP SCHEMA IF EXISTS " + db.PostgreSQL.Quote(s.name) + " CASCADE"
}

func (s *schemaStage) clear(ctx context.Context) error {
	return s.clearBy(ctx, schemaExists, s.drop())
}

func (s *schemaStage) remove(ctx context.Context) error {
	return s.removeBy(ctx, schemaExists, s.drop())
}

// The copy is one transaction on one snapshot. Names of indexes and constraints, by which steps find them, LIKE would make
// anew: they are made by the text that the catalogue gives.
func (s *schemaStage) fill(ctx context.Context) (*db.DB, error) {
	q := db.PostgreSQL.Quote
	err := s.make(ctx, "CREATE SCHEMA "+q(s.name), "let somebody who may run GRANT CREATE ON DATABASE for this user, or rehearse with a copy of the database")
	if err != nil {
		return nil, err
	}
	err = s.copy.Update(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
			return err
		}
		live, err := look(ctx, s.d)
		if err != nil {
			return err
		}
		tables := concerned(live.live)
		parts, err := s.parts(ctx, tx, tables)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := s.table(ctx, tx, live.live[t]); err != nil {
				return fmt.Errorf("copy table %s: %w", t, err)
			}
		}
		for _, sql := range parts {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	})
	return s.copy, err
}

// table makes a table with its rows, defaults and counters, without indexes.
func (s *schemaStage) table(ctx context.Context, tx *db.Tx, t *inspect.Table) error {
	q := db.PostgreSQL.Quote
	from := q(s.from) + "." + q(t.Name)
	send := func(format string, args ...any) error {
		_, err := tx.Exec(ctx, fmt.Sprintf(format, args...))
		return err
	}
	if err := send("CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES)", q(t.Name), from); err != nil {
		return err
	}
	var columns []string
	err := tx.Query(ctx, "SELECT attname::text FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
		[]any{from}, func(r *db.Row) error {
			c, err := db.Value[string](r)
			columns = append(columns, q(c))
			return err
		})
	if err != nil {
		return err
	}
	list := strings.Join(columns, ", ")
	if err := send("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s", q(t.Name), list, list, from); err != nil {
		return err
	}
	for _, c := range t.Columns {
		if c.Sequence == "" {
			continue
		}
		if c.Default.Valid { // a serial column: LIKE has taken over the original's counter
			counter := q(t.Name + "_" + c.Name + "_counter")
			kind := "bigint"
			if c.Type != "bigint" {
				kind = "integer"
			}
			for _, sql := range []string{"CREATE SEQUENCE " + counter + " AS " + kind + " OWNED BY " + q(t.Name) + "." + q(c.Name),
				fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT nextval('%s')", q(t.Name), q(c.Name), counter)} {
				if err := send("%s", sql); err != nil {
					return err
				}
			}
		}
		if err := send("SELECT setval(pg_get_serial_sequence('%s', '%s'), last_value, is_called) FROM %s", q(t.Name), c.Name, c.Sequence); err != nil {
			return err
		}
	}
	return nil
}

// parts returns the statements that make the constraints and indexes of the copies: those of the originals, said of the
// copies. Foreign keys come last, and only those between tables that are copied.
func (s *schemaStage) parts(ctx context.Context, tx *db.Tx, tables []string) ([]string, error) {
	q := db.PostgreSQL.Quote
	var unique, indexes, foreign []string
	err := tx.Query(ctx, `SELECT c.relname::text, k.conname::text, k.contype::text, pg_get_constraintdef(k.oid), COALESCE(f.relname::text, ''),
COALESCE(f.relnamespace = c.relnamespace, true) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE c.relnamespace = ?::regnamespace AND k.contype IN ('f', 'p', 'u', 'x') ORDER BY c.relname, k.conname`, []any{q(s.from)}, func(r *db.Row) error {
		var table, name, kind, text, to string
		var same bool
		if err := r.Scan(&table, &name, &kind, &text, &to, &same); err != nil || !slices.Contains(tables, table) {
			return err
		}
		add := fmt.Sprintf("ALTER TABLE %s ADD CONSTRAINT %s ", q(table), q(name))
		switch {
		case kind != "f":
			unique = append(unique, add+text)
		case same && slices.Contains(tables, to):
			foreign = append(foreign, add+s.here(text, " REFERENCES "))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = tx.Query(ctx, `SELECT c.relname::text, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = ?::regnamespace AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY 1, 2`, []any{q(s.from)}, func(r *db.Row) error {
		var table, text string
		err := r.Scan(&table, &text)
		if slices.Contains(tables, table) {
			indexes = append(indexes, s.here(text, " ON "))
		}
		return err
	})
	return slices.Concat(unique, indexes, foreign), err
}

// here takes the original's schema from the first name after a word in a definition. The catalogue writes the schema, as
// the copy's connections do not look for tables there, and quotes it where need be.
func (s *schemaStage) here(text, after string) string {
	before, rest, found := strings.Cut(text, after)
	if !found {
		return text
	}
	for _, name := range []string{s.from + ".", db.PostgreSQL.Quote(s.from) + "."} {
		if bare, ok := strings.CutPrefix(rest, name); ok {
			return before + after + bare
		}
	}
	return text
}
