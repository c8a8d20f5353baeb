package trash

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Undo takes back journals of one package, the last one first. It belongs to one transaction.
type Undo struct {
	Rows    int                         // that came back
	Kept    int                         // changes that were not taken back, because somebody has changed the row again since
	there   map[string]map[string]int64 // by thing: ids by identity, as they were when the undo began
	instead map[string]map[int64]int64  // by thing: the row that stands for an old one
}

// Take takes back a journal: what it inserted goes, what it changed gets its old values where it still has the new ones,
// and what it deleted comes back under its old ids. A row whose place is taken is db.ErrDuplicate, except in a table with
// an identity, where the row that is there stands for the old one from now on.
func (u *Undo) Take(ctx context.Context, tx *db.Tx, j *Journal) error {
	for _, s := range slices.Backward(j.steps) {
		var err error
		switch s.op {
		case inserted:
			err = u.remove(ctx, tx, s)
		case changed:
			err = u.change(ctx, tx, s)
		case deleted:
			err = u.restore(ctx, tx, s)
		default:
			err = fmt.Errorf("no such step: %q", s.op)
		}
		if err != nil {
			return fmt.Errorf("put back %s: %w", s.table.Name, err)
		}
	}
	return nil
}

func (u *Undo) remove(ctx context.Context, tx *db.Tx, s step) error {
	keys := make([]int64, len(s.rows))
	for i, r := range s.rows {
		keys[i] = r[0].(int64)
	}
	_, err := db.ExecIn(ctx, tx, "DELETE FROM "+s.table.Name+" WHERE "+s.table.key()+" IN (?...)", keys, nil)
	return err
}

func (u *Undo) change(ctx context.Context, tx *db.Tx, s step) error {
	keys := make([]int64, len(s.rows))
	now := make(map[int64][]any, len(s.rows))
	for i, r := range s.rows {
		keys[i] = r[0].(int64)
		now[s.now[i][0].(int64)] = s.now[i]
	}
	rows, err := present(ctx, tx, s.table, s.cols, keys)
	if err != nil {
		return err
	}
	as := make(map[int64]bool, len(rows))
	for _, r := range rows {
		id := r[0].(int64)
		as[id] = slices.EqualFunc(r, now[id], same)
	}
	var back [][]any
	for _, r := range s.rows {
		if as[r[0].(int64)] {
			back = append(back, r)
		}
	}
	u.Kept += len(s.rows) - len(back)
	if len(back) == 0 {
		return nil
	}
	names := make([]string, 0, len(s.cols)-1)
	for _, c := range s.cols[1:] {
		names = append(names, c.name)
	}
	return tx.UpdateRows(ctx, s.table.Name, s.table.key(), names, len(back), func(i int, v []any) { copy(v, back[i]) })
}

func (u *Undo) restore(ctx context.Context, tx *db.Tx, s step) error {
	rows, err := u.replaced(ctx, tx, s)
	if err != nil {
		return err
	}
	for i, c := range s.cols {
		stand := u.instead[c.of]
		if c.of == "" || len(stand) == 0 {
			continue
		}
		for _, r := range rows {
			if old, ok := r[i].(int64); ok {
				if id, ok := stand[old]; ok {
					r[i] = id
				}
			}
		}
	}
	u.Rows += len(rows)
	return tx.Insert(ctx, s.table.Name, s.table.names(), len(rows), func(i int, v []any) { copy(v, rows[i]) })
}

// replaced finds the rows that were made again since, notes them, and returns those that were not.
func (u *Undo) replaced(ctx context.Context, tx *db.Tx, s step) ([][]any, error) {
	t := s.table
	if len(t.identity) == 0 || len(s.rows) == 0 {
		return s.rows, nil
	}
	at := make([]int, len(t.identity)) // places of the identity in a row
	for i, name := range t.identity {
		at[i] = slices.Index(t.names(), name)
	}
	there, err := u.known(ctx, tx, t, s.rows[0][at[0]])
	if err != nil {
		return nil, err
	}
	var left [][]any
	for _, r := range s.rows {
		key := make([]any, len(at))
		for i, k := range at {
			key[i] = r[k]
		}
		if id, ok := there[fmt.Sprint(key...)]; ok {
			u.instead[t.thing][r[0].(int64)] = id
		} else {
			left = append(left, r)
		}
	}
	return left, nil
}

// known reads once which rows of a table with an identity are there. The first column of the identity is the package, the
// same for all rows of an undo.
func (u *Undo) known(ctx context.Context, tx *db.Tx, t Table, pkg any) (map[string]int64, error) {
	if there, ok := u.there[t.thing]; ok {
		return there, nil
	}
	cols, err := t.pick(append([]string{t.key()}, t.identity...))
	if err != nil {
		return nil, err
	}
	there := map[string]int64{}
	into, scanned := dest(cols)
	err = tx.Query(ctx, "SELECT "+t.key()+", "+strings.Join(t.identity, ", ")+" FROM "+t.Name+" WHERE "+t.identity[0]+" = ?", []any{pkg},
		func(r *db.Row) error {
			if err := r.Scan(into...); err != nil {
				return err
			}
			v := scanned()
			there[fmt.Sprint(v[1:]...)] = v[0].(int64)
			return nil
		})
	if err != nil {
		return nil, err
	}
	if u.there == nil {
		u.there, u.instead = map[string]map[string]int64{}, map[string]map[int64]int64{}
	}
	u.there[t.thing], u.instead[t.thing] = there, map[int64]int64{}
	return there, nil
}
