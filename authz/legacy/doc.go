// Package legacy reads the platform's own role rows (student_courseaccessrole) as permissions are asked of them: a course
// whose authoring flag is off is decided by these rows, each as the assignment that it would become if the flag were turned
// on (authz-migration.md §4), so that turning it changes nobody's rights. Roles without such an assignment give none.
//
// A row is for one course, or with an empty course for every course of its organization. The course counts before the
// organization where a row has both.
//
// The package writes rows of its own accord nowhere: callers say what to add.
package legacy
