package app

import (
	"context"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Blocks shows blocks at a moment; "" means each key's branch, else draft.
func (a *App) Blocks(ctx context.Context, blocks []keys.Usage, moment string) (out []*course.BlockView, err error) {
	err = a.View(ctx, func(tx *db.Tx) error {
		out = out[:0]
		for _, key := range blocks {
			in, id, err := course.BlockOf(key)
			if err != nil {
				return err
			}
			c, m, err := a.at(ctx, tx, in, moment, "draft")
			if err != nil {
				return err
			}
			v, err := c.Block(ctx, tx, a.Files, id, m)
			if err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// EditBlock replaces the OLX of a block and shows the result. With base not nil it is a Conflict when the draft is no
// longer the version with that number.
func (a *App) EditBlock(ctx context.Context, key keys.Usage, src []byte, base *int, message string) (*course.BlockView, *course.Report, error) {
	in, id, err := blockToChange(key)
	if err != nil {
		return nil, nil, err
	}
	var view *course.BlockView
	var report *course.Report
	err = a.change(ctx, in, func(tx *db.Tx, c *course.Course) (err error) {
		if report, err = c.Edit(ctx, tx, a.Files, id, src, base, a.author(message)); err != nil {
			return err
		}
		view, err = a.draft(ctx, tx, c, id)
		return err
	})
	return view, a.forgetReport(report), err
}

// CreateBlock adds a block. Without key the id comes from the OLX, in the course given.
func (a *App) CreateBlock(ctx context.Context, in keys.Course, id courseware.BlockID, src []byte, at course.Position, message string) (*course.BlockView, *course.Report, error) {
	var view *course.BlockView
	var report *course.Report
	err := a.change(ctx, in, func(tx *db.Tx, c *course.Course) error {
		made, r, err := c.Create(ctx, tx, a.Files, id, src, at, a.author(message))
		if err != nil {
			return err
		}
		report = r
		view, err = a.draft(ctx, tx, c, made)
		return err
	})
	return view, a.forgetReport(report), err
}

// MoveBlocks puts blocks of one course under a parent, in the order given, and shows them.
func (a *App) MoveBlocks(ctx context.Context, blocks []keys.Usage, at course.Position, base *int, message string) ([]*course.BlockView, *course.Report, error) {
	in, ids, err := sameCourse(blocks)
	if err != nil {
		return nil, nil, err
	}
	var views []*course.BlockView
	var report *course.Report
	err = a.change(ctx, in, func(tx *db.Tx, c *course.Course) (err error) {
		if report, err = c.Move(ctx, tx, a.Files, ids, at, base, a.author(message)); err != nil {
			return err
		}
		views = views[:0]
		for _, id := range ids {
			v, err := a.draft(ctx, tx, c, id)
			if err != nil {
				return err
			}
			views = append(views, v)
		}
		return nil
	})
	return views, a.forgetReport(report), err
}

// DeleteBlocks takes blocks of one course with everything below them out of the draft, and shows them as they were.
func (a *App) DeleteBlocks(ctx context.Context, blocks []keys.Usage, base *int, message string) ([]*course.BlockView, *course.Report, error) {
	in, ids, err := sameCourse(blocks)
	if err != nil {
		return nil, nil, err
	}
	var views []*course.BlockView
	var report *course.Report
	err = a.change(ctx, in, func(tx *db.Tx, c *course.Course) (err error) {
		views = views[:0]
		for _, id := range ids {
			v, err := a.draft(ctx, tx, c, id)
			if err != nil {
				return err
			}
			v.State = course.StateDeleted
			views = append(views, v)
		}
		report, err = c.Delete(ctx, tx, a.Files, ids, base, a.author(message))
		return err
	})
	return views, a.forgetReport(report), err
}

func (a *App) draft(ctx context.Context, tx *db.Tx, c *course.Course, id courseware.BlockID) (*course.BlockView, error) {
	m, err := c.Resolve(ctx, tx, "draft")
	if err != nil {
		return nil, err
	}
	return c.Block(ctx, tx, a.Files, id, m)
}

// blockToChange splits the key of a block to be changed: only drafts are changed, so a key that names another branch is
// refused.
func blockToChange(key keys.Usage) (keys.Course, courseware.BlockID, error) {
	in, id, err := course.BlockOf(key)
	if err != nil {
		return in, id, err
	}
	moment, err := course.MomentOf(in)
	if err == nil && moment == "published" {
		err = fault.Errorf(fault.Usage, key.String(), "only drafts are changed").WithNext("leave the branch out of the key")
	}
	return in, id, err
}

func sameCourse(blocks []keys.Usage) (in keys.Course, ids []courseware.BlockID, err error) {
	for i, key := range blocks {
		c, id, err := blockToChange(key)
		if err != nil {
			return in, nil, err
		}
		if i > 0 && c != in {
			return in, nil, fault.Errorf(fault.Usage, key.String(), "the blocks are of several courses").WithNext("change one course at a time")
		}
		in, ids = c, append(ids, id)
	}
	return in, ids, nil
}
