package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
)

// Dialect is an engine as far as table definitions differ by it.
type Dialect struct {
	engine     db.Engine
	nativeUUID bool // MariaDB 10.7 or later: Django makes uuid columns there, not char(32)
}

// DialectOf finds out what of the database decides how tables are written.
func DialectOf(d *db.DB) Dialect {
	e := Dialect{engine: d.Engine()}
	if e.engine == db.MariaDB {
		var major, minor int
		// Old replication peers made MariaDB say "5.5.5-" before its own version. A version that does not read is none
		// with the type.
		if _, err := fmt.Sscanf(strings.TrimPrefix(d.Version(), "5.5.5-"), "%d.%d", &major, &minor); err == nil {
			e.nativeUUID = major > 10 || major == 10 && minor >= 7
		}
	}
	return e
}

func (d Dialect) mysql() bool { return d.engine == db.MySQL || d.engine == db.MariaDB }

// Quote quotes an identifier. Ours hold letters, digits and underscores only.
func (d Dialect) Quote(name string) string {
	if d.mysql() {
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

// Statements returns the SQL that makes the table: on the MySQL family, where every statement commits by itself, exactly
// one, so that a table is there whole or not at all; elsewhere CREATE TABLE and then its indexes.
func (d Dialect) Statements(t *Table) []string {
	var items []string
	for _, c := range d.columns(t) {
		items = append(items, d.column(t, c))
	}
	var after []string
	for i := range t.Indexes {
		x := &t.Indexes[i]
		switch {
		case !d.has(x):
		case d.together(x):
			items = append(items, fmt.Sprintf("CONSTRAINT %s UNIQUE (%s)", d.Quote(x.name(d.engine, t)), d.parts(x.Parts)))
		case d.mysql():
			items = append(items, fmt.Sprintf("%s %s (%s)", indexWord(x), d.Quote(x.name(d.engine, t)), d.parts(x.Parts)))
		default:
			after = append(after, fmt.Sprintf("CREATE %s %s ON %s (%s)%s", indexWord(x), d.Quote(x.name(d.engine, t)), d.Quote(t.Name),
				d.parts(x.Parts), d.where(x)))
		}
	}
	for i := range t.Checks {
		items = append(items, fmt.Sprintf("CONSTRAINT %s CHECK (%s)", d.Quote(t.Checks[i].Name), d.check(&t.Checks[i])))
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if d.mysql() {
			items = append(items, d.tableItems(t, c)...)
			continue
		}
		if t.indexed(c) {
			after = append(after, fmt.Sprintf("CREATE INDEX %s ON %s (%s)", d.Quote(indexName(d.engine, t, c)), d.Quote(t.Name), d.Quote(c.Name)))
		}
		if _, text := d.LikeIndex(t, c); text != "" {
			after = append(after, text)
		}
	}
	create := fmt.Sprintf("CREATE TABLE %s (%s)", d.Quote(t.Name), strings.Join(items, ", "))
	if d.mysql() {
		// Two runs at once may both have found the table missing.
		create = "CREATE TABLE IF NOT EXISTS" + strings.TrimPrefix(create, "CREATE TABLE")
		// Named, not left to the server: MySQL 9 would take a collation that MariaDB does not know.
		create += " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE " + tableCollation
	}
	return append([]string{create}, after...)
}

// tableCollation is the collation of our tables on the MySQL family.
const tableCollation = "utf8mb4_unicode_ci"

func indexWord(x *Index) string {
	if x.Unique {
		return "UNIQUE INDEX"
	}
	return "INDEX"
}

// columns returns the table's columns in the order in which Django has them on this engine.
func (d Dialect) columns(t *Table) []*Column {
	cs := make([]*Column, len(t.Columns))
	for i := range t.Columns {
		cs[i] = &t.Columns[i]
	}
	if d.engine == db.SQLite && t.Rebuilt != nil {
		slices.SortFunc(cs, func(a, b *Column) int {
			return slices.Index(t.Rebuilt, a.Name) - slices.Index(t.Rebuilt, b.Name)
		})
	}
	return cs
}

// has reports whether the engine can have the index at all: MariaDB has none on expressions, the MySQL family no partial
// ones (content-schema.md §8.2).
func (d Dialect) has(x *Index) bool {
	if d.mysql() && x.Not != nil {
		return false
	}
	return d.engine != db.MariaDB || !slices.ContainsFunc(x.Parts, func(p Part) bool { return p.Lower })
}

// together reports whether the index is written as a constraint of the table; SQLite has those that Django's
// unique_together made as indexes of their own.
func (d Dialect) together(x *Index) bool {
	return x.constraint() && (d.engine != db.SQLite || x.Name != "")
}

// like reports whether a column has a companion index for pattern matching: on PostgreSQL, text that is indexed or unique
// by itself, as keys and references are.
func (d Dialect) like(t *Table, c *Column) bool {
	return d.engine == db.PostgreSQL && !t.own() && c.Type.text() && (c.Index || c.Unique || c.PK || c.Ref != "")
}

func (d Dialect) parts(ps []Part) string {
	ss := make([]string, len(ps))
	for i, p := range ps {
		ss[i] = d.Quote(p.Column)
		if p.Lower {
			ss[i] = "(LOWER(" + ss[i] + "))"
		}
		if p.Desc {
			ss[i] += " DESC"
		}
	}
	return strings.Join(ss, ", ")
}

// where returns the condition of a partial index.
func (d Dialect) where(x *Index) string {
	switch {
	case x.Not == nil:
		return ""
	case d.engine == db.PostgreSQL:
		return fmt.Sprintf(" WHERE NOT (%s::text LIKE '%s%%')", d.Quote(x.Not.Column), x.Not.Prefix)
	}
	return fmt.Sprintf(` WHERE NOT (%s LIKE '%s%%' ESCAPE '\')`, d.Quote(x.Not.Column), x.Not.Prefix)
}

// check returns the condition of a CHECK.
func (d Dialect) check(c *Check) string {
	col := d.Quote(c.Column)
	switch {
	case c.Pattern != nil:
		return d.match(col, c.Pattern)
	case c.Within != "" && d.mysql():
		return fmt.Sprintf("LOCATE(%s, %s) > 0", col, d.Quote(c.Within))
	case c.Within != "" && d.engine == db.PostgreSQL:
		return fmt.Sprintf("STRPOS(%s, %s) > 0", d.Quote(c.Within), col)
	case c.Within != "":
		return fmt.Sprintf("INSTR(%s, %s) > 0", d.Quote(c.Within), col)
	case d.mysql():
		return fmt.Sprintf("CHAR_LENGTH(%s) > 0", col)
	}
	return fmt.Sprintf("LENGTH(%s) > 0", col)
}

// match returns the condition that a column matches a pattern (content-schema.md §2.1).
func (d Dialect) match(col string, p *Pattern) string {
	mysql := strings.ReplaceAll(p.ours(), `\`, `\\`)
	switch {
	case d.engine == db.PostgreSQL:
		return fmt.Sprintf("%s::text ~ '%s'", col, p.Text)
	case d.engine == db.MySQL:
		return fmt.Sprintf("REGEXP_LIKE(%s, '%s', 'c')", col, mysql)
	case d.engine == db.MariaDB && p.Wide:
		return fmt.Sprintf("%s REGEXP '%s'", col, mysql)
	case d.engine == db.MariaDB:
		return fmt.Sprintf("%s REGEXP BINARY '%s'", col, mysql)
	}
	return fmt.Sprintf("%s REGEXP '%s'", col, p.Text)
}
