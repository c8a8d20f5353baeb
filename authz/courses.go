package authz

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
)

// Held is an assignment as the database has it.
type Held struct {
	ID int64 // of its first row
	Grant
}

// Hold takes the turn to change the policy, until the transaction ends: whoever else changes it waits, and what is read
// from here on is what is changed. [Assign] and the like take it too, and find it taken by their own transaction. A node of a
// Galera cluster knows of no locks on others: there the policy gets a version that changes nothing, and of two transactions
// that hold it at once one runs again.
func Hold(ctx context.Context, tx *db.Tx) error {
	version, err := lock(ctx, tx)
	if err != nil || !tx.Cluster() {
		return err
	}
	held := tx.Local(holdKey{}, func() any { return new(bool) }).(*bool)
	if *held {
		return nil
	}
	*held = true
	next := uuid.New()
	if _, err := tx.Exec(ctx, "UPDATE "+policyTable+" SET version = ? WHERE id = 1", next); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE "+stateTable+" SET version = ? WHERE id = 1 AND version = ?", next, version); err != nil {
		return err
	}
	text, err := encode(delta{})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO "+changeTable+" (version, previous, created, delta) VALUES (?, ?, ?, ?)", next, version, tx.Now(), text)
	return err
}

// holdKey is under which a transaction keeps that it holds the turn.
type holdKey struct{}

// CourseGrants returns the assignments on courses and on sets of an organization's courses, in the order of their rows,
// each once: those of an organization in any letter case, else those of the scopes, else all. It reads casbin_rule, which
// has no index, once, or once for each 512 scopes.
func CourseGrants(ctx context.Context, q db.Querier, org string, scopes []string) ([]Held, error) {
	const columns = "SELECT id, v0, v1, v2 FROM " + ruleTable + " WHERE ptype = 'g' AND "
	prefix := scope.Courses + scope.Sep + scope.Courses + ":"
	wanted := setOf(scopes)
	var list []Held
	met := map[rule]bool{}
	note := func(r *db.Row) error {
		var id int64
		var of rule
		if err := r.Scan(&id, &of.subject, &of.role, &of.scope); err != nil {
			return err
		}
		_, user := of.user()
		if met[of] || !user || !strings.HasPrefix(of.role, rolePrefix) || !strings.HasPrefix(of.scope, prefix) {
			return nil
		}
		g := of.grant()
		s, err := scope.Parse(g.Scope)
		switch {
		case err != nil, s.Kind() != scope.Course && s.Kind() != scope.CourseOrg:
			return nil
		case org != "" && !strings.EqualFold(s.Org(), org):
			return nil
		case org == "" && len(scopes) > 0 && !wanted[g.Scope]:
			return nil
		}
		met[of] = true
		list = append(list, Held{id, g})
		return nil
	}
	var err error
	switch {
	case org != "":
		pattern := prefix + org + "+%"
		if strings.ContainsRune(org, '\\') { // which patterns of some engines take for a sign
			pattern = prefix + "%"
		}
		err = q.Query(ctx, columns+"LOWER(v2) LIKE LOWER(?) ORDER BY id", []any{pattern}, note)
	case len(scopes) > 0:
		namespaced := make([]string, len(scopes))
		for i, s := range scopes {
			namespaced[i] = scope.Courses + scope.Sep + s
		}
		err = db.QueryIn(ctx, q, columns+"v2 IN (?...)", namespaced, nil, note)
	default:
		err = q.Query(ctx, columns+"v2 LIKE ? ORDER BY id", []any{prefix + "%"}, note)
	}
	slices.SortFunc(list, func(a, b Held) int { return int(a.ID - b.ID) })
	return list, err
}

// EachCourseGrant calls fn for the assignments on courses and on sets of an organization's courses, without keeping them. Equal
// rows come more than once.
func EachCourseGrant(ctx context.Context, q db.Querier, fn func(Grant)) error {
	prefix := scope.Courses + scope.Sep + scope.Courses + ":"
	return q.Query(ctx, "SELECT v0, v1, v2 FROM "+ruleTable+" WHERE ptype = 'g' AND v2 LIKE ?", []any{prefix + "%"}, func(r *db.Row) error {
		var of rule
		if err := r.Scan(&of.subject, &of.role, &of.scope); err != nil {
			return err
		}
		if _, user := of.user(); !user || !strings.HasPrefix(of.role, rolePrefix) || !strings.HasPrefix(of.scope, prefix) {
			return nil
		}
		g := of.grant()
		if s, err := scope.Parse(g.Scope); err == nil && (s.Kind() == scope.Course || s.Kind() == scope.CourseOrg) {
			fn(g)
		}
		return nil
	})
}

// GrantsOf returns the assignments of an organization's courses that are among the rules of those ids, in their order.
func GrantsOf(ctx context.Context, q db.Querier, org string, ids []int64) (list []Held, err error) {
	err = db.QueryIn(ctx, q, "SELECT id, v0, v1, v2 FROM "+ruleTable+" WHERE ptype = 'g' AND id IN (?...)", ids, nil, func(r *db.Row) error {
		var of rule
		var id int64
		if err := r.Scan(&id, &of.subject, &of.role, &of.scope); err != nil {
			return err
		}
		if g, ok := of.inCourses(org, ""); ok {
			list = append(list, Held{id, g})
		}
		return nil
	})
	slices.SortFunc(list, func(a, b Held) int { return int(a.ID - b.ID) })
	return list, err
}

// Measure has PostgreSQL count the rows of assignments, where many are about to be looked up: one that has not counted since
// they were made takes the slowest way to each. Other engines know by themselves.
func Measure(ctx context.Context, tx *db.Tx) error {
	if tx.Engine() != db.PostgreSQL {
		return nil
	}
	_, err := tx.Exec(ctx, "ANALYZE "+ruleTable+", "+extendedTable)
	return err
}
