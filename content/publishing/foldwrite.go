package publishing

import (
	"context"
	"slices"

	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
)

// write stores what merge worked out: edges and pointers first, so that no row is deleted that another names.
func (g *fold) write(ctx context.Context, tx *db.Tx, j *trash.Journal) error {
	var bare []RecordID    // whose edges go: of the logs that go, and those dropped
	var gone []RecordID    // rows that go
	var kept []*folding    // rows that change
	var reaimed []*folding // pointers that change
	for _, f := range g.list {
		for _, p := range f.parts {
			bare = append(bare, p.id)
			if p.id != f.record || f.drop {
				gone = append(gone, p.id)
			}
		}
		if f.drop && f.target != nil {
			bare = append(bare, f.target.id)
			gone = append(gone, f.target.id)
		}
		if !f.drop {
			kept = append(kept, f)
		} else if g.pointer[f.entity] == f.record {
			reaimed = append(reaimed, f)
		}
	}
	for _, column := range []string{"cause_id", "effect_id"} {
		if _, err := trash.Delete(ctx, tx, j, g.rows.edge, column, bare); err != nil {
			return err
		}
	}
	if err := j.Change(ctx, tx, g.rows.pointer, []string{g.b.aim}, len(reaimed), func(i int, v []any) {
		v[0], v[1] = int64(reaimed[i].entity), null(reaimed[i].before)
	}); err != nil {
		return err
	}
	if _, err := trash.Delete(ctx, tx, j, g.rows.record, "id", gone); err != nil {
		return err
	}
	columns := []string{g.b.log, "old_version_id"}
	if g.b.direct {
		columns = append(columns, "direct")
	}
	if err := j.Change(ctx, tx, g.rows.record, columns, len(kept), func(i int, v []any) {
		f := kept[i]
		v[0], v[1], v[2] = int64(f.record), g.into, null(f.old)
		if g.b.direct {
			v[3] = nil
			if f.direct != nil {
				v[3] = *f.direct
			}
		}
	}); err != nil {
		return err
	}
	return g.writeEdges(ctx, tx, j, kept)
}

// writeEdges adds the side effects that the log that stays has by now and did not have: between each record of the fold
// and its direct neighbours in the log.
func (g *fold) writeEdges(ctx context.Context, tx *db.Tx, j *trash.Journal, kept []*folding) error {
	if len(kept) == 0 {
		return nil
	}
	record := make(map[EntityID]RecordID, len(kept))
	by := map[VersionID]*folding{}
	entities := make([]EntityID, len(kept))
	records := make([]RecordID, len(kept))
	var versions []VersionID
	for i, f := range kept {
		record[f.entity] = f.record
		entities[i], records[i] = f.entity, f.record
		if f.new != 0 {
			by[f.new] = f
			versions = append(versions, f.new)
		}
	}
	want := map[SideEffect]bool{}
	type pair struct {
		cause  EntityID
		effect RecordID
	}
	var below []pair // causes not in the fold
	var others []EntityID
	err := db.QueryIn(ctx, tx, `SELECT referring_version_id, referenced_entity_id
		FROM openedx_content_publishableentityversiondependency WHERE referring_version_id IN (?...)`, unique(versions), nil, func(r *db.Row) error {
		var v VersionID
		var e EntityID
		if err := r.Scan(&v, &e); err != nil {
			return err
		}
		effect := by[v].record
		if cause, ok := record[e]; ok {
			want[SideEffect{cause, effect}] = true
		} else if g.at[e] == nil {
			below = append(below, pair{e, effect})
			others = append(others, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	inLog, err := g.recordsIn(ctx, tx, others)
	if err != nil {
		return err
	}
	for _, p := range below {
		if cause := inLog[p.cause]; cause != 0 {
			want[SideEffect{cause, p.effect}] = true
		}
	}
	err = db.QueryIn(ctx, tx, `SELECT d.referenced_entity_id, r.id FROM openedx_content_publishableentityversiondependency d
		JOIN `+g.b.record+` r ON r.new_version_id = d.referring_version_id
		WHERE r.`+g.b.log+` = ? AND d.referenced_entity_id IN (?...)`, unique(entities), []any{g.into}, func(r *db.Row) error {
		var e EntityID
		var effect RecordID
		err := r.Scan(&e, &effect)
		want[SideEffect{record[e], effect}] = true
		return err
	})
	if err != nil {
		return err
	}
	for _, column := range []string{"cause_id", "effect_id"} {
		err := db.QueryIn(ctx, tx, `SELECT s.cause_id, s.effect_id FROM `+g.b.edge+` s WHERE s.`+column+` IN (?...)`, records, nil, func(r *db.Row) error {
			var e SideEffect
			err := r.Scan(&e.Cause, &e.Effect)
			delete(want, e)
			return err
		})
		if err != nil {
			return err
		}
	}
	edges := make([]SideEffect, 0, len(want))
	for e := range want {
		edges = append(edges, e)
	}
	slices.SortFunc(edges, compareEdges)
	return j.Insert(ctx, tx, g.rows.edge, []string{"cause_id", "effect_id"}, len(edges), func(i int, v []any) {
		v[0], v[1] = int64(edges[i].Cause), int64(edges[i].Effect)
	})
}
