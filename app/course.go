package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
	"github.com/openlectern/lectern/olx/archive"
	"github.com/openlectern/lectern/user"
)

// Progress is told how far a long operation is: which step, and how many of how many of its items are done.
type Progress func(step string, done, total int)

// ImportOptions says how to import.
type ImportOptions struct {
	Key        keys.Course // target; the zero key means the archive's own
	Library    bool        // the archive must hold a legacy library, else it must hold a course
	Lenient    bool        // keep broken blocks as they are
	DraftsOnly bool        // publish nothing
	KeepAssets bool        // keep static files that the archive lacks
	Message    string
	Progress   Progress // may be nil
}

// ImportResult is what an import did, zeros where it failed, and what it noticed.
type ImportResult struct {
	*course.Report
	Findings []courseware.Finding `json:"findings"`
}

// Import reads an archive and brings the course it holds to that state, in one transaction. When the archive cannot be
// read nothing is changed, and the findings of the result tell why.
func (a *App) Import(ctx context.Context, path string, o ImportOptions) (_ *ImportResult, err error) {
	result := &ImportResult{Report: &course.Report{Course: o.Key.String()}, Findings: []courseware.Finding{}}
	o.Progress.begin("reading the archive")
	src, err := archive.Open(ctx, path, archive.Limits{}, archive.Options{})
	if err != nil {
		result.refused(err)
		return result, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	read, err := olx.Read(ctx, src, olx.ReadOptions{Lenient: o.Lenient, Target: o.Key})
	if read != nil {
		result.Findings = append(result.Findings, read.Findings...)
		if o.Key.IsZero() {
			result.Course = read.Source.String()
		}
	}
	if err != nil {
		return result, err
	}
	if err := o.expects(path, read.Source); err != nil {
		return result, err
	}
	if _, err := a.Sweep(ctx, media.GuardAge); err != nil {
		return result, err
	}
	err = a.Update(ctx, func(tx *db.Tx) error {
		report, err := course.Import{
			Key: read.State.Published.Key, State: read.State, By: a.By, Message: o.Message, Source: path,
			DraftsOnly: o.DraftsOnly, KeepAssets: o.KeepAssets, Progress: o.Progress.step("versions"),
		}.Run(ctx, tx, a.Files)
		if err == nil {
			result.Report = a.forgetReport(report)
		}
		return err
	})
	return result, err
}

// expects refuses an archive of the other kind than the one meant.
func (o ImportOptions) expects(path string, source keys.Course) error {
	switch {
	case o.Library && source.IsCourse():
		return fault.Errorf(fault.Invalid, path, "this is a course, not a library").WithNext("import it with: lectern course import " + path)
	case !o.Library && !source.IsCourse():
		return fault.Errorf(fault.Invalid, path, "this is a library, not a course").WithNext("import it with: lectern library import " + path)
	}
	return nil
}

// refused makes a finding of an archive that is refused as a whole.
func (r *ImportResult) refused(err error) {
	var bad *archive.Error
	if errors.As(err, &bad) {
		r.Findings = append(r.Findings, courseware.Finding{File: cmp.Or(bad.Member, bad.Archive), Rule: bad.Rule,
			Severity: courseware.Error, Message: bad.Text, Remedy: "pack it again: plain files and folders only, each once"})
	}
}

// begin tells of a step whose length is not known.
func (p Progress) begin(name string) {
	if p != nil {
		p(name, 0, 0)
	}
}

func (p Progress) step(name string) func(done, total int) {
	if p == nil {
		return nil
	}
	return func(done, total int) { p(name, done, total) }
}

// Exported describes a written archive.
type Exported struct {
	Course string  `json:"course"`
	At     string  `json:"at"`
	Files  int     `json:"files"`
	Bytes  int64   `json:"bytes"`
	SHA256 *string `json:"sha256"` // null for a folder
	// Skipped are the drafted blocks that the format cannot hold, because their parents are not published (olx.md §1.15).
	Skipped []string `json:"skipped"`
}

// Export writes a course to an archive: without a moment the published tree with drafts/ beside it, with one that state
// alone. The archive's time is that of the entry exported, so equal content gives equal bytes.
func (a *App) Export(ctx context.Context, key keys.Course, path, moment string) (*Exported, error) {
	var state courseware.State
	var m course.Moment
	var modified time.Time
	err := a.View(ctx, func(tx *db.Tx) error {
		c, at, err := a.at(ctx, tx, key, moment, "published")
		if err != nil {
			return err
		}
		m = at
		if modified, err = c.Time(ctx, tx, at); err != nil {
			return err
		}
		if moment == "" && !hasBranch(key) {
			state, err = c.LoadState(ctx, tx, a.Files)
			return err
		}
		state.Published, err = c.Load(ctx, tx, a.Files, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &Exported{Course: state.Published.Key.String(), At: m.Name(), Skipped: []string{}}
	w, err := a.target(ctx, path, modified)
	if err != nil {
		return nil, err
	}
	if err := olx.Write(ctx, w, state, olx.WriteOptions{Skipped: func(id courseware.BlockID) {
		name := id.String()
		if k, err := state.Published.Key.Usage(id.Type, id.Name); err == nil {
			name = k.String()
		}
		out.Skipped = append(out.Skipped, name)
	}}); err != nil {
		return nil, errors.Join(err, w.Discard())
	}
	written, err := w.Close()
	if err != nil {
		return nil, err
	}
	if a.dryRun && folder(path) {
		written.Bytes, written.SHA256 = written.Content, "" // as it would be
	}
	out.Files, out.Bytes = written.Files, written.Bytes
	if written.SHA256 != "" {
		out.SHA256 = &written.SHA256
	}
	return out, nil
}

// target starts the archive at path; in a dry run one that is written nowhere.
func (a *App) target(ctx context.Context, path string, modified time.Time) (*archive.Writer, error) {
	switch {
	case !a.dryRun:
		return archive.Create(ctx, path, modified)
	case strings.HasSuffix(strings.ToLower(path), ".zip"):
		return archive.NewZip(ctx, io.Discard, modified), nil
	}
	return archive.NewTarGz(ctx, io.Discard, modified), nil
}

// folder reports whether an export to path is a folder (archive.Create).
func folder(path string) bool {
	path = strings.ToLower(path)
	return !strings.HasSuffix(path, ".tar.gz") && !strings.HasSuffix(path, ".tgz") && !strings.HasSuffix(path, ".zip")
}

func hasBranch(key keys.Course) bool {
	_, ok := key.Branch()
	return ok
}

// at finds a course and resolves a moment of it; the key's branch stands for a moment where none is given, and otherwise
// stands for what neither says.
func (a *App) at(ctx context.Context, q db.Querier, key keys.Course, moment, otherwise string) (*course.Course, course.Moment, error) {
	if moment == "" {
		var err error
		if moment, err = course.MomentOf(key); err != nil {
			return nil, course.Moment{}, err
		}
	} else if hasBranch(key) {
		return nil, course.Moment{}, fault.Errorf(fault.Usage, key.String(), "the key names a branch and --at a moment").
			WithNext("give one of them")
	}
	if moment == "" {
		moment = otherwise
	}
	c, err := course.Find(ctx, q, key)
	if err != nil {
		return nil, course.Moment{}, err
	}
	m, err := c.Resolve(ctx, q, moment)
	return c, m, err
}

// List summarises the courses, or the legacy libraries, of the store.
func (a *App) List(ctx context.Context, libraries, deleted bool) (out []course.Summary, err error) {
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		out, err = course.List(ctx, tx, libraries, deleted)
		return err
	})
	return out, err
}

// Show reads the outline of a course at a moment ("" is draft), down to depth levels; negative means all.
func (a *App) Show(ctx context.Context, key keys.Course, moment string, depth int) (out *course.Overview, err error) {
	err = a.View(ctx, func(tx *db.Tx) error {
		c, m, err := a.at(ctx, tx, key, moment, "draft")
		if err != nil {
			return err
		}
		out, err = c.Show(ctx, tx, m, depth)
		return err
	})
	return out, err
}

// change runs fn on a course in one transaction.
func (a *App) change(ctx context.Context, key keys.Course, fn func(tx *db.Tx, c *course.Course) error) error {
	return a.Update(ctx, func(tx *db.Tx) error {
		c, err := course.Find(ctx, tx, key)
		if err != nil {
			return err
		}
		return fn(tx, c)
	})
}

func (a *App) author(message string) course.Author {
	return course.Author{By: a.By, Message: message}
}

// forget takes the log out of a result that was not committed.
func (a *App) forget(w *course.Written) *course.Written {
	if a.dryRun && w != nil {
		w.Log = nil
	}
	return w
}

// Publish publishes blocks of a course with their trees, or everything when none is named.
func (a *App) Publish(ctx context.Context, key keys.Course, blocks []courseware.BlockID, message string) (out *course.Written, err error) {
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) (err error) {
		out, err = c.Publish(ctx, tx, a.Files, blocks, a.author(message))
		return err
	})
	return a.forget(out), err
}

// Discard points the drafts of blocks with their trees, or of the whole course, back at what is published.
func (a *App) Discard(ctx context.Context, key keys.Course, blocks []courseware.BlockID, message string) (out *course.Written, err error) {
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) (err error) {
		out, err = c.Discard(ctx, tx, blocks, a.author(message))
		return err
	})
	return a.forget(out), err
}

// Diff compares two moments of a course, of one block with what is below it when block is not nil.
func (a *App) Diff(ctx context.Context, key keys.Course, from, to string, block *courseware.BlockID) (out []course.Change, err error) {
	err = a.View(ctx, func(tx *db.Tx) error {
		c, err := course.Find(ctx, tx, key)
		if err != nil {
			return err
		}
		before, err := c.Resolve(ctx, tx, from)
		if err != nil {
			return err
		}
		after, err := c.Resolve(ctx, tx, to)
		if err != nil {
			return err
		}
		out, err = c.Diff(ctx, tx, a.Files, before, after, block)
		return err
	})
	return out, err
}

// Restore makes the drafts of blocks with their trees, or of the whole course, what they were at a moment.
func (a *App) Restore(ctx context.Context, key keys.Course, moment string, blocks []courseware.BlockID, message string) (out *course.Report, err error) {
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) error {
		m, err := c.Resolve(ctx, tx, moment)
		if err != nil {
			return err
		}
		out, err = c.Restore(ctx, tx, a.Files, m, blocks, a.author(message))
		return err
	})
	return a.forgetReport(out), err
}

func (a *App) forgetReport(r *course.Report) *course.Report {
	if a.dryRun && r != nil {
		r.Forget()
	}
	return r
}

// Rerun copies a course into a new one under another key.
func (a *App) Rerun(ctx context.Context, key, to keys.Course, moment, message string) (out *course.Report, err error) {
	err = a.Update(ctx, func(tx *db.Tx) error {
		c, m, err := a.at(ctx, tx, key, moment, "published")
		if err != nil {
			return err
		}
		at := &m
		if moment == "" && !hasBranch(key) {
			at = nil
		}
		out, err = c.Rerun(ctx, tx, a.Files, to, at, a.author(message))
		return err
	})
	return a.forgetReport(out), err
}

// Delete takes a course out of draft and published; with purge its rows are removed for good.
func (a *App) Delete(ctx context.Context, key keys.Course, purge bool, message string) (out *course.Report, err error) {
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) (err error) {
		if out, err = c.Remove(ctx, tx, a.Files, a.author(message)); err != nil || !purge {
			return err
		}
		out.Forget()
		return c.Purge(ctx, tx)
	})
	return a.forgetReport(out), err
}

// Labels lists the labels of a course.
func (a *App) Labels(ctx context.Context, key keys.Course) (out []course.Label, err error) {
	err = a.View(ctx, func(tx *db.Tx) error {
		c, err := course.Find(ctx, tx, key)
		if err != nil {
			return err
		}
		out, err = c.Labels(ctx, tx)
		return err
	})
	return out, err
}

// Label names a moment ("" is draft) and returns all labels; Unlabel removes a name.
func (a *App) Label(ctx context.Context, key keys.Course, name, moment string) (out []course.Label, err error) {
	err = a.Update(ctx, func(tx *db.Tx) error {
		c, m, err := a.at(ctx, tx, key, moment, "draft")
		if err != nil {
			return err
		}
		if err := c.SetLabel(ctx, tx, name, m, a.By); err != nil {
			return err
		}
		out, err = c.Labels(ctx, tx)
		return err
	})
	return out, err
}

// Unlabel removes a label and returns those that are left.
func (a *App) Unlabel(ctx context.Context, key keys.Course, name string) (out []course.Label, err error) {
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) (err error) {
		if err := c.RemoveLabel(ctx, tx, name); err != nil {
			return err
		}
		out, err = c.Labels(ctx, tx)
		return err
	})
	return out, err
}

// HistoryEntry is an entry of a history with the name of who made it.
type HistoryEntry struct {
	course.HistoryEntry
	Name *string // nil for nobody, and for somebody who is no user any more
}

// History lists the change logs and publish logs of a course, newest first.
func (a *App) History(ctx context.Context, key keys.Course, block *courseware.BlockID, limit int, before string) (out []HistoryEntry, err error) {
	err = a.View(ctx, func(tx *db.Tx) error {
		c, err := course.Find(ctx, tx, key)
		if err != nil {
			return err
		}
		f := course.HistoryFilter{Block: block, Limit: limit}
		if before != "" {
			m, err := c.Resolve(ctx, tx, before)
			if err != nil {
				return err
			}
			f.Before = &m
		}
		entries, err := c.History(ctx, tx, f)
		if err != nil {
			return err
		}
		out, err = named(ctx, tx, entries)
		return err
	})
	return out, err
}

// named adds the names of the people to a history.
func named(ctx context.Context, q db.Querier, entries []course.HistoryEntry) ([]HistoryEntry, error) {
	var ids []user.ID
	for _, e := range entries {
		if e.By != 0 {
			ids = append(ids, user.ID(e.By))
		}
	}
	slices.Sort(ids)
	names, err := user.Names(ctx, q, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	out := make([]HistoryEntry, len(entries))
	for i, e := range entries {
		out[i].HistoryEntry = e
		if name, ok := names[user.ID(e.By)]; ok {
			out[i].Name = &name
		}
	}
	return out, nil
}
