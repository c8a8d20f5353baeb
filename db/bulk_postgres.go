package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// A statement on PostgreSQL carries its rows as one array per column, so its text is the same for any number of rows and
// stays prepared. From copyRows on, plain inserts use COPY.
const (
	pgRows   = 2000
	pgBytes  = 4 << 20
	copyRows = 500

	copyCheck = 256 // after how many rows of COPY the context is looked at
)

// bulkPostgres sends statements of many rows.
func (c *conn) bulkPostgres(ctx context.Context, b *bulk) error {
	if len(b.cols) == 0 {
		return c.pgEmpty(ctx, b)
	}
	if b.n == 1 && b.key == nil {
		return c.pgSingle(ctx, b)
	}
	if b.wantIDs {
		// The ids are taken first: what RETURNING gives has no promised order. OFFSET keeps the name from being looked up for each.
		err := c.query(ctx, "SELECT nextval(s.name) FROM (SELECT pg_get_serial_sequence(?, 'id')::regclass AS name OFFSET 0) s, generate_series(1, ?::int)", []any{PostgreSQL.Quote(b.table), b.n},
			func(r *Row) error {
				var id int64
				err := r.Scan(&id)
				b.ids = append(b.ids, id)
				return err
			})
		if err != nil {
			return err
		}
	}
	if b.key == nil && b.n >= copyRows {
		return c.pgCopy(ctx, b)
	}
	return c.pgArrays(ctx, b)
}

// pgEmpty inserts rows without values. They are all alike, so the order of their ids does not matter.
func (c *conn) pgEmpty(ctx context.Context, b *bulk) error {
	sql := "INSERT INTO " + PostgreSQL.Quote(b.table) + " SELECT FROM generate_series(1, ?::int)"
	if !b.wantIDs {
		_, err := c.exec(ctx, sql, []any{b.n})
		return err
	}
	return c.query(ctx, sql+" RETURNING id", []any{b.n}, func(r *Row) error {
		var id int64
		err := r.Scan(&id)
		b.ids = append(b.ids, id)
		return err
	})
}

// pgSingle inserts one row in one round trip.
func (c *conn) pgSingle(ctx context.Context, b *bulk) error {
	var w strings.Builder
	b.insertInto(&w, PostgreSQL)
	w.WriteString(" VALUES " + placeholders(len(b.cols)))
	c.inScan = true
	b.row(0, b.v)
	c.inScan = false
	if !b.wantIDs {
		_, err := c.exec(ctx, w.String(), b.v)
		return err
	}
	w.WriteString(" RETURNING id")
	return c.query(ctx, w.String(), b.v, func(r *Row) error {
		b.ids = append(b.ids, 0)
		return r.Scan(&b.ids[0])
	})
}

// idColumn is the column added to cols when ids were taken first.
func (b *bulk) idColumn() []string {
	if b.wantIDs {
		return []string{"id"}
	}
	return nil
}

// pgCopy sends the rows by COPY.
func (c *conn) pgCopy(ctx context.Context, b *bulk) error {
	if err := c.d.announce(ctx, c, "COPY "+PostgreSQL.Quote(b.table)); err != nil {
		return err
	}
	if err := c.catchUp(ctx, ""); err != nil {
		return err
	}
	src := &copySource{c: c, b: b, ctx: ctx}
	names := append(b.idColumn(), b.cols...)
	src.nv = make([]driver.NamedValue, len(b.cols))
	src.out = make([]any, len(names))
	_, err := c.Conn.(*stdlib.Conn).Conn().CopyFrom(ctx, pgx.Identifier{b.table}, names, src)
	if src.panicked != nil {
		panic(src.panicked)
	}
	if src.err != nil {
		return src.err
	}
	if err != nil {
		return c.failed(ctx, err)
	}
	return nil
}

var errPanic = errors.New("db: panic in a row function")

// copySource gives the rows of a bulk call to the driver.
type copySource struct {
	c   *conn
	b   *bulk
	ctx context.Context // that of the one call it is made for
	i   int
	nv  []driver.NamedValue
	out []any
	err error
	// The driver calls Values from a goroutine of its own, where a panic would end the program.
	panicked any
}

func (s *copySource) Next() bool { return s.err == nil && s.i < s.b.n }

func (s *copySource) Values() (row []any, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked, s.err = p, errPanic
			err = errPanic
		}
	}()
	if s.i%copyCheck == copyCheck-1 && s.ctx.Err() != nil {
		s.err = s.ctx.Err()
		return nil, s.err
	}
	if s.err = s.b.values(s.c, s.i, s.nv); s.err != nil {
		return nil, s.err
	}
	out := s.out
	if s.b.wantIDs {
		out[0] = s.b.ids[s.i]
		out = out[1:]
	}
	for k := range s.nv {
		out[k] = s.nv[k].Value
	}
	s.i++
	return s.out, nil
}

func (s *copySource) Err() error { return s.err }

// pgArrays sends the rows as arrays.
func (c *conn) pgArrays(ctx context.Context, b *bulk) error {
	names := append(b.idColumn(), b.cols...)
	sql, err := c.pgArraySQL(ctx, b, names)
	if err != nil {
		return err
	}
	columns := make([][]any, len(names))
	nv := make([]driver.NamedValue, len(names))
	one := make([]driver.NamedValue, len(b.cols))
	rows, size := 0, 0
	send := func() error {
		if rows == 0 {
			return nil
		}
		if err := c.d.announce(ctx, c, sql); err != nil {
			return err
		}
		for k := range columns {
			nv[k] = driver.NamedValue{Ordinal: k + 1, Value: columns[k]}
		}
		if c.putOff != nil {
			c.put(sql, nv)
			clear(columns) // which what was put off holds
			rows, size = 0, 0
			return nil
		}
		if _, err := c.send(ctx, sql, nv); err != nil {
			return c.failed(ctx, err)
		}
		for k := range columns {
			columns[k] = columns[k][:0]
		}
		rows, size = 0, 0
		return nil
	}
	for i := range b.n {
		if err := b.values(c, i, one); err != nil {
			return err
		}
		rowSize := 0
		for _, v := range one {
			rowSize += literalSize(v.Value)
		}
		if rows == pgRows || rows > 0 && size+rowSize > pgBytes {
			if err := send(); err != nil {
				return err
			}
		}
		k := 0
		if b.wantIDs {
			columns[0] = append(columns[0], b.ids[i])
			k = 1
		}
		for j := range one {
			columns[k+j] = append(columns[k+j], one[j].Value)
		}
		rows++
		size += rowSize
	}
	return send()
}

// pgArraySQL writes the statement that takes one array per column.
func (c *conn) pgArraySQL(ctx context.Context, b *bulk, names []string) (string, error) {
	types, err := c.pgTypes(ctx, b.table)
	if err != nil {
		return "", err
	}
	var w strings.Builder
	from := func() {
		w.WriteString("unnest(")
		writeList(&w, len(names), func(i int) string { return "?::" + types[names[i]] + "[]" })
		w.WriteByte(')')
	}
	for _, n := range names {
		if types[n] == "" {
			return "", fmt.Errorf("db: table %s has no column %s", b.table, n)
		}
	}
	q := PostgreSQL.Quote
	if b.update {
		w.WriteString("UPDATE " + q(b.table) + " AS t SET ")
		writeList(&w, len(b.cols)-1, func(i int) string { return q(b.cols[i+1]) + " = v." + q(b.cols[i+1]) })
		w.WriteString(" FROM ")
		from()
		w.WriteString(" AS v (")
		writeList(&w, len(names), func(i int) string { return q(names[i]) })
		w.WriteString(") WHERE t." + q(b.key[0]) + " = v." + q(b.key[0]))
		return w.String(), nil
	}
	b.insertInto(&w, PostgreSQL, b.idColumn()...)
	w.WriteString(" SELECT * FROM ")
	from()
	if b.key != nil {
		b.conflict(&w, PostgreSQL)
	}
	return w.String(), nil
}

// pgTypes returns the type of each column of table, without lengths, as it is written in a cast. They are read once:
// a column that a migration makes longer keeps its type, and the database checks what is assigned anyway.
func (c *conn) pgTypes(ctx context.Context, table string) (map[string]string, error) {
	t := &c.d.types
	t.mu.Lock()
	m := t.m[table]
	t.mu.Unlock()
	if m != nil {
		return m, nil
	}
	m = map[string]string{}
	err := c.query(ctx, "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = ?::text::regclass AND attnum > 0 AND NOT attisdropped",
		[]any{PostgreSQL.Quote(table)}, func(r *Row) error {
			var name, typ string
			err := r.Scan(&name, &typ)
			m[name] = typ
			return err
		})
	if err != nil {
		return nil, err
	}
	if len(m) == 0 {
		return nil, errors.New("db: table " + table + " has no columns")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[string]map[string]string{}
	}
	t.m[table] = m
	return m, nil
}
