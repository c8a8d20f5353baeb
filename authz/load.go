package authz

import (
	"context"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/db"
)

// Load reads the whole policy and the super admins. Columns are read as they are, without the way through text of the
// reference (authz.md §15, D7). q should be one snapshot, so that version and rows belong together: a transaction of
// [db.DB.View]. Memory is about 60 bytes for an assignment and the names and keys once.
func Load(ctx context.Context, q db.Querier) (*Index, error) {
	version, err := Version(ctx, q)
	if err != nil {
		return nil, err
	}
	x, err := loadPolicy(ctx, q, version)
	if err != nil {
		return nil, err
	}
	x.admins, err = loadAdmins(ctx, q)
	return x, err
}

// loadPolicy reads everything but the super admins.
func loadPolicy(ctx context.Context, q db.Querier, version uuid.UUID) (*Index, error) {
	n, _, err := db.One(ctx, q, "SELECT COUNT(*) FROM casbin_rule", nil, db.Value[int])
	if err != nil {
		return nil, err
	}
	b := newBuilder(n)
	if err := readRules(ctx, q, b); err != nil {
		return nil, err
	}
	return b.index(version), nil
}

// Version returns the version of the stored policy, zero where it has none yet (authz.md §7).
func Version(ctx context.Context, q db.Querier) (uuid.UUID, error) {
	v, _, err := db.One(ctx, q, "SELECT version FROM openedx_authz_policycachecontrol ORDER BY id LIMIT 1", nil, db.Value[uuid.UUID])
	return v, err
}

func readRules(ctx context.Context, q db.Querier, b *builder) error {
	row := make([]string, 7)
	return q.Query(ctx, "SELECT ptype, v0, v1, v2, v3, v4, v5 FROM casbin_rule ORDER BY id", nil, func(r *db.Row) error {
		if err := r.Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6]); err != nil {
			return err
		}
		b.row(trimRow(row))
		return nil
	})
}
