package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
)

// A statement of the MySQL family carries at most so many rows, parameters and bytes: the driver writes the values into
// the statement, which must stay well below the server's max_allowed_packet (16 MiB on MariaDB).
const (
	mysqlRows   = 1000
	mysqlParams = 30_000
	mysqlBytes  = 1 << 20
)

// errStep tells of ids that may be wrong; the whole unit of work runs again.
var errStep = fmt.Errorf("the distance of automatic ids has changed meanwhile: %w", ErrRetry)

// idStep returns how far apart automatic ids are: 1 on one server, the number of nodes in a Galera cluster, where it
// changes with the members.
func (c *conn) idStep(ctx context.Context) (step int64, err error) {
	return step, c.query(ctx, "SELECT @@auto_increment_increment", nil, func(r *Row) error { return r.Scan(&step) })
}

// bulkMySQL sends statements of many rows. MariaDB says which ids it has given; MySQL says the first of a statement, and
// the others are reckoned.
func (c *conn) bulkMySQL(ctx context.Context, b *bulk) error {
	reckon := b.wantIDs && c.d.engine != MariaDB
	var step int64
	if reckon && b.n > 1 { // of one row the id is told
		var err error
		if step, err = c.idStep(ctx); err != nil {
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
		if b.wantIDs && !reckon {
			err := c.returned(ctx, b, sql+" RETURNING `id`", nv, rows)
			nv = nv[:0]
			return err
		}
		res, err := c.send(ctx, sql, nv)
		if err != nil {
			return c.failed(ctx, err)
		}
		nv = nv[:0]
		if !reckon {
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
	if err := send(rows); err != nil || !reckon || b.n == 1 || !c.d.cluster {
		return err
	}
	// A node that came or went since the first reading has moved the ids apart or together.
	now, err := c.idStep(ctx)
	if err == nil && now != step {
		err = errStep
	}
	return err
}

// returned sends an insert that returns the ids of its rows, in their order.
func (c *conn) returned(ctx context.Context, b *bulk, sql string, nv []driver.NamedValue, rows int) error {
	had := len(b.ids)
	given, done, err := c.open(ctx, sql, nv)
	if err != nil {
		return c.failed(ctx, err)
	}
	err = c.each(ctx, given, func(r *Row) error {
		var id int64
		err := r.Scan(&id)
		b.ids = append(b.ids, id)
		return err
	})
	if cerr := errors.Join(given.Close(), done()); err == nil && cerr != nil {
		err = c.failed(ctx, cerr)
	}
	if err == nil && len(b.ids)-had != rows {
		err = fmt.Errorf("db: %d rows inserted, %d ids returned", rows, len(b.ids)-had)
	}
	return err
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
