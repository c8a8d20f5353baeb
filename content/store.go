package content

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Store is a database with the tables of the applets, and the media files beside it. It is safe for concurrent use.
type Store struct {
	DB    *db.DB
	Files media.Files // nil where no content needs a file
}

// View runs fn on one consistent state, for reading only.
func (s *Store) View(ctx context.Context, fn func(*db.Tx) error) error { return s.DB.View(ctx, fn) }

// Update runs fn in a transaction and commits if it returns nil. Where another transaction was in the way the whole of fn
// runs again, so it may have no effects beside the transaction; files written by package media are fine.
func (s *Store) Update(ctx context.Context, fn func(*db.Tx) error) error { return s.DB.Update(ctx, fn) }

// DeletePackage removes a learning package and everything of it for good: what the reference refuses as soon as there
// is a container (content-model.md §15). Rows of other programs or of packages above that name its rows make it fail.
// Its files go with a later [Store.Sweep].
func DeletePackage(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	if err := publishing.Lock(ctx, tx, pkg); err != nil {
		return err
	}
	for _, purge := range []func(context.Context, *db.Tx, publishing.PackageID) error{
		collections.Purge, containers.Purge, components.Purge, media.Purge, publishing.DeletePackage,
	} {
		if err := purge(ctx, tx, pkg); err != nil {
			return err
		}
	}
	return nil
}

// Sweep removes media files that no row names and that were last written at least the guard age ago (media.GuardAge by
// default), and what interrupted writers left behind, and returns how many went. Each package is looked at first without
// a lock and locked only if there is something to remove. Files of packages that are gone go as well.
func (s *Store) Sweep(ctx context.Context, age media.Age) (removed int, err error) {
	files, ok := s.Files.(media.Sweeper)
	if !ok {
		return 0, nil
	}
	kept, err := files.Packages(ctx)
	if err != nil {
		return 0, err
	}
	all, err := publishing.Packages(ctx, s.DB)
	if err != nil {
		return 0, err
	}
	byUUID := make(map[uuid.UUID]publishing.Package, len(all))
	for _, p := range all {
		byUUID[p.UUID] = p
	}
	for _, id := range kept {
		n, err := s.sweep(ctx, files, byUUID, id, age)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("sweep the files of package %s: %w", id, err)
		}
	}
	return removed, nil
}

// sweep sweeps the files of one package.
func (s *Store) sweep(ctx context.Context, files media.Sweeper, all map[uuid.UUID]publishing.Package, id uuid.UUID, age media.Age) (int, error) {
	old, err := files.Old(ctx, id, age)
	if err != nil {
		return 0, err
	}
	p, ok := all[id]
	if !ok { // its files are older than the guard age, so it is not one being made just now
		return files.Remove(ctx, id, old, age)
	}
	n, err := files.Remove(ctx, id, nil, age)
	if err != nil {
		return n, err
	}
	idle, err := media.Unnamed(ctx, s.DB, p.ID, old)
	if err != nil || len(idle) == 0 {
		return n, err
	}
	more := 0
	err = s.DB.Update(ctx, func(tx *db.Tx) (err error) {
		more, err = media.Sweep(ctx, tx, files, p, age)
		return err
	})
	if fault.Is(err, fault.NotFound) { // deleted meanwhile: the next sweep takes its files
		err = nil
	}
	return n + more, err
}
