package inspect

import (
	"context"
	"regexp"
	"strings"

	"github.com/openlectern/lectern/db"
)

// readSQLite reads the catalogue of SQLite. Names of constraints, collations and AUTOINCREMENT are in the text of
// CREATE TABLE alone.
func readSQLite(ctx context.Context, q db.Querier, l Tables, want func(string) bool) error {
	err := q.Query(ctx, `SELECT name, sql FROM sqlite_master WHERE type = 'table'`, nil, func(r *db.Row) error {
		t := &Table{}
		if err := r.Scan(&t.Name, &t.SQL); err != nil || !want(t.Name) {
			return err
		}
		l[t.Name] = t
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
			c       Column
		)
		if err := r.Scan(&table, &c.Name, &c.Type, &notNull, &c.Default, &pk); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			c.Null, c.Primary = !notNull, pk > 0
			t.Columns = append(t.Columns, c)
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
			i     Index
		)
		if err := r.Scan(&table, &i.Name, &i.Unique, &i.Origin, &i.Text); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			i.Primary = i.Origin == "pk"
			t.Indexes = append(t.Indexes, i)
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
			p            Part
		)
		if err := r.Scan(&table, &index, &p.Column, &p.Desc); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			i := t.Index(index)
			i.Parts = append(i.Parts, p)
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
			f     Foreign
		)
		if err := r.Scan(&table, &f.Column, &f.Table, &f.To, &f.OnDelete, &f.OnUpdate); err != nil {
			return err
		}
		if t := l[table]; t != nil {
			t.Foreign = append(t.Foreign, f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range l {
		t.readCreate()
	}
	return q.Query(ctx, `SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')`, nil, func(r *db.Row) error {
		var kind, table string
		var x Trigger
		if err := r.Scan(&kind, &x.Name, &table, &x.Text); err != nil {
			return err
		}
		if t := l[table]; t != nil && kind == "trigger" {
			t.Triggers = append(t.Triggers, x)
		}
		for _, word := range identifier.FindAllString(x.Text, -1) {
			if t := l[word]; t != nil && (kind == "view" || word != table) {
				t.Mentioned = true
			}
		}
		return nil
	})
}

var identifier = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

var (
	collate     = regexp.MustCompile(`(?i)\bCOLLATE\s+"?(\w+)`)
	inlineCheck = regexp.MustCompile(`(?i)\bCHECK\s*\(`)
)

// enclosed returns the beginning of s up to the parenthesis that closes one opened before it.
func enclosed(s string) string {
	depth := 1
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return s[:i]
			}
		}
	}
	return s
}

// readCreate takes from the text of CREATE TABLE what no pragma tells.
func (t *Table) readCreate() {
	for _, item := range Items(t.SQL) {
		name, rest := Word(item)
		if !strings.EqualFold(name, "CONSTRAINT") || item[0] == '"' {
			c := t.Column(name)
			if c == nil {
				continue // a constraint without a name
			}
			if m := collate.FindStringSubmatch(rest); m != nil {
				c.Collation = m[1]
			}
			c.Counts = strings.Contains(strings.ToUpper(rest), " AUTOINCREMENT")
			if m := inlineCheck.FindStringIndex(rest); m != nil {
				t.Checks = append(t.Checks, Check{Clause: enclosed(rest[m[1]:])})
			}
			continue
		}
		name, rest = Word(rest)
		switch kind, rest := Word(rest); strings.ToUpper(kind) {
		case "CHECK":
			clause := strings.TrimSpace(rest)
			t.Checks = append(t.Checks, Check{Name: name, Clause: clause[1 : len(clause)-1]})
		case "UNIQUE":
			t.Keys = append(t.Keys, Unique{Name: name, Columns: strings.TrimSpace(rest)})
		}
	}
}

// Items returns the columns and constraints between the outer parentheses of a CREATE TABLE.
func Items(create string) []string {
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

// Word cuts the first word, perhaps quoted, from s.
func Word(s string) (first, rest string) {
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
