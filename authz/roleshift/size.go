package roleshift

import (
	"context"

	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/authz/legacy"
	"github.com/openlectern/lectern/db"
)

// How many rows move in one transaction at most; more are moved in batches (authz-migration.md §13).
const (
	OneStep        = 50_000
	OneStepCluster = 10_000 // under Galera, where a transaction is certified whole
)

// countMost is how far rows are counted for the progress of a run.
const countMost = 100_000_000

// Count returns how many rows an ask is about, and stops counting at most.
func Count(ctx context.Context, q db.Querier, a Ask, most int) (int, error) {
	if a.Direction == Rollback {
		return authz.CountCourses(ctx, q, a.Org, a.course(), most)
	}
	return legacy.Count(ctx, q, a.selection(), most)
}

// Large reports whether an ask is about more rows than limit. On a site that has no more altogether it costs a look at an index.
func Large(ctx context.Context, q db.Querier, a Ask, limit int) (bool, error) {
	if a.Org == "" && len(a.Courses) != 1 || a.Only != nil {
		return false, nil
	}
	most := legacy.Most
	if a.Direction == Rollback {
		most = authz.Most
	}
	if few, err := most(ctx, q, limit); err != nil || few {
		return false, err
	}
	n, err := Count(ctx, q, a, limit+1)
	return n > limit, err
}
