package learnerstate

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Writer takes the map, line by line. Close ends it, and does not close what is below.
type Writer interface {
	Write(c Course, m Mapping) error
	Close() error
}

// columns are those of the map, in CSV and in SQL.
var columns = []string{"old_course", "new_course", "old_key", "new_key"}

// NewCSV writes the map as comma-separated values below a line with the names of columns.
func NewCSV(w io.Writer) Writer {
	c := csvWriter{csv.NewWriter(w)}
	_ = c.w.Write(columns) // the error comes again when it is closed
	return c
}

type csvWriter struct{ w *csv.Writer }

func (c csvWriter) Write(of Course, m Mapping) error {
	return c.w.Write([]string{of.Source, of.Target, m.Old, m.New})
}

func (c csvWriter) Close() error {
	c.w.Flush()
	return c.w.Error()
}

// batch is how many lines of the map are in one statement.
const batch = 500

// NewSQL writes the map as a table lectern_state_map with its rows, for the database of a dialect: mysql (MariaDB too), postgres
// or sqlite. What an operator might do with it stands there as a comment; only the table of the map is written to.
func NewSQL(w io.Writer, dialect string) (Writer, error) {
	d, ok := dialects[db.Engine(dialect)]
	if !ok {
		return nil, fault.Errorf(fault.Usage, dialect, "no dialect").WithNext("name mysql, postgres or sqlite")
	}
	s := &sqlWriter{w: bufio.NewWriter(w), mysql: dialect == "mysql"}
	fmt.Fprintf(s.w, sqlHead, d.table, d.begin, d.update) // a bufio.Writer keeps its error
	return s, nil
}

type dialect struct{ table, begin, update string }

var dialects = map[db.Engine]dialect{
	"mysql": {
		table: " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", begin: "START TRANSACTION",
		update: `UPDATE courseware_studentmodule s
--   JOIN lectern_state_map m ON m.old_course = CONVERT(s.course_id USING utf8mb4) COLLATE utf8mb4_bin
--     AND m.old_key = CONVERT(s.module_id USING utf8mb4) COLLATE utf8mb4_bin
--   SET s.course_id = m.new_course, s.module_id = m.new_key;`,
	},
	"postgres": {begin: "BEGIN", update: updateFrom},
	"sqlite":   {begin: "BEGIN", update: updateFrom},
}

const updateFrom = `UPDATE courseware_studentmodule SET course_id = m.new_course, module_id = m.new_key
--   FROM lectern_state_map m WHERE m.old_course = courseware_studentmodule.course_id AND m.old_key = courseware_studentmodule.module_id;`

const sqlHead = `-- Old usage keys and what they are now, by course: an old key alone does not say its run.
-- Running this file makes a table and changes nothing else.
CREATE TABLE lectern_state_map (
  old_course varchar(255)%[1]s NOT NULL,
  new_course varchar(255)%[1]s NOT NULL,
  old_key varchar(500)%[1]s NOT NULL,
  new_key varchar(255)%[1]s NOT NULL,
  PRIMARY KEY (old_course, old_key)
);
-- With it learners' rows can be given their new keys. Nobody has run this for you: make a backup first, stop the platform, and
-- rewrite the HTML ids inside the state of problems as well, or answers are lost while scores stay.
--   %[3]s
%[2]s;
`

type sqlWriter struct {
	w     *bufio.Writer
	mysql bool
	n     int // lines of the statement that is open
}

func (s *sqlWriter) Write(of Course, m Mapping) error {
	switch {
	case s.n == batch:
		s.w.WriteString(";\n")
		s.n = 0
		fallthrough
	case s.n == 0:
		s.w.WriteString("INSERT INTO lectern_state_map (old_course, new_course, old_key, new_key) VALUES\n")
	default:
		s.w.WriteString(",\n")
	}
	s.n++
	_, err := s.w.WriteString("(" + s.quote(of.Source) + ", " + s.quote(of.Target) + ", " + s.quote(m.Old) + ", " + s.quote(m.New) + ")")
	return err
}

func (s *sqlWriter) quote(text string) string {
	if s.mysql {
		text = strings.ReplaceAll(text, `\`, `\\`)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

func (s *sqlWriter) Close() error {
	if s.n > 0 {
		s.w.WriteString(";\n")
	}
	s.w.WriteString("COMMIT;\n")
	return s.w.Flush()
}
