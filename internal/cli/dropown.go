package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
)

// dropOwn is the document of db drop-own.
type dropOwn struct {
	database
	Dropped map[string]int64 `json:"dropped"` // rows of the tables that are gone, or in a dry run would be
	dry     bool
}

func (d dropOwn) text(w *textWriter) {
	if len(d.Dropped) == 0 {
		w.line("there are no tables of Lectern's own")
		return
	}
	verb := "dropped"
	if d.dry {
		verb = "would drop"
	}
	w.line("%s %s of Lectern's own:", verb, count(len(d.Dropped), "table", "tables"))
	for _, name := range slices.Sorted(maps.Keys(d.Dropped)) {
		w.row("  "+name, count(int(d.Dropped[name]), "row", "rows"))
	}
}

func (c *cli) dropOwnCommand() *cobra.Command {
	var t app.Takeover
	cmd := &cobra.Command{
		Use:   "drop-own",
		Short: "Remove Lectern's own tables and nothing else",
		Long: `Drop-own removes the tables whose names begin with lectern_, whichever version made them, and leaves those of Open edX as
they are. It is the way back to Open edX alone, and to a version of Lectern that is older than the one that made them: db
init makes them anew, empty. What is kept in them alone is lost: which packages are courses, labels, what a change was
made from, deleted courses that could be restored, events. --dry-run lists the tables and their rows.

Stop Lectern's servers first. While somebody changes the tables it refuses.`,
		Example: `  lectern db drop-own --dry-run
  lectern db drop-own --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dry := c.config(reading)
			dry.DryRun = true
			found, err := app.DropOwn(cmd.Context(), dry, t)
			if err != nil {
				return err
			}
			doc := dropOwn{newDatabase(found), found.Dropped, true}
			if c.global.dryRun || len(found.Dropped) == 0 {
				return c.print(doc)
			}
			rows := int64(0)
			for _, n := range found.Dropped {
				rows += n
			}
			if !c.global.yes {
				for _, name := range slices.Sorted(maps.Keys(found.Dropped)) {
					if n := found.Dropped[name]; n > 0 {
						c.note(fmt.Sprintf("%s: %s", name, count(int(n), "row", "rows")))
					}
				}
			}
			if err := c.confirm("database", fmt.Sprintf("drop %s of Lectern's own with %s", count(len(found.Dropped), "table", "tables"), count(int(rows), "row", "rows"))); err != nil {
				return err
			}
			t.Note = c.note
			if found, err = app.DropOwn(cmd.Context(), c.config(writing), t); err != nil {
				return err
			}
			return c.print(dropOwn{newDatabase(found), found.Dropped, false})
		},
	}
	waitFlags(cmd.Flags(), &t)
	return cmd
}
