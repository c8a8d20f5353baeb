package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
)

func (c *cli) authzCommand() *cobra.Command {
	noun := c.family("authz", "Say who may do what: roles, permissions, assignments",
		verb{c.authzCheck(), checked{}}, verb{c.authzExplain(), explained{}},
		verb{c.authzAssign("assign", (*app.App).Assign), teamChanged{}}, verb{c.authzAssign("unassign", (*app.App).Unassign), teamChanged{}},
		verb{c.authzList(), assignmentList{}}, verb{c.authzAudit(), auditList{}}, verb{c.authzRoles(), roleList{}}, verb{c.authzSeed(), policySeeded{}})
	noun.AddCommand(c.family("schema", "Load definitions of roles and permissions from files", verb{c.authzSchemaLoad(), schemaLoaded{}}))
	return noun
}

// checked is the document of a question that is answered by yes or no.
type checked struct {
	Allowed bool `json:"allowed"`
}

func (d checked) text(w *textWriter) { w.line("%s", yesNo(d.Allowed)) }

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// answered ends a command that was told to end by its answer.
func answered(byAnswer, yes bool) error {
	if byAnswer && !yes {
		return ended(1)
	}
	return nil
}

const answers = `

The answer is the one of the permission system alone: for a course whose authoring flag is off, the platform asks its own role
rows instead.`

func (c *cli) authzCheck() *cobra.Command {
	var byAnswer bool
	cmd := &cobra.Command{
		Use: "check USER ACTION SCOPE", Short: "Answer whether a user may do something", Args: cobra.ExactArgs(3),
		Long:    `Check answers whether a user may do an action in a scope: yes or no. An action or user that there is not gets a no.` + answers,
		Example: `  lectern authz check jo courses.edit_course_content course-v1:ORG+COURSE+RUN`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				yes, err := a.CheckPermission(cmd.Context(), args[0], args[1], args[2])
				if err == nil {
					err = c.print(checked{yes})
				}
				if err != nil {
					return err
				}
				return answered(byAnswer, yes)
			})
		},
	}
	cmd.Flags().BoolVar(&byAnswer, "exit-code", false, "end with status 1 for a no")
	return cmd
}

// explained is the document of an answer with its reasons.
type explained struct {
	Allowed    bool     `json:"allowed"`
	Super      *string  `json:"super"`       // staff or superuser where that alone decides; else null
	Via        []via    `json:"via"`         // the rows that match, those that deny first
	Denies     []via    `json:"denies"`      // rows that deny anything, where one keeps a super admin out
	WouldGrant []string `json:"would_grant"` // for a no: roles of which each would make it a yes
}

// via is one way to a permission.
type via struct {
	Role       string   `json:"role"`
	Scope      string   `json:"scope"` // of the assignment; where there is none, the rule's pattern
	Permission string   `json:"permission"`
	Effect     string   `json:"effect"`
	Path       []string `json:"path"`    // roles from the assigned one to the rule's, where roles have roles
	Implied    []string `json:"implied"` // from the rule's permission to the one asked for, where one implies the other
	AssignedBy *string  `json:"assigned_by"`
	At         *stamp   `json:"at"`
	Reason     string   `json:"reason"`
}

func newExplained(e *authz.Explanation, from []authz.Origin) explained {
	d := explained{Allowed: e.Allowed, Via: []via{}, Denies: []via{}, WouldGrant: append([]string{}, e.Roles...)}
	if e.Super != "" {
		d.Super = &e.Super
	}
	origins := map[authz.Grant]authz.Origin{}
	for _, o := range from {
		origins[o.Grant] = o
	}
	ruleVia := func(r authz.Rule) via {
		return via{Role: r.Role, Scope: r.Scope, Permission: r.Action, Effect: r.Effect, Path: []string{}, Implied: []string{}}
	}
	for _, l := range e.Lines {
		v := ruleVia(l.Rule)
		v.Implied = append(v.Implied, l.Implied...)
		if len(l.Path) > 0 {
			v.Scope = l.Path[0].Scope
			for _, g := range l.Path {
				v.Path = append(v.Path, g.Role)
			}
			o := origins[l.Path[0]]
			if o.By != "" {
				v.AssignedBy = &o.By
			}
			if !o.Since.IsZero() {
				v.At = stampOf(&o.Since)
			}
			v.Reason = o.Reason
		}
		d.Via = append(d.Via, v)
	}
	for _, r := range e.Denies {
		d.Denies = append(d.Denies, ruleVia(r))
	}
	return d
}

func (d explained) text(w *textWriter) {
	w.line("%s", yesNo(d.Allowed))
	if d.Super != nil {
		w.line("the user is %s", *d.Super)
	}
	for _, v := range d.Denies {
		w.line("a row denies %s to %s in %s, and any such row keeps staff and superusers out everywhere", plain(v.Permission), plain(v.Role), plain(v.Scope))
	}
	for _, v := range d.Via {
		how := "allows"
		if v.Effect == "deny" {
			how = "denies"
		}
		line := plain(v.Role) + " in " + plain(v.Scope) + " " + how + " " + plain(v.Permission)
		if len(v.Implied) > 1 {
			line += ", which implies " + plain(strings.Join(v.Implied[1:], ", then "))
		}
		if len(v.Path) > 1 {
			line += " (by way of " + plain(strings.Join(v.Path, ", ")) + ")"
		}
		if v.AssignedBy != nil {
			line += "; assigned by " + plain(*v.AssignedBy)
		}
		if v.At != nil {
			line += "; since " + v.At.short()
		}
		w.line("%s", line)
	}
	if len(d.WouldGrant) > 0 {
		w.line("it would take one of these roles: %s", plain(strings.Join(d.WouldGrant, ", ")))
	}
}

func (c *cli) authzExplain() *cobra.Command {
	var byAnswer bool
	cmd := &cobra.Command{
		Use: "explain USER ACTION SCOPE", Short: "Answer whether a user may do something, and why", Args: cobra.ExactArgs(3),
		Long: `Explain answers like check, and tells through which assignments, roles and permissions: who made them and when, as far as
that is known. For a no it names the roles of which each would make it a yes.` + answers,
		Example: `  lectern authz explain jo courses.edit_course_content course-v1:ORG+COURSE+RUN`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				e, from, err := a.Explain(cmd.Context(), args[0], args[1], args[2])
				if err == nil {
					err = c.print(newExplained(e, from))
				}
				if err != nil {
					return err
				}
				return answered(byAnswer, e.Allowed)
			})
		},
	}
	cmd.Flags().BoolVar(&byAnswer, "exit-code", false, "end with status 1 for a no")
	return cmd
}

// roleList is the document of the roles that can be held.
type roleList struct {
	Roles []roleRow `json:"roles"`
}

type roleRow struct {
	Role        string   `json:"role"`
	Permissions []string `json:"permissions"`
}

func (d roleList) text(w *textWriter) {
	w.row("ROLE", "PERMISSIONS")
	for _, r := range d.Roles {
		w.row(r.Role, len(r.Permissions))
	}
}

func (c *cli) authzRoles() *cobra.Command {
	return &cobra.Command{
		Use: "roles", Short: "List the roles that people can hold", Args: cobra.NoArgs,
		Long:    `Roles lists the roles of libraries and of courses with their permissions, of which --json prints the names.`,
		Example: `  lectern authz roles --json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				roles, err := a.Roles(cmd.Context())
				if err != nil {
					return err
				}
				d := roleList{make([]roleRow, len(roles))}
				for i, r := range roles {
					d.Roles[i] = roleRow{r.Name, r.Actions()}
				}
				return c.print(d)
			})
		},
	}
}
