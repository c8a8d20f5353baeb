package cli

import (
	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
)

// labels is the document of the label command.
type labels struct {
	Labels []labelled `json:"labels"`
}

type labelled struct {
	course.Label
	At stamp `json:"at"`
}

func (d labels) text(w *textWriter) {
	if len(d.Labels) == 0 {
		w.line("no labels")
		return
	}
	w.row("LABEL", "MOMENT", "SET (UTC)")
	for _, l := range d.Labels {
		w.row(l.Name, l.Moment, l.At.short())
	}
}

func (c *cli) labelCommand(n noun) *cobra.Command {
	var at, remove string
	cmd := &cobra.Command{
		Use:   "label KEY [NAME]",
		Short: "Name a moment, or list or remove such names",
		Long: `Label gives a name to a moment, which can then be used wherever a moment can. Without NAME it lists the labels.
` + momentHelp,
		Args: cobra.RangeArgs(1, 2),
		Example: `  lectern ` + n.one + ` label ` + n.form + ` spring-2025 --at published
  lectern ` + n.one + ` label ` + n.form + ` --remove spring-2025`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			removing := cmd.Flags().Changed("remove")
			switch {
			case removing && (len(args) == 2 || at != ""):
				return usage("--remove", "goes with no other name and no --at")
			case len(args) == 1 && at != "":
				return usage("--at", "a label needs a name").WithNext("write: lectern " + n.one + " label KEY NAME --at MOMENT")
			}
			use, do := reading, func(a *app.App) ([]course.Label, error) { return a.Labels(ctx, key) }
			if removing {
				use, do = writing, func(a *app.App) ([]course.Label, error) { return a.Unlabel(ctx, key, remove) }
			} else if len(args) == 2 {
				use, do = writing, func(a *app.App) ([]course.Label, error) { return a.Label(ctx, key, args[1], at) }
			}
			return c.with(ctx, use, func(a *app.App) error {
				all, err := do(a)
				if err != nil {
					return err
				}
				d := labels{make([]labelled, len(all))}
				for i, l := range all {
					d.Labels[i] = labelled{l, stamp(l.At)}
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "`moment` to name (default draft)")
	cmd.Flags().StringVar(&remove, "remove", "", "`name` of the label to remove")
	return cmd
}
