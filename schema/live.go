package schema

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
)

// liveTable is a table as the database's own catalogue describes it. Lists are sorted by name, columns by position.
type liveTable struct {
	name      string
	storage   string // MySQL family: the storage engine
	collation string // MySQL family: of columns that name none
	create    string // SQLite: the text that made it
	columns   []liveColumn
	indexes   []liveIndex
	checks    []liveCheck   // those with a name; on the MySQL family all
	foreign   []liveForeign // by column on SQLite, which has no names
	keys      []liveKey     // SQLite, PostgreSQL: named UNIQUE constraints, on PostgreSQL the primary key too
}

type liveColumn struct {
	name      string
	typ       string // without length on PostgreSQL, as COLUMN_TYPE on the MySQL family, as declared on SQLite
	length    int    // PostgreSQL
	null      bool
	fallback  sql.Null[string] // the database default
	charset   string           // MySQL family
	collation string           // as declared on SQLite, where it differs from the type's on PostgreSQL
	primary   bool
	counts    bool   // auto_increment or identity; on SQLite AUTOINCREMENT
	sequence  string // PostgreSQL
}

type liveIndex struct {
	name    string
	unique  bool
	primary bool
	parts   []livePart // nil on PostgreSQL, see text
	text    string     // SQLite: CREATE INDEX, "" for that of a constraint; PostgreSQL: its definition
	origin  string     // SQLite: c, u or pk
}

type livePart struct {
	column string // "" for an expression
	desc   bool
	expr   string // MySQL
}

type liveCheck struct {
	name, clause string
	level        string // MariaDB: Column or Table
}

// liveKey is a UNIQUE constraint.
type liveKey struct {
	name    string
	primary bool
	columns string // as quoted in CREATE TABLE on SQLite
	text    string // PostgreSQL
}

type liveForeign struct {
	name               string // "" on SQLite
	column, table, to  string
	onDelete, onUpdate string
	text               string // PostgreSQL
}

// column returns the column of that name, nil when there is none.
func (t *liveTable) column(name string) *liveColumn {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

// index returns the index of that name, nil when there is none.
func (t *liveTable) index(name string) *liveIndex {
	for i := range t.indexes {
		if t.indexes[i].name == name {
			return &t.indexes[i]
		}
	}
	return nil
}

// check returns the CHECK of that name, nil when there is none.
func (t *liveTable) check(name string) *liveCheck {
	for i := range t.checks {
		if t.checks[i].name == name {
			return &t.checks[i]
		}
	}
	return nil
}

// live is the part of a catalogue that is about the tables asked for, by name.
type live map[string]*liveTable

func (l live) sort() {
	for _, t := range l {
		slices.SortFunc(t.indexes, func(a, b liveIndex) int { return cmp.Compare(a.name, b.name) })
		slices.SortFunc(t.checks, func(a, b liveCheck) int { return cmp.Compare(a.name, b.name) })
		slices.SortFunc(t.foreign, func(a, b liveForeign) int {
			return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.column, b.column))
		})
		slices.SortFunc(t.keys, func(a, b liveKey) int { return cmp.Compare(a.name, b.name) })
	}
}

// engine finds out what of the database decides how tables are written.
func engine(d *db.DB) dialect {
	e := dialect{engine: d.Engine()}
	if e.engine == db.MariaDB {
		var major, minor int
		// Old replication peers made MariaDB say "5.5.5-" before its own version. A version that does not read is none
		// with the type.
		if _, err := fmt.Sscanf(strings.TrimPrefix(d.Version(), "5.5.5-"), "%d.%d", &major, &minor); err == nil {
			e.nativeUUID = major > 10 || major == 10 && minor >= 7
		}
	}
	return e
}

// tableNames returns the names of all tables and views in the database, the engine's own left out.
func (d dialect) tableNames(ctx context.Context, q db.Querier) (map[string]bool, error) {
	var query string
	switch d.engine {
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

// inspect reads what the catalogue says of the tables for which want is true, in a number of queries that does not depend
// on how many they are.
func (d dialect) inspect(ctx context.Context, q db.Querier, want func(name string) bool) (live, error) {
	l := live{}
	var err error
	switch d.engine {
	case db.SQLite:
		err = inspectSQLite(ctx, q, l, want)
	case db.PostgreSQL:
		err = inspectPostgres(ctx, q, l, want)
	default:
		err = inspectMySQL(ctx, q, l, want)
	}
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	l.sort()
	return l, nil
}

// ownRows returns the names in Lectern's own ledger, none when there is no such table.
func ownRows(ctx context.Context, q db.Querier) (map[string]bool, error) {
	names := map[string]bool{}
	err := q.Query(ctx, "SELECT name FROM lectern_schema", nil, func(r *db.Row) error {
		n, err := db.Value[string](r)
		names[n] = true
		return err
	})
	return names, err
}
