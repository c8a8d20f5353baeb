package trash

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Journal does things to rows and remembers them. The zero Journal is ready.
type Journal struct{ steps []step }

// step is one thing done to rows of one table.
type step struct {
	table Table
	op    op
	cols  []column
	rows  [][]any // the rows deleted; before a change, key first; the keys inserted
	now   [][]any // after a change, key first
}

type op string

const (
	deleted  op = "delete"
	changed  op = "change"
	inserted op = "insert"
)

// Rows returns how many rows of each table were deleted.
func (j *Journal) Rows() map[string]int {
	out := map[string]int{}
	for _, s := range j.steps {
		if s.op == deleted {
			out[s.table.Name] += len(s.rows)
		}
	}
	return out
}

// Empty reports whether nothing was done.
func (j *Journal) Empty() bool { return len(j.steps) == 0 }

// Delete deletes the rows whose column has one of the ids and returns how many there were.
func Delete[T ~int64](ctx context.Context, tx *db.Tx, j *Journal, t Table, column string, ids []T) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids) // a row is kept once
	into, values := dest(t.columns)
	var rows [][]any
	err := db.QueryIn(ctx, tx, "SELECT "+strings.Join(t.names(), ", ")+" FROM "+t.Name+" WHERE "+column+" IN (?...)", ids, nil,
		func(r *db.Row) error {
			if err := r.Scan(into...); err != nil {
				return err
			}
			rows = append(rows, values())
			return nil
		})
	if err != nil {
		return 0, fmt.Errorf("rows of %s: %w", t.Name, err)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	byKey(rows)
	if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+t.Name+" WHERE "+column+" IN (?...)", ids, nil); err != nil {
		return 0, fmt.Errorf("delete from %s: %w", t.Name, err)
	}
	j.steps = append(j.steps, step{table: t, op: deleted, cols: t.columns, rows: rows})
	return len(rows), nil
}

// byKey orders rows by their first value.
func byKey(rows [][]any) {
	slices.SortFunc(rows, func(a, b []any) int {
		x, _ := a[0].(int64)
		y, _ := b[0].(int64)
		return cmp.Compare(x, y)
	})
}

// Change gives n rows new values in some columns. row fills v with the key and the values, as [db.Tx.UpdateRows] asks;
// values are int64, string, bool or nil.
func (j *Journal) Change(ctx context.Context, tx *db.Tx, t Table, columns []string, n int, row func(i int, v []any)) error {
	if n == 0 {
		return nil
	}
	cols, err := t.pick(append([]string{t.key()}, columns...))
	if err != nil {
		return err
	}
	now := make([][]any, n)
	keys := make([]int64, n)
	for i := range now {
		now[i] = make([]any, len(cols))
		row(i, now[i])
		keys[i] = now[i][0].(int64)
	}
	byKey(now)
	rows, err := present(ctx, tx, t, cols, keys)
	if err != nil {
		return err
	}
	if len(rows) != n {
		return fmt.Errorf("change %s: %d of %d rows are there", t.Name, len(rows), n)
	}
	if err := tx.UpdateRows(ctx, t.Name, t.key(), columns, n, func(i int, v []any) { copy(v, now[i]) }); err != nil {
		return fmt.Errorf("change %s: %w", t.Name, err)
	}
	j.steps = append(j.steps, step{table: t, op: changed, cols: cols, rows: rows, now: now})
	return nil
}

// present reads some columns of the rows with these keys, in their order.
func present(ctx context.Context, q db.Querier, t Table, cols []column, keys []int64) ([][]any, error) {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.name
	}
	into, values := dest(cols)
	var rows [][]any
	err := db.QueryIn(ctx, q, "SELECT "+strings.Join(names, ", ")+" FROM "+t.Name+" WHERE "+t.key()+" IN (?...)", keys, nil,
		func(r *db.Row) error {
			if err := r.Scan(into...); err != nil {
				return err
			}
			rows = append(rows, values())
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("rows of %s: %w", t.Name, err)
	}
	byKey(rows)
	return slices.CompactFunc(rows, func(a, b []any) bool { return a[0] == b[0] }), nil
}

// Insert inserts n rows, as [db.Tx.InsertIDs] does.
func (j *Journal) Insert(ctx context.Context, tx *db.Tx, t Table, columns []string, n int, row func(i int, v []any)) error {
	if n == 0 {
		return nil
	}
	ids, err := tx.InsertIDs(ctx, t.Name, columns, n, row)
	if err != nil {
		return fmt.Errorf("insert into %s: %w", t.Name, err)
	}
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{id}
	}
	j.steps = append(j.steps, step{table: t, op: inserted, cols: t.columns[:1], rows: rows})
	return nil
}
