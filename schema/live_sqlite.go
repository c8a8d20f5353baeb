package schema

import (
	"context"
	"regexp"
	"strings"

	"github.com/openlectern/lectern/db"
)

// inspectSQLite reads the catalogue of SQLite. Names of constraints, collations and AUTOINCREMENT are in the text of
// CREATE TABLE alone.
func inspectSQLite(ctx context.Context, q db.Querier, l live, want func(string) bool) error {
	err := q.Query(ctx, `SELECT name, sql FROM sqlite_master WHERE type = 'table'`, nil, func(r *db.Row) error {
		t := &liveTable{}
		if err := r.Scan(&t.name, &t.create); err != nil || !want(t.name) {
			return err
		}
		l[t.name] = t
		return nil
	})
	if err != nil {
		return err
	}
	err = q.Query(ctx, `SELECT m.name, c.name, c.type, c."notnull", c.dflt_value, c.pk FROM sqlite_master m, pragma_table_info(m.name) c
WHERE m.type = 'table' ORDER BY m.name, c.cid`, nil, func(r *db.Row) error {
		var (
			table   string
			notNull bool
			pk      int
			c       liveColumn
		)
		if err := r.Scan(&table, &c.name, &c.typ, &notNull, &c.fallback, &pk); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			c.null, c.primary = !notNull, pk > 0
			t.columns = append(t.columns, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = q.Query(ctx, `SELECT m.name, i.name, i."unique", i.origin, coalesce(x.sql, '') FROM sqlite_master m, pragma_index_list(m.name) i
LEFT JOIN sqlite_master x ON x.type = 'index' AND x.name = i.name WHERE m.type = 'table'`, nil, func(r *db.Row) error {
		var (
			table string
			i     liveIndex
		)
		if err := r.Scan(&table, &i.name, &i.unique, &i.origin, &i.text); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			i.primary = i.origin == "pk"
			t.indexes = append(t.indexes, i)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = q.Query(ctx, `SELECT m.name, i.name, coalesce(p.name, ''), p."desc" FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_xinfo(i.name) p
WHERE m.type = 'table' AND p.key ORDER BY m.name, i.name, p.seqno`, nil, func(r *db.Row) error {
		var (
			table, index string
			p            livePart
		)
		if err := r.Scan(&table, &index, &p.column, &p.desc); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			i := t.index(index)
			i.parts = append(i.parts, p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = q.Query(ctx, `SELECT m.name, f."from", f."table", coalesce(f."to", ''), f.on_delete, f.on_update
FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`, nil, func(r *db.Row) error {
		var (
			table string
			f     liveForeign
		)
		if err := r.Scan(&table, &f.column, &f.table, &f.to, &f.onDelete, &f.onUpdate); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			t.foreign = append(t.foreign, f)
		}
		return nil
	})
	for _, t := range l {
		t.readCreate()
	}
	return err
}

var (
	collate     = regexp.MustCompile(`(?i)\bCOLLATE\s+"?(\w+)`)
	inlineCheck = regexp.MustCompile(`(?i)\bCHECK\s*\(([^()]*)\)`)
)

// readCreate takes from the text of CREATE TABLE what no pragma tells.
func (t *liveTable) readCreate() {
	for _, item := range createItems(t.create) {
		name, rest := word(item)
		if !strings.EqualFold(name, "CONSTRAINT") || item[0] == '"' {
			c := t.column(name)
			if c == nil {
				continue // a constraint without a name
			}
			if m := collate.FindStringSubmatch(rest); m != nil {
				c.collation = m[1]
			}
			c.counts = strings.Contains(strings.ToUpper(rest), " AUTOINCREMENT")
			if m := inlineCheck.FindStringSubmatch(rest); m != nil {
				t.checks = append(t.checks, liveCheck{clause: m[1]})
			}
			continue
		}
		name, rest = word(rest)
		switch kind, rest := word(rest); strings.ToUpper(kind) {
		case "CHECK":
			clause := strings.TrimSpace(rest)
			t.checks = append(t.checks, liveCheck{name: name, clause: clause[1 : len(clause)-1]})
		case "UNIQUE":
			t.keys = append(t.keys, liveKey{name: name, columns: strings.TrimSpace(rest)})
		}
	}
}

// createItems returns the columns and constraints between the outer parentheses of a CREATE TABLE.
func createItems(create string) []string {
	var items []string
	depth, start := 0, 0
	for i := 0; i < len(create); i++ {
		switch c := create[i]; c {
		case '\'', '"', '`', '[':
			end := c
			if c == '[' {
				end = ']'
			}
			n := strings.IndexByte(create[i+1:], end)
			if n < 0 {
				return items
			}
			i += n + 1 // a doubled quote begins another string at once, which is as good
		case '(':
			if depth++; depth == 1 {
				start = i + 1
			}
		case ')', ',':
			if depth == 1 {
				items = append(items, strings.TrimSpace(create[start:i]))
				start = i + 1
			}
			if c == ')' {
				depth--
			}
		}
	}
	return items
}

// word cuts the first word, perhaps quoted, from s.
func word(s string) (first, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s == "" {
		return "", ""
	}
	if end := strings.IndexByte("\"`[", s[0]); end >= 0 {
		if n := strings.IndexByte(s[1:], "\"`]"[end]); n >= 0 {
			return s[1 : n+1], s[n+2:]
		}
	}
	n := strings.IndexAny(s, " \t\r\n(")
	if n < 0 {
		return s, ""
	}
	return s[:n], s[n:]
}
