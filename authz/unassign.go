package authz

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Unassign takes roles back: any number of grants in a bounded number of statements. It removes every rule equal to a
// grant in user, role and scope, with its extended row, and no grant on a wider or narrower scope; the rows of the scope
// and the user stay. Neither user nor scope need exist (authz.md §6, §12.5). What is taken back is in the audit as it was.
func Unassign(ctx context.Context, tx *db.Tx, grants []Grant, o Options) (*Written, error) {
	w := &Written{Results: make([]Result, len(grants))}
	rules := make([]rule, len(grants))
	for i, g := range grants {
		var err error
		rules[i], err = g.bare()
		w.set(i, g, Failed, err)
	}
	if err := w.stop(o); err != nil {
		return nil, err
	}
	version, err := lock(ctx, tx)
	if err != nil {
		return nil, err
	}
	there, err := find(ctx, tx, version, w.open(rules))
	if err != nil {
		return nil, err
	}
	var rows []row
	met := map[rule]bool{}
	for i, r := range rules {
		res := &w.Results[i]
		switch {
		case res.Err != nil:
		case len(there.rows[r]) == 0 || met[r]:
			res.Outcome = Absent
		default:
			met[r] = true
			res.Outcome = Removed
			rows = append(rows, there.rows[r]...)
		}
	}
	w.Change, err = remove(ctx, tx, rows, version, there.loose, o)
	return w, err
}

// UnassignAll takes all roles back from users, whether or not they still exist (authz.md §6, §8). The results are the
// grants that there were.
func UnassignAll(ctx context.Context, tx *db.Tx, users []string, o Options) (*Written, error) {
	subjects := make([]string, len(users))
	for i, name := range users {
		subjects[i] = userPrefix + name
	}
	return unassignWhere(ctx, tx, "v0", subjects, o)
}

// unassignWhere takes back all grants whose column has one of the values, compared by bytes. It reads the whole table.
func unassignWhere(ctx context.Context, tx *db.Tx, column string, values []string, o Options) (*Written, error) {
	version, err := lock(ctx, tx)
	if err != nil {
		return nil, err
	}
	rules, err := rulesWhere(ctx, tx, column, values)
	if err != nil || len(rules) == 0 {
		return &Written{Results: []Result{}}, err
	}
	there, err := find(ctx, tx, version, rules)
	if err != nil {
		return nil, err
	}
	w := &Written{Results: make([]Result, len(rules))}
	var rows []row
	for i, r := range rules {
		w.Results[i] = Result{Grant: r.grant(), Outcome: Removed}
		rows = append(rows, there.rows[r]...)
	}
	w.Change, err = remove(ctx, tx, rows, version, there.loose, o)
	return w, err
}

// rulesWhere returns the distinct rules whose column has one of the values, in the order of their ids.
func rulesWhere(ctx context.Context, q db.Querier, column string, values []string) ([]rule, error) {
	wanted, met := setOf(values), map[rule]bool{}
	type found struct {
		id   int64
		rule rule
	}
	var list []found
	err := db.QueryIn(ctx, q, "SELECT id, v0, v1, v2, "+column+" FROM "+ruleTable+" WHERE ptype = 'g' AND "+column+" IN (?...)", values, nil, func(r *db.Row) error {
		var f found
		var value string
		err := r.Scan(&f.id, &f.rule.subject, &f.rule.role, &f.rule.scope, &value)
		if wanted[value] && !met[f.rule] {
			met[f.rule] = true
			list = append(list, f)
		}
		return err
	})
	slices.SortFunc(list, func(a, b found) int { return int(a.id - b.id) })
	rules := make([]rule, len(list))
	for i, f := range list {
		rules[i] = f.rule
	}
	return rules, err
}

// remove deletes rules with their extended rows, under the lock taken at version. Equal rows follow one another. Without
// rows nothing changes.
func remove(ctx context.Context, tx *db.Tx, rows []row, version uuid.UUID, loose []int64, o Options) (Change, error) {
	if len(rows) == 0 {
		return Change{}, nil
	}
	ids := make([]int64, len(rows))
	var extendedIDs, bare []int64 // of extended rows, which take half as long by their own ids, and of rules that may have one of another key
	gone := make(map[int64]bool, len(rows))
	var d delta
	for i, r := range rows {
		ids[i] = r.id
		gone[r.id] = true
		if r.ext != nil {
			extendedIDs = append(extendedIDs, r.ext.id)
		} else {
			bare = append(bare, r.id)
		}
		if i == 0 || rows[i-1].rule != r.rule {
			d.Removed = append(d.Removed, r.rule.values())
		}
	}
	if err := record(ctx, tx, deleted, rows, o); err != nil {
		return Change{}, err
	}
	err := tx.Later(nil, func() error {
		if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+extendedTable+" WHERE id IN (?...)", extendedIDs, nil); err != nil {
			return err
		}
		if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+extendedTable+" WHERE casbin_rule_id IN (?...)", bare, nil); err != nil {
			return err
		}
		_, err := db.ExecIn(ctx, tx, "DELETE FROM "+ruleTable+" WHERE id IN (?...)", ids, nil)
		return err
	})
	if err != nil {
		return Change{}, err
	}
	return bump(ctx, tx, version, d, slices.DeleteFunc(loose, func(id int64) bool { return gone[id] }))
}
