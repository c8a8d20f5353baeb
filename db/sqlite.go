package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/openlectern/lectern/fault"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteDriver is a driver of our own, so that REGEXP does not become a global of every SQLite user in the process.
var sqliteDriver = sync.OnceValues(func() (*sqlite.Driver, error) {
	d := &sqlite.Driver{}
	err := d.RegisterDeterministicScalarFunction("regexp", 2, func(_ *sqlite.FunctionContext, a []driver.Value) (driver.Value, error) {
		return sqliteRegexp(a[0], a[1])
	})
	return d, err
})

// How long SQLite itself waits for a lock, within one attempt of a unit of work. It cannot be interrupted meanwhile, so
// the time is short for writers, which try again, and long for readers, which do not.
const (
	writerBusy = "PRAGMA busy_timeout = 2000"
	readerBusy = "PRAGMA busy_timeout = 10000"
)

// openSQLite opens the file and makes it when it may. The first write sets WAL, so that readers and the one writer do not
// wait for each other. It never opens the file by itself: closing it would drop the locks that SQLite holds for the whole process.
func (d *DB) openSQLite(ctx context.Context, t target) error {
	drv, err := sqliteDriver()
	if err != nil {
		return err
	}
	d.begin, d.beginRead = "BEGIN IMMEDIATE", "BEGIN"
	fresh, err := d.sqliteFile(t)
	if err != nil {
		return err
	}
	open := func(mode string) func(context.Context) (driver.Conn, error) {
		dsn := sqliteDSN(t, mode)
		return func(context.Context) (driver.Conn, error) { return drv.Open(dsn) }
	}
	if d.o.ReadOnly {
		return d.openReadOnly(ctx, t, open)
	}
	mode := "rw"
	if fresh {
		mode = "rwc"
	}
	// The timeout comes first: every later statement may have to wait.
	w := &connector{d: d, connect: open(mode), set: []string{writerBusy, "PRAGMA foreign_keys = ON", "PRAGMA synchronous = NORMAL",
		"PRAGMA journal_size_limit = 67108864" /* bytes */, "PRAGMA cache_size = -16000" /* KiB */}}
	d.writers = newPool(w, 1, 0)
	d.beforeWrite = d.setWAL // not before: a file that turns out not to be ours is left as it is, byte by byte
	if fresh {
		if err := d.writer(ctx, func(*conn) error { return nil }); err != nil {
			return err
		}
	}
	d.readers = newPool(&connector{d: d, connect: open("rw"), set: readerSettings}, max(4, 2*runtime.GOMAXPROCS(0)), 5*time.Minute)
	return d.sqliteVersion(ctx)
}

var readerSettings = []string{readerBusy, "PRAGMA foreign_keys = ON", "PRAGMA query_only = ON"}

// sqliteFile looks at the file's name and place, and reports whether the file must be made.
func (d *DB) sqliteFile(t target) (fresh bool, err error) {
	info, err := os.Stat(t.path)
	switch {
	case err == nil && info.IsDir():
		return false, fault.Errorf(fault.Refused, t.name, "is a folder, not a database file").WithNext("name a file in it")
	case err == nil:
		return false, nil
	case !errors.Is(err, os.ErrNotExist):
		return false, fault.Errorf(fault.Unavailable, t.name, "cannot be reached: %w", err).WithNext("check the path and its permissions")
	case !d.o.Create || d.o.ReadOnly:
		return false, fault.Errorf(fault.NotFound, t.name, "there is no such database").WithNext("check the path, or make the database with lectern db init")
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o777); err != nil {
		return false, fault.Errorf(fault.Unavailable, t.name, "its folder cannot be made: %w", err).WithNext("make the folder, writable for the user running lectern")
	}
	return true, nil
}

// sqliteDSN writes the file as a URI: as a plain path, a ? in it would cut it short.
func sqliteDSN(t target, mode string) string {
	path := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(filepath.ToSlash(t.path))
	dsn := "file://" + path + "?mode=" + mode
	if t.params != "" {
		dsn += "&" + t.params
	}
	return dsn
}

// setWAL changes the journal mode if it is another. That needs the file alone; a database that others keep busy stays in
// its own mode, which works too, until it is opened another time.
func (d *DB) setWAL(ctx context.Context) error {
	for start := time.Now(); ; {
		err := d.with(ctx, d.writers, func(c *conn) error {
			mode := ""
			scan := func(r *Row) error { return r.Scan(&mode) }
			if err := c.query(ctx, "PRAGMA journal_mode", nil, scan); err != nil || mode == "wal" {
				return err
			}
			return c.query(ctx, "PRAGMA journal_mode = WAL", nil, scan)
		})
		switch {
		case !errors.Is(err, ErrRetry):
			return err
		case time.Since(start) > 3*time.Second:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// openReadOnly opens the file for readers only. In a folder that cannot be written SQLite cannot make the shared memory
// of WAL; without a log beside it the file can still be read as one that nobody changes.
func (d *DB) openReadOnly(ctx context.Context, t target, open func(string) func(context.Context) (driver.Conn, error)) error {
	d.readers = newPool(&connector{d: d, connect: open("ro"), set: readerSettings}, max(4, 2*runtime.GOMAXPROCS(0)), 5*time.Minute)
	err := d.sqliteVersion(ctx)
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrReadOnly) {
		return err
	}
	if log, serr := os.Stat(t.path + "-wal"); serr == nil && log.Size() > 0 {
		return err
	}
	if cerr := d.readers.Close(); cerr != nil {
		return errors.Join(err, cerr)
	}
	d.readers = newPool(&connector{d: d, connect: open("ro&immutable=1"), set: readerSettings}, max(4, 2*runtime.GOMAXPROCS(0)), 5*time.Minute)
	return d.sqliteVersion(ctx)
}

// sqliteVersion reads the library's version and, by the way, the file's first page.
func (d *DB) sqliteVersion(ctx context.Context) error {
	return d.Query(ctx, "SELECT sqlite_version() FROM (SELECT count(*) FROM sqlite_schema)", nil, func(r *Row) error { return r.Scan(&d.version) })
}

// sqliteCondition classifies an error of the SQLite driver by its (extended) result code.
func sqliteCondition(err error) (error, bool) {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil, false
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return ErrDuplicate, true
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return ErrForeignKey, true
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return ErrCheck, true
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return ErrNotNull, true
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL:
		return ErrRetry, true
	case sqlite3.SQLITE_FULL:
		return ErrFull, true
	case sqlite3.SQLITE_TOOBIG:
		return ErrTooLong, true
	case sqlite3.SQLITE_READONLY:
		return ErrReadOnly, true
	case sqlite3.SQLITE_NOTADB:
		return ErrNotDatabase, true
	case sqlite3.SQLITE_CORRUPT:
		return ErrDamaged, true
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return ErrUnavailable, true
	}
	return nil, true
}
