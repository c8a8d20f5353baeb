package oldcourse

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema/inspect"
)

// Tables of the platform that are read.
const (
	platformOverviews = "course_overviews_courseoverview"
	platformTabs      = "course_overviews_courseoverviewtab"
)

const overviewTable = "lectern_legacy_overview"

// Filled says what came of taking overviews over.
type Filled struct {
	Read     int       // rows about old courses
	Written  int       // overviews that are new, or were written again
	Kept     int       // that stay as they were, as the row that there is now cannot be read
	Problems []Problem // rows that cannot be read in full
}

// Problem is what cannot be read of one row.
type Problem struct{ Key, Text string }

// row is one row of the platform's table.
type row struct {
	columns []string
	values  []any
}

func (r row) id() string {
	for i, name := range r.columns {
		if name == "id" {
			switch v := r.values[i].(type) {
			case string:
				return v
			case []byte:
				return string(v)
			}
		}
	}
	return ""
}

// batch is how many rows are held at a time.
const batch = 200

// FromDB takes over the overviews of old courses from the platform's table in the same database. Rows that the platform has
// no longer stay (DEP-21). It reads and writes batches, whatever their number.
func FromDB(ctx context.Context, tx *db.Tx) (f Filled, err error) {
	names, err := inspect.Names(ctx, tx)
	if err != nil {
		return f, err
	}
	if !names[platformOverviews] {
		return f, fault.Errorf(fault.Refused, "database", "it has no table %s", platformOverviews).WithNext("export the table of the platform, and give the file with --csv")
	}
	for last := ""; ; {
		rows, err := db.All(ctx, tx, `SELECT * FROM course_overviews_courseoverview WHERE id > ? AND id NOT LIKE 'course-v1:%' ORDER BY id LIMIT `+fmt.Sprint(batch), []any{last}, scanRow)
		if err != nil {
			return f, fmt.Errorf("read the platform's overviews: %w", err)
		}
		if len(rows) == 0 {
			return f, nil
		}
		last = rows[len(rows)-1].id()
		tabs, err := tabsOf(ctx, tx, names, rows)
		if err != nil {
			return f, err
		}
		if err := f.take(ctx, tx, rows, tabs); err != nil {
			return f, err
		}
	}
}

func scanRow(r *db.Row) (row, error) {
	x := row{columns: r.Columns()}
	x.values = make([]any, len(x.columns))
	into := make([]any, len(x.columns))
	for i := range into {
		into[i] = &x.values[i]
	}
	return x, r.Scan(into...)
}

// tabsOf reads the tabs of courses, where the platform has them.
func tabsOf(ctx context.Context, q db.Querier, names map[string]bool, rows []row) (map[string][]string, error) {
	if !names[platformTabs] {
		return nil, nil //nolint:nilnil // nothing is known of any
	}
	ids := make([]string, len(rows))
	tabs := map[string][]string{}
	for i, r := range rows {
		ids[i] = r.id()
		tabs[ids[i]] = []string{}
	}
	err := db.QueryIn(ctx, q, `SELECT course_overview_id, tab_id FROM course_overviews_courseoverviewtab WHERE course_overview_id IN (?...) ORDER BY id`, ids, nil, func(r *db.Row) error {
		var id, tab string
		err := r.Scan(&id, &tab)
		tabs[id] = append(tabs[id], tab)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the tabs of the platform's overviews: %w", err)
	}
	return tabs, nil
}

// FromCSV takes over the overviews of old courses from the platform's table as comma-separated values, whose first line names
// the columns. NULL and \N are null.
func FromCSV(ctx context.Context, tx *db.Tx, src io.Reader) (f Filled, err error) {
	in := csv.NewReader(src)
	columns, err := in.Read()
	if err != nil {
		return f, fmt.Errorf("no line with the names of the columns: %w", err)
	}
	if (row{columns, make([]any, len(columns))}).column("id") < 0 {
		return f, fmt.Errorf("no column id: this is not the table %s", platformOverviews)
	}
	seen := map[string]bool{}
	for done := false; !done; {
		var rows []row
		for len(rows) < batch {
			texts, err := in.Read()
			if errors.Is(err, io.EOF) {
				done = true
				break
			}
			if err != nil {
				return f, err
			}
			r := row{columns, make([]any, len(texts))}
			for i, t := range texts {
				if t != "NULL" && t != `\N` {
					r.values[i] = t
				}
			}
			if id := r.id(); ours(id) {
				if seen[id] {
					line, _ := in.FieldPos(0)
					return f, fmt.Errorf("line %d: %q comes twice", line, cut(id, 100))
				}
				seen[id] = true
				rows = append(rows, r)
			}
		}
		if err := f.take(ctx, tx, rows, nil); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (r row) column(name string) int {
	for i, c := range r.columns {
		if c == name {
			return i
		}
	}
	return -1
}

// take writes the overviews of rows. One that can be read in full does not make place for one that cannot.
func (f *Filled) take(ctx context.Context, tx *db.Tx, rows []row, tabs map[string][]string) error {
	var all []Overview
	var keys []string
	for _, r := range rows {
		id := r.id()
		if !ours(id) {
			continue
		}
		f.Read++
		o, err := overviewOf(r.columns, r.values, tabs[id])
		if err != nil { // it cannot even be kept
			id, _ = clean(id)
			f.Problems = append(f.Problems, Problem{id, err.Error()})
			continue
		}
		if o.Problem != "" {
			f.Problems = append(f.Problems, Problem{o.Key, o.Problem})
		}
		all, keys = append(all, o), append(keys, o.Key)
	}
	good := map[string]bool{}
	err := db.QueryIn(ctx, tx, `SELECT course_key FROM lectern_legacy_overview WHERE course_key IN (?...) AND filled_at IS NOT NULL AND problem = ''`, keys, nil, func(r *db.Row) error {
		key, err := db.Value[string](r)
		good[key] = true
		return err
	})
	if err != nil {
		return err
	}
	write, twice := all[:0], map[string]bool{}
	for _, o := range all {
		switch {
		case o.Problem != "" && good[o.Key]:
			f.Kept++
		case twice[o.Key]:
			f.Problems = append(f.Problems, Problem{o.Key, "id: it is there twice, in two spellings"})
		default:
			twice[o.Key] = true
			write = append(write, o)
		}
	}
	f.Written += len(write)
	return tx.Upsert(ctx, overviewTable, []string{"course_key"}, filledColumns, len(write), func(i int, v []any) {
		o := write[i]
		for j, x := range []any{o.Key, o.Org, o.Title, o.Location, orNull(o.Version), orNull(o.Start), orNull(o.End), orNull(o.EnrollmentStart), orNull(o.EnrollmentEnd),
			orNull(o.Made), orNull(o.Modified), orNull(o.SelfPaced), orNull(o.StaffOnly), orNull(o.Invited), o.Visibility, o.Language, o.PassingGrade, o.ImageURL,
			o.ShortDescription, o.Effort, string(o.Data), o.Problem, tx.Now()} {
			v[j] = x
		}
	})
}

// filledColumns are those that are taken over, in the order of the table.
var filledColumns = []string{
	"org", "title", "location", "version", "start_at", "end_at", "enrollment_start", "enrollment_end", "made_at", "modified_at", "self_paced",
	"staff_only", "invitation_only", "visibility", "language", "passing_grade", "image_url", "short_description", "effort", "data", "problem", "filled_at",
}

func orNull[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}
