package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
)

// published is the document of a publish.
type published struct {
	PublishLog *int64         `json:"publish_log"`
	Entries    []course.Entry `json:"entries"`
}

func (d published) text(w *textWriter) { entries(w, "published", "p", d.PublishLog, d.Entries) }

// discarded is the document of a discard.
type discarded struct {
	ChangeLog *int64         `json:"change_log"`
	Entries   []course.Entry `json:"entries"`
}

func (d discarded) text(w *textWriter) { entries(w, "discarded", "c", d.ChangeLog, d.Entries) }

func entries(w *textWriter, verb, letter string, log *int64, list []course.Entry) {
	if len(list) == 0 {
		w.line("nothing differs, nothing %s", verb)
		return
	}
	if log != nil {
		w.line("%s, in history as %s%d", verb, letter, *log)
	} else {
		w.line("would be %s:", verb)
	}
	for _, e := range list {
		w.row("  "+version(e.From)+" → "+version(e.To), string(e.Why), e.Key)
	}
}

func version(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprint(*n)
}

func (c *cli) publishCommand(n noun) *cobra.Command {
	return c.pointCommand(n, &cobra.Command{
		Use:   "publish KEY [BLOCK...]",
		Short: "Publish everything that differs, or some blocks",
		Long: `Publish makes the drafts what learners see, in one step. A BLOCK means its whole tree; with it go the changed static
files that it names. Where the published parent would not list the block, publishing it alone is refused, and the block to
publish instead is named.`,
		Example: `  lectern ` + n.one + ` publish ` + n.form + ` -m "Week 3"`,
	}, func(ctx context.Context, a *app.App, key keys.Course, blocks []courseware.BlockID, message string) (document, error) {
		r, err := a.Publish(ctx, key, blocks, message)
		if err != nil {
			return nil, err
		}
		return published{r.Log, r.Entries}, nil
	})
}

func (c *cli) discardCommand(n noun) *cobra.Command {
	return c.pointCommand(n, &cobra.Command{
		Use:   "discard KEY [BLOCK...]",
		Short: "Throw drafts away: back to what is published",
		Long: `Discard points the drafts of the whole ` + n.one + `, or of some blocks with their trees, back at what is published. The
versions stay in the history: restore brings them back.`,
		Example: `  lectern ` + n.one + ` discard ` + n.form + ` ` + usageForm,
	}, func(ctx context.Context, a *app.App, key keys.Course, blocks []courseware.BlockID, message string) (document, error) {
		r, err := a.Discard(ctx, key, blocks, message)
		if err != nil {
			return nil, err
		}
		return discarded{r.Log, r.Entries}, nil
	})
}

// pointCommand completes a command that moves the drafts or what is published of some blocks, or of all.
func (c *cli) pointCommand(n noun, cmd *cobra.Command,
	do func(ctx context.Context, a *app.App, key keys.Course, blocks []courseware.BlockID, message string) (document, error)) *cobra.Command {
	var message string
	cmd.Args = cobra.MinimumNArgs(1)
	messageFlag(cmd, &message)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		key, err := n.key(args[0])
		if err != nil {
			return err
		}
		blocks, err := blocksOf(key, args[1:])
		if err != nil {
			return err
		}
		return c.with(cmd.Context(), writing, func(a *app.App) error {
			d, err := do(cmd.Context(), a, key, blocks, message)
			if err != nil {
				return err
			}
			return c.print(d)
		})
	}
	return cmd
}
