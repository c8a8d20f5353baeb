package db

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// openPostgres opens a PostgreSQL database.
func (d *DB) openPostgres(ctx context.Context, t target) error {
	pool := func(settings map[string]string) (*connector, error) {
		u := url.URL{Scheme: "postgres", Host: t.addr, Path: "/" + t.database, RawQuery: t.params, User: url.UserPassword(t.user, t.password)}
		if t.password == "" {
			u.User = url.User(t.user) // then PGPASSWORD or the password file count
		}
		cfg, err := pgx.ParseConfig(u.String())
		if err != nil {
			return nil, usage("its parameters do not suit the PostgreSQL driver")
		}
		if cfg.ConnectTimeout == 0 {
			cfg.ConnectTimeout = 10 * time.Second
		}
		settings["timezone"] = "UTC"
		settings["standard_conforming_strings"] = "on"
		for k, v := range settings {
			cfg.RuntimeParams[k] = v
		}
		if cfg.RuntimeParams["application_name"] == "" {
			cfg.RuntimeParams["application_name"] = "lectern"
		}
		return &connector{d: d, connect: stdlib.GetConnector(*cfg).Connect}, nil
	}
	d.begin, d.beginRead = "BEGIN", "BEGIN"
	r, err := pool(map[string]string{"default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on"})
	if err != nil {
		return err
	}
	d.readers = newPool(r, serverConns, serverIdle)
	if !d.o.ReadOnly {
		w, err := pool(map[string]string{"default_transaction_isolation": "read committed", "default_transaction_read_only": "off"})
		if err != nil {
			return err
		}
		d.writers = newPool(w, serverConns, serverIdle)
	}
	if err := d.Query(ctx, "SHOW server_version", nil, func(r *Row) error { return r.Scan(&d.version) }); err != nil {
		return d.cannotOpen(t, err)
	}
	return d.atLeast([2]int{14, 0})
}

// postgresCode returns the SQLSTATE of err, or "".
func postgresCode(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return ""
	}
	return e.Code
}

// postgresCondition classifies an error of the PostgreSQL driver by its SQLSTATE (test-servers.md §7).
func postgresCondition(err error) (error, bool) {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var ce *pgconn.ConnectError
		if errors.As(err, &ce) || pgconn.SafeToRetry(err) {
			return ErrUnavailable, true
		}
		return nil, false
	}
	switch e.Code {
	case "23505", "42P07": // of a row, of a table
		return ErrDuplicate, true
	case "23503", "23001":
		return ErrForeignKey, true
	case "23514", "22003":
		return ErrCheck, true
	case "23502":
		return ErrNotNull, true
	case "22001", "54000", "54010":
		return ErrTooLong, true
	case "22021":
		return ErrText, true
	case "40001", "40P01", "55P03":
		return ErrRetry, true
	case "0A000":
		// A kept statement whose table has changed since: the driver forgets it, so the unit can run again.
		if e.Routine == "RevalidateCachedQuery" {
			return ErrRetry, true
		}
	case "25006":
		return ErrReadOnly, true
	case "53100":
		return ErrFull, true
	case "57P01", "57P02", "57P03", "57P05", "25P03", "53300", "53200", "28000", "28P01", "3D000":
		return ErrUnavailable, true
	}
	if strings.HasPrefix(e.Code, "08") {
		return ErrUnavailable, true
	}
	return nil, true
}
