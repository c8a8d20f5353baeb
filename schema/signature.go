package schema

import (
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// A signature tells what an index covers, in one form for all engines as far as they can be compared: its parts, then the
// condition of a partial one.

// wantSignature returns the signature of a definition.
func (d Dialect) wantSignature(x *Index) string {
	ps := make([]string, len(x.Parts))
	for i, p := range x.Parts {
		ps[i] = p.Column
		if p.Lower {
			ps[i] = "lower" + p.Column
		}
		if p.Desc {
			ps[i] += "desc"
		}
	}
	return strings.Join(ps, ",") + plain(d.where(x))
}

// signature returns the signature of an index in the catalogue.
func (d Dialect) signature(t *inspect.Table, i *inspect.Index) string {
	switch {
	case d.engine == db.PostgreSQL:
		_, s, _ := strings.Cut(i.Text, " USING btree ")
		return strings.ReplaceAll(plain(s), "~~", "like")
	case d.engine == db.SQLite && i.Text != "":
		_, s := inspect.Word(i.Text[strings.Index(strings.ToUpper(i.Text), " ON ")+len(" ON "):])
		return plain(s)
	}
	ps := make([]string, len(i.Parts))
	for n, p := range i.Parts {
		ps[n] = p.Column + plain(p.Expr)
		if p.Desc {
			ps[n] += "desc"
		}
	}
	return strings.Join(ps, ",")
}

// indexLabel returns the name by which an index is known: on SQLite that of a constraint is only in CREATE TABLE.
func (d Dialect) indexLabel(t *inspect.Table, i *inspect.Index) string {
	if d.engine == db.SQLite && i.Origin == "u" {
		for _, k := range t.Keys {
			if plain(k.Columns) == d.signature(t, i) {
				return k.Name
			}
		}
	}
	return i.Name
}
