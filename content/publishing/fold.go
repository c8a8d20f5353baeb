package publishing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
)

// The rows that a fold touches.
var (
	draftRows      = trash.Rows("openedx_content_draft", `entity_id int, version_id int, draft_log_record_id int`)
	publishedRows  = trash.Rows("openedx_content_published", `entity_id int, publish_log_record_id int, version_id int`)
	draftLogRows   = trash.Rows("openedx_content_draftchangelog", `id int, uuid uuid, changed_at time, learning_package_id int, changed_by_id int`)
	publishLogRows = trash.Rows("openedx_content_publishlog", `id int, uuid uuid, message text, published_at time, learning_package_id int, published_by_id int`)
	draftMoreRows  = trash.Rows("lectern_changelog", `draft_change_log_id int, kind text, message text, source text`)
	publMoreRows   = trash.Rows("lectern_publishlog", `publish_log_id int, kind text, source text`)
	draftRecRows   = trash.Rows("openedx_content_draftchangelogrecord", `id int, draft_change_log_id int, entity_id int,
		new_version_id int, old_version_id int, dependencies_hash_digest text`)
	publRecRows = trash.Rows("openedx_content_publishlogrecord", `id int, entity_id int, new_version_id int, old_version_id int,
		publish_log_id int, dependencies_hash_digest text, direct bool`)
	draftEdgeRows = trash.Rows("openedx_content_draftsideeffect", `id int, cause_id int, effect_id int`)
	publEdgeRows  = trash.Rows("openedx_content_publishsideeffect", `id int, cause_id int, effect_id int`)
)

// foldRows are the tables of one branch, for a fold.
type foldRows struct{ pointer, log, more, record, edge trash.Table }

func (b *branch) foldRows() foldRows {
	if b.direct {
		return foldRows{publishedRows, publishLogRows, publMoreRows, publRecRows, publEdgeRows}
	}
	return foldRows{draftRows, draftLogRows, draftMoreRows, draftRecRows, draftEdgeRows}
}

// Folding says what [Fold] shall do and for whom.
type Folding struct {
	Publish bool
	Logs    []int64 // to go, ascending: all of the package between the first of them and Into
	Into    int64   // the log after them
	Records int     // stop before more records than that are folded, but not before the first log; 0 means no limit
	Removed time.Time
	By      string
}

// Folded says what [Fold] did.
type Folded struct {
	Logs []int64 // that are gone
	// Held is the last of the logs that have to stay, 0 when all may go: a pointer names one of its records although a
	// later one exists, or the log after it would be left without records.
	Held int64
}

// Fold makes some logs of a branch and the log after them one, as if all had been done in one go: per entity one record
// from the first old to the last new version, none for a draft that came back to where it was, and the side effects of
// that. What was drafted or published as of every other log, the pointers' versions and the digests stay as they are.
//
// The logs go from the last to the first, as many as the limit allows. The package is locked.
func Fold(ctx context.Context, tx *db.Tx, j *trash.Journal, pkg PackageID, f Folding) (Folded, error) {
	if err := Lock(ctx, tx, pkg); err != nil {
		return Folded{}, err
	}
	b := &drafts
	if f.Publish {
		b = &published
	}
	fail := func(err error) error {
		return fmt.Errorf("fold %s into %s: %w", LogName(f.Publish, f.Logs[0]), LogName(f.Publish, f.Into), err)
	}
	sizes, err := b.sizes(ctx, tx, f.Logs)
	if err != nil {
		return Folded{}, fail(err)
	}
	var done Folded
	limit := f.Records
	for {
		take, n := 0, 0
		for i := len(f.Logs) - 1; i >= 0; i-- {
			if n += sizes[f.Logs[i]]; take > 0 && limit > 0 && n > limit {
				break
			}
			take++
		}
		logs := f.Logs[len(f.Logs)-take:]
		g := &fold{b: b, rows: b.foldRows(), logs: logs, into: f.Into}
		if err := g.load(ctx, tx); err != nil {
			return Folded{}, fail(err)
		}
		if held := g.anomaly(); held != 0 {
			done.Held = held
			at, _ := slices.BinarySearch(logs, held)
			if at == len(logs)-1 {
				return done, nil
			}
			g = &fold{b: b, rows: b.foldRows(), logs: logs[at+1:], into: f.Into}
			if err := g.load(ctx, tx); err != nil {
				return Folded{}, fail(err)
			}
		}
		if err := g.merge(ctx, tx); err != nil {
			return Folded{}, fail(err)
		}
		empty, err := g.empties(ctx, tx)
		if err != nil {
			return Folded{}, fail(err)
		}
		if empty {
			if done.Held == 0 && take < len(f.Logs) {
				limit = 2 * max(n, limit) // what comes before may not cancel out
				continue
			}
			done.Held = g.logs[len(g.logs)-1]
			return done, nil
		}
		done.Logs = g.logs
		if err := g.write(ctx, tx, j); err != nil {
			return Folded{}, fail(err)
		}
		first, err := b.earliest(ctx, tx, g.logs)
		if err == nil {
			_, err = trash.Delete(ctx, tx, j, g.rows.more, b.moreKey(), g.logs)
		}
		if err == nil {
			_, err = trash.Delete(ctx, tx, j, g.rows.log, "id", g.logs)
		}
		if err == nil {
			err = noteRemoval(ctx, tx, j, pkg, Removal{
				Publish: f.Publish, First: g.logs[0], Next: f.Into, At: first, Logs: len(g.logs), Removed: f.Removed, By: f.By,
			})
		}
		if err != nil {
			return Folded{}, fail(err)
		}
		clear(unitOf(tx).states) // they name records
		return done, nil
	}
}

// moreKey is the key of the table that says more about logs.
func (b *branch) moreKey() string { return b.log }

// sizes counts the records of logs.
func (b *branch) sizes(ctx context.Context, q db.Querier, logs []int64) (map[int64]int, error) {
	out := make(map[int64]int, len(logs))
	err := db.QueryIn(ctx, q, `SELECT r.`+b.log+`, COUNT(*) FROM `+b.record+` r WHERE r.`+b.log+` IN (?...) GROUP BY r.`+b.log, logs, nil,
		func(r *db.Row) error {
			var id, n int64
			err := r.Scan(&id, &n)
			out[id] = int(n)
			return err
		})
	return out, err
}

// earliest returns the earliest time of some logs.
func (b *branch) earliest(ctx context.Context, q db.Querier, logs []int64) (at time.Time, err error) {
	table := "openedx_content_draftchangelog"
	if b.direct {
		table = "openedx_content_publishlog"
	}
	err = db.QueryIn(ctx, q, `SELECT MIN(l.`+b.time+`) FROM `+table+` l WHERE l.id IN (?...)`, logs, nil, func(r *db.Row) error {
		var t *time.Time
		err := r.Scan(&t)
		if t != nil && (at.IsZero() || t.Before(at)) {
			at = *t
		}
		return err
	})
	return at, err
}

// folding is the record of one entity in a fold.
type folding struct {
	entity   EntityID
	record   RecordID // the row that stays
	old, new VersionID
	digest   string
	direct   *bool
	parts    []foldRecord // of the logs that go, in the order of logs
	target   *foldRecord  // of the log that stays
	drop     bool
	before   RecordID // the record that a pointer to this one names once it is dropped, 0 for none
}

// foldRecord is a stored record.
type foldRecord struct {
	id       RecordID
	log      int64
	entity   EntityID
	old, new VersionID
	digest   string
	direct   *bool
}

// fold is one fold at work.
type fold struct {
	b    *branch
	rows foldRows
	logs []int64
	into int64

	at      map[EntityID]*folding
	list    []*folding // in entity order
	pointer map[EntityID]RecordID
}

func (g *fold) selectRecords(where string) string {
	direct := `NULL`
	if g.b.direct {
		direct = `r.direct`
	}
	return `SELECT r.id, r.` + g.b.log + `, r.entity_id, r.old_version_id, r.new_version_id, r.dependencies_hash_digest, ` + direct +
		` FROM ` + g.b.record + ` r WHERE ` + where
}

func scanFoldRecord(r *db.Row) (x foldRecord, err error) {
	var old, now *int64
	err = r.Scan(&x.id, &x.log, &x.entity, &old, &now, &x.digest, &x.direct)
	x.old, x.new = orZero[VersionID](old), orZero[VersionID](now)
	return x, err
}

// load reads the records of the logs, those of the same entities in the log that stays, and the pointers.
func (g *fold) load(ctx context.Context, q db.Querier) error {
	var all []foldRecord
	err := db.QueryIn(ctx, q, g.selectRecords(`r.`+g.b.log+` IN (?...)`), g.logs, nil, func(r *db.Row) error {
		x, err := scanFoldRecord(r)
		all = append(all, x)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b foldRecord) int {
		return cmp.Or(cmp.Compare(a.entity, b.entity), cmp.Compare(a.log, b.log), cmp.Compare(a.id, b.id))
	})
	g.at = map[EntityID]*folding{}
	for _, x := range all {
		f := g.at[x.entity]
		if f == nil {
			f = &folding{entity: x.entity, old: x.old}
			g.at[x.entity] = f
			g.list = append(g.list, f)
		}
		f.parts = append(f.parts, x)
	}
	entities := g.entities()
	err = db.QueryIn(ctx, q, g.selectRecords(`r.`+g.b.log+` = ? AND r.entity_id IN (?...)`), entities, []any{g.into}, func(r *db.Row) error {
		x, err := scanFoldRecord(r)
		g.at[x.entity].target = &x
		return err
	})
	if err != nil {
		return err
	}
	g.pointer = make(map[EntityID]RecordID, len(entities))
	return db.QueryIn(ctx, q, `SELECT p.entity_id, p.`+g.b.aim+` FROM `+g.b.pointer+` p WHERE p.entity_id IN (?...)`, entities, nil, func(r *db.Row) error {
		var e EntityID
		var record *int64
		err := r.Scan(&e, &record)
		g.pointer[e] = orZero[RecordID](record)
		return err
	})
}

func (g *fold) entities() []EntityID {
	out := make([]EntityID, len(g.list))
	for i, f := range g.list {
		out[i] = f.entity
	}
	return out
}

// anomaly returns the last log with a record that a pointer names although the entity has a later one: nested change sets
// and writers that take no lock leave such.
func (g *fold) anomaly() (held int64) {
	for _, f := range g.list {
		to := g.pointer[f.entity]
		for i, p := range f.parts {
			if p.id == to && (i < len(f.parts)-1 || f.target != nil) {
				held = max(held, p.log)
			}
		}
	}
	return held
}

// merge works out the record of each entity.
func (g *fold) merge(ctx context.Context, q db.Querier) error {
	var back []*folding // came back to where they were
	for _, f := range g.list {
		last := f.parts[len(f.parts)-1]
		stay := &last
		if f.target != nil {
			stay = f.target
		}
		f.record, f.new, f.digest, f.direct = stay.id, stay.new, stay.digest, stay.direct
		moved := stay.old != stay.new
		for _, p := range f.parts {
			moved = moved || p.old != p.new
			if p.direct != nil && *p.direct || f.direct == nil {
				f.direct = p.direct
			}
		}
		if f.old != f.new {
			continue
		}
		if g.b.direct && (moved || f.direct == nil || *f.direct) {
			// Published again although nothing differs is something that a publish may say (content-model.md §4.3).
			if moved {
				yes := true
				f.direct = &yes
			}
			continue
		}
		back = append(back, f)
	}
	if len(back) == 0 {
		return nil
	}
	caused, err := g.caused(ctx, q, back)
	if err != nil {
		return err
	}
	before, err := g.before(ctx, q, back)
	if err != nil {
		return err
	}
	for _, f := range back {
		b, ok := before[f.entity]
		switch {
		case caused[f.entity]:
		case f.new == 0 && !ok && !g.b.direct:
			f.drop = true
		case ok && b.new == f.new && b.digest == f.digest:
			f.drop, f.before = true, b.id
		}
	}
	return nil
}

// caused says which of the entities, whose own version did not change, are above something that did.
func (g *fold) caused(ctx context.Context, q db.Querier, back []*folding) (map[EntityID]bool, error) {
	same := make(map[EntityID]bool, len(back))
	by := map[VersionID]EntityID{}
	var versions []VersionID
	for _, f := range back {
		same[f.entity] = true
		if f.new != 0 {
			by[f.new] = f.entity
			versions = append(versions, f.new)
		}
	}
	below := map[EntityID][]EntityID{} // entity: what it depends on
	var others []EntityID              // not in the fold
	err := db.QueryIn(ctx, q, `SELECT referring_version_id, referenced_entity_id
		FROM openedx_content_publishableentityversiondependency WHERE referring_version_id IN (?...)`, unique(versions), nil, func(r *db.Row) error {
		var v VersionID
		var e EntityID
		err := r.Scan(&v, &e)
		below[by[v]] = append(below[by[v]], e)
		if g.at[e] == nil {
			others = append(others, e)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	inLog, err := g.recordsIn(ctx, q, others)
	if err != nil {
		return nil, err
	}
	out := map[EntityID]bool{}
	for grown := true; grown; {
		grown = false
		for _, f := range back {
			if out[f.entity] {
				continue
			}
			if slices.ContainsFunc(below[f.entity], func(d EntityID) bool {
				if inLog[d] != 0 {
					return true
				}
				return g.at[d] != nil && (!same[d] || out[d])
			}) {
				out[f.entity], grown = true, true
			}
		}
	}
	return out, nil
}

// recordsIn returns the records of entities in the log that stays.
func (g *fold) recordsIn(ctx context.Context, q db.Querier, list []EntityID) (map[EntityID]RecordID, error) {
	out := map[EntityID]RecordID{}
	err := db.QueryIn(ctx, q, `SELECT r.entity_id, r.id FROM `+g.b.record+` r WHERE r.`+g.b.log+` = ? AND r.entity_id IN (?...)`,
		unique(list), []any{g.into}, func(r *db.Row) error {
			var e EntityID
			var id RecordID
			err := r.Scan(&e, &id)
			out[e] = id
			return err
		})
	return out, err
}

// before returns the last record of each entity before the fold.
func (g *fold) before(ctx context.Context, q db.Querier, list []*folding) (map[EntityID]foldRecord, error) {
	ids := make([]EntityID, len(list))
	for i, f := range list {
		ids[i] = f.entity
	}
	out := map[EntityID]foldRecord{}
	err := db.QueryIn(ctx, q, g.selectRecords(`r.`+g.b.log+` = (SELECT MAX(x.`+g.b.log+`) FROM `+g.b.record+` x
		WHERE x.entity_id = r.entity_id AND x.`+g.b.log+` < ?) AND r.entity_id IN (?...)`), ids, []any{g.logs[0]}, func(r *db.Row) error {
		x, err := scanFoldRecord(r)
		out[x.entity] = x
		return err
	})
	return out, err
}

// empties reports whether a draft log would be left without records, which no draft log is (content-model.md law 11).
func (g *fold) empties(ctx context.Context, q db.Querier) (bool, error) {
	if g.b.direct {
		return false, nil
	}
	dropped := 0
	for _, f := range g.list {
		if !f.drop {
			return false, nil
		}
		if f.target != nil {
			dropped++
		}
	}
	n, _, err := db.One(ctx, q, `SELECT COUNT(*) FROM `+g.b.record+` r WHERE r.`+g.b.log+` = ?`, []any{g.into}, db.Value[int64])
	return int(n) == dropped, err
}
