package takeover

import (
	"context"
	"errors"
	"fmt"

	"github.com/openlectern/lectern/db"
)

// backfill changes rows where that takes more than a few statements, in a transaction.
type backfill func(ctx context.Context, tx *db.Tx) error

// fillIn adds a backfill to the step; sql shows what it sends, again and again.
func (p *planner) fillIn(table, sql string, w backfill) {
	p.step.Statements = append(p.step.Statements, Statement{SQL: sql, Table: table, Effort: Rows, data: true, work: w})
}

// mergeTypes gives the components of a type that is there twice the one with the lowest id, and deletes the others (B4).
func mergeTypes(p *planner) {
	c, t := p.q(component), p.q(componentType)
	const twice = "k.namespace = d.namespace AND k.name = d.name"
	if p.mysql() {
		p.change(component, fmt.Sprintf("UPDATE %s c JOIN %s d ON d.id = c.component_type_id "+
			"JOIN (SELECT namespace, name, MIN(id) AS first FROM %s GROUP BY namespace, name) k ON %s "+
			"SET c.component_type_id = k.first WHERE k.first <> d.id", c, t, t, twice))
		p.change(componentType, fmt.Sprintf("DELETE d FROM %s d JOIN %s k ON %s AND k.id < d.id", t, t, twice))
		return
	}
	later := fmt.Sprintf("SELECT d.id FROM %s d JOIN %s k ON %s AND k.id < d.id", t, t, twice)
	p.change(component, fmt.Sprintf("UPDATE %s SET component_type_id = (SELECT MIN(k.id) FROM %s k JOIN %s d ON %s "+
		"WHERE d.id = component_type_id) WHERE component_type_id IN (%s)", c, t, t, twice, later))
	p.change(componentType, fmt.Sprintf("DELETE FROM %s WHERE id IN (%s)", t, later))
}

// renumber lets the ids of a table that the steps before have made begin anew behind those that are there. Servers do not
// take back the ids of a transaction that was undone: without this, what a stopped run leaves would show for ever.
func (p *planner) renumber(table string) {
	switch {
	case !p.had[table+".id"] || p.sqlite():
	case p.mysql():
		p.emit(table, Metadata, "ALTER TABLE "+p.q(table)+" AUTO_INCREMENT = 1")
	default:
		p.emit(table, Metadata, fmt.Sprintf("SELECT setval(pg_get_serial_sequence('%s', 'id'), (SELECT COALESCE(MAX(id), 0) + 1 FROM %s), false)", table, p.q(table)))
	}
}

// kinds are the types of containers that the reference knows, in the order in which it looks for them (B5).
var kinds = []string{"section", "subsection", "unit"}

// makeTypes makes the three types.
func makeTypes(p *planner) {
	t := p.q(containerType)
	p.renumber(containerType)
	for _, k := range kinds {
		p.change(containerType, fmt.Sprintf("INSERT INTO %s (type_code) SELECT '%s' FROM (SELECT 1 AS one) AS o WHERE NOT EXISTS (SELECT 1 FROM %s WHERE type_code = '%s')",
			t, k, t, k))
	}
}

// typeContainers makes the three types and gives each container its own.
func typeContainers(p *planner) {
	t := p.q(containerType)
	makeTypes(p)
	which := "CASE"
	for _, k := range kinds {
		which += fmt.Sprintf(" WHEN EXISTS (SELECT 1 FROM %s s WHERE s.container_id = %s.publishable_entity_id) THEN '%s'",
			p.q("openedx_content_"+k), p.q(container), k)
	}
	p.change(container, fmt.Sprintf("UPDATE %s SET container_type_id = (SELECT id FROM %s WHERE type_code = %s END) WHERE container_type_id IS NULL",
		p.q(container), t, which))
}

// renameModel wishes that Django's row for a model of content has the model's new name, unless there is one of that name
// already (content-migrations.md §5.3). Python does so when it runs the step.
func renameModel(was, is string) wish {
	return func(p *planner) {
		const table = "django_content_type"
		if p.live[table] == nil {
			return
		}
		if p.mysql() { // it takes no subquery of the table that is changed
			p.change(table, fmt.Sprintf("UPDATE %[1]s c LEFT JOIN %[1]s n ON n.app_label = c.app_label AND n.model = '%[3]s' SET c.model = '%[3]s' "+
				"WHERE c.app_label = 'openedx_content' AND c.model = '%[2]s' AND n.id IS NULL", p.q(table), was, is))
			return
		}
		p.change(table, fmt.Sprintf("UPDATE %[1]s SET model = '%[3]s' WHERE app_label = 'openedx_content' AND model = '%[2]s' "+
			"AND NOT EXISTS (SELECT 1 FROM %[1]s n WHERE n.app_label = 'openedx_content' AND n.model = '%[3]s')", p.q(table), was, is))
	}
}

// forgetDirect makes direct unknown in records that are older than the column (B7). They are so by themselves unless
// Python was stopped while it added the column.
func forgetDirect(p *planner) {
	if p.had[publishRecord+".direct"] {
		p.change(publishRecord, fmt.Sprintf("UPDATE %s SET direct = NULL WHERE direct IS NOT NULL", p.q(publishRecord)))
	}
}

// codeContainers gives each container its package, and the code that was chosen for it or its key (B10).
func codeContainers(p *planner) {
	mapCodes(container, "publishable_entity_id", "container_code", "container_code")(p)
	c, e := p.q(container), p.q(entity)
	if p.mysql() {
		p.change(container, fmt.Sprintf("UPDATE %s c JOIN %s e ON e.id = c.publishable_entity_id "+
			"SET c.learning_package_id = e.learning_package_id, c.container_code = COALESCE(c.container_code, e._key)", c, e))
		return
	}
	p.change(container, fmt.Sprintf("UPDATE %s SET learning_package_id = e.learning_package_id, container_code = COALESCE(container_code, e._key) "+
		"FROM %s AS e WHERE e.id = publishable_entity_id", c, e))
}

// mapCodes writes the codes that were chosen in place of keys that cannot be codes (content-migrations.md §3.4.2).
func mapCodes(table, key, was, is string) wish {
	return func(p *planner) {
		chosen := p.codes.of(table)
		if len(chosen) == 0 {
			return
		}
		column := is
		if p.column(table, is) == nil {
			column = was
		}
		p.fillIn(table, fmt.Sprintf("UPDATE %s SET %s = ? WHERE %s = ? -- %d rows", p.q(table), column, key, len(chosen)),
			func(ctx context.Context, tx *db.Tx) error {
				return tx.UpdateRows(ctx, table, key, []string{column}, len(chosen), func(i int, v []any) {
					v[0], v[1] = chosen[i].id, chosen[i].code
				})
			})
	}
}

// errRecorded says that the row of a step has come since the step was planned: a server saved what a dead run had asked it to
// save. What the transaction did is done already, and is undone.
var errRecorded = errors.New("the step was done meanwhile")

// record writes the row of Django's ledger, unless it has come meanwhile.
func record(app, name string) Statement {
	const (
		there = "SELECT 1 FROM django_migrations WHERE app = ? AND name = ?"
		sql   = "INSERT INTO django_migrations (app, name, applied) VALUES (?, ?, ?)"
	)
	return Statement{SQL: fmt.Sprintf("INSERT INTO django_migrations (app, name, applied) VALUES ('%s', '%s', CURRENT_TIMESTAMP)", app, name),
		Table: "django_migrations", Effort: Rows, data: true, work: func(ctx context.Context, tx *db.Tx) error {
			_, found, err := db.One(ctx, tx, there, []any{app, name}, db.Value[int])
			if found {
				err = errRecorded
			}
			if err == nil {
				_, err = tx.Exec(ctx, sql, app, name, tx.Now())
			}
			return err
		}}
}
