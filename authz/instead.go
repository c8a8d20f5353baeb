package authz

import "slices"

// Instead returns an index with the same permissions of roles and the same super admins, but with other assignments: g rows
// as stored. It answers what would be if these were all there are, as the rows of the platform's own roles are read
// (authz-migration.md §4). Where the store has no permission of any role, roles have those that a site starts with. It
// costs by the rows of permissions, not by the number of assignments.
func (x *Index) Instead(assignments [][]string) *Index {
	model := slices.Clone(x.model)
	if !slices.ContainsFunc(model, func(r []string) bool { return r[0] == "p" }) {
		model = append(model, Shipped()...)
	}
	y := NewIndex(append(model, assignments...))
	y.version, y.admins = x.version, x.admins
	return y
}

// SuperAdmin reports whether a user name, or an e-mail address, names a super admin (authz.md §4.1). A text that names two
// people is a fault.Conflict.
func (x *Index) SuperAdmin(name string) (bool, error) { return x.super(name) }
