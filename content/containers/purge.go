package containers

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Purge removes the rows of a package that this package owns, for its deletion, lists included. Types stay.
func Purge(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	fail := func(err error) error { return fmt.Errorf("remove the containers of package %d: %w", pkg, err) }
	containers := " (SELECT publishable_entity_id FROM openedx_content_container WHERE learning_package_id = ?)"
	versions := " (SELECT publishable_entity_version_id FROM openedx_content_containerversion WHERE container_id IN" + containers + ")"
	// Nothing leads back from a list to its package once the versions are gone.
	lists, err := db.All(ctx, tx, "SELECT DISTINCT entity_list_id FROM openedx_content_containerversion WHERE container_id IN"+containers,
		[]any{int64(pkg)}, db.Value[int64])
	if err != nil {
		return fail(err)
	}
	statements := []string{"DELETE FROM lectern_containerversionmedia WHERE container_version_id IN" + versions}
	for _, s := range stock {
		statements = append(statements, "DELETE FROM "+s.versions+" WHERE container_version_id IN"+versions)
	}
	statements = append(statements, "DELETE FROM openedx_content_containerversion WHERE container_id IN"+containers)
	for _, s := range stock {
		statements = append(statements, "DELETE FROM "+s.table+" WHERE container_id IN"+containers)
	}
	statements = append(statements, "DELETE FROM openedx_content_container WHERE learning_package_id = ?")
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql, int64(pkg)); err != nil {
			return fail(err)
		}
	}
	for _, sql := range []string{
		"DELETE FROM openedx_content_entitylistrow WHERE entity_list_id IN (?...)",
		"DELETE FROM openedx_content_entitylist WHERE id IN (?...)",
	} {
		if _, err := db.ExecIn(ctx, tx, sql, lists, nil); err != nil {
			return fail(err)
		}
	}
	return nil
}
