package app

import (
	"context"
	"errors"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/oldcourse"
)

// LegacyRefusals returns how often somebody was refused an old course, by course, page and day (DEP-43). since is a day or "",
// course a key or "" for all.
func (a *App) LegacyRefusals(ctx context.Context, since, course string, limit int) ([]oldcourse.Hit, error) {
	if err := a.may(ctx, "LegacyRefusals"); err != nil {
		return nil, err
	}
	if err := db.CheckIdentifier(course, 255); err != nil {
		return nil, err
	}
	return oldcourse.Refusals(ctx, a.DB, since, course, limit)
}

// CountRefusals writes down, every so often until ctx ends, and then once more, how often somebody was refused an old course.
// Trouble is told what keeps it from that; nothing is lost by it.
func (a *App) CountRefusals(ctx context.Context, every time.Duration, trouble func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			if err := a.writeRefusals(ctx, a.DB); err != nil && ctx.Err() == nil {
				trouble(err)
			}
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
	defer cancel()
	if err := a.writeRefusals(last, a.DB); err != nil {
		trouble(err)
	}
}

// lastTime is how long the last writing of counts may take.
const lastTime = 3 * time.Second

func (a *App) writeRefusals(ctx context.Context, d *db.DB) error {
	c := &a.guard().refused
	hits := c.Take()
	if len(hits) == 0 || a.dryRun {
		return nil
	}
	today := ""
	err := d.Update(ctx, func(tx *db.Tx) error {
		today = tx.Now().Format(time.DateOnly)
		return oldcourse.Write(ctx, tx, hits)
	})
	if err != nil {
		c.Back(hits)
		return err
	}
	return d.Update(ctx, func(tx *db.Tx) error {
		_, err := oldcourse.Fold(ctx, tx, today)
		return err
	})
}

// lastRefusals writes counts down before the store is closed. A command has told of its refusal already, whether or not that can
// be counted.
func (a *App) lastRefusals() {
	if a.gate == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastTime)
	defer cancel()
	if a.reopen == nil {
		_ = a.writeRefusals(ctx, a.DB)
		return
	}
	hits := a.gate.refused.Take()
	if len(hits) == 0 {
		return
	}
	a.gate.refused.Back(hits)
	if d, err := a.reopen(ctx); err == nil {
		_ = errors.Join(a.writeRefusals(ctx, d), d.Close())
	}
}
