package schema

// Pattern is the regular expression of a CHECK. Engines disagree on what a pattern means, so where Lectern makes the table
// the MySQL family gets a text of its own that says there what the reference meant (content-schema.md §2.1).
type Pattern struct {
	Text  string // as the reference writes it, and as SQLite and PostgreSQL get it
	MySQL string // as MySQL and MariaDB get it; "" is Text
	Wide  bool   // on MariaDB compared by characters, not by bytes
}

var (
	unicodeCode  = Pattern{Text: `^[\w.-]+\Z`, MySQL: `^[\p{L}\p{N}_.-]+\z`, Wide: true}
	asciiCode    = Pattern{Text: `^[a-zA-Z0-9_.-]+\Z`, MySQL: `^[a-zA-Z0-9_.-]+\z`}
	typeCode     = Pattern{Text: `^[a-z0-9\-_\.]+$`, MySQL: `^[a-z0-9\-_\.]+\z`}
	pathwayCode  = Pattern{Text: `^[a-zA-Z0-9_.-]+\Z`}
	languageCode = Pattern{Text: `^[a-z][a-z](\-[a-z0-9]+)*$`}
)

// ours returns the text for the MySQL family.
func (p *Pattern) ours() string {
	if p.MySQL != "" {
		return p.MySQL
	}
	return p.Text
}
