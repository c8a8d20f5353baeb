package takeover

import (
	"strings"

	"github.com/openlectern/lectern/schema/inspect"
)

// createText is a CREATE TABLE of SQLite in parts, so that a table can be made again with one of them changed and
// everything else, also what a site added, as it was.
type createText struct {
	items []string // columns, then constraints
	tail  string   // behind the closing parenthesis
}

func parseCreate(sql string) *createText {
	c := &createText{items: inspect.Items(sql)}
	if i := strings.LastIndexByte(sql, ')'); i >= 0 {
		c.tail = sql[i+1:]
	}
	return c
}

// text returns the statement that makes the table under a name.
func (c *createText) text(name string) string {
	return `CREATE TABLE "` + name + `" (` + strings.Join(c.items, ", ") + ")" + c.tail
}

// find returns the place of a column, or of a constraint of explicit name; -1 when there is none.
func (c *createText) find(name string, constraint bool) int {
	for i, item := range c.items {
		first, rest := inspect.Word(item)
		quoted := strings.IndexByte("\"`[", item[0]) >= 0
		is := !quoted && strings.EqualFold(first, "CONSTRAINT")
		if is {
			first, _ = inspect.Word(rest)
		}
		if is == constraint && strings.EqualFold(first, name) && (is || quoted || !tableConstraint(first)) {
			return i
		}
	}
	return -1
}

// tableConstraint reports whether a bare first word begins a constraint without a name.
func tableConstraint(word string) bool {
	switch strings.ToUpper(word) {
	case "UNIQUE", "PRIMARY", "FOREIGN", "CHECK":
		return true
	}
	return false
}

// set puts a column in the place of the one of its name, or behind the last.
func (c *createText) set(name, text string) {
	if i := c.find(name, false); i >= 0 {
		c.items[i] = text
		return
	}
	at := 0
	for i, item := range c.items {
		first, _ := inspect.Word(item)
		if strings.IndexByte("\"`[", item[0]) >= 0 || !strings.EqualFold(first, "CONSTRAINT") && !tableConstraint(first) {
			at = i + 1
		}
	}
	c.items = append(c.items[:at], append([]string{text}, c.items[at:]...)...)
}

// constrain puts a constraint of explicit name in the place of the one of its name, or last.
func (c *createText) constrain(name, text string) {
	if i := c.find(name, true); i >= 0 {
		c.items[i] = text
		return
	}
	c.items = append(c.items, text)
}

// drop takes a column out.
func (c *createText) drop(name string) {
	if i := c.find(name, false); i >= 0 {
		c.items = append(c.items[:i], c.items[i+1:]...)
	}
}

// renameWord puts one identifier in the place of another wherever it stands in SQL outside of strings, as SQLite does
// when it renames a table or column.
func renameWord(sql, was, is string) string {
	if !strings.Contains(sql, was) {
		return sql
	}
	var b strings.Builder
	for i := 0; i < len(sql); {
		end := i + 1
		switch c := sql[i]; {
		case c == '\'' || c == '"' || c == '`' || c == '[':
			if c == '[' {
				c = ']'
			}
			if n := strings.IndexByte(sql[i+1:], c); n >= 0 {
				end = i + n + 2
			}
			if sql[i] != '\'' && sql[i+1:end-1] == was {
				b.WriteString(`"` + is + `"`)
			} else {
				b.WriteString(sql[i:end])
			}
		case wordByte(c):
			for end < len(sql) && wordByte(sql[end]) {
				end++
			}
			if sql[i:end] == was {
				b.WriteString(`"` + is + `"`)
			} else {
				b.WriteString(sql[i:end])
			}
		default:
			b.WriteByte(c)
		}
		i = end
	}
	return b.String()
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
