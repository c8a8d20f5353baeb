package schema

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
)

// mostRows is how many rows one rule names unless all are asked for. What it does not name it counts.
const mostRows = 20

// A rule is a query for rows that contradict each other although no constraint says so. Its columns are, in this order:
//
//	of_id   what the row belongs to: the id of an entity, a version or a package, as of says; or a text
//	detail  more of the key, after label: a number or a text; NULL for none
//	value   what is there
//	want    what should be there
//	and, if the rule can be mended, the values that its fix writes
//
// In the text "@" stands for "openedx_content_".
type rule struct {
	code     string
	severity Severity
	table    string
	of       subject
	label    string // of detail: "log", "path"
	query    string
	next     string
	fix      *fix
	needs    []string // tables besides table that must be there
}

// subject says what of_id is the id of.
type subject uint8

const (
	ofText subject = iota
	ofEntity
	ofVersion
	ofPackage
)

// fix is how rows are made right that follow from others: written with the values that the rule's query gives.
type fix struct {
	op    op
	table string
	cols  []string // insert: those of the new row; update: the key, then what is set; remove: the key
}

type op uint8

const (
	insert op = iota
	update
	remove
)

// values is how many columns the query gives after want.
func (r *rule) values() int {
	if r.fix == nil {
		return 0
	}
	return len(r.fix.cols)
}

// sql completes the query with the refs of what the rows belong to.
func (r *rule) sql() string {
	entity := " LEFT JOIN openedx_content_publishableentity e ON e.id = "
	pkg := " LEFT JOIN openedx_content_learningpackage p ON p.id = "
	var b strings.Builder
	b.WriteString("SELECT ")
	switch r.of {
	case ofText:
		b.WriteString("'', x.of_id, 0")
	case ofEntity:
		b.WriteString("p.package_ref, e.entity_ref, 0")
	case ofVersion:
		b.WriteString("p.package_ref, e.entity_ref, v.version_num")
	case ofPackage:
		b.WriteString("p.package_ref, '', 0")
	}
	b.WriteString(", x.detail, x.value, x.want")
	for i := range r.values() {
		fmt.Fprintf(&b, ", x.a%d", i)
	}
	b.WriteString(" FROM (" + strings.ReplaceAll(r.query, "@", "openedx_content_") + ") x")
	switch r.of {
	case ofEntity:
		b.WriteString(entity + "x.of_id" + pkg + "e.learning_package_id")
	case ofVersion:
		b.WriteString(" LEFT JOIN openedx_content_publishableentityversion v ON v.id = x.of_id" + entity + "v.entity_id" + pkg + "e.learning_package_id")
	case ofPackage:
		b.WriteString(pkg + "x.of_id")
	}
	return b.String()
}

// each runs the rule and calls fn with every finding, as the rows come, and what its fix would write.
func (r *rule) each(ctx context.Context, q db.Querier, fn func(Finding, []any) error) error {
	err := q.Query(ctx, r.sql(), nil, func(row *db.Row) error {
		var pkg, entity *string
		var num *int64
		var detail, value, want any
		dest := []any{&pkg, &entity, &num, &detail, &value, &want}
		values := make([]any, r.values())
		for i := range values {
			dest = append(dest, &values[i])
		}
		if err := row.Scan(dest...); err != nil {
			return err
		}
		f := Finding{Code: r.code, Severity: r.severity, Table: r.table, Value: plainValue(value), Proposed: plainValue(want), Next: r.next, Repairable: r.fix != nil}
		var parts []string
		for _, p := range []*string{pkg, entity} {
			if p != nil && *p != "" {
				parts = append(parts, *p)
			}
		}
		if num != nil && *num != 0 {
			parts = append(parts, fmt.Sprintf("version %d", *num))
		}
		if d := plainValue(detail); d != "" {
			parts = append(parts, strings.TrimSpace(r.label+" "+d))
		}
		f.Key = strings.Join(parts, " ")
		return fn(f, values)
	})
	if err != nil {
		return fmt.Errorf("rule %s of %s: %w", r.code, r.table, err)
	}
	return nil
}

// plainValue writes a column for people.
func plainValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

// rules returns what holds between rows although no constraint says so.
func (v *verifier) rules() []rule {
	var all []rule
	for _, part := range [][]rule{branchRules(draftTables), branchRules(publishTables), versionRules, listRules, typedRules(), contentRules, catalogRules, sideRules} {
		all = append(all, part...)
	}
	return all
}

// present reports whether all tables of a rule are there.
func (v *verifier) present(r *rule) bool {
	for _, t := range append([]string{r.table}, r.needs...) {
		if v.live[t] == nil {
			return false
		}
	}
	return true
}

// data looks for rows that contradict each other, as far as tables and columns allow the question.
func (v *verifier) data(ctx context.Context, tx *db.Tx) error {
	if !v.sound() {
		return nil
	}
	if v.engine == db.PostgreSQL {
		// Tables that were just filled have no statistics yet, and nested loops over a million rows take hours.
		_, _, err := db.One(ctx, tx, "SELECT set_config('enable_nestloop', 'off', true)", nil, db.Value[string])
		if err != nil {
			return err
		}
	}
	for _, r := range v.rules() {
		if !v.present(&r) {
			continue
		}
		err := v.collect(func(fn func(Finding) error) error {
			return r.each(ctx, tx, func(f Finding, _ []any) error { return fn(f) })
		})
		if err != nil {
			return err
		}
	}
	if err := v.texts(ctx, tx); err != nil {
		return err
	}
	if v.engine == db.PostgreSQL {
		return v.sequences(ctx, tx) // and references always hold there
	}
	return v.orphans(ctx, tx)
}

// sound reports whether the tables are such that rules about rows can be asked.
func (v *verifier) sound() bool {
	for _, f := range v.findings {
		if (f.Code == "column_missing" || f.Code == "table_missing" && !neighbour(f.Table)) && !strings.HasPrefix(f.Table, "lectern_") && !permissionTable(f.Table) {
			return false
		}
	}
	return true
}

// collect notes the first findings of a rule and counts the others.
func (v *verifier) collect(each func(func(Finding) error) error) error {
	n := 0
	var last Finding
	err := each(func(f Finding) error {
		if n++; v.all || n <= mostRows {
			v.findings = append(v.findings, f)
		}
		last = f
		return nil
	})
	if err == nil && !v.all && n > mostRows {
		last.Key, last.Value, last.Proposed = "", fmt.Sprintf("%d more", n-mostRows), ""
		last.Next = "lectern db verify --all names them"
		v.findings = append(v.findings, last)
	}
	return err
}

// place says what a row of a table belongs to: where its column names an entity, a version or a package.
var place = map[string]struct {
	column string
	of     subject
}{
	"openedx_content_publishableentity":                  {"id", ofEntity},
	"openedx_content_publishableentityversion":           {"id", ofVersion},
	"openedx_content_publishableentityversiondependency": {"referring_version_id", ofVersion},
	"openedx_content_draft":                              {"entity_id", ofEntity},
	"openedx_content_published":                          {"entity_id", ofEntity},
	"openedx_content_draftchangelog":                     {"learning_package_id", ofPackage},
	"openedx_content_publishlog":                         {"learning_package_id", ofPackage},
	"openedx_content_draftchangelogrecord":               {"entity_id", ofEntity},
	"openedx_content_publishlogrecord":                   {"entity_id", ofEntity},
	"openedx_content_component":                          {"publishable_entity_id", ofEntity},
	"openedx_content_container":                          {"publishable_entity_id", ofEntity},
	"openedx_content_componentversion":                   {"publishable_entity_version_id", ofVersion},
	"openedx_content_containerversion":                   {"publishable_entity_version_id", ofVersion},
	"openedx_content_componentversionmedia":              {"component_version_id", ofVersion},
	"openedx_content_collection":                         {"learning_package_id", ofPackage},
	"openedx_content_collectionpublishableentity":        {"entity_id", ofEntity},
	"openedx_content_media":                              {"learning_package_id", ofPackage},
	"lectern_containerversionmedia":                      {"container_version_id", ofVersion},
	"lectern_course":                                     {"learning_package_id", ofPackage},
	"lectern_label":                                      {"learning_package_id", ofPackage},
}

// rowRule makes a rule about single rows of a table for which the condition holds; value is an expression.
func (v *verifier) rowRule(code string, s Severity, t *Table, column, value, condition, want, next string) rule {
	r := rule{code: code, severity: s, table: t.Name, of: ofText, next: next}
	id := "''"
	if p, ok := place[t.Name]; ok {
		r.of, id = p.of, "a."+v.Quote(p.column)
	}
	r.query = fmt.Sprintf("SELECT %s AS of_id, a.%s AS detail, %s AS value, '%s' AS want FROM %s a WHERE %s",
		id, v.Quote(t.Primary()), value, want, v.Quote(t.Name), condition)
	r.label = column + " of row"
	return r
}

// texts looks for texts that no engine should hold: too long for their column, which SQLite keeps, ending in a space
// where identifiers do, or outside the pattern of a CHECK that was not asked.
func (v *verifier) texts(ctx context.Context, tx *db.Tx) error {
	var rules []rule
	for _, t := range v.judged() {
		if neighbour(t.Name) {
			continue
		}
		for i := range t.Columns {
			c := &t.Columns[i]
			col := "a." + v.Quote(c.Name)
			if v.engine == db.SQLite && c.Type.text() && c.Type.Len > 0 {
				rules = append(rules, v.rowRule("too_long", Warning, t, c.Name, "LENGTH("+col+")", fmt.Sprintf("LENGTH(%s) > %d", col, c.Type.Len),
					fmt.Sprintf("at most %d characters", c.Type.Len), "shorten the text: no other engine can hold it"))
			}
			if c.Type.Kind == Key {
				rules = append(rules, v.rowRule("trailing_space", Warning, t, c.Name, col, col+" LIKE '% '", "no space at the end",
					"rename it: the MySQL family does not tell it from the text without the space"))
			}
		}
		if v.engine == db.PostgreSQL { // its CHECKs always hold
			continue
		}
		for i := range t.Checks {
			c := &t.Checks[i]
			col := "a." + v.Quote(c.Column)
			condition := "NOT (" + strings.ReplaceAll(v.Dialect.check(c), v.Quote(c.Column), col) + ")"
			if c.Within != "" || !strings.Contains(condition, col) {
				continue
			}
			rules = append(rules, v.rowRule("check_violated", Error, t, c.Column, col, condition, "a text that the table takes", nextRows))
		}
	}
	for _, r := range rules {
		err := v.collect(func(fn func(Finding) error) error {
			return r.each(ctx, tx, func(f Finding, _ []any) error { return fn(f) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// orphans looks for rows whose reference leads nowhere: SQLite does not check references on connections that do not ask
// for it, and the MySQL family lets a session switch the check off.
func (v *verifier) orphans(ctx context.Context, tx *db.Tx) error {
	for _, t := range v.judged() {
		for i := range t.Columns {
			c := &t.Columns[i]
			if c.Ref == "" || v.live[c.Ref] == nil || neighbour(t.Name) {
				continue
			}
			q, to := v.Quote, lookup(c.Ref).Primary()
			r := v.rowRule("orphan", Error, t, c.Name, "a."+q(c.Name), fmt.Sprintf("a.%s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %s b WHERE b.%s = a.%s)",
				q(c.Name), q(c.Ref), q(to), q(c.Name)), "a row of "+c.Ref, nextRows)
			err := v.collect(func(fn func(Finding) error) error {
				return r.each(ctx, tx, func(f Finding, _ []any) error { return fn(f) })
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
	for _, t := range v.judged() {
		for _, c := range v.live[t.Name].Columns {
			if c.Sequence == "" || !c.Primary || t.Name == policyTable { // its one row has the id 1, whoever writes it
				continue
			}
			parts = append(parts, fmt.Sprintf("SELECT ? AS name, (SELECT COALESCE(MAX(%s), 0) FROM %s) AS top, (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM %s) AS last",
				v.Quote(c.Name), v.Quote(t.Name), c.Sequence))
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
