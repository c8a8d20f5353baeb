package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Blocks shows blocks at a moment; "" means each key's branch, else draft.
func (a *App) Blocks(ctx context.Context, blocks []keys.Usage, moment string) (out []*course.BlockView, err error) {
	if err := a.blocksNotOld(ctx, "Blocks", blocks); err != nil {
		return nil, err
	}
	things, err := coursesOf(blocks)
	if err != nil {
		return nil, err
	}
	if err := a.may(ctx, "Blocks", things...); err != nil {
		return nil, err
	}
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

// BlockEdit is new OLX for a block.
type BlockEdit struct {
	Key  keys.Usage
	OLX  []byte
	Base *int // the version it was made from: a Conflict when the draft is another by now; nil for whatever it is
}

// BlockResult is a block after a change, and the change log of it, nil when nothing differed or nothing was written.
type BlockResult struct {
	*course.BlockView
	ChangeLog *int64
}

// EditBlocks replaces the OLX of blocks of one course, all or none.
func (a *App) EditBlocks(ctx context.Context, edits []BlockEdit, message string) (out []BlockResult, err error) {
	blocks := make([]keys.Usage, len(edits))
	for i, e := range edits {
		blocks[i] = e.Key
	}
	if err := a.blocksNotOld(ctx, "EditBlocks", blocks); err != nil {
		return nil, err
	}
	in, ids, err := sameCourse(blocks)
	if err != nil {
		return nil, err
	}
	if err := a.mayBlocks(ctx, "EditBlocks", in, ids); err != nil {
		return nil, err
	}
	err = a.change(ctx, in, func(tx *db.Tx, c *course.Course) error {
		out = out[:0]
		for i, e := range edits {
			r, err := c.Edit(ctx, tx, a.Files, ids[i], e.OLX, e.Base, a.author(message))
			if err != nil {
				return err
			}
			if out, err = a.result(ctx, tx, c, out, ids[i], r); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// NewBlock is a block to be made. Without ID its type and name come from the OLX.
type NewBlock struct {
	ID  courseware.BlockID
	OLX []byte
}

// CreateBlocks adds blocks to a course, all or none, from a position on; pages have none.
func (a *App) CreateBlocks(ctx context.Context, in keys.Course, blocks []NewBlock, at course.Position, message string) (out []BlockResult, err error) {
	ids := make([]courseware.BlockID, len(blocks))
	for i, b := range blocks {
		ids[i] = b.ID
	}
	if err := a.mayBlocks(ctx, "CreateBlocks", in, ids); err != nil {
		return nil, err
	}
	err = a.change(ctx, in, func(tx *db.Tx, c *course.Course) error {
		out = out[:0]
		at := at
		for _, b := range blocks {
			id, r, err := c.Create(ctx, tx, a.Files, b.ID, b.OLX, at, a.author(message))
			if err != nil {
				return err
			}
			if out, err = a.result(ctx, tx, c, out, id, r); err != nil {
				return err
			}
			if at.Index >= 0 {
				at.Index++
			}
		}
		return nil
	})
	return out, err
}

// result adds what a block is after a change.
func (a *App) result(ctx context.Context, tx *db.Tx, c *course.Course, out []BlockResult, id courseware.BlockID, r *course.Report) ([]BlockResult, error) {
	view, err := a.draft(ctx, tx, c, id)
	return append(out, BlockResult{view, a.forgetReport(r).ChangeLog}), err
}

// MoveBlocks puts blocks of one course under a parent, in the order given, and shows them.
func (a *App) MoveBlocks(ctx context.Context, blocks []keys.Usage, at course.Position, base *int, message string) (out []BlockResult, err error) {
	if err := a.blocksNotOld(ctx, "MoveBlocks", blocks); err != nil {
		return nil, err
	}
	in, ids, err := sameCourse(blocks)
	if err != nil {
		return nil, err
	}
	if err := a.mayBlocks(ctx, "MoveBlocks", in, ids); err != nil {
		return nil, err
	}
	err = a.change(ctx, in, func(tx *db.Tx, c *course.Course) error {
		report, err := c.Move(ctx, tx, a.Files, ids, at, base, a.author(message))
		if err != nil {
			return err
		}
		out = out[:0]
		for _, id := range ids {
			if out, err = a.result(ctx, tx, c, out, id, report); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// DeleteBlocks takes blocks of one course with everything below them out of the draft, and shows them as they were.
func (a *App) DeleteBlocks(ctx context.Context, blocks []keys.Usage, base *int, message string) (out []BlockResult, err error) {
	if err := a.blocksNotOld(ctx, "DeleteBlocks", blocks); err != nil {
		return nil, err
	}
	in, ids, err := sameCourse(blocks)
	if err != nil {
		return nil, err
	}
	if err := a.mayBlocks(ctx, "DeleteBlocks", in, ids); err != nil {
		return nil, err
	}
	err = a.change(ctx, in, func(tx *db.Tx, c *course.Course) error {
		out = out[:0]
		for _, id := range ids {
			view, err := a.draft(ctx, tx, c, id)
			if err != nil {
				return err
			}
			view.State = course.StateDeleted
			out = append(out, BlockResult{BlockView: view})
		}
		report, err := c.Delete(ctx, tx, a.Files, ids, base, a.author(message))
		if err != nil {
			return err
		}
		for i := range out {
			out[i].ChangeLog = a.forgetReport(report).ChangeLog
		}
		return nil
	})
	return out, err
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

// coursesOf returns the courses that blocks are of, each once.
func coursesOf(blocks []keys.Usage) (things []thing, err error) {
	for _, key := range blocks {
		in, _, err := course.BlockOf(key)
		if err != nil {
			return nil, err
		}
		t, err := theCourse(in)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(things, t) {
			things = append(things, t)
		}
	}
	return things, nil
}

// mayBlocks asks for what changing blocks of one course takes.
func (a *App) mayBlocks(ctx context.Context, name string, in keys.Course, ids []courseware.BlockID) error {
	t, err := theCourse(in)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return a.may(ctx, name, t)
	}
	asked := map[string]bool{}
	for _, id := range ids {
		action := cmp.Or(blockActions[id.Type], useCases[name].course)
		if asked[action] {
			continue
		}
		asked[action] = true
		if err := a.mayAct(ctx, name, action, t); err != nil {
			return err
		}
	}
	return nil
}
