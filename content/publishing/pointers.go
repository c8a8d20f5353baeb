package publishing

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
)

// Branch is the pointer row of an entity on one branch. Version 0 with Exists is a deletion; the zero Branch means that
// the entity has no row: never drafted, or never published (content-model.md §4.1).
type Branch struct {
	Exists  bool
	Version VersionID
	Num     int
	Title   string
	Log     int64  // the log that touched the pointer last, 0 when none is known
	Digest  string // of the dependencies, as of that log
}

// Live reports whether the branch has a version.
func (b Branch) Live() bool { return b.Version != 0 }

// Pointers are both pointers of an entity.
type Pointers struct {
	Entity           EntityID
	Ref              string
	Draft, Published Branch
}

// Unpublished reports whether draft and published differ; what lies below the entity does not count.
func (p Pointers) Unpublished() bool { return p.Draft.Version != p.Published.Version }

const selectPointers = `SELECT e.id, e.entity_ref,
	d.entity_id, d.version_id, dv.version_num, dv.title, dr.draft_change_log_id, dr.dependencies_hash_digest,
	p.entity_id, p.version_id, pv.version_num, pv.title, pr.publish_log_id, pr.dependencies_hash_digest
	FROM openedx_content_publishableentity e
	LEFT JOIN openedx_content_draft d ON d.entity_id = e.id
	LEFT JOIN openedx_content_publishableentityversion dv ON dv.id = d.version_id
	LEFT JOIN openedx_content_draftchangelogrecord dr ON dr.id = d.draft_log_record_id
	LEFT JOIN openedx_content_published p ON p.entity_id = e.id
	LEFT JOIN openedx_content_publishableentityversion pv ON pv.id = p.version_id
	LEFT JOIN openedx_content_publishlogrecord pr ON pr.id = p.publish_log_record_id`

// branchRow receives the nullable columns of one branch.
type branchRow struct {
	row, version, num, log *int64
	title, digest          *string
}

func (b *branchRow) branch() Branch {
	out := Branch{Exists: b.row != nil, Version: orZero[VersionID](b.version), Num: int(orZero[int64](b.num)), Log: orZero[int64](b.log)}
	if b.title != nil {
		out.Title = *b.title
	}
	if b.digest != nil {
		out.Digest = *b.digest
	}
	return out
}

func scanPointers(r *db.Row) (Pointers, error) {
	var e int64
	var ref string
	var d, p branchRow
	err := r.Scan(&e, &ref, &d.row, &d.version, &d.num, &d.title, &d.log, &d.digest,
		&p.row, &p.version, &p.num, &p.title, &p.log, &p.digest)
	return Pointers{Entity: EntityID(e), Ref: ref, Draft: d.branch(), Published: p.branch()}, err
}

// AllPointers returns both pointers of every entity of the package, in id order.
func AllPointers(ctx context.Context, q db.Querier, pkg PackageID) ([]Pointers, error) {
	list, err := db.All(ctx, q, selectPointers+` WHERE e.learning_package_id = ? ORDER BY e.id`, []any{pkg}, scanPointers)
	if err != nil {
		return nil, fmt.Errorf("pointers: %w", err)
	}
	return list, nil
}

// PointersOf returns both pointers of those of the entities that exist.
func PointersOf(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]Pointers, error) {
	found := make(map[EntityID]Pointers, len(ids))
	err := db.QueryIn(ctx, q, selectPointers+` WHERE e.id IN (?...)`, ids, nil, func(r *db.Row) error {
		p, err := scanPointers(r)
		found[p.Entity] = p
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pointers: %w", err)
	}
	return found, nil
}

// DraftVersion returns the draft version of an entity, nil when there is none.
func DraftVersion(ctx context.Context, q db.Querier, e EntityID) (*Version, error) {
	return branchVersion(ctx, q, selectVersion+` JOIN openedx_content_draft d ON d.version_id = v.id WHERE d.entity_id = ?`, e)
}

// PublishedVersion returns the published version of an entity, nil when there is none.
func PublishedVersion(ctx context.Context, q db.Querier, e EntityID) (*Version, error) {
	return branchVersion(ctx, q, selectVersion+` JOIN openedx_content_published p ON p.version_id = v.id WHERE p.entity_id = ?`, e)
}

func branchVersion(ctx context.Context, q db.Querier, sql string, e EntityID) (*Version, error) {
	v, ok, err := db.One(ctx, q, sql, []any{e}, scanVersion)
	if err != nil {
		return nil, fmt.Errorf("version of entity %d: %w", e, err)
	}
	if !ok {
		return nil, nil
	}
	return &v, nil
}

// withBranches joins the pointer rows to entities e.
const withBranches = selectEntity + `
	LEFT JOIN openedx_content_draft d ON d.entity_id = e.id
	LEFT JOIN openedx_content_published p ON p.entity_id = e.id`

// Unpublished returns the entities of the package whose draft differs from what is published, in id order: those never
// drafted are left out, deleted drafts are in it only withDeleted and if something is published (content-model.md
// §16.1).
func Unpublished(ctx context.Context, q db.Querier, pkg PackageID, withDeleted bool) ([]Entity, error) {
	sql := withBranches + ` WHERE e.learning_package_id = ? AND d.entity_id IS NOT NULL
		AND COALESCE(d.version_id, 0) <> COALESCE(p.version_id, 0)`
	if !withDeleted {
		sql += ` AND d.version_id IS NOT NULL`
	}
	return listEntities(ctx, q, sql+` ORDER BY e.id`, pkg)
}

// UnpublishedDeletes returns the entities of the package that are published and have no live draft, in id order.
func UnpublishedDeletes(ctx context.Context, q db.Querier, pkg PackageID) ([]Entity, error) {
	return listEntities(ctx, q, withBranches+` WHERE e.learning_package_id = ?
		AND d.version_id IS NULL AND p.version_id IS NOT NULL ORDER BY e.id`, pkg)
}

// ContainsUnpublished reports for each entity whether its draft, or anything below it through dependencies, differs
// from what is published, by comparing digests: one query for up to 512 entities, whatever is below them
// (content-model.md §11.4). An unknown entity is fault.NotFound.
func ContainsUnpublished(ctx context.Context, q db.Querier, ids []EntityID) (map[EntityID]bool, error) {
	found := make(map[EntityID]bool, len(ids))
	err := db.QueryIn(ctx, q, `SELECT e.id, d.version_id, dr.dependencies_hash_digest, p.version_id, pr.dependencies_hash_digest
		FROM openedx_content_publishableentity e
		LEFT JOIN openedx_content_draft d ON d.entity_id = e.id
		LEFT JOIN openedx_content_draftchangelogrecord dr ON dr.id = d.draft_log_record_id
		LEFT JOIN openedx_content_published p ON p.entity_id = e.id
		LEFT JOIN openedx_content_publishlogrecord pr ON pr.id = p.publish_log_record_id
		WHERE e.id IN (?...)`, ids, nil, func(r *db.Row) error {
		var e int64
		var draft, published *int64
		var dd, pd *string
		err := r.Scan(&e, &draft, &dd, &published, &pd)
		d, p := orZero[VersionID](draft), orZero[VersionID](published)
		found[EntityID(e)] = d != p || d != 0 && dd != nil && pd != nil && *dd != *pd
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("unpublished changes: %w", err)
	}
	for _, e := range ids {
		if _, ok := found[e]; !ok {
			return nil, noEntity(e)
		}
	}
	return found, nil
}

// EntityFilter narrows [FilterEntities]: nil does not care, else whether the branch has a live version; an absent row
// counts as no.
type EntityFilter struct{ HasDraft, HasPublished *bool }

// FilterEntities returns the entities of a package that pass the filter, in id order.
func FilterEntities(ctx context.Context, q db.Querier, pkg PackageID, f EntityFilter) ([]Entity, error) {
	sql := withBranches + ` WHERE e.learning_package_id = ?`
	for _, c := range []struct {
		want   *bool
		column string
	}{{f.HasDraft, "d.version_id"}, {f.HasPublished, "p.version_id"}} {
		switch {
		case c.want == nil:
		case *c.want:
			sql += ` AND ` + c.column + ` IS NOT NULL`
		default:
			sql += ` AND ` + c.column + ` IS NULL`
		}
	}
	return listEntities(ctx, q, sql+` ORDER BY e.id`, pkg)
}
