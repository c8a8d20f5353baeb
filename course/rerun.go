package course

import (
	"context"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/olx"
)

// Rerun copies the course into a new one under another key, with its own references and links moved along. With at nil
// both branches are copied, of a course that is not published the drafts alone, else the state of that moment, which is
// published in the new course. A course that exists
// under the new key is a Conflict. progress is told as new versions are written; it may be nil.
func (c *Course) Rerun(ctx context.Context, tx *db.Tx, files media.Files, to keys.Course, at *Moment, a Author,
	progress func(done, total int)) (*Report, error) {
	if _, err := Find(ctx, tx, to); err == nil {
		return nil, fault.Errorf(fault.Conflict, to.String(), "the course exists").WithNext("choose another key")
	} else if !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	if to.IsCourse() != c.Key.IsCourse() {
		return nil, fault.Errorf(fault.Usage, to.String(), "a %s is not run again as a %s", noun(c.Key), noun(to))
	}
	var state courseware.State
	var err error
	draftsOnly := false
	if at == nil {
		var live []publishing.Head
		if live, err = publishing.HeadsOf(ctx, tx, []publishing.EntityID{c.Root}, publishing.Published()); err != nil {
			return nil, err
		}
		draftsOnly = len(live) == 0 // what nobody has published stays so
		state, err = c.LoadState(ctx, tx, files)
	} else {
		state.Published, err = c.Load(ctx, tx, files, *at)
	}
	if err != nil {
		return nil, err
	}
	state.Published = moved(state.Published, c.Key, to)
	if state.Draft != nil {
		state.Draft = moved(state.Draft, c.Key, to)
	}
	return Import{Key: to, State: state, By: a.By, Kind: publishing.KindRerun, Message: a.Message,
		Source: c.Key.String(), DraftsOnly: draftsOnly, Progress: progress}.Run(ctx, tx, files)
}

// moved returns a course under another key, its references and links with it.
func moved(c *courseware.Course, from, to keys.Course) *courseware.Course {
	out := *c
	out.Key, out.Root = to, RootID(to)
	out.Blocks = make(map[courseware.BlockID]*courseware.Block, len(c.Blocks))
	for id, b := range c.Blocks {
		out.Blocks[id] = olx.Move(b, from, to)
	}
	return &out
}
