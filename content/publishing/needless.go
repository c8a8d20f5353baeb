package publishing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
)

var (
	versionRows = trash.Rows("openedx_content_publishableentityversion", `id int, uuid uuid, title text, version_num int,
		created time, created_by_id int, entity_id int`)
	dependencyRows = trash.Rows("openedx_content_publishableentityversiondependency", `id int, referenced_entity_id int, referring_version_id int`)
)

// TrashTables are the tables that [Fold] and [RemoveVersions] take rows out of.
func TrashTables() []trash.Table {
	return []trash.Table{
		draftRows, publishedRows, draftLogRows, publishLogRows, draftMoreRows, publMoreRows, draftRecRows, publRecRows,
		draftEdgeRows, publEdgeRows, versionRows, dependencyRows, removalRows,
	}
}

// LogHead is the identity and time of a log.
type LogHead struct {
	ID   int64
	UUID uuid.UUID
	At   time.Time
}

// LogHeads returns the draft logs, or with publish the publish logs, of a package in id order, from id first on.
func LogHeads(ctx context.Context, q db.Querier, pkg PackageID, publish bool, first int64) ([]LogHead, error) {
	sql := `SELECT l.id, l.uuid, l.changed_at FROM openedx_content_draftchangelog l`
	if publish {
		sql = `SELECT l.id, l.uuid, l.published_at FROM openedx_content_publishlog l`
	}
	list, err := db.All(ctx, q, sql+` WHERE l.learning_package_id = ? AND l.id >= ? ORDER BY l.id`, []any{pkg, first},
		func(r *db.Row) (h LogHead, err error) { return h, r.Scan(&h.ID, &h.UUID, &h.At) })
	if err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	return list, nil
}

// LogIDs returns the ids of the draft logs, or with publish of the publish logs, of a package from the first to the last, both
// included, and the id of the log after them, 0 for none.
func LogIDs(ctx context.Context, q db.Querier, pkg PackageID, publish bool, first, last int64) (ids []int64, after int64, err error) {
	sql := `SELECT l.id FROM openedx_content_draftchangelog l WHERE l.learning_package_id = ?`
	if publish {
		sql = `SELECT l.id FROM openedx_content_publishlog l WHERE l.learning_package_id = ?`
	}
	ids, err = db.All(ctx, q, sql+` AND l.id BETWEEN ? AND ? ORDER BY l.id`, []any{pkg, first, last}, db.Value[int64])
	if err == nil {
		after, _, err = db.One(ctx, q, sql+` AND l.id > ? ORDER BY l.id LIMIT 1`, []any{pkg, last}, db.Value[int64])
	}
	if err != nil {
		return nil, 0, fmt.Errorf("logs: %w", err)
	}
	return ids, after, nil
}

// EachRecord calls fn for every record of a branch of a package, by entity and then by log.
func EachRecord(ctx context.Context, q db.Querier, pkg PackageID, publish bool, fn func(e EntityID, log int64, old, now VersionID)) error {
	b, logs := &drafts, `openedx_content_draftchangelog`
	if publish {
		b, logs = &published, `openedx_content_publishlog`
	}
	err := q.Query(ctx, `SELECT r.entity_id, r.`+b.log+`, r.old_version_id, r.new_version_id FROM `+logs+` l
		JOIN `+b.record+` r ON r.`+b.log+` = l.id WHERE l.learning_package_id = ? ORDER BY r.entity_id, r.`+b.log, []any{pkg}, func(r *db.Row) error {
		var e EntityID
		var log int64
		var old, now *int64
		if err := r.Scan(&e, &log, &old, &now); err != nil {
			return err
		}
		fn(e, log, orZero[VersionID](old), orZero[VersionID](now))
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s records: %w", b.name, err)
	}
	return nil
}

// EachVersion calls fn for every version of a package, by entity and number; last is set for the highest number of its
// entity, and current for one that is draft or published.
func EachVersion(ctx context.Context, q db.Querier, pkg PackageID, fn func(v VersionID, last, current bool)) error {
	var before VersionID
	var entity EntityID
	var used bool
	err := q.Query(ctx, `SELECT v.id, v.entity_id, d.entity_id, p.entity_id FROM openedx_content_publishableentity e
		JOIN openedx_content_publishableentityversion v ON v.entity_id = e.id
		LEFT JOIN openedx_content_draft d ON d.version_id = v.id LEFT JOIN openedx_content_published p ON p.version_id = v.id
		WHERE e.learning_package_id = ? ORDER BY v.entity_id, v.version_num`, []any{pkg}, func(r *db.Row) error {
		var v VersionID
		var e EntityID
		var draft, published *int64
		if err := r.Scan(&v, &e, &draft, &published); err != nil {
			return err
		}
		if before != 0 {
			fn(before, e != entity, used)
		}
		before, entity, used = v, e, draft != nil || published != nil
		return nil
	})
	if err != nil {
		return fmt.Errorf("versions: %w", err)
	}
	if before != 0 {
		fn(before, true, used)
	}
	return nil
}

// CountDependencies counts the dependency rows of versions.
func CountDependencies(ctx context.Context, q db.Querier, ids []VersionID) (n int, err error) {
	err = db.QueryIn(ctx, q, `SELECT COUNT(*) FROM openedx_content_publishableentityversiondependency WHERE referring_version_id IN (?...)`,
		unique(ids), nil, func(r *db.Row) error {
			var k int64
			err := r.Scan(&k)
			n += int(k)
			return err
		})
	return n, err
}

// Needless returns those of the versions of a package that no pointer and no record names and that are not the highest of
// their entity, from which numbers go on (content-model.md law 6). Whether a list pins them is for package containers to say.
func Needless(ctx context.Context, q db.Querier, pkg PackageID, ids []VersionID) ([]VersionID, error) {
	var out []VersionID
	err := db.QueryIn(ctx, q, `SELECT v.id FROM openedx_content_publishableentityversion v
		JOIN openedx_content_publishableentity e ON e.id = v.entity_id
		WHERE e.learning_package_id = ? AND v.id IN (?...)
		AND NOT EXISTS (SELECT 1 FROM openedx_content_draft x WHERE x.version_id = v.id)
		AND NOT EXISTS (SELECT 1 FROM openedx_content_published x WHERE x.version_id = v.id)
		AND NOT EXISTS (SELECT 1 FROM openedx_content_draftchangelogrecord x WHERE x.new_version_id = v.id)
		AND NOT EXISTS (SELECT 1 FROM openedx_content_draftchangelogrecord x WHERE x.old_version_id = v.id)
		AND NOT EXISTS (SELECT 1 FROM openedx_content_publishlogrecord x WHERE x.new_version_id = v.id)
		AND NOT EXISTS (SELECT 1 FROM openedx_content_publishlogrecord x WHERE x.old_version_id = v.id)
		AND EXISTS (SELECT 1 FROM openedx_content_publishableentityversion x WHERE x.entity_id = v.entity_id AND x.version_num > v.version_num)`,
		unique(ids), []any{pkg}, func(r *db.Row) error {
			var v VersionID
			err := r.Scan(&v)
			out = append(out, v)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("versions nobody needs: %w", err)
	}
	return unique(out), nil
}

// RemoveVersions deletes versions that nothing names any more, the packages above having removed theirs, and what they
// depend on. The package must be locked.
func RemoveVersions(ctx context.Context, tx *db.Tx, j *trash.Journal, ids []VersionID) error {
	if _, err := trash.Delete(ctx, tx, j, dependencyRows, "referring_version_id", ids); err != nil {
		return err
	}
	_, err := trash.Delete(ctx, tx, j, versionRows, "id", ids)
	return err
}
