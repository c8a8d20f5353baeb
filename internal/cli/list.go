package cli

import (
	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
)

// listing is the document of a list. That of libraries has them under both names, as [report] does.
type listing struct {
	Libraries *[]listed `json:"libraries,omitempty"`
	Courses   []listed  `json:"courses"`
	noun      noun
}

type listed struct {
	course.Summary
	PublishedAt *stamp `json:"published_at"`
}

func (d listing) text(w *textWriter) {
	if len(d.Courses) == 0 {
		w.line("no %s yet; bring one in with: lectern %s import SRC", d.noun.many, d.noun.one)
		return
	}
	w.row("KEY", "TITLE", "BLOCKS", "CHANGED", "PUBLISHED")
	for _, s := range d.Courses {
		published := "never"
		if s.PublishedAt != nil {
			published = s.PublishedAt.short()
		}
		if s.Deleted {
			published = "deleted"
		}
		w.row(s.Key, s.Title, s.Blocks, s.Changed, published)
	}
}

func (c *cli) listCommand(n noun) *cobra.Command {
	var deleted bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the " + n.many,
		Long:    `List shows every ` + n.one + ` with the number of its blocks and of what differs between draft and published.`,
		Args:    cobra.NoArgs,
		Example: `  lectern ` + n.one + ` list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				all, err := a.List(cmd.Context(), n.library, deleted)
				if err != nil {
					return err
				}
				d := listing{Courses: make([]listed, len(all)), noun: n}
				for i, s := range all {
					d.Courses[i] = listed{s, stampOf(s.PublishedAt)}
				}
				if n.library {
					d.Libraries = &d.Courses
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().BoolVar(&deleted, "deleted", false, "list deleted ones too")
	return cmd
}
