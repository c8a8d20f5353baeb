package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz/definitions"
	"github.com/openlectern/lectern/fault"
)

// policySeeded is the document of loading the shipped permissions.
type policySeeded struct {
	Added      [][]string `json:"added"`
	Removed    [][]string `json:"removed"`
	Unassigned []teamRow  `json:"unassigned"`
}

func (d policySeeded) text(w *textWriter) {
	if len(d.Added)+len(d.Removed) == 0 {
		w.line("nothing is missing")
		return
	}
	for _, r := range d.Removed {
		w.line("- %s", plain(strings.Join(r, ", ")))
	}
	for _, r := range d.Added {
		w.line("+ %s", plain(strings.Join(r, ", ")))
	}
	for _, r := range d.Unassigned {
		w.line("- assignment of %s as %s in %s", plain(r.User), plain(r.Role), plain(r.Scope))
	}
	w.line("%s added, %s removed", count(len(d.Added), "row", "rows"), count(len(d.Removed), "row", "rows"))
}

func (c *cli) authzSeed() *cobra.Command {
	var clear bool
	cmd := &cobra.Command{
		Use: "seed", Short: "Add the permissions of roles that a site starts with", Args: cobra.NoArgs,
		Long: `Seed adds those of the permissions that a site starts with which are missing, and removes none. A database that Lectern makes
has them from the beginning. With --clear all roles, their assignments and all implications are removed first, which needs --yes.`,
		Example: `  lectern authz seed --dry-run`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if clear && !c.global.yes && !c.global.dryRun {
				return fault.Errorf(fault.Refused, "--clear", "all roles and all assignments would be removed").WithNext("look first, with --dry-run; then run it with --yes")
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				s, err := a.SeedPolicy(cmd.Context(), clear)
				if err != nil {
					return err
				}
				d := policySeeded{append([][]string{}, s.Added...), append([][]string{}, s.Removed...), []teamRow{}}
				for _, g := range s.Unassigned {
					d.Unassigned = append(d.Unassigned, teamRow{User: g.User, Role: g.Role, Scope: g.Scope})
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().BoolVar(&clear, "clear", false, "remove all roles, their assignments and all implications first")
	return cmd
}

// schemaLoaded is the document of loaded definitions.
type schemaLoaded struct {
	Added      []string              `json:"added"`
	Updated    []string              `json:"updated"`
	Removed    []string              `json:"removed"`
	Blocked    []definitions.Blocked `json:"blocked"` // roles that would go although people hold them
	Unassigned []teamRow             `json:"unassigned"`
	Warnings   []definitions.Problem `json:"warnings"`

	lines []string
}

func newSchemaLoaded(a *definitions.Applied, warnings []definitions.Problem) schemaLoaded {
	d := schemaLoaded{[]string{}, []string{}, []string{}, append([]definitions.Blocked{}, a.Blocked...), []teamRow{}, append([]definitions.Problem{}, warnings...), a.Lines()}
	for _, l := range d.lines {
		switch l[0] {
		case '+':
			d.Added = append(d.Added, l[2:])
		case '~':
			d.Updated = append(d.Updated, l[2:])
		case '-':
			d.Removed = append(d.Removed, l[2:])
		}
	}
	for _, g := range a.Unassigned {
		d.Unassigned = append(d.Unassigned, teamRow{User: g.User, Role: g.Role, Scope: g.Scope})
	}
	return d
}

func (d schemaLoaded) text(w *textWriter) {
	for _, p := range d.Warnings {
		w.line("warning: %s", plain(p.String()))
	}
	if len(d.lines) == 0 {
		w.line("nothing to do")
		return
	}
	for _, l := range d.lines {
		w.line("%s", plain(l))
	}
	w.line("%d added, %d updated, %d removed", len(d.Added), len(d.Updated), len(d.Removed))
}

func (c *cli) authzSchemaLoad() *cobra.Command {
	var folders []string
	var force bool
	cmd := &cobra.Command{
		Use: "load", Short: "Bring roles and permissions to what files say", Args: cobra.NoArgs,
		Long: `Load reads the definitions that a site starts with and those in the .yaml files of further folders, and brings the database to
them: + is added, ~ updated, - removed. Rows of permissions that no file ever declared are left alone. What was loaded from a
folder that is not named again is removed. A role that would lose its last permission while people hold it (!) is refused, and
with --force taken from them.`,
		Example: `  lectern authz schema load --dry-run
  lectern authz schema load --dir /etc/lectern/roles`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				out, warnings, err := a.LoadDefinitions(cmd.Context(), folders, force)
				if err != nil {
					return err
				}
				return c.print(newSchemaLoaded(out, warnings))
			})
		},
	}
	cmd.Flags().StringArrayVar(&folders, "dir", nil, "further `folder` of .yaml files; may be given several times")
	cmd.Flags().BoolVar(&force, "force", false, "take roles that lose their last permission from the people who hold them")
	return cmd
}
