package publishing

import (
	"context"
<<<<<<< HEAD
	"fmt"
=======
>>>>>>> core

	"github.com/openlectern/lectern/db"
)

<<<<<<< HEAD
// Titles returns the titles of packages; those of packages that do not exist are absent.
=======
// Titles returns the titles of packages by id; ids of none are absent.
>>>>>>> core
func Titles(ctx context.Context, q db.Querier, ids []PackageID) (map[PackageID]string, error) {
	titles := make(map[PackageID]string, len(ids))
	err := db.QueryIn(ctx, q, `SELECT id, title FROM openedx_content_learningpackage WHERE id IN (?...)`, ids, nil, func(r *db.Row) error {
		var id PackageID
		var title string
<<<<<<< HEAD
		err := r.Scan(&id, &title)
		titles[id] = title
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("titles of packages: %w", err)
	}
	return titles, nil
=======
		if err := r.Scan(&id, &title); err != nil {
			return err
		}
		titles[id] = title
		return nil
	})
	return titles, err
>>>>>>> core
}
