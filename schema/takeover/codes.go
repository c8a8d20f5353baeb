package takeover

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/slug"
	"github.com/openlectern/lectern/schema"
)

// codes are those that were chosen for rows whose keys cannot be codes.
type codes struct{ chosen map[string][]chosen }

// chosen is one of them; id is the primary key of its row.
type chosen struct {
	id   int64
	code string
}

func (c *codes) of(table string) []chosen {
	if c == nil {
		return nil
	}
	return c.chosen[table]
}

// Code is a line of the file in which codes are chosen (content-migrations.md §3.4.2).
type Code struct {
	Kind    string // "container", "component" or "collection"
	Package string // the package's key
	Entity  string // the entity's key; of a collection its own
	Old     string // what cannot be a code
	New     string // the code to be
	Line    int    // of the file that it was read from; 0 otherwise
}

var codeHeader = []string{"kind", "package", "entity", "old", "new"}

// WriteCodes writes the file in which codes are chosen, a CSV with a header.
func WriteCodes(w io.Writer, list []Code) error {
	c := csv.NewWriter(w)
	_ = c.Write(codeHeader) // Error tells
	for _, x := range list {
		_ = c.Write([]string{x.Kind, x.Package, x.Entity, x.Old, x.New})
	}
	c.Flush()
	return c.Error()
}

// ReadCodes reads what WriteCodes wrote. name is what errors call the file; they name the line.
func ReadCodes(r io.Reader, name string) ([]Code, error) {
	c := csv.NewReader(r)
	c.FieldsPerRecord = len(codeHeader)
	wrong := func(err error) error {
		var p *csv.ParseError
		line := 1
		if errors.As(err, &p) {
			line, err = p.Line, p.Err
		}
		return fault.Errorf(fault.Invalid, fmt.Sprintf("%s:%d", name, line), "%w", err).
			WithNext("write the file with lectern db plan --codes, then edit its last column")
	}
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, wrong(errors.New("the file is empty"))
	}
	if err != nil {
		return nil, wrong(err)
	}
	if strings.Join(head, ",") != strings.Join(codeHeader, ",") {
		return nil, wrong(fmt.Errorf("the first line is not %s", strings.Join(codeHeader, ",")))
	}
	var list []Code
	for {
		f, err := c.Read()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, wrong(err)
		}
		line, _ := c.FieldPos(0)
		list = append(list, Code{f[0], f[1], f[2], f[3], f[4], line})
	}
}

// space is where codes are to differ: all containers of a package, or its components of one type, or its collections.
type space struct {
	table, pkg string
	typ        int64
}

// used counts the codes that are in use or chosen, folded: those that differ only by case or accents count as one.
type used map[space]map[string]int

// free reports whether a code may be given to a row whose own is old.
func (u used) free(s space, code, old string) bool {
	n := u[s][slug.Fold(code)]
	if slug.Fold(code) == slug.Fold(old) {
		n--
	}
	return n <= 0
}

func (u used) take(s space, code string) {
	if u[s] == nil {
		u[s] = map[string]int{}
	}
	u[s][slug.Fold(code)]++
}

// propose returns a code for a row that is legal on every engine and free.
func (u used) propose(s space, name, old string) string {
	code := slug.Make(name, old, slug.Max)
	for salt := old; !u.free(s, code, old); {
		salt += "'"
		code = slug.Make(name, salt, slug.Max)
	}
	return code
}

// inUse reads the codes and keys of all rows of the kinds that have offenders, and the types of components.
func (c *checker) inUse(ctx context.Context, offenders []offender) (used, map[int64]int64, error) {
	taken, types := used{}, map[int64]int64{}
	n, _ := c.names()
	q := c.d.Quote
	read := func(table, sql string) error {
		return c.q.Query(ctx, sql, nil, func(r *db.Row) error {
			var pkg, code string
			var id, typ int64
			if err := r.Scan(&pkg, &code, &typ, &id); err != nil {
				return err
			}
			if table == component {
				types[id] = typ
			}
			taken.take(space{table, pkg, typ}, code)
			return nil
		})
	}
	has := map[string]bool{}
	for _, o := range offenders {
		has[o.table] = has[o.table] || o.correctable()
	}
	if has[container] {
		t := c.table(container)
		if err := read(container, fmt.Sprintf("SELECT p.%s, %s, 0, e.id FROM %s x JOIN %s e ON e.id = x.publishable_entity_id JOIN %s p ON p.id = e.learning_package_id",
			q(n.pkgKey), c.containerCode(t, n), q(t), q(n.entity), q(n.pkg))); err != nil {
			return nil, nil, err
		}
	}
	if has[component] {
		t := c.table(component)
		if err := read(component, fmt.Sprintf("SELECT p.%s, x.%s, x.component_type_id, x.publishable_entity_id FROM %s x JOIN %s p ON p.id = x.learning_package_id",
			q(n.pkgKey), q(c.column(t, "component_code", "local_key")), q(t), q(n.pkg))); err != nil {
			return nil, nil, err
		}
	}
	if has[collection] {
		t := c.table(collection)
		if err := read(collection, fmt.Sprintf("SELECT p.%s, x.%s, 0, x.id FROM %s x JOIN %s p ON p.id = x.learning_package_id",
			q(n.pkgKey), q(c.column(t, "collection_code", "_key")), q(t), q(n.pkg))); err != nil {
			return nil, nil, err
		}
	}
	return taken, types, nil
}

// correctable reports whether another code settles the offence.
func (o *offender) correctable() bool {
	return !o.warning && o.check >= "D3"
}

// propose gives each offender that another code would settle one that is legal on every engine and free.
func (c *checker) propose(ctx context.Context, offenders []offender) error {
	taken, types, err := c.inUse(ctx, offenders)
	if err != nil {
		return err
	}
	wide, err := c.accepts(ctx, container, "é") // not where PostgreSQL's LC_CTYPE is C
	if err != nil {
		return err
	}
	for i := range offenders {
		o := &offenders[i]
		if !o.correctable() {
			continue
		}
		s := space{o.table, o.pkg, types[o.id]}
		name := o.old
		if o.table == collection || !wide {
			name = asciiOnly(name)
		}
		if !wide && o.table != collection && slug.Legal(o.old) {
			o.check, o.why = "D8", "under this database's LC_CTYPE only ASCII letters are letters: move to a database with a UTF-8 locale"
		}
		o.proposed = taken.propose(s, name, o.old)
		taken.take(s, o.proposed)
	}
	return nil
}

// asciiOnly puts "_" where a character is no ASCII letter or digit.
func asciiOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 {
			return r
		}
		return '_'
	}, s)
}

// accepts asks the engine whether the CHECK of a table's code will take a code.
func (c *checker) accepts(ctx context.Context, table, code string) (bool, error) {
	def := &schema.Lookup(table).Checks[0]
	condition := strings.ReplaceAll(c.d.Condition(def), c.d.Quote(def.Column), "f.old")
	text := map[db.Engine]string{db.SQLite: "TEXT", db.PostgreSQL: "VARCHAR"}[c.d.Engine()]
	if text == "" {
		text = "CHAR CHARACTER SET utf8mb4"
	}
	n, _, err := db.One(ctx, c.q, "SELECT CASE WHEN "+condition+" THEN 1 ELSE 0 END FROM (SELECT CAST(? AS "+text+") AS old) AS f", []any{code}, db.Value[int64])
	return n == 1 && len([]rune(code)) <= slug.Max, err
}

// line names a row as a line of the file does.
type line struct{ kind, pkg, entity, old string }

// choose settles offenders by the codes in the file and, for containers, by the proposed ones, and returns what is left.
// A line that settles nothing, or whose code is illegal or in use, is fault.Invalid; one that a run before has carried out
// is passed over.
func (c *checker) choose(ctx context.Context, offenders []offender, file []Code, name string, derive bool) (*codes, []offender, error) {
	out := &codes{chosen: map[string][]chosen{}}
	taken, types, err := c.inUse(ctx, offenders)
	if err != nil {
		return nil, nil, err
	}
	wrong := func(x *Code, format string, args ...any) *fault.Error {
		return fault.Errorf(fault.Invalid, fmt.Sprintf("%s:%d", name, x.Line), format, args...)
	}
	lines := map[line]*Code{}
	for i := range file {
		x := &file[i]
		key := line{x.Kind, x.Package, x.Entity, x.Old}
		if lines[key] != nil {
			return nil, nil, wrong(x, "line %d has a code for the %s %q of %s", lines[key].Line, x.Kind, x.Entity, x.Package).WithNext("leave one of the two")
		}
		lines[key] = x
	}
	var left []offender
	for _, o := range offenders {
		key := line{o.kind, o.pkg, o.entity, o.old}
		x := lines[key]
		if !o.correctable() || x == nil {
			left = append(left, o)
			continue
		}
		delete(lines, key)
		s := space{o.table, o.pkg, types[o.id]}
		if ok, err := c.accepts(ctx, o.table, x.New); err != nil {
			return nil, nil, err
		} else if !ok {
			return nil, nil, wrong(x, "%q cannot be a code: %s", x.New, o.why).WithNext("choose another one, such as " + o.proposed)
		}
		if !taken.free(s, x.New, o.old) {
			return nil, nil, wrong(x, "the code %q is in use in %s, or differs from one by case or accents alone", x.New, o.pkg).
				WithNext("choose another one, such as " + o.proposed)
		}
		taken.take(s, x.New)
		out.chosen[o.table] = append(out.chosen[o.table], chosen{o.id, x.New})
	}
	if derive {
		left = slices.DeleteFunc(left, func(o offender) bool {
			if !o.correctable() || o.table != container {
				return false
			}
			s, code := space{o.table, o.pkg, 0}, o.proposed
			if !taken.free(s, code, o.old) { // a line of the file has it
				code = taken.propose(s, code, o.old)
			}
			taken.take(s, code)
			out.chosen[o.table] = append(out.chosen[o.table], chosen{o.id, code})
			return true
		})
	}
	if err := c.settled(ctx, lines); err != nil {
		return nil, nil, err
	}
	for _, x := range slices.SortedFunc(maps.Values(lines), func(a, b *Code) int { return a.Line - b.Line }) {
		return nil, nil, wrong(x, "no %s %q of %s with the key %q needs a code", x.Kind, x.Entity, x.Package, x.Old).
			WithNext("write the file anew with lectern db plan --codes")
	}
	return out, left, nil
}

// settled takes the lines out that a run before this one, which was stopped later, has carried out.
func (c *checker) settled(ctx context.Context, lines map[line]*Code) error {
	n, ok := c.names()
	if len(lines) == 0 || !ok {
		return nil
	}
	q := c.d.Quote
	for kind, sql := range map[string]string{
		"container":  c.codesOf(c.table(container), "e."+q(n.entityKey), c.column(c.table(container), "container_code"), n),
		"component":  c.codesOf(c.table(component), "e."+q(n.entityKey), c.column(c.table(component), "component_code", "local_key"), n),
		"collection": c.codesOf(c.table(collection), "", c.column(c.table(collection), "collection_code", "_key"), n),
	} {
		if sql == "" || !slices.ContainsFunc(slices.Collect(maps.Keys(lines)), func(l line) bool { return l.kind == kind }) {
			continue
		}
		codes := map[[3]string]bool{} // package, entity and code; of a collection its own key stands for no entity
		err := c.q.Query(ctx, sql, nil, func(r *db.Row) error {
			var k [3]string
			err := r.Scan(&k[0], &k[1], &k[2])
			codes[k] = true
			return err
		})
		if err != nil {
			return err
		}
		maps.DeleteFunc(lines, func(l line, x *Code) bool {
			entity := l.entity
			if kind == "collection" {
				entity = ""
			}
			return l.kind == kind && x.New != l.old && codes[[3]string{l.pkg, entity, x.New}] && !codes[[3]string{l.pkg, entity, l.old}]
		})
	}
	return nil
}

// codesOf returns a query for package, entity and code of every row of a table; "" where it has no codes yet.
func (c *checker) codesOf(table, entity, code string, n names) string {
	q := c.d.Quote
	switch {
	case code == "":
		return ""
	case entity == "":
		return fmt.Sprintf("SELECT p.%s, '', x.%s FROM %s x JOIN %s p ON p.id = x.learning_package_id", q(n.pkgKey), q(code), q(table), q(n.pkg))
	}
	return fmt.Sprintf("SELECT p.%s, %s, x.%s FROM %s x JOIN %s e ON e.id = x.publishable_entity_id JOIN %s p ON p.id = e.learning_package_id WHERE x.%s IS NOT NULL",
		q(n.pkgKey), entity, q(code), q(table), q(n.entity), q(n.pkg), q(code))
}
