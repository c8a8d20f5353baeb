package app

import (
	"context"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

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
	if err != nil {
		return nil, err
	}
	return visible(ctx, a, "List", out, func(s course.Summary) thing { return thePackage(s.Key) })
}

// Show reads the outline of a course at a moment ("" is draft), down to depth levels; negative means all.
func (a *App) Show(ctx context.Context, key keys.Course, moment string, depth int) (out *course.Overview, err error) {
	if err := a.mayCourse(ctx, "Show", key); err != nil {
		return out, err
	}
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
	if err := a.mayCourse(ctx, "Publish", key); err != nil {
		return out, err
	}
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) (err error) {
		out, err = c.Publish(ctx, tx, a.Files, blocks, a.author(message))
		return err
	})
	return a.forget(out), err
}

// Discard points the drafts of blocks with their trees, or of the whole course, back at what is published.
func (a *App) Discard(ctx context.Context, key keys.Course, blocks []courseware.BlockID, message string) (out *course.Written, err error) {
	if err := a.mayCourse(ctx, "Discard", key); err != nil {
		return out, err
	}
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) (err error) {
		out, err = c.Discard(ctx, tx, blocks, a.author(message))
		return err
	})
	return a.forget(out), err
}

// Diff compares two moments of a course, of one block with what is below it when block is not nil.
func (a *App) Diff(ctx context.Context, key keys.Course, from, to string, block *courseware.BlockID) (out []course.Change, err error) {
	if err := a.mayCourse(ctx, "Diff", key); err != nil {
		return out, err
	}
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
	if err := a.mayCourse(ctx, "Restore", key); err != nil {
		return out, err
	}
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

// Rerun copies a course into a new one under another key. progress may be nil.
func (a *App) Rerun(ctx context.Context, key, to keys.Course, moment, message string, progress Progress) (out *course.Report, err error) {
	made, err := theCourse(to)
	if err != nil {
		return nil, err
	}
	if err := a.notOld(ctx, "Rerun", true, made); err != nil {
		return nil, err
	}
	if err := a.mayCourse(ctx, "Rerun", key); err != nil {
		return nil, err
	}
	if err := a.mayAlso(ctx, "Rerun", made); err != nil {
		return nil, err
	}
	err = a.make(ctx, func(tx *db.Tx, files media.Files) error {
		c, m, err := a.at(ctx, tx, key, moment, "published")
		if err != nil {
			return err
		}
		at := &m
		if moment == "" && !hasBranch(key) {
			at = nil
		}
		if out, err = c.Rerun(ctx, tx, files, to, at, a.author(message), progress.step("versions")); err != nil {
			return err
		}
		return a.own(ctx, tx, made)
	})
	return a.forgetReport(out), err
}

// Delete takes a course out of draft and published; with purge its rows are removed for good.
func (a *App) Delete(ctx context.Context, key keys.Course, purge bool, message string) (out *course.Report, err error) {
	if err := a.mayCourse(ctx, "Delete", key); err != nil {
		return out, err
	}
	if purge {
		if err := a.mayAlso(ctx, "Delete", thing{}); err != nil {
			return nil, err
		}
	}
	err = a.change(ctx, key, func(tx *db.Tx, c *course.Course) (err error) {
		if out, err = c.Remove(ctx, tx, a.Files, a.author(message)); err != nil || !purge {
			return err
		}
		out.Forget()
		return c.Purge(ctx, tx)
	})
	return a.forgetReport(out), err
}
