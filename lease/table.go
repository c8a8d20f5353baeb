package lease

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openlectern/lectern/db"
)

const table = "lectern_lock"

// definitions make the table where it is missing, in the form in which package schema has it.
var definitions = map[db.Engine]string{
	db.SQLite: `CREATE TABLE IF NOT EXISTS "lectern_lock" ("name" varchar(255) COLLATE BINARY NOT NULL PRIMARY KEY, ` +
		`"holder" varchar(255) COLLATE BINARY NOT NULL, "what" text NOT NULL, "taken_at" datetime NOT NULL, "ends_at" datetime NOT NULL)`,
	db.PostgreSQL: `CREATE TABLE IF NOT EXISTS "lectern_lock" ("name" varchar(255) NOT NULL CONSTRAINT "lectern_lock_pkey" PRIMARY KEY, ` +
		`"holder" varchar(255) NOT NULL, "what" text NOT NULL, "taken_at" timestamp with time zone NOT NULL, ` +
		`"ends_at" timestamp with time zone NOT NULL)`,
	db.MySQL:   mysqlDefinition,
	db.MariaDB: mysqlDefinition,
}

const mysqlDefinition = "CREATE TABLE IF NOT EXISTS `lectern_lock` (`name` varchar(255) COLLATE utf8mb4_bin NOT NULL PRIMARY KEY, " +
	"`holder` varchar(255) COLLATE utf8mb4_bin NOT NULL, `what` longtext NOT NULL, `taken_at` datetime(6) NOT NULL, " +
	"`ends_at` datetime(6) NOT NULL) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"

// there reports whether the database has the table. It asks the catalogue: to try the table would end a transaction of
// PostgreSQL.
func there(ctx context.Context, q db.Querier) (bool, error) {
	query := "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?"
	switch q.Engine() {
	case db.SQLite:
		query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
	case db.PostgreSQL:
		query = "SELECT 1 FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname = ?"
	}
	_, found, err := db.One(ctx, q, query, []any{table}, db.Value[int])
	if err != nil {
		return false, fmt.Errorf("look for table %s: %w", table, err)
	}
	return found, nil
}

// makeTable makes the table where it is missing.
func makeTable(ctx context.Context, d *db.DB) error {
	if found, err := there(ctx, d); found || err != nil {
		return err
	}
	_, err := d.Exec(ctx, definitions[d.Engine()])
	if err == nil {
		return nil
	}
	// PostgreSQL lets only one of two that make a table at once succeed, IF NOT EXISTS or not.
	if found, again := there(ctx, d); found && again == nil {
		return nil
	}
	return fmt.Errorf("make table %s: %w", table, err)
}

// clocks read the database's clock as it is now, not when the transaction began.
var clocks = map[db.Engine]string{
	db.SQLite:     "strftime('%Y-%m-%d %H:%M:%f', 'now')",
	db.PostgreSQL: "clock_timestamp()",
	db.MySQL:      "UTC_TIMESTAMP(6)",
	db.MariaDB:    "UTC_TIMESTAMP(6)",
}

// clock returns the time of the database's clock.
func clock(ctx context.Context, q db.Querier) (time.Time, error) {
	now, _, err := db.One(ctx, q, "SELECT "+clocks[q.Engine()], nil, db.Value[time.Time])
	if err != nil {
		return now, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}

// row is a row of the table, and when it was read by the database's clock.
type row struct {
	holder, what string
	taken, ends  time.Time
	read         time.Time
}

// read returns the row of a name.
func read(ctx context.Context, q db.Querier, name string) (r row, found bool, err error) {
	return db.One(ctx, q, "SELECT holder, what, taken_at, ends_at, "+clocks[q.Engine()]+" FROM lectern_lock WHERE name = ?", []any{name},
		func(in *db.Row) (r row, err error) {
			err = in.Scan(&r.holder, &r.what, &r.taken, &r.ends, &r.read)
			return r, err
		})
}

// claim makes the row ours if it is as it was read, or missing where it was not found; else the unit of work runs again.
func claim(ctx context.Context, tx *db.Tx, name string, was *row, now row) error {
	if was == nil {
		_, err := tx.Exec(ctx, "INSERT INTO lectern_lock (name, holder, what, taken_at, ends_at) VALUES (?, ?, ?, ?, ?)",
			name, now.holder, now.what, now.taken, now.ends)
		return db.Raced(err)
	}
	sql := "UPDATE lectern_lock SET holder = ?, what = ?, taken_at = ?, ends_at = ? WHERE name = ? AND holder = ?"
	args := []any{now.holder, now.what, now.taken, now.ends, name, was.holder}
	if tx.Engine() != db.SQLite {
		// Its holder may have renewed it since. Not on SQLite, where nobody else writes from the transaction's start, and
		// the time may be written in another form.
		sql, args = sql+" AND ends_at = ?", append(args, was.ends)
	}
	n, err := tx.Exec(ctx, sql, args...)
	if err == nil && n == 0 {
		err = errRaced
	}
	return err
}

var errRaced = fmt.Errorf("lease: the row has changed since it was read: %w", db.ErrRetry)

// ErrLost is what [Lease.Check] returns, wrapped, once the lease is another's or nobody's.
var ErrLost = errors.New("the lease was lost")
