package schema

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Verify compares a current database with the definitions and looks for rows that contradict each other. It changes
// nothing. Findings come in the order of the tables; what engines may rightly differ in (the order of columns, generated
// names, surplus indexes) is none. Of rows that one rule finds the first are named and the others counted, unless all are
// asked for. A database that is not current is fault.Refused.
func Verify(ctx context.Context, d *db.DB, all bool) ([]Finding, error) {
	st, err := Recognize(ctx, d)
	if err != nil {
		return nil, err
	}
	if st.Status != Current {
		return nil, st.refusal()
	}
	v := &verifier{Dialect: DialectOf(d), catalog: st.Catalog, authz: st.Authz, all: all}
	err = d.View(ctx, func(tx *db.Tx) error {
		v.findings = slices.Clone(st.Notes)
		if err := v.look(ctx, tx); err != nil {
			return err
		}
		if err := v.server(ctx, tx); err != nil {
			return err
		}
		v.parts()
		v.tables()
		return v.data(ctx, tx)
	})
	return v.findings, err
}

// look reads the catalogue.
func (v *verifier) look(ctx context.Context, tx *db.Tx) (err error) {
	v.live, err = inspect.Read(ctx, tx, func(name string) bool { return byName[name] != nil })
	return err
}

// tables compares with its definition every table that is meant to be as that says: not those of the platform, which may be
// its own, nor those of permissions before they are of today's age.
func (v *verifier) tables() {
	for _, t := range Tables() {
		if !t.platform() && !(t.permissions() && v.authz != currentAuthz) {
			v.table(t)
		}
	}
}

// judged returns the tables whose rows can be judged: they were compared with their definitions and have every column.
func (v *verifier) judged() []*Table {
	return slices.DeleteFunc(Tables(), func(t *Table) bool {
		l := v.live[t.Name]
		return l == nil || t.platform() || t.permissions() && v.authz != currentAuthz ||
			slices.ContainsFunc(t.Columns, func(c Column) bool { return l.Column(c.Name) == nil })
	})
}

// verifier collects what is wrong.
type verifier struct {
	Dialect
	all      bool // name every row
	live     inspect.Tables
	catalog  string
	authz    string // age of the tables of permissions
	findings []Finding
}

// Next steps of findings.
const (
	nextRepair  = "change the table to what is proposed"
	nextRestore = "restore the table from a backup"
	nextLectern = "run lectern db init, which adds the tables that are missing"
	nextRows    = "correct the row, or restore it from a backup"
)

// add notes a difference in a table. In the tables of other apps, which a site may have changed for its own ends, it is a
// warning only.
func (v *verifier) add(code, table, key, value, proposed, next string) {
	s := Error
	if neighbour(table) {
		s = Warning
	}
	v.findings = append(v.findings, Finding{Code: code, Severity: s, Table: table, Key: key, Value: value, Proposed: proposed, Next: next})
}

func (v *verifier) note(s Severity, code, table, key, value, proposed, next string) {
	v.findings = append(v.findings, Finding{Code: code, Severity: s, Table: table, Key: key, Value: value, Proposed: proposed, Next: next})
}

// neighbour reports whether a table belongs to an app that only stands beside content and catalog.
func neighbour(table string) bool {
	return !strings.HasPrefix(table, "openedx_") && !strings.HasPrefix(table, "lectern_") && table != casbinRule
}

// server looks at what holds for the whole database.
func (v *verifier) server(ctx context.Context, tx *db.Tx) error {
	ctype, ok, err := letters(ctx, tx)
	if err == nil && !ok {
		v.note(Warning, "lc_ctype", "", "LC_CTYPE", ctype, "C.UTF-8", "codes with other letters than ASCII are refused; move to a database with a UTF-8 locale")
	}
	return err
}

// table compares one table.
func (v *verifier) table(t *Table) {
	l := v.live[t.Name]
	switch {
	case l == nil && v.optional(t):
		return
	case l == nil && t.own():
		v.add("table_missing", t.Name, "", "", "", nextLectern)
		return
	case l == nil:
		v.add("table_missing", t.Name, "", "", "", nextRestore)
		return
	}
	t = v.Fitted(t, v.live)
	if v.mysql() && l.Storage != "InnoDB" {
		v.add("storage_engine", t.Name, "", l.Storage, "InnoDB", nextRepair)
	}
	for i := range t.Columns {
		v.column(t, &t.Columns[i], l)
	}
	for i := range l.Columns {
		if c := &l.Columns[i]; t.Column(c.Name) == nil {
			v.note(Warning, "column_extra", t.Name, c.Name, c.Type, "", "drop the column, or give it a default, if rows cannot be added")
		}
	}
	for i := range t.Indexes {
		v.index(t, &t.Indexes[i], l)
	}
	for i := range t.Checks {
		v.check(t, &t.Checks[i], l)
	}
}

// parts notes which groups of tables are not there at all, as on a site that only Django has worked on.
func (v *verifier) parts() {
	if v.catalog == "G0" {
		v.note(Info, "catalog_missing", "openedx_catalog_*", "", "", "", nextMigrate+" --catalog; courses need these tables")
	}
	if v.live[ownLedger] == nil {
		v.note(Info, "lectern_missing", "lectern_*", "", "", "", "run lectern db init, or any command that writes: it adds Lectern's own tables")
	}
}

// optional reports whether a table may be missing: those of the catalog, and of the organizations it refers to, come with
// later versions of openedx-core than those of content.
func (v *verifier) optional(t *Table) bool {
	if t.own() {
		return v.live[ownLedger] == nil
	}
	switch v.catalog {
	case "G0":
		return strings.HasPrefix(t.Name, "openedx_catalog_") || strings.HasPrefix(t.Name, "organizations_")
	case "G1":
		return strings.HasPrefix(t.Name, "openedx_catalog_") && strings.Contains(t.Name, "pathway")
	}
	return false
}

// column compares one column, with its uniqueness and its reference.
func (v *verifier) column(t *Table, c *Column, l *inspect.Table) {
	lc := l.Column(c.Name)
	if lc == nil {
		v.add("column_missing", t.Name, c.Name, "", c.Type.Code(), nextRestore)
		return
	}
	types := v.wantTypes(c.Type)
	if got := v.liveType(lc); !slices.Contains(types, got) {
		v.add("type", t.Name, c.Name, got, types[0], nextRepair)
	}
	if lc.Null != c.Null {
		v.add("null", t.Name, c.Name, nullness(lc.Null), nullness(c.Null), nextRepair)
	}
	v.collation(t, c, lc)
	if lc.Default.Valid && !(c.Type.serial() && lc.Sequence != "") {
		v.add("default", t.Name, c.Name, lc.Default.V, "", "drop the default")
	}
	if lc.Primary != c.primary() {
		v.add("primary_key", t.Name, c.Name, yes(lc.Primary), yes(c.primary()), nextRepair)
	}
	if c.Type.serial() && !lc.Counts && lc.Sequence == "" {
		v.add("ids", t.Name, c.Name, "not counted up", "counted up by the database", nextRepair)
	}
	if c.Unique && !slices.ContainsFunc(l.Indexes, func(i inspect.Index) bool { return i.Unique && v.signature(l, &i) == c.Name }) {
		v.add("unique_missing", t.Name, c.Name, "", v.uniqueName(t, c), nextRepair)
	}
	if c.Type.Kind == Uint4 || c.Type.Kind == Uint8 {
		if want := c.Name + ">=0"; !slices.ContainsFunc(l.Checks, func(k inspect.Check) bool { return strings.TrimPrefix(plain(k.Clause), "check") == want }) {
			v.add("check_missing", t.Name, c.Name, "", c.Name+" >= 0", nextRepair)
		}
	}
	if c.Type.Kind == JSON && !slices.ContainsFunc(l.Checks, func(k inspect.Check) bool { return strings.HasPrefix(plain(k.Clause), "json_valid"+c.Name) }) &&
		(v.engine == db.SQLite || v.engine == db.MariaDB) {
		v.add("check_missing", t.Name, c.Name, "", "JSON_VALID("+c.Name+")", nextRepair)
	}
	if c.Ref != "" {
		v.foreign(t, c, l)
	}
}

func nullness(null bool) string {
	if null {
		return "NULL"
	}
	return "NOT NULL"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// collation compares the collation of a column. Django leaves that of container_code in a state of its own on the MySQL
// family, which is accepted (content-schema.md §5), and a reference has that of the platform's column it refers to.
func (v *verifier) collation(t *Table, c *Column, lc *inspect.Column) {
	if ofPlatform[c.Ref] {
		return
	}
	want := v.wantCollations(c)
	switch {
	case len(want) == 0 || slices.Contains(want, lc.Collation):
	case c.Name == "container_code" && t.Name == container:
		v.note(Info, "container_code_collation", t.Name, c.Name, lc.Collation, want[0],
			"two codes of a package may not differ by case or accents alone here, as on every site that Django made")
	default:
		v.add("collation", t.Name, c.Name, lc.Collation, want[0], nextRepair)
	}
	if v.mysql() && lc.Charset != "" && lc.Charset != "utf8mb4" {
		v.add("charset", t.Name, c.Name, lc.Charset, "utf8mb4", nextRepair)
	}
}

// foreign looks for the foreign key of a column.
func (v *verifier) foreign(t *Table, c *Column, l *inspect.Table) {
	to := c.Ref + "(" + lookup(c.Ref).Primary() + ")"
	var others []string
	for _, f := range l.Foreign {
		if f.Column != c.Name {
			continue
		}
		key := f.To
		if key == "" {
			key = lookup(c.Ref).Primary() // SQLite: the primary key unless said otherwise
		}
		if got := f.Table + "(" + key + ")"; got != to {
			others = append(others, got)
			continue
		}
		if action := map[Rule]string{Drop: "CASCADE", Clear: "SET NULL"}[c.Rule]; action != "" && f.OnDelete != action {
			v.add("foreign_action", t.Name, c.Name, "ON DELETE "+f.OnDelete, "ON DELETE "+action, nextRepair)
		}
		return
	}
	if len(others) > 0 {
		v.add("foreign_target", t.Name, c.Name, strings.Join(others, ", "), to, nextRepair)
		return
	}
	v.add("foreign_missing", t.Name, c.Name, "", to, nextRepair)
}

// index looks for an index or unique constraint: by its name where the name counts, else by what it covers.
func (v *verifier) index(t *Table, x *Index, l *inspect.Table) {
	if !v.has(x) {
		return
	}
	want, code := v.wantSignature(x), "index"
	if x.Unique {
		code = "unique"
	}
	for i := range l.Indexes {
		li := &l.Indexes[i]
		got := v.signature(l, li)
		switch {
		case x.Name == "" && got == want && li.Unique:
			return
		case x.Name == "" || v.indexLabel(l, li) != x.Name:
		case got == want && li.Unique == x.Unique:
			return
		default:
			v.add(code+"_differs", t.Name, x.Name, got, want, nextRepair)
			return
		}
	}
	v.add(code+"_missing", t.Name, x.name(v.engine, t), "", want, nextRepair)
}

// check looks for a CHECK of explicit name and compares its condition with those accepted.
func (v *verifier) check(t *Table, c *Check, l *inspect.Table) {
	lc := l.Check(c.Name)
	if lc == nil {
		v.add("check_missing", t.Name, c.Name, "", v.Dialect.check(c), nextRepair)
		return
	}
	got := strings.TrimPrefix(plain(lc.Clause), "check")
	switch {
	case got == plain(v.Dialect.check(c)):
	case c.Pattern == nil || !slices.Contains(v.accepted(c), got):
		v.add("check_differs", t.Name, c.Name, lc.Clause, v.Dialect.check(c), nextRepair)
	case v.engine == db.MariaDB && c.Pattern.Wide && strings.Contains(got, "binary"):
		v.note(Info, "check_ascii_only", t.Name, c.Name, lc.Clause, v.Dialect.check(c),
			"codes with other letters than ASCII are refused here, as on every MariaDB site that Django made")
	}
}

// accepted returns the conditions that the reference gave a CHECK with a pattern on this engine.
func (v *verifier) accepted(c *Check) []string {
	col := c.Column
	forms := []string{"%s regexp '%s'", "%s regexp cast('%s' as char charset binary)", "%s regexp binary '%s'", "regexp_like(%s, '%s', 'c')", "%s ~ '%s'"}
	var all []string
	for _, f := range forms {
		for _, text := range []string{c.Pattern.Text, c.Pattern.ours()} {
			all = append(all, plain(fmt.Sprintf(f, col, text)))
		}
	}
	return all
}
