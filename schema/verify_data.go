package schema

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
)

// mostRows bounds how many rows one rule names.
const mostRows = 20

// rule is a query for rows that contradict each other: it gives a key, what is there and what should be, as text.
type rule struct {
	code     string
	severity Severity
	table    string
	query    string // without LIMIT
	next     string
}

// rules are what holds between rows although no constraint says so.
var rules = []rule{
	{"pointer", Error, "openedx_content_draft", `SELECT d.entity_id, d.version_id, 'a version of the entity' FROM openedx_content_draft d
JOIN openedx_content_publishableentityversion v ON v.id = d.version_id WHERE v.entity_id <> d.entity_id`, nextRows},
	{"pointer", Error, "openedx_content_published", `SELECT p.entity_id, p.version_id, 'a version of the entity' FROM openedx_content_published p
JOIN openedx_content_publishableentityversion v ON v.id = p.version_id WHERE v.entity_id <> p.entity_id`, nextRows},
	// A draft without a record is legal: its log may be older than records, or deleted (content-schema.md §7).
	{"pointer_record", Error, "openedx_content_draft", `SELECT d.entity_id, COALESCE(d.version_id, 0), COALESCE(r.new_version_id, 0) FROM openedx_content_draft d
JOIN openedx_content_draftchangelogrecord r ON r.id = d.draft_log_record_id
WHERE r.entity_id <> d.entity_id OR COALESCE(r.new_version_id, 0) <> COALESCE(d.version_id, 0)`, nextRows},
	{"pointer_record", Error, "openedx_content_published", `SELECT p.entity_id, COALESCE(p.version_id, 0), COALESCE(r.new_version_id, 0) FROM openedx_content_published p
JOIN openedx_content_publishlogrecord r ON r.id = p.publish_log_record_id
WHERE r.entity_id <> p.entity_id OR COALESCE(r.new_version_id, 0) <> COALESCE(p.version_id, 0)`, nextRows},
	{"package_differs", Error, "openedx_content_component", `SELECT c.publishable_entity_id, c.learning_package_id, e.learning_package_id FROM openedx_content_component c
JOIN openedx_content_publishableentity e ON e.id = c.publishable_entity_id WHERE e.learning_package_id <> c.learning_package_id`, nextRows},
	{"package_differs", Error, "openedx_content_container", `SELECT c.publishable_entity_id, c.learning_package_id, e.learning_package_id FROM openedx_content_container c
JOIN openedx_content_publishableentity e ON e.id = c.publishable_entity_id WHERE e.learning_package_id <> c.learning_package_id`, nextRows},
	{"two_kinds", Error, "openedx_content_container", `SELECT n.publishable_entity_id, 'component and container', 'one of them' FROM openedx_content_container n
JOIN openedx_content_component c ON c.publishable_entity_id = n.publishable_entity_id`, nextRows},
	{"code_pair", Info, "openedx_content_container", `SELECT MIN(container_code), MAX(container_code), 'codes that differ by more than case' FROM openedx_content_container
GROUP BY learning_package_id, LOWER(container_code) HAVING COUNT(*) > 1`, "such a package cannot move to a MySQL or MariaDB site that Django made"},
	// What unique indexes on lower(…) and partial ones hold elsewhere nothing holds on the MySQL family.
	{"course_key_pair", Error, "openedx_catalog_courserun", `SELECT MIN(course_key), MAX(course_key), 'one run' FROM openedx_catalog_courserun
GROUP BY LOWER(course_key) HAVING COUNT(*) > 1`, nextRows},
	{"run_pair", Error, "openedx_catalog_courserun", `SELECT MIN(course_key), MAX(course_key), 'one run' FROM openedx_catalog_courserun
WHERE NOT course_key LIKE 'ccx%' GROUP BY catalog_course_id, run_code HAVING COUNT(*) > 1`, nextRows},
	{"course_code_pair", Error, "openedx_catalog_catalogcourse", `SELECT MIN(course_code), MAX(course_code), 'one course' FROM openedx_catalog_catalogcourse
GROUP BY org_id, LOWER(course_code) HAVING COUNT(*) > 1`, nextRows},
	{"organization_pair", Warning, "organizations_organization", `SELECT MIN(short_name), MAX(short_name), 'one organization' FROM organizations_organization
GROUP BY LOWER(short_name) HAVING COUNT(*) > 1`, "courses of such an organization are refused until one of the two is renamed"},
}

// data looks for rows that contradict each other, as far as tables and columns allow the question.
func (v *verifier) data(ctx context.Context, tx *db.Tx) error {
	for _, f := range v.findings {
		if (f.Code == "column_missing" || f.Code == "table_missing" && !neighbour(f.Table)) && !strings.HasPrefix(f.Table, "lectern_") {
			return nil
		}
	}
	for _, r := range rules {
		if v.live[r.table] == nil {
			continue
		}
		err := tx.Query(ctx, fmt.Sprintf("%s LIMIT %d", r.query, mostRows), nil, func(row *db.Row) error {
			var key, value, want any
			if err := row.Scan(&key, &value, &want); err != nil {
				return err
			}
			v.note(r.severity, r.code, r.table, fmt.Sprint(key), fmt.Sprint(value), fmt.Sprint(want), r.next)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if v.engine == db.PostgreSQL {
		return v.sequences(ctx, tx) // and references always hold there
	}
	return v.orphans(ctx, tx)
}

// orphans looks for rows whose reference leads nowhere: SQLite does not check references on connections that do not ask
// for it, and the MySQL family lets a session switch the check off.
func (v *verifier) orphans(ctx context.Context, tx *db.Tx) error {
	for _, t := range Tables() {
		for i := range t.Columns {
			c := &t.Columns[i]
			if c.Ref == "" || v.live[t.Name] == nil || v.live[c.Ref] == nil || neighbour(t.Name) {
				continue
			}
			q, to := v.quote, byName[c.Ref].Primary()
			err := tx.Query(ctx, fmt.Sprintf("SELECT a.%s, a.%s FROM %s a LEFT JOIN %s b ON b.%s = a.%s WHERE a.%s IS NOT NULL AND b.%s IS NULL LIMIT %d",
				q(t.Primary()), q(c.Name), q(t.Name), q(c.Ref), q(to), q(c.Name), q(c.Name), q(to), mostRows), nil, func(r *db.Row) error {
				var key, value int64
				if err := r.Scan(&key, &value); err != nil {
					return err
				}
				v.note(Error, "orphan", t.Name, fmt.Sprintf("%s=%d", t.Primary(), key), fmt.Sprintf("%s=%d", c.Name, value), "a row of "+c.Ref, nextRows)
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sequences looks for counters behind the ids that are there, as a load with explicit ids leaves them.
func (v *verifier) sequences(ctx context.Context, tx *db.Tx) error {
	var parts []string
	var args []any
	for _, t := range Tables() {
		l := v.live[t.Name]
		if l == nil {
			continue
		}
		for _, c := range l.columns {
			if c.sequence == "" || !c.primary {
				continue
			}
			parts = append(parts, fmt.Sprintf("SELECT ? AS name, (SELECT COALESCE(MAX(%s), 0) FROM %s) AS top, (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM %s) AS last",
				v.quote(c.name), v.quote(t.Name), c.sequence))
			args = append(args, t.Name)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	return tx.Query(ctx, "SELECT * FROM ("+strings.Join(parts, " UNION ALL ")+") s WHERE top > last", args, func(r *db.Row) error {
		var (
			table     string
			top, last int64
		)
		if err := r.Scan(&table, &top, &last); err != nil {
			return err
		}
		v.add("ids_behind", table, "id", fmt.Sprint(last), fmt.Sprint(top), fmt.Sprintf("run SELECT setval(pg_get_serial_sequence('%s', 'id'), %d)", table, top))
		return nil
	})
}
