package publishing

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// Titles returns the titles of packages by id; ids of none are absent.
func Titles(ctx context.Context, q db.Querier, ids []PackageID) (map[PackageID]string, error) {
	titles := make(map[PackageID]string, len(ids))
	err := db.QueryIn(ctx, q, `SELECT id, title FROM openedx_content_learningpackage WHERE id IN (?...)`, ids, nil, func(r *db.Row) error {
		var id PackageID
		var title string
		if err := r.Scan(&id, &title); err != nil {
			return err
		}
		titles[id] = title
		return nil
	})
	return titles, err
}
