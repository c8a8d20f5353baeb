package cli

import (
	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/learnerstate"
)

// stateMap is the document of a map of learners' state.
type stateMap struct {
	Courses []mappedCourse `json:"courses"`
	// Rows is null where no learners' rows are at hand.
	Rows   *learnerstate.Report `json:"rows"`
	Tables []learnerstate.Keyed `json:"tables"`

	rewrites bool
}

type mappedCourse struct {
	Course string `json:"course"`
	Target string `json:"target"`
	Keys   int64  `json:"keys"`
}

func newStateMap(m *app.StateMap, rewrites bool) stateMap {
	d := stateMap{Courses: []mappedCourse{}, Rows: m.Rows, Tables: m.Tables, rewrites: rewrites}
	for _, c := range m.Courses {
		d.Courses = append(d.Courses, mappedCourse{c.Source, c.Target, c.Keys})
	}
	return d
}

func (d stateMap) text(w *textWriter) {
	if len(d.Courses) == 0 {
		w.line("no course was converted")
	} else {
		w.row("COURSE", "IS NOW", "BLOCKS")
		for _, c := range d.Courses {
			w.row(c.Course, c.Target, c.Keys)
		}
	}
	if d.Rows == nil {
		w.line("no learners' rows at hand: the database has no table %s", learnerstate.Table)
	} else {
		d.rows(w)
	}
	if len(d.Tables) > 0 {
		w.line("rows under the old keys of courses, by table:")
		for _, t := range d.Tables {
			w.row("  "+t.Table, t.Column, t.Rows)
		}
	}
}

func (d stateMap) rows(w *textWriter) {
	w.line("learners' rows:")
	head := []any{"  COURSE", "ROWS", "MAP", "NOT CONVERTED", "NOT IN MAP", "BAD KEY", "TOO LONG", "NEW KEY"}
	line := func(name string, c learnerstate.Counts) {
		w.row("  "+name, c.Rows, c.Maps, c.NotConverted, c.NotInMap, c.BadKey, c.TooLong, c.New)
	}
	w.row(head...)
	for _, c := range d.Rows.Courses {
		line(c.Course, c.Counts)
	}
	line("all", d.Rows.All)
	head[0] = "  TYPE"
	w.row(head...)
	for _, t := range d.Rows.Types {
		line(t.Type, t.Counts)
	}
	if len(d.Rows.Lost) > 0 {
		w.line("rows that do not map:")
		w.row("  ROW", "BLOCK", "COURSE", "WHY", "REASON")
		for _, l := range d.Rows.Lost {
			w.row("  ", l.ID, l.Module, l.Course, string(l.Outcome), l.Reason)
		}
	}
	if !d.rewrites {
		return
	}
	w.line("HTML ids inside the state of problems, to be rewritten:")
	w.row("  BLOCK", "ROWS", "FROM", "TO", "ANSWERS", "CORRECT", "INPUTS", "OTHER", "UNREADABLE")
	for _, r := range d.Rows.Rewrites {
		w.row("  "+r.Old, r.Rows, r.OldHTML, r.NewHTML, r.Answers, r.Correct, r.Inputs, r.Other, r.Unreadable)
	}
}

func (c *cli) stateCommand() *cobra.Command {
	return c.family("state", "See what becomes of learners' state", verb{c.stateMapCommand(), stateMap{}})
}

func (c *cli) stateMapCommand() *cobra.Command {
	var o app.StateMapOptions
	var all bool
	cmd := &cobra.Command{
		Use: "map [KEY...]", Short: "Map the keys that learners' rows have to those of converted courses",
		Long: `Map hands out what legacy convert saved: the old key of every block with the new one, for the courses named, by the key that
they had or the one that they have. Beside learners' rows, in the table courseware_studentmodule of the database or in a CSV
export of it, it counts those that map and those that do not, and says why.

Nothing is ever written to learners' tables. --csv and --sql write the map, for whoever moves the rows; --sql makes a table
of it, and says in a comment how to use that. --rewrite-report counts what is to be changed inside the state of problems,
which names inputs by HTML ids.`,
		Example: `  lectern state map AcmeU/BIO1/2013_Spring --csv map.csv
  lectern state map --all --studentmodule courseware_studentmodule.csv --unmapped lost.csv --rewrite-report
  lectern state map --all --sql map.sql --dialect mysql`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usage("state map", "name courses, or all of them with --all")
			}
			if !all {
				o.Keys = args
			}
			if (o.SQL == "") != (o.Dialect == "") {
				return usage("--sql", "--sql and --dialect go together")
			}
			if o.Limit < 0 {
				return usage("--limit", "cannot be negative")
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				m, err := a.StateMap(cmd.Context(), o)
				if err != nil {
					return err
				}
				return c.print(newStateMap(m, o.Rewrites))
			})
		},
	}
	f := cmd.Flags()
	f.BoolVar(&all, "all", false, "all courses that were converted, and the rows of all courses")
	f.StringVar(&o.CSV, "csv", "", "write the map to a CSV `file`")
	f.StringVar(&o.SQL, "sql", "", "write the map to a `file` of SQL statements")
	f.StringVar(&o.Dialect, "dialect", "", "`name` of the database that --sql is for: mysql (MariaDB too), postgres or sqlite")
	f.StringVar(&o.Rows, "studentmodule", "", "CSV `file`, an export of courseware_studentmodule with a header (default: the table)")
	f.StringVar(&o.Lost, "unmapped", "", "write all rows that do not map to a CSV `file`")
	f.IntVar(&o.Limit, "limit", 20, "list at most `n` rows that do not map")
	f.BoolVar(&o.Rewrites, "rewrite-report", false, "look into the state of problems for HTML ids to be rewritten")
	return cmd
}
