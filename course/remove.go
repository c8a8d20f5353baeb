package course

import (
	"context"

	"github.com/openlectern/lectern/catalog"
	"github.com/openlectern/lectern/content"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Remove takes every block and file out of the drafts and publishes that, so the course leaves the list. Nothing is
// lost: [Course.Restore] brings it back from any moment before.
func (c *Course) Remove(ctx context.Context, tx *db.Tx, files media.Files, a Author) (*Report, error) {
	report, err := c.rework(ctx, tx, files, a.meta(publishing.KindDelete), c.whole, nil, func(now *tree) (*tree, error) {
		return newTree(now.root, 0), nil
	})
	if err != nil {
		return nil, err
	}
	differs, err := publishing.Unpublished(ctx, tx, c.Package.ID, true)
	if err != nil || len(differs) == 0 {
		return report, err
	}
	log, err := publishing.PublishAll(ctx, tx, c.Package.ID,
		publishing.PublishMeta{By: a.By, Kind: publishing.KindDelete, Message: a.Message})
	if err != nil {
		return nil, err
	}
	report.PublishLog = &log.ID
	return report, nil
}

// gone tells of a course whose root is not at the moment asked for.
func (c *Course) gone() error {
	return fault.Errorf(fault.NotFound, c.Key.String(), "there is nothing of it at that moment").
		WithNext("see its moments with: lectern course history " + c.Key.String())
}

// Purge removes every row of the course for good: content, history, labels and catalog run. Files beside the database
// are left to the next sweep.
func (c *Course) Purge(ctx context.Context, tx *db.Tx) error {
	if err := c.Unmake(ctx, tx); err != nil || c.run == 0 {
		return err
	}
	return catalog.Delete(ctx, tx, c.run)
}

// Unmake removes what [Course.Purge] does but for the catalog run, which is not the course's alone, so that the course can be made anew
// in the same transaction.
func (c *Course) Unmake(ctx context.Context, tx *db.Tx) error {
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return err
	}
	for _, table := range []string{"lectern_label", "lectern_import", "lectern_course"} {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE learning_package_id = ?", c.Package.ID); err != nil {
			return err
		}
	}
	return content.DeletePackage(ctx, tx, c.Package.ID)
}
