package catalog

import (
	"context"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Titles returns the titles of those of the courses that are there, by key in exactly the letter case asked for: courses
// with an overview row, and runs of the catalog that have none (authz.md §17). A missing name is "".
func Titles(ctx context.Context, q db.Querier, keys []string) (map[string]string, error) {
	titles := make(map[string]string, len(keys))
	wanted := wantedOf(keys)
	for _, sql := range []string{
		`SELECT course_key, title FROM openedx_catalog_courserun WHERE course_key IN (?...)`,
		`SELECT id, display_name FROM course_overviews_courseoverview WHERE id IN (?...)`, // which counts where there are both
	} {
		err := db.QueryIn(ctx, q, sql, keys, nil, func(r *db.Row) error {
			var key string
			var title *string
			if err := r.Scan(&key, &title); err != nil || !wanted[key] {
				return err
			}
			titles[key] = ""
			if title != nil {
				titles[key] = *title
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return titles, nil
}

// LibraryPackages returns, of those of the libraries lib:ORG:SLUG that are there, the id of the learning package with
// their content and title, 0 without one; by key in exactly the letter case asked for.
func LibraryPackages(ctx context.Context, q db.Querier, keys []string) (map[string]int64, error) {
	wanted := wantedOf(keys)
	slugs := make([]string, 0, len(keys))
	seen := map[string]bool{}
	for _, k := range keys {
		if s := k[strings.LastIndexByte(k, ':')+1:]; !seen[s] {
			seen[s] = true
			slugs = append(slugs, s)
		}
	}
	there := make(map[string]int64, len(keys))
	err := db.QueryIn(ctx, q, `SELECT o.short_name, l.slug, l.learning_package_id FROM content_libraries_contentlibrary l
		JOIN organizations_organization o ON o.id = l.org_id WHERE l.slug IN (?...)`, slugs, nil, func(r *db.Row) error {
		var org, slug string
		var pkg *int64
		if err := r.Scan(&org, &slug, &pkg); err != nil {
			return err
		}
		if key := "lib:" + org + ":" + slug; wanted[key] {
			there[key] = 0
			if pkg != nil {
				there[key] = *pkg
			}
		}
		return nil
	})
	return there, err
}

// Organizations returns which of the short names are of an organization, active or not, in exactly that letter case.
func Organizations(ctx context.Context, q db.Querier, names []string) (map[string]bool, error) {
	wanted := wantedOf(names)
	there := make(map[string]bool, len(names))
	err := db.QueryIn(ctx, q, `SELECT short_name FROM organizations_organization WHERE short_name IN (?...)`, names, nil, func(r *db.Row) error {
		name, err := db.Value[string](r)
		if wanted[name] {
			there[name] = true
		}
		return err
	})
	return there, err
}

// wantedOf is for comparing what an engine found with what was asked for, as some know no letter case.
func wantedOf(keys []string) map[string]bool {
	wanted := make(map[string]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	return wanted
}
