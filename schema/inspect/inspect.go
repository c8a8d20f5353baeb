// Package inspect reads an engine's own catalogue: what tables there are and how they are made. It changes nothing and
// knows no table by name.
package inspect

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/db"
)

// Table is a table as the database's own catalogue describes it. Lists are sorted by name, columns by position.
type Table struct {
	Name      string
	Storage   string // MySQL family: the storage engine
	Collation string // MySQL family: of columns that name none
	SQL       string // SQLite: the text that made it
	Columns   []Column
	Indexes   []Index
	Checks    []Check   // those with a name; on the MySQL family all
	Foreign   []Foreign // by column on SQLite, which has no names
	Keys      []Unique  // SQLite, PostgreSQL: named UNIQUE constraints, on PostgreSQL the primary key too
	Triggers  []Trigger // SQLite: those on the table
	Mentioned bool      // SQLite: a view, or a trigger on another table, names the table
}

// Trigger is a trigger.
type Trigger struct{ Name, Text string }

// Column is a column of a table.
type Column struct {
	Name      string
	Type      string // without length on PostgreSQL, as COLUMN_TYPE on the MySQL family, as declared on SQLite
	Length    int    // PostgreSQL
	Null      bool
	Default   sql.Null[string] // the database default
	Charset   string           // MySQL family
	Collation string           // as declared on SQLite, where it differs from the type's on PostgreSQL
	Primary   bool
	Counts    bool   // auto_increment or identity; on SQLite AUTOINCREMENT
	Sequence  string // PostgreSQL
}

// Index is an index, that of a constraint too.
type Index struct {
	Name    string
	Unique  bool
	Primary bool
	Parts   []Part // nil on PostgreSQL, see Text
	Text    string // SQLite: CREATE INDEX, "" for that of a constraint; PostgreSQL: its definition
	Origin  string // SQLite: c, u or pk
}

// Part is one part of an index.
type Part struct {
	Column string // "" for an expression
	Desc   bool
	Expr   string // MySQL
}

// Check is a CHECK constraint.
type Check struct {
	Name, Clause string
	Level        string // MariaDB: Column or Table
}

// Unique is a UNIQUE constraint.
type Unique struct {
	Name    string
	Primary bool
	Columns string // as quoted in CREATE TABLE on SQLite
	Text    string // PostgreSQL
}

// Foreign is a foreign key of one column.
type Foreign struct {
	Name               string // "" on SQLite
	Column, Table, To  string
	OnDelete, OnUpdate string
	Text               string // PostgreSQL
}

// Column returns the column of that name, nil when there is none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Index returns the index of that name, nil when there is none.
func (t *Table) Index(name string) *Index {
	for i := range t.Indexes {
		if t.Indexes[i].Name == name {
			return &t.Indexes[i]
		}
	}
	return nil
}

// Check returns the CHECK of that name, nil when there is none.
func (t *Table) Check(name string) *Check {
	for i := range t.Checks {
		if t.Checks[i].Name == name {
			return &t.Checks[i]
		}
	}
	return nil
}

// Tables is the part of a catalogue that is about the tables asked for, by name.
type Tables map[string]*Table

func (l Tables) sort() {
	for _, t := range l {
		slices.SortFunc(t.Indexes, func(a, b Index) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(t.Checks, func(a, b Check) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(t.Foreign, func(a, b Foreign) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Column, b.Column))
		})
		slices.SortFunc(t.Triggers, func(a, b Trigger) int { return cmp.Compare(a.Name, b.Name) })
		slices.SortFunc(t.Keys, func(a, b Unique) int { return cmp.Compare(a.Name, b.Name) })
	}
}

// Names returns the names of all tables and views in the database, the engine's own left out.
func Names(ctx context.Context, q db.Querier) (map[string]bool, error) {
	var query string
	switch q.Engine() {
	case db.SQLite:
		query = `SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	case db.PostgreSQL:
		query = `SELECT c.relname::text FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relnamespace = current_schema()::regnamespace`
	default:
		query = `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()`
	}
	names := map[string]bool{}
	err := q.Query(ctx, query, nil, func(r *db.Row) error {
		n, err := db.Value[string](r)
		names[n] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	return names, nil
}

// Read reads what the catalogue says of the tables for which want is true, in a number of queries that does not depend
// on how many they are.
func Read(ctx context.Context, q db.Querier, want func(name string) bool) (Tables, error) {
	l := Tables{}
	var err error
	switch q.Engine() {
	case db.SQLite:
		err = readSQLite(ctx, q, l, want)
	case db.PostgreSQL:
		err = readPostgres(ctx, q, l, want)
	default:
		err = readMySQL(ctx, q, l, want)
	}
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	l.sort()
	return l, nil
}
