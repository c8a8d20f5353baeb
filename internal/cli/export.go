package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
)

// exported is the document of an export.
type exported struct {
	Library string `json:"library,omitempty"`
	*app.Exported
	path string
}

func (d exported) text(w *textWriter) {
	w.line("%s at %s: %s, %d bytes, in %s", d.Course, d.At, count(d.Files, "file", "files"), d.Bytes, d.path)
	for _, key := range d.Skipped {
		w.line("  left out %s: archives hold drafts below published parents only; --at draft has it", key)
	}
	if d.SHA256 != nil {
		w.line("  sha256 %s", *d.SHA256)
	}
}

func (c *cli) exportCommand(n noun) *cobra.Command {
	var out, at string
	cmd := &cobra.Command{
		Use:   "export KEY -o FILE.tar.gz|FILE.zip|DIR",
		Short: "Write a " + n.one + " to an archive or folder",
		Long: `Export writes the published state, with the drafts that differ from it under drafts/. With --at it writes the
state of one moment alone. Equal content gives equal bytes. An archive takes its place when it is complete; a folder
must be new or empty.
` + momentHelp,
		Args: cobra.ExactArgs(1),
		Example: `  lectern ` + n.one + ` export ` + n.form + ` -o ` + n.one + `.tar.gz
  lectern ` + n.one + ` export ` + n.form + ` -o before --at p12`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			if out == "" {
				return usage("--output", "an export needs a place to go").WithNext("name it with -o FILE.tar.gz, FILE.zip or DIR")
			}
			meter, progress := c.progress()
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				var e *app.Exported
				err := a.Recorded(cmd.Context(), n.one+" export", args[0], progress, func(ctx context.Context, p app.Progress) (any, error) {
					var err error
					e, err = a.Export(ctx, key, out, at, p)
					return e, err
				})
				meter.end()
				if err != nil {
					return err
				}
				d := exported{Exported: e, path: out}
				if n.library {
					d.Library = e.Course
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`path` to write to: .tar.gz, .zip or a folder")
	cmd.Flags().StringVar(&at, "at", "", "`moment` to export alone")
	return cmd
}
