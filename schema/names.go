package schema

import (
	"crypto/md5"
	"encoding/hex"
	"strings"

	"github.com/openlectern/lectern/db"
)

// maxName returns how long a name may be by Django's rule (content-schema.md §4).
func maxName(e db.Engine) int {
	switch e {
	case db.SQLite:
		return 200
	case db.PostgreSQL:
		return 63
	}
	return 64
}

// digest returns the eight digits in a generated name. MD5 is Django's choice and guards nothing.
func digest(table string, columns ...string) string {
	sum := md5.Sum([]byte(table + strings.Join(columns, "")))
	return hex.EncodeToString(sum[:4])
}

// generated returns the name that Django gives an index or constraint: table, columns and a tail of digest and suffix,
// each cut where the engine's limit asks for it (content-schema.md §4).
func generated(e db.Engine, suffix, table string, columns ...string) string {
	limit := maxName(e)
	tail := digest(table, columns...) + suffix
	cols := strings.Join(columns, "_")
	name := table + "_" + cols + "_" + tail
	if len(name) <= limit {
		return name
	}
	if len(tail) > limit/3 {
		tail = tail[:limit/3]
	}
	rest := (limit-len(tail))/2 - 1
	return table[:min(rest, len(table))] + "_" + cols[:min(rest, len(cols))] + "_" + tail
}

// foreignName returns the name of the foreign key of a column that refers to a table.
func foreignName(e db.Engine, t *Table, c *Column) string {
	to := lookup(c.Ref)
	if c.Late {
		return generated(e, "_fk_"+to.Name+"_"+to.Primary(), t.Name, c.Name)
	}
	return generated(e, "_fk_"+to.born()+"_"+to.Primary(), t.born(), c.Name)
}

// indexName returns the name of a column's own index.
func indexName(e db.Engine, t *Table, c *Column) string {
	table, column := t.born(), c.Name
	switch {
	case e == db.SQLite && t.Rebuilt != nil && !t.OwnNames:
		table = t.Name
	case c.WasName != "":
		column = c.WasName
	case c.Late:
		table = t.Name
	}
	return generated(e, "", table, column)
}

// likeName returns the name of the companion index for pattern matching that PostgreSQL has beside a column's index.
func likeName(t *Table, c *Column) string {
	return generated(db.PostgreSQL, "_like", t.born(), c.Name)
}

// name returns the index's own name, or the one that Django's unique_together generates.
func (x *Index) name(e db.Engine, t *Table) string {
	if x.Name != "" {
		return x.Name
	}
	columns := make([]string, len(x.Parts))
	for i, p := range x.Parts {
		columns[i] = p.Column
	}
	return generated(e, "_uniq", t.born(), columns...)
}

// leads reports whether an index or constraint of the table begins with the column.
func (t *Table) leads(column string) bool {
	for i := range t.Indexes {
		if p := t.Indexes[i].Parts[0]; p.Column == column && !p.Lower && t.Indexes[i].Not == nil {
			return true
		}
	}
	return false
}

// own reports whether this is one of Lectern's own tables.
func (t *Table) own() bool { return strings.HasPrefix(t.Name, "lectern_") }

// indexed reports whether a column has an index of its own on SQLite and PostgreSQL; on the MySQL family only those that
// ask for it do, as InnoDB makes what a foreign key needs. Django indexes every reference that is not unique; Lectern's own
// tables leave that to a wider index where one leads with the column.
func (t *Table) indexed(c *Column) bool {
	if c.Index {
		return true
	}
	return c.Ref != "" && !c.Unique && !c.PK && !(t.own() && t.leads(c.Name))
}
