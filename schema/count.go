package schema

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// OfContent reports whether a table is one of ours, or one that Open edX had for content in earlier ages.
func OfContent(name string) bool {
	return byName[name] != nil || strings.HasPrefix(name, "oel_") || strings.HasPrefix(name, "openedx_")
}

// Counts returns the number of rows of each of our tables that the database has, and of each that Open edX had for content
// in earlier ages, in one statement.
func Counts(ctx context.Context, q db.Querier) (map[string]int64, error) {
	d := Dialect{engine: q.Engine()}
	names, err := inspect.Names(ctx, q)
	if err != nil {
		return nil, err
	}
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if OfContent(n) {
			parts = append(parts, fmt.Sprintf("SELECT '%s' AS name, COUNT(*) AS n FROM %s", n, d.Quote(n)))
		}
	}
	counts := map[string]int64{}
	if len(parts) == 0 {
		return counts, nil
	}
	err = q.Query(ctx, strings.Join(parts, " UNION ALL "), nil, func(r *db.Row) error {
		var (
			name string
			n    int64
		)
		if err := r.Scan(&name, &n); err != nil {
			return err
		}
		counts[name] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count rows: %w", err)
	}
	return counts, nil
}
