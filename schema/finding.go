package schema

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/schema/inspect"
)

// Severity says how bad a finding is.
type Severity string

// The severities. Only an Error makes db verify fail.
const (
	Error   Severity = "error"   // something works wrongly, or will fail in a later migration
	Warning Severity = "warning" // something is refused or missing that most sites never need
	Info    Severity = "info"    // accepted, and worth knowing
)

// Finding is one difference between a database and what it should be. Empty fields do not apply.
type Finding struct {
	Code     string   `json:"code"` // stable, such as "column_missing"
	Severity Severity `json:"severity"`
	Table    string   `json:"table"`
	Key      string   `json:"key"`      // the column or constraint; of a row the refs of its package and entity, its version, and what else tells it
	Value    string   `json:"value"`    // what is there
	Proposed string   `json:"proposed"` // what should be there
	Next     string   `json:"next"`     // the step that helps
	// Repairable says that the row follows from others, so that a repair can make it right.
	Repairable bool `json:"repairable"`
}

var (
	backslashes = regexp.MustCompile(`\\+`)
	dressing    = strings.NewReplacer(" ", "", "\n", "", "\t", "", "(", "", ")", "", `"`, "", "'", "", "`", "", "::text", "",
		"::charactervarying", "", "_utf8mb4", "")
)

// plain strips from an expression all that engines add when they show it: quotes, parentheses, casts, doubled
// backslashes, case.
func plain(expr string) string {
	return dressing.Replace(strings.ToLower(backslashes.ReplaceAllString(strings.ReplaceAll(expr, `\'`, ""), `\`)))
}

// liveType returns a column's type in a form that is the same for equal types.
func (d Dialect) liveType(c *inspect.Column) string {
	switch d.engine {
	case db.SQLite:
		return strings.ToLower(c.Type)
	case db.PostgreSQL:
		if c.Type == "character varying" && c.Length > 0 {
			return fmt.Sprintf("varchar(%d)", c.Length)
		}
		return c.Type
	}
	return width.ReplaceAllString(strings.ToLower(c.Type), "$1")
}

// width is the display width of integers, which MariaDB shows and MySQL 8 does not; tinyint(1) means bool on both.
var width = regexp.MustCompile(`^(smallint|int|bigint)\(\d+\)`)

// wantTypes returns the types that a column may have, the one we make first.
func (d Dialect) wantTypes(t Type) []string {
	s, _, _ := strings.Cut(d.sqlType(t), " COLLATE ")
	if !d.mysql() {
		return []string{s}
	}
	s = strings.TrimSuffix(strings.ToLower(s), " auto_increment")
	switch {
	case t.Kind == UUID:
		return []string{s, "char(32)", "uuid"} // as old as the table is (content-schema.md §1)
	case t.Kind == Bool:
		s = "tinyint(1)"
	case t.Kind == JSON && d.engine == db.MariaDB:
		s = "longtext"
	case t.Kind == JSON:
		return []string{s, "longtext"} // on a site that came over from MariaDB
	case strings.HasPrefix(s, "integer"):
		s = "int" + strings.TrimPrefix(s, "integer")
	}
	return []string{s}
}

// wantCollations returns the collations that a column may have; none when any will do.
func (d Dialect) wantCollations(c *Column) []string {
	_, s, named := strings.Cut(d.sqlType(c.Type), " COLLATE ")
	switch {
	case !c.Type.text() && c.Type.Kind != CIText:
		return nil
	case c.Collate != "" && d.mysql():
		return []string{c.Collate}
	case d.engine == db.SQLite && !named:
		return []string{"", "BINARY"}
	case d.engine == db.SQLite && s == "BINARY":
		return []string{s, ""}
	case d.engine == db.PostgreSQL:
		return []string{""} // that of the database
	case !named:
		return nil
	}
	return []string{s}
}
