package definitions

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
)

// Blocked is a role that would lose its last permission while people hold it.
type Blocked struct {
	Role        string `json:"role"`
	Assignments int    `json:"assignments"`
}

// Edit is a change to the definitions beside the rows.
type Edit struct {
	Op   byte   // '+' added, '~' updated, '-' removed
	Text string // as in "role: course_staff"
}

func (e Edit) String() string { return string(e.Op) + " " + e.Text }

// Plan is what brings a database to a schema (authz.md §16.5).
type Plan struct {
	Add     [][]string        // rows of casbin_rule to be added, in their order
	Remove  []authz.StoredRow // and removed: only such as a schema has declared before
	Edits   []Edit
	Blocked []Blocked // by role

	schema *Schema
	have   *stored
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Add)+len(p.Remove)+len(p.Edits) == 0 }

// Lines returns the plan as people read it, one change a line: rows, then definitions, then the roles that block it.
func (p *Plan) Lines() []string {
	var lines []string
	for _, r := range p.Add {
		lines = append(lines, "+ "+strings.Join(r, ", "))
	}
	for _, r := range p.Remove {
		lines = append(lines, "- "+strings.Join(r.Values, ", "))
	}
	for _, e := range p.Edits {
		lines = append(lines, e.String())
	}
	for _, b := range p.Blocked {
		lines = append(lines, fmt.Sprintf("! %s: %d assignments", b.Role, b.Assignments))
	}
	return lines
}

// Make plans what a database lacks of a schema, and what it has of an earlier one. Rows that no schema ever declared are
// never touched: on a first run nothing is removed, and rows that are there already are taken over.
func Make(ctx context.Context, q db.Querier, s *Schema) (*Plan, error) {
	have, err := read(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := authz.StoredRows(ctx, q)
	if err != nil {
		return nil, err
	}
	p := &Plan{schema: s, have: have}
	there, wanted, managed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, r := range rows {
		there[text(r.Values)] = true
	}
	for g := range have.grants {
		managed[text(g.row())] = true
	}
	for _, r := range append(s.Rows(), s.implications()...) {
		wanted[text(r)] = true
		if !there[text(r)] {
			p.Add = append(p.Add, r)
		}
	}
	left := map[string]int{} // rows that roles keep
	lost := map[string]bool{}
	for _, r := range p.Add {
		left[r[1]]++
	}
	for _, r := range rows {
		if r.Values[0] != "p" || len(r.Values) < 2 {
			continue
		}
		if managed[text(r.Values)] && !wanted[text(r.Values)] {
			p.Remove = append(p.Remove, r)
			lost[r.Values[1]] = true
			continue
		}
		left[r.Values[1]]++
	}
	var roles []string
	for role := range lost {
		if left[role] == 0 {
			roles = append(roles, strings.TrimPrefix(role, "role^"))
		}
	}
	held, err := authz.AssignedRoles(ctx, q, roles)
	if err != nil {
		return nil, err
	}
	for _, role := range slices.Sorted(maps.Keys(held)) {
		p.Blocked = append(p.Blocked, Blocked{role, held[role]})
	}
	p.edits()
	return p, nil
}

// text makes a row comparable.
func text(row []string) string { return strings.Join(row, "\x00") }

// implications returns the implications that go with the shipped definitions, which the format cannot say (authz.md §15,
// D19).
func (s *Schema) implications() (rows [][]string) {
	shipped := Shipped()
	if !slices.ContainsFunc(s.Sources, func(x *Source) bool { return x.Distribution == shipped.Distribution && x.Module == shipped.Module }) {
		return nil
	}
	for _, r := range authz.Shipped() {
		if r[0] == "g2" {
			rows = append(rows, r)
		}
	}
	return rows
}

// wanted is what the tables shall have of one kind, in the order in which new rows are made.
type wanted[K comparable, V comparable] struct {
	keys   []K
	values map[K]V
}

func (w *wanted[K, V]) add(k K, v V) {
	if w.values == nil {
		w.values = map[K]V{}
	}
	if _, met := w.values[k]; !met {
		w.keys = append(w.keys, k)
	}
	w.values[k] = v
}

// against compares with what there is. Keys to remove come in the order of their rows.
func against[K comparable, V comparable](w wanted[K, V], have map[K]entry[V]) (add, change, remove []K) {
	for _, k := range w.keys {
		switch e, there := have[k]; {
		case !there:
			add = append(add, k)
		case e.value != w.values[k]:
			change = append(change, k)
		}
	}
	for k := range have {
		if _, keep := w.values[k]; !keep {
			remove = append(remove, k)
		}
	}
	slices.SortFunc(remove, func(a, b K) int { return cmp.Compare(have[a].id, have[b].id) })
	return add, change, remove
}

func (s *Schema) sources() (w wanted[sourceKey, sourceValue]) {
	for _, x := range s.Sources {
		w.add(x.key(), sourceValue{x.Version, x.Path, x.Digest, x.Schema})
	}
	return w
}

func (x *Source) key() sourceKey { return sourceKey{x.Distribution, x.Module} }

func (s *Schema) categories() (w wanted[string, categoryOf]) {
	for _, x := range s.Categories {
		w.add(x.ID, categoryOf{x.Name, x.Description, x.Icon})
	}
	return w
}

func (s *Schema) permissions() (w wanted[string, definition]) {
	for _, x := range s.Permissions {
		w.add(x.ID(), definition{name: x.Name, description: x.Description, icon: x.Icon, scopes: scopeList(x.Scopes), category: x.Category})
	}
	return w
}

func (s *Schema) roles() (w wanted[string, definition]) {
	for _, x := range s.Roles {
		w.add(x.ID, definition{name: x.Name, description: x.Description, icon: x.Icon, scopes: scopeList(x.Scopes), hidden: x.Hidden})
	}
	return w
}

func (s *Schema) grants() (w wanted[Grant, struct{}]) {
	for _, g := range s.Grants {
		w.add(g, struct{}{})
	}
	return w
}

// links returns where things of one kind are defined. Categories, permissions and roles count as defined by their own
// entry, without a priority, whatever the file's; grants have the real values.
func (s *Schema) links(t linkTable) (w wanted[link, origin]) {
	each := func(thing string, list []Origin) {
		for _, o := range list {
			kind := "base"
			if o.Extension {
				kind = "extension"
			}
			w.add(link{thing, o.Source.key()}, origin{kind, int64(o.Priority)})
		}
	}
	switch t {
	case categoryLinks:
		for _, x := range s.Categories {
			each(x.ID, s.CategoryOrigins[x.ID])
		}
	case permissionLinks:
		for _, x := range s.Permissions {
			each(x.ID(), s.PermissionOrigins[x.ID()])
		}
	case roleLinks:
		for _, x := range s.Roles {
			each(x.ID, s.RoleOrigins[x.ID])
		}
	case grantLinks:
		for _, g := range s.Grants {
			each(g.String(), s.GrantOrigins[g])
		}
	}
	return w
}

var allLinks = []struct {
	linkTable
	what string
}{{categoryLinks, "category"}, {permissionLinks, "permission"}, {roleLinks, "role"}, {grantLinks, "role-permission"}}

// edits lists the changes to the definitions. Where only the origins of a thing change, it counts as updated.
func (p *Plan) edits() {
	add, change, _ := against(p.schema.sources(), p.have.sources)
	p.note("source", '+', texts(add))
	p.note("source", '~', texts(change))
	kinds := map[string]*[3][]string{}
	list := func(what string, add, change, remove []string) { kinds[what] = &[3][]string{add, change, remove} }
	{
		add, change, remove := against(p.schema.categories(), p.have.categories)
		list("category", add, change, remove)
	}
	{
		add, change, remove := against(p.schema.permissions(), p.have.permissions)
		list("permission", add, change, remove)
	}
	{
		add, change, remove := against(p.schema.roles(), p.have.roles)
		list("role", add, change, remove)
	}
	{
		add, change, remove := against(p.schema.grants(), p.have.grants)
		list("role-permission", texts(add), texts(change), texts(remove))
	}
	for _, t := range allLinks {
		k := kinds[t.what]
		met := map[string]bool{}
		for _, list := range k {
			for _, thing := range list {
				met[thing] = true
			}
		}
		add, change, remove := against(p.schema.links(t.linkTable), p.have.links[t.linkTable])
		for _, l := range slices.Concat(add, change, remove) {
			if !met[l.thing] {
				met[l.thing] = true
				k[1] = append(k[1], l.thing)
			}
		}
		for i, op := range []byte("+~-") {
			p.note(t.what, op, k[i])
		}
	}
}

func (p *Plan) note(what string, op byte, things []string) {
	for _, t := range things {
		p.Edits = append(p.Edits, Edit{op, what + ": " + t})
	}
}

func texts[K fmt.Stringer](keys []K) []string {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.String()
	}
	return list
}

func (k sourceKey) String() string { return k.distribution + " " + k.module }
