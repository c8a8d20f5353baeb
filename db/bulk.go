package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// errKeys is for callers that name no key.
var errKeys = errors.New("db: no key column")

// Insert inserts n rows into table. row fills v, the values of cols in order, for row i; v is used again for the next
// row. cols may be empty: then each row takes the table's own values. The number of statements is bounded: a statement
// carries many rows. Names are the program's own; they are quoted.
func (tx *Tx) Insert(ctx context.Context, table string, cols []string, n int, row func(i int, v []any)) error {
	b := &bulk{table: table, cols: cols, n: n, row: row}
	return tx.bulk(ctx, b)
}

// InsertIDs is Insert for a table with an automatic column "id", not named in cols; ids[i] is the id of row i. Ids grow
// with i where one process writes, but may have gaps anywhere.
func (tx *Tx) InsertIDs(ctx context.Context, table string, cols []string, n int, row func(i int, v []any)) ([]int64, error) {
	b := &bulk{table: table, cols: cols, n: n, row: row, wantIDs: true, ids: make([]int64, 0, n)}
	if err := tx.bulk(ctx, b); err != nil {
		return nil, err
	}
	return b.ids, nil
}

// Upsert inserts rows, or sets cols of the rows whose key exists: v holds the key's values, then those of cols. key must
// be a unique key of the table, and on the MySQL family its only one that can be hit. A key must not come twice in one
// call. Without cols an existing row stays as it is.
func (tx *Tx) Upsert(ctx context.Context, table string, key, cols []string, n int, row func(i int, v []any)) error {
	if len(key) == 0 {
		return errKeys
	}
	return tx.bulk(ctx, &bulk{table: table, key: key, cols: append(append([]string{}, key...), cols...), n: n, row: row})
}

// UpdateRows sets cols of existing rows, one value of the key column each: v holds the key's value, then those of cols.
// Keys without a row are passed over. A key must not come twice in one call.
func (tx *Tx) UpdateRows(ctx context.Context, table string, key string, cols []string, n int, row func(i int, v []any)) error {
	if key == "" || len(cols) == 0 {
		return errKeys
	}
	return tx.bulk(ctx, &bulk{table: table, key: []string{key}, cols: append([]string{key}, cols...), n: n, row: row, update: true})
}

// bulk is one call of the four functions above.
type bulk struct {
	table   string
	key     []string // upsert, update: the first of cols
	cols    []string
	n       int
	row     func(i int, v []any)
	update  bool
	wantIDs bool
	ids     []int64

	v     []any
	texts map[int]string // SQLite: statements by their number of rows
}

func (tx *Tx) bulk(ctx context.Context, b *bulk) error {
	if b.n <= 0 {
		return nil
	}
	b.v = make([]any, len(b.cols))
	return tx.run(true, func(c *conn) error {
		switch c.d.engine {
		case SQLite:
			return c.bulkSQLite(ctx, b)
		case PostgreSQL:
			return c.bulkPostgres(ctx, b)
		}
		return c.bulkMySQL(ctx, b)
	})
}

// values asks for row i and converts it into nv. row runs in the middle of a statement, so it cannot run another.
func (b *bulk) values(c *conn, i int, nv []driver.NamedValue) error {
	c.inScan = true
	b.row(i, b.v)
	c.inScan = false
	for k, a := range b.v {
		v, err := c.enc.value(a)
		if err != nil {
			return fmt.Errorf("row %d, column %s: %w", i, b.cols[k], err)
		}
		nv[k].Value = v
	}
	return nil
}

// insertInto writes INSERT INTO "table" ("a", "b").
func (b *bulk) insertInto(w *strings.Builder, e Engine, more ...string) {
	w.WriteString("INSERT")
	b.into(w, e, more...)
}

func (b *bulk) into(w *strings.Builder, e Engine, more ...string) {
	w.WriteString(" INTO ")
	w.WriteString(e.Quote(b.table))
	w.WriteString(" (")
	writeList(w, len(more)+len(b.cols), func(i int) string {
		if i < len(more) {
			return e.Quote(more[i])
		}
		return e.Quote(b.cols[i-len(more)])
	})
	w.WriteByte(')')
}

// conflict writes the end of an upsert for SQLite and PostgreSQL, which have the same.
func (b *bulk) conflict(w *strings.Builder, e Engine) {
	w.WriteString(" ON CONFLICT (")
	writeList(w, len(b.key), func(i int) string { return e.Quote(b.key[i]) })
	w.WriteString(") DO ")
	set := b.cols[len(b.key):]
	if len(set) == 0 {
		w.WriteString("NOTHING")
		return
	}
	w.WriteString("UPDATE SET ")
	writeList(w, len(set), func(i int) string { return e.Quote(set[i]) + " = excluded." + e.Quote(set[i]) })
}

func writeList(w *strings.Builder, n int, item func(i int) string) {
	for i := range n {
		if i > 0 {
			w.WriteString(", ")
		}
		w.WriteString(item(i))
	}
}
