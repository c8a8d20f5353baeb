package catalog

import (
	"context"
	"time"

	"github.com/openlectern/lectern/db"
)

// Org is a row of organizations_organization.
type Org struct {
	ID                int64
	Created, Modified time.Time
	Name, ShortName   string
	Description       *string
	Logo              string // path of a file below the platform's media, "" without one
	Active            bool
}

// Orgs returns all organizations, ordered by name as the database orders names.
func Orgs(ctx context.Context, q db.Querier) ([]Org, error) {
	return db.All(ctx, q, `SELECT id, created, modified, name, short_name, description, logo, active FROM organizations_organization ORDER BY name, id`, nil,
		func(r *db.Row) (o Org, err error) {
			var logo *string
			err = r.Scan(&o.ID, &o.Created, &o.Modified, &o.Name, &o.ShortName, &o.Description, &logo, &o.Active)
			if logo != nil {
				o.Logo = *logo
			}
			return o, err
		})
}
