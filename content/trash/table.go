package trash

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Table describes the columns of a table that a journal works on: all of them, or rows could not come back.
type Table struct {
	Name     string
	columns  []column
	thing    string   // what rows are called that have an identity; see [Table.Identified]
	identity []string // columns of the identity
}

// column is a column with the kind of its values.
type column struct {
	name string
	kind kind
	of   string // the thing whose ids these are, if that has an identity
}

type kind byte

// The kinds, by their names in the text of [Rows].
const (
	integer kind = iota
	text
	boolean
	moment
	id128
)

var kinds = map[string]kind{"int": integer, "text": text, "bool": boolean, "time": moment, "uuid": id128}

// Rows describes a table by its columns, "id int, title text, created time"; the first is the primary key. Kinds are int,
// text, bool, time and uuid; every column may be NULL. A mistake in it is one in this program, so it panics.
func Rows(name, columns string) Table {
	t := Table{Name: name}
	for _, c := range strings.Split(columns, ",") {
		f := strings.Fields(c)
		if len(f) < 2 {
			panic("trash: " + name + ": column " + c)
		}
		k, ok := kinds[f[1]]
		if !ok {
			panic("trash: " + name + ": kind of column " + c)
		}
		col := column{name: f[0], kind: k}
		if len(f) == 3 {
			col.of = f[2]
		}
		t.columns = append(t.columns, col)
	}
	return t
}

// Identified says by which columns a row is the same as one made again after it was deleted, the package first. [Undo] then
// lets the new row stand for the old one wherever a column has the name of the thing as its third word: "media_id int media".
func (t Table) Identified(thing string, columns ...string) Table {
	t.thing, t.identity = thing, columns
	return t
}

// key is the name of the primary key.
func (t Table) key() string { return t.columns[0].name }

// names are the columns in their order.
func (t Table) names() []string {
	out := make([]string, len(t.columns))
	for i, c := range t.columns {
		out[i] = c.name
	}
	return out
}

// pick returns the columns with these names.
func (t Table) pick(names []string) ([]column, error) {
	out := make([]column, len(names))
	for i, n := range names {
		at := slices.IndexFunc(t.columns, func(c column) bool { return c.name == n })
		if at < 0 {
			return nil, fmt.Errorf("trash: table %s has no column %s", t.Name, n)
		}
		out[i] = t.columns[at]
	}
	return out, nil
}

// dest returns what a row of these columns is scanned into, and a function that takes the values out.
func dest(cols []column) (into []any, values func() []any) {
	into = make([]any, len(cols))
	for i, c := range cols {
		switch c.kind {
		case integer:
			into[i] = new(*int64)
		case text:
			into[i] = new(*string)
		case boolean:
			into[i] = new(*bool)
		case moment:
			into[i] = new(*time.Time)
		case id128:
			into[i] = new(*uuid.UUID)
		}
	}
	return into, func() []any {
		out := make([]any, len(into))
		for i, d := range into {
			switch p := d.(type) {
			case **int64:
				out[i] = orNil(*p)
			case **string:
				out[i] = orNil(*p)
			case **bool:
				out[i] = orNil(*p)
			case **time.Time:
				out[i] = orNil(*p)
			case **uuid.UUID:
				out[i] = orNil(*p)
			}
		}
		return out
	}
}

func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

// read makes a value of a column from its JSON.
func (c column) read(raw json.RawMessage) (any, error) {
	if string(raw) == "null" {
		return nil, nil
	}
	switch c.kind {
	case integer:
		return as[int64](raw)
	case text:
		return as[string](raw)
	case boolean:
		return as[bool](raw)
	case moment:
		return as[time.Time](raw)
	default:
		return as[uuid.UUID](raw)
	}
}

func as[T any](raw json.RawMessage) (any, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}

// same compares two values of a column.
func same(a, b any) bool {
	if x, ok := a.(time.Time); ok {
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	}
	return a == b
}
