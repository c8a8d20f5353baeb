package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
)

// deadLetters is the document of what was given up.
type deadLetters struct {
	Letters []deadLetter `json:"dead"`
}

type deadLetter struct {
	ID       int64     `json:"id"`
	Webhook  int64     `json:"webhook"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error"`
	Event    eventLine `json:"event"`
}

func (d deadLetters) text(w *textWriter) {
	if len(d.Letters) == 0 {
		w.line("no dead letters")
		return
	}
	w.row("LETTER", "WEBHOOK", "EVENT", "TYPE", "ATTEMPTS", "LAST ERROR")
	for _, l := range d.Letters {
		w.row(l.ID, l.Webhook, l.Event.ID, l.Event.Type, l.Attempts, l.Error)
	}
}

// revived and dropped are the documents of what is done with dead letters.
type revived struct {
	Retried int64 `json:"retried"`
}

func (d revived) text(w *textWriter) {
	w.line("%s due again", count(int(d.Retried), "dead letter is", "dead letters are"))
}

type dropped struct {
	Dropped int64 `json:"dropped"`
}

func (d dropped) text(w *textWriter) {
	w.line("%s removed", count(int(d.Dropped), "dead letter", "dead letters"))
}

func (c *cli) deadCommand() *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the dead letters",
		Args:    cobra.NoArgs,
		Example: `  lectern events dead list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.DeadLetters(cmd.Context())
				if err != nil {
					return err
				}
				d := deadLetters{make([]deadLetter, len(list))}
				for i, x := range list {
					d.Letters[i] = deadLetter{x.ID, x.Webhook, x.Attempts, x.Error, newEventLine(x.What)}
				}
				return c.print(d)
			})
		},
	}
	retry := c.onDead("retry", "Try dead letters again",
		`Retry makes dead letters due again, with all attempts before them. Such an event arrives after later ones of its learning package.`,
		func(ctx context.Context, a *app.App, ids []int64) (document, error) {
			n, err := a.ReviveDeadLetters(ctx, ids)
			return revived{n}, err
		})
	drop := c.onDead("drop", "Remove dead letters", `Drop removes dead letters for good: the webhook is never told of these events.`,
		func(ctx context.Context, a *app.App, ids []int64) (document, error) {
			n, err := a.DropDeadLetters(ctx, ids)
			return dropped{n}, err
		})
	return c.family("dead", "List, retry and drop dead letters: events that a webhook did not take", verb{list, deadLetters{}}, verb{retry, revived{}}, verb{drop, dropped{}})
}

// onDead makes a command that does something with the dead letters named, or with all.
func (c *cli) onDead(name, short, long string, do func(context.Context, *app.App, []int64) (document, error)) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   name + " ID... | --all",
		Short: short,
		Long:  long,
		Args:  cobra.ArbitraryArgs,
		Example: `  lectern events dead ` + name + ` 7 8
  lectern events dead ` + name + ` --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := rowIDs(args)
			if err != nil {
				return err
			}
			if all == (len(ids) > 0) {
				return usage(cmd.CommandPath(), "name either dead letters or --all")
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				d, err := do(cmd.Context(), a, ids)
				if err != nil {
					return err
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all dead letters")
	return cmd
}
