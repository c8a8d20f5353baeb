package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// The raw limit of a piece of work: the rows it left behind, written by the driver alone. They are found as the
// difference of the database before and after, so they are the very same rows: those that are new, those that changed
// and those that are gone.

// batch is one statement and the arguments of all its rows.
type batch struct {
	sql  string
	rows [][]any
	many func(rows int) string // the same for so many rows; nil where there is none
}

// raw writes the rows by which the database at after differs from that at before into a copy of the latter, in one
// transaction of prepared single-row statements, and adds what it took to the line. Where the work has stored media
// files beside the database, copies of them are written and synced first.
func (b *bench) raw(l *Line, before, after string) error {
	if !b.withRaw {
		return nil
	}
	batches, err := differences(b.ctx, before, after)
	if err != nil {
		return fmt.Errorf("rows written by %s: %w", l.Job, err)
	}
	copied, err := b.fresh(before)
	if err != nil {
		return err
	}
	for _, x := range batches {
		l.Rows += len(x.rows)
	}
	runtime.GC()
	files, err := copyFiles(after+"-media", copied+"-media")
	if err != nil {
		return fmt.Errorf("the files of %s, raw: %w", l.Job, err)
	}
	took, err := write(b.ctx, copied, batches)
	if err != nil {
		return fmt.Errorf("the rows of %s, raw: %w", l.Job, err)
	}
	l.RawSeconds, l.RawCPU = (files.wall + took.wall).Seconds(), (files.cpu + took.cpu).Seconds()
	return nil
}

// copyFiles writes what the files below a folder hold, if there is one, into new ones and syncs them by one call for
// all, as package media does with many.
func copyFiles(from, to string) (took spent, err error) {
	content := map[string][]byte{}
	err = filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content[filepath.Base(path)], err = os.ReadFile(path)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return took, nil
	}
	if err != nil {
		return took, err
	}
	start := clock()
	if err := os.Mkdir(to, 0o777); err != nil {
		return took, err
	}
	for name, b := range content {
		if err := os.WriteFile(filepath.Join(to, name), b, 0o666); err != nil {
			return took, err
		}
	}
	err = syncFolder(to)
	return since(start), err
}

// anyCode gives the driver the function that CHECKs of codes call. It accepts everything and so costs next to nothing.
var anyCode = sync.OnceFunc(func() {
	sqlite.MustRegisterDeterministicScalarFunction("regexp", 2, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		return int64(1), nil
	})
})

// openRaw opens a database by the driver alone, with the settings that package db gives its writer.
func openRaw(ctx context.Context, path string) (*sql.DB, error) {
	anyCode()
	d, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)"+
		"&_pragma=synchronous(normal)&_pragma=foreign_keys(1)&_pragma=cache_size(-16000)")
	if err != nil {
		return nil, err
	}
	d.SetMaxOpenConns(1)
	return d, d.PingContext(ctx)
}

// write runs the batches in one transaction.
func write(ctx context.Context, path string, batches []batch) (took spent, err error) {
	d, err := openRaw(ctx, path)
	if err != nil {
		return took, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	return insertAll(d, batches)
}

// insertAll is [write] into an open database.
func insertAll(d *sql.DB, batches []batch) (took spent, err error) {
	start := clock()
	tx, err := d.Begin()
	if err != nil {
		return took, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	for _, x := range batches {
		if err := each(tx, x); err != nil {
			return took, err
		}
	}
	if err := tx.Commit(); err != nil {
		return took, err
	}
	return since(start), nil
}

// each writes the rows of a batch by one prepared statement.
func each(tx *sql.Tx, x batch) error {
	st, err := tx.Prepare(x.sql)
	if err != nil {
		return err
	}
	for _, row := range x.rows {
		if _, err := st.Exec(row...); err != nil {
			return fmt.Errorf("%s: %w", x.sql, err)
		}
	}
	return st.Close()
}

// differences returns what brings the database at before to the state of that at after.
func differences(ctx context.Context, before, after string) (out []batch, err error) {
	d, err := openRaw(ctx, after)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if _, err := d.ExecContext(ctx, "ATTACH ? AS old", before); err != nil {
		return nil, err
	}
	tables, err := inOrder(ctx, d)
	if err != nil {
		return nil, err
	}
	var gone []batch
	for _, t := range tables {
		made, changed, removed, err := t.differences(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.name, err)
		}
		out = append(out, made, changed)
		gone = append(gone, removed)
	}
	slices.Reverse(gone) // what refers goes before what is referred to
	return slices.DeleteFunc(append(out, gone...), func(x batch) bool { return len(x.rows) == 0 }), nil
}

// table is a table with one column as its key.
type table struct {
	name, key string
	columns   []string // without the key
}

// inOrder returns the tables in an order in which a table comes after those that it refers to.
func inOrder(ctx context.Context, d *sql.DB) ([]table, error) {
	names, err := column(ctx, d, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if err != nil {
		return nil, err
	}
	var out []table
	seen := map[string]bool{}
	var visit func(string) error
	visit = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		refers, err := column(ctx, d, "SELECT \"table\" FROM pragma_foreign_key_list(?)", name)
		if err != nil {
			return err
		}
		for _, other := range refers {
			if err := visit(other); err != nil {
				return err
			}
		}
		t := table{name: name}
		keys, err := column(ctx, d, "SELECT name FROM pragma_table_info(?) WHERE pk > 0", name)
		if err != nil {
			return err
		}
		if len(keys) != 1 {
			return fmt.Errorf("table %s has %d key columns", name, len(keys))
		}
		t.key = keys[0]
		t.columns, err = column(ctx, d, "SELECT name FROM pragma_table_info(?) WHERE pk = 0 ORDER BY cid", name)
		out = append(out, t)
		return err
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t table) differences(ctx context.Context, d *sql.DB) (made, changed, removed batch, err error) {
	all := append([]string{t.key}, t.columns...)
	made.sql = fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", t.name, strings.Join(all, ", "), strings.Repeat(", ?", len(all)-1))
	made.rows, err = rows(ctx, d, fmt.Sprintf("SELECT %s FROM main.%[2]s x WHERE NOT EXISTS (SELECT 1 FROM old.%[2]s o WHERE o.%[3]s = x.%[3]s) ORDER BY x.%[3]s",
		values("x", all), t.name, t.key))
	if err != nil {
		return made, changed, removed, err
	}
	removed.sql = fmt.Sprintf("DELETE FROM %s WHERE %s = ?", t.name, t.key)
	removed.rows, err = rows(ctx, d, fmt.Sprintf("SELECT +o.%[2]s FROM old.%[1]s o WHERE NOT EXISTS (SELECT 1 FROM main.%[1]s x WHERE o.%[2]s = x.%[2]s)", t.name, t.key))
	if err != nil || len(t.columns) == 0 {
		return made, changed, removed, err
	}
	changed, err = t.changed(ctx, d)
	return made, changed, removed, err
}

// changed updates those columns that differ in any row, in the rows in which any does.
func (t table) changed(ctx context.Context, d *sql.DB) (x batch, err error) {
	pairs := fmt.Sprintf(" FROM main.%[1]s x JOIN old.%[1]s o ON o.%[2]s = x.%[2]s WHERE ", t.name, t.key)
	var differ, set, where []string
	for _, c := range t.columns {
		n, err := column(ctx, d, fmt.Sprintf("SELECT 1%s x.%[2]s IS NOT o.%[2]s LIMIT 1", pairs, c))
		if err != nil {
			return x, err
		}
		if len(n) > 0 {
			differ = append(differ, c)
			set = append(set, c+" = ?")
			where = append(where, fmt.Sprintf("x.%[1]s IS NOT o.%[1]s", c))
		}
	}
	if differ == nil {
		return x, nil
	}
	x.sql = fmt.Sprintf("UPDATE %s SET %s WHERE %s = ?", t.name, strings.Join(set, ", "), t.key)
	x.rows, err = rows(ctx, d, "SELECT "+values("x", append(differ, t.key))+pairs+strings.Join(where, " OR "))
	return x, err
}

// values lists columns as expressions: of a bare column of a date type the driver would make a time.
func values(of string, columns []string) string {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = "+" + of + "." + c
	}
	return strings.Join(list, ", ")
}

func rows(ctx context.Context, d *sql.DB, query string) (out [][]any, err error) {
	r, err := d.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	columns, err := r.Columns()
	if err != nil {
		return nil, err
	}
	dest := make([]any, len(columns))
	for r.Next() {
		row := make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := r.Scan(dest...); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	return out, r.Err()
}

// column returns the one column of a query as text.
func column(ctx context.Context, d *sql.DB, query string, args ...any) (out []string, err error) {
	r, err := d.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for r.Next() {
		var s string
		if err := r.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, r.Err()
}
