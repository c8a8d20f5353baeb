package prune_test

import (
	"fmt"
	"slices"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// check holds the laws of logs, records, side effects, digests and pointers against the rows (content-model.md §17).
func (w *world) check() {
	w.Helper()
	ctx := w.Context()
	for _, publish := range []bool{false, true} {
		logs := w.logs(publish)
		ids := make([]int64, len(logs))
		for i, l := range logs {
			ids[i] = l.ID
		}
		records, err := publishing.Records(ctx, w.d, publish, ids)
		if err != nil {
			w.Fatal(err)
		}
		edges, err := publishing.SideEffects(ctx, w.d, publish, ids)
		if err != nil {
			w.Fatal(err)
		}
		last := map[publishing.EntityID]publishing.LogRecord{}
		byID := map[publishing.RecordID]publishing.LogRecord{}
		inLog := map[int64][]publishing.LogRecord{}
		for _, r := range records {
			if before := last[r.Entity]; before.New != r.Old {
				w.Errorf("%s: entity %d: old %d, the record before has new %d", publishing.LogName(publish, r.Log), r.Entity, r.Old, before.New)
			}
			if last[r.Entity].ID > r.ID {
				w.Errorf("entity %d: record %d comes after %d", r.Entity, r.ID, last[r.Entity].ID)
			}
			last[r.Entity], byID[r.ID] = r, r
			inLog[r.Log] = append(inLog[r.Log], r)
		}
		caused := map[publishing.RecordID]bool{}
		have := map[publishing.SideEffect]bool{}
		for _, e := range edges {
			caused[e.Effect], have[e] = true, true
			if byID[e.Cause].Log != byID[e.Effect].Log {
				w.Errorf("the side effect %v crosses logs", e)
			}
		}
		for _, l := range logs {
			list := inLog[l.ID]
			if len(list) == 0 && !publish {
				w.Errorf("c%d has no records (law 11)", l.ID)
			}
			of := map[publishing.EntityID]publishing.LogRecord{}
			var versions []publishing.VersionID
			for _, r := range list {
				of[r.Entity] = r
				versions = append(versions, r.New)
				if r.Old == r.New && !caused[r.ID] && (!publish || r.Direct == nil || !*r.Direct) {
					w.Errorf("%s: entity %d: %d to %d without a cause (law 14)", publishing.LogName(publish, l.ID), r.Entity, r.Old, r.New)
				}
			}
			deps, err := publishing.Dependencies(ctx, w.d, versions)
			if err != nil {
				w.Fatal(err)
			}
			want := 0
			for _, r := range list {
				for _, d := range deps[r.New] {
					if c, ok := of[d]; ok {
						want++
						if !have[publishing.SideEffect{Cause: c.ID, Effect: r.ID}] {
							w.Errorf("%s: no side effect of entity %d on %d", publishing.LogName(publish, l.ID), d, r.Entity)
						}
					}
				}
			}
			got := 0
			for e := range have {
				if byID[e.Cause].Log == l.ID {
					got++
				}
			}
			if got != want {
				w.Errorf("%s has %d side effects, want %d", publishing.LogName(publish, l.ID), got, want)
			}
		}
		table, aim := "openedx_content_draft", "draft_log_record_id"
		if publish {
			table, aim = "openedx_content_published", "publish_log_record_id"
		}
		err = w.d.Query(ctx, "SELECT entity_id, COALESCE(version_id, 0), COALESCE("+aim+", 0) FROM "+table, nil, func(r *db.Row) error {
			var e publishing.EntityID
			var v publishing.VersionID
			var rec publishing.RecordID
			err := r.Scan(&e, &v, &rec)
			if l := last[e]; l.ID != rec || l.New != v {
				w.Errorf("%s: entity %d at version %d, record %d; its last record is %d with version %d (laws 15, 16)", table, e, v, rec, l.ID, l.New)
			}
			return err
		})
		if err != nil {
			w.Fatal(err)
		}
	}
}

// digests are the digests of both branches, by entity.
func (w *world) digests() []string {
	w.Helper()
	list, err := publishing.AllPointers(w.Context(), w.d, w.pkg.ID)
	if err != nil {
		w.Fatal(err)
	}
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = fmt.Sprintf("%s %d %d %s %d %d %s", p.Ref, p.Draft.Version, p.Draft.Num, p.Draft.Digest, p.Published.Version, p.Published.Num, p.Published.Digest)
	}
	slices.Sort(out)
	return out
}
