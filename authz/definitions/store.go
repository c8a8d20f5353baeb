package definitions

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
)

const (
	sourceTable     = authz.NewestTable
	categoryTable   = "openedx_authz_authzpermissioncategory"
	permissionTable = "openedx_authz_authzpermissiondefinition"
	roleTable       = "openedx_authz_authzroledefinition"
	grantTable      = "openedx_authz_authzrolepermission"
)

// linkTable is a table that says where things of one kind were defined.
type linkTable struct{ table, column string }

var (
	categoryLinks   = linkTable{"openedx_authz_authzcategorysource", "category_id"}
	permissionLinks = linkTable{"openedx_authz_authzpermissionsource", "permission_id"}
	roleLinks       = linkTable{"openedx_authz_authzrolesource", "role_id"}
	grantLinks      = linkTable{"openedx_authz_authzrolepermissionsource", "role_permission_id"}
)

// What the tables say of things, in forms that can be compared.
type (
	sourceKey   struct{ distribution, module string }
	sourceValue struct{ version, path, digest, schema string }
	categoryOf  struct{ name, description, icon string }
	definition  struct {
		name, description, icon string
		scopes                  string // JSON list
		category                string // of a permission: its id as text
		hidden                  bool   // of a role
	}
	link struct {
		thing  string // text of the thing's key
		source sourceKey
	}
	origin struct {
		kind     string
		priority int64
	}
)

// entry is a row and what it says.
type entry[V comparable] struct {
	id    int64
	value V
}

// stored is what a database has.
type stored struct {
	sources     map[sourceKey]entry[sourceValue]
	categories  map[string]entry[categoryOf]
	permissions map[string]entry[definition]
	roles       map[string]entry[definition]
	grants      map[Grant]entry[struct{}]
	links       map[linkTable]map[link]entry[origin]
}

// read reads all of it, in nine statements.
func read(ctx context.Context, q db.Querier) (*stored, error) {
	s := &stored{
		sources: map[sourceKey]entry[sourceValue]{}, categories: map[string]entry[categoryOf]{}, permissions: map[string]entry[definition]{},
		roles: map[string]entry[definition]{}, grants: map[Grant]entry[struct{}]{}, links: map[linkTable]map[link]entry[origin]{},
	}
	sourceOf, categoryID, permissionID, roleID, grantID := map[int64]sourceKey{}, map[int64]string{}, map[int64]string{}, map[int64]string{}, map[int64]string{}
	err := q.Query(ctx, "SELECT id, distribution, module, distribution_version, resource_path, content_digest, schema_version FROM "+sourceTable, nil, func(r *db.Row) error {
		var e entry[sourceValue]
		var k sourceKey
		err := r.Scan(&e.id, &k.distribution, &k.module, &e.value.version, &e.value.path, &e.value.digest, &e.value.schema)
		s.sources[k], sourceOf[e.id] = e, k
		return err
	})
	if err != nil {
		return nil, err
	}
	err = q.Query(ctx, "SELECT id, category_id, display_name, description, COALESCE(icon, '') FROM "+categoryTable, nil, func(r *db.Row) error {
		var e entry[categoryOf]
		var k string
		err := r.Scan(&e.id, &k, &e.value.name, &e.value.description, &e.value.icon)
		s.categories[k], categoryID[e.id] = e, k
		return err
	})
	if err != nil {
		return nil, err
	}
	err = q.Query(ctx, "SELECT id, namespace, name, display_name, description, scopes, COALESCE(icon, ''), category_id FROM "+permissionTable, nil, func(r *db.Row) error {
		var e entry[definition]
		var ns, name, scopes string
		var category *int64
		if err := r.Scan(&e.id, &ns, &name, &e.value.name, &e.value.description, &scopes, &e.value.icon, &category); err != nil {
			return err
		}
		if category != nil {
			e.value.category = categoryID[*category]
		}
		e.value.scopes = canonical(scopes)
		s.permissions[ns+"."+name], permissionID[e.id] = e, ns+"."+name
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = q.Query(ctx, "SELECT id, role_id, display_name, description, scopes, COALESCE(icon, ''), hidden FROM "+roleTable, nil, func(r *db.Row) error {
		var e entry[definition]
		var k, scopes string
		err := r.Scan(&e.id, &k, &e.value.name, &e.value.description, &scopes, &e.value.icon, &e.value.hidden)
		e.value.scopes = canonical(scopes)
		s.roles[k], roleID[e.id] = e, k
		return err
	})
	if err != nil {
		return nil, err
	}
	err = q.Query(ctx, "SELECT id, role_id, permission_id, scope FROM "+grantTable, nil, func(r *db.Row) error {
		var id, role, permission int64
		var g Grant
		err := r.Scan(&id, &role, &permission, &g.Namespace)
		g.Role, g.Permission = roleID[role], permissionID[permission]
		s.grants[g], grantID[id] = entry[struct{}]{id: id}, g.String()
		return err
	})
	if err != nil {
		return nil, err
	}
	for t, names := range map[linkTable]map[int64]string{categoryLinks: categoryID, permissionLinks: permissionID, roleLinks: roleID, grantLinks: grantID} {
		s.links[t] = map[link]entry[origin]{}
		err := q.Query(ctx, "SELECT id, "+t.column+", source_id, origin_kind, priority FROM "+t.table, nil, func(r *db.Row) error {
			var e entry[origin]
			var thing, source int64
			err := r.Scan(&e.id, &thing, &source, &e.value.kind, &e.value.priority)
			s.links[t][link{names[thing], sourceOf[source]}] = e
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// String returns the grant as plans print it.
func (g Grant) String() string { return g.Role + " -> " + g.Permission + " @ " + g.Namespace }

// canonical writes a JSON list of texts in one way; what is none stays as it is, and equals no list.
func canonical(text string) string {
	var list []string
	if json.Unmarshal([]byte(text), &list) != nil {
		return text
	}
	return scopeList(list)
}

func scopeList(list []string) string {
	if list == nil {
		list = []string{}
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprint(err)) // texts can be written
	}
	return string(text)
}
