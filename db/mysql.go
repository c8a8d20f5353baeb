package db

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/openlectern/lectern/fault"
)

// serverConns bounds each pool on a server, and serverIdle how long a connection waits for work.
const (
	serverConns = 16
	serverIdle  = 5 * time.Minute
)

// sqlMode is that of MySQL 8, on MariaDB too: strict, so that nothing is cut or changed silently.
const sqlMode = "'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"

// openMySQL opens a MySQL or MariaDB database.
func (d *DB) openMySQL(ctx context.Context, t target) error {
	cfg, err := mysqlConfig(t)
	if err != nil {
		return err
	}
	k, err := mysql.NewConnector(cfg)
	if err != nil {
		return usage("its parameters do not suit the MySQL driver: " + err.Error())
	}
	d.begin, d.beginRead = "START TRANSACTION", "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
	reader := []string{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"}
	writer := []string{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET SESSION foreign_key_checks = 1"}
	reading, writing := &connector{d: d, connect: k.Connect, set: reader}, &connector{d: d, connect: k.Connect, set: writer}
	d.readers = newPool(reading, serverConns, serverIdle)
	if !d.o.ReadOnly {
		d.writers = newPool(writing, serverConns, serverIdle)
	}
	if err := d.Query(ctx, "SELECT version()", nil, func(r *Row) error { return r.Scan(&d.version) }); err != nil {
		return d.cannotOpen(t, err)
	}
	if err := d.joinCluster(ctx, cfg, reading, writing); err != nil {
		return err
	}
	oldest := [2]int{8, 0}
	switch {
	case strings.Contains(d.version, "MariaDB"):
		d.engine, oldest = MariaDB, [2]int{10, 6}
	case strings.Contains(d.version, "TiDB"):
		d.beginRead = "START TRANSACTION WITH CONSISTENT SNAPSHOT" // TiDB refuses READ ONLY; the layer does so anyway
	}
	return d.atLeast(oldest)
}

// syncWait makes a transaction begin with everything that was committed on any node before it (test-servers.md §4.1 (6)).
const syncWait = "SET SESSION wsrep_sync_wait = 1"

// joinCluster looks whether the server is a node of a Galera cluster, where the connections made from now on read what
// was written through another node. Who names wsrep_sync_wait in the URL has chosen otherwise.
func (d *DB) joinCluster(ctx context.Context, cfg *mysql.Config, connectors ...*connector) error {
	return d.with(ctx, d.readers, func(c *conn) error {
		err := c.query(ctx, "SHOW GLOBAL VARIABLES LIKE 'wsrep_on'", nil, func(r *Row) error {
			var name, on string
			err := r.Scan(&name, &on)
			d.cluster = on == "ON"
			return err
		})
		if _, named := cfg.Params["wsrep_sync_wait"]; err != nil || !d.cluster || named {
			return err
		}
		for _, k := range connectors {
			k.set = append(k.set, syncWait)
		}
		return c.control(ctx, syncWait) // this connection was made before
	})
}

// mysqlConfig makes the driver's settings: those of the URL first, then the ones that the layer relies on.
func mysqlConfig(t target) (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN("tcp(" + t.addr + ")/?" + t.params)
	if err != nil {
		return nil, usage("its parameters do not suit the MySQL driver: " + err.Error())
	}
	cfg.User, cfg.Passwd, cfg.DBName = t.user, t.password, t.database
	cfg.InterpolateParams = true // one round trip a statement
	cfg.ParseTime = true
	cfg.Loc = time.UTC
	cfg.ClientFoundRows = true // affected = matched, as on the other engines and as Django has it
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	cfg.Params["time_zone"] = "'+00:00'"
	cfg.Params["sql_mode"] = sqlMode
	if cfg.Collation == "" {
		cfg.Collation = "utf8mb4_bin" // where two values meet and neither is a column, bytes count, as on the other engines
	}
	if err := cfg.Apply(mysql.Charset("utf8mb4", cfg.Collation)); err != nil {
		return nil, usage("its parameters do not suit the MySQL driver: " + err.Error())
	}
	cfg.Logger = &mysql.NopLogger{} // what went wrong is in the errors
	return cfg, nil
}

// atLeast refuses a server that is older than what lectern is tested with.
func (d *DB) atLeast(oldest [2]int) error {
	var major, minor int
	if n, _ := fmt.Sscanf(d.version, "%d.%d", &major, &minor); n == 0 {
		return nil // a version we cannot read is not a reason to refuse
	}
	if major > oldest[0] || major == oldest[0] && minor >= oldest[1] {
		return nil
	}
	return fault.Errorf(fault.Refused, d.name, "runs %s %s, which is too old", d.engine, d.version).
		WithNext(fmt.Sprintf("use %s %d.%d or newer", d.engine, oldest[0], oldest[1]))
}

// mysqlCondition classifies an error of the MySQL driver by its number (test-servers.md §7).
func mysqlCondition(err error) (error, bool) {
	if errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, driver.ErrBadConn) {
		return ErrUnavailable, true
	}
	if errors.Is(err, mysql.ErrPktTooLarge) {
		return ErrTooLong, true
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return nil, false
	}
	switch e.Number {
	case 1062, 1169, 1586:
		return ErrDuplicate, true
	case 1216, 1217, 1451, 1452:
		return ErrForeignKey, true
	case 3819, 4025, 1264, 1690: // CHECK on MySQL, on MariaDB; out of range of a column, of a type
		return ErrCheck, true
	case 1048, 1364:
		return ErrNotNull, true
	case 1406, 1153, 1301:
		return ErrTooLong, true
	case 1366:
		return ErrText, true
	case 1213, 1205, 3572, 1020, 1412, 8002, 8022, 8028, 9007: // deadlock, lock wait, NOWAIT, snapshot lost, table changed; the rest is TiDB's
		return ErrRetry, true
	case 1290, 1792, 1836:
		return ErrReadOnly, true
	case 1021, 1114:
		return ErrFull, true
	case 1665:
		return ErrBinaryLog, true
	case 1040, 1044, 1045, 1047, 1049, 1053, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1180, 1203, 1226, 1698, 1927, 3118, 3169, 4031:
		return ErrUnavailable, true // 1047 is Galera without a majority, 1180 the same while it commits; the rest: too many connections, no access, ended
	}
	return nil, true
}

// leftCluster reports what a Galera node says of every statement while it is not in the part of the cluster that has the
// majority (test-servers.md §4.1 (9)).
func leftCluster(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && e.Number == 1047
}

// writeSetTooLarge reports what a Galera node says of a transaction over wsrep_max_ws_size: the number that stands for
// errors without one. It has no other meaning in transactions of ours on a cluster.
func writeSetTooLarge(err error) bool {
	var e *mysql.MySQLError
	return errors.As(err, &e) && e.Number == 1105
}

// cannotOpen tells of a server database that cannot be used from the start: a wrong name or password is not a matter
// of waiting.
func (d *DB) cannotOpen(t target, err error) error {
	var my *mysql.MySQLError
	f := &fault.Error{Kind: fault.Unavailable, Thing: d.name, Err: err}
	code := postgresCode(err)
	switch my, ok := my, errors.As(err, &my); {
	case ok && my.Number == 1049 || code == "3D000":
		f.Kind, f.Text, f.Next = fault.NotFound, "the server has no database of this name", "make it on the server, or check the name"
	case ok && (my.Number == 1044 || my.Number == 1045 || my.Number == 1698) || code == "28P01" || code == "28000" || code == "42501":
		f.Text, f.Next = "the server refuses the user "+t.user, "check the user, the password and what the server grants to them"
	default:
		return err
	}
	return f
}
