package publishing

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Lock makes this transaction the only one that may change the package until it ends, by updating a row of the
// package (design.md §4): a mere FOR UPDATE is not certified on a cluster. Everything here that changes drafts or
// published pointers takes it; a second call in a transaction is free. An unknown package is fault.NotFound.
func Lock(ctx context.Context, tx *db.Tx, pkg PackageID) error {
	u := unitOf(tx)
	if u.locked[pkg] {
		return nil
	}
	for try := 0; ; try++ {
		n, err := tx.Exec(ctx, `UPDATE lectern_package SET serial = serial + 1 WHERE learning_package_id = ?`, pkg)
		if err != nil {
			return fmt.Errorf("lock package %d: %w", pkg, err)
		}
		if n > 0 {
			u.locked[pkg] = true
			return nil
		}
		if try > 0 {
			return fault.Errorf(fault.NotFound, fmt.Sprintf("learning package %d", pkg), "does not exist")
		}
		// A package that another program made has no row yet; another transaction may be making it too.
		insert := `INSERT INTO lectern_package (learning_package_id, serial)
			SELECT id, 0 FROM openedx_content_learningpackage WHERE id = ? ON CONFLICT DO NOTHING`
		if e := tx.Engine(); e == db.MySQL || e == db.MariaDB {
			insert = `INSERT INTO lectern_package (learning_package_id, serial)
				SELECT id, 0 FROM openedx_content_learningpackage WHERE id = ?
				ON DUPLICATE KEY UPDATE lectern_package.serial = lectern_package.serial`
		}
		if _, err := tx.Exec(ctx, insert, pkg); err != nil {
			return fmt.Errorf("lock package %d: %w", pkg, err)
		}
	}
}
