package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openlectern/lectern/fault"
)

// Options say how to open a database. The zero value opens an existing one for reading and writing.
type Options struct {
	Create      bool             // SQLite: make the file and its folder when missing; otherwise a missing file is fault.NotFound
	ReadOnly    bool             // never write: Update, Exec and Session fail
	Clock       func() time.Time // default time.Now; read once per transaction
	OnStatement func(sql string) // told of every statement, or batch of one bulk call, that callers send; may be nil
	// Fault is asked before every statement, BEGIN and COMMIT included; what it returns is taken for the statement's
	// error, and the statement is not sent. It is for tests. An error that wraps ErrRetry makes the unit run again.
	Fault func(sql string) error
	// OnPlan is told how the engine will run each statement but those of bulk calls, before it does. It costs a statement
	// more for each; nil asks for nothing.
	OnPlan func(Plan)
}

// DB is an open database: a pool of connections that write, one only on SQLite, and a pool of those that read. It is
// safe for concurrent use.
type DB struct {
	Queries
	engine  Engine
	cluster bool // a node of a Galera cluster
	version string
	name    string // what messages call it: a path, or host and name without the password
	o       Options

	writers, readers *sql.DB // writers is nil when read-only

	losers chan struct{} // holds the turn of a unit that runs again

	beforeWrite func(context.Context) error // done before the first write; may be nil
	written     atomic.Bool                 // beforeWrite was done

	begin, beginRead string
	numbered         numbered
	types            columnTypes
}

// Open opens the database at url, in one of the forms of cli.md: a path, sqlite:PATH,
// mysql://user:pass@host:port/name (MariaDB too), postgres://user:pass@host:port/name; what follows a ? goes to the
// driver. It connects once, so that what is wrong shows here: a URL that does not parse is fault.Usage, a database that
// is not there fault.NotFound, a server that cannot be reached fault.Unavailable, a file of another kind or a server
// that is too old fault.Refused. Close ends it.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	d := &DB{engine: t.engine, name: t.name, o: o, losers: make(chan struct{}, 1)}
	d.Queries.s = pool{d}
	switch t.engine {
	case SQLite:
		err = d.openSQLite(ctx, t)
	case PostgreSQL:
		err = d.openPostgres(ctx, t)
	default:
		err = d.openMySQL(ctx, t)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Close ends all connections. Transactions that still run fail.
func (d *DB) Close() error {
	var errs []error
	for _, p := range []*sql.DB{d.readers, d.writers} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(errs...)
}

// Version returns the server's own version text, such as "10.11.19-MariaDB-…", or that of the SQLite library.
func (d *DB) Version() string { return d.version }

// Cluster reports whether the server is a node of a Galera cluster.
func (d *DB) Cluster() bool { return d.cluster }

// Name returns what messages call the database: its path, or host and name, never a password.
func (d *DB) Name() string { return d.name }

// announce reports a caller's statement, and refuses it while c's rows are being scanned.
func (d *DB) announce(ctx context.Context, c *conn, sql string) error {
	if c.inScan {
		return errInScan
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.putOff == nil || len(c.puts) == maxPut {
		if err := c.catchUp(ctx, ""); err != nil {
			return err
		}
	}
	if d.o.OnStatement != nil {
		d.o.OnStatement(sql)
	}
	return d.fault(sql)
}

func (d *DB) fault(sql string) error {
	if d.o.Fault == nil {
		return nil
	}
	return d.o.Fault(sql)
}

// with runs f on a connection of p. A connection that turns out to be broken before anything ran on it is replaced; one
// that f left dead does not go back (conn.IsValid).
func (d *DB) with(ctx context.Context, p *sql.DB, f func(*conn) error) error {
	for attempt := 0; ; attempt++ {
		sc, err := p.Conn(ctx)
		if err != nil {
			return d.explain(ctx, err)
		}
		err = sc.Raw(func(dc any) error { return f(dc.(*conn)) })
		_ = sc.Close() // gives the connection back; it has no error that f did not see
		var stale *staleError
		if errors.As(err, &stale) {
			if attempt < 3 {
				continue
			}
			return stale.err
		}
		return err
	}
}

// writer runs f on a writing connection, after what must be done before the first write.
func (d *DB) writer(ctx context.Context, f func(*conn) error) error {
	if d.beforeWrite != nil && !d.written.Load() {
		if err := d.beforeWrite(ctx); err != nil {
			return err
		}
		d.written.Store(true)
	}
	return d.with(ctx, d.writers, f)
}

// staleError says that a connection was broken before a transaction began on it, or before it gave a row.
type staleError struct{ err error }

func (e *staleError) Error() string { return e.err.Error() }

// pool is the session of a *DB: every call gets a connection of its own.
type pool struct{ d *DB }

func (p pool) kind() Engine { return p.d.engine }

func (p pool) exec(ctx context.Context, sql string, args []any) (n int64, err error) {
	if err := p.d.writable(); err != nil {
		return 0, err
	}
	err = p.d.retry(ctx, func() error {
		return p.d.writer(ctx, func(c *conn) error {
			res, err := c.exec(ctx, sql, args)
			if err == nil {
				n, err = res.RowsAffected()
			}
			return err
		})
	})
	return n, err
}

func (p pool) query(ctx context.Context, sql string, args []any, scan func(*Row) error) error {
	rows := 0
	return p.d.lost(p.d.with(ctx, p.d.readers, func(c *conn) error {
		err := c.query(ctx, sql, args, func(r *Row) error {
			rows++
			return scan(r)
		})
		if rows == 0 && p.d.engine != SQLite && (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRetry)) {
			return &staleError{err} // reading again does no harm
		}
		return err
	}))
}

func (p pool) together(ctx context.Context, write bool, f func(Querier) error) error {
	run := p.d.View
	if write {
		run = p.d.Update
	}
	return run(ctx, func(tx *Tx) error { return f(tx) })
}

func (d *DB) writable() error {
	if d.writers != nil {
		return nil
	}
	return &fault.Error{Kind: fault.Refused, Thing: d.name, Text: "the database was opened for reading only", Err: ErrReadOnly}
}

// connector makes the connections of a pool: connect dials, set is run on each new one.
type connector struct {
	d       *DB
	connect func(ctx context.Context) (driver.Conn, error)
	set     []string
}

func (k *connector) Connect(ctx context.Context) (driver.Conn, error) {
	dc, err := k.connect(ctx)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: dc, d: k.d, enc: encoder{engine: k.d.engine}}
	for _, s := range k.set {
		if _, err := c.send(ctx, s, nil); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func (k *connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("db: connections are made by the connector")
}

// columnTypes remembers the types of PostgreSQL tables' columns, for statements that take arrays of them.
type columnTypes struct {
	mu sync.Mutex
	m  map[string]map[string]string // mu guards m: table, column, base type
}
