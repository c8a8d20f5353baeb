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
		list = append(list, Code{f[0], f[1], f[2], f[3], f[4]})
	}
}

// space is where codes are to differ: all containers of a package, or its components of one type, or its collections.
type space struct {
	table, pkg string
	typ        int64
}

// inUse reads the codes and keys of all rows of the kinds that have offenders.
func (c *checker) inUse(ctx context.Context, offenders []offender) (map[space]slug.Taken, map[int64]int64, error) {
	taken, types := map[space]slug.Taken{}, map[int64]int64{}
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
			s := space{table, pkg, typ}
			if taken[s] == nil {
				taken[s] = slug.Taken{}
			}
			taken[s][slug.Fold(code)] = true
			return nil
		})
	}
	has := map[string]bool{}
	for _, o := range offenders {
		has[o.table] = has[o.table] || o.correctable()
	}
	if has[container] {
		t := c.table(container)
		if err := read(container, fmt.Sprintf("SELECT p.%s, e.%s, 0, e.id FROM %s x JOIN %s e ON e.id = x.publishable_entity_id JOIN %s p ON p.id = e.learning_package_id",
			q(n.pkgKey), q(n.entityKey), q(t), q(n.entity), q(n.pkg))); err != nil {
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
		if taken[s] == nil {
			taken[s] = slug.Taken{}
		}
		name := o.old
		if o.table == collection || !wide {
			name = asciiOnly(name)
		}
		if !wide && o.table != collection && slug.Legal(o.old) {
			o.check, o.why = "D8", "under this database's LC_CTYPE only ASCII letters are letters: move to a database with a UTF-8 locale"
		}
		o.proposed = slug.Make(name, o.old, slug.Max)
		for salt := o.old; taken[s][slug.Fold(o.proposed)]; {
			salt += "'"
			o.proposed = slug.Make(name, salt, slug.Max)
		}
		taken[s][slug.Fold(o.proposed)] = true
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

// choose settles offenders by the codes in the file and, for containers, by the proposed ones, and returns what is left.
// A line that settles nothing, or whose code is illegal or in use, is fault.Invalid.
func (c *checker) choose(ctx context.Context, offenders []offender, file []Code, name string, derive bool) (*codes, []offender, error) {
	out := &codes{chosen: map[string][]chosen{}}
	taken, types, err := c.inUse(ctx, offenders)
	if err != nil {
		return nil, nil, err
	}
	type row struct{ kind, pkg, entity, old string }
	lines := map[row]int{}
	for i, x := range file {
		lines[row{x.Kind, x.Package, x.Entity, x.Old}] = i + 1
	}
	var left []offender
	for _, o := range offenders {
		if !o.correctable() {
			left = append(left, o)
			continue
		}
		key := row{o.kind, o.pkg, o.entity, o.old}
		code, line := o.proposed, lines[key]
		delete(lines, key)
		switch {
		case line > 0:
			code = file[line-1].New
			s := space{o.table, o.pkg, types[o.id]}
			thing := fmt.Sprintf("%s:%d", name, line+1)
			if ok, err := c.accepts(ctx, o.table, code); err != nil {
				return nil, nil, err
			} else if !ok {
				return nil, nil, fault.Errorf(fault.Invalid, thing, "%q cannot be a code: %s", code, o.why).WithNext("choose another one, such as " + o.proposed)
			}
			if taken[s][slug.Fold(code)] {
				return nil, nil, fault.Errorf(fault.Invalid, thing, "the code %q is in use in %s, or differs from one by case or accents alone", code, o.pkg).
					WithNext("choose another one, such as " + o.proposed)
			}
			if taken[s] == nil {
				taken[s] = slug.Taken{}
			}
			taken[s][slug.Fold(code)] = true
		case derive && o.table == container:
		default:
			left = append(left, o)
			continue
		}
		out.chosen[o.table] = append(out.chosen[o.table], chosen{o.id, code})
	}
	for _, key := range slices.SortedFunc(maps.Keys(lines), func(a, b row) int { return lines[a] - lines[b] }) {
		line := lines[key]
		return nil, nil, fault.Errorf(fault.Invalid, fmt.Sprintf("%s:%d", name, line+1), "no %s %q of %s with the key %q needs a code", key.kind, key.entity, key.pkg, key.old).
			WithNext("write the file anew with lectern db plan --codes")
	}
	return out, left, nil
}
