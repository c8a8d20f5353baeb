package publishing

import (
	"context"
	"fmt"
)

// Restore makes drafts what they were at a moment, of either branch: all of the package, or with only those of the given
// entities. Old versions become drafts again, what had no version then is deleted; no version is made or removed, and
// nothing is published. A time counts as in [Heads].
func (c *ChangeSet) Restore(ctx context.Context, m Moment, only []EntityID) error {
	if err := c.Flush(ctx); err != nil {
		return err
	}
	read := func(m Moment) ([]Head, error) {
		if only == nil {
			return Heads(ctx, c.tx, c.pkg, m)
		}
		return HeadsOf(ctx, c.tx, only, m)
	}
	if only != nil {
		if err := c.u.locate(ctx, c.tx, only); err != nil {
			return err
		}
		if err := c.own(only, "entity %d belongs to another learning package"); err != nil {
			return err
		}
	}
	then, err := read(m)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	now, err := read(Draft())
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	want := make(map[EntityID]VersionID, len(then))
	have := make(map[EntityID]VersionID, len(now))
	for _, h := range now {
		have[h.Entity] = h.Version
	}
	var list []Pointer
	for _, h := range then {
		want[h.Entity] = h.Version
		if have[h.Entity] != h.Version {
			list = append(list, Pointer{h.Entity, h.Version})
		}
	}
	for _, h := range now {
		if want[h.Entity] == 0 {
			list = append(list, Pointer{Entity: h.Entity})
		}
	}
	return c.SetDrafts(ctx, list)
}
