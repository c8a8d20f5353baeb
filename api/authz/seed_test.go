package authzapi_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/golden"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/schema"
)

// seed is what the database of golden/authz/rest.jsonl holds, read once from the dump.
var seed struct {
	once   sync.Once
	tables []seedTable // each after those that it refers to
}

type seedTable struct {
	name    string
	columns []string
	rows    [][]any
}

// readSeed reads the dump into memory, as rows of our own tables.
func readSeed(t testing.TB) {
	t.Helper()
	seed.once.Do(func() {
		d := dbtest.Open(t, db.SQLite)
		goldendb.LoadDump(t, d, string(golden.ReadGz(t, "authz/rest-seed.sql.gz")))
		ctx := context.Background()
		names, err := db.All(ctx, d, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", nil, db.Value[string])
		if err != nil {
			t.Fatal(err)
		}
		done := map[string]bool{}
		var add func(name string)
		add = func(name string) {
			def := schema.Lookup(name)
			if done[name] || def == nil || !slices.Contains(names, name) || ofDjango(name) ||
				slices.ContainsFunc(def.Columns, func(c schema.Column) bool { return ofDjango(c.Ref) }) {
				return
			}
			done[name] = true
			for _, c := range def.Columns {
				if c.Ref != "" {
					add(c.Ref)
				}
			}
			seed.tables = append(seed.tables, readTable(t, d, def))
		}
		for _, name := range names {
			add(name)
		}
		if len(seed.tables) == 0 {
			t.Fatal("the dump has none of our tables")
		}
	})
}

// ofDjango reports whether a table belongs to Django itself; its rows are not copied, and neither are those that refer to
// them.
func ofDjango(table string) bool { return strings.HasPrefix(table, "django_") }

// readTable reads the columns that ours has, too, as values that every engine takes.
func readTable(t testing.TB, d *db.DB, def *schema.Table) seedTable {
	t.Helper()
	table := seedTable{name: def.Name}
	var source []int
	var kinds []schema.Kind
	err := d.Query(context.Background(), "SELECT * FROM "+def.Name+" ORDER BY 1", nil, func(r *db.Row) error {
		if source == nil {
			for i, name := range r.Columns() {
				if name == "_key" {
					name = "package_ref"
				}
				if c := def.Column(name); c != nil {
					source, table.columns, kinds = append(source, i), append(table.columns, name), append(kinds, c.Type.Kind)
				}
			}
		}
		all := make([]any, len(r.Columns()))
		to := make([]any, len(all))
		for i := range all {
			to[i] = &all[i]
		}
		if err := r.Scan(to...); err != nil {
			return err
		}
		row := make([]any, len(source))
		for i, from := range source {
			v, err := valueOf(kinds[i], all[from])
			if err != nil {
				return fmt.Errorf("%s.%s: %w", def.Name, table.columns[i], err)
			}
			row[i] = v
		}
		table.rows = append(table.rows, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func valueOf(k schema.Kind, v any) (any, error) {
	switch x := v.(type) {
	case int64:
		if k == schema.Bool {
			return x != 0, nil
		}
	case []byte:
		return valueOf(k, string(x))
	case string:
		switch k {
		case schema.Time:
			return time.Parse("2006-01-02 15:04:05.999999", x)
		case schema.UUID:
			return uuid.Parse(x)
		}
	}
	return v, nil
}

// seeded makes a database with our tables and the rows of the seed.
func seeded(d *db.DB) error {
	ctx := context.Background()
	if err := schema.Create(ctx, d); err != nil {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		for _, table := range seed.tables {
			if len(table.rows) == 0 {
				continue
			}
			if err := tx.Insert(ctx, table.name, table.columns, len(table.rows), func(i int, v []any) { copy(v, table.rows[i]) }); err != nil {
				return fmt.Errorf("%s: %w", table.name, err)
			}
			if tx.Engine() != db.PostgreSQL || schema.Lookup(table.name).Primary() != "id" || !counted(table.name) {
				continue
			}
			if err := tx.Query(ctx, "SELECT setval(pg_get_serial_sequence(?, 'id'), (SELECT MAX(id) FROM "+table.name+"))", []any{table.name},
				func(*db.Row) error { return nil }); err != nil {
				return fmt.Errorf("%s: %w", table.name, err)
			}
		}
		return nil
	})
}

// counted reports whether the database counts the table's ids.
func counted(table string) bool {
	k := schema.Lookup(table).Column("id").Type.Kind
	return k == schema.Serial4 || k == schema.Serial8
}
