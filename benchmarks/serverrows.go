package main

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// tables are the rows of all tables, by name and key, as the driver gives them; the key comes first.
type tables map[string]map[any][]any

// read reads a whole database.
func (s *server) read(ctx context.Context, d *sql.DB) (tables, error) {
	all := tables{}
	for _, t := range schema.Tables() {
		list, err := rows(ctx, d, "SELECT "+strings.Join(s.columns(t), ", ")+" FROM "+s.ours.Engine().Quote(t.Name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
		all[t.Name] = make(map[any][]any, len(list))
		for _, row := range list {
			for i, v := range row {
				if b, ok := v.([]byte); ok && s.ours.Engine().MySQLFamily() { // which has no tables with other bytes than text
					row[i] = string(b)
				}
			}
			all[t.Name][row[0]] = row
		}
	}
	return all, nil
}

// columns returns the columns of a table, its key first.
func (s *server) columns(t *schema.Table) []string {
	quote := s.ours.Engine().Quote
	out := []string{quote(t.Primary())}
	for i := range t.Columns {
		if c := t.Columns[i].Name; c != t.Primary() {
			out = append(out, quote(c))
		}
	}
	return out
}

// differences returns what brings a database that holds s.rows to now: rows that are new, those that changed, with the
// columns that changed in any of them, and those that are gone.
func (s *server) differences(now tables) (out []batch) {
	var gone []batch
	for _, t := range schema.Tables() {
		had, has, columns := s.rows[t.Name], now[t.Name], s.columns(t)
		var made, changed, removed [][]any
		differ := make([]bool, len(columns))
		for key, row := range has {
			old, ok := had[key]
			if !ok {
				made = append(made, row)
				continue
			}
			if reflect.DeepEqual(old, row) {
				continue
			}
			changed = append(changed, row)
			for i := range row {
				differ[i] = differ[i] || !reflect.DeepEqual(old[i], row[i])
			}
		}
		for key := range had {
			if _, ok := has[key]; !ok {
				removed = append(removed, []any{key})
			}
		}
		name := s.ours.Engine().Quote(t.Name)
		insert := func(rows int) string { return s.insertion(name, columns, rows) }
		out = append(out, batch{insert(1), inOrderOfKeys(made), insert})
		var set []string
		for i, c := range columns {
			if differ[i] {
				set = append(set, strings.Repeat(", ", min(1, len(set)))+c+" = ")
			}
		}
		for k, row := range changed {
			var values []any
			for i, v := range row {
				if differ[i] {
					values = append(values, v)
				}
			}
			changed[k] = append(values, row[0])
		}
		out = append(out, batch{fmt.Sprintf("UPDATE %s SET %s", name, s.placeholders(append(set, " WHERE "+columns[0]+" = "))), changed, nil})
		gone = append(gone, batch{fmt.Sprintf("DELETE FROM %s WHERE %s", name, s.placeholders([]string{columns[0] + " = "})), removed, nil})
	}
	slices.Reverse(gone) // what refers goes before what is referred to
	return slices.DeleteFunc(append(out, gone...), func(x batch) bool { return len(x.rows) == 0 })
}

// insertion writes a statement that inserts so many rows.
func (s *server) insertion(table string, columns []string, rows int) string {
	before := make([]string, len(columns)*rows)
	for i := range before {
		if i%len(columns) == 0 {
			before[i] = "("
			if i > 0 {
				before[i] = "), ("
			}
		} else {
			before[i] = ", "
		}
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES %s)", table, strings.Join(columns, ", "), s.placeholders(before))
}

// placeholders writes a placeholder behind each text.
func (s *server) placeholders(before []string) string {
	var w strings.Builder
	for i, text := range before {
		w.WriteString(text)
		if s.ours.Engine() == db.PostgreSQL {
			fmt.Fprintf(&w, "$%d", i+1)
		} else {
			w.WriteByte('?')
		}
	}
	return w.String()
}

// inOrderOfKeys sorts rows as they were made.
func inOrderOfKeys(list [][]any) [][]any {
	slices.SortFunc(list, func(a, b []any) int {
		if x, ok := a[0].(int64); ok {
			return int(x - b[0].(int64))
		}
		return strings.Compare(fmt.Sprint(a[0]), fmt.Sprint(b[0]))
	})
	return list
}
