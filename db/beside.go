package db

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
)

// Beside returns the URL of another place that is reached in the same way as what a URL names: on SQLite the file of that
// name in the same folder, on the MySQL family the database of that name on the same server, on PostgreSQL the schema of
// that name in the same database, in which tables are then found and made.
func Beside(place, name string) (string, error) {
	t, err := parseURL(place)
	if err != nil {
		return "", err
	}
	if t.engine == SQLite {
		path := filepath.Join(filepath.Dir(t.path), name)
		if t.params == "" {
			return path, nil
		}
		return "sqlite:" + path + "?" + t.params, nil
	}
	u, err := url.Parse(place)
	if err != nil {
		return "", usage("does not parse")
	}
	if t.engine == PostgreSQL {
		q := u.Query()
		q.Set("search_path", PostgreSQL.Quote(name))
		u.RawQuery = q.Encode()
		return u.String(), nil
	}
	u.Path, u.RawPath = "/"+name, ""
	return u.String(), nil
}

// File returns the absolute path of the file that a URL names; ok is false for servers and for what does not parse.
func File(place string) (path string, ok bool) {
	t, err := parseURL(place)
	return t.path, err == nil && t.engine == SQLite
}

// CopyFile writes a copy of the SQLite database that a URL names into a file that must not exist yet, as one moment of it
// that others may go on to change. The original is only read.
func CopyFile(ctx context.Context, place, to string) error {
	t, err := parseURL(place)
	if err != nil {
		return err
	}
	drv, err := sqliteDriver()
	if err != nil {
		return err
	}
	d := &DB{engine: SQLite, name: t.name, o: Options{ReadOnly: true}}
	c, err := drv.Open(sqliteDSN(t, "ro"))
	if err != nil {
		return d.explain(ctx, err)
	}
	one := &conn{Conn: c, d: d, enc: encoder{engine: SQLite}}
	defer func() { _ = one.Close() }() // opened for reading: nothing is lost when closing fails
	for _, sql := range []string{readerBusy, "VACUUM INTO '" + strings.ReplaceAll(filepath.ToSlash(to), "'", "''") + "'"} {
		if _, err := one.send(ctx, sql, nil); err != nil {
			return d.explain(ctx, err)
		}
	}
	return nil
}
