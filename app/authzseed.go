package app

import (
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// permissions gives a database in which nobody has used permissions yet the rows that a site starts with: the roles and
// what each may do. One that has rules, or ever had, is left as it is, and so is one whose tables are of another age.
func permissions(ctx context.Context, d *db.DB) error {
	unused := false
	err := d.View(ctx, func(tx *db.Tx) error {
		names, err := inspect.Names(ctx, tx)
		if err != nil || !names[authz.NewestTable] {
			return err
		}
		unused, err = authz.Unused(ctx, tx)
		return err
	})
	if err != nil || !unused {
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		_, err := authz.SeedUnused(ctx, tx)
		return err
	})
}
