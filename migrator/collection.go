package migrator

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/content/collections"
	"github.com/openlectern/lectern/content/publishing"
)

// collect puts what became of the source into its collection (migrator.md §10). A source that changed nothing leaves the
// members of an earlier collection as they were (C9); a new one gets what was skipped as well (C7).
func (w *writing) collect(ctx context.Context, out *Done, source int64) error {
	c, fresh, err := w.collection(ctx, source)
	if err != nil || c.ID == 0 {
		return err
	}
	var members []publishing.EntityID
	for _, s := range w.plan.Steps {
		if s.entity != 0 && (fresh || s.Action != Leave) {
			members = append(members, s.entity)
		}
	}
	out.Collection = c.Code
	slices.Sort(members)
	if len(members) > 0 {
		if _, err := collections.Add(ctx, w.tx, w.Package.ID, []collections.Members{{Collection: c.ID, Entities: slices.Compact(members)}}, w.By); err != nil {
			return err
		}
	}
	if w.Migration == 0 {
		return nil
	}
	_, err = w.tx.Exec(ctx, `UPDATE `+migrations+` SET target_collection_id = ? WHERE id = ?`, c.ID, w.Migration)
	return err
}

// collection finds or makes the collection; one without an id is none. fresh tells that nothing of earlier migrations of the
// source need be in it.
func (w *writing) collection(ctx context.Context, source int64) (c collections.Collection, fresh bool, err error) {
	if w.Collection != "" {
		c, err = collections.ByCode(ctx, w.tx, w.Package.ID, w.Collection)
		if err != nil || source == 0 {
			return c, true, err
		}
		was, err := lastCollection(ctx, w.tx, source, w.Package.ID, w.Migration)
		return c, was != int64(c.ID), err
	}
	if !w.CreateCollection {
		return c, false, nil
	}
	all, err := collections.Collections(ctx, w.tx, w.Package.ID, collections.All)
	if err != nil {
		return c, false, err
	}
	if w.Options.Repeat != Fork && source != 0 { // C3
		was, err := lastCollection(ctx, w.tx, source, w.Package.ID, w.Migration)
		if err != nil {
			return c, false, err
		}
		for _, old := range all {
			if int64(old.ID) == was && old.Enabled {
				return old, false, nil
			}
		}
	}
	made, err := collections.Create(ctx, w.tx, w.Package.ID, []collections.New{w.newCollection(all)})
	if err != nil {
		return c, false, err
	}
	return made[0].Collection, true, nil
}

// newCollection names a collection for the source: its title, and a code of it that is free (C5).
func (w *writing) newCollection(all []collections.Collection) collections.New {
	taken := map[string]bool{}
	for _, c := range all {
		taken[strings.ToLower(c.Code)] = true // columns of some engines know no letter case
	}
	base := Options{ASCII: true}.slug(w.Source.Title)
	if base == "" {
		base = "migrated"
	}
	title := strings.TrimSpace(cut(w.Source.Title, maxTitle-len("_1000000")))
	if title == "" {
		title = w.Source.Key.String()
	}
	n := collections.New{Code: base, Title: title, By: w.By}
	for i := 1; taken[n.Code]; i++ {
		n.Code, n.Title = base+"-"+strconv.Itoa(i), title+"_"+strconv.Itoa(i)
	}
	what := "the course"
	if !w.Source.Key.IsCourse() {
		what = "the legacy library"
	}
	n.Description = "Brought from " + what + " " + w.Source.Title + " on " + w.tx.Now().Format("2006-01-02 15:04") + " UTC."
	return n
}
