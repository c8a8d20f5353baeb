package takeover

import (
	"maps"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// Effort says what a statement costs.
type Effort string

// The efforts, cheapest first.
const (
	Metadata Effort = "metadata" // the catalogue only, whatever the number of rows
	Scan     Effort = "scan"     // reads every row of the table
	Rows     Effort = "rows"     // writes rows
	Rewrite  Effort = "rewrite"  // copies the table
)

// Statement is one statement of a step.
type Statement struct {
	SQL    string
	Args   []any
	Table  string // whose rows or definition it changes
	Effort Effort

	data bool     // changes rows, not tables: part of a transaction on every engine
	work backfill // instead of SQL, where that shows what is sent again and again
}

// Step is what one row of Django's ledger stands for.
type Step struct {
	App, Name  string
	Statements []Statement
}

// ID returns the step's name, such as "openedx_content.0002_rename_tables_to_openedx_content".
func (s *Step) ID() string { return s.App + "." + s.Name }

// silent reports whether the step only writes its row.
func (s *Step) silent() bool {
	return len(s.Statements) == 1 && s.Statements[0].Table == "django_migrations"
}

// planner turns wishes into the statements that are missing, and follows what they make of the catalogue.
type planner struct {
	d     schema.Dialect
	live  inspect.Tables
	codes *codes

	rows map[schema.Migration]bool // of Django's ledger, those of the steps before the one at hand included
	fill *fill                     // what courses the catalog lacks; nil where that is not asked or cannot be told yet

	step *Step           // the one at hand
	had  map[string]bool // columns that were there when it began, as "table.column"
	skip bool            // the step is not for this database
	bare bool            // the step has no row in the ledger: it is done when nothing is missing

	defs map[string]schema.Column // what columns are made of, by the same key; nil where nobody asks
}

// define notes what a column is made of.
func (p *planner) define(table string, c schema.Column) {
	if p.defs != nil {
		p.defs[table+"."+c.Name] = c
	}
}

func newPlanner(d schema.Dialect, live inspect.Tables, c *codes) *planner {
	return &planner{d: d, live: clone(live), codes: c, rows: map[schema.Migration]bool{}}
}

// clone copies a catalogue as deep as the planner changes it.
func clone(live inspect.Tables) inspect.Tables {
	c := maps.Clone(live)
	for name, t := range c {
		u := *t
		u.Columns, u.Indexes, u.Checks = slices.Clone(t.Columns), slices.Clone(t.Indexes), slices.Clone(t.Checks)
		u.Foreign, u.Keys, u.Triggers = slices.Clone(t.Foreign), slices.Clone(t.Keys), slices.Clone(t.Triggers)
		c[name] = &u
	}
	return c
}

func (p *planner) sqlite() bool   { return p.d.Engine() == db.SQLite }
func (p *planner) postgres() bool { return p.d.Engine() == db.PostgreSQL }
func (p *planner) mysql() bool    { return p.d.Engine().MySQLFamily() }

// plan returns the step, ledger row included; without statements where it is not for this database.
func (p *planner) plan(s *step) Step {
	out := Step{App: s.app, Name: s.name}
	p.step, p.had, p.skip, p.bare = &out, map[string]bool{}, false, false
	for name, t := range p.live {
		for i := range t.Columns {
			p.had[name+"."+t.Columns[i].Name] = true
		}
	}
	for _, w := range s.wishes {
		if w(p); p.skip {
			return Step{}
		}
	}
	if !p.bare {
		p.record(s.app, s.name)
	}
	p.step = nil
	return out
}

// record adds a row of the ledger to the step.
func (p *planner) record(app, name string) {
	p.step.Statements = append(p.step.Statements, record(app, name))
	p.rows[schema.Migration{App: app, Name: name}] = true
}

// emit adds a statement to the step.
func (p *planner) emit(table string, e Effort, sql string, args ...any) {
	p.step.Statements = append(p.step.Statements, Statement{SQL: sql, Args: args, Table: table, Effort: e})
}

// change adds a statement that changes rows.
func (p *planner) change(table, sql string, args ...any) {
	p.step.Statements = append(p.step.Statements, Statement{SQL: sql, Args: args, Table: table, Effort: Rows, data: true})
}

func (p *planner) q(name string) string { return p.d.Quote(name) }

func (p *planner) column(table, column string) *inspect.Column {
	if t := p.live[table]; t != nil {
		return t.Column(column)
	}
	return nil
}

// named reports whether a table has an index or constraint of that name.
func (p *planner) named(table, name string) bool {
	t := p.live[table]
	return t != nil && (t.Index(name) != nil || slices.ContainsFunc(t.Keys, func(k inspect.Unique) bool { return k.Name == name }))
}

// led reports whether a table has an index that begins with the column, other than one of the name.
func (p *planner) led(table, column string) bool {
	t := p.live[table]
	return slices.ContainsFunc(t.Indexes, func(i inspect.Index) bool { return leads(p.d, t, &i) == column })
}

func (p *planner) refers(table, column string) bool {
	t := p.live[table]
	return t != nil && foreignOf(t, column) >= 0
}
