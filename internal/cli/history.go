package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
)

// history is the document of a history.
type history struct {
	Entries []historic `json:"entries"`
}

// historic is one entry, with the time and the user as the contract has them.
type historic struct {
	course.HistoryEntry
	At stamp   `json:"at"`
	By *string `json:"by"`
}

func newHistory(entries []app.HistoryEntry) history {
	h := history{make([]historic, len(entries))}
	for i, e := range entries {
		h.Entries[i] = historic{e.HistoryEntry, stamp(e.At), e.Name}
	}
	return h
}

func (d history) text(w *textWriter) {
	if len(d.Entries) == 0 {
		w.line("no entries")
		return
	}
	w.row("MOMENT", "KIND", "TIME (UTC)", "BY", "CHANGES", "MESSAGE", "LABELS")
	for _, e := range d.Entries {
		by := "-"
		if e.By != nil {
			by = *e.By
		}
		w.row(e.Moment, e.Kind, e.At.short(), by, e.Changes, e.Message, strings.Join(e.Labels, ", "))
	}
}

func (c *cli) historyCommand(n noun) *cobra.Command {
	var block, before string
	var limit int
	cmd := &cobra.Command{
		Use:   "history KEY",
		Short: "List what was changed and published, newest first",
		Long: `History lists the entries of a ` + n.one + `: changes of drafts (c) and publishes (p) in one list, newest first. Every
entry is a moment that show, diff, export and restore take.
` + momentHelp,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern ` + n.one + ` history ` + n.form + ` --limit 10`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := n.key(args[0])
			if err != nil {
				return err
			}
			only, err := blockFlag(key, block)
			if err != nil {
				return err
			}
			if limit < 0 {
				return usage("--limit", "cannot be negative")
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				entries, err := a.History(cmd.Context(), key, only, limit, before)
				if err != nil {
					return err
				}
				return c.print(newHistory(entries))
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&block, "block", "", "`key` of a block: only entries that changed it")
	f.IntVar(&limit, "limit", 0, "at most so `many` entries (default all)")
	f.StringVar(&before, "before", "", "only entries before this `moment`")
	return cmd
}
