package authz

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Seeded is what [Seed] changed.
type Seeded struct {
	Added, Removed [][]string // rows as ptype, v0, v1 …, in their order
	Unassigned     []Grant    // assignments of the roles that were cleared
	Changes        []Change   // in their order, for the engine of this process; empty where nothing changed
}

// Seed adds those of the shipped rows that are missing, in their order, and removes none: what openedx-authz's command
// load_policies does. With clear it first removes every role that has a permission, with its assignments, and all
// implications; the assignments go into the audit (authz.md §13).
func Seed(ctx context.Context, tx *db.Tx, clear bool, o Options) (*Seeded, error) {
	if _, err := lock(ctx, tx); err != nil {
		return nil, err
	}
	s := &Seeded{}
	if clear {
		if err := s.clear(ctx, tx, o); err != nil {
			return nil, err
		}
	}
	there, err := storedRows(ctx, tx)
	if err != nil {
		return nil, err
	}
	has := make(map[string]bool, len(there))
	for _, r := range there {
		has[strings.Join(r.values, ",")] = true
	}
	for _, r := range Shipped() {
		if !has[strings.Join(r, ",")] {
			s.Added = append(s.Added, r)
		}
	}
	return s, s.change(ctx, tx, s.Added, nil)
}

// NewestTable is a table that only today's tables of permissions have (authz.md §10, 0011): where it is, all are.
const NewestTable = "openedx_authz_authzschemasource"

// Unused reports whether a database with today's tables has neither a rule nor a version of its policy: nobody has used
// it for permissions yet.
func Unused(ctx context.Context, q db.Querier) (bool, error) {
	for _, table := range []string{ruleTable, policyTable} {
		_, used, err := db.One(ctx, q, "SELECT id FROM "+table+" LIMIT 1", nil, db.Value[int64])
		if err != nil || used {
			return false, err
		}
	}
	return true, nil
}

// SeedUnused is Seed for a database that is [Unused], and does nothing to others.
func SeedUnused(ctx context.Context, tx *db.Tx) (*Seeded, error) {
	if unused, err := Unused(ctx, tx); err != nil || !unused {
		return &Seeded{}, err
	}
	return Seed(ctx, tx, false, Options{})
}

// clear removes roles, their assignments, and implications.
func (s *Seeded) clear(ctx context.Context, tx *db.Tx, o Options) error {
	rows, err := storedRows(ctx, tx)
	if err != nil {
		return err
	}
	roles := map[string]bool{}
	for _, r := range rows {
		if r.values[0] == "p" && len(r.values) > 1 {
			roles[r.values[1]] = true
		}
	}
	w, err := unassignWhere(ctx, tx, "v1", sortedKeys(roles), o)
	if err != nil {
		return err
	}
	for _, r := range w.Results {
		s.Unassigned = append(s.Unassigned, r.Grant)
	}
	if !w.Change.IsZero() {
		s.Changes = append(s.Changes, w.Change)
	}
	for _, r := range rows {
		s.Removed = append(s.Removed, r.values)
	}
	return s.change(ctx, tx, nil, rows)
}

// change inserts and deletes rows that are no assignments.
func (s *Seeded) change(ctx context.Context, tx *db.Tx, add [][]string, remove []storedRow) error {
	c, err := changePolicy(ctx, tx, add, remove)
	if !c.IsZero() {
		s.Changes = append(s.Changes, c)
	}
	return err
}

// changePolicy inserts and deletes rows that are no assignments, under the lock.
func changePolicy(ctx context.Context, tx *db.Tx, add [][]string, remove []storedRow) (Change, error) {
	if len(add)+len(remove) == 0 {
		return Change{}, nil
	}
	version, err := lock(ctx, tx)
	if err != nil {
		return Change{}, err
	}
	loose, err := eachLoose(ctx, tx, version, func(row) {})
	if err != nil {
		return Change{}, err
	}
	var d delta
	ids := make([]int64, len(remove))
	for i, r := range remove {
		ids[i] = r.id
		d.Removed = append(d.Removed, r.values)
	}
	// A role's permission may have an extended row too, as openedx-authz lets one be made for any rule.
	if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+extendedTable+" WHERE casbin_rule_id IN (?...)", ids, nil); err != nil {
		return Change{}, err
	}
	if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+ruleTable+" WHERE id IN (?...)", ids, nil); err != nil {
		return Change{}, err
	}
	d.Added = add
	err = tx.Insert(ctx, ruleTable, []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, len(add), func(i int, v []any) {
		for k := range v {
			v[k] = ""
		}
		for k, s := range add[i] {
			v[k] = s
		}
	})
	if err != nil {
		return Change{}, err
	}
	return bump(ctx, tx, version, d, loose)
}

// storedRow is a row of casbin_rule that is no assignment.
type storedRow struct {
	id     int64
	values []string // ptype, v0, v1 …, without the empty ones at the end
}

// storedRows returns the rows that are no assignments, in the order of their ids: permissions of roles, and
// implications.
func storedRows(ctx context.Context, q db.Querier) ([]storedRow, error) {
	return db.All(ctx, q, "SELECT id, ptype, v0, v1, v2, v3, v4, v5 FROM "+ruleTable+" WHERE ptype <> 'g' ORDER BY id", nil, func(r *db.Row) (storedRow, error) {
		p := storedRow{values: make([]string, 7)}
		v := p.values
		err := r.Scan(&p.id, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6])
		for len(p.values) > 0 && p.values[len(p.values)-1] == "" {
			p.values = p.values[:len(p.values)-1]
		}
		return p, err
	})
}
