package db

import (
	"context"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Later runs fn, whose calls of Exec, Insert, Upsert and UpdateRows on this transaction may be put off: on PostgreSQL they
// are sent together, in their order, with COMMIT or before the next other statement, in one round trip instead of one
// each. Exec then tells of no rows, and what the database finds wrong shows in that other statement, or in Update. explain
// makes of it what the caller would have, such as [Raced]; nil leaves it as it is. On the other engines they run at once.
//
// It is for the end of a transaction, where nobody asks any more what comes of a statement. fn must not query.
func (tx *Tx) Later(explain func(error) error, fn func() error) error {
	if explain == nil {
		explain = func(err error) error { return err }
	}
	if tx.d.engine == PostgreSQL {
		was := tx.c.putOff
		tx.c.putOff = explain
		defer func() { tx.c.putOff = was }()
	}
	if err := fn(); err != nil {
		return explain(err)
	}
	return nil
}

// put is a statement that was put off.
type put struct {
	sql     string
	args    []any
	explain func(error) error
}

// maxPut bounds how many statements wait.
const maxPut = 64

// put notes a statement that is sent later.
func (c *conn) put(sql string, nv []driver.NamedValue) {
	p := put{sql: c.d.numbered.rewrite(sql), args: make([]any, len(nv)), explain: c.putOff}
	for i := range nv {
		p.args[i] = nv[i].Value
	}
	c.puts = append(c.puts, p)
}

// catchUp sends what was put off, and last too where it is not empty. Its errors are explained.
func (c *conn) catchUp(ctx context.Context, last string) (err error) {
	if len(c.puts) == 0 && last == "" {
		return nil
	}
	var b pgx.Batch
	for _, p := range c.puts {
		b.Queue(p.sql, p.args...)
	}
	if last != "" {
		b.Queue(last)
	}
	puts := c.puts
	c.puts = nil
	answers := c.Conn.(*stdlib.Conn).Conn().SendBatch(ctx, &b)
	explain := func(err error) error { return err }
	for i := range b.QueuedQueries {
		if _, err = answers.Exec(); err != nil {
			if i < len(puts) {
				explain = puts[i].explain
			}
			break
		}
	}
	if cerr := answers.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return explain(c.failed(ctx, err))
	}
	return nil
}
