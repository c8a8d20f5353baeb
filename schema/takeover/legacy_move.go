package takeover

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/slug"
	"github.com/openlectern/lectern/schema"
)

// mover makes roles of legacy permissions.
type mover struct {
	long  bool // the engine holds texts of any length
	folds bool // the engine takes texts for equal that differ by case or accents alone
}

// run moves all of them. With the first the version of the policy is another one, so that processes read it anew.
func (m *mover) run(ctx context.Context, tx *db.Tx) error {
	seen := false
	err := eachLegacy(ctx, tx, page, func(list []permission) error {
		seen = true
		return m.move(ctx, tx, list)
	})
	if err != nil || !seen {
		return err
	}
	const table = "openedx_authz_policycachecontrol"
	_, found, err := db.One(ctx, tx, "SELECT id FROM "+table+" WHERE id = 1", nil, db.Value[int64])
	switch {
	case err != nil:
	case found:
		_, err = tx.Exec(ctx, "UPDATE "+table+" SET version = ? WHERE id = 1", uuid.New())
	default:
		_, err = tx.Exec(ctx, "INSERT INTO "+table+" (id, version) VALUES (1, ?)", uuid.New())
	}
	return err
}

// grant is a rule to be made.
type grant struct {
	rule          rule
	user, library int64
}

// move makes the rules of a page of permissions, and keeps those of which none can be made.
func (m *mover) move(ctx context.Context, tx *db.Tx, list []permission) error {
	var left []*permission
	var grants []grant
	met := map[rule]bool{}
	for i := range list {
		p := &list[i]
		if legacyRoles[p.level] == "" {
			continue
		}
		r, why := p.rule(m.long)
		switch {
		case why != "" && (len(left) == 0 || left[len(left)-1].id != p.id):
			left = append(left, p)
		case why != "" || p.member == 0 || met[r]:
		default:
			met[r] = true
			grants = append(grants, grant{r, p.member, p.library})
		}
	}
	if err := keepLeft(ctx, tx, left); err != nil {
		return err
	}
	grants, err := absent(ctx, tx, grants)
	if err != nil || len(grants) == 0 {
		return err
	}
	return m.write(ctx, tx, grants)
}

// keepLeft copies rows word for word.
func keepLeft(ctx context.Context, tx *db.Tx, left []*permission) error {
	return tx.Upsert(ctx, schema.LibraryPermissions, []string{"id"}, []string{"access_level", "library_id", "user_id", "group_id", "library_key", "created"},
		len(left), func(i int, v []any) {
			p := left[i]
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = p.id, p.level, p.library, p.user, p.group, p.key(), tx.Now()
		})
}

// absent returns the grants whose rules are not there.
func absent(ctx context.Context, tx *db.Tx, grants []grant) ([]grant, error) {
	wanted, there := map[rule]bool{}, map[rule]bool{}
	scopes := map[string]bool{}
	for _, g := range grants {
		wanted[g.rule], scopes[g.rule.scope] = true, true
	}
	err := db.QueryIn(ctx, tx, "SELECT v0, v1, v2 FROM casbin_rule WHERE ptype = 'g' AND v2 IN (?...)", sortedKeys(scopes), nil, func(row *db.Row) error {
		var r rule
		err := row.Scan(&r.subject, &r.role, &r.scope)
		if wanted[r] {
			there[r] = true
		}
		return err
	})
	return slices.DeleteFunc(grants, func(g grant) bool { return there[g.rule] }), err
}

// write makes the rules, with what goes with an assignment of that age: the subject, the scope and the extended row.
func (m *mover) write(ctx context.Context, tx *db.Tx, grants []grant) error {
	subjects, err := linkTo(ctx, tx, "openedx_authz_subject", "openedx_authz_usersubject", "subject_ptr_id", "user_id", grants, func(g grant) int64 { return g.user })
	if err != nil {
		return err
	}
	scopes, err := linkTo(ctx, tx, "openedx_authz_scope", "openedx_authz_contentlibraryscope", "scope_ptr_id", "content_library_id", grants, func(g grant) int64 { return g.library })
	if err != nil {
		return err
	}
	ids, err := tx.InsertIDs(ctx, "casbin_rule", []string{"ptype", "v0", "v1", "v2", "v3", "v4", "v5"}, len(grants), func(i int, v []any) {
		r := grants[i].rule
		v[0], v[1], v[2], v[3], v[4], v[5], v[6] = "g", r.subject, r.role, r.scope, "", "", ""
	})
	if err != nil {
		return err
	}
	const table = "openedx_authz_extendedcasbinrule"
	fold := func(s string) string { return s }
	if m.folds {
		fold = slug.Fold
	}
	taken, texts := map[string]bool{}, make([]string, len(grants))
	for i, g := range grants {
		texts[i] = g.rule.key()
	}
	err = db.QueryIn(ctx, tx, "SELECT casbin_rule_key FROM "+table+" WHERE casbin_rule_key IN (?...)", texts, nil, func(row *db.Row) error {
		s, err := db.Value[string](row)
		taken[fold(s)] = true
		return err
	})
	if err != nil {
		return err
	}
	var free []int // an extended row of a rule that was changed by hand keeps its key
	for i := range grants {
		if !taken[fold(texts[i])] {
			free = append(free, i)
		}
	}
	return tx.Insert(ctx, table, []string{"casbin_rule_key", "created_at", "updated_at", "casbin_rule_id", "scope_id", "subject_id"}, len(free),
		func(i int, v []any) {
			n := free[i]
			v[0], v[1], v[2], v[3], v[4], v[5] = texts[n], tx.Now(), tx.Now(), ids[n], scopes[grants[n].library], subjects[grants[n].user]
		})
}

// linkTo returns, by the id of a user or library, the row that stands for it among subjects or scopes. Those that are
// missing are made: a row of the parent, and one of the child that names it.
func linkTo(ctx context.Context, tx *db.Tx, parent, child, ptr, column string, grants []grant, of func(grant) int64) (map[int64]int64, error) {
	rows := map[int64]int64{}
	var targets []int64
	for _, g := range grants {
		if _, met := rows[of(g)]; !met {
			rows[of(g)] = 0
			targets = append(targets, of(g))
		}
	}
	// Nothing keeps two rows from standing for the same thing: the first is taken.
	sql := fmt.Sprintf("SELECT %[2]s, MIN(%[1]s) FROM %[3]s WHERE %[2]s IN (?...) GROUP BY %[2]s", ptr, column, child)
	err := db.QueryIn(ctx, tx, sql, targets, nil, func(r *db.Row) error {
		var target, id int64
		err := r.Scan(&target, &id)
		rows[target] = id
		return err
	})
	if err != nil {
		return nil, err
	}
	targets = slices.DeleteFunc(targets, func(t int64) bool { return rows[t] != 0 })
	ids, err := tx.InsertIDs(ctx, parent, nil, len(targets), func(int, []any) {})
	if err != nil {
		return nil, err
	}
	for i, t := range targets {
		rows[t] = ids[i]
	}
	return rows, tx.Insert(ctx, child, []string{ptr, column}, len(targets), func(i int, v []any) { v[0], v[1] = ids[i], targets[i] })
}
