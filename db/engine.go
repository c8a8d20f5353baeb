package db

import "strings"

// Engine names a kind of database server, or the embedded one.
type Engine string

// The engines. MariaDB and MySQL are told apart by what the server says of itself, not by the URL.
const (
	SQLite     Engine = "sqlite"
	MySQL      Engine = "mysql"
	MariaDB    Engine = "mariadb"
	PostgreSQL Engine = "postgres"
)

// MySQLFamily reports whether e is MySQL or MariaDB.
func (e Engine) MySQLFamily() bool { return e == MySQL || e == MariaDB }

// Quote returns name as a quoted identifier, for names that may be reserved words.
func (e Engine) Quote(name string) string {
	if e.MySQLFamily() {
		return "`" + strings.ReplaceAll(name, "`", "``") + "`"
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
