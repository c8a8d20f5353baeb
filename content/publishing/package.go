package publishing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Package is a learning package: the unversioned top of everything. Ref is an opaque string, unique in the database.
type Package struct {
	ID                      PackageID
	UUID                    uuid.UUID
	Ref, Title, Description string
	Created, Updated        time.Time
}

// NewPackage describes a package to create. Created is the transaction's clock when zero.
type NewPackage struct {
	Ref, Title, Description string
	Created                 time.Time
}

// PackageChange names what [UpdatePackage] changes: nil leaves a field alone. Updated is the transaction's clock when
// zero.
type PackageChange struct {
	Ref, Title, Description *string
	Updated                 time.Time
}

// CreatePackage creates an empty package. A blank or over-long ref or title is fault.Invalid, a ref that exists
// fault.Conflict (content-model.md §16.1).
func CreatePackage(ctx context.Context, tx *db.Tx, n NewPackage) (Package, error) {
	if err := checkRef("package ref", n.Ref); err != nil {
		return Package{}, err
	}
	if err := checkTitle("package title", n.Title); err != nil {
		return Package{}, err
	}
	if err := checkText("package description", n.Description, 0); err != nil {
		return Package{}, err
	}
	at := moment(tx, n.Created)
	p := Package{UUID: uuids(1)[0], Ref: n.Ref, Title: n.Title, Description: n.Description, Created: at, Updated: at}
	ids, err := tx.InsertIDs(ctx, "openedx_content_learningpackage",
		[]string{"uuid", "package_ref", "title", "description", "created", "updated"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4], v[5] = p.UUID, p.Ref, p.Title, p.Description, p.Created, p.Updated
		})
	if err != nil {
		return Package{}, fmt.Errorf("create package: %w", conflict(err, p.Ref, "a learning package with this ref exists already"))
	}
	p.ID = PackageID(ids[0])
	if err := tx.Insert(ctx, "lectern_package", []string{"learning_package_id", "serial"}, 1, func(_ int, v []any) {
		v[0], v[1] = p.ID, 1
	}); err != nil {
		return Package{}, fmt.Errorf("create package: %w", err)
	}
	u := unitOf(tx)
	u.locked[p.ID], u.made[p.ID] = true, true // an uncommitted row of our own
	u.titles[p.ID] = p.Title
	return p, u.tell(ctx, tx, outbox.PackageCreated, p.ID, tx.Now(), 0, 0)
}

// MadeIn reports whether the transaction itself has made a package, so that nobody else knows of it yet.
func MadeIn(tx *db.Tx, pkg PackageID) bool { return unitOf(tx).made[pkg] }

const selectPackage = `SELECT id, uuid, package_ref, title, description, created, updated
	FROM openedx_content_learningpackage`

func scanPackage(r *db.Row) (p Package, err error) {
	err = r.Scan(&p.ID, &p.UUID, &p.Ref, &p.Title, &p.Description, &p.Created, &p.Updated)
	return p, err
}

// PackageByRef returns the package with exactly this ref, else fault.NotFound.
func PackageByRef(ctx context.Context, q db.Querier, ref string) (Package, error) {
	p, ok, err := db.One(ctx, q, selectPackage+` WHERE package_ref = ?`, []any{ref}, scanPackage)
	switch {
	case err != nil:
		return Package{}, fmt.Errorf("package %s: %w", ref, err)
	case !ok || p.Ref != ref: // a padded comparison may find a neighbour
		return Package{}, fault.Errorf(fault.NotFound, ref, "there is no such learning package")
	}
	return p, nil
}

// PackageByID returns a package by its row id, else fault.NotFound.
func PackageByID(ctx context.Context, q db.Querier, id PackageID) (Package, error) {
	p, ok, err := db.One(ctx, q, selectPackage+` WHERE id = ?`, []any{id}, scanPackage)
	switch {
	case err != nil:
		return Package{}, fmt.Errorf("package %d: %w", id, err)
	case !ok:
		return Package{}, fault.Errorf(fault.NotFound, fmt.Sprintf("learning package %d", id), "does not exist")
	}
	return p, nil
}

// PackageByUUID returns a package by its UUID, else fault.NotFound.
func PackageByUUID(ctx context.Context, q db.Querier, id uuid.UUID) (Package, error) {
	p, ok, err := db.One(ctx, q, selectPackage+` WHERE uuid = ?`, []any{id}, scanPackage)
	switch {
	case err != nil:
		return Package{}, fmt.Errorf("package %s: %w", id, err)
	case !ok:
		return Package{}, fault.Errorf(fault.NotFound, id.String(), "there is no such learning package")
	}
	return p, nil
}

// PackageExists reports whether there is a package with exactly this ref.
func PackageExists(ctx context.Context, q db.Querier, ref string) (bool, error) {
	_, err := PackageByRef(ctx, q, ref)
	if fault.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// Packages returns all packages in id order.
func Packages(ctx context.Context, q db.Querier) ([]Package, error) {
	var list []Package
	err := q.Query(ctx, selectPackage+` ORDER BY id`, nil, func(r *db.Row) error {
		p, err := scanPackage(r)
		list = append(list, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("packages: %w", err)
	}
	return list, nil
}

// UpdatePackage changes the named fields of a package. With none named nothing changes, Updated included. The checks
// are those of [CreatePackage], but a title may become blank, as the reference allows.
func UpdatePackage(ctx context.Context, tx *db.Tx, id PackageID, c PackageChange) (Package, error) {
	if err := Lock(ctx, tx, id); err != nil {
		return Package{}, err
	}
	p, err := PackageByID(ctx, tx, id)
	if err != nil || c.Ref == nil && c.Title == nil && c.Description == nil {
		return p, err
	}
	if c.Ref != nil {
		p.Ref = *c.Ref
		if err := checkRef("package ref", p.Ref); err != nil {
			return Package{}, err
		}
	}
	if c.Title != nil {
		p.Title = *c.Title
		if err := checkText("package title", p.Title, maxTitle); err != nil {
			return Package{}, err
		}
	}
	if c.Description != nil {
		p.Description = *c.Description
		if err := checkText("package description", p.Description, 0); err != nil {
			return Package{}, err
		}
	}
	p.Updated = moment(tx, c.Updated)
	if _, err := tx.Exec(ctx, `UPDATE openedx_content_learningpackage
		SET package_ref = ?, title = ?, description = ?, updated = ? WHERE id = ?`,
		p.Ref, p.Title, p.Description, p.Updated, p.ID); err != nil {
		return Package{}, fmt.Errorf("update package: %w", conflict(err, p.Ref, "a learning package with this ref exists already"))
	}
	u := unitOf(tx)
	u.titles[p.ID] = p.Title
	return p, u.tell(ctx, tx, outbox.PackageUpdated, p.ID, tx.Now(), 0, 0)
}

// CountEntities returns how many entities each package has, deleted ones included. Packages without any are left out.
func CountEntities(ctx context.Context, q db.Querier) (map[PackageID]int, error) {
	counts := map[PackageID]int{}
	err := q.Query(ctx, `SELECT learning_package_id, COUNT(*) FROM openedx_content_publishableentity GROUP BY learning_package_id`, nil, func(r *db.Row) error {
		var id, n int64
		err := r.Scan(&id, &n)
		counts[PackageID(id)] = int(n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count entities: %w", err)
	}
	return counts, nil
}
