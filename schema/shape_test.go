package schema

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/openlectern/lectern/db"
)

// describe returns the catalogue in the shape of the golden schema files, which is another one for each engine.
func describe(t *testing.T, d *db.DB) map[string]object {
	t.Helper()
	eng := engine(d)
	l, err := eng.inspect(context.Background(), d, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	shape := map[string]object{}
	for name, lt := range l {
		switch {
		case name == "sqlite_sequence":
		case eng.engine == db.SQLite:
			shape[name] = sqliteShape(lt)
		case eng.engine == db.PostgreSQL:
			shape[name] = postgresShape(lt)
		default:
			shape[name] = mysqlShape(lt, eng.engine)
		}
	}
	return shape
}

// orNull returns nil for "".
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func fallback(c *liveColumn) any {
	if !c.fallback.Valid {
		return nil
	}
	return c.fallback.V
}

// list makes a list that is never null in JSON.
func list[T any](from []T, make func(T) any) []any {
	l := []any{}
	for _, v := range from {
		l = append(l, make(v))
	}
	return l
}

func sqliteShape(lt *liveTable) object {
	return object{
		"create": lt.create,
		"columns": list(lt.columns, func(c liveColumn) any {
			pk := 0
			if c.primary {
				pk = 1
			}
			return object{"name": c.name, "type": c.typ, "null": c.null, "default": fallback(&c), "pk": pk, "collation": orNull(c.collation)}
		}),
		"foreign_keys": list(lt.foreign, func(f liveForeign) any {
			return object{"column": f.column, "to_table": f.table, "to_column": f.to, "on_delete": f.onDelete, "on_update": f.onUpdate}
		}),
		"indexes": list(lt.indexes, func(i liveIndex) any {
			return object{"name": i.name, "unique": i.unique, "origin": i.origin, "create": orNull(i.text),
				"columns": list(i.parts, func(p livePart) any { return object{"name": orNull(p.column), "desc": p.desc} })}
		}),
	}
}

func mysqlShape(lt *liveTable, e db.Engine) object {
	return object{
		"engine": lt.storage, "collation": lt.collation,
		"checks": list(lt.checks, func(c liveCheck) any {
			return object{"name": c.name, "clause": c.clause, "level": c.level}
		}),
		"columns": list(lt.columns, func(c liveColumn) any {
			extra, def := "", fallback(&c)
			if c.counts {
				extra = "auto_increment"
			}
			if c.null && e == db.MariaDB {
				def = "NULL"
			}
			return object{"name": c.name, "type": c.typ, "null": c.null, "default": def, "extra": extra, "charset": orNull(c.charset),
				"collation": orNull(c.collation)}
		}),
		"foreign_keys": list(lt.foreign, func(f liveForeign) any {
			return object{"name": f.name, "column": f.column, "to_table": f.table, "to_column": f.to, "on_delete": f.onDelete, "on_update": f.onUpdate}
		}),
		"indexes": list(lt.indexes, func(i liveIndex) any {
			return object{"name": i.name, "unique": i.unique, "type": "BTREE", "columns": list(i.parts, func(p livePart) any {
				o := object{"name": orNull(p.column), "desc": p.desc}
				if e == db.MySQL {
					o["expression"] = orNull(p.expr)
				}
				return o
			})}
		}),
	}
}

func postgresShape(lt *liveTable) object {
	type constraint struct{ Kind, Name, Def string }
	var cs []constraint
	for _, c := range lt.checks {
		cs = append(cs, constraint{"check", c.name, c.clause})
	}
	for _, f := range lt.foreign {
		cs = append(cs, constraint{"foreign", f.name, f.text})
	}
	for _, k := range lt.keys {
		kind := "unique"
		if k.primary {
			kind = "primary"
		}
		cs = append(cs, constraint{kind, k.name, k.text})
	}
	slices.SortFunc(cs, func(a, b constraint) int { return cmp.Compare(a.Name, b.Name) })
	sequences := []any{}
	for _, c := range lt.columns {
		if c.name == "id" {
			sequences = append(sequences, orNull(c.sequence))
		}
	}
	return object{
		"sequences": sequences,
		"columns": list(lt.columns, func(c liveColumn) any {
			o := object{"name": c.name, "type": c.typ, "null": c.null, "default": fallback(&c), "identity": nil, "length": nil, "collation": orNull(c.collation)}
			if c.length > 0 {
				o["length"] = c.length
			}
			if c.counts {
				o["identity"] = "BY DEFAULT"
			}
			return o
		}),
		"constraints": list(cs, func(c constraint) any { return object{"kind": c.Kind, "name": c.Name, "def": c.Def} }),
		"indexes": list(lt.indexes, func(i liveIndex) any {
			return object{"name": i.name, "unique": i.unique, "primary": i.primary, "def": i.text}
		}),
	}
}
