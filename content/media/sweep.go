package media

import (
	"context"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// Sweep removes the files of a package that no row names and that were last written at least the guard age ago, and
// what interrupted writers left behind, and returns how many went (design.md §4 "Files"). The package is locked, so
// that no writer of ours counts on a file just then; against a writer that takes no lock, such as a Python process on a
// server database, only the age guards.
//
// Only files can be lost, never their rows, so the transaction may be run again.
func Sweep(ctx context.Context, tx *db.Tx, files Sweeper, pkg publishing.Package, age Age) (int, error) {
	if err := publishing.Lock(ctx, tx, pkg.ID); err != nil {
		return 0, err
	}
	old, err := files.Old(ctx, pkg.UUID, age)
	if err != nil {
		return 0, err
	}
	idle, err := Unnamed(ctx, tx, pkg.ID, old)
	if err != nil {
		return 0, err
	}
	return files.Remove(ctx, pkg.UUID, idle, age)
}

// Unnamed returns those of the digests that no media of the package with a file has, nor one that was pruned and may still
// come back, in their order.
func Unnamed(ctx context.Context, q db.Querier, pkg publishing.PackageID, digests []string) ([]string, error) {
	if len(digests) == 0 {
		return nil, nil
	}
	named := map[string]bool{}
	// One pass over the package's rows: its index goes by type before digest, so asking for digests would not be faster.
	err := q.Query(ctx, "SELECT hash_digest FROM openedx_content_media WHERE learning_package_id = ? AND has_file = ?"+
		" UNION ALL SELECT hash_digest FROM lectern_trashfile WHERE learning_package_id = ?", []any{pkg, true, pkg}, func(r *db.Row) error {
		var d string
		if err := r.Scan(&d); err != nil {
			return err
		}
		named[d] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, d := range digests {
		if !named[d] {
			out = append(out, d)
		}
	}
	return out, nil
}
