package authz

import (
	"context"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// DropScopes takes back all grants on courses and libraries that are about to be deleted, given by external key, and
// deletes the rows that link them: the database refuses to delete a course or library that they still name. Unlike in
// openedx-authz, where rows go by cascade, all of it is in the audit and other processes see it (authz.md §7, §8).
func DropScopes(ctx context.Context, tx *db.Tx, keys []string, o Options) (*Written, error) {
	var namespaced, courses, libs []string
	for _, key := range keys {
		sc, err := scope.Parse(key)
		if err != nil {
			return nil, err
		}
		namespaced = append(namespaced, sc.Namespaced())
		switch sc.Kind() {
		case scope.Course:
			courses = append(courses, key)
		case scope.Library:
			libs = append(libs, key)
		}
	}
	w, err := unassignWhere(ctx, tx, "v2", namespaced, o)
	if err != nil {
		return nil, err
	}
	if err := courseScopes.drop(ctx, tx, courses); err != nil {
		return nil, err
	}
	return w, libraries.drop(ctx, tx, libs)
}

// drop deletes the rows of scopes, by what they are linked to and by their keys.
func (k scopeKind[T]) drop(ctx context.Context, tx *db.Tx, keys []string) error {
	targets, err := k.exist(ctx, tx, keys)
	if err != nil {
		return err
	}
	things := make([]T, 0, len(targets))
	for _, key := range sortedKeys(targets) {
		things = append(things, targets[key])
	}
	ids := map[int64]bool{}
	note := func(r *db.Row) error {
		id, err := db.Value[int64](r)
		ids[id] = true
		return err
	}
	if err := db.QueryIn(ctx, tx, "SELECT scope_ptr_id FROM "+k.child+" WHERE "+k.column+" IN (?...)", things, nil, note); err != nil {
		return err
	}
	named, err := k.named(ctx, tx, keys)
	if err != nil {
		return err
	}
	wanted := setOf(keys)
	for _, p := range named {
		if p.child && wanted[*p.key] {
			ids[p.id] = true
		}
	}
	return dropRows(ctx, tx, "scope_id", scopeTable, k.child, "scope_ptr_id", sortedKeys(ids))
}

// DropUser takes back all grants of a user who is about to be deleted, and deletes the rows that stand for the user among
// subjects. Retirement, after which the user stays, is [UnassignAll].
func DropUser(ctx context.Context, tx *db.Tx, name string, o Options) (*Written, error) {
	w, err := UnassignAll(ctx, tx, []string{name}, o)
	if err != nil {
		return nil, err
	}
	users, err := user.IDs(ctx, tx, []string{name})
	if err != nil || users[name] == 0 {
		return w, err
	}
	ids, err := db.All(ctx, tx, "SELECT subject_ptr_id FROM "+userSubjectTable+" WHERE user_id = ?", []any{users[name]}, db.Value[int64])
	if err != nil {
		return nil, err
	}
	return w, dropRows(ctx, tx, "subject_id", subjectTable, userSubjectTable, "subject_ptr_id", ids)
}

// dropRows deletes rows of a parent with those of the child. An extended row that still names one is that of a rule
// which was changed by hand: it stays, and names none.
func dropRows(ctx context.Context, tx *db.Tx, column, parent, child, ptr string, ids []int64) error {
	for _, sql := range []string{
		"UPDATE " + extendedTable + " SET " + column + " = NULL WHERE " + column + " IN (?...)",
		"DELETE FROM " + child + " WHERE " + ptr + " IN (?...)",
		"DELETE FROM " + parent + " WHERE id IN (?...)",
	} {
		if _, err := db.ExecIn(ctx, tx, sql, ids, nil); err != nil {
			return err
		}
	}
	return nil
}
