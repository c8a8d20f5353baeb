package authz

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/slug"
)

const (
	scopeTable        = "openedx_authz_scope"
	courseScopeTable  = "openedx_authz_coursescope"
	libraryScopeTable = "openedx_authz_contentlibraryscope"
)

// scopeKind says where the rows of scopes of one kind are, and what they are linked to.
type scopeKind[T comparable] struct {
	child, column string
	// exist returns the things of those keys that are there: the id by which a row is linked to one.
	exist func(ctx context.Context, tx *db.Tx, keys []string) (map[string]T, error)
	// same maps ids that are one to the database to one value.
	same func(tx *db.Tx, id T) T
}

var (
	courseScopes = scopeKind[string]{courseScopeTable, "course_overview_id", overviews, func(tx *db.Tx, id string) string { return fold(tx, id) }}
	libraries    = scopeKind[int64]{libraryScopeTable, "content_library_id", libraryIDs, func(_ *db.Tx, id int64) int64 { return id }}
)

// overviews returns those of the keys that have a course overview, in the same letter case (authz.md §2).
func overviews(ctx context.Context, tx *db.Tx, keys []string) (map[string]string, error) {
	wanted, there := setOf(keys), map[string]string{}
	err := db.QueryIn(ctx, tx, "SELECT id FROM course_overviews_courseoverview WHERE id IN (?...)", keys, nil, func(q *db.Row) error {
		id, err := db.Value[string](q)
		if wanted[id] {
			there[id] = id
		}
		return err
	})
	return there, err
}

// libraryIDs returns the ids of the libraries that have those keys, in the same letter case.
func libraryIDs(ctx context.Context, tx *db.Tx, keys []string) (map[string]int64, error) {
	wanted, slugs := setOf(keys), map[string]bool{}
	for _, k := range keys {
		slugs[k[strings.LastIndexByte(k, ':')+1:]] = true
	}
	type library struct {
		id, org int64
		slug    string
	}
	var found []library
	orgs := map[int64]bool{}
	err := db.QueryIn(ctx, tx, "SELECT id, org_id, slug FROM content_libraries_contentlibrary WHERE slug IN (?...)", sortedKeys(slugs), nil, func(q *db.Row) error {
		var l library
		err := q.Scan(&l.id, &l.org, &l.slug)
		found, orgs[l.org] = append(found, l), true
		return err
	})
	if err != nil {
		return nil, err
	}
	names, err := catalog.OrganizationNames(ctx, tx, sortedKeys(orgs))
	if err != nil {
		return nil, err
	}
	there := map[string]int64{}
	for _, l := range found {
		if key := "lib:" + names[l.org] + ":" + l.slug; wanted[key] {
			there[key] = l.id
		}
	}
	return there, nil
}

// place is a row that stands for a scope.
type place struct {
	id     int64
	key    *string // its external key, which rows from before openedx-authz 1.23 lack until they are used
	linked bool    // to the thing; else it waits for it
	child  bool    // it has a row of its kind
}

// rows returns, by external key, the row that stands for each scope. It is looked up by the thing it is linked to, then by
// the key; a row that waits is linked where the thing is there by now; those that are missing are made, linked or waiting
// (authz.md §8).
func (k scopeKind[T]) rows(ctx context.Context, tx *db.Tx, keys []string) (map[string]int64, error) {
	targets, err := k.exist(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	linked, err := k.linked(ctx, tx, targets)
	if err != nil {
		return nil, err
	}
	named, err := k.named(ctx, tx, keys)
	if err != nil {
		return nil, err
	}
	ids := make(map[string]int64, len(keys))
	made := map[string]string{} // by folded key: the key whose row is made, which those that differ by case share
	var name, link, newKeys []string
	var bare []string // whose row lacks the one of its kind
	for _, key := range keys {
		target, exists := targets[key]
		byKey, hasName := named[fold(tx, key)]
		if exists {
			if p, ok := linked[k.same(tx, target)]; ok {
				ids[key] = p.id
				if p.key == nil && !hasName {
					name = append(name, key)
				}
				continue
			}
		}
		if !hasName {
			if _, met := made[fold(tx, key)]; !met {
				made[fold(tx, key)] = key
				newKeys = append(newKeys, key)
			}
			continue
		}
		ids[key] = byKey.id
		switch {
		case !byKey.child:
			bare = append(bare, key)
		case exists && !byKey.linked:
			link = append(link, key)
		}
	}
	to := func(key string) any {
		if t, ok := targets[key]; ok {
			return t
		}
		return nil
	}
	err = tx.UpdateRows(ctx, scopeTable, "id", []string{"external_key"}, len(name), func(i int, v []any) { v[0], v[1] = ids[name[i]], name[i] })
	if err != nil {
		return nil, err
	}
	err = tx.UpdateRows(ctx, k.child, "scope_ptr_id", []string{k.column}, len(link), func(i int, v []any) { v[0], v[1] = ids[link[i]], to(link[i]) })
	if err != nil {
		return nil, err
	}
	newIDs, err := tx.InsertIDs(ctx, scopeTable, []string{"external_key"}, len(newKeys), func(i int, v []any) { v[0] = newKeys[i] })
	if err != nil {
		return nil, db.Raced(err)
	}
	for i, key := range newKeys {
		ids[key] = newIDs[i]
	}
	for _, key := range keys {
		if ids[key] == 0 {
			ids[key] = ids[made[fold(tx, key)]]
		}
	}
	newKeys = append(newKeys, bare...)
	return ids, tx.Insert(ctx, k.child, []string{"scope_ptr_id", k.column}, len(newKeys), func(i int, v []any) { v[0], v[1] = ids[newKeys[i]], to(newKeys[i]) })
}

// linked returns the rows of the things, the first of several of one.
func (k scopeKind[T]) linked(ctx context.Context, tx *db.Tx, targets map[string]T) (map[T]place, error) {
	list := make([]T, 0, len(targets))
	for _, key := range sortedKeys(targets) {
		list = append(list, targets[key])
	}
	rows := map[T]place{}
	err := db.QueryIn(ctx, tx, "SELECT c."+k.column+", c.scope_ptr_id, s.external_key FROM "+k.child+" c JOIN "+scopeTable+
		" s ON s.id = c.scope_ptr_id WHERE c."+k.column+" IN (?...)", list, nil, func(q *db.Row) error {
		var target T
		p := place{linked: true, child: true}
		if err := q.Scan(&target, &p.id, &p.key); err != nil {
			return err
		}
		target = k.same(tx, target)
		if first, ok := rows[target]; !ok || p.id < first.id {
			rows[target] = p
		}
		return nil
	})
	return rows, err
}

// named returns the rows that have the keys, by the folded key.
func (k scopeKind[T]) named(ctx context.Context, tx *db.Tx, keys []string) (map[string]place, error) {
	rows := map[string]place{}
	err := db.QueryIn(ctx, tx, "SELECT s.id, s.external_key, c.scope_ptr_id IS NOT NULL, c."+k.column+" IS NOT NULL FROM "+scopeTable+" s LEFT JOIN "+k.child+
		" c ON c.scope_ptr_id = s.id WHERE s.external_key IN (?...)", keys, nil, func(q *db.Row) error {
		var p place
		err := q.Scan(&p.id, &p.key, &p.child, &p.linked)
		if err == nil {
			rows[fold(tx, *p.key)] = p
		}
		return err
	})
	return rows, err
}

// fold maps texts that are one to the database's unique keys to one.
func fold(q db.Querier, s string) string {
	if q.Engine().MySQLFamily() {
		return slug.Fold(s)
	}
	return s
}

func setOf(keys []string) map[string]bool {
	m := make(map[string]bool, len(keys))
	for _, k := range keys {
		m[k] = true
	}
	return m
}
