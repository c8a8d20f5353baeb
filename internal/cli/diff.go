package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
)

// compared is the document of a comparison.
type compared struct {
	Changes []course.Change `json:"changes"`
}

func (d compared) text(w *textWriter) {
	if len(d.Changes) == 0 {
		w.line("no difference")
		return
	}
	for _, ch := range d.Changes {
		if from, ok := ch.From.(course.Place); ok {
			to, _ := ch.To.(course.Place)
			w.line("%s %s: %s → %s", ch.Kind, ch.Key, place(from), place(to))
			continue
		}
		w.line("%s %s", ch.Kind, ch.Key)
		if ch.Diff != nil && *ch.Diff != "" {
			for _, line := range strings.Split(strings.TrimSuffix(*ch.Diff, "\n"), "\n") {
				w.line("    %s", plain(line))
			}
		}
	}
}

func place(p course.Place) string { return fmt.Sprintf("%s[%d]", p.Parent, p.Index) }

func (c *cli) diffCommand(n noun) *cobra.Command {
	var block string
	cmd := &cobra.Command{
		Use:   "diff KEY FROM TO",
		Short: "Compare two moments",
		Long: `Diff lists what was added, removed, moved and changed between two moments, with the text that differs.
` + momentHelp,
		Args: cobra.ExactArgs(3),
		Example: `  lectern ` + n.one + ` diff ` + n.form + ` published draft
  lectern ` + n.one + ` diff ` + n.form + ` p3 p5`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			only, err := blockFlag(key, block)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				changes, err := a.Diff(cmd.Context(), key, args[1], args[2], only)
				if err != nil {
					return err
				}
				return c.print(compared{changes})
			})
		},
	}
	cmd.Flags().StringVar(&block, "block", "", "`key` of a block: only it and what is below it")
	return cmd
}
