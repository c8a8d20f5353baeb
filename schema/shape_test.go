package schema

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// describe returns the catalogue in the shape of the golden schema files, which is another one for each engine.
func describe(t *testing.T, d *db.DB) map[string]object {
	t.Helper()
	eng := DialectOf(d)
	l, err := inspect.Read(context.Background(), d, func(string) bool { return true })
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

func fallback(c *inspect.Column) any {
	if !c.Default.Valid {
		return nil
	}
	return c.Default.V
}

// list makes a list that is never null in JSON.
func list[T any](from []T, make func(T) any) []any {
	l := []any{}
	for _, v := range from {
		l = append(l, make(v))
	}
	return l
}

func sqliteShape(lt *inspect.Table) object {
	return object{
		"create": lt.SQL,
		"columns": list(lt.Columns, func(c inspect.Column) any {
			pk := 0
			if c.Primary {
				pk = 1
			}
			return object{"name": c.Name, "type": c.Type, "null": c.Null, "default": fallback(&c), "pk": pk, "collation": orNull(c.Collation)}
		}),
		"foreign_keys": list(lt.Foreign, func(f inspect.Foreign) any {
			return object{"column": f.Column, "to_table": f.Table, "to_column": f.To, "on_delete": f.OnDelete, "on_update": f.OnUpdate}
		}),
		"indexes": list(lt.Indexes, func(i inspect.Index) any {
			return object{"name": i.Name, "unique": i.Unique, "origin": i.Origin, "create": orNull(i.Text),
				"columns": list(i.Parts, func(p inspect.Part) any { return object{"name": orNull(p.Column), "desc": p.Desc} })}
		}),
	}
}

func mysqlShape(lt *inspect.Table, e db.Engine) object {
	return object{
		"engine": lt.Storage, "collation": lt.Collation,
		"checks": list(lt.Checks, func(c inspect.Check) any {
			return object{"name": c.Name, "clause": c.Clause, "level": c.Level}
		}),
		"columns": list(lt.Columns, func(c inspect.Column) any {
			extra, def := "", fallback(&c)
			if c.Counts {
				extra = "auto_increment"
			}
			if c.Null && e == db.MariaDB {
				def = "NULL"
			}
			return object{"name": c.Name, "type": c.Type, "null": c.Null, "default": def, "extra": extra, "charset": orNull(c.Charset),
				"collation": orNull(c.Collation)}
		}),
		"foreign_keys": list(lt.Foreign, func(f inspect.Foreign) any {
			return object{"name": f.Name, "column": f.Column, "to_table": f.Table, "to_column": f.To, "on_delete": f.OnDelete, "on_update": f.OnUpdate}
		}),
		"indexes": list(lt.Indexes, func(i inspect.Index) any {
			return object{"name": i.Name, "unique": i.Unique, "type": "BTREE", "columns": list(i.Parts, func(p inspect.Part) any {
				o := object{"name": orNull(p.Column), "desc": p.Desc}
				if e == db.MySQL {
					o["expression"] = orNull(p.Expr)
				}
				return o
			})}
		}),
	}
}

func postgresShape(lt *inspect.Table) object {
	type constraint struct{ Kind, Name, Def string }
	var cs []constraint
	for _, c := range lt.Checks {
		cs = append(cs, constraint{"check", c.Name, c.Clause})
	}
	for _, f := range lt.Foreign {
		cs = append(cs, constraint{"foreign", f.Name, f.Text})
	}
	for _, k := range lt.Keys {
		kind := "unique"
		if k.Primary {
			kind = "primary"
		}
		cs = append(cs, constraint{kind, k.Name, k.Text})
	}
	slices.SortFunc(cs, func(a, b constraint) int { return cmp.Compare(a.Name, b.Name) })
	sequences := []any{}
	for _, c := range lt.Columns {
		if c.Name == "id" {
			sequences = append(sequences, orNull(c.Sequence))
		}
	}
	return object{
		"sequences": sequences,
		"columns": list(lt.Columns, func(c inspect.Column) any {
			o := object{"name": c.Name, "type": c.Type, "null": c.Null, "default": fallback(&c), "identity": nil, "length": nil, "collation": orNull(c.Collation)}
			if c.Length > 0 {
				o["length"] = c.Length
			}
			if c.Counts {
				o["identity"] = "BY DEFAULT"
			}
			return o
		}),
		"constraints": list(cs, func(c constraint) any { return object{"kind": c.Kind, "name": c.Name, "def": c.Def} }),
		"indexes": list(lt.Indexes, func(i inspect.Index) any {
			return object{"name": i.Name, "unique": i.Unique, "primary": i.Primary, "def": i.Text}
		}),
	}
}
