package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
)

// block is the document of one block.
type block struct{ *course.BlockView }

func (d block) text(w *textWriter) { w.line("%s", d.where()) }

func (d block) where() string {
	s := fmt.Sprintf("%s version %d, %s", d.Key, d.Version, d.State)
	if d.Parent != nil {
		s += fmt.Sprintf(", at %d in %s", *d.Index, *d.Parent)
	}
	return s
}

// olx is the document of block show: people get the OLX alone on stdout, so that it can be saved and edited.
type olx struct{ block }

func (d olx) text(w *textWriter) { w.line("%s", strings.TrimSuffix(d.OLX, "\n")) }

// changedBlock is the document of a block after a change.
type changedBlock struct {
	block
	ChangeLog *int64 `json:"change_log"`
}

// several is the document of several blocks.
type several[D document] struct {
	Blocks []D `json:"blocks"`
}

func (d several[D]) text(w *textWriter) {
	for _, b := range d.Blocks {
		if o, ok := any(b).(olx); ok {
			w.line("<!-- %s -->", o.where())
		}
		b.text(w)
	}
}

// printBlocks prints one block by itself, and several as a list.
func printBlocks[D document](c *cli, blocks []D) error {
	if len(blocks) == 1 {
		return c.print(blocks[0])
	}
	return c.print(several[D]{blocks})
}

// changed prints blocks after a change.
func (c *cli) changed(results []app.BlockResult, err error) error {
	if err != nil {
		return err
	}
	docs := make([]changedBlock, len(results))
	for i, r := range results {
		docs[i] = changedBlock{block{r.BlockView}, r.ChangeLog}
	}
	return printBlocks(c, docs)
}

func (c *cli) blockCommand() *cobra.Command {
	return c.family("block", "Show, create, edit, move and delete blocks",
		verb{c.blockShowCommand(), olx{}}, verb{c.blockCreateCommand(), changedBlock{}},
		verb{c.blockEditCommand(), changedBlock{}}, verb{c.blockMoveCommand(), changedBlock{}},
		verb{c.blockDeleteCommand(), changedBlock{}},
	)
}

func (c *cli) blockShowCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "show KEY...",
		Short: "Show the OLX of blocks",
		Long: `Show prints the OLX of a block without its child blocks, a container's as its element alone, and on stderr its version,
state and place. With several KEYs the document has a list, blocks.
` + momentHelp,
		Args:    cobra.MinimumNArgs(1),
		Example: `  lectern block show ` + usageForm + ` --at published`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ks, err := usageKeys(args)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				views, err := a.Blocks(cmd.Context(), ks, at)
				if err != nil {
					return err
				}
				docs := make([]olx, len(views))
				for i, v := range views {
					docs[i] = olx{block{v}}
				}
				if len(docs) == 1 {
					c.tell("%s", docs[0].where())
				}
				return printBlocks(c, docs)
			})
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "`moment` to show (default draft)")
	return cmd
}

// tell says something beside the result, to people.
func (c *cli) tell(format string, args ...any) {
	if !c.global.quiet && !c.global.json {
		fmt.Fprintf(c.env.Stderr, format+"\n", args...)
	}
}

// place is where a block shall stand, as flags.
type placement struct {
	parent string
	index  int
}

func (p *placement) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.parent, "parent", "", "`key` of the block to stand in")
	cmd.Flags().IntVar(&p.index, "index", -1, "`place` among its children, from 0 (default at the end)")
}

// position reads the flags; the zero position is none.
func (p *placement) position(cmd *cobra.Command, in keys.Course) (course.Position, error) {
	at := course.Position{Index: p.index}
	if cmd.Flags().Changed("index") && p.index < 0 {
		return at, usage("--index", "counts from 0")
	}
	parent, err := blockFlag(in, p.parent)
	if parent != nil {
		at.Parent = *parent
	}
	return at, err
}

func (c *cli) blockCreateCommand() *cobra.Command {
	var files []string
	var message string
	var to placement
	cmd := &cobra.Command{
		Use:   "create KEY... --olx FILE|- --parent KEY",
		Short: "Add blocks to the draft",
		Long: `Create adds a block. KEY is the new block's, or the course's: then type and url_name come from the OLX, and a missing name
is 32 new hex digits. Pages (about, course_info, static_tab, custom_tag_template) have no parent. Several KEYs take one
--olx each and come one after the other, all or none.`,
		Args: cobra.MinimumNArgs(1),
		Example: `  lectern block create ` + courses.form + ` --olx problem.xml --parent ` + usageForm + ` --index 0
  echo '<vertical display_name="Unit 4"/>' | lectern block create ` + courses.form + ` --olx - --parent ` + usageForm,
		RunE: func(cmd *cobra.Command, args []string) error {
			var in keys.Course
			blocks := make([]app.NewBlock, len(args))
			for i, arg := range args {
				of, id, err := target(arg)
				if err != nil {
					return err
				}
				if i > 0 && !sameCourse(of, in) {
					return usage(arg, "the blocks are of several courses").WithNext("make those of one course at a time")
				}
				in, blocks[i].ID = of, id
			}
			at, err := to.position(cmd, in)
			if err != nil {
				return err
			}
			srcs, err := c.sources(cmd.Context(), files, len(args))
			if err != nil {
				return err
			}
			for i := range blocks {
				blocks[i].OLX = srcs[i]
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				return c.changed(a.CreateBlocks(cmd.Context(), in, blocks, at, message))
			})
		},
	}
	olxFlag(cmd, &files, "")
	messageFlag(cmd, &message)
	to.flags(cmd)
	return cmd
}

// target reads the key of a block to be made, or of the course or library to make it in.
func target(text string) (in keys.Course, id courseware.BlockID, err error) {
	if k, err := keys.ParseCourse(text); err == nil {
		n := courses
		if k.IsLibrary() {
			n = libraries
		}
		in, err = n.key(text)
		return in, id, err
	}
	k, err := usageKey(text)
	if err != nil {
		return in, id, err
	}
	return course.BlockOf(k)
}

func (c *cli) blockEditCommand() *cobra.Command {
	var files []string
	var message string
	var from baseFlag
	cmd := &cobra.Command{
		Use:   "edit KEY...",
		Short: "Replace the OLX of blocks",
		Long: `Edit replaces the OLX of a block, which keeps its name, its place and its children. The OLX comes from a file, from stdin,
or from $VISUAL or $EDITOR: then the draft is opened, and what is saved is an edit of the version that was shown. With
--base an edit is refused, with both sides, when the draft is no longer that version. An edit that is refused loses no text.

Several KEYs take one --olx each, and are edited all or none.`,
		Args: cobra.MinimumNArgs(1),
		Example: `  lectern block edit ` + usageForm + `
  lectern block edit ` + usageForm + ` --olx problem.xml --base 3 -m "Clearer question"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ks, err := usageKeys(args)
			if err != nil {
				return err
			}
			base, err := from.value(cmd)
			if err != nil {
				return err
			}
			if len(files) == 0 && len(ks) == 1 {
				return c.editByHand(cmd.Context(), ks[0], base, message)
			}
			srcs, err := c.sources(cmd.Context(), files, len(ks))
			if err != nil {
				return err
			}
			edits := make([]app.BlockEdit, len(ks))
			for i := range edits {
				edits[i] = app.BlockEdit{Key: ks[i], OLX: srcs[i], Base: base}
			}
			return c.save(cmd.Context(), edits, message)
		},
	}
	olxFlag(cmd, &files, " (default: open the editor)")
	messageFlag(cmd, &message)
	from.flag(cmd)
	return cmd
}

func (c *cli) save(ctx context.Context, edits []app.BlockEdit, message string) error {
	return c.with(ctx, writing, func(a *app.App) error { return c.changed(a.EditBlocks(ctx, edits, message)) })
}

func (c *cli) blockMoveCommand() *cobra.Command {
	var message string
	var to placement
	var from baseFlag
	cmd := &cobra.Command{
		Use:   "move KEY... --parent KEY",
		Short: "Put blocks elsewhere",
		Long: `Move puts blocks, in the order given, into a parent, all or none. Without --parent they stay in theirs and only change
their place.`,
		Args:    cobra.MinimumNArgs(1),
		Example: `  lectern block move ` + usageForm + ` --parent ` + usageForm + ` --index 0`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ks, err := usageKeys(args)
			if err != nil {
				return err
			}
			in, _, err := course.BlockOf(ks[0])
			if err != nil {
				return err
			}
			at, err := to.position(cmd, in)
			if err != nil {
				return err
			}
			if at.Parent.IsZero() && at.Index < 0 {
				return usage("--parent", "it is not said where to").WithNext("name a parent with --parent KEY, or a place with --index N")
			}
			base, err := from.value(cmd)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				return c.changed(a.MoveBlocks(cmd.Context(), ks, at, base, message))
			})
		},
	}
	messageFlag(cmd, &message)
	to.flags(cmd)
	from.flag(cmd)
	return cmd
}

func (c *cli) blockDeleteCommand() *cobra.Command {
	var message string
	var from baseFlag
	cmd := &cobra.Command{
		Use:   "delete KEY...",
		Short: "Take blocks out of the draft",
		Long: `Delete takes blocks with everything below them out of the draft, all or none. Learners see them until that is published;
discard or restore brings them back to their places.`,
		Args:    cobra.MinimumNArgs(1),
		Example: `  lectern block delete ` + usageForm,
		RunE: func(cmd *cobra.Command, args []string) error {
			ks, err := usageKeys(args)
			if err != nil {
				return err
			}
			base, err := from.value(cmd)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				return c.changed(a.DeleteBlocks(cmd.Context(), ks, base, message))
			})
		},
	}
	messageFlag(cmd, &message)
	from.flag(cmd)
	return cmd
}
