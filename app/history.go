package app

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/user"
)

// Labels lists the labels of a course.
func (a *App) Labels(ctx context.Context, key keys.Course) (out []course.Label, err error) {
	if err := a.mayCourse(ctx, "Labels", key); err != nil {
		return out, err
	}
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
	if err := a.mayCourse(ctx, "Label", key); err != nil {
		return out, err
	}
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
	if err := a.mayCourse(ctx, "Unlabel", key); err != nil {
		return out, err
	}
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
	if err := a.mayCourse(ctx, "History", key); err != nil {
		return out, err
	}
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
