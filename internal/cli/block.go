package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// block is the document of one block. ChangeLog is there after a change: null when nothing differed.
type block struct {
	*course.BlockView
	ChangeLog **int64 `json:"change_log,omitempty"`
}

func (d block) text(w *textWriter) { blocks{Blocks: []block{d}}.text(w) }

func (d block) where() string {
	s := fmt.Sprintf("%s version %d, %s", d.Key, d.Version, d.State)
	if d.Parent != nil {
		s += fmt.Sprintf(", at %d in %s", *d.Index, *d.Parent)
	}
	return s
}

// blocks is the document of several.
type blocks struct {
	Blocks    []block `json:"blocks"`
	ChangeLog **int64 `json:"change_log,omitempty"`
}

func (d blocks) text(w *textWriter) {
	for _, b := range d.Blocks {
		w.line("%s", b.where())
	}
}

// olx is the document of block show: people get the OLX alone on stdout, so that it can be saved and edited.
type olx struct{ block }

func (d olx) text(w *textWriter) { w.line("%s", strings.TrimSuffix(d.OLX, "\n")) }

// olxs is the document of several, each under a comment that names it.
type olxs struct {
	Blocks []olx `json:"blocks"`
}

func (d olxs) text(w *textWriter) {
	for _, b := range d.Blocks {
		w.line("<!-- %s -->", b.where())
		b.text(w)
	}
}

// changed prints blocks after a change.
func (c *cli) changed(views []*course.BlockView, r *course.Report) error {
	d := blocks{ChangeLog: &r.ChangeLog}
	for _, v := range views {
		d.Blocks = append(d.Blocks, block{BlockView: v})
	}
	if len(views) == 1 {
		d.Blocks[0].ChangeLog = d.ChangeLog
		return c.print(d.Blocks[0])
	}
	return c.print(d)
}

func (c *cli) blockCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "block", Short: "Show, create, edit, move and delete blocks"}
	cmd.AddCommand(c.blockShowCommand(), c.blockCreateCommand(), c.blockEditCommand(), c.blockMoveCommand(), c.blockDeleteCommand())
	return cmd
}

func (c *cli) blockShowCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "show KEY...",
		Short: "Show the OLX of blocks",
		Long: `Show prints the OLX of a block without its child blocks, a container's as its element alone, and on stderr its version,
state and place.
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
				var d olxs
				for _, v := range views {
					d.Blocks = append(d.Blocks, olx{block{BlockView: v}})
				}
				if len(d.Blocks) > 1 {
					return c.print(d)
				}
				c.tell("%s", d.Blocks[0].where())
				return c.print(d.Blocks[0])
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
	var file, message string
	var to placement
	cmd := &cobra.Command{
		Use:   "create KEY --olx FILE|- --parent KEY",
		Short: "Add a block to the draft",
		Long: `Create adds a block. KEY is the new block's, or the course's: then type and url_name come from the OLX, and a missing name
is 32 new hex digits. Pages (about, course_info, static_tab, custom_tag_template) have no parent.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern block create ` + courses.form + ` --olx problem.xml --parent ` + usageForm + ` --index 0
  echo '<vertical display_name="Unit 4"/>' | lectern block create ` + courses.form + ` --olx - --parent ` + usageForm,
		RunE: func(cmd *cobra.Command, args []string) error {
			in, id, err := target(args[0])
			if err != nil {
				return err
			}
			at, err := to.position(cmd, in)
			if err != nil {
				return err
			}
			src, err := c.source(file)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				view, r, err := a.CreateBlock(cmd.Context(), in, id, src, at, message)
				if err != nil {
					return err
				}
				return c.changed([]*course.BlockView{view}, r)
			})
		},
	}
	cmd.Flags().StringVar(&file, "olx", "", "`file` with the OLX of the block, - for stdin")
	cmd.Flags().StringVarP(&message, "message", "m", "", "`text` for the history")
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

// source reads the OLX that --olx names.
func (c *cli) source(file string) ([]byte, error) {
	switch file {
	case "":
		return nil, usage("--olx", "there is no OLX").WithNext("name a file with --olx FILE, or - for stdin")
	case "-":
		src, err := io.ReadAll(c.env.Stdin)
		if err != nil {
			return nil, fault.Errorf(fault.Unavailable, "standard input", "cannot be read: %w", err)
		}
		return src, nil
	}
	src, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, file, "there is no such file: %w", err)
	}
	return src, err
}

// baseFlag is --base, which may be left out.
type baseFlag struct{ version int }

func (b *baseFlag) flag(cmd *cobra.Command) {
	cmd.Flags().IntVar(&b.version, "base", 0, "`version` that the change starts from; refused when the draft is another by now")
}

func (b *baseFlag) value(cmd *cobra.Command) (*int, error) {
	if !cmd.Flags().Changed("base") {
		return nil, nil
	}
	if b.version < 1 {
		return nil, usage("--base", "versions count from 1")
	}
	return &b.version, nil
}

func (c *cli) blockEditCommand() *cobra.Command {
	var file, message string
	var from baseFlag
	cmd := &cobra.Command{
		Use:   "edit KEY",
		Short: "Replace the OLX of a block",
		Long: `Edit replaces the OLX of a block, which keeps its name, its place and its children. The OLX comes from a file, from stdin,
or from $VISUAL or $EDITOR: then the draft is opened, and what is saved is an edit of the version that was shown. With
--base an edit is refused, with both sides, when the draft is no longer that version. An edit that is refused loses no text.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern block edit ` + usageForm + `
  lectern block edit ` + usageForm + ` --olx problem.xml --base 3 -m "Clearer question"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := usageKey(args[0])
			if err != nil {
				return err
			}
			base, err := from.value(cmd)
			if err != nil {
				return err
			}
			if file == "" {
				return c.editByHand(cmd.Context(), key, base, message)
			}
			src, err := c.source(file)
			if err != nil {
				return err
			}
			return c.saveEdit(cmd.Context(), key, src, base, message)
		},
	}
	cmd.Flags().StringVar(&file, "olx", "", "`file` with the OLX, - for stdin (default: open the editor)")
	cmd.Flags().StringVarP(&message, "message", "m", "", "`text` for the history")
	from.flag(cmd)
	return cmd
}

func (c *cli) saveEdit(ctx context.Context, key keys.Usage, src []byte, base *int, message string) error {
	return c.with(ctx, writing, func(a *app.App) error {
		view, r, err := a.EditBlock(ctx, key, src, base, message)
		if err != nil {
			return err
		}
		return c.changed([]*course.BlockView{view}, r)
	})
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
				views, r, err := a.MoveBlocks(cmd.Context(), ks, at, base, message)
				if err != nil {
					return err
				}
				return c.changed(views, r)
			})
		},
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "`text` for the history")
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
				views, r, err := a.DeleteBlocks(cmd.Context(), ks, base, message)
				if err != nil {
					return err
				}
				return c.changed(views, r)
			})
		},
	}
	cmd.Flags().StringVarP(&message, "message", "m", "", "`text` for the history")
	from.flag(cmd)
	return cmd
}
