package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openlectern/lectern/content/events"
	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// document is an event as receivers read it.
type document struct {
	Type, Time string
	Data       struct {
		Package struct {
			ID    int64
			Title string
		} `json:"learning_package"`
		By struct {
			User *int64 `json:"user_id"`
		} `json:"changed_by"`
		Log struct {
			Draft   int64            `json:"draft_change_log_id"`
			Publish int64            `json:"publish_log_id"`
			Changes []documentChange `json:"changes"`
			Gone    bool
		} `json:"change_log"`
	}
}

type documentChange struct {
	Entity   publishing.EntityID   `json:"entity_id"`
	Old      *int                  `json:"old_version"`
	OldID    *publishing.VersionID `json:"old_version_id"`
	New      *int                  `json:"new_version"`
	NewID    *publishing.VersionID `json:"new_version_id"`
	Direct   *bool                 `json:"direct"`
	Restored bool                  `json:"restored"`
}

// compareOutbox compares the events that a step left in the outbox, read as receivers get them, with those that the
// reference sent (content-model.md §19). An event of a draft log without changes is a defect of the reference.
func (p *player) compareOutbox(ctx context.Context, at string, want []event) {
	want = slices.DeleteFunc(slices.Clone(want), func(e event) bool { return e.Type == "entities_draft_changed" && len(e.Changes) == 0 })
	packages, err := p.packages(ctx, p.d)
	p.must(err)
	var list []outbox.Event
	names := map[int64]string{}
	for name, pkg := range packages {
		part, err := outbox.List(ctx, p.d, outbox.Filter{Package: int64(pkg.ID), After: p.told[pkg.ID]})
		p.must(err)
		for _, e := range part {
			p.told[pkg.ID] = e.ID
		}
		names[int64(pkg.ID)] = name
		list = append(list, part...)
	}
	slices.SortFunc(list, func(a, b outbox.Event) int { return cmp.Compare(a.ID, b.ID) })
	got := make([]event, len(list))
	for i, e := range list {
		got[i] = p.readEvent(ctx, names, e)
		if i < len(want) && strings.HasPrefix(want[i].Type, "lp_") {
			want[i].At = got[i].At // of the moment of sending
		}
	}
	wanted := make([]event, len(want))
	for i, e := range want {
		publish := e.Type == "entities_published"
		if strings.HasPrefix(e.Type, "entities_") {
			e.Log = p.logs[logKey{publish, e.Log}]
		}
		slices.SortFunc(e.Changes, byEntity)
		wanted[i] = e
	}
	if diff := gocmp.Diff(wanted, got, cmpopts.EquateEmpty()); diff != "" {
		p.Errorf("%s: events in the outbox (-want +got):\n%s", at, diff)
	}
}

func byEntity(a, b change) int { return cmp.Compare(a.Entity, b.Entity) }

// readEvent reads one event back into the form of the scenarios.
func (p *player) readEvent(ctx context.Context, names map[int64]string, e outbox.Event) event {
	var text bytes.Buffer
	p.must(p.d.View(ctx, func(tx *db.Tx) error {
		full, _, err := outbox.Get(ctx, tx, e.ID)
		if err != nil {
			return err
		}
		text.Reset()
		return events.Write(ctx, tx, &full, &text)
	}))
	var doc document
	dec := json.NewDecoder(&text)
	p.must(dec.Decode(&doc))
	kind, ok := strings.CutPrefix(doc.Type, outbox.Prefix+"publishing.")
	kind, versioned := strings.CutSuffix(kind, ".v1")
	if !ok || !versioned || doc.Data.Log.Gone {
		p.Fatalf("event %+v", doc)
	}
	x := event{Type: kind, Pkg: names[doc.Data.Package.ID]}
	if strings.HasPrefix(kind, "lp_") {
		x.Title = doc.Data.Package.Title
		return x
	}
	x.Log = doc.Data.Log.Draft + doc.Data.Log.Publish // one of them is not there
	for m := range 1000 {
		if doc.Time == minute(m).Format("2006-01-02T15:04:05.000000Z") {
			x.At = m
		}
	}
	for name, id := range p.users {
		if u := doc.Data.By.User; u != nil && publishing.UserID(*u) == id {
			x.By = &name
		}
	}
	ids := make([]publishing.EntityID, len(doc.Data.Log.Changes))
	for i, c := range doc.Data.Log.Changes {
		ids[i] = c.Entity
	}
	entities, err := publishing.EntitiesByID(ctx, p.d, ids)
	p.must(err)
	records := p.read(ctx, logKey{kind == "entities_published", x.Log}).records
	if len(records) != len(ids) {
		p.Fatalf("event %+v, %d records", doc, len(records))
	}
	for i, c := range doc.Data.Log.Changes {
		if r := records[i]; r.Entity != c.Entity || r.Old != idOf(c.OldID) || r.New != idOf(c.NewID) { // in id order, law 76
			p.Errorf("event %s of log %d: change %d is %+v, the record %+v", kind, x.Log, i, c, r)
		}
		x.Changes = append(x.Changes, change{entities[c.Entity].Ref, c.Old, c.New, c.Direct, c.Restored})
	}
	slices.SortFunc(x.Changes, byEntity)
	return x
}

func idOf(v *publishing.VersionID) publishing.VersionID {
	if v == nil {
		return 0
	}
	return *v
}
