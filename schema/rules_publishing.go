package schema

import "strings"

// Next steps of findings about rows.
const (
	nextMend  = "run lectern db verify --repair"
	nextPast  = "nothing has to be done: what is now is right, but moments before that log may not be read as they were"
	nextOwner = "delete the row, or restore it from a backup"
)

// sided are the names of one branch's tables and columns.
type sided struct{ pointer, aim, record, log, logs, edge string }

var (
	draftTables   = sided{"@draft", "draft_log_record_id", "@draftchangelogrecord", "draft_change_log_id", "@draftchangelog", "@draftsideeffect"}
	publishTables = sided{"@published", "publish_log_record_id", "@publishlogrecord", "publish_log_id", "@publishlog", "@publishsideeffect"}
)

// branchRules are about the pointers, records and side effects of a branch (content-model.md laws 9 to 16, 20 to 23, 45).
func branchRules(s sided) []rule {
	name := strings.NewReplacer("{pointer}", s.pointer, "{aim}", s.aim, "{record}", s.record, "{log}", s.log, "{logs}", s.logs, "{edge}", s.edge)
	table := func(t string) string { return strings.ReplaceAll(t, "@", "openedx_content_") }
	publish := s.pointer == publishTables.pointer
	// A change set inside another of the same package leaves the order of records behind that of the drafts, which is
	// how the reference works (content-model.md §6); publishes do not nest.
	history, idle := Warning, "r.old_version_id = r.new_version_id OR r.old_version_id IS NULL AND r.new_version_id IS NULL"
	if publish {
		history, idle = Error, "r.direct = FALSE AND COALESCE(r.old_version_id, 0) = COALESCE(r.new_version_id, 0)"
	}
	last := `LEFT JOIN (SELECT entity_id, MAX(id) AS id FROM {record} GROUP BY entity_id) m ON m.entity_id = d.entity_id
LEFT JOIN {record} l ON l.id = m.id`
	list := []rule{
		{code: "pointer", severity: Error, table: s.pointer, of: ofEntity, next: nextRows, query: `SELECT d.entity_id AS of_id, NULL AS detail, o.entity_ref AS value, 'a version of the entity' AS want
FROM {pointer} d JOIN @publishableentityversion v ON v.id = d.version_id JOIN @publishableentity o ON o.id = v.entity_id WHERE v.entity_id <> d.entity_id`},
		// A draft without a record is legal: its log may be older than records, or deleted (content-schema.md §7).
		{code: "pointer_record", severity: Error, table: s.pointer, of: ofEntity, next: nextRows, query: `SELECT d.entity_id AS of_id, NULL AS detail, COALESCE(v.version_num, 0) AS value, COALESCE(n.version_num, 0) AS want
FROM {pointer} d JOIN {record} r ON r.id = d.{aim} ` + last + `
LEFT JOIN @publishableentityversion v ON v.id = d.version_id LEFT JOIN @publishableentityversion n ON n.id = r.new_version_id
WHERE (r.entity_id <> d.entity_id OR COALESCE(r.new_version_id, 0) <> COALESCE(d.version_id, 0))
AND (l.id IS NULL OR l.id = r.id OR COALESCE(l.new_version_id, 0) <> COALESCE(d.version_id, 0))`},
		{code: "pointer_stale", severity: Error, table: s.pointer, of: ofEntity, next: nextMend, fix: &fix{update, s.pointer, []string{"entity_id", s.aim}},
			query: `SELECT d.entity_id AS of_id, NULL AS detail, d.{aim} AS value, l.id AS want, d.entity_id AS a0, l.id AS a1
FROM {pointer} d ` + last + ` WHERE l.id IS NOT NULL AND COALESCE(d.{aim}, 0) <> l.id AND COALESCE(l.new_version_id, 0) = COALESCE(d.version_id, 0)`},
		{code: "pointer_behind", severity: history, table: s.pointer, of: ofEntity, next: nextPast, query: `SELECT d.entity_id AS of_id, NULL AS detail, d.{aim} AS value, l.id AS want
FROM {pointer} d JOIN {record} r ON r.id = d.{aim} ` + last + `
WHERE r.id <> l.id AND COALESCE(l.new_version_id, 0) <> COALESCE(d.version_id, 0) AND r.entity_id = d.entity_id AND COALESCE(r.new_version_id, 0) = COALESCE(d.version_id, 0)`},
		{code: "pointer_missing", severity: Error, table: s.pointer, of: ofEntity, next: nextRows, query: `SELECT DISTINCT r.entity_id AS of_id, NULL AS detail, 'no row' AS value, 'a row' AS want
FROM {record} r LEFT JOIN {pointer} d ON d.entity_id = r.entity_id WHERE d.entity_id IS NULL`},
		{code: "record_version", severity: Error, table: s.record, of: ofEntity, label: "log", next: nextRows, query: `SELECT r.entity_id AS of_id, r.{log} AS detail, o.entity_ref AS value, 'versions of the entity' AS want
FROM {record} r JOIN @publishableentityversion v ON v.id = r.new_version_id JOIN @publishableentity o ON o.id = v.entity_id WHERE v.entity_id <> r.entity_id
UNION ALL SELECT r.entity_id, r.{log}, o.entity_ref, 'versions of the entity'
FROM {record} r JOIN @publishableentityversion v ON v.id = r.old_version_id JOIN @publishableentity o ON o.id = v.entity_id WHERE v.entity_id <> r.entity_id`},
		{code: "record_package", severity: Error, table: s.record, of: ofEntity, label: "log", next: nextOwner, query: `SELECT r.entity_id AS of_id, r.{log} AS detail, p.package_ref AS value, 'a log of the package' AS want
FROM {record} r JOIN {logs} l ON l.id = r.{log} JOIN @publishableentity e ON e.id = r.entity_id
JOIN @learningpackage p ON p.id = l.learning_package_id WHERE e.learning_package_id <> l.learning_package_id`},
		{code: "record_chain", severity: history, table: s.record, of: ofEntity, label: "log", next: nextPast, query: `SELECT s.entity_id AS of_id, s.log_id AS detail, COALESCE(o.version_num, 0) AS value, COALESCE(p.version_num, 0) AS want
FROM (SELECT entity_id, {log} AS log_id, old_version_id, LAG(new_version_id) OVER (PARTITION BY entity_id ORDER BY {log}) AS prev_id FROM {record}) s
LEFT JOIN @publishableentityversion o ON o.id = s.old_version_id LEFT JOIN @publishableentityversion p ON p.id = s.prev_id
WHERE COALESCE(s.old_version_id, 0) <> COALESCE(s.prev_id, 0)`},
		{code: "record_idle", severity: Warning, table: s.record, of: ofEntity, label: "log", next: nextPast, query: `SELECT r.entity_id AS of_id, r.{log} AS detail, 'no change and no cause' AS value, 'one of them' AS want
FROM {record} r LEFT JOIN {edge} s ON s.effect_id = r.id WHERE s.id IS NULL AND (` + idle + `)`},
		// Between two records of a parent its version was current; whatever it depends on had no record then (law 20).
		{code: "record_missing", severity: Warning, table: s.record, of: ofEntity, label: "log", next: nextPast, query: `SELECT DISTINCT s.entity_id AS of_id, c.{log} AS detail, 'no record' AS value, 'a side effect' AS want
FROM (SELECT entity_id, {log} AS log_id, new_version_id, LEAD({log}) OVER (PARTITION BY entity_id ORDER BY {log}) AS next_id FROM {record}) s
JOIN @publishableentityversiondependency d ON d.referring_version_id = s.new_version_id
JOIN {record} c ON c.entity_id = d.referenced_entity_id AND c.{log} > s.log_id AND (s.next_id IS NULL OR c.{log} < s.next_id)`},
		{code: "edge_logs", severity: Error, table: s.edge, of: ofEntity, label: "log", next: nextOwner, query: `SELECT e.entity_id AS of_id, e.{log} AS detail, c.{log} AS value, 'a cause in the same log' AS want
FROM {edge} s JOIN {record} c ON c.id = s.cause_id JOIN {record} e ON e.id = s.effect_id WHERE c.{log} <> e.{log}`},
		{code: "edge_neighbour", severity: Warning, table: s.edge, of: ofEntity, label: "log", next: nextOwner, query: `SELECT e.entity_id AS of_id, e.{log} AS detail, x.entity_ref AS value, 'a direct dependency' AS want
FROM {edge} s JOIN {record} c ON c.id = s.cause_id JOIN {record} e ON e.id = s.effect_id AND e.{log} = c.{log} JOIN @publishableentity x ON x.id = c.entity_id
LEFT JOIN @publishableentityversiondependency d ON d.referring_version_id = e.new_version_id AND d.referenced_entity_id = c.entity_id WHERE d.id IS NULL`},
		// The reference leaves some of them out (content-model.md §7).
		{code: "edge_missing", severity: Info, table: s.edge, of: ofEntity, label: "log", next: nextMend, fix: &fix{insert, s.edge, []string{"cause_id", "effect_id"}},
			query: `SELECT p.entity_id AS of_id, p.{log} AS detail, '' AS value, x.entity_ref AS want, c.id AS a0, p.id AS a1
FROM {record} c JOIN @publishableentityversiondependency d ON d.referenced_entity_id = c.entity_id
JOIN @publishableentityversion v ON v.id = d.referring_version_id
JOIN {record} p ON p.{log} = c.{log} AND p.entity_id = v.entity_id AND p.new_version_id = v.id JOIN @publishableentity x ON x.id = c.entity_id
LEFT JOIN {edge} s ON s.cause_id = c.id AND s.effect_id = p.id WHERE s.id IS NULL`},
	}
	if !publish {
		list = append(list,
			rule{code: "log_empty", severity: Warning, table: s.logs, of: ofPackage, label: "log", next: "delete the log: it says nothing", query: `SELECT l.learning_package_id AS of_id, l.id AS detail, 'no record' AS value, 'a record' AS want
FROM {logs} l LEFT JOIN {record} r ON r.{log} = l.id WHERE r.id IS NULL`},
			rule{code: "pointer_missing", severity: Error, table: s.pointer, of: ofEntity, next: nextRows, query: `SELECT v.entity_id AS of_id, NULL AS detail, 'no row' AS value, 'a row, as there are versions' AS want
FROM @publishableentityversion v LEFT JOIN {pointer} d ON d.entity_id = v.entity_id
WHERE d.entity_id IS NULL AND v.version_num = (SELECT MIN(x.version_num) FROM @publishableentityversion x WHERE x.entity_id = v.entity_id)
AND NOT EXISTS (SELECT 1 FROM {record} r WHERE r.entity_id = v.entity_id)`})
	}
	for i := range list {
		list[i].query = name.Replace(list[i].query)
		list[i].table = table(list[i].table)
		if list[i].fix != nil {
			list[i].fix.table = table(list[i].fix.table)
		}
	}
	return list
}

// versionRules are about versions and what they depend on.
var versionRules = []rule{
	{code: "dependency_package", severity: Error, table: "openedx_content_publishableentityversiondependency", of: ofVersion, next: nextOwner,
		query: `SELECT d.referring_version_id AS of_id, NULL AS detail, t.entity_ref AS value, 'an entity of the package' AS want
FROM @publishableentityversiondependency d JOIN @publishableentityversion v ON v.id = d.referring_version_id JOIN @publishableentity e ON e.id = v.entity_id
JOIN @publishableentity t ON t.id = d.referenced_entity_id WHERE t.learning_package_id <> e.learning_package_id`},
	{code: "dependency_missing", severity: Error, table: "openedx_content_publishableentityversiondependency", of: ofVersion, next: nextMend,
		fix: &fix{insert, "openedx_content_publishableentityversiondependency", []string{"referring_version_id", "referenced_entity_id"}},
		query: `SELECT DISTINCT c.publishable_entity_version_id AS of_id, NULL AS detail, '' AS value, e.entity_ref AS want, c.publishable_entity_version_id AS a0, r.entity_id AS a1
FROM @containerversion c JOIN @entitylistrow r ON r.entity_list_id = c.entity_list_id JOIN @publishableentity e ON e.id = r.entity_id
LEFT JOIN @publishableentityversiondependency d ON d.referring_version_id = c.publishable_entity_version_id AND d.referenced_entity_id = r.entity_id
WHERE r.entity_version_id IS NULL AND d.id IS NULL`},
	// A pinned child is no dependency in what is written today, but the backfill of older sites made it one
	// (content-migrations.md §1.3.2).
	{code: "dependency_extra", severity: Error, table: "openedx_content_publishableentityversiondependency", of: ofVersion, next: nextMend,
		fix: &fix{remove, "openedx_content_publishableentityversiondependency", []string{"id"}},
		query: `SELECT d.referring_version_id AS of_id, NULL AS detail, e.entity_ref AS value, '' AS want, d.id AS a0
FROM @publishableentityversiondependency d JOIN @containerversion c ON c.publishable_entity_version_id = d.referring_version_id
JOIN @publishableentity e ON e.id = d.referenced_entity_id
LEFT JOIN @entitylistrow r ON r.entity_list_id = c.entity_list_id AND r.entity_id = d.referenced_entity_id WHERE r.id IS NULL`},
	{code: "dependency_component", severity: Error, table: "openedx_content_publishableentityversiondependency", of: ofVersion, next: nextMend,
		fix: &fix{remove, "openedx_content_publishableentityversiondependency", []string{"id"}},
		query: `SELECT d.referring_version_id AS of_id, NULL AS detail, e.entity_ref AS value, '' AS want, d.id AS a0
FROM @publishableentityversiondependency d JOIN @componentversion c ON c.publishable_entity_version_id = d.referring_version_id
JOIN @publishableentity e ON e.id = d.referenced_entity_id`},
}
