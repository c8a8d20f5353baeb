package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/sample"
)

// demonstrated is the document of the demo.
type demonstrated struct {
	Dir     string         `json:"dir"`
	Import  report         `json:"import"`
	Edits   []changedBlock `json:"edits"`
	Publish published      `json:"publish"`
	Diff    compared       `json:"diff"`
	History history        `json:"history"`
	Export  exported       `json:"export"`
	Next    []string       `json:"next"` // commands to try
}

func (d demonstrated) text(w *textWriter) {
	w.line("In the folder %s, a course about lighthouses was", d.Dir)
	w.line("  imported   %d blocks from %s, one unit of them a draft", d.Import.Created, filepath.Join(d.Dir, "course"))
	for _, b := range d.Edits {
		w.line("  edited     %s, now version %d", b.Key, b.Version)
	}
	w.line("  published  these two, as p%d", *d.Publish.PublishLog)
	w.line("  exported   to %s", d.Export.path)
	w.line("\nWhat learners see differs by:\n")
	d.Diff.text(w)
	w.line("\nIts history:\n")
	d.History.text(w)
	w.line("\nTry next:\n")
	for _, line := range d.Next {
		w.line("  %s", line)
	}
}

func (c *cli) demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it on a small course: import, edit, publish, compare, export",
		Long: `Demo makes a folder with a store of its own, imports a small course about lighthouses into it, changes a problem and a
unit, publishes them, shows the difference and the history, and exports the result. It ends with commands to try next.`,
		Args:    cobra.NoArgs,
		Example: `  lectern demo --dir /tmp/lighthouses`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.global.db != "" || c.global.data != "" || c.global.media != "" || c.global.user != "" || c.global.dryRun {
				return usage("demo", "it has a store of its own").WithNext("name its folder with --dir, and leave the flags about stores and users out")
			}
			made, err := freshFolder(dir)
			if err != nil {
				return err
			}
			d, err := c.demo(cmd.Context(), dir)
			if err != nil {
				return errors.Join(err, made.remove())
			}
			return c.print(d)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "lectern-demo", "`folder` to make; it may exist if it is empty")
	return cmd
}

// demo does what the command promises.
func (c *cli) demo(ctx context.Context, dir string) (d demonstrated, err error) {
	d.Dir = dir
	src := filepath.Join(dir, "course")
	if err := os.CopyFS(src, sample.Course()); err != nil {
		return d, err
	}
	key, err := courses.key(sample.CourseKey)
	if err != nil {
		return d, err
	}
	a, err := app.Open(ctx, app.Config{Data: dir, Write: true})
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	r, err := a.Import(ctx, src, app.ImportOptions{KeepAssets: true, Message: "the sample course"})
	if err != nil {
		return d, err
	}
	d.Import = c.report(courses, "imported", r.Report)
	if err := d.edit(ctx, a, key); err != nil {
		return d, err
	}
	if err := d.lookBack(ctx, a, key); err != nil {
		return d, err
	}
	archive := filepath.Join(dir, "lighthouses.tar.gz")
	e, err := a.Export(ctx, key, archive, "", nil)
	if err != nil {
		return d, err
	}
	d.Export = exported{Exported: e, path: archive}
	d.Next = c.nextAfterDemo(dir)
	return d, nil
}

// edit changes a problem and a unit and publishes both.
func (d *demonstrated) edit(ctx context.Context, a *app.App, key keys.Course) error {
	var ids []courseware.BlockID
	for _, e := range []struct{ kind, name, old, new, message string }{
		{"problem", "why_height", "To keep the lamp dry", "To keep the lamp out of the spray", "a wrong answer that tempts more"},
		{"vertical", "fires", "Fires on Hills", "Fires on Hills and Islands", "the title says more"},
	} {
		k, err := key.Usage(e.kind, e.name)
		if err != nil {
			return err
		}
		now, err := a.Blocks(ctx, []keys.Usage{k}, "draft")
		if err != nil {
			return err
		}
		text := strings.Replace(now[0].OLX, e.old, e.new, 1)
		r, err := a.EditBlocks(ctx, []app.BlockEdit{{Key: k, OLX: []byte(text), Base: &now[0].Version}}, e.message)
		if err != nil {
			return err
		}
		d.Edits = append(d.Edits, changedBlock{block{r[0].BlockView}, r[0].ChangeLog})
		ids = append(ids, courseware.BlockID{Type: e.kind, Name: e.name})
	}
	p, err := a.Publish(ctx, key, ids, "first correction")
	if err != nil {
		return err
	}
	d.Publish = published{p.Log, p.Entries}
	return nil
}

// lookBack compares the two publishes and lists the history.
func (d *demonstrated) lookBack(ctx context.Context, a *app.App, key keys.Course) (err error) {
	if d.Diff.Changes, err = a.Diff(ctx, key, "published~1", "published", nil); err != nil {
		return err
	}
	entries, err := a.History(ctx, key, nil, 0, "")
	d.History = newHistory(entries)
	return err
}

// nextAfterDemo returns commands that work after the demo.
func (c *cli) nextAfterDemo(dir string) []string {
	on := " --data " + quote(dir)
	watch := "block-v1:Lectern+LIGHT+2025+type@sequential+block@night_watch"
	problem := "block-v1:Lectern+LIGHT+2025+type@problem+block@why_height"
	var lines []string
	for _, line := range []string{
		"course show " + sample.CourseKey + on,
		"block show " + problem + " --at published~1" + on,
		"block edit " + problem + on,
		"course diff " + sample.CourseKey + " published draft" + on,
		"course publish " + sample.CourseKey + " " + watch + " -m 'A unit about fog'" + on,
		"course restore " + sample.CourseKey + " --at published~1" + on,
		"course export " + sample.CourseKey + " --at published -o " + quote(filepath.Join(dir, "again.zip")) + on,
	} {
		lines = append(lines, c.program()+" "+line)
	}
	return lines
}

// program is how the program is called from where the person is.
func (c *cli) program() string {
	if c.env.Program == "" {
		return "lectern"
	}
	return c.env.Program
}

// quote makes one word of a shell of s.
func quote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("/._-+:@", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// folder is one that a command fills.
type folder struct {
	path string
	made bool
}

// freshFolder makes a folder, or takes one that is empty. One that holds anything is a Conflict.
func freshFolder(path string) (folder, error) {
	f := folder{path: path}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.made = true
		if err := os.MkdirAll(path, 0o777); err != nil {
			return f, err
		}
	case err != nil:
		return f, err
	case len(entries) > 0:
		return f, fault.Errorf(fault.Conflict, path, "the folder is not empty").WithNext("name another with --dir, or remove it")
	}
	return f, nil
}

// remove takes away what was made, the folder too unless it was there before.
func (f folder) remove() error {
	if f.made {
		return os.RemoveAll(f.path)
	}
	entries, err := os.ReadDir(f.path)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(f.path, e.Name())))
	}
	return err
}
