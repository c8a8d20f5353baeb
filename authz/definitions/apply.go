package definitions

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Applied is what [Apply] did.
type Applied struct {
	*Plan
	Unassigned []authz.Grant  // of roles that lost their last permission, by force
	Changes    []authz.Change // in their order, for the engine of this process; empty where no row changed
}

// Apply brings a database to a schema (authz.md §16.5). It takes the lock of the policy before it reads, so that two at
// once follow one another. A role that would lose its last permission while people hold it is a fault.Refused, and
// nothing is written; with force they lose the role, which is in the audit. Applying the same again changes nothing.
func Apply(ctx context.Context, tx *db.Tx, s *Schema, force bool, o authz.Options) (*Applied, error) {
	if err := authz.Lock(ctx, tx); err != nil {
		return nil, err
	}
	p, err := Make(ctx, tx, s)
	if err != nil {
		return nil, err
	}
	a := &Applied{Plan: p}
	if len(p.Blocked) > 0 {
		if !force {
			return nil, p.refusal()
		}
		roles := make([]string, len(p.Blocked))
		for i, b := range p.Blocked {
			roles[i] = b.Role
		}
		w, err := authz.UnassignRoles(ctx, tx, roles, o)
		if err != nil {
			return nil, err
		}
		for _, r := range w.Results {
			a.Unassigned = append(a.Unassigned, r.Grant)
		}
		a.changed(w.Change)
	}
	c, err := authz.ChangeRows(ctx, tx, p.Add, p.Remove)
	if err != nil {
		return nil, err
	}
	a.changed(c)
	if len(p.Edits) == 0 {
		return a, nil
	}
	return a, p.write(ctx, tx)
}

func (a *Applied) changed(c authz.Change) {
	if !c.IsZero() {
		a.Changes = append(a.Changes, c)
	}
}

func (p *Plan) refusal() error {
	var roles []string
	for _, b := range p.Blocked {
		roles = append(roles, fmt.Sprintf("%s (%d assignments)", b.Role, b.Assignments))
	}
	return &fault.Error{Kind: fault.Refused, Thing: "definitions of roles", Data: map[string]any{"roles": p.Blocked},
		Text: "these roles would lose their last permission while people hold them: " + strings.Join(roles, ", "),
		Next: "give these people other roles first, or load with --force, which takes the roles from them"}
}

// write brings the definition tables to the schema: what comes is written from sources down to links, what goes is
// deleted the other way round.
func (p *Plan) write(ctx context.Context, tx *db.Tx) error {
	s, have := p.schema, p.have
	w := &writer{ctx: ctx, tx: tx}

	sources := s.sources()
	sourceIDs := put(w, sourceTable, sources, have.sources, []string{"distribution", "module", "distribution_version", "resource_path", "content_digest", "schema_version"},
		func(k sourceKey, x sourceValue) []any {
			return []any{k.distribution, k.module, x.version, x.path, x.digest, x.schema}
		})
	categoryIDs := put(w, categoryTable, s.categories(), have.categories, []string{"category_id", "display_name", "description", "icon"},
		func(k string, x categoryOf) []any { return []any{k, x.name, x.description, optional(x.icon)} })
	permissionIDs := put(w, permissionTable, s.permissions(), have.permissions,
		[]string{"namespace", "name", "display_name", "description", "scopes", "icon", "category_id"},
		func(k string, x definition) []any {
			namespace, name, _ := strings.Cut(k, ".")
			return []any{namespace, name, x.name, x.description, x.scopes, optional(x.icon), categoryIDs[x.category]}
		})
	roleIDs := put(w, roleTable, s.roles(), have.roles, []string{"role_id", "display_name", "description", "scopes", "icon", "hidden"},
		func(k string, x definition) []any {
			return []any{k, x.name, x.description, x.scopes, optional(x.icon), x.hidden}
		})
	grantIDs := put(w, grantTable, s.grants(), have.grants, []string{"scope", "permission_id", "role_id"},
		func(g Grant, _ struct{}) []any {
			return []any{g.Namespace, permissionIDs[g.Permission], roleIDs[g.Role]}
		})

	byText := map[string]int64{}
	for g, id := range grantIDs {
		byText[g.String()] = id
	}
	things := map[linkTable]map[string]int64{categoryLinks: categoryIDs, permissionLinks: permissionIDs, roleLinks: roleIDs, grantLinks: byText}
	for _, t := range allLinks {
		w.links(t.linkTable, s.links(t.linkTable), have.links[t.linkTable], things[t.linkTable], sourceIDs)
	}
	gone(w, grantTable, s.grants(), have.grants)
	gone(w, roleTable, s.roles(), have.roles)
	gone(w, permissionTable, s.permissions(), have.permissions)
	gone(w, categoryTable, s.categories(), have.categories)
	return w.err
}

func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// writer does nothing more after its first error.
type writer struct {
	ctx context.Context
	tx  *db.Tx
	err error
}

// put inserts the rows that are missing and updates those that differ, and returns the ids of all that are wanted. row
// gives the values of cols.
func put[K comparable, V comparable](w *writer, table string, want wanted[K, V], have map[K]entry[V], cols []string, row func(K, V) []any) map[K]int64 {
	ids := make(map[K]int64, len(want.keys))
	if w.err != nil {
		return ids
	}
	add, change, _ := against(want, have)
	now := w.tx.Now()
	for k := range want.values {
		ids[k] = have[k].id
	}
	w.err = w.tx.UpdateRows(w.ctx, table, "id", append(append([]string{}, cols...), "updated_at"), len(change), func(i int, v []any) {
		v[0] = have[change[i]].id
		copy(v[1:], row(change[i], want.values[change[i]]))
		v[len(v)-1] = now
	})
	if w.err != nil {
		return ids
	}
	var made []int64
	made, w.err = w.tx.InsertIDs(w.ctx, table, append(append([]string{}, cols...), "created_at", "updated_at"), len(add), func(i int, v []any) {
		copy(v, row(add[i], want.values[add[i]]))
		v[len(v)-2], v[len(v)-1] = now, now
	})
	for i, id := range made {
		ids[add[i]] = id
	}
	w.err = db.Raced(w.err)
	return ids
}

// links brings one table of origins to what is wanted.
func (w *writer) links(t linkTable, want wanted[link, origin], have map[link]entry[origin], things map[string]int64, sources map[sourceKey]int64) {
	if w.err != nil {
		return
	}
	add, change, _ := against(want, have)
	gone(w, t.table, want, have)
	if w.err != nil {
		return
	}
	w.err = w.tx.UpdateRows(w.ctx, t.table, "id", []string{"origin_kind", "priority"}, len(change), func(i int, v []any) {
		o := want.values[change[i]]
		v[0], v[1], v[2] = have[change[i]].id, o.kind, o.priority
	})
	if w.err != nil {
		return
	}
	w.err = w.tx.Insert(w.ctx, t.table, []string{"origin_kind", "priority", t.column, "source_id"}, len(add), func(i int, v []any) {
		o := want.values[add[i]]
		v[0], v[1], v[2], v[3] = o.kind, o.priority, things[add[i].thing], sources[add[i].source]
	})
}

// gone deletes the rows that are not wanted.
func gone[K comparable, V comparable](w *writer, table string, want wanted[K, V], have map[K]entry[V]) {
	if w.err != nil {
		return
	}
	_, _, remove := against(want, have)
	ids := make([]int64, len(remove))
	for i, k := range remove {
		ids[i] = have[k].id
	}
	_, w.err = db.ExecIn(w.ctx, w.tx, "DELETE FROM "+table+" WHERE id IN (?...)", ids, nil)
}
