package migrator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// The tables of Open edX's app (migrator.md §1).
const (
	sources      = "modulestore_migrator_modulestoresource"
	migrations   = "modulestore_migrator_modulestoremigration"
	blockSources = "modulestore_migrator_modulestoreblocksource"
	blockRows    = "modulestore_migrator_modulestoreblockmigration"
)

// keyRow is the id of a row and its key.
type keyRow struct {
	id  int64
	key string
}

// ensure makes rows that are missing in a table of keys and returns the ids of all. Keys that differ by letter case alone are
// two rows (M1), whatever the column's collation finds. further are columns of new rows besides the key.
func ensure(ctx context.Context, tx *db.Tx, table string, keys []string, cols []string, further func(v []any)) (map[string]int64, error) {
	ids := make(map[string]int64, len(keys))
	wanted := make(map[string]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	k := tx.Engine().Quote("key")
	err := db.QueryIn(ctx, tx, "SELECT id, "+k+" FROM "+table+" WHERE "+k+" IN (?...)", keys, nil, func(r *db.Row) error {
		var row keyRow
		if err := r.Scan(&row.id, &row.key); err != nil {
			return err
		}
		if wanted[row.key] {
			ids[row.key] = row.id
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, k := range keys {
		if _, there := ids[k]; !there && wanted[k] {
			missing = append(missing, k)
			wanted[k] = false // once
		}
	}
	made, err := tx.InsertIDs(ctx, table, append([]string{"key"}, cols...), len(missing), func(i int, v []any) {
		v[0] = missing[i]
		further(v[1:])
	})
	if err != nil {
		return nil, db.Raced(err)
	}
	for i, k := range missing {
		ids[k] = made[i]
	}
	return ids, nil
}

func ensureSources(ctx context.Context, tx *db.Tx, keys []string) (map[string]int64, error) {
	return ensure(ctx, tx, sources, keys, nil, func([]any) {})
}

// sourceID returns the id of a source, 0 when no migration has named it.
func sourceID(ctx context.Context, q db.Querier, key string) (id int64, err error) {
	err = q.Query(ctx, "SELECT id, "+q.Engine().Quote("key")+" FROM "+sources+" WHERE "+q.Engine().Quote("key")+" = ?", []any{key}, func(r *db.Row) error {
		var row keyRow
		err := r.Scan(&row.id, &row.key)
		if row.key == key {
			id = row.id
		}
		return err
	})
	return id, err
}

// LoadPrevious returns what the non-failed migrations of a source to a library made of its blocks: of each block the newest
// successful row (P0). Failed ones do not count (X4).
func LoadPrevious(ctx context.Context, q db.Querier, source string, pkg publishing.PackageID) (Previous, error) {
	out := Previous{}
	id, err := sourceID(ctx, q, source)
	if err != nil || id == 0 {
		return out, err
	}
	err = q.Query(ctx, `SELECT s.`+q.Engine().Quote("key")+`, b.target_id FROM `+blockRows+` b
		JOIN `+migrations+` m ON m.id = b.overall_migration_id JOIN `+blockSources+` s ON s.id = b.source_id
		WHERE m.source_id = ? AND m.target_id = ? AND m.is_failed = ? AND b.target_id IS NOT NULL ORDER BY b.id`, []any{id, pkg, false}, func(r *db.Row) error {
		var key string
		var entity publishing.EntityID
		err := r.Scan(&key, &entity)
		out[key] = entity // a later one takes its place
		return err
	})
	return out, err
}

// newRow is a row of a block to be written.
type newRow struct {
	step   *Step
	record publishing.RecordID
}

// writeRows writes the rows of a migration's blocks, in order, and returns nothing of them but their number.
func writeRows(ctx context.Context, tx *db.Tx, source, migration int64, rows []newRow) error {
	keys := make([]string, len(rows))
	for i, r := range rows {
		keys[i] = r.step.Key
	}
	ids, err := ensure(ctx, tx, blockSources, keys, []string{"overall_source_id", "created", "modified"}, func(v []any) {
		v[0], v[1], v[2] = source, tx.Now(), tx.Now()
	})
	if err != nil {
		return err
	}
	return tx.Insert(ctx, blockRows, []string{"created", "modified", "overall_migration_id", "source_id", "target_id", "change_log_record_id", "unsupported_reason"},
		len(rows), func(i int, v []any) {
			r := rows[i]
			v[0], v[1], v[2], v[3], v[4], v[5], v[6] = tx.Now(), tx.Now(), migration, ids[r.step.Key], nil, nil, nil
			if r.step.entity != 0 {
				v[4] = r.step.entity
			}
			if r.record != 0 {
				v[5] = r.record
			}
			if r.step.Reason != nil {
				v[6] = r.step.Reason.Text
			}
		})
}

// lastCollection returns the collection of the newest non-failed migration of a source to a library before this one, 0 where
// there is none or it is gone (C3).
func lastCollection(ctx context.Context, q db.Querier, source int64, pkg publishing.PackageID, before int64) (id int64, err error) {
	err = q.Query(ctx, `SELECT target_collection_id FROM `+migrations+` WHERE source_id = ? AND target_id = ? AND is_failed = ? AND id < ? ORDER BY id DESC LIMIT 1`,
		[]any{source, pkg, false, before}, func(r *db.Row) error {
			var c *int64
			err := r.Scan(&c)
			if c != nil {
				id = *c
			}
			return err
		})
	return id, err
}

// forward makes a migration the authoritative one of its source (A1), and the newest row of each block in non-failed
// migrations to the same library the one that the block leads to (A4): a block without a row of this migration keeps that of
// an earlier one, and what was brought elsewhere only leads nowhere any more.
func forward(ctx context.Context, tx *db.Tx, source, migration int64, pkg publishing.PackageID) error {
	if _, err := tx.Exec(ctx, `UPDATE `+sources+` SET forwarded_id = ? WHERE id = ?`, migration, source); err != nil {
		return err
	}
	newest := map[int64]int64{}
	err := tx.Query(ctx, `SELECT b.source_id, b.id FROM `+blockRows+` b JOIN `+migrations+` m ON m.id = b.overall_migration_id
		WHERE m.source_id = ? AND m.target_id = ? AND m.is_failed = ? ORDER BY b.id`, []any{source, pkg, false}, func(r *db.Row) error {
		var block, row int64
		err := r.Scan(&block, &row)
		newest[block] = row
		return err
	})
	if err != nil {
		return err
	}
	was := map[int64]int64{}
	err = tx.Query(ctx, `SELECT id, forwarded_id FROM `+blockSources+` WHERE overall_source_id = ?`, []any{source}, func(r *db.Row) error {
		var block int64
		var row *int64
		if err := r.Scan(&block, &row); err != nil {
			return err
		}
		if row != nil {
			was[block] = *row
		} else {
			was[block] = 0
		}
		return nil
	})
	if err != nil {
		return err
	}
	type change struct {
		block int64
		row   any
	}
	var set []change
	for block, old := range was {
		switch now := newest[block]; {
		case now == old:
		case now == 0:
			set = append(set, change{block, nil})
		default:
			set = append(set, change{block, now})
		}
	}
	slices.SortFunc(set, func(a, b change) int { return int(a.block - b.block) })
	return tx.UpdateRows(ctx, blockSources, "id", []string{"forwarded_id"}, len(set), func(i int, v []any) { v[0], v[1] = set[i].block, set[i].row })
}

// forwarded returns the non-failed migration that a source is forwarded to, 0 for none (A2).
func forwarded(ctx context.Context, q db.Querier, source int64) (id int64, err error) {
	id, _, err = db.One(ctx, q, `SELECT m.id FROM `+sources+` s JOIN `+migrations+` m ON m.id = s.forwarded_id AND m.source_id = s.id
		WHERE s.id = ? AND m.is_failed = ?`, []any{source, false}, db.Value[int64])
	return id, err
}

// Target is what a block of a source became, for those who still refer to it (A3).
type Target struct {
	Entity publishing.EntityID
	// Version is the one that the migration wrote; 0 where no record tells of it any more.
	Version publishing.VersionID
	record  publishing.RecordID
}

// TargetOf returns what the block with a usage key leads to: an entity of the library that its source is forwarded to. ok is
// false where the source is not forwarded, or the block did not make it (A2, A3).
func TargetOf(ctx context.Context, q db.Querier, usage string) (t Target, ok bool, err error) {
	if there, err := tablesThere(ctx, q); err != nil || !there {
		return t, false, err
	}
	k := q.Engine().Quote("key")
	err = q.Query(ctx, `SELECT b.`+k+`, r.target_id, r.change_log_record_id FROM `+blockSources+` b JOIN `+blockRows+` r ON r.id = b.forwarded_id
		JOIN `+migrations+` m ON m.id = r.overall_migration_id JOIN `+sources+` s ON s.id = b.overall_source_id
		JOIN `+migrations+` f ON f.id = s.forwarded_id AND f.source_id = s.id
		WHERE b.`+k+` = ? AND f.is_failed = ? AND m.is_failed = ?`, []any{usage, false, false}, func(r *db.Row) error {
		var key string
		var entity, record *int64
		if err := r.Scan(&key, &entity, &record); err != nil || key != usage || entity == nil {
			return err
		}
		t.Entity, ok = publishing.EntityID(*entity), true
		if record != nil {
			t.record = publishing.RecordID(*record)
		}
		return nil
	})
	return t, ok, err
}

// Migration is a source on its way into a library, or there.
type Migration struct {
	ID         int64
	Task       int64
	Source     string
	Target     publishing.PackageID
	Collection int64 // 0 for none
	ChangeLog  int64 // the draft log that it made, 0 for none
	Level      string
	Repeat     string
	KeepSlugs  bool
	Failed     bool
	Forwarded  bool
	Made       int // rows with a target
	Refused    int // rows without one
}

const migrationColumns = `m.id, m.task_status_id, m.target_id, m.target_collection_id, m.change_log_id, m.composition_level, m.repeat_handling_strategy, m.preserve_url_slugs, m.is_failed, s.forwarded_id`

func scanMigration(r *db.Row) (m Migration, err error) {
	var collection, log, forwarded *int64
	err = r.Scan(&m.Source, &m.ID, &m.Task, &m.Target, &collection, &log, &m.Level, &m.Repeat, &m.KeepSlugs, &m.Failed, &forwarded)
	if collection != nil {
		m.Collection = *collection
	}
	if log != nil {
		m.ChangeLog = *log
	}
	m.Forwarded = forwarded != nil && *forwarded == m.ID && !m.Failed
	return m, err
}

// migrationsWhere returns migrations, newest first. The condition has a list of ids.
func migrationsWhere[T any](ctx context.Context, q db.Querier, where string, values []T) ([]Migration, error) {
	var list []Migration
	err := db.QueryIn(ctx, q, `SELECT s.`+q.Engine().Quote("key")+`, `+migrationColumns+` FROM `+migrations+` m JOIN `+sources+` s ON s.id = m.source_id
		WHERE `+where, values, nil, func(r *db.Row) error {
		m, err := scanMigration(r)
		list = append(list, m)
		return err
	})
	if err != nil || len(list) == 0 {
		return list, err
	}
	slices.SortFunc(list, func(a, b Migration) int { return cmp.Compare(b.ID, a.ID) })
	at := make(map[int64]int, len(list))
	ids := make([]int64, len(list))
	for i, m := range list {
		at[m.ID], ids[i] = i, m.ID
	}
	err = db.QueryIn(ctx, q, `SELECT overall_migration_id, count(*), count(target_id) FROM `+blockRows+` WHERE overall_migration_id IN (?...) GROUP BY overall_migration_id`, ids, nil,
		func(r *db.Row) error {
			var id int64
			var all, made int
			err := r.Scan(&id, &all, &made)
			list[at[id]].Made, list[at[id]].Refused = made, all-made
			return err
		})
	return list, err
}

// Migrations returns the migrations to a library, newest first; with pkg 0 those to all libraries.
func Migrations(ctx context.Context, q db.Querier, pkg publishing.PackageID) ([]Migration, error) {
	if there, err := tablesThere(ctx, q); err != nil || !there {
		return nil, err
	}
	if pkg == 0 {
		return migrationsWhere(ctx, q, "1 IN (?...)", []int{1})
	}
	return migrationsWhere(ctx, q, "m.target_id IN (?...)", []publishing.PackageID{pkg})
}

// MigrationsOf returns the migrations of tasks, newest first: of each task the last of its sources first.
func MigrationsOf(ctx context.Context, q db.Querier, tasks []int64) ([]Migration, error) {
	return migrationsWhere(ctx, q, "m.task_status_id IN (?...)", tasks)
}

// MigrationsFrom returns the migrations of sources that did not fail, newest first (Y6, X4).
func MigrationsFrom(ctx context.Context, q db.Querier, keys []string) ([]Migration, error) {
	if there, err := tablesThere(ctx, q); err != nil || !there {
		return nil, err
	}
	list, err := migrationsWhere(ctx, q, "s."+q.Engine().Quote("key")+" IN (?...)", keys)
	return slices.DeleteFunc(list, func(m Migration) bool { return m.Failed || !slices.Contains(keys, m.Source) }), err // M1
}

// Block is what a migration made of a block.
type Block struct {
	Migration int64
	Key       string
	Target    publishing.EntityID // 0 where it did not make it
	Record    publishing.RecordID // of the change log, 0 for none
	Reason    *Reason
	Created   time.Time
}

// Blocks returns the rows of migrations, each migration's in the order they were written, which is that of the source (U7).
func Blocks(ctx context.Context, q db.Querier, ids []int64) ([]Block, error) {
	var out []Block
	err := db.QueryIn(ctx, q, `SELECT b.overall_migration_id, s.`+q.Engine().Quote("key")+`, b.target_id, b.change_log_record_id, b.unsupported_reason, b.created
		FROM `+blockRows+` b JOIN `+blockSources+` s ON s.id = b.source_id WHERE b.overall_migration_id IN (?...) ORDER BY b.id`, ids, nil, func(r *db.Row) error {
		var b Block
		var target, record *int64
		var reason *string
		if err := r.Scan(&b.Migration, &b.Key, &target, &record, &reason, &b.Created); err != nil {
			return err
		}
		if target != nil {
			b.Target = publishing.EntityID(*target)
		}
		if record != nil {
			b.Record = publishing.RecordID(*record)
		}
		if reason != nil {
			why := ReasonOf(*reason)
			b.Reason = &why
		}
		out = append(out, b)
		return nil
	})
	return out, err
}

// Forget removes what is known of migrations to a library, so that the library can be removed (M3).
func Forget(ctx context.Context, tx *db.Tx, pkg publishing.PackageID) error {
	if there, err := tablesThere(ctx, tx); err != nil || !there {
		return err
	}
	ids, err := db.All(ctx, tx, `SELECT id FROM `+migrations+` WHERE target_id = ?`, []any{pkg}, db.Value[int64])
	if err != nil {
		return err
	}
	for _, sql := range []string{
		`UPDATE ` + blockSources + ` SET forwarded_id = NULL WHERE forwarded_id IN (SELECT id FROM ` + blockRows + ` WHERE overall_migration_id IN (?...))`,
		`UPDATE ` + sources + ` SET forwarded_id = NULL WHERE forwarded_id IN (?...)`,
		`DELETE FROM ` + blockRows + ` WHERE overall_migration_id IN (?...)`,
		`DELETE FROM ` + migrations + ` WHERE id IN (?...)`,
	} {
		if _, err := db.ExecIn(ctx, tx, sql, ids, nil); err != nil {
			return err
		}
	}
	return nil
}

func noTask(id string) error {
	return fault.Errorf(fault.NotFound, id, "there is no such task").WithNext("see what there is with: lectern library migrations")
}
