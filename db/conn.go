package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// maxStatements bounds the prepared statements kept on one SQLite connection, maxKept the length of their text: scripts
// run once.
const (
	maxStatements = 256
	maxKept       = 16 << 10
)

// conn is one connection of a pool. The pool is database/sql's; statements go past it straight to the driver, which
// spares the copies, locks and reflection of its Exec, Query and Scan. One goroutine uses a conn at a time.
type conn struct {
	driver.Conn
	d   *DB
	enc encoder

	nv     []driver.NamedValue // the arguments of the statement that is being sent, reused
	vals   []driver.Value      // the row that is being scanned, reused
	stmts  map[string]*stmt    // SQLite: prepared statements by their text
	inScan bool                // rows are open: no other statement now
	dead   bool                // must not go back to the pool

	putOff func(error) error // set while statements are put off, see Tx.Later
	puts   []put             // those that wait
}

var errInScan = errors.New("db: a statement inside the scan or the row function of another one: collect the rows first")

// IsValid is asked by the pool before a connection goes back.
func (c *conn) IsValid() bool {
	if c.dead {
		return false
	}
	v, ok := c.Conn.(driver.Validator)
	return !ok || v.IsValid()
}

// ResetSession is asked by the pool before a connection is used again.
func (c *conn) ResetSession(ctx context.Context) error {
	if r, ok := c.Conn.(driver.SessionResetter); ok {
		return r.ResetSession(ctx)
	}
	return nil
}

// Close ends the connection and its statements.
func (c *conn) Close() error {
	return errors.Join(c.forget(), c.Conn.Close())
}

func (c *conn) forget() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.driver.Close())
	}
	clear(c.stmts)
	return errors.Join(errs...)
}

// control runs a statement of the layer itself: BEGIN, COMMIT, settings.
func (c *conn) control(ctx context.Context, sql string) error {
	if err := c.d.fault(sql); err != nil {
		return err
	}
	_, err := c.send(ctx, sql, nil)
	return err
}

// bind converts args into c.nv.
func (c *conn) bind(args []any) ([]driver.NamedValue, error) {
	c.room(len(args))
	for i, a := range args {
		v, err := c.enc.value(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		c.nv[i].Value = v
	}
	return c.nv, nil
}

// room makes c.nv hold n arguments.
func (c *conn) room(n int) {
	if cap(c.nv) < n {
		c.nv = make([]driver.NamedValue, n)
	}
	c.nv = c.nv[:n]
	for i := range c.nv {
		c.nv[i].Ordinal = i + 1
	}
}

// exec runs one statement of a caller.
func (c *conn) exec(ctx context.Context, sql string, args []any) (driver.Result, error) {
	if err := c.d.announce(ctx, c, sql); err != nil {
		return nil, err
	}
	nv, err := c.bind(args)
	if err != nil {
		return nil, err
	}
	if c.d.o.OnPlan != nil {
		if err := c.explained(ctx, sql, nv); err != nil {
			return nil, err
		}
	}
	if c.putOff != nil {
		c.put(sql, nv)
		return driver.RowsAffected(0), nil
	}
	res, err := c.send(ctx, sql, nv)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	return res, nil
}

// send hands a statement without rows to the driver.
func (c *conn) send(ctx context.Context, sql string, nv []driver.NamedValue) (res driver.Result, err error) {
	switch c.d.engine {
	case SQLite:
		st, done, err := c.prepared(ctx, sql, len(nv))
		if err != nil {
			return nil, err
		}
		res, err := st.driver.ExecContext(ctx, nv)
		return res, errors.Join(err, done())
	case PostgreSQL:
		return c.Conn.(driver.ExecerContext).ExecContext(ctx, c.d.numbered.rewrite(sql), nv)
	}
	res, err = c.Conn.(driver.ExecerContext).ExecContext(ctx, sql, nv)
	if !errors.Is(err, driver.ErrSkip) {
		return res, err
	}
	// The driver would not write the arguments into the statement: it is too large, or their number is wrong.
	st, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, sql)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if st.NumInput() != len(nv) {
		return nil, countError(len(nv), st.NumInput())
	}
	return st.(driver.StmtExecContext).ExecContext(ctx, nv)
}

// query runs one statement with rows and gives each to scan, until that returns an error, which is then query's too.
func (c *conn) query(ctx context.Context, sql string, args []any, scan func(*Row) error) error {
	stopped, err := c.scan(ctx, sql, args, scan)
	if err != nil {
		return err
	}
	return stopped
}

// scan is query that tells why scan stopped from what went wrong in the database. The latter may come after the rows: a
// Galera node gives the rows of a SELECT first and then says that the transaction has been given up.
func (c *conn) scan(ctx context.Context, sql string, args []any, scan func(*Row) error) (stopped, err error) {
	if err := c.catchUp(ctx, ""); err != nil {
		return nil, err
	}
	if err := c.d.announce(ctx, c, sql); err != nil {
		return nil, err
	}
	nv, err := c.bind(args)
	if err != nil {
		return nil, err
	}
	if c.d.o.OnPlan != nil {
		if err := c.explained(ctx, sql, nv); err != nil {
			return nil, err
		}
	}
	rows, done, err := c.open(ctx, sql, nv)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	c.inScan = true
	ended := false
	defer func() {
		c.inScan = false
		cerr := errors.Join(rows.Close(), done())
		if !ended { // scan panicked
			c.dead = true
		} else if err == nil && cerr != nil {
			err = c.failed(ctx, cerr)
		}
	}()
	err = c.each(ctx, rows, func(r *Row) error {
		stopped = scan(r)
		return stopped
	})
	if stopped != nil {
		err = nil
	}
	ended = true
	return stopped, err
}

// each gives the rows to scan.
func (c *conn) each(ctx context.Context, rows driver.Rows, scan func(*Row) error) error {
	n := len(rows.Columns())
	if cap(c.vals) < n {
		c.vals = make([]driver.Value, n)
	}
	row := Row{vals: c.vals[:n], rows: rows}
	for {
		if err := rows.Next(row.vals); err == io.EOF {
			return nil
		} else if err != nil {
			return c.failed(ctx, err)
		}
		if err := scan(&row); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// open hands a statement with rows to the driver; done is to be called after the rows are closed.
func (c *conn) open(ctx context.Context, sql string, nv []driver.NamedValue) (rows driver.Rows, done func() error, err error) {
	done = nothing
	switch c.d.engine {
	case SQLite:
		st, done, err := c.prepared(ctx, sql, len(nv))
		if err != nil {
			return nil, nil, err
		}
		if rows, err = st.driver.QueryContext(ctx, nv); err != nil {
			return nil, nil, errors.Join(err, done())
		}
		return rows, done, nil
	case PostgreSQL:
		rows, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, c.d.numbered.rewrite(sql), nv)
		return rows, done, err
	}
	rows, err = c.Conn.(driver.QueryerContext).QueryContext(ctx, sql, nv)
	if !errors.Is(err, driver.ErrSkip) {
		return rows, done, err
	}
	st, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, sql)
	if err != nil {
		return nil, nil, err
	}
	if st.NumInput() != len(nv) {
		return nil, nil, errors.Join(countError(len(nv), st.NumInput()), st.Close())
	}
	rows, err = st.(driver.StmtQueryContext).QueryContext(ctx, nv)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return rows, st.Close, nil
}

func nothing() error { return nil }

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// stmt is a prepared SQLite statement.
type stmt struct {
	driver sqliteStmt
	inputs int // placeholders: the driver would pass over surplus arguments
}

// prepared returns the SQLite statement for sql, kept from an earlier call where there was one; done is to be called
// after its use. No two uses of a statement overlap, because a scan admits no other statement.
func (c *conn) prepared(ctx context.Context, sql string, args int) (st *stmt, done func() error, err error) {
	done = nothing
	if st = c.stmts[sql]; st == nil {
		if st, err = c.prepare(ctx, sql); err != nil {
			return nil, nil, err
		}
		if len(sql) > maxKept {
			done = st.driver.Close
		} else {
			c.stmts[sql] = st
		}
	}
	if st.inputs != args {
		return nil, nil, errors.Join(countError(args, st.inputs), done())
	}
	return st, done, nil
}

func (c *conn) prepare(ctx context.Context, sql string) (*stmt, error) {
	if c.stmts == nil {
		c.stmts = map[string]*stmt{}
	}
	if len(c.stmts) >= maxStatements {
		if err := c.forget(); err != nil {
			return nil, err
		}
	}
	ds, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, sql)
	if err != nil {
		return nil, err
	}
	st := &stmt{driver: ds.(sqliteStmt)}
	eachPlaceholder(sql, func(int) { st.inputs++ })
	return st, nil
}

func countError(args, placeholders int) error {
	return fmt.Errorf("db: %d arguments for %d placeholders", args, placeholders)
}

// failed explains a driver error and keeps a broken connection from the pool.
func (c *conn) failed(ctx context.Context, err error) error {
	err = c.d.explain(ctx, err)
	if errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
		c.dead = true
	}
	return err
}
