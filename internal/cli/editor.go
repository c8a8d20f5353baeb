package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// editByHand opens the draft of a block in the editor and saves what comes back. The text is kept in its file, and the
// error says where, unless it was saved or is as it was.
func (c *cli) editByHand(ctx context.Context, key keys.Usage, base *int, message string) error {
	editor := c.editor()
	if editor == "" {
		return usage("--olx", "there is no OLX, and no editor is set").WithNext("name a file with --olx FILE, - for stdin, or set EDITOR")
	}
	view, err := c.draft(ctx, key)
	if err != nil {
		return err
	}
	if base == nil {
		base = &view.Version
	}
	path, err := scratch([]byte(view.OLX))
	if err != nil {
		return err
	}
	// A key that interrupts programs may be one of the editor's own, so while it runs it is not ours.
	if err := c.runEditor(editor, path); err != nil {
		return withNext(err, "the text is kept in "+path)
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if bytes.Equal(src, []byte(view.OLX)) {
		c.tell("nothing was changed")
	}
	if err := c.save(context.WithoutCancel(ctx), []app.BlockEdit{{Key: key, OLX: src, Base: base}}, message); err != nil {
		return withNext(err, fmt.Sprintf("the text is kept in %s", path))
	}
	return os.Remove(path)
}

// editor returns the command that opens a file for a person; "" when none is set.
func (c *cli) editor() string {
	if v := c.env.Getenv("VISUAL"); v != "" {
		return v
	}
	return c.env.Getenv("EDITOR")
}

func (c *cli) draft(ctx context.Context, key keys.Usage) (view *course.BlockView, err error) {
	err = c.with(ctx, reading, func(a *app.App) error {
		views, err := a.Blocks(ctx, []keys.Usage{key}, "draft")
		if err == nil {
			view = views[0]
		}
		return err
	})
	return view, err
}

// scratch writes text to a new file that only this user can read.
func scratch(text []byte) (path string, err error) {
	f, err := os.CreateTemp("", "lectern-*.xml")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	return f.Name(), errors.Join(err, f.Close())
}

// runEditor runs the command as a shell would, as people put flags into these variables.
func (c *cli) runEditor(editor, path string) error {
	cmd := exec.Command("sh", "-c", editor+` "$1"`, editor, path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.env.Stdin, c.env.Stdout, c.env.Stderr
	if err := cmd.Run(); err != nil {
		return fault.Errorf(fault.Unavailable, editor, "the editor failed: %w", err)
	}
	return nil
}
