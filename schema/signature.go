package schema

import (
	"strings"

	"github.com/openlectern/lectern/db"
)

// A signature tells what an index covers, in one form for all engines as far as they can be compared: its parts, then the
// condition of a partial one.

// wantSignature returns the signature of a definition.
func (d dialect) wantSignature(x *Index) string {
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
func (d dialect) signature(t *liveTable, i *liveIndex) string {
	switch {
	case d.engine == db.PostgreSQL:
		_, s, _ := strings.Cut(i.text, " USING btree ")
		return strings.ReplaceAll(plain(s), "~~", "like")
	case d.engine == db.SQLite && i.text != "":
		_, s := word(i.text[strings.Index(strings.ToUpper(i.text), " ON ")+len(" ON "):])
		return plain(s)
	}
	ps := make([]string, len(i.parts))
	for n, p := range i.parts {
		ps[n] = p.column + plain(p.expr)
		if p.desc {
			ps[n] += "desc"
		}
	}
	return strings.Join(ps, ",")
}

// indexLabel returns the name by which an index is known: on SQLite that of a constraint is only in CREATE TABLE.
func (d dialect) indexLabel(t *liveTable, i *liveIndex) string {
	if d.engine == db.SQLite && i.origin == "u" {
		for _, k := range t.keys {
			if plain(k.columns) == d.signature(t, i) {
				return k.name
			}
		}
	}
	return i.name
}
