package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
)

// shown is the document of an outline.
type shown struct{ *course.Overview }

func (d shown) text(w *textWriter) {
	at := d.At
	if at == "" {
		at = "the beginning"
	}
	w.line("%s at %s", d.Title, at)
	w.row("OUTLINE", "TYPE", "STATE", "BLOCK")
	outline(w, d.Outline, 0)
	for _, p := range d.Pages {
		outline(w, p, 0)
	}
	w.line("%s", count(d.Assets, "static file", "static files"))
}

func outline(w *textWriter, o *course.Outline, depth int) {
	title, state := o.Title, string(o.State)
	if title == "" {
		title = o.ID
	}
	if o.ChangedBelow && o.State == course.StatePublished {
		state = "changed below"
	}
	w.row(strings.Repeat("  ", depth)+title, o.Type, state, o.Key)
	for _, child := range o.Children {
		outline(w, child, depth+1)
	}
}

func (c *cli) showCommand(n noun) *cobra.Command {
	var at string
	var depth int
	cmd := &cobra.Command{
		Use:   "show KEY",
		Short: "Show the outline of a " + n.one,
		Long: `Show prints the tree of blocks with the state of each: new, changed, published, or deleted where the deletion is not
published yet. --at shows it as it was at a moment.
` + momentHelp,
		Args: cobra.ExactArgs(1),
		Example: `  lectern ` + n.one + ` show ` + n.form + ` --depth 2
  lectern ` + n.one + ` show ` + n.form + ` --at published`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				v, err := a.Show(cmd.Context(), key, at, depth)
				if err != nil {
					return err
				}
				return c.print(shown{v})
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "`moment` to show (default draft)")
	cmd.Flags().IntVar(&depth, "depth", -1, "`levels` below the root to show (default all)")
	return cmd
}
