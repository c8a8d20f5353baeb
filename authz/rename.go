package authz

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// RenameUser moves all grants of a user's old name to the new one, which rules hold as text: without it the grants would
// wait for whoever takes the old name next (authz.md §8, §15 D11). The rows of auth_user are the caller's, in the same
// transaction. A grant that the new name has already is merged into it. Since when a grant is held, and what its extended
// row says, stays. The results are the grants of the old name, Removed each; in the audit each is one that was taken
// back from the old name and one that was given to the new.
func RenameUser(ctx context.Context, tx *db.Tx, from, to string, o Options) (*Written, error) {
	if from == to {
		return &Written{Results: []Result{}}, nil
	}
	if err := db.CheckIdentifier(to, maxValue); err != nil {
		return nil, err
	}
	version, err := lock(ctx, tx)
	if err != nil {
		return nil, err
	}
	old, err := rulesWhere(ctx, tx, "v0", []string{userPrefix + from})
	if err != nil || len(old) == 0 {
		return &Written{Results: []Result{}}, err
	}
	w := &Written{Results: make([]Result, len(old))}
	renamed := make([]rule, len(old))
	for i, r := range old {
		w.Results[i] = Result{Grant: r.grant(), Outcome: Removed}
		renamed[i] = rule{userPrefix + to, r.role, r.scope}
		if utf8.RuneCountInString(renamed[i].key()) > maxKey {
			return nil, &GrantError{Grant: renamed[i].grant(), Reason: KeyTooLong, Err: fault.Errorf(fault.Invalid, to,
				"with this name the key of the assignment of %s does not fit the %d characters that the database holds", r.grant(), maxKey).
				WithNext("choose a shorter name, or take that assignment back first")}
		}
	}
	there, err := find(ctx, tx, version, append(append([]rule{}, old...), renamed...))
	if err != nil {
		return nil, err
	}
	d, err := moveRules(ctx, tx, old, renamed, there, o)
	if err != nil {
		return nil, err
	}
	w.Change, err = bump(ctx, tx, version, d, there.loose)
	return w, err
}

// moveRules makes rules of others, to[i] of old[i], under the lock. It deletes those whose new rule is there. What of them
// is loose stays so.
func moveRules(ctx context.Context, tx *db.Tx, old, to []rule, there *present, o Options) (d delta, err error) {
	var gone, kept, before, after []row
	for i, r := range old {
		rows := there.rows[r]
		before = append(before, rows...)
		d.Removed = append(d.Removed, r.values())
		if len(there.rows[to[i]]) > 0 {
			gone = append(gone, rows...)
			continue
		}
		if other, folded := there.folded[to[i]]; there.taken[to[i]] && !(folded && other == r) {
			return d, conflict(to[i].grant(), other)
		}
		// One of equal rows moves; first the one that has an extended row.
		one := rows[0]
		gone = append(gone, rows[1:]...)
		one.rule = to[i]
		kept = append(kept, one)
		after = append(after, one)
		d.Added = append(d.Added, to[i].values())
	}
	ids, isGone := make([]int64, len(gone)), map[int64]bool{}
	for i, r := range gone {
		ids[i], isGone[r.id] = r.id, true
	}
	if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+extendedTable+" WHERE casbin_rule_id IN (?...)", ids, nil); err != nil {
		return d, err
	}
	if _, err := db.ExecIn(ctx, tx, "DELETE FROM "+ruleTable+" WHERE id IN (?...)", ids, nil); err != nil {
		return d, err
	}
	err = tx.UpdateRows(ctx, ruleTable, "id", []string{"v0"}, len(kept), func(i int, v []any) { v[0], v[1] = kept[i].id, kept[i].rule.subject })
	if err != nil {
		return d, err
	}
	var keyed []row
	for _, r := range kept {
		if r.ext != nil {
			keyed = append(keyed, r)
		}
	}
	err = tx.UpdateRows(ctx, extendedTable, "id", []string{"casbin_rule_key", "updated_at"}, len(keyed), func(i int, v []any) {
		v[0], v[1], v[2] = keyed[i].ext.id, keyed[i].rule.key(), tx.Now()
	})
	if err != nil {
		return d, db.Raced(err)
	}
	there.loose = slices.DeleteFunc(there.loose, func(id int64) bool { return isGone[id] })
	if err := record(ctx, tx, deleted, before, o); err != nil {
		return d, err
	}
	return d, record(ctx, tx, created, after, o)
}
