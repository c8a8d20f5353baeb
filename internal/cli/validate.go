package cli

import (
	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
)

// validated is the document of a validation.
type validated struct {
	Findings []courseware.Finding `json:"findings"`
	Blocks   int                  `json:"blocks"`
	Files    int                  `json:"files"`
}

func (d validated) text(w *textWriter) {
	writeFindings(w, d.Findings)
	errors, warnings, infos := tally(d.Findings)
	w.line("%s and %s: %s, %s, %s", count(d.Blocks, "block", "blocks"), count(d.Files, "file", "files"),
		count(errors, "error", "errors"), count(warnings, "warning", "warnings"), count(infos, "note", "notes"))
}

func (c *cli) validateCommand(n noun) *cobra.Command {
	return &cobra.Command{
		Use:   "validate SRC",
		Short: "Check an archive or folder without importing it",
		Long: `Validate reads a .tar.gz, .zip or folder and lists everything there is to say about it, with file, line and what to
do. It needs no database. The status is 1 when any finding is an error.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern ` + n.one + ` validate ` + n.one + `.tar.gz`,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := app.Validate(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := c.print(validated{r.Findings, r.Blocks, r.Files}); err != nil {
				return err
			}
			if errors, _, _ := tally(r.Findings); errors > 0 {
				return fault.Errorf(fault.Invalid, args[0], "%s found", count(errors, "error", "errors")).WithNext("correct what the findings name")
			}
			return nil
		},
	}
}
