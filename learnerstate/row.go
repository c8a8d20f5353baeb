package learnerstate

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Table is the platform's table of learners' state (CV-20).
const Table = "courseware_studentmodule"

// Row is what is read of a row of it.
type Row struct {
	ID     int64  `json:"id"`
	Type   string `json:"module_type"`
	Module string `json:"module_id"`
	Course string `json:"course_id"`
	State  string `json:"-"` // JSON; "" where it was not asked for, and for NULL
}

// Courses returns the courses that have rows. Engines that tell keys apart less well than bytes do return one of several; the
// others come to light in [Rows].
func Courses(ctx context.Context, q db.Querier) ([]string, error) {
	list, err := db.All(ctx, q, `SELECT DISTINCT course_id FROM courseware_studentmodule ORDER BY course_id`, nil, db.Value[string])
	if err != nil {
		return nil, fmt.Errorf("courses of learners' state: %w", err)
	}
	return list, nil
}

// Rows hands over the rows of a course in order of their ids, one at a time, in one statement: by the index of course_id. On the
// MySQL family rows of courses whose keys differ only in case come along. States are read only where they are wanted.
func Rows(ctx context.Context, q db.Querier, course string, states bool, fn func(Row) error) error {
	what := "id, module_type, module_id, course_id"
	if states {
		what += ", state"
	}
	err := q.Query(ctx, `SELECT `+what+` FROM courseware_studentmodule WHERE course_id = ? ORDER BY id`, []any{course}, func(r *db.Row) error {
		var row Row
		var state *string
		dest := []any{&row.ID, &row.Type, &row.Module, &row.Course}
		if states {
			dest = append(dest, &state)
		}
		if err := r.Scan(dest...); err != nil {
			return err
		}
		if state != nil {
			row.State = *state
		}
		return fn(row)
	})
	if err != nil {
		return fmt.Errorf("learners' state of %s: %w", course, err)
	}
	return nil
}

// ReadCSV hands over the rows of a CSV export of the table, whose first line names the columns, in any order.
func ReadCSV(r io.Reader, name string, fn func(Row) error) error {
	in := csv.NewReader(r)
	in.ReuseRecord, in.LazyQuotes = true, false
	head, err := in.Read()
	if err != nil {
		return fault.Errorf(fault.Invalid, name, "no line with the names of columns: %w", err).WithNext("export the table with a header")
	}
	at := map[string]int{}
	for i, column := range head {
		at[strings.TrimPrefix(column, "\ufeff")] = i
	}
	for _, column := range [...]string{"id", "module_type", "module_id", "course_id"} {
		if _, ok := at[column]; !ok {
			return fault.Errorf(fault.Invalid, name, "there is no column %s", column).WithNext("export the table " + Table + " with a header")
		}
	}
	state, states := at["state"]
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.Errorf(fault.Invalid, name, "cannot be read: %w", err)
		}
		line, _ := in.FieldPos(0)
		row := Row{Type: strings.Clone(record[at["module_type"]]), Module: strings.Clone(record[at["module_id"]]), Course: strings.Clone(record[at["course_id"]])}
		if row.ID, err = strconv.ParseInt(record[at["id"]], 10, 64); err != nil {
			return fault.Errorf(fault.Invalid, name, "line %d: %q is no id", line, record[at["id"]])
		}
		if states {
			row.State = record[state]
		}
		if err := fn(row); err != nil {
			return err
		}
	}
}
