package lease

import (
	"context"
	"fmt"
	"time"

	"github.com/openlectern/lectern/db"
)

// Free returns those of the names whose leases nobody holds, as [Held] tells it: those that have no row, and those whose
// holder is known to be gone. It only reads, with one statement for hundreds of names beside a look for the table.
func Free(ctx context.Context, q db.Querier, names []string) (free []string, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	held := map[string]bool{}
	found, err := there(ctx, q)
	if err != nil {
		return nil, err
	}
	if found {
		err = db.QueryIn(ctx, q, "SELECT name, holder, ends_at, "+clocks[q.Engine()]+" FROM lectern_lock WHERE name IN (?...)", names, nil, func(in *db.Row) error {
			var name string
			var r row
			if err := in.Scan(&name, &r.holder, &r.ends, &r.read); err != nil {
				return err
			}
			held[name] = !r.free()
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("leases: %w", err)
		}
	}
	for _, name := range names {
		if !held[name] {
			free = append(free, name)
		}
	}
	return free, nil
}

// leftAge is after how long nobody comes back for a lease.
const leftAge = 24 * time.Hour

// Sweep removes leases whose names begin with prefix, made of letters, digits and spaces, that ended a day ago or longer
// and that nobody holds. It is for names that are used once, so that nobody would take them over.
func Sweep(ctx context.Context, d *db.DB, prefix string) error {
	type left struct{ name, holder string }
	var gone []left
	if found, err := there(ctx, d); !found || err != nil {
		return err
	}
	now, err := clock(ctx, d)
	if err != nil {
		return err
	}
	err = d.Query(ctx, "SELECT name, holder, ends_at FROM lectern_lock WHERE name LIKE ? AND ends_at < ? ORDER BY name LIMIT 1000",
		[]any{prefix + "%", now.Add(-leftAge)}, func(in *db.Row) error {
			var name string
			r := row{read: now}
			err := in.Scan(&name, &r.holder, &r.ends)
			if err == nil && r.free() {
				gone = append(gone, left{name, r.holder})
			}
			return err
		})
	if err != nil {
		return fmt.Errorf("leases: %w", err)
	}
	if len(gone) == 0 {
		return nil
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		for _, l := range gone { // seldom any
			if _, err := tx.Exec(ctx, "DELETE FROM lectern_lock WHERE name = ? AND holder = ?", l.name, l.holder); err != nil {
				return err
			}
		}
		return nil
	})
}
