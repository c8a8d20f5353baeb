package course

import (
	"context"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// HistoryEntry is one change log or publish log of a course.
type HistoryEntry struct {
	Moment  string            `json:"moment"`
	Kind    publishing.Kind   `json:"kind"`
	At      time.Time         `json:"at"`
	By      publishing.UserID `json:"-"`
	Message string            `json:"message"`
	Source  string            `json:"source,omitempty"`
	Changes int               `json:"changes"`
	Labels  []string          `json:"labels"`
}

// HistoryFilter narrows a history.
type HistoryFilter struct {
	Block  *courseware.BlockID // only entries that changed this block itself
	Limit  int                 // at most so many; 0 means all
	Before *Moment             // only what came before this entry
}

// History lists change logs and publish logs merged, newest first.
func (c *Course) History(ctx context.Context, q db.Querier, f HistoryFilter) ([]HistoryEntry, error) {
	filter := publishing.LogFilter{Limit: f.Limit, Changed: true}
	if f.Block != nil {
		e, err := publishing.EntityByRef(ctx, q, c.Package.ID, blockRef(*f.Block))
		if fault.Is(err, fault.NotFound) {
			return nil, fault.Errorf(fault.NotFound, c.blockKey(*f.Block), "this block never was in the course").
				WithNext("see the blocks with: lectern " + noun(c.Key) + " show " + c.Key.String())
		}
		if err != nil {
			return nil, err
		}
		filter.Entities = []publishing.EntityID{e.ID}
	}
	if f.Before != nil && f.Before.Log != 0 {
		log, err := publishing.LogByID(ctx, q, f.Before.Published, f.Before.Log)
		if err != nil {
			return nil, err
		}
		filter.Before = &log
	}
	logs, err := publishing.Logs(ctx, q, c.Package.ID, filter)
	if err != nil {
		return nil, err
	}
	labels, err := c.Labels(ctx, q)
	if err != nil {
		return nil, err
	}
	named := map[string][]string{}
	for _, l := range labels {
		named[l.Moment] = append(named[l.Moment], l.Name)
	}
	out := make([]HistoryEntry, 0, len(logs))
	for _, l := range logs {
		m := Moment{Published: l.Publish, Log: l.ID}.Name()
		e := HistoryEntry{Moment: m, Kind: l.Kind, At: l.At, By: l.By, Message: l.Message, Source: l.Source,
			Changes: l.Changes, Labels: named[m]}
		if e.Labels == nil {
			e.Labels = []string{}
		}
		out = append(out, e)
	}
	return out, nil
}
