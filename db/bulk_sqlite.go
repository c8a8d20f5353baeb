package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// The rows of an insertion are sent in statements of these sizes, the largest that is full first: what SQLite does once
// for each statement (opening every index, looking up the last id, the way through the driver) costs as much as a row.
// The sizes are few, as their statements are prepared once for each table and kept.
var sqliteRows = [...]int{128, 16, 1}

const (
	sqliteParams = 32_766  // SQLite's limit for one statement
	sqliteBytes  = 1 << 20 // of rows that wait for a statement to be full
)

// bulkSQLite inserts by statements of many rows, and updates or upserts by one for each row. For OnStatement it is one:
// there are no round trips to count.
func (c *conn) bulkSQLite(ctx context.Context, b *bulk) error {
	if err := c.d.announce(ctx, c, b.sqliteSQL(1)); err != nil {
		return err
	}
	m, most := len(b.cols), 1
	if b.key == nil && m > 0 {
		most = max(1, min(b.n, sqliteRows[0], sqliteParams/m))
	}
	nv := make([]driver.NamedValue, most*m)
	rows, size := 0, 0
	for i := range b.n {
		row := nv[rows*m : (rows+1)*m]
		if err := b.values(c, i, row); err != nil {
			return err
		}
		rows++
		for _, v := range row {
			size += literalSize(v.Value)
		}
		if rows < most && size < sqliteBytes && i < b.n-1 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.sendSQLite(ctx, b, nv[:rows*m], rows); err != nil {
			return err
		}
		rows, size = 0, 0
	}
	return nil
}

// sendSQLite sends rows whose values are in nv.
func (c *conn) sendSQLite(ctx context.Context, b *bulk, nv []driver.NamedValue, rows int) error {
	m := len(b.cols)
	for _, n := range sqliteRows {
		for ; rows >= n; rows -= n {
			if err := c.stepSQLite(ctx, b, nv[:n*m], n); err != nil {
				return err
			}
			nv = nv[n*m:]
		}
	}
	return nil
}

// stepSQLite runs one statement with the values of its rows.
func (c *conn) stepSQLite(ctx context.Context, b *bulk, nv []driver.NamedValue, rows int) (err error) {
	for i := range nv {
		nv[i].Ordinal = i + 1
	}
	st, done, err := c.prepared(ctx, b.sqliteSQL(rows), len(nv))
	if err != nil {
		return c.failed(ctx, err)
	}
	defer func() { err = errors.Join(err, done()) }()
	// The driver starts a goroutine per statement whose context can end; looking before each costs nothing.
	res, err := st.driver.ExecContext(context.WithoutCancel(ctx), nv)
	if err != nil {
		return c.failed(ctx, err)
	}
	if !b.wantIDs {
		return nil
	}
	last, err := res.LastInsertId()
	if err != nil {
		return c.failed(ctx, err)
	}
	for i := range rows { // each the next after the largest, as nobody else writes meanwhile
		b.ids = append(b.ids, last-int64(rows-1-i))
	}
	return nil
}

// sqliteSQL writes the statement for so many rows. OR FAIL lets SQLite do without a copy of each page that it changes,
// by which it would undo the rows before one that fails; as single statements they would stay too, and a transaction
// in which one fails is never committed.
func (b *bulk) sqliteSQL(rows int) string {
	if b.texts == nil {
		b.texts = map[int]string{}
	}
	if sql, ok := b.texts[rows]; ok {
		return sql
	}
	var w strings.Builder
	switch {
	case b.update:
		w.WriteString("UPDATE " + SQLite.Quote(b.table) + " SET ")
		// The key is bound first, so it is ?1 and the others count on from there.
		writeList(&w, len(b.cols)-1, func(i int) string { return fmt.Sprintf("%s = ?%d", SQLite.Quote(b.cols[i+1]), i+2) })
		w.WriteString(" WHERE " + SQLite.Quote(b.key[0]) + " = ?1")
	case len(b.cols) == 0:
		w.WriteString("INSERT INTO " + SQLite.Quote(b.table) + " DEFAULT VALUES")
	default:
		w.WriteString("INSERT")
		if rows > 1 {
			w.WriteString(" OR FAIL")
		}
		b.into(&w, SQLite)
		one := placeholders(len(b.cols))
		w.WriteString(" VALUES " + strings.Repeat(one+",", rows-1) + one)
		if b.key != nil {
			b.conflict(&w, SQLite)
		}
	}
	b.texts[rows] = w.String()
	return b.texts[rows]
}
