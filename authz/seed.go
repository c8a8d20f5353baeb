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
	there, err := StoredRows(ctx, tx)
	if err != nil {
		return nil, err
	}
	has := make(map[string]bool, len(there))
	for _, r := range there {
		has[strings.Join(r.Values, ",")] = true
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
	rows, err := StoredRows(ctx, tx)
	if err != nil {
		return err
	}
	roles := map[string]bool{}
	for _, r := range rows {
		if r.Values[0] == "p" && len(r.Values) > 1 {
			roles[r.Values[1]] = true
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
		s.Removed = append(s.Removed, r.Values)
	}
	return s.change(ctx, tx, nil, rows)
}

// change inserts and deletes rows that are no assignments.
func (s *Seeded) change(ctx context.Context, tx *db.Tx, add [][]string, remove []StoredRow) error {
	c, err := ChangeRows(ctx, tx, add, remove)
	if !c.IsZero() {
		s.Changes = append(s.Changes, c)
	}
	return err
}

// ChangeRows inserts and deletes rows that are no assignments, as one change of the policy. Without rows nothing happens.
// Whose assignments a role's last row leaves without effect is not looked at: see [UnassignRoles].
func ChangeRows(ctx context.Context, tx *db.Tx, add [][]string, remove []StoredRow) (Change, error) {
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
		ids[i] = r.ID
		d.Removed = append(d.Removed, r.Values)
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

// StoredRow is a row of casbin_rule that is no assignment.
type StoredRow struct {
	ID     int64
	Values []string // ptype, v0, v1 …, without the empty ones at the end
}

// StoredRows returns the rows that are no assignments, in the order of their ids: permissions of roles, and
// implications.
func StoredRows(ctx context.Context, q db.Querier) ([]StoredRow, error) {
	return db.All(ctx, q, "SELECT id, ptype, v0, v1, v2, v3, v4, v5 FROM "+ruleTable+" WHERE ptype <> 'g' ORDER BY id", nil, func(r *db.Row) (StoredRow, error) {
		p := StoredRow{Values: make([]string, 7)}
		v := p.Values
		err := r.Scan(&p.ID, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6])
		for len(p.Values) > 0 && p.Values[len(p.Values)-1] == "" {
			p.Values = p.Values[:len(p.Values)-1]
		}
		return p, err
	})
}

// Lock makes the transaction the only one that changes the policy, until it ends; every function that changes it does so
// first. It is for callers that read before they decide what to change (authz.md §7).
func Lock(ctx context.Context, tx *db.Tx) error {
	_, err := lock(ctx, tx)
	return err
}

// AssignedRoles returns how many assignments there are of each of the roles, without those of which there are none. It
// reads the whole table.
func AssignedRoles(ctx context.Context, q db.Querier, roles []string) (map[string]int, error) {
	rules, err := rulesWhere(ctx, q, "v1", roleKeys(roles))
	if err != nil {
		return nil, err
	}
	n := map[string]int{}
	for _, r := range rules {
		n[r.grant().Role]++
	}
	return n, nil
}

// UnassignRoles takes roles back from everybody. The results are the grants that there were.
func UnassignRoles(ctx context.Context, tx *db.Tx, roles []string, o Options) (*Written, error) {
	return unassignWhere(ctx, tx, "v1", roleKeys(roles), o)
}

func roleKeys(roles []string) []string {
	keys := make([]string, len(roles))
	for i, r := range roles {
		keys[i] = rolePrefix + r
	}
	return keys
}
