package authz

import (
	"context"
	"strings"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// Origin is by whom an assignment was made, when and why, as far as it is known.
type Origin struct {
	Grant  Grant
	Since  time.Time // zero where it is not known
	Actor  user.ID   // 0: nobody, or not known
	By     string    // the actor's user name, "" where there is none or the account is gone
	Reason string
	Run    int64 // the run of a move of roles, 0 for none
}

// Origins tells of each grant where it comes from: of the newest entry of the audit that made it, else, where that was
// before there was an audit or was not written to it, of the extended row. Grants that are unknown to both have a zero
// Since. The number of statements is bounded by that of the different people.
func Origins(ctx context.Context, q db.Querier, grants []Grant) ([]Origin, error) {
	origins := make([]Origin, len(grants))
	subjects := map[string]bool{}
	rules := map[rule][]int{}
	for i, g := range grants {
		origins[i].Grant = g
		r, err := g.bare()
		if err != nil { // a raw domain such as *
			r = rule{userPrefix + g.User, rolePrefix + g.Role, g.Scope}
		}
		rules[r] = append(rules[r], i)
		subjects[r.subject] = true
	}
	// By subject, which has an index; what is of other roles and scopes is passed over.
	newest := map[rule]time.Time{}
	actors := map[user.ID]bool{}
	err := db.QueryIn(ctx, q, "SELECT a.subject, a.role, a.scope, a.actor_id, a.timestamp, n.reason, n.run_id FROM "+auditTable+" a LEFT JOIN "+
		noteTable+" n ON n.audit_id = a.id WHERE a.operation = ? AND a.subject IN (?...)", sortedKeys(subjects), []any{string(created)}, func(row *db.Row) error {
		var r rule
		var at time.Time
		var actor, run *int64
		var reason *string
		if err := row.Scan(&r.subject, &r.role, &r.scope, &actor, &at, &reason, &run); err != nil {
			return err
		}
		if at.Before(newest[r]) {
			return nil
		}
		newest[r] = at
		for _, i := range rules[r] {
			o := Origin{Grant: grants[i], Since: at}
			if actor != nil {
				o.Actor = user.ID(*actor)
				actors[o.Actor] = true
			}
			if reason != nil {
				o.Reason = *reason
			}
			if run != nil {
				o.Run = *run
			}
			origins[i] = o
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	keys := map[string]rule{}
	for r, places := range rules {
		if origins[places[0]].Since.IsZero() {
			keys[r.key()] = r
		}
	}
	err = db.QueryIn(ctx, q, "SELECT casbin_rule_key, created_at FROM "+extendedTable+" WHERE casbin_rule_key IN (?...)", sortedKeys(keys), nil, func(row *db.Row) error {
		var key string
		var at time.Time
		if err := row.Scan(&key, &at); err != nil {
			return err
		}
		for _, i := range rules[keys[key]] { // none for a key that is equal to the engine only
			origins[i].Since = at
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	names, err := user.Names(ctx, q, sortedKeys(actors))
	for i := range origins {
		origins[i].By = names[origins[i].Actor]
	}
	return origins, err
}

// Grants returns the assignments that an explanation speaks of, each once: what [Origins] is to be asked for. A role's own
// assignments are not among them, as nobody's audit has these.
func (e *Explanation) Grants() []Grant {
	var all []Grant
	seen := map[Grant]bool{}
	for _, l := range e.Lines {
		if len(l.Path) > 0 && !seen[l.Path[0]] && strings.Contains(l.Path[0].Scope, ":") {
			seen[l.Path[0]] = true
			all = append(all, l.Path[0])
		}
	}
	return all
}
