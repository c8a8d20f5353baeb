package db

import (
	"context"
	"database/sql/driver"
	"strings"
)

// A statement of the MySQL family carries at most so many rows, parameters and bytes: the driver writes the values into
// the statement, which must stay well below the server's max_allowed_packet (16 MiB on MariaDB).
const (
	mysqlRows   = 1000
	mysqlParams = 30_000
	mysqlBytes  = 1 << 20
)

// bulkMySQL sends statements of many rows.
func (c *conn) bulkMySQL(ctx context.Context, b *bulk) error {
	step := int64(1)
	if b.wantIDs {
		// 1 on one server; the number of nodes in a Galera cluster, where it changes with the members.
		err := c.query(ctx, "SELECT @@auto_increment_increment", nil, func(r *Row) error { return r.Scan(&step) })
		if err != nil {
			return err
		}
	}
	m := len(b.cols)
	most := mysqlRows
	if m > 0 {
		most = max(1, min(most, mysqlParams/m))
	}
	var nv []driver.NamedValue
	send := func(rows int) error {
		if rows == 0 {
			return nil
		}
		sql := b.mysqlSQL(c.d.engine, rows)
		if err := c.d.announce(ctx, c, sql); err != nil {
			return err
		}
		for i := range nv {
			nv[i].Ordinal = i + 1
		}
		res, err := c.send(ctx, sql, nv)
		if err != nil {
			return c.failed(ctx, err)
		}
		nv = nv[:0]
		if !b.wantIDs {
			return nil
		}
		// The ids of an insert whose rows are known beforehand follow each other, also with innodb_autoinc_lock_mode 2
		// (the servers' manuals on "simple inserts").
		first, err := res.LastInsertId()
		if err != nil {
			return c.failed(ctx, err)
		}
		for i := range rows {
			b.ids = append(b.ids, first+int64(i)*step)
		}
		return nil
	}
	rows, size := 0, 0
	one := make([]driver.NamedValue, m)
	for i := range b.n {
		if err := b.values(c, i, one); err != nil {
			return err
		}
		rowSize := 0
		for _, v := range one {
			rowSize += literalSize(v.Value)
		}
		if rows > 0 && (rows == most || size+rowSize > mysqlBytes) {
			if err := send(rows); err != nil {
				return err
			}
			rows, size = 0, 0
		}
		nv = append(nv, one...)
		rows++
		size += rowSize
	}
	return send(rows)
}

// literalSize estimates the bytes of v in a statement.
func literalSize(v driver.Value) int {
	switch x := v.(type) {
	case string:
		return len(x) + 3
	case []byte:
		return len(x) + 12
	}
	return 8
}

// mysqlSQL writes the statement for so many rows. VALUES(col) is old, but the only form that all servers know
// (test-servers.md §1).
func (b *bulk) mysqlSQL(e Engine, rows int) string {
	var w strings.Builder
	if b.update {
		b.mysqlUpdate(&w, e, rows)
		return w.String()
	}
	b.insertInto(&w, e)
	w.WriteString(" VALUES ")
	one := "()"
	if len(b.cols) > 0 {
		one = placeholders(len(b.cols))
	}
	w.WriteString(strings.Repeat(one+",", rows-1) + one)
	if b.key == nil {
		return w.String()
	}
	w.WriteString(" ON DUPLICATE KEY UPDATE ")
	set := b.cols[len(b.key):]
	if len(set) == 0 {
		k := e.Quote(b.key[0])
		w.WriteString(k + " = " + k)
	}
	writeList(&w, len(set), func(i int) string { return e.Quote(set[i]) + " = VALUES(" + e.Quote(set[i]) + ")" })
	return w.String()
}

// mysqlUpdate writes UPDATE over a table of the values. STRAIGHT_JOIN makes the server go from the values to the rows,
// by the key's index, never from the whole table to the values.
func (b *bulk) mysqlUpdate(w *strings.Builder, e Engine, rows int) {
	w.WriteString("UPDATE (SELECT ")
	writeList(w, len(b.cols), func(i int) string { return "? AS " + e.Quote(b.cols[i]) })
	next := " UNION ALL SELECT " + strings.Repeat("?, ", len(b.cols)-1) + "?"
	w.WriteString(strings.Repeat(next, rows-1))
	k := e.Quote(b.key[0])
	w.WriteString(") AS v STRAIGHT_JOIN " + e.Quote(b.table) + " AS t ON t." + k + " = v." + k + " SET ")
	writeList(w, len(b.cols)-1, func(i int) string {
		c := e.Quote(b.cols[i+1])
		return "t." + c + " = v." + c
	})
}
