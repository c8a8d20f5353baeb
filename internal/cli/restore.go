package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
)

func (c *cli) restoreCommand(n noun) *cobra.Command {
	var at, message string
	cmd := &cobra.Command{
		Use:   "restore KEY --at MOMENT [BLOCK...]",
		Short: "Make drafts what they were at a moment",
		Long: `Restore makes the drafts of the whole ` + n.one + `, or of some blocks with their trees, what they were at a moment. It is
an ordinary change of drafts: nothing is published, and nothing is lost. A block comes back under the parent it had then.
` + momentHelp,
		Args: cobra.MinimumNArgs(1),
		Example: `  lectern ` + n.one + ` restore ` + n.form + ` --at published~1
  lectern ` + n.one + ` restore ` + n.form + ` --at c12 ` + usageForm,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			blocks, err := blocksOf(key, args[1:])
			if err != nil {
				return err
			}
			if at == "" {
				return usage("--at", "restore needs a moment").WithNext("see the moments with: lectern " + n.one + " history " + key.String())
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				r, err := a.Restore(cmd.Context(), key, at, blocks, message)
				return c.reported(n, "restored", r, err)
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "`moment` to go back to")
	messageFlag(cmd, &message)
	return cmd
}

// reported prints the counts of something that is reported as an import is.
func (c *cli) reported(n noun, verb string, r *course.Report, err error) error {
	if err != nil {
		return err
	}
	return c.print(imported{report: c.report(n, verb, r), Findings: []courseware.Finding{}})
}

func (c *cli) rerunCommand(n noun) *cobra.Command {
	var at, message string
	cmd := &cobra.Command{
		Use:   "rerun KEY NEWKEY",
		Short: "Copy a " + n.one + " to a new key",
		Long: `Rerun copies a ` + n.one + ` into a new one, with the keys and links in it moved along: what is published and what is
drafted, or with --at the state of one moment, published. The history of the new one begins with this.
` + momentHelp,
		Args:    cobra.ExactArgs(2),
		Example: `  lectern ` + n.one + ` rerun ` + n.form + ` ` + n.form + `2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			to, err := n.key(args[1])
			if err != nil {
				return err
			}
			meter, progress := c.progress()
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				var r *course.Report
				err := a.Recorded(cmd.Context(), n.one+" rerun", args[1], progress, func(ctx context.Context, p app.Progress) (any, error) {
					var err error
					r, err = a.Rerun(ctx, key, to, at, message, p)
					return r, err
				})
				meter.end()
				return c.reported(n, "made", r, err)
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "`moment` to copy alone")
	messageFlag(cmd, &message)
	return cmd
}

func (c *cli) deleteCommand(n noun) *cobra.Command {
	var purge bool
	var message string
	cmd := &cobra.Command{
		Use:   "delete KEY",
		Short: "Take a " + n.one + " out of draft and published",
		Long: `Delete takes every block out of the drafts and out of what is published, and the ` + n.one + ` out of the list. Nothing is
lost: list --deleted shows it, and restore brings it back from any moment of its history.

With --purge --yes all rows of it are removed for good, its history with them.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern ` + n.one + ` delete ` + n.form,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			if purge && !c.global.yes && !c.global.dryRun {
				return fault.Errorf(fault.Refused, key.String(), "a purge cannot be undone").
					WithNext("add --yes to do it, or leave --purge out to keep the history")
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				verb := "deleted"
				if purge {
					verb = "purged"
				}
				r, err := a.Delete(cmd.Context(), key, purge, message)
				return c.reported(n, verb, r, err)
			})
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove all rows for good; needs --yes")
	messageFlag(cmd, &message)
	return cmd
}
