package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Engine returns the engine.
func (d Dialect) Engine() db.Engine { return d.engine }

// ColumnText returns the definition of a column as it stands in CREATE TABLE or ADD COLUMN: on the MySQL family without
// what its references and indexes need, elsewhere with its reference.
func (d Dialect) ColumnText(t *Table, c *Column) string { return d.column(t, c) }

// TypeText returns the type of a column as a definition names it, with its collation.
func (d Dialect) TypeText(t Type) string { return d.sqlType(t) }

// UniqueText returns a unique constraint of explicit name as it stands in CREATE TABLE or ADD.
func (d Dialect) UniqueText(t *Table, x *Index) string {
	return fmt.Sprintf("CONSTRAINT %s UNIQUE (%s)", d.Quote(x.name(d.engine, t)), d.parts(x.Parts))
}

// IndexName returns the name of an index, the one that Django generates where it has none of its own.
func (d Dialect) IndexName(t *Table, x *Index) string { return x.name(d.engine, t) }

// IndexText returns the statement that makes an index.
func (d Dialect) IndexText(t *Table, x *Index) string {
	return fmt.Sprintf("CREATE %s %s ON %s (%s)%s", indexWord(x), d.Quote(x.name(d.engine, t)), d.Quote(t.Name), d.parts(x.Parts), d.where(x))
}

// CheckText returns a CHECK constraint as it stands in CREATE TABLE or ADD.
func (d Dialect) CheckText(c *Check) string {
	return fmt.Sprintf("CONSTRAINT %s CHECK (%s)", d.Quote(c.Name), d.check(c))
}

// SameCheck reports whether a CHECK of the catalogue says what the definition says.
func (d Dialect) SameCheck(c *Check, live *inspect.Check) bool {
	return strings.TrimPrefix(plain(live.Clause), "check") == plain(d.check(c)) // PostgreSQL shows the word, too
}

// ForeignName returns the name of the foreign key of a column.
func (d Dialect) ForeignName(t *Table, c *Column) string { return foreignName(d.engine, t, c) }

// ForeignText returns the foreign key of a column as the MySQL family has it in CREATE TABLE or ADD.
func (d Dialect) ForeignText(t *Table, c *Column) string {
	return fmt.Sprintf("CONSTRAINT %s FOREIGN KEY (%s) %s", d.Quote(foreignName(d.engine, t, c)), d.Quote(c.Name), d.references(c))
}

// OwnIndex returns the name of the index that a column has for itself, and the statement that makes it; "" where the
// engine gives it none.
func (d Dialect) OwnIndex(t *Table, c *Column) (name, text string) {
	if d.mysql() && !c.Index || !t.indexed(c) {
		return "", ""
	}
	name = indexName(d.engine, t, c)
	return name, fmt.Sprintf("CREATE INDEX %s ON %s (%s)", d.Quote(name), d.Quote(t.Name), d.Quote(c.Name))
}

// LikeIndex returns the name of the index for pattern matching that a column has beside the one of its own, and the
// statement that makes it; "" where it has none.
func (d Dialect) LikeIndex(t *Table, c *Column) (name, text string) {
	if !d.like(t, c) {
		return "", ""
	}
	name = likeName(t, c)
	return name, fmt.Sprintf("CREATE INDEX %s ON %s (%s varchar_pattern_ops)", d.Quote(name), d.Quote(t.Name), d.Quote(c.Name))
}

// Constraint reports whether the engine has the index as a constraint of the table, not as an index of its own; Has whether
// it can have it at all.
func (d Dialect) Constraint(x *Index) bool { return d.together(x) }

// Has reports whether the engine can have the index at all.
func (d Dialect) Has(x *Index) bool { return d.has(x) }

// Fits reports whether a column of the catalogue has a type and collation that the definition allows. Whether it takes
// NULL is not looked at.
func (d Dialect) Fits(c *Column, live *inspect.Column) bool {
	if !slices.Contains(d.wantTypes(c.Type), d.liveType(live)) {
		return false
	}
	want := d.wantCollations(c)
	return len(want) == 0 || slices.Contains(want, live.Collation)
}

// Fitted returns a table as it has to be beside others that are there. On the MySQL family a text refers only to a text
// of the same collation, and keys of the platform's tables have that of the days when they were made.
func (d Dialect) Fitted(t *Table, live inspect.Tables) *Table {
	fitted := t
	for i := range t.Columns {
		c := &t.Columns[i]
		to := live[c.Ref]
		if !d.mysql() || to == nil || !c.Type.text() {
			continue
		}
		for _, key := range to.Columns {
			if !key.Primary || key.Collation == "" || slices.Contains(d.wantCollations(c), key.Collation) {
				continue
			}
			if fitted == t {
				clone := *t
				clone.Columns = slices.Clone(t.Columns)
				fitted = &clone
			}
			fitted.Columns[i].Collate = key.Collation
		}
	}
	return fitted
}

// Expected returns the column as the catalogue will describe it.
func (d Dialect) Expected(c *Column) inspect.Column {
	l := inspect.Column{Name: c.Name, Type: d.wantTypes(c.Type)[0], Null: c.Null, Primary: c.primary(), Counts: c.Type.serial()}
	if want := d.wantCollations(c); len(want) > 0 {
		l.Collation = want[0]
	}
	return l
}

// Condition returns what stands in the parentheses of a CHECK.
func (d Dialect) Condition(c *Check) string { return d.check(c) }

// IndexItem returns an index as it stands in ALTER TABLE … ADD of the MySQL family.
func (d Dialect) IndexItem(t *Table, x *Index) string {
	return fmt.Sprintf("%s %s (%s)", indexWord(x), d.Quote(x.name(d.engine, t)), d.parts(x.Parts))
}

// Serial reports whether the database counts the column up.
func (t Type) Serial() bool { return t.serial() }
