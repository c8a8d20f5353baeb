package takeover

import (
	"context"
	"fmt"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
)

// The checks D1 to D5 of content-migrations.md §3.4.2: contents that a constraint of today would refuse. All of them are
// made before the first write, so that no step stops over a row.

// offender is a row that would be refused.
type offender struct {
	check    string // D1 to D5, or D8: D4 or D5 where PostgreSQL knows ASCII letters only
	kind     string // of the row: "container", "component", "collection", "component type"
	table    string // today's name of the table that holds the code
	id       int64  // the row's primary key
	pkg      string // its package
	entity   string // its entity's key; of a collection its own
	old      string // what cannot be a code
	why      string
	proposed string // a code that could
	warning  bool   // accepted here, though not everywhere
}

// finding returns the offender as db plan shows it.
func (o *offender) finding(d schema.Dialect, table string) schema.Finding {
	f := schema.Finding{Code: o.check, Severity: schema.Error, Table: table, Value: o.old, Proposed: o.proposed,
		Key: fmt.Sprintf("%s %s %s (id %d)", o.pkg, o.kind, o.entity, o.id)}
	switch {
	case o.warning:
		f.Severity, f.Proposed = schema.Warning, ""
		f.Next = "nothing: " + o.why + ", which this engine lets pass; others would not"
	case o.check == "D1":
		f.Next = "delete or rename one of the two before, " + o.why
	case o.check == "D2":
		f.Next = "give the container its row in the table of units, subsections or sections, or delete it: " + o.why
	case o.table == container:
		f.Next = o.why + ": run with --derive-codes to take the proposed code, or choose one with --codes FILE"
	default:
		f.Next = o.why + ": choose a code with --codes FILE, which lectern db plan --codes FILE writes to be edited"
	}
	return f
}

// checker looks for offenders under whatever names the tables have.
type checker struct {
	s       *site
	d       schema.Dialect
	q       db.Querier
	quick   bool            // see Options
	pending map[string]bool // steps of openedx_content that are to come, by the number in their names
}

// table returns the name that a table of today has now, "" when it is not there.
func (c *checker) table(now string) string {
	if c.s.live[now] != nil {
		return now
	}
	if t := schema.Lookup(now); t != nil && c.s.live[t.Was] != nil {
		return t.Was
	}
	return ""
}

// column returns the first of the columns that the table has.
func (c *checker) column(table string, columns ...string) string {
	for _, name := range columns {
		if t := c.s.live[table]; t != nil && t.Column(name) != nil {
			return name
		}
	}
	return ""
}

// offenders makes the checks for the steps that are to come.
func (c *checker) offenders(ctx context.Context) ([]offender, error) {
	var all []offender
	for _, check := range []struct {
		before string
		run    func(context.Context) ([]offender, error)
	}{{"0004", c.collisions}, {"0005", c.typeless}, {"0008", c.collections}, {"0009", c.components}, {"0010", c.containers}} {
		if !c.pending[check.before] {
			continue
		}
		found, err := check.run(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// names are the tables and columns that the checks read, as they are called now.
type names struct{ pkg, pkgKey, entity, entityKey string }

func (c *checker) names() (n names, ok bool) {
	n.pkg, n.entity = c.table(learningPackage), c.table(entity)
	n.pkgKey, n.entityKey = c.column(n.pkg, "package_ref", "_key", "key"), c.column(n.entity, "entity_ref", "_key", "key")
	return n, n.pkgKey != "" && n.entityKey != ""
}

// ask runs a query that gives id, package, entity, text and a number.
func (c *checker) ask(ctx context.Context, sql string, make func(o *offender, n int64)) ([]offender, error) {
	return db.All(ctx, c.q, sql, nil, func(r *db.Row) (o offender, err error) {
		var n int64
		err = r.Scan(&o.id, &o.pkg, &o.entity, &o.old, &n)
		make(&o, n)
		return o, err
	})
}

// collisions finds components that would have the same package, type and code once types that are there twice are one (D1).
func (c *checker) collisions(ctx context.Context) ([]offender, error) {
	n, ok := c.names()
	t, types := c.table(component), c.table(componentType)
	code := c.column(t, "component_code", "local_key")
	if !ok || code == "" || types == "" {
		return nil, nil
	}
	q := c.d.Quote
	// Most sites have no type twice, and then not every component need be looked at.
	twice, err := db.All(ctx, c.q, fmt.Sprintf("SELECT MIN(id) FROM %s GROUP BY namespace, name HAVING COUNT(*) > 1", q(types)), nil, db.Value[int64])
	if err != nil || len(twice) == 0 {
		return nil, err
	}
	return c.ask(ctx, fmt.Sprintf(`SELECT a.publishable_entity_id, p.%[1]s, e.%[2]s, a.%[3]s, b.publishable_entity_id
FROM %[4]s a JOIN %[5]s x ON x.id = a.component_type_id JOIN %[5]s y ON y.namespace = x.namespace AND y.name = x.name AND y.id < x.id
JOIN %[4]s b ON b.component_type_id = y.id AND b.learning_package_id = a.learning_package_id AND b.%[3]s = a.%[3]s
JOIN %[6]s e ON e.id = a.publishable_entity_id JOIN %[7]s p ON p.id = a.learning_package_id ORDER BY 1`,
		q(n.pkgKey), q(n.entityKey), q(code), q(t), q(types), q(n.entity), q(n.pkg)), func(o *offender, other int64) {
		o.check, o.kind, o.table = "D1", "component", component
		o.why = fmt.Sprintf("as the component with id %d has the same type and key", other)
	})
}

// typeless finds containers that are neither unit, subsection nor section (D2).
func (c *checker) typeless(ctx context.Context) ([]offender, error) {
	n, ok := c.names()
	t := c.table(container)
	if !ok || t == "" {
		return nil, nil
	}
	q := c.d.Quote
	condition := "1 = 1"
	if c.column(t, "container_type_id") != "" {
		condition = "c.container_type_id IS NULL"
	}
	count := "0"
	for _, kind := range kinds {
		if rows := c.table("openedx_content_" + kind); rows != "" {
			count += fmt.Sprintf(" + CASE WHEN EXISTS (SELECT 1 FROM %s s WHERE s.container_id = c.publishable_entity_id) THEN 1 ELSE 0 END", q(rows))
		}
	}
	return c.ask(ctx, fmt.Sprintf(`SELECT * FROM (SELECT c.publishable_entity_id AS id, p.%s AS package, e.%s AS entity, '' AS old, %s AS kinds
FROM %s c JOIN %s e ON e.id = c.publishable_entity_id JOIN %s p ON p.id = e.learning_package_id WHERE %s) AS f WHERE f.kinds <> 1 ORDER BY 1`,
		q(n.pkgKey), q(n.entityKey), count, q(t), q(n.entity), q(n.pkg), condition), func(o *offender, kinds int64) {
		o.check, o.kind, o.table, o.why = "D2", "container", container, "it has none of the three"
		if kinds > 1 {
			o.warning, o.why = true, "the container is of more than one type and becomes the first of section, subsection and unit"
		}
	})
}

// collections, components and containers find keys that the CHECK to come refuses (D3, D4, D5).
func (c *checker) collections(ctx context.Context) ([]offender, error) {
	n, ok := c.names()
	t := c.table(collection)
	code := c.column(t, "collection_code", "_key")
	if !ok || code == "" {
		return nil, nil // without keys yet: 0004 of oel_collections makes good ones
	}
	q := c.d.Quote
	return c.illegal(ctx, "D3", "collection", collection, fmt.Sprintf("SELECT x.id AS id, p.%s AS package, x.%s AS entity, x.%s AS old FROM %s x JOIN %s p ON p.id = x.learning_package_id",
		q(n.pkgKey), q(code), q(code), q(t), q(n.pkg)))
}

func (c *checker) components(ctx context.Context) ([]offender, error) {
	n, ok := c.names()
	t := c.table(component)
	code := c.column(t, "component_code", "local_key")
	if !ok || code == "" {
		return nil, nil
	}
	q := c.d.Quote
	return c.illegal(ctx, "D4", "component", component, fmt.Sprintf(`SELECT x.publishable_entity_id AS id, p.%s AS package, e.%s AS entity, x.%s AS old
FROM %s x JOIN %s e ON e.id = x.publishable_entity_id JOIN %s p ON p.id = x.learning_package_id`,
		q(n.pkgKey), q(n.entityKey), q(code), q(t), q(n.entity), q(n.pkg)))
}

func (c *checker) containers(ctx context.Context) ([]offender, error) {
	n, ok := c.names()
	t := c.table(container)
	if !ok || t == "" {
		return nil, nil
	}
	q := c.d.Quote
	return c.illegal(ctx, "D5", "container", container, fmt.Sprintf(`SELECT x.publishable_entity_id AS id, p.%s AS package, e.%s AS entity, %s AS old
FROM %s x JOIN %s e ON e.id = x.publishable_entity_id JOIN %s p ON p.id = e.learning_package_id`,
		q(n.pkgKey), q(n.entityKey), c.containerCode(t, n), q(t), q(n.entity), q(n.pkg)))
}

// containerCode returns what will be a container's code: its entity's key, or what a run has chosen that was stopped then.
func (c *checker) containerCode(table string, n names) string {
	key := "e." + c.d.Quote(n.entityKey)
	if c.column(table, "container_code") == "" {
		return key
	}
	return fmt.Sprintf("COALESCE(x.container_code, %s)", key)
}

// illegal asks the engine itself, with the condition of the CHECK to come, which of the rows it would refuse.
func (c *checker) illegal(ctx context.Context, check, kind, table, rows string) ([]offender, error) {
	def := &schema.Lookup(table).Checks[0]
	fits := strings.ReplaceAll(c.d.Condition(def), c.d.Quote(def.Column), "f.old")
	length := "CHAR_LENGTH(f.old)"
	if c.d.Engine() == db.SQLite {
		length = "LENGTH(f.old)"
	}
	return c.ask(ctx, fmt.Sprintf("SELECT f.id, f.package, f.entity, f.old, CASE WHEN %[1]s THEN 0 ELSE 1 END FROM (%[2]s) AS f WHERE NOT (%[1]s) OR %[3]s > 255 ORDER BY 1",
		fits, rows, length), func(o *offender, refused int64) {
		o.check, o.kind, o.table = check, kind, table
		switch {
		case refused == 0 && c.d.Engine() == db.SQLite:
			o.warning, o.why = true, "it is longer than 255 characters"
		case refused == 0:
			o.why = "a code has at most 255 characters"
		case kind == "collection":
			o.why = "a code holds ASCII letters, digits, '_', '.' and '-' only"
		default:
			o.why = "a code holds letters, digits, '_', '.' and '-' only"
		}
	})
}
