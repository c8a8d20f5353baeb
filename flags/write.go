package flags

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema/inspect"
)

// Change says what to make of a flag for a course or organization.
type Change struct {
	On   bool
	Drop bool  // take the override away: On is left as it was
	By   int64 // the auth_user row of who does it; 0 is nobody
	Note string
}

// Set appends a row to the history of a flag for a course or organization and returns it; rows that are there stay as they
// are. Its change_date is later than any of its key, so that both notions of current are this row. Everybody's value is
// [SetEveryone]'s.
func Set(ctx context.Context, tx *db.Tx, name string, scope Scope, c Change) (o Override, err error) {
	if err := checkName(name); err != nil {
		return o, err
	}
	if scope.Global() {
		return o, fault.Errorf(fault.Internal, name, "an override of a flag has a scope")
	}
	t := scope.table()
	if _, err := columns(ctx, tx, t.name); err != nil {
		return o, err
	}
	o = Override{Scope: scope, Changed: tx.Now(), By: c.By, Enabled: !c.Drop, On: c.On, Note: c.Note}
	if err := t.follow(ctx, tx, name, &o); err != nil {
		return o, err
	}
	ids, err := tx.InsertIDs(ctx, t.name, []string{"change_date", "enabled", "waffle_flag", "override_choice", "note", t.key, "changed_by_id"}, 1,
		func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = o.Changed, o.Enabled, name, choice(o.On), o.Note, scope.String(), nil
			if o.By != 0 {
				v[6] = o.By
			}
		})
	if err != nil {
		return o, fmt.Errorf("add an override of flag %s: %w", name, err)
	}
	o.ID = ids[0]
	return o, nil
}

// follow makes a new row the last of its key: clocks of several servers differ.
func (t *overrideTable) follow(ctx context.Context, tx *db.Tx, name string, o *Override) error {
	type row struct {
		date   time.Time
		choice string
	}
	last, found, err := db.One(ctx, tx, `SELECT change_date, override_choice FROM `+t.name+` WHERE waffle_flag = ? AND `+t.key+` = ?
		ORDER BY change_date DESC, id DESC LIMIT 1`, []any{name, o.Scope.String()}, func(r *db.Row) (l row, err error) {
		return l, r.Scan(&l.date, &l.choice)
	})
	if err != nil {
		return fmt.Errorf("read the overrides of flag %s: %w", name, err)
	}
	if found {
		o.Changed = later(o.Changed, last.date)
	}
	if !o.Enabled {
		o.On = !found || last.choice == choiceOn // on is the platform's default
	}
	return nil
}

func choice(on bool) string {
	if on {
		return choiceOn
	}
	return choiceOff
}

// History returns the rows of a flag's overrides, the newest first: those of a course or organization, or with the global
// scope of all of them, as everybody's value has no history.
func History(ctx context.Context, q db.Querier, name string, scope Scope) ([]Override, error) {
	there, err := inspect.Names(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []Override
	for _, t := range []*overrideTable{&courseOverrides, &orgOverrides} {
		if !there[t.name] || !scope.Global() && scope.table() != t {
			continue
		}
		rows, err := t.history(ctx, q, name, scope.String())
		if err != nil {
			return nil, fmt.Errorf("read the history of flag %s: %w", name, err)
		}
		all = append(all, rows...)
	}
	if scope.Global() { // ids of two tables do not compare
		slices.SortStableFunc(all, func(a, b Override) int { return b.Changed.Compare(a.Changed) })
	}
	return all, nil
}

// columns returns the columns of a table that is about to be written. One that is missing is Refused.
func columns(ctx context.Context, q db.Querier, table string) (*inspect.Table, error) {
	tables, err := inspect.Read(ctx, q, func(name string) bool { return name == table })
	if err != nil {
		return nil, err
	}
	t := tables[table]
	if t == nil {
		return nil, fault.Errorf(fault.Refused, "database", "table %s is missing", table).WithNext("make it with: lectern db migrate")
	}
	return t, nil
}

// given is a value for a column of a new row.
type given struct {
	column string
	value  any
}

// write sets a column of the row of that name in one of waffle's tables, and makes the row with the other values where
// there is none, unless the value is nil. Columns that a table may lack are written if they are there (authz.md §17).
func write(ctx context.Context, tx *db.Tx, table, name, column string, value any, others []given) error {
	if err := checkName(name); err != nil {
		return err
	}
	t, err := columns(ctx, tx, table)
	if err != nil {
		return err
	}
	set, args := column+" = ?", []any{value}
	if t.Column("modified") != nil {
		set, args = set+", modified = ?", append(args, tx.Now())
	}
	n, err := tx.Exec(ctx, "UPDATE "+table+" SET "+set+" WHERE name = ?", append(args, name)...)
	if err != nil || n > 0 || value == nil {
		return err
	}
	row := append([]given{{"name", name}, {column, value}}, others...)
	for _, g := range []given{{"note", ""}, {"created", tx.Now()}, {"modified", tx.Now()}} {
		if t.Column(g.column) != nil {
			row = append(row, g)
		}
	}
	cols := make([]string, len(row))
	for i, g := range row {
		cols[i] = g.column
	}
	return db.Raced(tx.Insert(ctx, table, cols, 1, func(_ int, v []any) {
		for i, g := range row {
			v[i] = g.value
		}
	}))
}
