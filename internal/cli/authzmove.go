package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz/roleshift"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/flags"
	"github.com/openlectern/lectern/keys"
)

// roleRun is the document of a move of roles.
type roleRun struct {
	ID          *int64     `json:"id"` // null in a dry run
	Scope       string     `json:"scope"`
	Direction   string     `json:"direction"` // forward: to assignments; rollback: to the platform's role rows
	Status      string     `json:"status"`    // completed, partial_success, failed, skipped or running
	Moved       int64      `json:"moved"`
	Merged      int64      `json:"merged"` // were there already
	Derived     int64      `json:"derived"`
	NotEligible int64      `json:"not_eligible"`
	Left        []movedRow `json:"left"`
	Errors      []movedRow `json:"errors"`
	Rows        []movedRow `json:"rows"` // all of them
	Started     stamp      `json:"started"`
	Finished    *stamp     `json:"finished"`
	Ours        bool       `json:"ours"`
	LeftCount   int64      `json:"left_count"`  // also of rows that are not listed
	ErrorCount  int64      `json:"error_count"` //
	Truncated   bool       `json:"truncated"`   // rows, left and errors have the first rows only: --csv has all
	Batches     bool       `json:"batches"`     // it was made, or would be, in batches and not in one transaction; of runs that have ended not known later
	Step        string     `json:"step"`        // of a run in batches that is at work; "" else
	Done        int64      `json:"done"`        //
	Total       int64      `json:"total"`       // about
	Error       string     `json:"error,omitempty"`
}

// movedRow is what became of one row.
type movedRow struct {
	Row     int64  `json:"row"`
	User    string `json:"user"`
	Role    string `json:"role"`
	Scope   string `json:"scope"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Note    string `json:"note"`
}

func newMovedRow(r roleshift.Record) movedRow {
	row := movedRow{r.Row, r.User, r.Role, r.Scope, string(r.Outcome), r.Reason, r.Note}
	if r.Text != "" {
		row.Note = r.Text
	}
	return row
}

func newRoleRun(r roleshift.Run, dry bool) roleRun {
	d := roleRun{Scope: r.Key, Direction: string(r.Direction), Status: string(r.Status), Moved: r.Moved, Merged: r.Merged, Started: stamp(r.Started),
		Finished: stampOf(r.Finished), Ours: r.Ours, LeftCount: r.Left, ErrorCount: r.Errors, Truncated: r.Truncated || r.Batches && r.Moves == nil,
		Batches: r.Batches, Step: r.Step, Done: r.Done, Total: r.Total, Derived: r.Derived, NotEligible: r.NotEligible, Left: []movedRow{}, Errors: []movedRow{}, Rows: []movedRow{}}
	if !dry {
		d.ID = &r.ID
	}
	if r.Moves == nil {
		return d
	}
	if !r.Truncated {
		d.Derived, d.NotEligible = 0, 0
	}
	for _, rec := range r.Moves.Records {
		row := newMovedRow(rec)
		d.Rows = append(d.Rows, row)
		switch {
		case rec.Outcome == roleshift.Left && rec.Reason != roleshift.NotEligible:
			d.Left = append(d.Left, row)
		case rec.Outcome == roleshift.Error:
			d.Errors = append(d.Errors, row)
		case r.Truncated:
		case rec.Outcome == roleshift.Derived:
			d.Derived++
		case rec.Reason == roleshift.NotEligible:
			d.NotEligible++
		}
	}
	if !r.Truncated {
		d.LeftCount, d.ErrorCount = int64(len(d.Left)), int64(len(d.Errors))
	}
	return d
}

func (d roleRun) text(w *textWriter) {
	name := "dry run"
	if d.ID != nil {
		name = "run " + strconv.FormatInt(*d.ID, 10)
	}
	w.line("%s of %s, %s: %s; %d moved, %d merged, %d left, %d derived, %d errors", name, plain(d.Scope), d.Direction, d.Status, d.Moved, d.Merged, d.LeftCount, d.Derived, d.ErrorCount)
	if d.Batches {
		w.line("  in batches: copy, flip, clean")
	}
	if d.Step != "" {
		w.line("  %s: %d of about %d rows", d.Step, d.Done, d.Total)
	}
	if d.NotEligible > 0 {
		w.line("  %s of kinds that do not move", count(int(d.NotEligible), "row", "rows"))
	}
	for _, r := range d.Left {
		w.line("  left: %s as %s %s (%s)", plain(r.User), plain(r.Role), plain(r.Scope), r.Reason)
	}
	if d.Truncated {
		w.line("  there are more rows than are listed: --csv has all of them")
	}
	for _, r := range d.Errors {
		w.line("  not moved: %s as %s %s (%s): %s", plain(r.User), plain(r.Role), plain(r.Scope), r.Reason, plain(r.Note))
	}
}

// roleRuns is the document of several.
type roleRuns struct {
	Runs []roleRun `json:"runs"`
}

func newRoleRuns(list []roleshift.Run, dry bool) roleRuns {
	d := roleRuns{make([]roleRun, len(list))}
	for i, r := range list {
		d.Runs[i] = newRoleRun(r, dry)
	}
	return d
}

// oneOrMore prints a run by itself, several as a list.
func oneOrMore(d roleRuns) document {
	if len(d.Runs) == 1 {
		return d.Runs[0]
	}
	return d
}

func (d roleRuns) text(w *textWriter) {
	if len(d.Runs) == 0 {
		w.line("no runs")
	}
	for _, r := range d.Runs {
		r.text(w)
	}
}

// partly is the status to end with after a run of which rows could not move.
const partly = 4

func partial(runs ...roleshift.Run) error {
	for _, r := range runs {
		if r.Status == roleshift.Partial || r.Status == roleshift.Failed {
			return ended(partly)
		}
	}
	return nil
}

func (c *cli) authzMove(name string, direction roleshift.Direction) *cobra.Command {
	m := app.RoleMove{Direction: direction}
	var courses []string
	var org string
	short, what := "Make assignments of the platform's role rows", `Migrate makes assignments of the platform's own role rows`
	if direction == roleshift.Rollback {
		short, what = "Make the platform's role rows of assignments", `Rollback makes the platform's own role rows of assignments`
	}
	cmd := &cobra.Command{
		Use: name + " (--course KEY… | --org ORG | --all)", Short: short, Args: cobra.NoArgs,
		Long: what + ` of courses, of an organization with its courses, or of all organizations,
each in one step, or in batches where they are very many, and with a run of its own. The flag stays as it is. What is moved stays where it was, too, unless
--delete-after is given, which takes that the flag has been set already. Courses whose own override has them on the other
side are left out. A dry run prints what becomes of each row. With --keep-going what cannot move is told of, and the rest
moves; the command ends with status 4 then.`,
		Example: `  lectern authz ` + name + ` --org ORG --dry-run
  lectern authz ` + name + ` --course course-v1:ORG+COURSE+RUN`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if m.Scopes, err = moveScopes(courses, org, m.All); err != nil {
				return err
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				meter, progress := c.progress()
				m.Progress = progress
				runs, err := a.MoveRoles(cmd.Context(), m)
				meter.end()
				if err != nil {
					return err
				}
				if err := c.print(oneOrMore(newRoleRuns(runs, c.global.dryRun))); err != nil {
					return err
				}
				return partial(runs...)
			})
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&courses, "course", nil, "`key` of a course; may be given again")
	f.StringVar(&org, "org", "", "short `name` of an organization")
	f.BoolVar(&m.All, "all", false, "every organization, one after the other")
	f.BoolVar(&m.DeleteAfter, "delete-after", false, "delete what has been moved where it was")
	f.BoolVar(&m.KeepGoing, "keep-going", false, "move what can be moved, though some cannot")
	return cmd
}

func moveScopes(courses []string, org string, every bool) (scopes []flags.Scope, err error) {
	n := 0
	for _, given := range []bool{len(courses) > 0, org != "", every} {
		if given {
			n++
		}
	}
	if n != 1 {
		return nil, usage("--course, --org, --all", "one of them says whose roles to move").WithNext("give exactly one of the three")
	}
	if org != "" {
		s, err := flags.ForOrg(org)
		return []flags.Scope{s}, err
	}
	for _, text := range courses {
		key, err := keys.ParseCourse(text)
		if err != nil || !strings.HasPrefix(text, "course-v1:") {
			return nil, fault.Errorf(fault.Usage, text, "roles are moved for courses with keys of today's form only").WithNext("write course-v1:ORG+COURSE+RUN")
		}
		s, err := flags.ForCourse(key)
		if err != nil {
			return nil, err
		}
		scopes = append(scopes, s)
	}
	return scopes, nil
}

func (c *cli) authzRuns() *cobra.Command {
	var retry, closing, resume, table bool
	var f roleshift.Filter
	var direction, status string
	cmd := &cobra.Command{
		Use: "runs [ID]", Short: "List moves of roles, or show one", Args: cobra.MaximumNArgs(1),
		Long: `Runs lists moves of roles between the platform's own role rows and assignments, newest first, those of other programs
too. With the number of a run it tells what became of each row. --retry tries again what failed of it, with the change of the
flag where that failed with it; --close ends one that is said to work and does not, as after a crash of another program; --csv
prints its rows as a table for other programs.

A run that moves very many roles does so in batches. Where its program has ended --resume takes it up where it stopped, and
--close takes back what it had copied; if the flag was turned already both do what is left to do.`,
		Example: `  lectern authz runs --status failed
  lectern authz runs 12 --csv`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				if retry || closing || resume || table {
					return usage("--retry, --close, --resume, --csv", "they are about one run").WithNext("give its number: lectern authz runs ID")
				}
				f.Direction, f.Status = roleshift.Direction(direction), roleshift.Status(status)
				return c.with(cmd.Context(), reading, func(a *app.App) error {
					list, err := a.RoleRuns(cmd.Context(), f)
					if err != nil {
						return err
					}
					return c.print(newRoleRuns(list, false))
				})
			}
			id, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || id <= 0 {
				return usage(args[0], "not the number of a run")
			}
			how := reading
			if retry || closing || resume {
				how = writing
			}
			return c.with(cmd.Context(), how, func(a *app.App) error { return c.oneRun(cmd.Context(), a, id, runVerb{retry, closing, resume, table}) })
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&retry, "retry", false, "try again what failed")
	fl.BoolVar(&closing, "close", false, "end a run that nobody works at")
	fl.BoolVar(&resume, "resume", false, "take up a run in batches whose program has ended")
	fl.BoolVar(&table, "csv", false, "print the rows as comma-separated values")
	fl.StringVar(&direction, "direction", "", "only forward or rollback `runs`")
	fl.StringVar(&status, "status", "", "only runs with this `status`")
	fl.StringVar(&f.Key, "scope", "", "only runs of this course `key` or organization")
	fl.IntVar(&f.Limit, "limit", 100, "at most so `many`")
	cmd.MarkFlagsMutuallyExclusive("retry", "close", "resume", "csv")
	return cmd
}

// runVerb says what is done with one run; without any it is shown.
type runVerb struct{ retry, closing, resume, table bool }

func (c *cli) oneRun(ctx context.Context, a *app.App, id int64, do runVerb) error {
	var again *roleshift.Run
	var err error
	switch {
	case do.retry:
		meter, progress := c.progress()
		again, err = a.RetryRoleRun(ctx, id, progress)
		meter.end()
	case do.resume:
		meter, progress := c.progress()
		again, err = a.ResumeRoleRun(ctx, id, progress)
		meter.end()
	case do.closing:
		err = a.CloseRoleRun(ctx, id)
	case do.table:
		return c.runTable(ctx, a, id)
	}
	if err != nil {
		return err
	}
	if again != nil {
		if err := c.print(newRoleRun(*again, c.global.dryRun)); err != nil {
			return err
		}
		return partial(*again)
	}
	run, err := a.RoleRun(ctx, id)
	if err != nil {
		return err
	}
	return c.print(newRoleRun(run, false))
}

// runTable prints the rows of a run as they are read.
func (c *cli) runTable(ctx context.Context, a *app.App, id int64) error {
	w := csv.NewWriter(c.env.Stdout)
	_ = w.Write([]string{"row", "user", "role", "scope", "outcome", "reason", "note"}) // Flush keeps the first error
	err := a.RoleRunRows(ctx, id, func(list []roleshift.Record) error {
		for _, rec := range list {
			r := newMovedRow(rec)
			_ = w.Write([]string{strconv.FormatInt(r.Row, 10), r.User, r.Role, r.Scope, r.Outcome, r.Reason, r.Note})
		}
		return w.Error()
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

// reconciled is the document of where flag and roles disagree.
type reconciled struct {
	Drift []driftRow `json:"drift"`
	Runs  []roleRun  `json:"runs"` // of --apply
}

type driftRow struct {
	Scope string `json:"scope"`
	Flag  string `json:"flag"` // on or off
	Data  string `json:"data"` // legacy, authz or both
}

func newReconciled(drift []roleshift.Drift, runs []roleshift.Run, dry bool) reconciled {
	d := reconciled{Drift: make([]driftRow, len(drift)), Runs: newRoleRuns(runs, dry).Runs}
	for i, x := range drift {
		row := driftRow{Scope: x.Course + x.Org, Flag: onOff(x.On), Data: "both"}
		if !x.Authz {
			row.Data = "legacy"
		} else if !x.Legacy {
			row.Data = "authz"
		}
		d.Drift[i] = row
	}
	return d
}

func (d reconciled) text(w *textWriter) {
	if len(d.Drift) == 0 {
		w.line("roles stand where the flag says")
		return
	}
	w.row("SCOPE", "FLAG", "ROLES")
	for _, r := range d.Drift {
		w.row(r.Scope, r.Flag, r.Data)
	}
	for _, r := range d.Runs {
		r.text(w)
	}
}

func (c *cli) authzReconcile() *cobra.Command {
	var apply bool
	cmd := &cobra.Command{
		Use: "reconcile [--apply]", Short: "Tell where roles do not stand where the flag says", Args: cobra.NoArgs,
		Long: `Reconcile compares the authoring flag of courses and organizations with where their roles stand: as the platform's own
rows, which count where it is off, or as assignments, which count where it is on. They differ after changes by programs that
move no roles. --apply moves what can be moved to the side of the flag.`,
		Example: `  lectern authz reconcile
  lectern authz reconcile --apply --dry-run`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			how := reading
			if apply {
				how = writing
			}
			return c.with(cmd.Context(), how, func(a *app.App) error {
				drift, runs, err := a.ReconcileRoles(cmd.Context(), apply)
				if err != nil {
					return err
				}
				if err := c.print(newReconciled(drift, runs, c.global.dryRun)); err != nil {
					return err
				}
				return partial(runs...)
			})
		},
	}
	cmd.Flags().BoolVar(&apply, "apply", false, "move roles to the side of the flag")
	return cmd
}
