package takeover

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// wish is something that shall be true when a step is done. Called, it emits what is missing, nothing when it is true
// already.
type wish func(p *planner)

// makeTables wishes for tables.
func makeTables(defs ...*schema.Table) wish {
	return func(p *planner) {
		for _, t := range defs {
			t = p.d.Fitted(t, p.live)
			if p.live[t.Name] != nil {
				complete(t)(p) // Django makes a table first and its constraints later
				continue
			}
			for _, s := range p.d.Statements(t) {
				p.emit(t.Name, Metadata, strings.TrimSuffix(s, ";"))
			}
			p.live[t.Name] = p.expected(t)
		}
	}
}

// complete wishes that a table which was made has its indexes and constraints, too.
func complete(t *schema.Table) wish {
	w := like(t)
	for _, c := range t.Columns {
		if c.Ref != "" || c.Index {
			w.columns = append(w.columns, c.Name)
		}
	}
	for _, x := range t.Indexes {
		w.indexes = append(w.indexes, x.Name)
	}
	for _, c := range t.Checks {
		w.checks = append(w.checks, c.Name)
	}
	return w.wish
}

// expected returns a table that was just made as the catalogue will describe it, as far as the planner asks.
func (p *planner) expected(t *schema.Table) *inspect.Table {
	l := &inspect.Table{Name: t.Name}
	for i := range t.Columns {
		c := &t.Columns[i]
		l.Columns = append(l.Columns, p.d.Expected(c))
		p.define(t.Name, *c)
		if c.Ref != "" {
			l.Foreign = append(l.Foreign, inspect.Foreign{Name: p.d.ForeignName(t, c), Column: c.Name, Table: c.Ref})
		}
		if name, text := p.d.OwnIndex(t, c); name != "" {
			l.Indexes = append(l.Indexes, inspect.Index{Name: name, Text: text, Parts: []inspect.Part{{Column: c.Name}}})
		}
	}
	for i := range t.Indexes {
		p.indexed(l, t, &t.Indexes[i])
	}
	for i := range t.Checks {
		l.Checks = append(l.Checks, inspect.Check{Name: t.Checks[i].Name, Clause: p.d.Condition(&t.Checks[i])})
	}
	if p.sqlite() {
		l.SQL = p.d.Statements(t)[0]
	}
	return l
}

// indexed notes an index that was made.
func (p *planner) indexed(l *inspect.Table, t *schema.Table, x *schema.Index) {
	if !p.d.Has(x) {
		return
	}
	i := inspect.Index{Name: p.d.IndexName(t, x), Unique: x.Unique, Origin: "c"}
	for _, part := range x.Parts {
		i.Parts = append(i.Parts, inspect.Part{Column: part.Column, Desc: part.Desc})
	}
	if p.d.Constraint(x) {
		l.Keys = append(l.Keys, inspect.Unique{Name: i.Name})
		if p.sqlite() {
			return // it is in the text of the table
		}
	} else if p.sqlite() {
		i.Text = p.d.IndexText(t, x)
	}
	l.Indexes = append(l.Indexes, i)
}

// renameTables wishes for new names of tables, pairs of old and new. The MySQL family gets them all in one statement,
// which happens as a whole.
func renameTables(pairs [][2]string) wish {
	return func(p *planner) {
		var clauses []string
		for _, n := range pairs {
			was, is := n[0], n[1]
			if p.live[was] == nil {
				continue
			}
			if p.mysql() {
				clauses = append(clauses, p.q(was)+" TO "+p.q(is))
			} else {
				p.emit(is, Metadata, fmt.Sprintf("ALTER TABLE %s RENAME TO %s", p.q(was), p.q(is)))
			}
			p.renamed(was, is)
		}
		if len(clauses) > 0 {
			p.emit(pairs[0][1], Metadata, "RENAME TABLE "+strings.Join(clauses, ", "))
		}
	}
}

// renamed notes that a table has a new name.
func (p *planner) renamed(was, is string) {
	t := p.live[was]
	delete(p.live, was)
	t.Name, p.live[is] = is, t
	for i := range t.Columns {
		c := t.Columns[i].Name
		p.had[is+"."+c] = p.had[was+"."+c]
		if def, ok := p.defs[was+"."+c]; ok {
			p.define(is, def)
		}
	}
	for _, o := range p.live {
		for i := range o.Foreign {
			if o.Foreign[i].Table == was {
				o.Foreign[i].Table = is
			}
		}
		o.SQL = renameWord(o.SQL, was, is)
		for i := range o.Indexes {
			if o == t {
				o.Indexes[i].Text = renameWord(o.Indexes[i].Text, was, is)
			}
		}
		for i := range o.Triggers {
			o.Triggers[i].Text = renameWord(o.Triggers[i].Text, was, is)
		}
	}
}

// renameColumn wishes for a column's new name. Indexes and constraints go along.
func renameColumn(table, was, is string) wish {
	return func(p *planner) {
		t := p.live[table]
		if t == nil || t.Column(was) == nil || t.Column(is) != nil {
			return
		}
		p.emit(table, Metadata, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", p.q(table), p.q(was), p.q(is)))
		t.Column(was).Name = is
		if def, ok := p.defs[table+"."+was]; ok {
			def.Name = is
			p.define(table, def)
		}
		for i := range t.Foreign {
			if t.Foreign[i].Column == was {
				t.Foreign[i].Column = is
			}
		}
		t.SQL = renameWord(t.SQL, was, is)
		for i := range t.Indexes {
			x := &t.Indexes[i]
			x.Text = renameWord(x.Text, was, is)
			x.Parts = slices.Clone(x.Parts)
			for n := range x.Parts {
				if x.Parts[n].Column == was {
					x.Parts[n].Column = is
				}
			}
		}
	}
}

// renameIndex wishes for an index's new name; the table may have one of two names yet.
func renameIndex(tables []string, was, is string) wish {
	return func(p *planner) {
		for _, name := range tables {
			t := p.live[name]
			if t == nil || t.Index(was) == nil || t.Index(is) != nil {
				continue
			}
			x := t.Index(was)
			switch {
			case p.mysql():
				p.emit(name, Metadata, fmt.Sprintf("ALTER TABLE %s RENAME INDEX %s TO %s", p.q(name), p.q(was), p.q(is)))
			case p.postgres():
				p.emit(name, Metadata, fmt.Sprintf("ALTER INDEX %s RENAME TO %s", p.q(was), p.q(is)))
			default: // SQLite cannot rename one
				x.Text = renameWord(x.Text, was, is)
				p.emit(name, Scan, "DROP INDEX "+p.q(was))
				p.emit(name, Scan, x.Text)
			}
			x.Name = is
		}
	}
}

// dropColumn wishes that a column is gone, and what it alone was indexed or unique by with it.
func dropColumn(table, column string) wish {
	return func(p *planner) {
		t := p.live[table]
		if t == nil || t.Column(column) == nil {
			return
		}
		alone := func(i inspect.Index) bool { return leads(p.d, t, &i) == column }
		if p.sqlite() {
			t.Indexes = slices.DeleteFunc(t.Indexes, alone)
			t.Columns = slices.DeleteFunc(t.Columns, func(c inspect.Column) bool { return c.Name == column })
			text := parseCreate(t.SQL)
			text.drop(column)
			p.rebuild(t, text, nil)
			return
		}
		p.emit(table, Rewrite, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", p.q(table), p.q(column)))
		t.Indexes = slices.DeleteFunc(t.Indexes, alone)
		t.Columns = slices.DeleteFunc(t.Columns, func(c inspect.Column) bool { return c.Name == column })
	}
}

// leads returns the column that an index begins with.
func leads(d schema.Dialect, t *inspect.Table, i *inspect.Index) string {
	if len(i.Parts) > 0 {
		return i.Parts[0].Column
	}
	_, list, _ := strings.Cut(i.Text, " USING ") // PostgreSQL
	if _, list, _ = strings.Cut(list, "("); list == "" {
		return ""
	}
	first, _ := inspect.Word(strings.TrimRight(strings.SplitN(list, ",", 2)[0], ") "))
	return first
}
