package publishing

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
)

// The ids of a package's rows, for purge.
const (
	packageEntities = `(SELECT id FROM openedx_content_publishableentity WHERE learning_package_id = ?)`
	packageVersions = `(SELECT v.id FROM openedx_content_publishableentityversion v
		JOIN openedx_content_publishableentity e ON e.id = v.entity_id WHERE e.learning_package_id = ?)`
	packageChanges  = `(SELECT id FROM openedx_content_draftchangelog WHERE learning_package_id = ?)`
	packagePublish  = `(SELECT id FROM openedx_content_publishlog WHERE learning_package_id = ?)`
	packageDraftRec = `(SELECT r.id FROM openedx_content_draftchangelogrecord r
		JOIN openedx_content_draftchangelog l ON l.id = r.draft_change_log_id WHERE l.learning_package_id = ?)`
	packagePublRec = `(SELECT r.id FROM openedx_content_publishlogrecord r
		JOIN openedx_content_publishlog l ON l.id = r.publish_log_id WHERE l.learning_package_id = ?)`
)

// purge removes a package in an order that even an engine with immediate foreign keys accepts: pointers before the
// records and versions that they name, edges before records, records before logs and versions.
var purge = []string{
	`DELETE FROM openedx_content_draft WHERE entity_id IN ` + packageEntities,
	`DELETE FROM openedx_content_published WHERE entity_id IN ` + packageEntities,
	`DELETE FROM openedx_content_draftsideeffect WHERE cause_id IN ` + packageDraftRec,
	`DELETE FROM openedx_content_publishsideeffect WHERE cause_id IN ` + packagePublRec,
	`DELETE FROM openedx_content_draftchangelogrecord WHERE draft_change_log_id IN ` + packageChanges,
	`DELETE FROM openedx_content_publishlogrecord WHERE publish_log_id IN ` + packagePublish,
	`DELETE FROM lectern_changelog WHERE draft_change_log_id IN ` + packageChanges,
	`DELETE FROM lectern_publishlog WHERE publish_log_id IN ` + packagePublish,
	`DELETE FROM openedx_content_draftchangelog WHERE learning_package_id = ?`,
	`DELETE FROM openedx_content_publishlog WHERE learning_package_id = ?`,
	`DELETE FROM openedx_content_publishableentityversiondependency WHERE referring_version_id IN ` + packageVersions,
	`DELETE FROM openedx_content_publishableentityversion WHERE entity_id IN ` + packageEntities,
	`DELETE FROM openedx_content_publishableentity WHERE learning_package_id = ?`,
	`DELETE FROM lectern_package WHERE learning_package_id = ?`,
	`DELETE FROM openedx_content_learningpackage WHERE id = ?`,
}

// DeletePackage removes a package and every row that this package owns of it. The packages above must have removed
// theirs before. An unknown package is fault.NotFound (content-model.md §15, ordered purge).
func DeletePackage(ctx context.Context, tx *db.Tx, id PackageID) error {
	if err := Lock(ctx, tx, id); err != nil {
		return err
	}
	u := unitOf(tx)
	if _, err := u.title(ctx, tx, id); err != nil {
		return err
	}
	if err := freeze(ctx, tx, id); err != nil {
		return err
	}
	for _, s := range purge {
		if _, err := tx.Exec(ctx, s, id); err != nil {
			return fmt.Errorf("delete package %d: %w", id, err)
		}
	}
	if err := u.tell(ctx, tx, outbox.PackageDeleted, id, tx.Now(), 0, 0); err != nil {
		return err
	}
	u.forget()
	return nil
}
