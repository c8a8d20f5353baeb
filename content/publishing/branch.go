package publishing

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/db"
)

// branch is one of the two sides that have the same shape (content-model.md §4): pointer rows, logs with records, side
// effects.
type branch struct {
	name    string
	pointer string   // table of the pointer rows
	aim     string   // its column that names the latest record
	record  string   // table of the records
	log     string   // their column that names the log
	edge    string   // table of the side effects
	direct  bool     // records say whether they were asked for
	parents string   // query: who depends on some entities, with version and digest by the stored pointers
	leaves  string   // query: what some versions depend on, with version and digest by the stored pointers
	time    string   // column of the log's time
	logs    string   // table of the logs
	heads   string   // query: logs l
	insert  []string // columns of a new record
}

var (
	drafts = branch{
		name: "draft", pointer: "openedx_content_draft", aim: "draft_log_record_id",
		record: "openedx_content_draftchangelogrecord", log: "draft_change_log_id", edge: "openedx_content_draftsideeffect",
		parents: `SELECT d.referenced_entity_id, p.entity_id, p.version_id, r.dependencies_hash_digest
			FROM openedx_content_publishableentityversiondependency d
			JOIN openedx_content_draft p ON p.version_id = d.referring_version_id
			LEFT JOIN openedx_content_draftchangelogrecord r ON r.id = p.draft_log_record_id
			WHERE d.referenced_entity_id IN (?...)`,
		leaves: `SELECT d.referring_version_id, d.referenced_entity_id, p.version_id, r.dependencies_hash_digest
			FROM openedx_content_publishableentityversiondependency d
			LEFT JOIN openedx_content_draft p ON p.entity_id = d.referenced_entity_id
			LEFT JOIN openedx_content_draftchangelogrecord r ON r.id = p.draft_log_record_id
			WHERE d.referring_version_id IN (?...)`,
		time: "changed_at", logs: "openedx_content_draftchangelog",
		heads: `SELECT l.id, l.uuid, l.learning_package_id, l.changed_at, l.changed_by_id, x.kind, x.message, x.source
			FROM openedx_content_draftchangelog l LEFT JOIN lectern_changelog x ON x.draft_change_log_id = l.id`,
		insert: []string{"draft_change_log_id", "entity_id", "old_version_id", "new_version_id", "dependencies_hash_digest"},
	}
	published = branch{
		name: "published", pointer: "openedx_content_published", aim: "publish_log_record_id",
		record: "openedx_content_publishlogrecord", log: "publish_log_id", edge: "openedx_content_publishsideeffect",
		direct: true,
		parents: `SELECT d.referenced_entity_id, p.entity_id, p.version_id, r.dependencies_hash_digest
			FROM openedx_content_publishableentityversiondependency d
			JOIN openedx_content_published p ON p.version_id = d.referring_version_id
			LEFT JOIN openedx_content_publishlogrecord r ON r.id = p.publish_log_record_id
			WHERE d.referenced_entity_id IN (?...)`,
		leaves: `SELECT d.referring_version_id, d.referenced_entity_id, p.version_id, r.dependencies_hash_digest
			FROM openedx_content_publishableentityversiondependency d
			LEFT JOIN openedx_content_published p ON p.entity_id = d.referenced_entity_id
			LEFT JOIN openedx_content_publishlogrecord r ON r.id = p.publish_log_record_id
			WHERE d.referring_version_id IN (?...)`,
		time: "published_at", logs: "openedx_content_publishlog",
		heads: `SELECT l.id, l.uuid, l.learning_package_id, l.published_at, l.published_by_id, x.kind, l.message, x.source
			FROM openedx_content_publishlog l LEFT JOIN lectern_publishlog x ON x.publish_log_id = l.id`,
		insert: []string{"publish_log_id", "entity_id", "old_version_id", "new_version_id", "dependencies_hash_digest", "direct"},
	}
)

// store writes the records of nodes to the log and aims the pointer rows at them. Records get ids in the order of nodes,
// which are noted in them.
func (b *branch) store(ctx context.Context, tx *db.Tx, log int64, nodes []node) error {
	var fresh, old, made, moved []*node // records to insert, records to rewrite, pointers to insert, pointers to move
	for i := range nodes {
		n := &nodes[i]
		switch {
		case n.record == 0:
			fresh = append(fresh, n)
		case !n.stored || n.digest != "":
			old = append(old, n)
		}
		switch {
		case n.aimed && n.stored, n.stored && len(n.causes) == 0 && n.record != 0:
			// Nothing new, or an inner change set has re-aimed the pointer and nothing below changed since.
		case n.row:
			moved = append(moved, n)
		default:
			made = append(made, n)
		}
	}
	if err := b.storeRecords(ctx, tx, log, fresh, old); err != nil {
		return err
	}
	if len(made) > 0 {
		if err := tx.Insert(ctx, b.pointer, []string{"entity_id", "version_id", b.aim}, len(made), func(i int, v []any) {
			n := made[i]
			v[0], v[1], v[2] = int64(n.entity), null(n.now), int64(n.record)
		}); err != nil {
			return fmt.Errorf("%s pointers: %w", b.name, err)
		}
	}
	if len(moved) > 0 {
		if err := tx.UpdateRows(ctx, b.pointer, "entity_id", []string{"version_id", b.aim}, len(moved), func(i int, v []any) {
			n := moved[i]
			v[0], v[1], v[2] = int64(n.entity), null(n.now), int64(n.record)
		}); err != nil {
			return fmt.Errorf("%s pointers: %w", b.name, err)
		}
	}
	for _, n := range made {
		n.aimed, n.row = true, true
	}
	for _, n := range moved {
		n.aimed = true
	}
	return nil
}

func (b *branch) storeRecords(ctx context.Context, tx *db.Tx, log int64, fresh, old []*node) error {
	if len(fresh) > 0 {
		ids, err := tx.InsertIDs(ctx, b.record, b.insert, len(fresh), func(i int, v []any) {
			n := fresh[i]
			v[0], v[1], v[2], v[3], v[4] = log, int64(n.entity), null(n.old), null(n.new), n.digest
			if b.direct {
				v[5] = n.direct
			}
		})
		if err != nil {
			return fmt.Errorf("%s log records: %w", b.name, err)
		}
		for i, n := range fresh {
			n.record = RecordID(ids[i])
		}
	}
	if len(old) > 0 {
		if err := tx.UpdateRows(ctx, b.record, "id", []string{"new_version_id", "dependencies_hash_digest"}, len(old), func(i int, v []any) {
			n := old[i]
			v[0], v[1], v[2] = int64(n.record), null(n.new), n.digest
		}); err != nil {
			return fmt.Errorf("%s log records: %w", b.name, err)
		}
	}
	return nil
}
