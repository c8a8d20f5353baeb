package cli

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
)

// imported is the document of an import.
type imported struct {
	report
	Findings []courseware.Finding `json:"findings"`
	Ignored  []string             `json:"ignored"`
	failed   bool
}

func (d imported) text(w *textWriter) {
	writeFindings(w, d.Findings)
	if !d.failed {
		d.report.text(w)
	}
	if n := len(d.Ignored); n > 0 {
		w.line("  ignored: %d files or folders that the format does not know, such as %s", n, plain(d.Ignored[0]))
	}
}

func (c *cli) importCommand(n noun) *cobra.Command {
	o := app.ImportOptions{Library: n.library}
	var key string
	cmd := &cobra.Command{
		Use:   "import SRC",
		Short: "Bring a " + n.one + " to the state of an archive, folder or backup",
		Long: `Import reads a .tar.gz, .zip or folder of OLX, or a backup of a ` + n.one + `, and brings the ` + n.one + ` to that state: it is
made where there is none, else only what differs gets a new version, and importing the same archive twice writes nothing the
second time. The history of a backup stays behind: to have that as well, restore it with: lectern package restore.

All of it is one transaction: when anything is wrong nothing is changed, and every finding is listed. With --lenient
blocks that cannot be read are kept as they are instead.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern ` + n.one + ` import ` + n.one + `.tar.gz
  lectern ` + n.one + ` import folder --key ` + n.form + ` --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if key != "" {
				if o.Key, err = n.key(key); err != nil {
					return err
				}
			}
			meter, progress := c.progress()
			o.Progress = progress
			show := func(result *app.ImportResult, err error) error {
				meter.end()
				if result == nil {
					return err
				}
				d := imported{c.report(n, "imported", result.Report), result.Findings, result.Ignored, err != nil}
				if err == nil || fault.Is(err, fault.Invalid) && len(d.Findings) > 0 {
					return errors.Join(c.print(d), err)
				}
				return err
			}
			if result, err := app.CheckImport(cmd.Context(), c.config(making), args[0], o); err != nil {
				return show(result, err)
			}
			return c.with(cmd.Context(), making, func(a *app.App) error {
				var result *app.ImportResult
				err := a.Recorded(cmd.Context(), n.one+" import", cmp.Or(key, filepath.Base(args[0])), progress, func(ctx context.Context, p app.Progress) (any, error) {
					o.Progress = p
					var err error
					result, err = a.Import(ctx, args[0], o)
					return result, err
				})
				return show(result, err)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&key, "key", "", "`key` to import under (default the archive's own)")
	f.BoolVar(&o.Lenient, "lenient", false, "keep blocks that cannot be read as they are")
	f.BoolVar(&o.DraftsOnly, "drafts-only", false, "publish nothing")
	f.BoolVar(&o.KeepAssets, "keep-assets", true, "keep static files that the archive lacks")
	messageFlag(cmd, &o.Message)
	return cmd
}
