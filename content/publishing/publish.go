package publishing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// PublishMeta says when, by whom and why something is published. At is the transaction's clock when zero, Kind is
// KindPublish when empty.
type PublishMeta struct {
	At      time.Time
	By      UserID
	Message string // at most 500 characters
	Kind    Kind
	Source  string // at most 500 characters
}

// PublishAll publishes every draft of the package that differs from what is published, deletions included, in entity id
// order. Nothing to publish still makes a log, without records (content-model.md §9). Inside a change set of the
// package it is fault.Invalid.
func PublishAll(ctx context.Context, tx *db.Tx, pkg PackageID, m PublishMeta) (*PublishLog, error) {
	if err := beginPublish(ctx, tx, pkg, &m); err != nil {
		return nil, err
	}
	var list []node
	err := tx.Query(ctx, `SELECT d.entity_id, d.version_id, p.entity_id, p.version_id, r.dependencies_hash_digest
		FROM openedx_content_publishableentity e
		JOIN openedx_content_draft d ON d.entity_id = e.id
		LEFT JOIN openedx_content_published p ON p.entity_id = d.entity_id
		LEFT JOIN openedx_content_draftchangelogrecord r ON r.id = d.draft_log_record_id
		WHERE e.learning_package_id = ? AND COALESCE(d.version_id, 0) <> COALESCE(p.version_id, 0)
		ORDER BY e.id`, []any{pkg}, func(r *db.Row) error {
		var e int64
		var draft, row, old *int64
		var digest *string
		err := r.Scan(&e, &draft, &row, &old, &digest)
		n := toPublish(e, draft, row, old, true)
		if digest != nil && n.now != 0 {
			n.digest = *digest
		}
		list = append(list, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("drafts to publish: %w", err)
	}
	return publish(ctx, tx, pkg, m, list, true)
}

func toPublish(e int64, draft, row, old *int64, direct bool) node {
	v := orZero[VersionID](draft)
	return node{entity: EntityID(e), old: orZero[VersionID](old), new: v, now: v, row: row != nil, direct: direct}
}

// Publish publishes the drafts of the given entities, changed or not, and with dependencies everything changed below
// them, see [Closure]. Without, it is fault.Invalid if anything directly below has a draft and was never published.
// An entity of another package, or a dependency cycle among published versions that would come of it, is
// fault.Invalid; an unknown entity or one that never had a draft is fault.NotFound (content-model.md §9). Inside a
// change set of the package it is fault.Invalid.
func Publish(ctx context.Context, tx *db.Tx, pkg PackageID, list []EntityID, dependencies bool, m PublishMeta) (*PublishLog, error) {
	if err := beginPublish(ctx, tx, pkg, &m); err != nil {
		return nil, err
	}
	given, err := givenDrafts(ctx, tx, pkg, list)
	if err != nil {
		return nil, err
	}
	if dependencies {
		given, err = crawl(ctx, tx, given)
	} else {
		err = checkShallow(ctx, tx, given)
	}
	if err != nil {
		return nil, err
	}
	return publish(ctx, tx, pkg, m, given, false)
}

// Closure returns what [Publish] with dependencies would take along besides the given entities, layer by layer, each in
// id order: whatever is reachable through dependencies of draft versions and has unpublished changes. Errors are those
// of Publish.
func Closure(ctx context.Context, q db.Querier, pkg PackageID, list []EntityID) ([]EntityID, error) {
	given, err := givenDrafts(ctx, q, pkg, list)
	if err != nil {
		return nil, err
	}
	all, err := crawl(ctx, q, given)
	if err != nil {
		return nil, err
	}
	along := make([]EntityID, 0, len(all)-len(given))
	for _, n := range all[len(given):] {
		along = append(along, n.entity)
	}
	return along, nil
}

func beginPublish(ctx context.Context, tx *db.Tx, pkg PackageID, m *PublishMeta) error {
	if err := checkMeta(m.Message, m.Source); err != nil {
		return err
	}
	if err := Lock(ctx, tx, pkg); err != nil {
		return err
	}
	if unitOf(tx).active(pkg) != nil {
		return fault.Errorf(fault.Invalid, fmt.Sprintf("learning package %d", pkg), "cannot be published while a change set of it is open")
	}
	m.At = moment(tx, m.At)
	if m.Kind == "" {
		m.Kind = KindPublish
	}
	return nil
}

// givenDrafts reads the drafts that a caller listed, in the order given, each once.
func givenDrafts(ctx context.Context, q db.Querier, pkg PackageID, list []EntityID) ([]node, error) {
	nodes := make([]node, 0, len(list))
	at := make(map[EntityID]int, len(list))
	var ask []EntityID
	for _, e := range list {
		if _, ok := at[e]; !ok {
			at[e] = len(nodes)
			nodes = append(nodes, node{entity: e})
			ask = append(ask, e)
		}
	}
	var foreign, never EntityID
	err := db.QueryIn(ctx, q, `SELECT e.id, e.learning_package_id, d.entity_id, d.version_id, p.entity_id, p.version_id
		FROM openedx_content_publishableentity e
		LEFT JOIN openedx_content_draft d ON d.entity_id = e.id
		LEFT JOIN openedx_content_published p ON p.entity_id = e.id
		WHERE e.id IN (?...)`, ask, nil, func(r *db.Row) error {
		var e, home int64
		var has, draft, row, old *int64
		if err := r.Scan(&e, &home, &has, &draft, &row, &old); err != nil {
			return err
		}
		if PackageID(home) != pkg {
			foreign = EntityID(e)
		} else if has == nil {
			never = EntityID(e)
		}
		nodes[at[EntityID(e)]] = toPublish(e, draft, row, old, true)
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("drafts to publish: %w", err)
	case foreign != 0:
		return nil, fault.Errorf(fault.Invalid, fmt.Sprintf("entity %d", foreign), "is not of learning package %d", pkg)
	}
	for i := range nodes {
		if !nodes[i].direct {
			return nil, noEntity(nodes[i].entity)
		}
	}
	if never != 0 {
		return nil, fault.Errorf(fault.NotFound, fmt.Sprintf("entity %d", never), "has no draft that could be published")
	}
	return nodes, nil
}

// crawl adds everything below the given drafts that has unpublished changes, layer by layer, each in the order of entity
// ids. It crosses what is unchanged, and follows neither pinned children, which are no dependencies, nor what a draft no
// longer lists (content-model.md §9).
func crawl(ctx context.Context, q db.Querier, given []node) ([]node, error) {
	seen := make(map[EntityID]bool, len(given))
	var layer []int64 // draft versions
	for i := range given {
		seen[given[i].entity] = true
		if given[i].new != 0 {
			layer = append(layer, int64(given[i].new))
		}
	}
	for len(layer) > 0 {
		var found []node
		err := db.QueryIn(ctx, q, `SELECT x.referenced_entity_id, d.version_id, p.entity_id, p.version_id
			FROM openedx_content_publishableentityversiondependency x
			JOIN openedx_content_draft d ON d.entity_id = x.referenced_entity_id
			LEFT JOIN openedx_content_published p ON p.entity_id = x.referenced_entity_id
			WHERE x.referring_version_id IN (?...)`, layer, nil, func(r *db.Row) error {
			var e int64
			var draft, row, old *int64
			if err := r.Scan(&e, &draft, &row, &old); err != nil {
				return err
			}
			if !seen[EntityID(e)] {
				seen[EntityID(e)] = true
				found = append(found, toPublish(e, draft, row, old, false))
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("dependencies to publish: %w", err)
		}
		slices.SortFunc(found, func(a, b node) int { return cmp.Compare(a.entity, b.entity) })
		layer = layer[:0]
		for i := range found {
			n := &found[i]
			if n.new != 0 {
				layer = append(layer, int64(n.new))
			}
			if n.new != n.old {
				given = append(given, *n)
			}
		}
	}
	return given, nil
}

// checkShallow refuses to publish what depends on something that was never published.
func checkShallow(ctx context.Context, q db.Querier, given []node) error {
	var versions []VersionID
	for i := range given {
		if given[i].new != 0 {
			versions = append(versions, given[i].new)
		}
	}
	var missing string
	err := db.QueryIn(ctx, q, `SELECT e.entity_ref
		FROM openedx_content_publishableentityversiondependency x
		JOIN openedx_content_draft d ON d.entity_id = x.referenced_entity_id
		JOIN openedx_content_publishableentity e ON e.id = x.referenced_entity_id
		LEFT JOIN openedx_content_published p ON p.entity_id = x.referenced_entity_id
		WHERE p.entity_id IS NULL AND x.referring_version_id IN (?...)`, versions, nil, func(r *db.Row) error {
		return r.Scan(&missing)
	})
	switch {
	case err != nil:
		return fmt.Errorf("dependencies: %w", err)
	case missing != "":
		return fault.Errorf(fault.Invalid, missing, "was never published, and something that depends on it is to be").
			WithNext("publish with dependencies, or publish it first")
	}
	return nil
}

// publish moves the published pointers of nodes; all says that afterwards nothing differs from the drafts.
func publish(ctx context.Context, tx *db.Tx, pkg PackageID, m PublishMeta, nodes []node, all bool) (*PublishLog, error) {
	l := &PublishLog{UUID: uuids(1)[0], Package: pkg, At: m.At, By: m.By, Message: m.Message}
	g := newGraph(&published, len(nodes))
	for i := range nodes {
		g.add(nodes[i])
	}
	solved := false
	if all {
		var err error
		if solved, err = g.mirror(ctx, tx); err != nil {
			return nil, err
		}
	}
	if !solved {
		if err := g.solve(ctx, tx); err != nil {
			return nil, err
		}
	}
	ids, err := tx.InsertIDs(ctx, "openedx_content_publishlog",
		[]string{"uuid", "message", "published_at", "published_by_id", "learning_package_id"}, 1, func(_ int, v []any) {
			v[0], v[1], v[2], v[3], v[4] = l.UUID, m.Message, m.At, null(m.By), pkg
		})
	if err != nil {
		return nil, fmt.Errorf("publish log: %w", err)
	}
	l.ID = ids[0]
	if err := published.store(ctx, tx, l.ID, g.nodes); err != nil {
		return nil, err
	}
	if err := g.writeEdges(ctx, tx); err != nil {
		return nil, err
	}
	if err := tx.Insert(ctx, "lectern_publishlog", []string{"publish_log_id", "kind", "source"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2] = l.ID, string(m.Kind), m.Source
	}); err != nil {
		return nil, fmt.Errorf("publish log: %w", err)
	}
	if err := unitOf(tx).tell(ctx, tx, outbox.Published, pkg, m.At, m.By, l.ID); err != nil {
		return nil, err
	}
	l.Records, l.SideEffects = g.report()
	return l, nil
}
