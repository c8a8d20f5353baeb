package takeover

import (
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema"
	"github.com/openlectern/lectern/schema/inspect"
)

// shape wishes that parts of a table are as its definition says: the columns of these names with their references, and
// the indexes and CHECKs. Everything else of the table, what a site added too, is left alone.
type shape struct {
	def     *schema.Table
	columns []string
	indexes []string
	checks  []string
	open    bool              // the columns take NULL yet: a data step fills them
	fill    map[string]string // what rows that exist get in a new column, as SQL
}

func like(t *schema.Table) *shape { return &shape{def: t} }

func (s *shape) with(columns ...string) *shape  { s.columns = columns; return s }
func (s *shape) index(names ...string) *shape   { s.indexes = names; return s }
func (s *shape) checked(names ...string) *shape { s.checks = names; return s }
func (s *shape) opened() *shape                 { s.open = true; return s }

// filled gives the rows that exist a value in a new column.
func (s *shape) filled(column, sql string) *shape {
	if s.fill == nil {
		s.fill = map[string]string{}
	}
	s.fill[column] = sql
	return s
}

// work is what a shape lacks.
type work struct {
	add, modify []schema.Column // columns
	undefault   []string        // columns with a default to lose
	foreign     []schema.Column
	unique      []schema.Index // as constraints
	index       []schema.Index
	own         []schema.Column // columns without the index of their own
	check       []schema.Check
	dropCheck   []string
}

func (w *work) none() bool {
	return len(w.add)+len(w.modify)+len(w.undefault)+len(w.foreign)+len(w.unique)+len(w.index)+len(w.own)+len(w.check)+len(w.dropCheck) == 0
}

func (s *shape) wish(p *planner) {
	t := p.live[s.def.Name]
	if t == nil {
		return // recognition refuses a database in which it is missing
	}
	w := s.missing(p, t)
	if w.none() {
		return
	}
	switch {
	case p.sqlite():
		s.sqlite(p, t, w)
	case p.postgres():
		s.postgres(p, t, w)
	default:
		s.mysql(p, t, w)
	}
	s.note(p, t, w)
}

// missing compares the table with the definition.
func (s *shape) missing(p *planner, t *inspect.Table) *work {
	w := &work{}
	for _, name := range s.columns {
		c := *s.def.Column(name)
		if s.open {
			c.Null = true
		}
		l := t.Column(name)
		switch {
		case l == nil:
			w.add = append(w.add, c)
		case !p.d.Fits(&c, l) || l.Null && !c.Null:
			w.modify = append(w.modify, c)
		}
		if l != nil && l.Default.Valid && !c.Type.Serial() {
			w.undefault = append(w.undefault, name)
		}
		// MySQL's foreign key goes away while the column that is filled is closed, see mysql: a run that finds it gone, as one
		// before was stopped just there, would else add it to drop it again, and come no further than that one if it is stopped, too.
		closing := s.open && l != nil && !s.def.Column(name).Null && p.d.Engine() == db.MySQL
		if c.Ref != "" && !p.refers(t.Name, name) && !closing {
			w.foreign = append(w.foreign, c)
		}
		if own, _ := p.d.OwnIndex(s.def, &c); own != "" && !p.led(t.Name, name) {
			w.own = append(w.own, c)
		}
	}
	for _, name := range s.indexes {
		i := slices.IndexFunc(s.def.Indexes, func(x schema.Index) bool { return x.Name == name })
		x := s.def.Indexes[i]
		switch {
		case !p.d.Has(&x) || p.named(t.Name, p.d.IndexName(s.def, &x)):
		case p.d.Constraint(&x):
			w.unique = append(w.unique, x)
		default:
			w.index = append(w.index, x)
		}
	}
	for _, name := range s.checks {
		i := slices.IndexFunc(s.def.Checks, func(c schema.Check) bool { return c.Name == name })
		c := s.def.Checks[i]
		l := t.Check(name)
		if l != nil && p.d.SameCheck(&c, l) {
			continue
		}
		if l != nil {
			w.dropCheck = append(w.dropCheck, name)
		}
		w.check = append(w.check, c)
	}
	return w
}

// note follows what the statements make of the table.
func (s *shape) note(p *planner, t *inspect.Table, w *work) {
	for _, c := range w.add {
		t.Columns = append(t.Columns, p.d.Expected(&c))
		p.define(t.Name, c)
	}
	for _, c := range w.modify {
		p.define(t.Name, c)
		*t.Column(c.Name) = p.d.Expected(&c)
	}
	for _, name := range w.undefault {
		t.Column(name).Default.Valid = false
	}
	for _, c := range w.foreign {
		t.Foreign = append(t.Foreign, inspect.Foreign{Name: p.d.ForeignName(s.def, &c), Column: c.Name, Table: c.Ref})
	}
	for _, c := range w.own {
		name, text := p.d.OwnIndex(s.def, &c)
		t.Indexes = append(t.Indexes, inspect.Index{Name: name, Text: text, Parts: []inspect.Part{{Column: c.Name}}})
	}
	for _, x := range append(w.unique, w.index...) {
		p.indexed(t, s.def, &x)
	}
	for _, c := range w.check {
		t.Checks = slices.DeleteFunc(t.Checks, func(l inspect.Check) bool { return l.Name == c.Name })
		t.Checks = append(t.Checks, inspect.Check{Name: c.Name, Clause: p.d.Condition(&c)})
	}
}

// mysql emits one ALTER TABLE, which the MySQL family does as a whole and in one copy of the table where it needs one.
func (s *shape) mysql(p *planner, t *inspect.Table, w *work) {
	var clauses []string
	effort := Metadata
	costs := func(e Effort) {
		if rank(e) > rank(effort) {
			effort = e
		}
	}
	var later []string
	for _, name := range w.dropCheck {
		clauses = append(clauses, "DROP CONSTRAINT "+p.q(name))
	}
	for _, c := range w.add {
		text := p.d.ColumnText(s.def, &c)
		if fill := s.fill[c.Name]; fill != "" {
			text += " DEFAULT " + fill
			later = append(later, c.Name)
		}
		clauses = append(clauses, "ADD COLUMN "+text)
	}
	for _, c := range w.modify {
		// MySQL does not change whether a column takes NULL while it refers to another table.
		if i := foreignOf(t, c.Name); i >= 0 && p.d.Engine() == db.MySQL {
			p.emit(t.Name, Metadata, "ALTER TABLE "+p.q(t.Name)+" DROP FOREIGN KEY "+p.q(t.Foreign[i].Name))
			t.Foreign = slices.Delete(t.Foreign, i, i+1)
			w.foreign = append(w.foreign, c)
		}
		clauses = append(clauses, "MODIFY "+p.d.ColumnText(s.def, &c))
		costs(Rewrite)
	}
	for _, x := range w.unique {
		clauses = append(clauses, "ADD "+p.d.UniqueText(s.def, &x))
		costs(Scan)
	}
	for _, x := range w.index {
		clauses = append(clauses, "ADD "+p.d.IndexItem(s.def, &x))
		costs(Scan)
	}
	for _, c := range w.foreign {
		clauses = append(clauses, "ADD "+p.d.ForeignText(s.def, &c))
		costs(Rewrite)
	}
	for _, c := range w.check {
		clauses = append(clauses, "ADD "+p.d.CheckText(&c))
		costs(Rewrite)
	}
	if len(clauses) > 0 {
		p.emit(t.Name, effort, "ALTER TABLE "+p.q(t.Name)+" "+strings.Join(clauses, ", "))
	}
	p.undefault(t, slices.Concat(w.undefault, later))
	for _, c := range w.own {
		_, text := p.d.OwnIndex(s.def, &c)
		p.emit(t.Name, Scan, text)
	}
}

// undefault takes defaults away that are not to stay.
func (p *planner) undefault(t *inspect.Table, columns []string) {
	for _, c := range columns {
		p.emit(t.Name, Metadata, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s DROP DEFAULT", p.q(t.Name), p.q(c)))
	}
}

func (s *shape) postgres(p *planner, t *inspect.Table, w *work) {
	var clauses []string
	effort := Metadata
	var later []string
	add := func(e Effort, format string, args ...any) {
		clauses = append(clauses, fmt.Sprintf(format, args...))
		if rank(e) > rank(effort) {
			effort = e
		}
	}
	for _, name := range w.dropCheck {
		add(Metadata, "DROP CONSTRAINT %s", p.q(name))
	}
	for _, c := range w.add {
		text := p.d.ColumnText(s.def, &c)
		if fill := s.fill[c.Name]; fill != "" {
			text += " DEFAULT " + fill
			later = append(later, c.Name)
		}
		add(Metadata, "ADD COLUMN %s", text)
	}
	for _, c := range w.modify {
		if !p.d.Fits(&c, t.Column(c.Name)) {
			add(Rewrite, "ALTER COLUMN %s TYPE %s", p.q(c.Name), p.d.TypeText(c.Type))
		}
		if !c.Null && t.Column(c.Name).Null {
			add(Scan, "ALTER COLUMN %s SET NOT NULL", p.q(c.Name))
		}
	}
	for _, x := range w.unique {
		add(Scan, "ADD %s", p.d.UniqueText(s.def, &x))
	}
	for _, c := range w.foreign {
		if !slices.ContainsFunc(w.add, func(a schema.Column) bool { return a.Name == c.Name }) { // else it came with the column
			add(Scan, "ADD %s DEFERRABLE INITIALLY DEFERRED", p.d.ForeignText(s.def, &c))
		}
	}
	for _, c := range w.check {
		add(Scan, "ADD %s", p.d.CheckText(&c))
	}
	if len(clauses) > 0 {
		p.emit(t.Name, effort, "ALTER TABLE "+p.q(t.Name)+" "+strings.Join(clauses, ", "))
	}
	p.undefault(t, slices.Concat(w.undefault, later))
	s.makeIndexes(p, w)
}

// makeIndexes emits the indexes that are no constraints.
func (s *shape) makeIndexes(p *planner, w *work) {
	for _, x := range w.index {
		p.emit(s.def.Name, Scan, p.d.IndexText(s.def, &x))
	}
	for _, c := range w.own {
		_, text := p.d.OwnIndex(s.def, &c)
		p.emit(s.def.Name, Scan, text)
	}
	for _, c := range w.add {
		if _, text := p.d.LikeIndex(s.def, &c); text != "" {
			p.emit(s.def.Name, Scan, text)
		}
	}
}

// sqlite adds columns and indexes in place where that is all, and otherwise makes the table again.
func (s *shape) sqlite(p *planner, t *inspect.Table, w *work) {
	plain := len(w.modify)+len(w.undefault)+len(w.unique)+len(w.check) == 0 && len(w.foreign) == len(w.add)-countNoRef(w.add)
	for _, c := range w.add {
		plain = plain && c.Null && !c.Unique
	}
	text := parseCreate(t.SQL)
	for _, c := range w.add {
		text.set(c.Name, p.d.ColumnText(s.def, &c))
	}
	if plain {
		for _, c := range w.add {
			p.emit(t.Name, Metadata, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", p.q(t.Name), p.d.ColumnText(s.def, &c)))
		}
		t.SQL = text.text(t.Name)
		s.makeIndexes(p, w)
		return
	}
	for _, c := range slices.Concat(w.modify, w.foreign) {
		text.set(c.Name, p.d.ColumnText(s.def, &c))
	}
	for _, name := range w.undefault {
		c := *s.def.Column(name)
		c.Null = c.Null || s.open
		text.set(name, p.d.ColumnText(s.def, &c))
	}
	for _, x := range w.unique {
		text.constrain(x.Name, p.d.UniqueText(s.def, &x))
	}
	for _, c := range w.check {
		text.constrain(c.Name, p.d.CheckText(&c))
	}
	p.rebuild(t, text, s.fill)
	s.makeIndexes(p, w)
}

func countNoRef(cs []schema.Column) int {
	n := 0
	for _, c := range cs {
		if c.Ref == "" {
			n++
		}
	}
	return n
}

// rebuild makes a table of SQLite again with another text: a new one, its rows, its name, its indexes and triggers. The
// number that AUTOINCREMENT counts from is kept, or ids would be issued again.
func (p *planner) rebuild(t *inspect.Table, text *createText, fill map[string]string) {
	const prefix = "lectern_new__"
	fresh := prefix + t.Name
	var to, from []string
	for _, c := range t.Columns {
		to, from = append(to, p.q(c.Name)), append(from, p.q(c.Name))
	}
	for _, name := range sortedKeys(fill) {
		if t.Column(name) == nil {
			to, from = append(to, p.q(name)), append(from, fill[name])
		}
	}
	p.emit(t.Name, Metadata, text.text(fresh))
	if strings.Contains(strings.ToUpper(t.SQL), "AUTOINCREMENT") {
		p.emit(t.Name, Metadata, fmt.Sprintf(`INSERT INTO sqlite_sequence (name, seq) SELECT '%s', seq FROM sqlite_sequence WHERE name = '%s'`, fresh, t.Name))
	}
	p.emit(t.Name, Rewrite, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", p.q(fresh), strings.Join(to, ", "), strings.Join(from, ", "), p.q(t.Name)))
	p.emit(t.Name, Metadata, "DROP TABLE "+p.q(t.Name))
	rename := fmt.Sprintf("ALTER TABLE %s RENAME TO %s", p.q(fresh), p.q(t.Name))
	if t.Mentioned {
		// At this moment the table that a view or trigger names is gone, over which SQLite stops unless it is told not to look
		// at them. Nothing refers to the new name yet.
		p.emit(t.Name, Metadata, "PRAGMA legacy_alter_table = ON")
		p.emit(t.Name, Metadata, rename)
		p.emit(t.Name, Metadata, "PRAGMA legacy_alter_table = OFF")
	} else {
		p.emit(t.Name, Metadata, rename)
	}
	slices.SortFunc(t.Indexes, func(a, b inspect.Index) int { return strings.Compare(a.Name, b.Name) })
	for _, i := range t.Indexes {
		if i.Text != "" {
			p.emit(t.Name, Scan, i.Text)
		}
	}
	for _, x := range t.Triggers {
		p.emit(t.Name, Metadata, x.Text)
	}
	t.SQL = text.text(t.Name)
}

// foreignOf returns the place of a column's foreign key, -1 when it has none.
func foreignOf(t *inspect.Table, column string) int {
	return slices.IndexFunc(t.Foreign, func(f inspect.Foreign) bool { return f.Column == column })
}

// rank orders efforts.
func rank(e Effort) int { return slices.Index([]Effort{Metadata, Scan, Rows, Rewrite}, e) }
