package takeover

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// mostOrphans is how many rows of a table are named that refer to what is not there.
const mostOrphans = 20

// orphans finds rows that refer to what is not there. Containers of no entity, or of one in no package, stand in the way
// of 0010, which gives each container its package; others have been so before and stay so.
func (c *checker) orphans(ctx context.Context) ([]schema.Finding, error) {
	var out []schema.Finding
	if n, ok := c.names(); ok && c.pending["0010"] && c.table(container) != "" {
		q := c.d.Quote
		ids, err := db.All(ctx, c.q, fmt.Sprintf(`SELECT x.publishable_entity_id FROM %s x LEFT JOIN %s e ON e.id = x.publishable_entity_id
LEFT JOIN %s p ON p.id = e.learning_package_id WHERE p.id IS NULL ORDER BY 1`, q(c.table(container)), q(n.entity), q(n.pkg)), nil, db.Value[int64])
		if err != nil {
			return nil, fmt.Errorf("look for containers without an entity: %w", err)
		}
		for _, id := range ids {
			out = append(out, schema.Finding{Code: "orphan", Severity: schema.Error, Table: c.table(container), Key: "publishable_entity_id " + strconv.FormatInt(id, 10),
				Value: "its entity or package is missing", Next: "delete the row, or restore what it refers to from a backup: a container's code is unique in its package"})
		}
	}
	if c.d.Engine() != db.SQLite || len(c.pending) == 0 || c.quick {
		return out, nil // servers have seen to it
	}
	type orphan struct {
		row            int64
		column, parent string
	}
	seen, rows := map[string]int{}, map[string][]orphan{}
	err := c.q.Query(ctx, "SELECT "+violations, nil, func(r *db.Row) error {
		var table string
		var x orphan
		if err := r.Scan(&table, &x.row, &x.parent, &x.column); err != nil {
			return err
		}
		if table == c.table(container) && x.parent == c.table(entity) && c.pending["0010"] {
			return nil // named above
		}
		if seen[table]++; seen[table] <= mostOrphans {
			rows[table] = append(rows[table], x)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for rows that refer to none: %w", err)
	}
	for _, table := range sortedKeys(seen) {
		key := primaryOf(c.s.live[table])
		ids, keys := []int64{}, map[int64]string{}
		for _, x := range rows[table] {
			ids = append(ids, x.row)
		}
		err := db.QueryIn(ctx, c.q, fmt.Sprintf("SELECT rowid, %s FROM %s WHERE rowid IN (?...)", c.d.Quote(key), c.d.Quote(table)), ids, nil, func(r *db.Row) error {
			var id int64
			var v any
			err := r.Scan(&id, &v)
			keys[id] = fmt.Sprint(key, " ", v)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read the keys of rows of %s: %w", table, err)
		}
		for _, x := range rows[table] {
			out = append(out, schema.Finding{Code: "orphan", Severity: schema.Warning, Table: table, Key: keys[x.row], Value: x.column + " refers to no row of " + x.parent,
				Next: "nothing for this run, which leaves it as it is; delete the row, or restore what it refers to from a backup"})
		}
		if n := seen[table] - mostOrphans; n > 0 {
			out = append(out, schema.Finding{Code: "orphan", Severity: schema.Warning, Table: table, Key: "*", Value: count(n, "more row", "more rows"),
				Next: "PRAGMA foreign_key_check lists all"})
		}
	}
	return out, nil
}

// primaryOf returns the column that rows are known by.
func primaryOf(t *inspect.Table) string {
	for i := range t.Columns {
		if t.Columns[i].Primary {
			return t.Columns[i].Name
		}
	}
	return "rowid"
}

// violations ask SQLite for the rows of content's tables that refer to what is not there.
const violations = `v."table", v.rowid, v.parent, f."from" FROM sqlite_master m, pragma_foreign_key_check(m.name) v
JOIN pragma_foreign_key_list(m.name) f ON f.id = v.fkid WHERE m.type = 'table' AND (m.name LIKE 'oel\_%' ESCAPE '\' OR m.name LIKE 'openedx\_content\_%' ESCAPE '\')`

// dangling counts them in the tables that statements copy and in those that refer to them: nothing prevents that they come
// to be while tables are made again. To look at all tables for each step would take longer than all steps.
func dangling(ctx context.Context, tx *db.Tx, list []Statement) (int, error) {
	var names []string
	for i := range list {
		if list[i].Effort == Rewrite {
			names = append(names, "'"+list[i].Table+"'")
		}
	}
	copied := strings.Join(names, ", ")
	n, _, err := db.One(ctx, tx, fmt.Sprintf(`SELECT COUNT(*) FROM (SELECT %s AND (m.name IN (%s) OR EXISTS
(SELECT 1 FROM pragma_foreign_key_list(m.name) r WHERE r."table" IN (%s))))`, violations, copied, copied), nil, db.Value[int])
	return n, err
}

// brokenViews finds views that SQLite cannot read any more, such as one of a table that was dropped: it stops over them
// whenever a table is renamed.
func brokenViews(ctx context.Context, d *db.DB) ([]schema.Finding, error) {
	out := []schema.Finding{}
	if d.Engine() != db.SQLite {
		return out, nil
	}
	names, err := db.All(ctx, d, "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name", nil, db.Value[string])
	if err != nil {
		return nil, fmt.Errorf("list views: %w", err)
	}
	for _, name := range names {
		err := d.Query(ctx, "SELECT 1 FROM "+d.Engine().Quote(name)+" LIMIT 0", nil, func(*db.Row) error { return nil })
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			out = append(out, schema.Finding{Code: "view", Severity: schema.Error, Table: name, Key: name, Value: err.Error(),
				Next: "drop the view, which cannot be read: SQLite renames no table while it is there"})
		}
	}
	return out, nil
}
