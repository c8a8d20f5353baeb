package authz

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/user"
)

// Assign gives people roles: any number of grants in a bounded number of statements. A grant that is there already stays
// as it is, and so does the second of two equal ones. Each new one gets its rule, the extended row, the rows of its
// subject and scope (a scope whose course or library is not there yet waits for it), and a row of the audit; the policy
// gets a new version (authz.md §6-§10). Whether the role exists is not looked at, as in openedx-authz: who asks people
// for a role asks the definitions.
//
// Errors are of type *[GrantError], or a fault.Error around several; with KeepGoing they are in the results.
func Assign(ctx context.Context, tx *db.Tx, grants []Grant, o Options) (*Written, error) {
	w := &Written{Results: make([]Result, len(grants))}
	rules := make([]rule, len(grants))
	for i, g := range grants {
		var err error
		rules[i], err = g.check()
		w.set(i, g, Failed, err)
	}
	if err := w.stop(o); err != nil {
		return nil, err
	}
	version, err := lock(ctx, tx)
	if err != nil {
		return nil, err
	}
	users, err := w.people(ctx, tx)
	if err != nil {
		return nil, err
	}
	there, err := find(ctx, tx, version, w.open(rules))
	if err != nil {
		return nil, err
	}
	added := w.choose(tx, rules, there)
	if err := w.stop(o); err != nil || len(added) == 0 {
		return w, err
	}
	written, err := insert(ctx, tx, added, users, there)
	if err != nil {
		return nil, err
	}
	var d delta
	for _, r := range written {
		d.Added = append(d.Added, r.rule.values())
		if r.ext == nil {
			there.loose = append(there.loose, r.id)
		}
	}
	if err := record(ctx, tx, created, written, o); err != nil {
		return nil, err
	}
	if err := extend(ctx, tx, written); err != nil {
		return nil, err
	}
	w.Change, err = bump(ctx, tx, version, d, there.loose)
	return w, err
}

// set notes what became of a grant.
func (w *Written) set(i int, g Grant, o Outcome, err error) {
	w.Results[i] = Result{Grant: g, Outcome: o}
	if e, ok := err.(*GrantError); ok {
		w.Results[i].Err = e
	}
}

// stop returns the error of a call that may not keep going after what failed so far.
func (w *Written) stop(o Options) error {
	if o.KeepGoing {
		return nil
	}
	return refuse(w.Results)
}

// open returns the rules of the grants of which nothing is wrong so far.
func (w *Written) open(rules []rule) []rule {
	list := make([]rule, 0, len(rules))
	for i, r := range rules {
		if w.Results[i].Err == nil {
			list = append(list, r)
		}
	}
	return list
}

// people returns the ids of the users of the grants, and fails those of users who are not there.
func (w *Written) people(ctx context.Context, tx *db.Tx) (map[string]user.ID, error) {
	names := map[string]bool{}
	for _, r := range w.Results {
		if r.Err == nil {
			names[r.Grant.User] = true
		}
	}
	ids, err := user.IDs(ctx, tx, sortedKeys(names))
	if err != nil {
		return nil, err
	}
	for i, r := range w.Results {
		if r.Err == nil && ids[r.Grant.User] == 0 {
			w.set(i, r.Grant, Failed, &GrantError{Grant: r.Grant, Reason: UserNotFound, Err: fault.Errorf(fault.NotFound, r.Grant.User, "no such user").
				WithNext("make it with: lectern user add " + r.Grant.User + " --email ADDRESS")})
		}
	}
	return ids, nil
}

// choose decides which of the grants are to be made, in their order.
func (w *Written) choose(tx *db.Tx, rules []rule, there *present) (added []rule) {
	met := map[string]rule{} // by folded key
	for i, r := range rules {
		res := &w.Results[i]
		if res.Err != nil {
			continue
		}
		first, twice := met[fold(tx, r.key())]
		other, folded := there.folded[r]
		switch {
		case len(there.rows[r]) > 0, twice && first == r:
			res.Outcome = Present
		case folded:
			w.set(i, res.Grant, Failed, conflict(res.Grant, other))
		case twice:
			w.set(i, res.Grant, Failed, conflict(res.Grant, first))
		default:
			met[fold(tx, r.key())] = r
			res.Outcome = Added
			added = append(added, r)
		}
	}
	return added
}

func conflict(g Grant, other rule) *GrantError {
	return &GrantError{Grant: g, Reason: CaseConflict, Err: fault.Errorf(fault.Conflict, g.String(),
		"this database does not tell it from the assignment of %s", other.grant()).WithNext("take that one back first, or write the names in the same letter case")}
}

// insert makes rules with what belongs to them, but for their extended rows.
func insert(ctx context.Context, tx *db.Tx, rules []rule, users map[string]user.ID, there *present) ([]row, error) {
	subjects, scopes, err := endpoints(ctx, tx, rules, users)
	if err != nil {
		return nil, err
	}
	ids, err := tx.InsertIDs(ctx, ruleTable, []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, len(rules), func(i int, v []any) {
		r := rules[i]
		v[0], v[1], v[2], v[3], v[4], v[5], v[6] = "g", r.subject, r.role, r.scope, "", "", ""
	})
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(rules))
	for i, r := range rules {
		rows[i] = row{id: ids[i], rule: r}
		if there.taken[r] { // a row of another rule that has the key by hand keeps it
			continue
		}
		name, _ := r.user()
		e := &extended{created: tx.Now()}
		subject := subjects[users[name]]
		e.subject = &subject
		if id, ok := scopes[r.grant().Scope]; ok {
			e.scope = &id
		}
		rows[i].ext = e
	}
	return rows, nil
}

// extend puts off making the extended rows of new rules. Very many are made by their keys, as an index of long texts takes them
// fastest in its own order.
func extend(ctx context.Context, tx *db.Tx, rows []row) error {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.ext == nil })
	const many = 2000
	if len(rows) > many {
		slices.SortFunc(rows, func(a, b row) int {
			return cmp.Or(strings.Compare(a.rule.subject, b.rule.subject), strings.Compare(a.rule.role, b.rule.role), strings.Compare(a.rule.scope, b.rule.scope))
		})
	}
	return tx.Later(db.Raced, func() error { // Python takes no lock before it makes one
		return tx.Insert(ctx, extendedTable, []string{"casbin_rule_key", "description", "metadata", "created_at", "updated_at", "casbin_rule_id", "scope_id", "subject_id"},
			len(rows), func(i int, v []any) {
				r := &rows[i]
				v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] = r.rule.key(), nil, nil, tx.Now(), tx.Now(), r.id, r.ext.scope, r.ext.subject
			})
	})
}

// endpoints returns the rows of the subjects, by user, and of the scopes that have one, by external key.
func endpoints(ctx context.Context, tx *db.Tx, rules []rule, users map[string]user.ID) (subjects map[user.ID]int64, scopes map[string]int64, err error) {
	people, courses, libs := map[user.ID]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range rules {
		name, _ := r.user()
		people[users[name]] = true
		switch sc, _ := scope.ParseNamespaced(r.scope); sc.Kind() {
		case scope.Course:
			courses[sc.Key()] = true
		case scope.Library:
			libs[sc.Key()] = true
		}
	}
	if subjects, err = subjectRows(ctx, tx, sortedKeys(people)); err != nil {
		return nil, nil, err
	}
	scopes, err = courseScopes.rows(ctx, tx, sortedKeys(courses))
	if err != nil {
		return nil, nil, err
	}
	ofLibraries, err := libraries.rows(ctx, tx, sortedKeys(libs))
	for key, id := range ofLibraries {
		scopes[key] = id
	}
	return subjects, scopes, err
}
