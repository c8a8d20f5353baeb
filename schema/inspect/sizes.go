package inspect

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Size is how large a table is.
type Size struct {
	Rows  int64
	Bytes int64 // with its indexes; 0 where the engine does not tell (SQLite)
	Exact bool  // Rows were counted, not estimated from what the engine keeps
}

// counted is up to how many estimated rows a table is counted instead: then that costs nothing, and estimates of small
// tables are the worst.
const counted = 20_000

// Sizes returns the sizes of the tables for which want is true. Servers keep estimates, which are taken for large tables;
// SQLite keeps none, so there rows are counted.
func Sizes(ctx context.Context, q db.Querier, want func(name string) bool) (map[string]Size, error) {
	sizes := map[string]Size{}
	var query string
	switch q.Engine() {
	case db.SQLite:
		query = `SELECT name, 0, 0 FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`
	case db.PostgreSQL:
		// A table that was never analysed has -1 rows; then a row is taken to have a hundred bytes.
		query = `SELECT c.relname::text, CASE WHEN c.reltuples < 0 THEN pg_relation_size(c.oid) / 100 ELSE c.reltuples END::bigint, pg_total_relation_size(c.oid)
FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace`
	default:
		query = `SELECT table_name, COALESCE(GREATEST(table_rows, IF(data_length > 4194304, data_length DIV 200, 0)), 0), COALESCE(data_length, 0) + COALESCE(index_length, 0)
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'`
	}
	var small []string
	err := q.Query(ctx, query, nil, func(r *db.Row) error {
		var name string
		var s Size
		if err := r.Scan(&name, &s.Rows, &s.Bytes); err != nil || !want(name) {
			return err
		}
		if s.Rows <= counted {
			small = append(small, fmt.Sprintf("SELECT '%s', COUNT(*) FROM %s", name, q.Engine().Quote(name)))
		}
		sizes[name] = s
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the sizes of tables: %w", err)
	}
	for len(small) > 0 {
		n := min(len(small), 100) // SQLite takes no more in one statement than 500
		err := q.Query(ctx, strings.Join(small[:n], " UNION ALL "), nil, func(r *db.Row) error {
			var name string
			var n int64
			if err := r.Scan(&name, &n); err != nil {
				return err
			}
			sizes[name] = Size{Rows: n, Bytes: sizes[name].Bytes, Exact: true}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("count rows: %w", err)
		}
		small = small[n:]
	}
	return sizes, nil
}
