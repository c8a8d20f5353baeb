package authz

// Tolerant returns an index that answers the same, but whose listings leave out rows with a scope that is none, of which
// they say an error otherwise, and rows of subjects that are no users: one odd row of a program or by hand must not keep everybody from seeing the others
// (authz.md §15, D8, D22). The row counts in decisions as before.
func (x *Index) Tolerant() *Index {
	if x.tolerant {
		return x
	}
	y := *x
	y.tolerant = true
	return &y
}
