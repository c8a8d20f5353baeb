package authz

import (
	"context"

	"github.com/openlectern/lectern/authz/scope"
	"github.com/openlectern/lectern/db"
)

// Adopt links scopes that waited for a course or library to it, once that is there: who writes a course overview or a
// library calls it with the external key. Keys of which no scope waits are passed over. It returns how many were
// linked. No decision changes by it, so the policy keeps its version (authz.md §8).
func Adopt(ctx context.Context, tx *db.Tx, keys ...string) (int, error) {
	courses, libs := map[string]bool{}, map[string]bool{}
	for _, key := range keys {
		switch sc, err := scope.Parse(key); {
		case err != nil:
		case sc.Kind() == scope.Course:
			courses[key] = true
		case sc.Kind() == scope.Library:
			libs[key] = true
		}
	}
	n, err := courseScopes.adopt(ctx, tx, sortedKeys(courses))
	if err != nil {
		return 0, err
	}
	more, err := libraries.adopt(ctx, tx, sortedKeys(libs))
	return n + more, err
}

// AdoptAll is Adopt for every scope that waits, for databases on which others wrote overviews and libraries.
func AdoptAll(ctx context.Context, tx *db.Tx) (int, error) {
	var keys []string
	for _, of := range []struct{ child, column string }{{courseScopes.child, courseScopes.column}, {libraries.child, libraries.column}} {
		waiting, err := db.All(ctx, tx, "SELECT s.external_key FROM "+scopeTable+" s JOIN "+of.child+" c ON c.scope_ptr_id = s.id WHERE c."+of.column+
			" IS NULL AND s.external_key IS NOT NULL", nil, db.Value[string])
		if err != nil {
			return 0, err
		}
		keys = append(keys, waiting...)
	}
	return Adopt(ctx, tx, keys...)
}

// adopt links the rows of those keys that wait for a thing that is there and has no row.
func (k scopeKind[T]) adopt(ctx context.Context, tx *db.Tx, keys []string) (int, error) {
	targets, err := k.exist(ctx, tx, keys)
	if err != nil {
		return 0, err
	}
	linked, err := k.linked(ctx, tx, targets)
	if err != nil {
		return 0, err
	}
	named, err := k.named(ctx, tx, keys)
	if err != nil {
		return 0, err
	}
	var ids []int64
	var things []T
	for _, key := range sortedKeys(targets) {
		p, ok := named[fold(tx, key)]
		if _, taken := linked[k.same(tx, targets[key])]; ok && p.child && !p.linked && !taken {
			ids, things = append(ids, p.id), append(things, targets[key])
		}
	}
	return len(ids), tx.UpdateRows(ctx, k.child, "scope_ptr_id", []string{k.column}, len(ids), func(i int, v []any) { v[0], v[1] = ids[i], things[i] })
}
