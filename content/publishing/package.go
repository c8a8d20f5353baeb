package publishing

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
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
	panic("soon")
}

// PackageByRef returns the package with exactly this ref, else fault.NotFound.
func PackageByRef(ctx context.Context, q db.Querier, ref string) (Package, error) { panic("soon") }

// PackageByID returns a package by its row id, else fault.NotFound.
func PackageByID(ctx context.Context, q db.Querier, id PackageID) (Package, error) { panic("soon") }

// PackageExists reports whether there is a package with exactly this ref.
func PackageExists(ctx context.Context, q db.Querier, ref string) (bool, error) { panic("soon") }

// Packages returns all packages in id order.
func Packages(ctx context.Context, q db.Querier) ([]Package, error) { panic("soon") }

// UpdatePackage changes the named fields of a package. With none named nothing changes, Updated included.
func UpdatePackage(ctx context.Context, tx *db.Tx, id PackageID, c PackageChange) (Package, error) {
	panic("soon")
}

// DeletePackage removes a package and every row that this package owns of it, in an order that foreign keys allow.
// The packages above must have removed theirs before.
func DeletePackage(ctx context.Context, tx *db.Tx, id PackageID) error { panic("soon") }

// Lock makes this transaction the only one that may change the package until it ends, by updating a row of the
// package (design.md §4). Everything here that changes a package takes it; a second call in a transaction is free.
func Lock(ctx context.Context, tx *db.Tx, pkg PackageID) error { panic("soon") }
