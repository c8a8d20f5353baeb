package catalog

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// OrganizationNames returns the short names of organizations by id, active or not.
func OrganizationNames(ctx context.Context, q db.Querier, ids []int64) (map[int64]string, error) {
	names := make(map[int64]string, len(ids))
	err := db.QueryIn(ctx, q, `SELECT id, short_name FROM organizations_organization WHERE id IN (?...)`, ids, nil, func(r *db.Row) error {
		var id int64
		var name string
		if err := r.Scan(&id, &name); err != nil {
			return err
		}
		names[id] = name
		return nil
	})
	return names, err
}
