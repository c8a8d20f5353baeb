package definitions

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Origin is where a thing was defined.
type Origin struct {
	Source    *Source
	Extension bool // by an extension of a role, else by the thing's own entry
	Priority  int  // of the file; of grants only
}

// Grant says that a role has a permission in scopes of one namespace.
type Grant struct {
	Role, Permission, Namespace string
}

// Schema is all definitions together, compiled.
type Schema struct {
	Sources     []*Source
	Categories  []Category // in the order of the files, as are the next two
	Permissions []Permission
	Roles       []Role
	Grants      []Grant // by role, scope and permission
	// Origins say where things were defined, by identifier.
	CategoryOrigins, PermissionOrigins, RoleOrigins map[string][]Origin
	GrantOrigins                                    map[Grant][]Origin
	Warnings                                        []Problem
}

// Rows returns the rows of casbin_rule that the schema stands for, in their order (authz.md §16.5).
func (s *Schema) Rows() [][]string {
	rows := make([][]string, len(s.Grants))
	for i, g := range s.Grants {
		rows[i] = g.row()
	}
	return rows
}

func (g Grant) row() []string {
	return []string{"p", "role^" + g.Role, "act^" + g.Permission, g.Namespace + "^*", "allow"}
}

// compiler collects what files say, and what is wrong with it.
type compiler struct {
	*Schema
	problems []Problem
	grants   map[string]map[string][]Origin // by role and permission
}

// Compile puts files together (authz.md §16.3, §16.4). All problems are collected; the error is a fault.Invalid that names
// them.
func Compile(files []*File) (*Schema, error) {
	c := &compiler{
		Schema: &Schema{CategoryOrigins: map[string][]Origin{}, PermissionOrigins: map[string][]Origin{}, RoleOrigins: map[string][]Origin{},
			GrantOrigins: map[Grant][]Origin{}},
		grants: map[string]map[string][]Origin{},
	}
	for _, f := range files {
		if !slices.Contains(c.Sources, f.Source) {
			c.Sources = append(c.Sources, f.Source)
		}
	}
	c.Categories = collect(c, files, "category", func(f *File) []Category { return f.Categories }, func(x Category) string { return x.ID }, c.CategoryOrigins)
	c.Permissions = collect(c, files, "permission", func(f *File) []Permission { return f.Permissions }, Permission.ID, c.PermissionOrigins)
	c.Roles = collect(c, files, "role", func(f *File) []Role { return f.Roles }, func(x Role) string { return x.ID }, c.RoleOrigins)
	for i := range c.Roles { // what the files say stays as it is
		c.Roles[i].Permissions = slices.Clone(c.Roles[i].Permissions)
	}
	for _, f := range files {
		for _, r := range f.Roles {
			c.base(f, r)
		}
	}
	c.check(files)
	if err := complaint(c.problems); err != nil {
		return nil, err
	}
	c.extend(files)
	c.check(nil)
	if err := complaint(c.problems); err != nil {
		return nil, err
	}
	c.render()
	c.Warnings = slices.DeleteFunc(c.problems, func(p Problem) bool { return !p.Warning })
	return c.Schema, nil
}

func (c *compiler) wrong(f *File, format string, args ...any) {
	p := Problem{Text: fmt.Sprintf(format, args...)}
	if f != nil {
		p.File = f.Path
	}
	c.problems = append(c.problems, p)
}

func (c *compiler) warn(f *File, format string, args ...any) {
	c.wrong(f, format, args...)
	c.problems[len(c.problems)-1].Warning = true
}

// collect gathers the entries of one kind from all files. One identifier twice is a warning where the entries are equal,
// and else an error, whatever the priorities.
func collect[T any](c *compiler, files []*File, what string, of func(*File) []T, id func(T) string, origins map[string][]Origin) (all []T) {
	first := map[string]T{}
	in := map[string]*File{}
	for _, f := range files {
		for _, x := range of(f) {
			name := id(x)
			before, twice := first[name]
			switch {
			case !twice:
				first[name], in[name] = x, f
				all = append(all, x)
			case reflect.DeepEqual(before, x):
				c.warn(f, "%s %s is defined in the same way in %s", what, name, in[name].Path)
			default:
				c.wrong(f, "%s %s is defined in another way in %s", what, name, in[name].Path)
			}
			addOrigin(origins, name, Origin{Source: f.Source})
		}
	}
	return all
}

// addOrigin notes an origin. Of one source and kind there is one, with the highest priority.
func addOrigin[K comparable](origins map[K][]Origin, key K, o Origin) {
	for i, have := range origins[key] {
		if have.Source == o.Source {
			if o.Priority > have.Priority {
				origins[key][i] = o
			}
			return
		}
	}
	origins[key] = append(origins[key], o)
}

// base notes the permissions of a role's own entry.
func (c *compiler) base(f *File, r Role) {
	if c.grants[r.ID] == nil {
		c.grants[r.ID] = map[string][]Origin{}
	}
	for _, p := range r.Permissions {
		addOrigin(c.grants[r.ID], p, Origin{Source: f.Source, Priority: f.Priority})
	}
}

// check looks at what refers to what: categories of permissions, permissions of roles and of the extensions of files,
// scopes of roles, roles of extensions.
func (c *compiler) check(files []*File) {
	categories, permissions, roles := map[string]bool{}, map[string]Permission{}, map[string]bool{}
	for _, x := range c.Categories {
		categories[x.ID] = true
	}
	for _, x := range c.Permissions {
		permissions[x.ID()] = x
		if !categories[x.Category] {
			c.wrong(nil, "permission %s is of category %s, which no file defines", x.ID(), x.Category)
		}
	}
	for _, r := range c.Roles {
		roles[r.ID] = true
		for _, id := range r.Permissions {
			p, ok := permissions[id]
			if !ok {
				c.wrong(nil, "role %s has permission %s, which no file defines", r.ID, id)
				continue
			}
			for _, s := range r.Scopes {
				if !slices.Contains(p.Scopes, s) {
					c.wrong(nil, "role %s is held in scopes %s, in which its permission %s means nothing (only in %s)", r.ID, s, id, strings.Join(p.Scopes, ", "))
				}
			}
		}
	}
	for _, f := range files {
		for _, x := range f.Extensions {
			if !roles[x.Role] {
				c.wrong(f, "the extension is of role %s, which no file defines", x.Role)
			}
			for _, id := range slices.Concat(x.Add, x.Remove) {
				if _, ok := permissions[id]; !ok {
					c.wrong(f, "the extension of role %s names permission %s, which no file defines", x.Role, id)
				}
			}
		}
	}
}

// render makes the grants of all roles.
func (c *compiler) render() {
	for _, r := range c.Roles {
		for _, p := range slices.Sorted(slices.Values(r.Permissions)) {
			for _, s := range r.Scopes {
				g := Grant{r.ID, p, s}
				c.Grants = append(c.Grants, g)
				c.GrantOrigins[g] = c.grants[r.ID][p]
			}
		}
	}
	slices.SortFunc(c.Grants, func(a, b Grant) int {
		return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Permission, b.Permission))
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
