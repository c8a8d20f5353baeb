package catalog

import (
	"context"
	"unicode/utf8"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Listed is a course as lists of all courses have it.
type Listed struct {
	Key, Org, Title string
}

// EachCourse calls fn for every course there is, in no order: those with an overview row, and the runs of the catalog
// that have none (authz.md §17).
func EachCourse(ctx context.Context, q db.Querier, fn func(Listed) error) error {
	overviews := map[string]bool{} // compared here: the collations of the two columns differ on the MySQL family
	err := q.Query(ctx, `SELECT id, org, display_name FROM course_overviews_courseoverview`, nil, func(r *db.Row) error {
		l, err := scanListed(r)
		if err != nil {
			return err
		}
		overviews[l.Key] = true
		return fn(l)
	})
	if err != nil {
		return err
	}
	return q.Query(ctx, `SELECT r.course_key, o.short_name, r.title FROM openedx_catalog_courserun r
		JOIN openedx_catalog_catalogcourse c ON c.id = r.catalog_course_id JOIN organizations_organization o ON o.id = c.org_id`, nil, func(r *db.Row) error {
		l, err := scanListed(r)
		if err != nil || overviews[l.Key] {
			return err
		}
		return fn(l)
	})
}

// Library is a row of content_libraries_contentlibrary.
type Library struct {
	Org, Slug string
	Package   int64 // of the learning package with its content and title, 0 without one
}

// Key returns lib:ORG:SLUG.
func (l Library) Key() string { return "lib:" + l.Org + ":" + l.Slug }

// EachLibrary calls fn for every library, in no order.
func EachLibrary(ctx context.Context, q db.Querier, fn func(Library) error) error {
	return q.Query(ctx, `SELECT o.short_name, l.slug, l.learning_package_id FROM content_libraries_contentlibrary l
		JOIN organizations_organization o ON o.id = l.org_id`, nil, func(r *db.Row) error {
		l, err := scanLibrary(r)
		if err != nil {
			return err
		}
		return fn(l)
	})
}

// AddLibrary makes the row of a library lib:ORG:SLUG with the learning package that holds it, and its organization where
// there is none. A slug that the organization has already is fault.Conflict, one over 50 characters fault.Invalid.
func AddLibrary(ctx context.Context, tx *db.Tx, l Library) error {
	if utf8.RuneCountInString(l.Slug) > maxSlug {
		return fault.Errorf(fault.Invalid, l.Key(), "the last part is longer than %d characters", maxSlug).WithNext("choose a shorter one")
	}
	org, err := ensureOrganization(ctx, tx, l.Org, l.Key())
	if err != nil {
		return err
	}
	n, _, err := db.One(ctx, tx, `SELECT count(*) FROM content_libraries_contentlibrary WHERE org_id = ? AND slug = ?`, []any{org, l.Slug}, db.Value[int64])
	if err != nil {
		return err
	}
	if n > 0 {
		return fault.Errorf(fault.Conflict, l.Key(), "there is such a library").WithNext("choose another key")
	}
	return db.Raced(tx.Insert(ctx, "content_libraries_contentlibrary",
		[]string{"slug", "license", "allow_public_learning", "allow_public_read", "learning_package_id", "org_id"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4], v[5] = l.Slug, "", false, false, l.Package, org
		}))
}

// maxSlug is how long the platform's column is.
const maxSlug = 50

func scanLibrary(r *db.Row) (l Library, err error) {
	var pkg *int64
	err = r.Scan(&l.Org, &l.Slug, &pkg)
	if pkg != nil {
		l.Package = *pkg
	}
	return l, err
}

func scanListed(r *db.Row) (l Listed, err error) {
	var title *string
	err = r.Scan(&l.Key, &l.Org, &title)
	if title != nil {
		l.Title = *title
	}
	return l, err
}
