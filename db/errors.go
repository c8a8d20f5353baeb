package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/openlectern/lectern/fault"
)

// Conditions that callers decide by, with errors.Is. They are told by the driver's type and code, never by text
// (test-servers.md §7); the driver's own error stays in the tree.
var (
	ErrDuplicate   = errors.New("a row with this key exists already")
	ErrForeignKey  = errors.New("a row that is referred to is missing, or a row is still referred to")
	ErrCheck       = errors.New("the table refuses the value") // a CHECK, or a number out of the column's range
	ErrNotNull     = errors.New("a value is missing")
	ErrTooLong     = errors.New("a value is too long for its column")
	ErrText        = errors.New("not text that this database can store") // NUL on PostgreSQL, or not UTF-8
	ErrRetry       = errors.New("another transaction was in the way")    // the whole unit of work may be run again
	ErrUnavailable = errors.New("the database cannot be used now")
	ErrReadOnly    = errors.New("the database is read-only")
	ErrFull        = errors.New("the disk or the database is full")
	ErrNotDatabase = errors.New("not a SQLite database")
	ErrDamaged     = errors.New("the database file is damaged")
	ErrBinaryLog   = errors.New("the server's binary log is statement based, which InnoDB does not allow a writer at READ COMMITTED")
)

// conditionError is a driver error together with the condition it means.
type conditionError struct{ cond, cause error }

func (e *conditionError) Error() string   { return e.cond.Error() + ": " + e.cause.Error() }
func (e *conditionError) Unwrap() []error { return []error{e.cond, e.cause} }

// Raced is for writers that looked for a row before they inserted it: a duplicate then means that another transaction
// has made it meanwhile. It becomes an ErrRetry, so that the unit of work runs again and finds the row. Other errors
// stay as they are.
func Raced(err error) error {
	if !errors.Is(err, ErrDuplicate) {
		return err
	}
	return &conditionError{cond: ErrRetry, cause: err}
}

// explain gives err, which came from the driver, its condition, and where a person must act, its kind and next step.
// ctx is that of the call: what a cancelled call failed with is its cancellation.
func (d *DB) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cerr := ctx.Err(); cerr != nil {
		return cerr
	}
	var known *conditionError
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, ErrRetry) { // injected by a test
		return err
	}
	cond := condition(err)
	tooLarge := d.cluster && writeSetTooLarge(err)
	if tooLarge {
		cond = ErrFull
	}
	if cond == nil {
		return err
	}
	ce := &conditionError{cond: cond, cause: err}
	f := &fault.Error{Thing: d.name, Text: cond.Error(), Err: ce}
	switch cond {
	case ErrUnavailable:
		// The driver knows whether it is the address, the network or the disk; pgx says it in lines.
		f.Text = strings.Join(strings.Fields(ce.Error()), " ")
		f.Kind, f.Next = fault.Unavailable, "check that the server runs and can be reached, then try again"
		switch {
		case d.engine == SQLite:
			f.Next = "check that the user running lectern may read and write the file and its folder, and that the disk works"
		case leftCluster(err):
			f.Text = "this node has lost the majority of its cluster, so it neither reads nor writes"
			f.Next = "use another node, or try again when most of the nodes run and reach each other"
		}
	case ErrReadOnly:
		f.Kind, f.Next = fault.Unavailable, "use a server or an account that may write"
		if d.engine == SQLite {
			f.Next = "let the user running lectern write the file and its folder"
		}
	case ErrFull:
		f.Kind, f.Next = fault.Unavailable, "make room on the disk of the database, then try again; nothing was saved"
		if tooLarge {
			f.Text = "the change is larger than what the nodes of the cluster take as one transaction; nothing was saved"
			f.Next = "raise wsrep_max_ws_size on all nodes, up to 2 GB, then try again"
		}
	case ErrNotDatabase:
		f.Kind, f.Next = fault.Refused, "name a SQLite database file, or a file that does not exist yet"
	case ErrBinaryLog:
		f.Kind, f.Next = fault.Refused, "set binlog_format to MIXED or ROW on the server, as Django needs it, too"
	case ErrDamaged:
		f.Kind, f.Next = fault.Unavailable, "restore the file from a backup"
	default:
		return ce
	}
	return f
}

// condition returns the condition that a driver error means, nil for one that means a mistake in the program.
func condition(err error) error {
	if c, ok := sqliteCondition(err); ok {
		return c
	}
	if c, ok := mysqlCondition(err); ok {
		return c
	}
	if c, ok := postgresCondition(err); ok {
		return c
	}
	var ne net.Error
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, &ne):
		return ErrUnavailable
	}
	return nil
}
