package cli

import (
	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
)

// assignmentList is the document of who has which role where.
type assignmentList struct {
	Assignments []assignmentRow `json:"assignments"`
}

type assignmentRow struct {
	User  string `json:"user"`
	Role  string `json:"role"`
	Scope string `json:"scope"`
	At    *stamp `json:"at"` // null where it is not known
}

func (d assignmentList) text(w *textWriter) {
	if len(d.Assignments) == 0 {
		w.line("no assignments")
		return
	}
	w.row("USER", "ROLE", "SCOPE", "SINCE (UTC)")
	for _, a := range d.Assignments {
		since := "-"
		if a.At != nil {
			since = a.At.short()
		}
		w.row(a.User, a.Role, a.Scope, since)
	}
}

// grantFlags are the flags that pick assignments.
func grantFlags(cmd *cobra.Command, username, role, scope *string) {
	f := cmd.Flags()
	f.StringVar(username, "user", "", "only of the user of that `name`")
	f.StringVar(role, "role", "", "only of that `role`")
	f.StringVar(scope, "scope", "", "only in exactly that `scope`")
}

func (c *cli) authzList() *cobra.Command {
	var f authz.Exact
	cmd := &cobra.Command{
		Use: "list", Short: "List who has which role where", Args: cobra.NoArgs,
		Long: `List prints the assignments that were made, in the order in which they were. One on a whole organization or platform
counts in each of its courses or libraries and is listed once.`,
		Example: `  lectern authz list --role course_admin
  lectern authz list --scope 'course-v1:ORG+*' --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.Assignments(cmd.Context(), f)
				if err != nil {
					return err
				}
				d := assignmentList{make([]assignmentRow, len(list))}
				for i, o := range list {
					d.Assignments[i] = assignmentRow{User: o.Grant.User, Role: o.Grant.Role, Scope: o.Grant.Scope}
					if !o.Since.IsZero() {
						d.Assignments[i].At = stampOf(&o.Since)
					}
				}
				return c.print(d)
			})
		},
	}
	grantFlags(cmd, &f.User, &f.Role, &f.Scope)
	return cmd
}

// auditList is the document of changes of assignments.
type auditList struct {
	Entries []auditRow `json:"entries"`
}

type auditRow struct {
	ID        int64   `json:"id"`
	Operation string  `json:"operation"` // created or deleted
	User      string  `json:"user"`
	Role      string  `json:"role"`
	Scope     string  `json:"scope"`
	Actor     *string `json:"actor"` // null where nobody is named, or the account is gone
	At        stamp   `json:"at"`
	Reason    string  `json:"reason"`
	Run       *int64  `json:"run"` // the move of roles that made it
}

func (d auditList) text(w *textWriter) {
	if len(d.Entries) == 0 {
		w.line("no entries")
		return
	}
	w.row("ENTRY", "TIME (UTC)", "BY", "OPERATION", "USER", "ROLE", "SCOPE", "REASON")
	for _, e := range d.Entries {
		by := "-"
		if e.Actor != nil {
			by = *e.Actor
		}
		w.row(e.ID, e.At.short(), by, e.Operation, e.User, e.Role, e.Scope, e.Reason)
	}
}

func (c *cli) authzAudit() *cobra.Command {
	var f authz.AuditFilter
	var since string
	cmd := &cobra.Command{
		Use: "audit", Short: "List changes of assignments, newest first", Args: cobra.NoArgs,
		Long: `Audit lists which assignments were made and taken back, when and by whom, whether by Lectern or by other programs. Reason
and run are known of Lectern's own changes.`,
		Example: `  lectern authz audit --user jo --since 720h
  lectern authz audit --limit 100 --before 4711 --json`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if f.Since, err = sinceTime(since); err != nil {
				return err
			}
			if f.Limit < 1 {
				return usage("--limit", "the number is not positive")
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.TeamAudit(cmd.Context(), f)
				if err != nil {
					return err
				}
				d := auditList{make([]auditRow, len(list))}
				for i, e := range list {
					d.Entries[i] = newAuditRow(e)
				}
				return c.print(d)
			})
		},
	}
	grantFlags(cmd, &f.User, &f.Role, &f.Scope)
	cmd.Flags().StringVar(&since, "since", "", "only since a `time`, like 2026-06-01T12:00:00Z, or for a duration, like 24h")
	cmd.Flags().IntVar(&f.Limit, "limit", 100, "at most so many")
	cmd.Flags().Int64Var(&f.Older, "before", 0, "only what is older than the `entry` of that number")
	cmd.Flags().Int64Var(&f.Run, "run", 0, "only of the move of roles of that `number`")
	return cmd
}

func newAuditRow(e app.TeamEntry) auditRow {
	r := auditRow{ID: e.ID, Operation: "deleted", User: e.Grant.User, Role: e.Grant.Role, Scope: e.Grant.Scope, At: stamp(e.At), Reason: e.Reason, Run: orNull(e.Run)}
	if e.Created {
		r.Operation = "created"
	}
	if e.By != "" {
		r.Actor = &e.By
	}
	return r
}
