package course

import (
	"context"

	"github.com/openlectern/lectern/db"
)

// Present returns which of the keys are of a course or legacy library that the store has, deleted or not.
func Present(ctx context.Context, q db.Querier, keys []string) (map[string]bool, error) {
	there := make(map[string]bool, len(keys))
	err := db.QueryIn(ctx, q, `SELECT course_key FROM lectern_course WHERE course_key IN (?...)`, keys, nil, func(r *db.Row) error {
		key, err := db.Value[string](r)
		there[key] = true
		return err
	})
	return there, err
}
