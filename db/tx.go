package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/openlectern/lectern/fault"
)

// Tx is a running transaction. It lives only inside the function given to View or Update and is not safe for
// concurrent use.
type Tx struct {
	Queries
	d        *DB
	c        *conn
	now      time.Time
	readOnly bool
	done     bool
	failed   error       // the first statement error: such a transaction cannot commit
	local    map[any]any // see Local
}

// Now returns the transaction's one clock reading: UTC, cut to microseconds.
func (tx *Tx) Now() time.Time { return tx.now }

// Cluster is [DB.Cluster].
func (tx *Tx) Cluster() bool { return tx.d.cluster }

// View runs fn on one consistent snapshot, in a transaction that cannot write. fn runs once.
func (d *DB) View(ctx context.Context, fn func(*Tx) error) error {
	return d.lost(d.with(ctx, d.readers, func(c *conn) error { return c.transact(ctx, true, fn) }))
}

// Update runs fn in a transaction that may write, and commits what it did, or nothing if it returns an error or panics.
// The transaction holds SQLite's write lock from its start; on servers it is READ COMMITTED.
//
// After a deadlock, a lost race or a busy database, fn runs again from its start in a new transaction, with pauses that
// grow, for up to about a minute; then the error is a fault.Conflict. So fn must have no effects outside the
// transaction but setting variables. fn must not call Update, View, Exec or Query of the *DB: on SQLite the first would
// wait for itself.
func (d *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := d.writable(); err != nil {
		return err
	}
	return d.retry(ctx, func() error {
		return d.writer(ctx, func(c *conn) error { return c.transact(ctx, false, fn) })
	})
}

// Session is one connection outside a transaction, for what needs one: settings of the connection, and DDL on engines
// where it commits by itself. It is not safe for concurrent use.
type Session struct {
	Queries
	c *conn
}

// Session runs fn with one writing connection, which is thrown away afterwards with its settings: a PRAGMA or SET
// belongs here, as through DB.Exec it would stay on some connection of the pool. On SQLite it keeps every other writer
// of this process waiting. fn runs once; its statements are not tried again.
func (d *DB) Session(ctx context.Context, fn func(*Session) error) error {
	if err := d.writable(); err != nil {
		return err
	}
	return d.writer(ctx, func(c *conn) error {
		c.dead = true
		s := &Session{c: c}
		s.Queries.s = direct{s}
		return fn(s)
	})
}

// Update is [DB.Update] on the session's connection.
func (s *Session) Update(ctx context.Context, fn func(*Tx) error) error {
	return s.c.d.retry(ctx, func() error { return s.Once(ctx, fn) })
}

// Once is Update that does not run fn again: what is in the way is an ErrRetry, nothing is saved, and the caller decides
// whether and when to try again.
func (s *Session) Once(ctx context.Context, fn func(*Tx) error) error {
	err := s.c.transact(ctx, false, fn)
	var stale *staleError
	if errors.As(err, &stale) {
		return stale.err // which would make Session run from its start on another connection
	}
	return err
}

// DB returns the database whose connection this is, to look from another one at what this one waits for.
func (s *Session) DB() *DB { return s.c.d }

// direct is the session of a *Session.
type direct struct{ s *Session }

func (x direct) kind() Engine { return x.s.c.d.engine }

func (x direct) exec(ctx context.Context, sql string, args []any) (int64, error) {
	res, err := x.s.c.exec(ctx, sql, args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (x direct) query(ctx context.Context, sql string, args []any, scan func(*Row) error) error {
	return x.s.c.query(ctx, sql, args, scan)
}

func (x direct) together(ctx context.Context, _ bool, f func(Querier) error) error {
	return x.s.Update(ctx, func(tx *Tx) error { return f(tx) })
}

// running is the session of a *Tx.
type running struct{ tx *Tx }

func (r running) kind() Engine { return r.tx.d.engine }

func (r running) exec(ctx context.Context, sql string, args []any) (n int64, err error) {
	err = r.tx.run(true, func(c *conn) error {
		res, err := c.exec(ctx, sql, args)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	return n, err
}

func (r running) query(ctx context.Context, sql string, args []any, scan func(*Row) error) error {
	var stopped error // the caller's reason, no failure of the transaction
	err := r.tx.run(false, func(c *conn) (err error) {
		stopped, err = c.scan(ctx, sql, args, scan)
		return err
	})
	if err != nil {
		return err
	}
	return stopped
}

func (r running) together(_ context.Context, _ bool, f func(Querier) error) error { return f(r.tx) }

var errDone = errors.New("db: the transaction has ended")

// run runs one statement of the transaction and remembers its failure.
func (tx *Tx) run(write bool, f func(*conn) error) error {
	switch {
	case tx.done:
		return errDone
	case tx.failed != nil:
		return fmt.Errorf("db: a statement of this transaction failed before: %w", tx.failed)
	case write && tx.readOnly:
		return fmt.Errorf("db: a statement that writes in a view: %w", ErrReadOnly)
	}
	err := f(tx.c)
	if err != nil && !errors.Is(err, errInScan) {
		tx.failed = err
	}
	return err
}

// transact runs fn in one transaction on c.
func (c *conn) transact(ctx context.Context, readOnly bool, fn func(*Tx) error) (err error) {
	d := c.d
	begin := d.begin
	if readOnly {
		begin = d.beginRead
	}
	if err := c.control(ctx, begin); err != nil {
		if err = c.failed(ctx, err); errors.Is(err, ErrUnavailable) && d.engine != SQLite {
			return &staleError{err}
		}
		return err
	}
	tx := &Tx{d: d, c: c, now: d.o.Clock().UTC().Truncate(time.Microsecond), readOnly: readOnly}
	tx.Queries.s = running{tx}
	ended := false
	defer func() {
		tx.done = true
		if !ended {
			c.rollback(ctx)
		}
	}()
	err = fn(tx)
	if tx.failed != nil && (err == nil || errors.Is(tx.failed, ErrRetry)) {
		// fn must not turn a failure into a success, nor hide that running it again may help.
		err = tx.failed
	}
	if err == nil && !readOnly {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if err := c.commit(context.WithoutCancel(ctx)); err != nil {
		if errors.Is(err, ErrUnavailable) && !readOnly && d.engine != SQLite {
			lost := "the connection"
			if d.cluster {
				lost = "the connection, or the node's to its cluster,"
			}
			err = &fault.Error{Kind: fault.Unavailable, Thing: d.name, Text: lost + " was lost while saving: the change may or may not have been saved",
				Next: "look whether it is there before trying again", Err: err}
		}
		return err
	}
	ended = true
	return nil
}

// commit ends the transaction, with what was put off. Its errors are explained.
func (c *conn) commit(ctx context.Context) error {
	if len(c.puts) == 0 {
		if err := c.control(ctx, "COMMIT"); err != nil {
			return c.failed(ctx, err)
		}
		return nil
	}
	if err := c.d.fault("COMMIT"); err != nil {
		return c.failed(ctx, err)
	}
	return c.catchUp(ctx, "COMMIT")
}

// rollback undoes the transaction on c; a connection on which that fails is thrown away, which undoes it as well.
func (c *conn) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	c.puts, c.putOff = nil, nil
	if _, err := c.send(ctx, "ROLLBACK", nil); err != nil {
		c.dead = true
	}
}

// A unit of work is tried again up to maxAttempts times, but not much longer than maxElapsed, with pauses up to maxPause.
// SQLite's own wait for its write lock (writerBusy) comes on top of each attempt.
const (
	maxAttempts = 25
	minAttempts = 5
	maxElapsed  = time.Minute
	maxPause    = 250 * time.Millisecond
	maxTurn     = 10 * time.Second // that a unit waits for others that have lost too
)

// retry runs unit until it succeeds, fails for another reason than ErrRetry, or has been tried often enough. Units of this
// process that have lost run one at a time, so that those that lock each other out do so once.
func (d *DB) retry(ctx context.Context, unit func() error) error {
	start := time.Now()
	leave := func() {}
	for attempt := 1; ; attempt++ {
		err := unit()
		leave()
		if err == nil || !errors.Is(err, ErrRetry) {
			return err
		}
		if attempt == maxAttempts || attempt >= minAttempts && time.Since(start) > maxElapsed {
			return d.lost(err)
		}
		pause := min(time.Millisecond<<min(attempt, 10), maxPause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rand.N(pause)): // different pauses, so that losers of two processes do not meet again
		}
		leave = d.queue(ctx)
	}
}

// queue waits for the turn of a unit that has lost, but not for ever; the function that it returns gives the turn away.
func (d *DB) queue(ctx context.Context) (leave func()) {
	timeout := time.NewTimer(maxTurn)
	defer timeout.Stop()
	select {
	case d.losers <- struct{}{}:
		return func() { <-d.losers }
	case <-timeout.C:
	case <-ctx.Done(): // which the unit will find
	}
	return func() {}
}

// lost tells of an ErrRetry that is not tried again as a fault.Conflict. Other errors stay as they are.
func (d *DB) lost(err error) error {
	var f *fault.Error
	if err == nil || !errors.Is(err, ErrRetry) || errors.As(err, &f) {
		return err
	}
	f = &fault.Error{Kind: fault.Conflict, Thing: d.name, Text: "other writers were in the way every time", Next: "try again when they are done", Err: err}
	if d.engine == SQLite {
		f.Text = "another program keeps the database locked"
	}
	return f
}

// newPool makes a pool of connections.
func newPool(k *connector, size int, idle time.Duration) *sql.DB {
	p := sql.OpenDB(k)
	p.SetMaxOpenConns(size)
	p.SetMaxIdleConns(size)
	p.SetConnMaxIdleTime(idle)
	return p
}
